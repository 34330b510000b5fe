"""The optimiser of a recipe. What each brings to a recipe, such as candidate rates, is in ``study/brought.py``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

import torch
from schedulefree import AdamWScheduleFree
from torch import Tensor, nn

from scaling.models.blocks import blocks_of
from scaling.study.recipe import Recipe

MUON_MOMENTUM: Final = 0.95
"""Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; ``beta1`` is that of its AdamW."""

COUNTERS: Final = ("k", "weight_sum", "lr_max")
"""What schedule-free optimisers carry from step to step beside tensors: in each group of parameters, as plain numbers."""


class Optimizer(Protocol):
    """What training needs of an optimiser: that of torch's, or of several that act as one."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...  # noqa: D102
    def step(self) -> Any: ...  # noqa: D102
    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102


CAPTURABLE: Final = ("adamw", "adam", "sgd", "sgd-nesterov")
"""Optimisers whose step can be a part of a CUDA graph; the others compute with plain numbers that change from step to step."""


def make_optimizer(model: nn.Module, recipe: Recipe, rate: float, *, captured: bool = False) -> Optimizer:
    """The recipe's optimiser; biases, gains and other vectors are not decayed.

    ``captured`` makes one of CAPTURABLE whose rate may be a tensor, on a GPU.
    """
    shares = rate_shares(model, recipe.layer_decay)
    groups = _groups([p for p in model.parameters() if p.requires_grad], recipe, shares)
    if recipe.optimizer == "muon":
        hidden = hidden_weights(model)
        if hidden:
            return MuonAndAdamW(hidden, _adamw(_without(groups, hidden), recipe, rate), recipe, rate, shares)
        return _adamw(groups, recipe, rate)
    if recipe.optimizer in ("sgd", "sgd-nesterov"):
        nesterov = recipe.optimizer == "sgd-nesterov"
        kernel = {"fused": True} if captured else {"foreach": True}
        return torch.optim.SGD(groups, lr=rate, momentum=recipe.beta1, nesterov=nesterov, **kernel)
    if recipe.optimizer == "schedule-free-adamw":
        optimizer: Any = AdamWScheduleFree(groups, lr=rate, betas=(recipe.beta1, recipe.beta2))
        optimizer.train()
        return optimizer
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    optimizer = kind(groups, lr=rate, betas=(recipe.beta1, recipe.beta2), fused=True, capturable=captured)
    if not captured:
        return FusedAdam(optimizer)
    # The steps before a capture run eagerly on purpose, of which torch warns.
    optimizer._warned_capturable_if_run_uncaptured = True  # type: ignore[attr-defined]
    return optimizer


def set_rate(optimizer: Optimizer, rate: float | Tensor) -> None:
    """The learning rate of the next steps: each group of parameters takes its share of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"] if "share" in group else rate


def forget_gradients(parameters: Iterable[Tensor]) -> None:
    """Leave ``parameters`` without gradients; torch's ``zero_grad`` does it too, and looks at each gradient before."""
    for parameter in parameters:
        parameter.grad = None


def rate_shares(model: nn.Module, decay: float) -> dict[nn.Parameter, float]:
    """Share of the learning rate that each parameter has: ``decay`` to the power of its block's distance from the last one.

    Clark et al. 2020 (arXiv:2003.10555) and Bao et al. 2022 (arXiv:2106.08254) fine-tune so. Empty where ``decay`` is 1.
    """
    if decay == 1:
        return {}
    blocks = blocks_of(model)
    return {weight: decay ** (len(blocks) - 1 - place) for place, block in enumerate(blocks) for weight in block}


def _groups(parameters: list[nn.Parameter], recipe: Recipe, shares: dict[nn.Parameter, float]) -> list[dict[str, Any]]:
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [part for group in groups for part in _by_share(group, shares)] if shares else groups


def _by_share(group: dict[str, Any], shares: dict[nn.Parameter, float]) -> list[dict[str, Any]]:
    """``group`` cut into groups of parameters that have the same share of the rate."""
    return [
        group | {"params": [p for p in group["params"] if shares[p] == share], "share": share}
        for share in sorted({shares[p] for p in group["params"]})
    ]


def _without(groups: list[dict[str, Any]], others: list[nn.Parameter]) -> list[dict[str, Any]]:
    """``groups`` without the parameters ``others``."""
    left = set(others)
    return [group | {"params": [p for p in group["params"] if p not in left]} for group in groups]


def _adamw(groups: list[dict[str, Any]], recipe: Recipe, rate: float) -> FusedAdam:
    return FusedAdam(torch.optim.AdamW(groups, lr=rate, betas=(recipe.beta1, recipe.beta2), fused=True))


