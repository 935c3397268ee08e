"""The kernels of engine.Kernels in Triton: on a GPU, or in Triton's interpreter on the CPU."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import triton
from torch import Tensor

from . import triton_chip_kernels, triton_kernels
from .engine import ChipConstants, ChipState, Outputs
from .kernels import SLOPES
from .surrogates import Surrogate

# columns per program: two for each of 128 threads
BLOCK = 256


class TritonKernels:
    """See engine.Kernels. Nothing waits for the device."""

    def filter_forward(self, a: Tensor, keep: Tensor, start: Tensor | None) -> Tensor:
        """See engine.Kernels."""
        a, u = a.contiguous(), a.new_empty(a.shape)
        _launch(triton_kernels.filter_forward, a, a, _rows(a, keep), _state(a, start), u)
        return u

    def filter_backward(self, gradient: Tensor, keep: Tensor, later: Tensor | None) -> Tensor:
        """See engine.Kernels."""
        gradient, out = gradient.contiguous(), gradient.new_empty(gradient.shape)
        arguments = gradient, _rows(gradient, keep), _state(gradient, later), out
        _launch(triton_kernels.filter_backward, gradient, *arguments)
        return out

    def fire_forward(self, v: Tensor, bias: Tensor, keep: Tensor, threshold: Tensor, state: Tensor) -> Tensor:
        """See engine.Kernels."""
        s = v.new_empty(v.shape)
        _launch(triton_kernels.fire_forward, v, v, _rows(v, bias, keep, threshold), state, s)
        return s

    def fire_backward(
        self, gradient: Tensor, v: Tensor, keep: Tensor, threshold: Tensor, spike: Surrogate, width: float,
        state: Tensor,
    ) -> None:  # fmt: skip
        """See engine.Kernels."""
        arguments = gradient.contiguous(), v.detach(), _rows(v, keep, threshold), state.contiguous()
        _launch(triton_kernels.fire_backward, v, *arguments, **_slope(spike, width))

    def chip_forward(self, a: Tensor, constants: ChipConstants, unit: float, state: ChipState | None) -> Outputs:
        """See engine.Kernels."""
        outputs = a.new_empty(a.shape), a.new_empty(a.shape)
        u, v = state or [a.new_zeros(a.shape[1:], dtype=torch.float64) for _ in range(2)]
        arguments = a.contiguous(), _rows(a, *constants), u, v, *outputs
        _launch(triton_chip_kernels.chip_forward, a, *arguments, unit=unit)
        return outputs

    def chip_subtract(
        self, a: Tensor, constants: ChipConstants, subtracted: Tensor, unit: float, u: Tensor, v: Tensor
    ) -> Outputs:
        """See engine.Kernels."""
        outputs = a.new_empty(a.shape), a.new_empty(a.shape)
        arguments = a.contiguous(), _rows(a, *constants, subtracted), u, v, *outputs
        _launch(triton_chip_kernels.chip_subtract, a, *arguments, unit=unit)
        return outputs

    def chip_integrate(
        self, a: Tensor, bias: Tensor, keep_u: Tensor, keep_v: Tensor, unit: float, u: Tensor, v: Tensor
    ) -> Tensor:
        """See engine.Kernels."""
        sent = a.new_empty(a.shape)
        arguments = a.contiguous(), _rows(a, bias, keep_u, keep_v), u, v, sent
        _launch(triton_chip_kernels.chip_integrate, a, *arguments, unit=unit)
        return sent

    def chip_backward(
        self, gradient: Tensor, over: Tensor, keep_u: Tensor, keep_v: Tensor, spike: Surrogate, width: float,
        unit: float, channels: int,
    ) -> Outputs:  # fmt: skip
        """See engine.Kernels."""
        over, out = over.contiguous(), over.new_empty(over.shape)
        summed = over.new_empty(over.shape[1:], dtype=torch.float64)
        arguments = gradient.contiguous(), over, _rows(over, keep_u, keep_v), out, summed
        _launch(triton_chip_kernels.chip_backward, over, *arguments, unit=unit, **_slope(spike, width))
        return out, summed.view(-1, channels).sum(0).to(over.dtype)


def _launch(kernel: Any, sequence: Tensor, *arguments: Tensor, **settings: object) -> None:
    """Run a kernel over the columns of a sequence; arguments: contiguous."""
    if sequence.numel() == 0:
        return
    columns, size = math.prod(sequence.shape[1:]), math.prod(sequence.shape[2:])
    grid = (triton.cdiv(columns, BLOCK),)
    sizes = {"steps": len(sequence), "columns": columns, "size": size}
    if "last" in kernel.arg_names:
        sizes["last"] = (len(sequence) - 1) * columns
    launched: Callable[..., object] = kernel[grid]
    # a multiplication and an addition, each rounded, as on the CPU
    with torch.cuda.device_of(sequence):  # type: ignore[no-untyped-call]
        launched(*arguments, **sizes, **settings, BLOCK=BLOCK, enable_fp_fusion=False)


def _rows(sequence: Tensor, *constants: Tensor) -> Tensor:
    """Constants broadcast over the neurons of a sequence: (constants, N)."""
    return torch.stack([value.detach().expand(sequence.shape[2:]) for value in constants])


def _state(sequence: Tensor, start: Tensor | None) -> Tensor:
    return sequence.new_zeros(sequence.shape[1:]) if start is None else start.detach().contiguous()


def _slope(spike: Surrogate, width: float) -> dict[str, object]:
    factor, rate = SLOPES[spike.name][1](width)
    return {"height": spike.height, "factor": factor, "rate": rate, "SLOPE": spike.name}
