"""How many threads torch computes with: sums are ordered by it, so trained weights depend on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Compute with that many threads, 0: as many as torch is set to (OMP_NUM_THREADS, else one per core)."""
    before = torch.get_num_threads()
    if number:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_used(number: int) -> int:
    """The number of threads that the setting stands for in this process."""
    return number or torch.get_num_threads()
