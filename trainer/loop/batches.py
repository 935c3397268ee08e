"""Batches on the device that computes: the host makes the next one while a GPU works on the last."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

Batch = tuple[Tensor, Tensor]


def on_device(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """The same batches in the same order; on another device than the CPU, one ahead, made in a thread."""
    if device.type == "cpu":
        yield from batches
        return
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(_next, batches, device)
        while (batch := coming.result()) is not None:
            coming = pool.submit(_next, batches, device)
            yield batch


def _next(batches: Iterator[Batch], device: torch.device) -> Batch | None:
    batch = next(batches, None)
    if batch is None:
        return None
    x, y = (part.pin_memory() if device.type == "cuda" else part for part in batch)
    return x.to(device, non_blocking=True), y.to(device, non_blocking=True)
