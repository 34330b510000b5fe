"""Claim 16: transformers scale because they are autoregressive and non-linear."""

from scaling.analysis.claims.claim import Claim

claim = Claim(
    number=16,
    title="Why transformers scale",
    statement="Transformers follow scaling laws because they predict one element after another and are non-linear.",
    source="popular accounts of scaling; we know of no primary source",
    not_testable="none of the nets here is autoregressive and all are non-linear, so that neither property varies; "
    "besides, a law that holds does not say why",
)
