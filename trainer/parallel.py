"""Several processes that train one network: each takes its part of every batch, their gradients are summed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm


@dataclass(frozen=True)
class Processes:
    """The processes of one training: how many they are, and which of them this is."""

    rank: int = 0
    count: int = 1

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
        distributed.all_reduce(flat)
        for gradient, summed in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(summed.view_as(gradient))

    def total(self, value: Tensor) -> Tensor:
        """The sum of a number over the processes."""
        if self.count > 1:
            distributed.all_reduce(value)
        return value

    def mean_statistics(self, model: nn.Module) -> None:
        """Batch norm's statistics, of which each process saw its part: their mean, the same in each."""
        norms = (m for m in model.modules() if isinstance(m, _BatchNorm) and m.training)
        for norm in norms if self.count > 1 else ():
            for statistic in (norm.running_mean, norm.running_var):
                if statistic is not None:
                    distributed.all_reduce(statistic)
                    statistic /= self.count


@contextmanager
def processes(device: torch.device) -> Iterator[Processes]:
    """The processes that torchrun started (environment variables RANK, WORLD_SIZE, ...), or this one alone.

    They speak through nccl on GPUs and through gloo elsewhere.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    joined = not distributed.is_initialized()  # type: ignore[no-untyped-call,unused-ignore]
    if joined:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        if joined:
            distributed.destroy_process_group()
