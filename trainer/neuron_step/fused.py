"""The recurrences of dynamics.py as one operation of autograd each, where compiled kernels can compute them.

A graph of torch operations a step costs more than the arithmetic; here a sequence costs one pass over memory.
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
from .surrogates import SURROGATES, Surrogate

# below that many numbers, threads cost more than they save
ONE_THREAD = 1 << 18


def fits(sequence: Tensor, *constants: Tensor) -> bool:
    """Whether kernels know this sequence (T, B, *neurons) with these constants, which broadcast over the neurons."""
    neurons = sequence.shape[2:]
    return (
        sequence.device.type == "cpu"
        and sequence.dtype in (torch.float32, torch.float64)
        and sequence.dim() > 2
        and all(c.dtype == sequence.dtype and c.dim() <= len(neurons) for c in constants)
    )


def knows(spike: Surrogate) -> bool:
    """Whether there is a kernel of the surrogate's slope."""
    return spike.name in kernels.SLOPES and SURROGATES[spike.name].slope is spike.slope


def filter_fused(synaptic_input: Tensor, keep: Tensor, start: Tensor | None) -> Tensor:
    """dynamics.filter_current by kernels."""
    u: Tensor = _Filter.apply(synaptic_input, keep, start)
    return u


def fire_fused(
    current: Tensor,
    bias: Tensor | None,
    keep: Tensor,
    vth: Tensor,
    spike: Surrogate,
    width: float,
    start: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """dynamics.integrate_and_fire_over by kernels: spikes, and v after the last step."""
    added = torch.zeros((), dtype=current.dtype) if bias is None else bias
    fired: tuple[Tensor, Tensor] = _Fire.apply(current, added, keep, vth, start, spike, width)
    return fired


class _Filter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, keep: Tensor, start: Tensor | None) -> Tensor:
        rows = flat(a)
        # no view of anything: torch lets no view that a function returns be overwritten
        u = a.new_empty(a.shape)
        before = torch.zeros_like(rows[0]) if start is None else start.reshape(rows.shape[1:]).contiguous()
        filled = arrays(before, u.view(rows.shape))
        in_threads(kernels.filter_forward, rows, (*arrays(rows), table(a, keep)[0], *filled))
        # what the slope of a trained du needs, and nothing else does; a copy, as u may be overwritten by v
        ctx.save_for_backward(keep, start, u.clone() if ctx.needs_input_grad[1] else None)
        return u

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        keep, start, u = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        out = filter_slopes(gradients[0], keep)
        to_keep = along(out, u, start).sum_to_size(keep.shape) if wanted[1] else None
        return out, to_keep, keep * out[0] if wanted[2] else None


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        current: Tensor,
        bias: Tensor,
        keep: Tensor,
        vth: Tensor,
        start: Tensor | None,
        spike: Surrogate,
        width: float,
    ) -> tuple[Tensor, Tensor]:
        current = current.contiguous()
        v = flat(current)
        s, end = torch.empty_like(v), torch.zeros_like(v[0]) if start is None else start.reshape(v.shape[1:]).clone()
        in_threads(kernels.fire_forward, v, (*arrays(v), table(current, bias, keep, vth), *arrays(end, s)))
        ctx.set_materialize_grads(False)
        # current is v from here on: whoever kept it for a backward pass of its own is told
        increment_version(current)
        ctx.save_for_backward(keep, vth, start, current)
        ctx.constants = spike, width, bias.shape
        return s.view(current.shape), end.view(current.shape[1:])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        keep, vth, start, v = ctx.saved_tensors
        spike, width, bias_shape = ctx.constants
        to_spikes, to_end = gradients
        wanted = ctx.needs_input_grad
        to_spikes = torch.zeros_like(v) if to_spikes is None else to_spikes
        # what was reset cannot pass an error on, and what was not is v itself
        state = torch.zeros_like(v[-1]) if to_end is None else to_end * (v[-1] <= vth)
        out = fire_slopes(to_spikes, v.clone() if any(wanted[2:4]) else v, keep, vth, spike, width, state)
        to_bias = out.sum((0, 1)).sum_to_size(bias_shape) if wanted[1] else None
        to_keep, to_vth = None, None
        if wanted[2]:
            to_keep = along(out, torch.where(v > vth, 0, v), start).sum_to_size(keep.shape)
        if wanted[3]:
            end = torch.zeros_like(v[-1]) if to_end is None else to_end
            later = torch.cat([keep * out[1:], end[None]])
            to_vth = -(out - torch.where(v > vth, 0, later)).sum((0, 1)).sum_to_size(vth.shape)
        return out, to_bias, to_keep, to_vth, keep * out[0] if wanted[4] else None, None, None


