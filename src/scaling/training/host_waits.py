"""What of a computation makes the host wait for the device, found by looking at each operation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

LOOKS: Final = frozenset(
    {
        "aten::_local_scalar_dense",  # .item(), float(), bool(), and a comparison in an if
        "aten::nonzero",
        "aten::masked_select",
        "aten::_unique2",
        "aten::unique_dim",
        "aten::equal",
        "aten::is_nonzero",
        "aten::repeat_interleave.Tensor",
    }
)
"""Operations whose result, or its shape, is known on the host only after the device has computed it."""

COPIES: Final = frozenset({"aten::_to_copy", "aten::copy_", "aten::_copy_from"})

VIEWS: Final = frozenset({"aten::detach", "aten::_unsafe_view", "aten::empty", "aten::empty_like", "aten::empty_strided"})
"""Operations that start no kernel, beside those that torch marks as views."""


class HostWaits(TorchDispatchMode):
    """Watches the operations that run inside it: ``names`` of those for which the host waits, ``launches`` of kernels.

    An operation counts as one launch, though some start several kernels, such as a convolution's backward pass. On a CPU the
    copies between host and device are not seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.launches = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run the operation ``func`` and take a note of it."""
        found = func(*args, **(kwargs or {}))
        name = func._schema.name
        looks = {name, f"{name}.{func._schema.overload_name}"} & LOOKS
        if looks or _crosses(name, (args, kwargs), found) or _by_mask(name, args):
            self.names.append(name)
        if not (func.is_view or name in VIEWS):
            self.launches += 1
        return found


def _crosses(name: str, given: Any, found: Any) -> bool:
    """Whether data goes from the device to the host, or from the host's pageable memory to the device.

    A single number on the host that takes part in a computation is handed over with the launch; one that is copied is not.
    """
    copied = name in COPIES
    devices = {tensor.device.type for tensor in _tensors(given) if copied or tensor.dim() or tensor.device.type != "cpu"}
    return len(devices | {tensor.device.type for tensor in _tensors(found)}) > 1


def _tensors(values: Any) -> Iterator[Tensor]:
    return (value for value in tree_leaves(values) if isinstance(value, Tensor))


def _by_mask(name: str, args: tuple) -> bool:
    """Whether elements are chosen by a mask, whose count is looked at."""
    if not name.startswith(("aten::index", "aten::_index")) or len(args) < 2 or not isinstance(args[1], list | tuple):
        return False
    return any(isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in args[1])
