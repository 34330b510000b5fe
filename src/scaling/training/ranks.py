"""One run on several GPUs. Each has a process, a *rank*, with the whole model and its slice of each batch.

Every rank computes the gradients of its slice, as a micro-batch is computed. They are summed over the ranks before clipping, so
all ranks take the same step and hold the same weights. Rank 0 does all else: it evaluates, saves, and says when all is over.

The ranks speak twice per step. First, over gloo and through the host's memory, whether all of them have their gradients: memory
may have run out on one, or rank 0 may have decided to stop. Then the gradients are summed, on GPUs by NCCL.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor, nn

from scaling.training.computation import Computation
from scaling.training.loop import Trainer
from scaling.training.memory import is_out_of_memory
from scaling.training.optimizer import counters, set_counters, state_tensors, weights_to_evaluate
from scaling.training.run_progress import Progress
from scaling.training.streams import stream
from scaling.training.trainer_state import carried_tensors, touch_optimizer

STEP, OUT_OF_MEMORY, OVER = range(3)
"""What a rank says before gradients are summed; the largest is what holds for all."""

PATIENCE: Final = timedelta(hours=6)
"""How long a rank waits for one that lives, such as rank 0 in an evaluation; one that dies is noticed at once. Assumption."""

BUCKET: Final = 16 * 1024**2
"""Elements that are summed at a time, 64 MB in fp32: enough to fill the links between GPUs. Assumption."""


def has_batch_norm(model: nn.Module) -> bool:
    """Whether ``model`` normalises by statistics of the batch."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())


class TrainingOver(Exception):
    """Rank 0 has ended this attempt at the run."""


