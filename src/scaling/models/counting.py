"""Parameters and FLOP of a model, and models that are made to be counted only."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from scaling.models.family import ImageSpec
from scaling.models.own_files import OwnModelError

_FILLS = frozenset({"normal_", "uniform_", "fill_", "zero_", "copy_", "add_", "mul_", "clamp_", "erfinv_"})
_SAME_SHAPE = frozenset({F.batch_norm, F.layer_norm, F.gelu, F.relu})


class _Sketch(TorchFunctionMode):
    """Leaves out what changes neither shapes nor counts, which takes most of the time on the `meta` device."""

    def __torch_function__(self, func: Callable, types: object, args: tuple = (), kwargs: Any = None):
        name, module = getattr(func, "__name__", ""), getattr(func, "__module__", "")
        if func in _SAME_SHAPE or name in _FILLS or module == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def sketch(build: Callable[[], nn.Module]) -> nn.Module:
    """What ``build`` returns, on the `meta` device: shapes without values, to be counted."""
    with torch.device("meta"), _Sketch():
        return build()


def count_params(model: nn.Module) -> int:
    """N: trainable parameters, embeddings and biases included.

    Auxiliary classifiers (GoogLeNet's) are left out: they are thrown away after training, and the literature
    counts GoogLeNet without them.
    """
    return sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and not name.startswith("auxiliary.")
    )


def check_output(build: Callable[[], nn.Module], image: ImageSpec, name: str, tell: Callable[[Exception], str]) -> None:
    """That the model which ``build`` makes takes images and gives logits [images, classes]. Draws no random number.

    Raises:
        ValueError: it does not; the message begins with ``name``, and ``tell`` puts what was raised in words.
    """
    state = torch.get_rng_state()
    try:
        model = build().eval()
        with torch.no_grad():
            output = model(torch.zeros(2, image.channels, image.side, image.side))
    except OwnModelError:
        raise
    except Exception as error:
        raise ValueError(f"{name} does not take {image}: {tell(error)}") from error
    finally:
        torch.set_rng_state(state)
    given = list(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    if given != [2, image.classes]:
        raise ValueError(f"{name} gives {given} for 2 {image}; it must give logits, [2, {image.classes}]")


def forward_flop(model: nn.Module, image: ImageSpec) -> int:
    """FLOP of one image's forward pass in eval mode: 2 for each multiply-add of a matrix product or convolution.

    Norms, activations, pools and softmax are not counted, as is usual, nor are auxiliary classifiers, which
    eval mode does without. Shapes alone count, so this runs on the `meta` device, where attention is not
    hidden in a fused kernel. The model is left as it is.
    """
    # The copy takes its tensors from this table, so that no value is copied on the way.
    parameters = {id(tensor): nn.Parameter(tensor.to("meta"), False) for tensor in model.parameters()}
    buffers = {id(tensor): tensor.to("meta") for tensor in model.buffers()}
    shadow = copy.deepcopy(model, parameters | buffers).eval()
    images = torch.empty(1, image.channels, image.side, image.side, device="meta")
    try:
        # The order matters: the outermost mode sees torch's functions, the counter what they are made of.
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad(), _Sketch():
            shadow(images)
    except RuntimeError:
        if any(parameter.is_meta for parameter in model.parameters()):
            raise
        # A forward pass of a user's own that looks at values, or makes tensors on the CPU: it is counted with values.
        real = copy.deepcopy(model).cpu().eval()
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
            real(torch.zeros(1, image.channels, image.side, image.side))
    return counter.get_total_flops()
