"""The kernels of engine.Kernels as compiled loops on the CPU, over groups of samples in threads."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from spikeport.hardware_profiles.fixed_point import STATE_UNIT

from . import chip_kernels, kernels
from .cpu_arrays import as_3d, as_numpy, as_rows, broadcast_constants, run_in_threads
from .engine import ChipConstants, ChipState, Outputs
from .surrogates import Surrogate


class CpuKernels:
    """See engine.Kernels."""

    def filter_forward(self, a: Tensor, keep: Tensor, start: Tensor | None) -> Tensor:
        """See engine.Kernels."""
        rows = as_3d(a)
        # a fresh tensor: torch refuses to overwrite a view returned by a function
        u = a.new_empty(a.shape)
        before = torch.zeros_like(rows[0]) if start is None else start.reshape(rows.shape[1:]).contiguous()
        filled = as_numpy(before, u.view(rows.shape))
        run_in_threads(kernels.filter_forward, rows, (*as_numpy(rows), broadcast_constants(a, keep)[0], *filled))
        return u

    def filter_backward(self, gradient: Tensor, keep: Tensor, later: Tensor | None) -> Tensor:
        """See engine.Kernels."""
        if later is not None:
            gradient = torch.cat([gradient[:-1], gradient[-1:] + later])
        slopes = as_3d(gradient)
        out = torch.empty_like(slopes)
        constant = broadcast_constants(gradient, keep)[0]
        run_in_threads(kernels.filter_backward, slopes, (*as_numpy(slopes), constant, *as_numpy(out)))
        return out.view(gradient.shape)

    def fire_forward(self, v: Tensor, bias: Tensor, keep: Tensor, threshold: Tensor, state: Tensor) -> Tensor:
        """See engine.Kernels."""
        rows = as_3d(v)
        s = torch.empty_like(rows)
        constants = broadcast_constants(v, bias, keep, threshold)
        arguments = (*as_numpy(rows), constants, *as_numpy(state.view(rows.shape[1:]), s))
        run_in_threads(kernels.fire_forward, rows, arguments)
        return s.view(v.shape)

    def fire_backward(
        self, gradient: Tensor, v: Tensor, keep: Tensor, threshold: Tensor, spike: Surrogate, width: float,
        state: Tensor,
    ) -> None:  # fmt: skip
        """See engine.Kernels."""
        # the height is a common factor of all slopes, so it can be applied to the gradient
        slopes = as_3d(gradient if spike.height == 1 else gradient * spike.height)
        rows = v.detach().view(slopes.shape)
        constants = kernels.SLOPES[spike.name][1]
        before, state = as_numpy(slopes, rows), state.reshape(rows.shape[1:]).contiguous()
        numbers = (before[1].dtype.type(number) for number in constants(width))
        arguments = (*before, broadcast_constants(v, keep, threshold), *numbers, *as_numpy(state))
        run_in_threads(kernels.FIRE_BACKWARD[spike.name], slopes, arguments)

    def chip_forward(self, a: Tensor, constants: ChipConstants, unit: float, state: ChipState | None) -> Outputs:
        """See engine.Kernels."""
        rows = as_3d(a)
        over, s = a.new_empty(a.shape), a.new_empty(a.shape)
        bias, keep_u, keep_v, threshold = broadcast_constants(a, *constants)
        filled = as_numpy(*(out.view(rows.shape) for out in (over, s)))
        filtered = bool(keep_u.any())
        numbers = (bias, keep_u, keep_v, threshold, unit) if filtered else (bias, keep_v, threshold, unit)
        given = (*as_numpy(rows), *numbers)
        if state is None:
            from_rest = chip_kernels.chip_forward_from_rest
            kernel = from_rest if filtered else chip_kernels.chip_forward_unfiltered_from_rest
            run_in_threads(kernel, a, (*given, *filled))
            return over, s
        u, v = (values.view(rows.shape[1:]) for values in state)
        if filtered:
            run_in_threads(chip_kernels.chip_forward, a, (*given, *as_numpy(u, v), *filled))
        else:
            run_in_threads(chip_kernels.chip_forward_unfiltered, a, (*given, *as_numpy(v), *filled))
            u.copy_(rows[-1].double() * STATE_UNIT)
        return over, s

    def chip_subtract(
        self, a: Tensor, constants: ChipConstants, subtracted: Tensor, unit: float, u: Tensor, v: Tensor
    ) -> Outputs:
        """See engine.Kernels."""
        rows = as_3d(a)
        over, s = a.new_empty(a.shape), a.new_empty(a.shape)
        numbers = broadcast_constants(a, *constants, subtracted)
        states = as_numpy(u.view(rows.shape[1:]), v.view(rows.shape[1:]))
        filled = as_numpy(*(out.view(rows.shape) for out in (over, s)))
        run_in_threads(chip_kernels.chip_subtract, a, (*as_numpy(rows), *numbers, unit, *states, *filled))
        return over, s

    def chip_integrate(
        self, a: Tensor, bias: Tensor, keep_u: Tensor, keep_v: Tensor, unit: float, u: Tensor, v: Tensor
    ) -> Tensor:
        """See engine.Kernels."""
        rows, sent = as_3d(a), a.new_empty(a.shape)
        numbers = broadcast_constants(a, bias, keep_u, keep_v)
        states = as_numpy(u.view(rows.shape[1:]), v.view(rows.shape[1:]))
        arguments = (*as_numpy(rows), *numbers, unit, *states, *as_numpy(sent.view(rows.shape)))
        run_in_threads(chip_kernels.chip_integrate, a, arguments)
        return sent

    def chip_backward(
        self, gradient: Tensor, over: Tensor, keep_u: Tensor, keep_v: Tensor, spike: Surrogate, width: float,
        unit: float, channels: int,
    ) -> Outputs:  # fmt: skip
        """See engine.Kernels."""
        rows = as_rows(over, channels)
        keep = broadcast_constants(over, keep_v.detach())[0].reshape(rows.shape[2:])
        parameters = kernels.SLOPES[spike.name][1]
        out, partial = torch.empty_like(rows), np.zeros((rows.shape[1], rows.shape[3]))
        numbers = (keep.dtype.type(number) for number in (spike.height, *parameters(width), unit))
        given = as_rows(gradient, channels)
        arguments = (*as_numpy(given, rows), keep, *numbers, *as_numpy(out), partial)
        run_in_threads(chip_kernels.CHIP_BACKWARD[spike.name], rows, arguments)
        summed = torch.from_numpy(partial.sum(0).reshape(-1, channels).sum(0)).to(over)
        to_a = out.view(over.shape)
        return (self.filter_backward(to_a, keep_u, None) if bool(keep_u.any()) else to_a), summed
