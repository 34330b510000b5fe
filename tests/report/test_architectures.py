from scaling.report.architectures import architectures
from scaling.study.layout import Layout
from scaling.study.study_file import parse

STUDY = {
    "name": "tiny",
    "families": {"mlp": {}, "thin": {"model": "vgg", "params": [5000]}},
    "grid": {"params": [13000, 35000], "images": [300, 600], "seeds": [0]},
}


def test_each_family_is_described_in_its_largest_size(tmp_path):
    study, problems = parse(STUDY)
    assert study, problems
    mlp, thin = architectures(study, Layout("tiny", tmp_path / "results", tmp_path / "reports"))
    assert (mlp["family"], thin["family"]) == ("mlp", "thin")
    for one, target in ((mlp, 35_000), (thin, 5000)):
        assert abs(one["params"] / target - 1) < 0.05
        assert sum(layer["params"] * layer["times"] for layer in one["layers"]) == one["params"]
        assert one["outline"].startswith("1×28×28 → ")
    assert mlp["layers"][-1]["shape"] == "10"
