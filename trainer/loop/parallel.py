"""Several processes that train one network: each takes its part of every batch, their gradients are summed."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm


@dataclass(frozen=True)
class Processes:
    """The processes of one training: how many they are, and which of them this is; messages: what sums are made in."""

    rank: int = 0
    count: int = 1
    # one of each size, which stay to the end: gloo's threads let go of a tensor some time after its sum is there and
    # need Python's lock for it if they are the last to hold it, but the group's end waits for them and keeps that lock
    messages: dict[tuple[int, torch.dtype], Tensor] = field(default_factory=dict, compare=False)

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files and shows progress."""
        return self.rank == 0

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its sum over the processes, the same in each."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.count == 1 or not gradients:
            return
        # one message: a call per parameter costs more than the sum
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        self.total(flat)
        for gradient, summed in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(summed.view_as(gradient))

    def total(self, value: Tensor) -> Tensor:
        """The sum over the processes, in the place of the value."""
        if self.count > 1:
            size = value.numel(), value.dtype
            if size not in self.messages:
                self.messages[size] = torch.empty_like(value).flatten()
            # no view of it: that would be a tensor of its own
            message = self.messages[size]
            message.copy_(value.flatten())
            distributed.all_reduce(message)
            value.copy_(message.view_as(value))
        return value


class Statistics:
    """Batch norm's running statistics over a batch that is cut into parts, on one process or several.

    Each part starts from the statistics before the batch, and what they come to is the mean over all parts: the same
    for parts one after another as for parts side by side.
    """

    def __init__(self, model: nn.Module, group: Processes, parts: int) -> None:
        self._group, self._parts, self._done = group, parts, 0
        norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.training] if parts > 1 else []
        self._values = [value for norm in norms for value in (norm.running_mean, norm.running_var) if value is not None]
        self._counts = [norm.num_batches_tracked for norm in norms if norm.num_batches_tracked is not None]
        self._before = [value.clone() for value in self._values]
        self._sums = [torch.zeros_like(value) for value in self._values]

    def add(self) -> None:
        """Take what a part has left in the model, and give the next one the statistics before the batch."""
        for value, before, summed in zip(self._values, self._before, self._sums, strict=True):
            summed += value
            value.copy_(before)
        # a batch is counted once
        for count in self._counts if self._done else ():
            count -= 1
        self._done += 1

    def finish(self) -> None:
        """Give the model the mean over the parts of all processes."""
        for value, summed in zip(self._values, self._sums, strict=True):
            value.copy_(self._group.total(summed) / self._parts)


def this_process() -> Processes:
    """Which of the processes that torchrun started this one is, before they have joined."""
    return Processes(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def joined(device: torch.device) -> Processes:
    """The processes that torchrun started (environment variables RANK, WORLD_SIZE, ...), or this one alone.

    They speak through nccl on GPUs and through gloo elsewhere, and stay joined until they end: one that left early and
    joined again would meet the others' farewell instead of the others.
    """
    if this_process().count == 1:
        return Processes()
    if not distributed.is_initialized():  # type: ignore[no-untyped-call,unused-ignore]
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    group = Processes(distributed.get_rank(), distributed.get_world_size())
    # holds the messages until the group has ended
    atexit.register(_leave, group)
    return group


def _leave(group: Processes) -> None:  # noqa: ARG001
    if distributed.is_initialized():  # type: ignore[no-untyped-call,unused-ignore]
        distributed.destroy_process_group()
