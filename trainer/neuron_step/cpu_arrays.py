"""Tensors as the arrays that compiled loops on the CPU read, and the threads that run them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# below this size, threads cost more than they save
ONE_THREAD = 1 << 18
# kernels over rows keep several rows in the first-level cache
LONGEST_ROW = 1024


def run_in_threads(kernel: Callable[..., None], sequence: Tensor, arguments: tuple[Any, ...]) -> None:
    """Run a kernel over the samples of a sequence (T, B, ...), in threads where that is faster."""
    samples = sequence.shape[1]
    threads = 1 if sequence.numel() < ONE_THREAD else min(torch.get_num_threads(), samples)
    if threads == 1:
        kernel(*arguments, 0, samples)
        return
    edges = np.linspace(0, samples, threads + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(kernel, *arguments, *ends) for ends in pairwise(edges)]:
            done.result()


def as_numpy(*tensors: Tensor) -> tuple[NDArray[Any], ...]:
    """The tensors' memory."""
    return tuple(tensor.detach().numpy() for tensor in tensors)


def as_3d(sequence: Tensor) -> Tensor:
    """(T, B, *neurons) as contiguous (T, B, N)."""
    return sequence.reshape(*sequence.shape[:2], -1).contiguous()


def as_rows(sequence: Tensor, channels: int) -> Tensor:
    """(T, B, ..., channels) as contiguous (T, B, R, L): rows of L values, a multiple of the channels."""
    places = sequence[0, 0].numel() // channels
    repeated = max(n for n in range(1, max(1, LONGEST_ROW // channels) + 1) if places % n == 0)
    return sequence.reshape(*sequence.shape[:2], -1, repeated * channels).contiguous()


def broadcast_constants(sequence: Tensor, *constants: Tensor) -> NDArray[Any]:
    """Constants broadcast over the neurons of a sequence, one row per constant: (constants, N)."""
    values = as_numpy(*constants)
    out = np.empty((len(values), *sequence.shape[2:]), values[0].dtype)
    for row, value in zip(out, values, strict=True):
        row[...] = value
    return out.reshape(len(values), -1)