class FusedAdam:
    """torch's fused AdamW or Adam, which calls the same kernel without looking for hooks, states and devices in each step.

    That search takes longer than the kernel where a model is small: docs/performance.md.
    """

    def __init__(self, optimizer: torch.optim.Adam) -> None:
        self._optimizer = optimizer
        self._kernel = torch._fused_adamw_ if isinstance(optimizer, torch.optim.AdamW) else torch._fused_adam_
        self._groups = [group for group in optimizer.param_groups if group["params"]]
        self._state: list[tuple[list[Tensor], ...]] = []

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of torch's."""
        return self._optimizer.param_groups

    @torch.no_grad()
    def step(self) -> None:
        """One step. The first, which makes the state, is torch's own, and so are all where a parameter has no gradient."""
        gradients = [[parameter.grad for parameter in group["params"]] for group in self._groups]
        missing = any(gradient is None for part in gradients for gradient in part)
        if missing or not self._state:
            self._optimizer.step()
            if not missing:
                self._state = [self._state_of(group["params"]) for group in self._groups]
            return
        for group, part, (means, squares, steps) in zip(self._groups, gradients, self._state, strict=True):
            torch._foreach_add_(steps, 1)
            self._kernel(
                group["params"], part, means, squares, [], steps,
                lr=group["lr"], beta1=group["betas"][0], beta2=group["betas"][1], weight_decay=group["weight_decay"],
                eps=group["eps"], amsgrad=False, maximize=False,
            )  # fmt: skip

    def _state_of(self, parameters: list[Tensor]) -> tuple[list[Tensor], ...]:
        states = [self._optimizer.state[parameter] for parameter in parameters]
        return tuple([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step"))

    def state_dict(self) -> dict[str, Any]:
        """That of torch's."""
        return self._optimizer.state_dict()


def hidden_weights(model: nn.Module) -> list[nn.Parameter]:
    """The weights that Muon trains: those of linear layers and convolutions, without the classifier.

    The classifier is the last of these layers in the order in which the model has them; layers of its type with as many outputs
    are classifiers too (GoogLeNet's auxiliary ones).
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear | nn.Conv2d) and layer.weight.requires_grad]
    if not layers:
        return []
    last = layers[-1]
    hidden: list[Any] = [
        layer.weight for layer in layers if type(layer) is not type(last) or len(layer.weight) != len(last.weight)
    ]
    return list(dict.fromkeys(hidden))


class MuonAndAdamW:
    """Muon for the ``hidden`` weights and AdamW for all others, as one optimiser.

    torch's Muon takes matrices alone. A convolution's weight [outputs, inputs, h, w] is one, [outputs, inputs x h x w], as its
    author has it. Steps are scaled to the size of AdamW's (Liu et al. 2025, arXiv:2502.16982), so one rate serves both.
    """

    def __init__(
        self,
        hidden: list[nn.Parameter],
        adamw: FusedAdam,
        recipe: Recipe,
        rate: float,
        shares: dict[nn.Parameter, float],
    ) -> None:
        """``shares`` are those of the rate, empty where all have the whole."""
        self._hidden, self._adamw = hidden, adamw
        self._matrices = [nn.Parameter(weight.detach().flatten(1).clone()) for weight in hidden]
        own = {matrix: shares[weight] for weight, matrix in zip(hidden, self._matrices, strict=True)} if shares else {}
        self._muon = torch.optim.Muon(
            _by_share({"params": self._matrices}, own) if own else self._matrices,
            lr=rate,
            weight_decay=recipe.weight_decay,
            momentum=MUON_MOMENTUM,
            adjust_lr_fn="match_rms_adamw",
        )

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of both."""
        return self._muon.param_groups + self._adamw.param_groups

    @torch.no_grad()
    def step(self) -> None:
        """One step of both."""
        for weight, matrix in zip(self._hidden, self._matrices, strict=True):
            matrix.copy_(weight.flatten(1))
            matrix.grad = None if weight.grad is None else weight.grad.flatten(1)
        self._muon.step()
        for weight, matrix in zip(self._hidden, self._matrices, strict=True):
            weight.copy_(matrix.view(weight.shape))
        forget_gradients(self._matrices)
        self._adamw.step()

    def state_dict(self) -> dict[str, Any]:
        """The states of both, by the positions of the parameters: Muon's, then AdamW's."""
        first, second = self._muon.state_dict()["state"], self._adamw.state_dict()["state"]
        return {"state": first | {len(self._hidden) + index: state for index, state in second.items()}}


def state_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The tensors that ``optimizer`` carries from step to step, by name."""
    states = optimizer.state_dict()["state"]
    return {f"{index}.{k}": v for index, state in states.items() for k, v in state.items() if isinstance(v, Tensor)}


def counters(optimizer: Optimizer) -> list[dict[str, float]]:
    """The plain numbers that it carries, for each group of parameters; an empty list if there are none."""
    found = [{name: group[name] for name in COUNTERS if name in group} for group in optimizer.param_groups]
    return found if any(found) else []


def set_counters(optimizer: Optimizer, counted: list[dict[str, float]]) -> None:
    """Give ``optimizer`` the ``counters`` of another of its kind."""
    for group, numbers in zip(optimizer.param_groups, counted or [{}] * len(optimizer.param_groups), strict=True):
        group.update(numbers)


@contextmanager
def weights_to_evaluate(optimizer: Optimizer) -> Iterator[None]:
    """While it lasts, the model has the weights to evaluate, where these are not the ones to train (schedule-free)."""
    if not isinstance(optimizer, AdamWScheduleFree):
        yield
        return
    optimizer.eval()
    try:
        yield
    finally:
        optimizer.train()
