"""Who computes a sequence: compiled loops on the CPU, Triton's kernels on a GPU; both give the same to the last bit."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Protocol, cast

import torch
from torch import Tensor

from spikeport.common.accelerator import has_triton, interpreted

from .surrogates import Surrogate


class Kernels(Protocol):
    """A neuron's recurrences over sequences (T, B, *neurons); constants broadcast over the neurons.

    States are (B, *neurons); None stands for zeros. What is written is contiguous.
    """

    def filter_forward(self, a: Tensor, keep: Tensor, start: Tensor | None) -> Tensor:
        """kernels.filter_forward."""

    def filter_backward(self, gradient: Tensor, keep: Tensor, later: Tensor | None) -> Tensor:
        """kernels.filter_backward; later: slopes for u after the last step."""

    def fire_forward(self, v: Tensor, bias: Tensor, keep: Tensor, threshold: Tensor, state: Tensor) -> Tensor:
        """kernels.fire_forward: the spikes; v and state, both contiguous, are overwritten."""

    def fire_backward(
        self, gradient: Tensor, v: Tensor, keep: Tensor, threshold: Tensor, spike: Surrogate, width: float,
        state: Tensor,
    ) -> None:  # fmt: skip
        """kernels.fire_backward; v, contiguous, is overwritten."""

    def chip_forward(self, a: Tensor, constants: ChipConstants, unit: float, state: ChipState | None) -> Outputs:
        """chip_kernels.chip_forward: over and the spikes; u and v are overwritten. None: from rest."""

    def chip_subtract(
        self, a: Tensor, constants: ChipConstants, subtracted: Tensor, unit: float, u: Tensor, v: Tensor
    ) -> Outputs:
        """chip_kernels.chip_subtract: over and the spikes; u and v are overwritten."""

    def chip_integrate(
        self, a: Tensor, bias: Tensor, keep_u: Tensor, keep_v: Tensor, unit: float, u: Tensor, v: Tensor
    ) -> Tensor:
        """chip_kernels.chip_integrate: what is sent; u and v are overwritten."""

    def chip_backward(
        self, gradient: Tensor, over: Tensor, keep_u: Tensor, keep_v: Tensor, spike: Surrogate, width: float,
        unit: float, channels: int,
    ) -> Outputs:  # fmt: skip
        """Slopes for a, and those for the bias summed over time, samples and places: (channels,).

        chip_kernels.chip_backward, then kernels.filter_backward; channels: the neurons that the last ones repeat.
        """


ChipConstants = tuple[Tensor, Tensor, Tensor, Tensor]
"""bias, keep_u, keep_v and threshold in the chip's units, float64."""
ChipState = tuple[Tensor, Tensor]
"""u and v in the chip's units, contiguous, float64."""
Outputs = tuple[Tensor, Tensor]


def kernels_for(sequence: Tensor) -> Kernels | None:
    """The kernels for a sequence (T, B, *neurons), by its device; None where there are none and torch computes."""
    if sequence.dtype not in (torch.float32, torch.float64) or sequence.dim() < 3:
        return None
    if sequence.device.type == "cuda" or (sequence.device.type == "cpu" and interpreted()):
        return triton_kernels()
    return cpu_kernels() if sequence.device.type == "cpu" else None


@cache
def cpu_kernels() -> Kernels:
    """Compiled loops in threads."""
    return cast(Kernels, import_module(".cpu_kernels", __package__).CpuKernels())


@cache
def triton_kernels() -> Kernels | None:
    """Triton's kernels; None without Triton. Only here are they imported: whoever has no GPU waits for nothing."""
    return cast(Kernels, import_module(".triton_launch", __package__).TritonKernels()) if has_triton() else None
