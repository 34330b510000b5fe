import pytest

from scaling.jobs.benchmarks import resolution, sequence, settings
from scaling.jobs.benchmarks.paper_sizes import paper_size_counts
from scaling.jobs.benchmarks.run_benchmarks import run_benchmarks
from scaling.jobs.benchmarks.sequence import chain_length, matched_pair
from scaling.models import ImageSpec, build
from scaling.models.architecture import Architecture
from scaling.models.counting import count_params, forward_flop, sketch

IMAGE = ImageSpec(28, 1, 10)


def flop(family: str, width: float, depth: int, side: int) -> int:
    image = ImageSpec(side, 1, 10)
    return forward_flop(sketch(lambda: build(family, width, depth, image)), image)


@pytest.mark.parametrize("side", [28, 56, 112, 224])
def test_vit_is_linear_and_quadratic_in_its_positions_by_hand(side):
    n, width, depth = (side // 7) ** 2, 192, 6
    products = depth * (12 * n * width**2 + 2 * n**2 * width) + n * 49 * width + width * 10
    assert flop("vit", width, depth, side) == 2 * products


@pytest.mark.parametrize("side", [32, 64, 128, 256])
def test_swin_is_linear_in_its_positions_by_hand(side):
    n, e, window, depth = (side // 4) ** 2, 96, 16, 2
    # Two blocks of e channels on n positions, `depth` of 2 e on a quarter; attention within windows of 16 positions.
    first = 2 * (12 * n * e**2 + 2 * n * window * e)
    hidden = 769  # of the wider blocks: 192 x 384.5 / 96, rounded down
    second = depth * (n // 4) * (4 * (2 * e) ** 2 + 2 * 2 * e * hidden + 2 * window * 2 * e)
    merging = (n // 4) * 4 * e * 2 * e
    assert flop("swin", e, depth, side) == 2 * (first + second + merging + n * 16 * e + 2 * e * 10)


@pytest.mark.parametrize("side", [28, 56])
@pytest.mark.parametrize("layers", [1, 3])
def test_chains_of_dependent_steps_by_hand(side, layers):
    image, n = ImageSpec(side, 1, 10), (side // 7) ** 2
    pair = matched_pair(24, layers, image)
    # Patches and classifier; per block Q K V, scores, values, projection, two of the MLP; per layer of LSTM every position.
    assert chain_length(pair["vit"](), image) == 2 + 6 * layers
    assert chain_length(pair["lstm"](), image) == 2 + n * layers


def test_the_lstm_is_as_large_as_the_vit_without_its_table_of_positions():
    pair = matched_pair(24, 3, IMAGE)
    vit, lstm = (sketch(pair[name]) for name in ("vit", "lstm"))
    assert count_params(lstm) == pytest.approx(count_params(vit) - vit.pos_embed.numel(), rel=0.03)


def test_papers_sizes():
    found = {(row["family"], row["quantity"]): row["value"] for row in paper_size_counts()}
    assert found["alexnet", "params"] == 61_100_840
    assert found["googlenet", "params"] == 6_624_904
    # By hand, the five convolutions and three fully-connected layers of AlexNet: (positions, inputs, outputs).
    layers = [(55**2, 3 * 121, 64), (27**2, 64 * 25, 192), (13**2, 192 * 9, 384), (13**2, 384 * 9, 256), (13**2, 256 * 9, 256)]
    layers += [(1, 9216, 4096), (1, 4096, 4096), (1, 4096, 1000)]
    assert found["alexnet", "flop_forward"] == 2 * sum(a * b * c for a, b, c in layers)
    assert found["googlenet", "flop_forward"] / 2 == pytest.approx(1.5e9, rel=0.01)  # the paper's 1.5 billion multiply-adds


@pytest.mark.slow
def test_everything_that_is_asked_for_is_measured(ladders, monkeypatch):
    monkeypatch.setattr(resolution, "RESOLUTIONS", (32, 64))
    monkeypatch.setattr(resolution, "COUNTED_TO", 96)
    monkeypatch.setattr(resolution, "PIXELS_PER_BATCH", 2 * 64**2)
    monkeypatch.setattr(settings, "MEMORY_ROUNDS", 1)
    monkeypatch.setattr(sequence, "SIDES", (28, 56))
    said, bare = [], Architecture("resnet", (("norm", "none"),))
    asked = settings.Request(
        ladders=ladders,
        image=IMAGE,
        entries={"mlp": (Architecture("mlp"), 8, [13_000]), "resnet-bare": (bare, 4, [5_000])},
        transformer_size=6_500,
        rounds=2,
        machine=settings.Machine(),
    )
    rows = run_benchmarks(["families", "resolution", "sequence", "paper-sizes"], asked, said.append)
    assert len(said) == 4

    def kept(name: str, quantity: str, **where):
        return [r for r in rows if r["measure"] == name and r["quantity"] == quantity and where.items() <= r.items()]

    assert len(kept("families", "seconds")) == 2 * 2 * 2  # families x phases x rounds
    assert {(r["family"], r["batch"]) for r in kept("families", "seconds")} == {("mlp", 8), ("resnet-bare", 4)}
    assert len(kept("resolution", "flop_forward")) == 2 * 3
    assert len(kept("resolution", "seconds", family="vit", x=64.0, phase="training", batch=2)) == 2
    assert len(kept("sequence", "chain")) == 2 * 2
    assert {r["family"] for r in kept("sequence", "seconds", x=64.0)} == {"vit", "lstm"}
    assert len(kept("paper-sizes", "params")) == 2
    assert all(r["value"] > 0 for r in rows)
    with pytest.raises(ValueError, match="no benchmark is called 'speed'; there are families, paper-sizes, "):
        run_benchmarks(["speed"], asked, said.append)
