"""The recurrences of dynamics.py as one autograd operation each, where compiled kernels can compute them.

A graph of torch operations per step costs more than the arithmetic; here a sequence costs one pass over memory.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.graph import increment_version

from . import kernels
from .memory_order import channels_last, channels_to_end
from .surrogates import SURROGATES, Surrogate

# below this size, threads cost more than they save
ONE_THREAD = 1 << 18
# kernels over rows keep several rows in the first-level cache
LONGEST_ROW = 1024


def supports_shape(sequence: Tensor, *constants: Tensor) -> bool:
    """True if kernels support this sequence (T, B, *neurons) and these constants, which broadcast over the neurons."""
    neurons = sequence.shape[2:]
    return (
        sequence.device.type == "cpu"
        and sequence.dtype in (torch.float32, torch.float64)
        and sequence.dim() > 2
        and all(c.dtype == sequence.dtype and c.dim() <= len(neurons) for c in constants)
    )


def supports_surrogate(spike: Surrogate) -> bool:
    """True if there is a kernel for the surrogate's slope."""
    return spike.name in kernels.SLOPES and SURROGATES[spike.name].slope is spike.slope


def filter_fused(synaptic_input: Tensor, keep: Tensor, start: Tensor | None) -> Tensor:
    """dynamics.filter_current, computed by kernels."""
    u: Tensor
    if channels_last(synaptic_input):
        before = None if start is None else start.movedim(1, -1)
        u = _Filter.apply(synaptic_input.movedim(2, -1), channels_to_end(keep), before)
        return u.movedim(-1, 2)
    u = _Filter.apply(synaptic_input, keep, start)
    return u


def fire_fused(
    current: Tensor,
    bias: Tensor | None,
    keep: Tensor,
    threshold: Tensor,
    spike: Surrogate,
    width: float,
    start: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """dynamics.integrate_and_fire_over, computed by kernels: spikes, and v after the last step."""
    fired: tuple[Tensor, Tensor]
    constants = torch.zeros((), dtype=current.dtype) if bias is None else bias, keep, threshold
    if channels_last(current):
        before = None if start is None else start.movedim(1, -1)
        spikes, v = _Fire.apply(current.movedim(2, -1), *map(channels_to_end, constants), before, spike, width)
        return spikes.movedim(-1, 2), v.movedim(-1, 1)
    fired = _Fire.apply(current, *constants, start, spike, width)
    return fired


class _Filter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, keep: Tensor, start: Tensor | None) -> Tensor:
        rows = as_3d(a)
        # a fresh tensor: torch refuses to overwrite a view returned by a function
        u = a.new_empty(a.shape)
        before = torch.zeros_like(rows[0]) if start is None else start.reshape(rows.shape[1:]).contiguous()
        filled = as_numpy(before, u.view(rows.shape))
        run_in_threads(kernels.filter_forward, rows, (*as_numpy(rows), broadcast_constants(a, keep)[0], *filled))
        # u is needed only for the slope of a trained decay; a copy, because v may overwrite u
        ctx.save_for_backward(keep, start, u.clone() if ctx.needs_input_grad[1] else None)
        return u

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        keep, start, u = ctx.saved_tensors
        needed = ctx.needs_input_grad
        out = filter_slopes(gradients[0], keep)
        to_keep = sum_shifted_product(out, u, start).sum_to_size(keep.shape) if needed[1] else None
        return out, to_keep, keep * out[0] if needed[2] else None


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        current: Tensor,
        bias: Tensor,
        keep: Tensor,
        threshold: Tensor,
        start: Tensor | None,
        spike: Surrogate,
        width: float,
    ) -> tuple[Tensor, Tensor]:
        current = current.contiguous()
        v = as_3d(current)
        state = torch.zeros_like(v[0]) if start is None else start.reshape(v.shape[1:]).clone()
        s = torch.empty_like(v)
        run_in_threads(
            kernels.fire_forward,
            v,
            (*as_numpy(v), broadcast_constants(current, bias, keep, threshold), *as_numpy(state, s)),
        )
        ctx.set_materialize_grads(False)
        # current holds v from here on: autograd reports this to any operation that saved it
        increment_version(current)
        ctx.save_for_backward(keep, threshold, start, current)
        ctx.constants = spike, width, bias.shape
        return s.view(current.shape), state.view(current.shape[1:])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        keep, threshold, start, v = ctx.saved_tensors
        spike, width, bias_shape = ctx.constants
        to_spikes, to_last = gradients
        needed = ctx.needs_input_grad
        to_spikes = torch.zeros_like(v) if to_spikes is None else to_spikes
        # a neuron that was reset passes no error on; one that was not still has v
        state = torch.zeros_like(v[-1]) if to_last is None else to_last * (v[-1] <= threshold)
        out = fire_slopes(to_spikes, v.clone() if any(needed[2:4]) else v, keep, threshold, spike, width, state)
        to_bias = out.sum((0, 1)).sum_to_size(bias_shape) if needed[1] else None
        to_keep, to_threshold = None, None
        if needed[2]:
            to_keep = sum_shifted_product(out, torch.where(v > threshold, 0, v), start).sum_to_size(keep.shape)
        if needed[3]:
            last = torch.zeros_like(v[-1]) if to_last is None else to_last
            later = torch.cat([keep * out[1:], last[None]])
            to_threshold = -(out - torch.where(v > threshold, 0, later)).sum((0, 1)).sum_to_size(threshold.shape)
        return out, to_bias, to_keep, to_threshold, keep * out[0] if needed[4] else None, None, None


def filter_slopes(gradient: Tensor, keep: Tensor) -> Tensor:
    """The slopes of a loss for the filter's input, given its slopes for u, (T, B, *neurons)."""
    slopes = as_3d(gradient)
    out = torch.empty_like(slopes)
    run_in_threads(
        kernels.filter_backward, slopes, (*as_numpy(slopes), broadcast_constants(gradient, keep)[0], *as_numpy(out))
    )
    return out.view(gradient.shape)


def fire_slopes(
    gradient: Tensor, v: Tensor, keep: Tensor, threshold: Tensor, spike: Surrogate, width: float, state: Tensor
) -> Tensor:
    """The slopes of a loss for the input of v, given those for the spikes, (T, B, *neurons); written over v.

    v: before the reset, contiguous, overwritten; state: the loss's slopes for v after the last step.
    """
    # the height is a common factor of all slopes, so it can be applied to the gradient
    slopes, rows = as_3d(gradient if spike.height == 1 else gradient * spike.height), v.detach().view(*v.shape[:2], -1)
    slope, constants = kernels.SLOPES[spike.name]
    before, state = as_numpy(slopes, rows), state.reshape(rows.shape[1:]).contiguous()
    numbers = (before[1].dtype.type(number) for number in constants(width))
    run_in_threads(
        kernels.fire_backward,
        slopes,
        (*before, broadcast_constants(v, keep, threshold), slope, *numbers, *as_numpy(state)),
    )
    # a second backward pass would mistake these slopes for v: autograd now refuses it
    increment_version(v)
    return v.detach()


def sum_shifted_product(slopes: Tensor, values: Tensor, start: Tensor | None) -> Tensor:
    """Sum of slopes[t] * values[t - 1] over steps and samples, with values[-1] = start (default 0)."""
    summed = (slopes[1:] * values[:-1]).sum((0, 1))
    return summed if start is None else summed + (slopes[0] * start).sum(0)


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
