"""Several processes that train one network: each computes its part of every batch, their gradients are summed."""

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
    """The processes of one training: their number and the rank of this one; messages: buffers of the sums."""

    rank: int = 0
    count: int = 1
    # one per size, kept until the end: gloo's threads release a tensor some time after its sum is done and need the GIL
    # for it if they hold the last reference, but destroying the group waits for them while holding the GIL
    messages: dict[tuple[int, torch.dtype], Tensor] = field(default_factory=dict, compare=False)

    @property
    def first(self) -> bool:
        """True for the process that writes files and shows progress."""
        return self.rank == 0

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its sum over the processes, identical in each."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.count == 1 or not gradients:
            return
        # one message: one call per parameter would cost more than the sum
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        self.total(flat)
        for gradient, summed in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(summed.view_as(gradient))

    def total(self, value: Tensor) -> Tensor:
        """The sum over the processes, written over the value."""
        if self.count > 1:
            size = value.numel(), value.dtype
            if size not in self.messages:
                self.messages[size] = torch.empty_like(value).flatten()
            # not a view: that would be a separate tensor
            message = self.messages[size]
            message.copy_(value.flatten())
            distributed.all_reduce(message)
            value.copy_(message.view_as(value))
        return value


class Statistics:
    """Batch norm's running statistics over a batch that is cut into parts, in one process or several.

    Each part starts from the statistics before the batch, and the result is the mean over all parts: the same for parts
    processed in sequence and in parallel.
    """

    def __init__(self, model: nn.Module, group: Processes, parts: int) -> None:
        self._group, self._parts, self._done = group, parts, 0
        norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.training] if parts > 1 else []
        self._values = [value for norm in norms for value in (norm.running_mean, norm.running_var) if value is not None]
        self._counts = [norm.num_batches_tracked for norm in norms if norm.num_batches_tracked is not None]
        self._before = [value.clone() for value in self._values]
        self._sums = [torch.zeros_like(value) for value in self._values]

    def add(self) -> None:
        """Add a part's statistics from the model, and reset the model to the statistics before the batch."""
        for value, before, summed in zip(self._values, self._before, self._sums, strict=True):
            summed += value
            value.copy_(before)
        # a batch is counted once
        for count in self._counts if self._done else ():
            count -= 1
        self._done += 1

    def finish(self) -> None:
        """Set the model's statistics to the mean over the parts of all processes."""
        for value, summed in zip(self._values, self._sums, strict=True):
            value.copy_(self._group.total(summed) / self._parts)


def this_process() -> Processes:
    """This process among those that torchrun started, before they have joined."""
    return Processes(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def joined(device: torch.device) -> Processes:
    """The processes that torchrun started (environment variables RANK, WORLD_SIZE, ...), or this one alone.

    They communicate through nccl on GPUs and through gloo elsewhere, and stay joined until they end: a process that
    left early and joined again could meet the others' shutdown.
    """
    if this_process().count == 1:
        return Processes()
    if not distributed.is_initialized():  # type: ignore[no-untyped-call,unused-ignore]
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    group = Processes(distributed.get_rank(), distributed.get_world_size())
    # keeps the messages until the group has ended
    atexit.register(_leave, group)
    return group


def _leave(group: Processes) -> None:  # noqa: ARG001
    if distributed.is_initialized():  # type: ignore[no-untyped-call,unused-ignore]
        distributed.destroy_process_group()
