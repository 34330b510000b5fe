"""Claim 15: ResNet recognises images better than humans."""

from scaling.analysis.claims.claim import Claim

claim = Claim(
    number=15,
    title="Better than humans",
    statement="ResNet was the first net to recognise images better than humans do.",
    source="He et al. 2015, arXiv:1512.03385; the human figure is from Russakovsky et al. 2014, arXiv:1409.0575, section 6.4",
    not_testable="it needs people who label the same images; the known figure is of one person on a part of ImageNet",
)
