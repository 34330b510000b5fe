import pytest
import torch
import torch.nn.functional as F
from torch import nn

from scaling.models import ImageSpec, Ladders, Regularisation, SizeError, build
from scaling.models.architecture import Architecture
from scaling.models.counting import count_params
from scaling.models.outside import BY_DEPTH, BY_WIDTH
from scaling.models.timm_family import Enlarged
from scaling.models.timm_rules import TIMM_RULES, rule_of

GREY = ImageSpec(28, 1, 10)
COLOUR = ImageSpec(32, 3, 100)


def takes_a_step(net: nn.Module, image: ImageSpec) -> bool:
    """Whether a loss of ``image``s reaches all weights."""
    loss = F.cross_entropy(net(torch.randn(4, image.channels, image.side, image.side)), torch.arange(4))
    loss.backward()
    return all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("name", TIMM_RULES)
def test_each_architecture_meets_sizes_and_takes_a_step(ladders: Ladders, name: str):
    model = f"timm/{name}"
    smallest, largest = ladders.range(model, GREY)
    assert smallest < 200_000
    assert largest > 200_000_000
    rung = ladders.rung(model, 200_000, GREY)
    assert rung.within or "whole channels are too coarse here" in rung.note
    net = build(model, rung.width, rung.depth, GREY)
    assert count_params(net) == rung.params
    assert takes_a_step(net, GREY)
    assert takes_a_step(build(model, rung.width, rung.depth, COLOUR), COLOUR)


def test_at_the_papers_size_it_is_the_papers_model():
    image = ImageSpec(224, 3, 1000)
    sizes = {"convnext": (96, "convnext_tiny", 28_589_128), "resnet": (64, "resnet18d", None), "vit": (192, "", 5_717_416)}
    width, _, params = sizes["convnext"]
    assert count_params(build("timm/convnext", width, 3, image)) == params
    width, _, params = sizes["vit"]
    assert count_params(build("timm/vit", width, 3, image)) == params  # ViT-Ti of DeiT: 12 blocks, 3 heads


@pytest.mark.parametrize(("image", "side"), [(GREY, 4), (COLOUR, 4), (ImageSpec(64, 3, 10), 4)], ids=str)
@pytest.mark.parametrize("name", ["resnet", "efficientnet", "regnet", "densenet"])
def test_strides_are_taken_out_until_four_by_four_are_left(name: str, image: ImageSpec, side: int):
    net = build(f"timm/{name}", 16, 1, image).eval()
    with torch.no_grad():
        features = net.forward_features(torch.zeros(2, image.channels, image.side, image.side))
    assert side <= features.shape[-1] < 2 * side


def test_images_that_must_be_a_multiple_are_enlarged():
    net = build("timm/maxvit", 8, 1, GREY)
    assert isinstance(net, Enlarged)
    assert net.side == 128


def test_rates_act_where_they_are_supported():
    images = torch.randn(8, 1, 28, 28)
    torch.manual_seed(0)
    net = build("timm/convnext", 8, 1, GREY, Regularisation(dropout=0.5, stochastic_depth=0.5))
    assert not torch.equal(net(images), net(images))
    with pytest.raises(ValueError, match=r"takes no argument 'drop_path_rate'"):
        build("timm/densenet", 8, 1, GREY, Regularisation(stochastic_depth=0.5))


def test_the_same_seed_gives_the_same_model():
    def weights() -> list[torch.Tensor]:
        torch.manual_seed(3)
        return list(build("timm/efficientnet", 4, 1, GREY).state_dict().values())

    assert all(torch.equal(one, other) for one, other in zip(weights(), weights(), strict=True))


def test_a_rule_of_the_studys(ladders: Ladders):
    options = ((BY_DEPTH, '{"depths": [1, 1, 2, 1]}'), (BY_WIDTH, '{"dims": [2, 2, 4, 4]}'))
    made = Architecture("timm/convnext_tiny", options)
    rung = ladders.rung(made, 50_000, GREY)
    assert rung.width == round(rung.width)
    net = build("timm/convnext_tiny", rung.width, 1, GREY, options=options)
    assert [stage.blocks[0].conv_dw.out_channels for stage in net.stages] == [round(m * rung.width) for m in (2, 2, 4, 4)]
    assert [len(stage.blocks) for stage in net.stages] == [1, 1, 2, 1]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("timm/convnet_tiny", ((BY_WIDTH, '{"dims": 1}'),), "timm has no model convnet_tiny; did you mean timm/convnext_tiny"),
        (
            "timm/convnext",
            ((BY_WIDTH, '{"dimz": [1, 2, 4, 8]}'),),
            "timm/convnext takes no argument 'dimz'; did you mean 'dims'",
        ),
        ("timm/convnext", ((BY_WIDTH, '{"dims": [1, 2]}'),), r"cannot be made with dims=\(1, 2\), .*IndexError"),
    ],
)
def test_what_timm_cannot_make_is_refused_in_a_line(ladders: Ladders, name: str, options: tuple, message: str):
    with pytest.raises(SizeError, match=message) as refused:
        ladders.range(Architecture(name, options), GREY)
    assert "\n" not in str(refused.value)


def test_the_longest_name_counts():
    assert rule_of("convnextv2_atto") is TIMM_RULES["convnextv2"]
    assert rule_of("convnext_tiny") is TIMM_RULES["convnext"]
    assert rule_of("xcit_nano_12_p16_224") is None


def test_no_weights_are_asked_for(monkeypatch: pytest.MonkeyPatch):
    def refuse(*arguments: object, **more: object) -> None:
        raise AssertionError("asked for weights")

    monkeypatch.setattr("timm.models._builder.load_pretrained", refuse)
    assert isinstance(build("timm/resnet", 4, 1, GREY), nn.Module)