def filter_slopes(gradient: Tensor, keep: Tensor) -> Tensor:
    """What a loss with these slopes to u, (T, B, *neurons), has as slopes to the filter's input."""
    slopes = flat(gradient)
    out = torch.empty_like(slopes)
    in_threads(kernels.filter_backward, slopes, (*arrays(slopes), table(gradient, keep)[0], *arrays(out)))
    return out.view(gradient.shape)


def fire_slopes(
    gradient: Tensor, v: Tensor, keep: Tensor, vth: Tensor, spike: Surrogate, width: float, state: Tensor
) -> Tensor:
    """What a loss with these slopes to the spikes, (T, B, *neurons), has as slopes to what enters v, in v's own memory.

    v: before the reset, contiguous, overwritten; state: the loss's slopes to v after the last step.
    """
    # the height is a factor of every slope, and the slopes are all that this gradient meets first
    slopes, rows = flat(gradient if spike.height == 1 else gradient * spike.height), v.detach().view(*v.shape[:2], -1)
    slope, constants = kernels.SLOPES[spike.name]
    before, state = arrays(slopes, rows), state.reshape(rows.shape[1:]).contiguous()
    numbers = (before[1].dtype.type(number) for number in constants(width))
    in_threads(kernels.fire_backward, slopes, (*before, table(v, keep, vth), slope, *numbers, *arrays(state)))
    # a second backward pass would take these slopes for v: autograd now refuses it
    increment_version(v)
    return v.detach()


def along(slopes: Tensor, values: Tensor, start: Tensor | None) -> Tensor:
    """sum over t of slopes[t] values[t - 1], values[-1] = start (0 without), summed over the samples, too."""
    summed = (slopes[1:] * values[:-1]).sum((0, 1))
    return summed if start is None else summed + (slopes[0] * start).sum(0)


def in_threads(kernel: Callable[..., None], sequence: Tensor, arguments: tuple[Any, ...]) -> None:
    """Run a kernel over the samples of a sequence (T, B, ...), in threads where that pays."""
    samples = sequence.shape[1]
    threads = 1 if sequence.numel() < ONE_THREAD else min(torch.get_num_threads(), samples)
    if threads == 1:
        kernel(*arguments, 0, samples)
        return
    edges = np.linspace(0, samples, threads + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(kernel, *arguments, *ends) for ends in pairwise(edges)]:
            done.result()


def arrays(*tensors: Tensor) -> tuple[NDArray[Any], ...]:
    """The tensors' memory."""
    return tuple(tensor.detach().numpy() for tensor in tensors)


def flat(sequence: Tensor) -> Tensor:
    """(T, B, *neurons) as contiguous (T, B, N)."""
    return sequence.reshape(*sequence.shape[:2], -1).contiguous()


def table(sequence: Tensor, *constants: Tensor) -> NDArray[Any]:
    """Constants that broadcast over the neurons of a sequence, a row each: (constants, N)."""
    values = arrays(*constants)
    out = np.empty((len(values), *sequence.shape[2:]), values[0].dtype)
    for row, value in zip(out, values, strict=True):
        row[...] = value
    return out.reshape(len(values), -1)