class Ranks:
    """The ranks of one run, as the process of rank ``rank`` sees them.

    Args:
        rank: the place of this process, from 0.
        count: how many there are.
        store: a store of torch.distributed where they find each other.
        device: what they compute on, cuda or cpu.
    """

    def __init__(self, rank: int, count: int, store: Any, device: str) -> None:
        self.rank, self.count = rank, count
        # All are on one machine: its name may stand for an address that nothing listens at.
        os.environ["GLOO_SOCKET_IFNAME"] = "lo0" if sys.platform == "darwin" else "lo"
        backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=PATIENCE)
        self._training = False

    def join(self, trainer: Trainer) -> None:
        """Let ``trainer`` compute a slice of each batch. Raises ValueError where slices would give another result."""
        batch = trainer.recipe.batch
        if has_batch_norm(trainer.model):
            raise ValueError("a model with batch norm is trained on one GPU: slices of a batch have other statistics")
        if batch % self.count:
            raise ValueError(f"a batch of {batch} cannot be cut into {self.count} equal slices")
        if trainer.micro_batch > batch // self.count:
            trainer.shrink(batch // self.count)
        trainer.captured = None  # the ranks speak with each other in the middle of a step
        trainer.computation = SharedComputation(trainer.computation, self, trainer.model)

    # -- rank 0 -----------------------------------------------------------------------------------------------------

    @contextmanager
    def together(self, trainer: Trainer) -> Iterator[None]:
        """While it lasts, all ranks train; they begin with the state of ``trainer``, which is that of rank 0."""
        made = bool(state_tensors(trainer.optimizer))
        self._tell({"progress": trainer.progress.state(), "counters": counters(trainer.optimizer), "optimizer": made})
        _broadcast(trainer)
        self._training = True
        try:
            yield
        finally:
            if self._training:
                with suppress(RuntimeError):  # a rank that has died is reported by what failed first
                    self.agree(OVER)

    def leave(self) -> None:
        """Let the other ranks go: nothing more is trained."""
        self._tell(None)
        dist.destroy_process_group()

    # -- the other ranks --------------------------------------------------------------------------------------------

    def follow(self, new: Callable[[], Trainer]) -> None:
        """Train whenever rank 0 does, with a trainer that ``new`` makes, until it leaves."""
        while (told := self._tell(None)) is not None:
            trainer = new()
            trainer.progress = Progress.of(told["progress"])
            self.join(trainer)
            if told["optimizer"]:
                touch_optimizer(trainer)
            _broadcast(trainer)
            set_counters(trainer.optimizer, told["counters"])
            self._training = True
            with suppress(TrainingOver, torch.OutOfMemoryError):
                self._train(trainer)
            del trainer
            gc.collect()  # a trainer and its parts know each other
            if torch.cuda.is_initialized():
                torch.cuda.empty_cache()
        dist.destroy_process_group()

    def _train(self, trainer: Trainer) -> None:
        trainer.model.train()
        while trainer.progress.step < trainer.steps:
            trainer.train_step()
            if trainer.progress.step in trainer.evaluate_at:
                # Schedule-free weights do not come back from an evaluation to the last bit, so all ranks make the journey.
                with weights_to_evaluate(trainer.optimizer):
                    pass
        while True:  # until rank 0 says that it is over
            self.agree(STEP)

    # -- all --------------------------------------------------------------------------------------------------------

    def agree(self, word: int, gradients: int = 0) -> None:
        """Say ``word`` and how many gradients this rank has; returns where all ranks have made the step.

        Raises TrainingOver where rank 0 has ended it, torch.OutOfMemoryError where the memory of any rank ran out, and
        RuntimeError where a rank has died or has the gradients of other parameters.
        """
        said = torch.tensor([word, gradients, -gradients])
        dist.all_reduce(said, dist.ReduceOp.MAX)
        heard, most, least = said.tolist()
        if heard != STEP:
            self._training = False
        if heard == OVER and self.rank:
            raise TrainingOver
        if heard == OUT_OF_MEMORY:
            raise torch.OutOfMemoryError(f"out of memory on a GPU of the {self.count} of this run")
        if heard == STEP and most != -least:
            raise RuntimeError("the GPUs of this run have gradients of different parameters")

    def _tell(self, words: dict[str, Any] | None) -> dict[str, Any] | None:
        """What rank 0 says here, as all ranks hear it."""
        text = json.dumps(words).encode()
        length = torch.tensor([len(text)])
        dist.broadcast(length, 0)
        content = torch.zeros(int(length), dtype=torch.uint8)
        if self.rank == 0:
            content = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        dist.broadcast(content, 0)
        return json.loads(bytes(content.tolist()))


class SharedComputation(Computation):
    """``whole``, of which this rank computes its slice of each batch; gradients and losses are the means over all slices."""

    def __init__(self, whole: Computation, ranks: Ranks, model: nn.Module) -> None:
        vars(self).update(vars(whole))
        self._ranks, self._model = ranks, model

    def gradients(self, inputs: dict[str, Tensor], drawn: dict[str, Tensor], micro_batch: int) -> Tensor:
        """Gradients of the batch in the model, unclipped; its mean loss, a scalar. Raises what ``Ranks.agree`` raises."""
        ranks = self._ranks
        size = len(next(iter(inputs.values()))) // ranks.count
        part = slice(ranks.rank * size, (ranks.rank + 1) * size)
        own, own_drawn = ({name: tensor[part] for name, tensor in one.items()} for one in (inputs, drawn))
        if ranks.rank:  # other dropout than that of rank 0, from this step's stream
            torch.manual_seed(stream(torch.initial_seed(), "rank", ranks.rank))
        try:
            loss = super().gradients(own, own_drawn, micro_batch)
        except RuntimeError as error:
            if is_out_of_memory(error):
                ranks.agree(OUT_OF_MEMORY)
            raise
        found = [parameter.grad for parameter in self._model.parameters() if parameter.grad is not None]
        ranks.agree(STEP, len(found))
        _mean([loss, *found], ranks.count)
        return loss


def _mean(tensors: list[Tensor], count: int) -> None:
    """Replace ``tensors``, all of one type, by their means over the ``count`` ranks."""
    while tensors:
        bucket, elements = [], 0
        while tensors and (not bucket or elements + tensors[0].numel() <= BUCKET):
            bucket.append(tensors.pop(0))
            elements += bucket[-1].numel()
        flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
        dist.all_reduce(flat)
        flat /= count
        for tensor, mean in zip(bucket, flat.split([tensor.numel() for tensor in bucket]), strict=True):
            tensor.copy_(mean.view(tensor.shape))


@torch.no_grad()
def _broadcast(trainer: Trainer) -> None:
    """Give all that rank 0's trainer carries from step to step to the others."""
    for tensor in carried_tensors(trainer).values():
        flat = tensor.reshape(-1).clone()
        dist.broadcast(flat, 0)
        tensor.copy_(flat.view(tensor.shape))
