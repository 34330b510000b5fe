"""The rule by which parts and claims are judged."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from planted import CLASSES, runs

from scaling.analysis.claims.claim import Claim, Finding, MissingEvidence, NotTestable, Part
from scaling.analysis.claims.claim_files import claim_files
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.judge import judge_claims, p_value
from scaling.analysis.claims.load_claims import load_claims
from scaling.analysis.claims.summed_up import change

EVIDENCE = Evidence(runs({"a": 1.0}), CLASSES)


def claim(*findings: Finding, primary: bool = False, **changes) -> Claim:
    parts = tuple(
        Part(f"part {i}", "It is so.", "a figure", lambda evidence, found=found: found, scale="plain", **changes)
        for i, found in enumerate(findings)
    )
    return Claim(1, "A claim", "It is so.", "nowhere", primary=primary, parts=parts, name="a-claim")


def verdict(*findings: Finding, **changes) -> str:
    return judge_claims([claim(*findings, **changes)], EVIDENCE)[0]["parts"][0]["verdict"]


@pytest.mark.parametrize(
    ("finding", "changes", "expected"),
    [
        (Finding(1.0, 0.1, 20), {}, "seen"),
        (Finding(-1.0, 0.1, 20), {}, "the opposite is seen"),
        (Finding(0.1, 0.1, 20), {}, "cannot tell"),
        (Finding(0.1, 0.1, 20), {"margin": 0.5}, "no effect that matters"),
        (Finding(0.2, 0.05, 20), {"margin": 0.5}, "no effect that matters"),  # it is there, and would not matter
        (Finding(0.4, 0.1, 20), {"margin": 0.5}, "seen"),
        (Finding(-0.4, 0.1, 20), {"margin": 0.5}, "the opposite is seen"),
        (Finding(-0.4, 0.2, 20), {"margin": 0.5}, "cannot tell"),  # a harm that matters is not excluded
        (Finding(1.0, 0.1, 20), {"threshold": 2.0}, "smaller than claimed"),
        (Finding(0.1, 0.1, 20), {"threshold": 2.0}, "smaller than claimed"),
        (Finding(-1.0, 0.1, 20), {"threshold": 2.0}, "the opposite is seen"),
        (Finding(0.1, 0.1, 20), {"threshold": 2.0, "margin": 0.5}, "no effect that matters"),
        (Finding(1.0, 0.1, 20), {"threshold": 1.25, "below": True, "none": 1.25}, "seen"),
        (Finding(1.9, 0.1, 20), {"threshold": 1.25, "below": True, "none": 1.25}, "the opposite is seen"),
        (Finding(1.3, 0.1, 20), {"threshold": 1.25, "below": True, "none": 1.25}, "cannot tell"),
        (Finding(0.8, 0.05, 20), {"threshold": 0.5, "none": 0.5}, "seen"),
        (Finding(0.2, 0.05, 20), {"threshold": 0.5, "none": 0.5}, "the opposite is seen"),
        (Finding(-0.1, 0.1, 20), {"threshold": -0.5}, "seen"),  # no worse by more than a half
        (Finding(-1.0, 0.1, 20), {"threshold": -0.5}, "the opposite is seen"),
        (Finding(1.0), {}, "cannot tell"),
        (Finding(9.2, exact=True), {"threshold": 8.0}, "seen"),
        (Finding(0.5, exact=True), {"threshold": 1.0, "none": 1.0}, "the opposite is seen"),
        (Finding(4.0, exact=True), {"threshold": 8.0, "none": 1.0}, "smaller than claimed"),
        (Finding(1.0, exact=True), {"threshold": 1.25, "below": True, "none": 1.25}, "seen"),
        (Finding(1.0, interval=(0.5, 1.5), p=0.001), {}, "seen"),
        (Finding(1.0, interval=(0.5, 1.5), p=0.2), {}, "cannot tell"),
        (Finding(1.0, interval=(0.1, 9.0)), {}, "seen"),
        (Finding(1.0, interval=(-0.1, 1.2)), {}, "cannot tell"),
        (Finding(-1.0, interval=(-9.0, -0.1)), {}, "the opposite is seen"),
        (Finding(-1.0, interval=(-1.2, 0.1)), {}, "cannot tell"),
    ],
)
def test_the_rule(finding: Finding, changes: dict, expected: str):
    assert verdict(finding, **changes) == expected


@given(st.floats(-3, 3), st.floats(0.01, 3), st.floats(0.01, 3), st.floats(-3, 3))
def test_p_agrees_with_a_lopsided_interval(effect: float, below: float, above: float, threshold: float):
    part = Part("part", "It is so.", "a figure", lambda evidence: Finding(0.0), threshold=threshold)
    p = p_value(part, Finding(effect, interval=(effect - below, effect + above)))
    end = effect - below if effect > threshold else effect + above  # the one that faces the threshold
    assume(abs(end - threshold) > 1e-6)
    assert (p < 0.05) == ((end - threshold) * (effect - threshold) > 0)


def test_a_claim_is_summed_up_by_the_parts_that_were_seen():
    good, bad, unclear = Finding(1.0, 0.1, 20), Finding(-1.0, 0.1, 20), Finding(0.1, 0.1, 20)

    def summed_up(*findings, **changes):
        (entry,) = judge_claims([claim(*findings, **changes)], EVIDENCE)
        return entry["verdict"], entry["sentence"]

    assert summed_up(good, good) == ("seen", "Seen in 2 of 2 parts: part 0 (1), part 1 (1).")
    assert summed_up(good, unclear, bad)[0] == "seen in part"
    text = "Seen in 1 of 3 parts: part 0 (1). The opposite is seen of: part 2 (−1). Cannot tell: part 1 (0.1)."
    assert summed_up(good, unclear, bad)[1] == text
    assert summed_up(unclear, bad)[0] == "not seen"
    assert summed_up(unclear, unclear)[0] == "cannot tell"


def test_only_the_opposite_of_what_the_sentence_is_about_refutes_it():
    good, bad = Finding(1.0, 0.1, 20), Finding(-1.0, 0.1, 20)
    (entry,) = judge_claims([claim(good, bad, in_scope=True)], EVIDENCE)
    assert (entry["verdict"], entry["sentence"]) == ("refuted", "Seen in 1 of 2 parts: part 0 (1). Refuted: part 1 (−1).")
    assert judge_claims([claim(Finding(1.0, 0.1, 20), in_scope=True, threshold=2.0)], EVIDENCE)[0]["verdict"] == "not seen"


def test_the_scale_of_the_test_is_said_with_the_verdict():
    (entry,) = judge_claims([claim(Finding(1.0, 0.1, 20, keys=("a-0", "a-2")))], EVIDENCE)
    assert entry["tested"] == "N = 15,000, D = 1,000; 2 runs, 2 seeds"
    assert judge_claims([claim(Finding(1.0, 0.1, 20))], EVIDENCE)[0]["tested"] == "counted or timed: no training runs"


def test_what_a_machine_cannot_show_is_not_testable():
    def measure(evidence: Evidence) -> Finding:
        raise NotTestable("one core")

    part = Part("part", "It is so.", "a figure", measure)
    (entry,) = judge_claims([Claim(1, "A claim", "It is so.", "nowhere", parts=(part,))], EVIDENCE)
    assert (entry["verdict"], entry["parts"][0]["verdict"], entry["parts"][0]["note"]) == ("not testable",) * 2 + ("one core",)


def test_holms_correction_is_over_the_primary_claims_alone():
    borderline = Finding(0.22, 0.1, 1000)  # p = 0.028
    alone, beside = claim(borderline, primary=True), claim(*[Finding(0.0, 0.1, 1000)] * 20)
    first, other = judge_claims([alone, beside], EVIDENCE)
    assert first["verdict"] == "seen"
    assert first["parts"][0]["p_adjusted"] == pytest.approx(first["parts"][0]["p"])
    assert all(part["p_adjusted"] is None for part in other["parts"])
    assert judge_claims([alone, claim(Finding(0.0, 0.1, 1000), primary=True)], EVIDENCE)[0]["verdict"] == "cannot tell"


def test_primary_claims_without_any_effect_are_rarely_supported():
    rng = np.random.default_rng(0)
    false = []
    for _ in range(400):
        claims = [claim(Finding(rng.normal(0, 0.1), 0.1, 1e9), primary=True) for _ in range(6)]
        false.append(any(entry["verdict"] != "cannot tell" for entry in judge_claims(claims, EVIDENCE)))
    assert np.mean(false) < 0.08  # 0.05 by construction


def test_what_is_lacking_is_said():
    def lacking(evidence: Evidence) -> Finding:
        return Finding(*evidence.by_seed("b").values())

    part = Part("part", "It is so.", "a figure", lacking)
    (entry,) = judge_claims([Claim(1, "A claim", "It is so.", "nowhere", parts=(part,))], EVIDENCE)
    assert entry["sentence"] == "Seen in 0 of 1 part; cannot tell: the study has no entry b."
    assert entry["parts"][0]["effect"] is None


def test_why_there_is_no_interval_is_said_once_and_beside_what_was_measured():
    lone = Finding(1.0, note="2 against 1", lacks="one seed")
    (entry,) = judge_claims([claim(lone, Finding(2.0, note="3 against 1", lacks="one seed"))], EVIDENCE)
    assert entry["sentence"] == "Seen in 0 of 2 parts; cannot tell: one seed."
    assert [part["note"] for part in entry["parts"]] == ["2 against 1; one seed", "3 against 1; one seed"]


def test_log_effects_are_shown_in_per_cent():
    part = Part("part", "It is so.", "a ratio", lambda evidence: Finding(np.log(1.5), 0.01, 10), threshold=np.log(0.8))
    (entry,) = judge_claims([Claim(1, "A claim", "It is so.", "nowhere", parts=(part,))], EVIDENCE)
    (shown,) = entry["parts"]
    assert (shown["effect"], shown["threshold"], shown["unit"]) == (pytest.approx(50), pytest.approx(-20), "%")
    assert shown["low"] < 50 < shown["high"]


def test_every_claim_is_found_under_its_files_name_and_judged_without_evidence():
    claims = load_claims(claim_files())
    assert [claim.name for claim in claims] == list(claim_files())
    assert [path.stem.startswith(f"c{claim.number:02}_") for claim, path in zip(claims, claim_files().values(), strict=True)]
    assert len({claim.number for claim in claims}) == len(claims)
    for entry in judge_claims(claims, Evidence(runs({"nothing": 1.0}), CLASSES)):
        assert entry["verdict"] == ("cannot tell" if entry["parts"] else "not testable"), entry["sentence"]
        assert entry["sentence"].endswith(".")
        assert entry["statement"].endswith(".")
        assert len({part["name"] for part in entry["parts"]}) == len(entry["parts"])
        json.dumps(entry, allow_nan=False)


def test_an_unknown_claim_is_refused():
    with pytest.raises(ValueError, match="no claim is called 'deeper'; there are"):
        load_claims(["deeper"])


def test_a_claim_has_parts_or_a_reason():
    with pytest.raises(ValueError, match="either parts or a reason"):
        Claim(1, "A claim", "It is so.", "nowhere")


def test_diverged_runs_count_as_guessing_only_where_asked():
    evidence = Evidence(runs({"a": 1.0, "b": 1.0}, diverged=["b"]), CLASSES)
    with pytest.raises(MissingEvidence, match=r"b has no finished run \(diverged\)"):
        evidence.by_seed("b")
    assert set(evidence.by_seed("b", chance_loss=True).values()) == {np.log(10)}
    assert set(evidence.by_seed("b", "error", chance_loss=True).values()) == {0.9}


def test_what_is_not_trained_yet_is_said_in_one_list():
    def lacking(arm: str):
        return Part(arm, "It is so.", "a figure", lambda evidence: Finding(*evidence.by_seed(arm).values()))

    missing = EVIDENCE.runs.with_columns(status=pl.lit("missing"))
    both = missing.with_columns(family=pl.when(pl.col("seed") == 0).then(pl.lit("b")).otherwise(pl.lit("c")))
    (entry,) = judge_claims(
        [Claim(1, "A claim", "It is so.", "nowhere", parts=(lacking("b"), lacking("c")))], Evidence(both, CLASSES)
    )
    assert entry["sentence"] == "Seen in 0 of 2 parts; cannot tell: not trained yet: b, c."
    assert entry["tested"] == "nothing yet"


def test_a_stem_that_parts_share_is_said_once():
    parts = [
        Part(f"{stem} {rival}", "It is so.", "a ratio", lambda evidence: Finding(np.log(2.1), 0.01, 10), stem=stem)
        for stem in ("slower than", "larger than")
        for rival in ("a", "b")
    ]
    (entry,) = judge_claims([Claim(1, "A claim", "It is so.", "nowhere", parts=tuple(parts))], EVIDENCE)
    said = "slower than a (2.1 times), b (2.1 times); larger than a (2.1 times), b (2.1 times)"
    assert entry["sentence"] == f"Seen in 4 of 4 parts: {said}."
    with pytest.raises(ValueError, match="does not begin with its stem"):
        Part("a", "It is so.", "a ratio", lambda evidence: Finding(1.0), stem="b")


@pytest.mark.parametrize(
    ("percent", "said"),
    [(47.3, "+47 %"), (-30.0, "−30 %"), (0.0, "+0 %"), (110.0, "2.1 times"), (-99.75, "0.0025 times"), (1e21, "10¹⁹ times")],
)
def test_a_change_is_said_as_readers_say_it(percent: float, said: str):
    assert change(percent) == said
