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
    a = flat(synaptic_input)
    u: Tensor = _Filter.apply(a, spread(keep, synaptic_input), _state(start, a))  # type: ignore[no-untyped-call]
    return u.view(synaptic_input.shape)


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
    i = flat(current)
    added = torch.zeros((), dtype=current.dtype) if bias is None else bias
    constants = (spread(constant, current) for constant in (added, keep, vth))
    before = None if start is None else _state(start, i)
    spikes, end = _Fire.apply(i, *constants, before, spike, width)  # type: ignore[no-untyped-call]
    return spikes.view(current.shape), end.view(current.shape[1:])


class _Filter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, keep: Tensor, start: Tensor) -> Tensor:
        u = torch.empty_like(a)
        in_threads(kernels.filter_forward, a, arrays(a, keep, start, u))
        # what the slope of a trained du needs, and nothing else does; a copy, as u may be overwritten by v
        ctx.save_for_backward(keep, start, u.clone() if ctx.needs_input_grad[1] else None)
        return u

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        keep, start, u = ctx.saved_tensors
        out = filter_slopes(gradients[0].contiguous(), keep)
        to_keep = None
        if ctx.needs_input_grad[1]:
            to_keep = (out[1:] * u[:-1]).sum((0, 1)) + (out[0] * start).sum(0)
        return out, to_keep, keep * out[0]


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
        s, end = torch.empty_like(current), torch.zeros_like(current[0]) if start is None else start.clone()
        in_threads(kernels.fire_forward, current, arrays(current, bias, keep, vth, end, s))
        ctx.set_materialize_grads(False)
        # current is v from here on: whoever kept it for a backward pass of its own is told
        increment_version(current)  # type: ignore[no-untyped-call]
        ctx.save_for_backward(keep, vth, start, current)
        ctx.slope = spike, width
        return s, end

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        keep, vth, start, v = ctx.saved_tensors
        to_spikes, to_end = gradients
        to_spikes = torch.zeros_like(v) if to_spikes is None else to_spikes
        # what was reset cannot pass an error on, and what was not is v itself
        state = torch.zeros_like(v[-1]) if to_end is None else to_end * (v[-1] <= vth)
        spike, width = ctx.slope
        out = fire_slopes(to_spikes, v.clone() if any(ctx.needs_input_grad[2:4]) else v, keep, vth, spike, width, state)
        to_bias = out.sum((0, 1)) if ctx.needs_input_grad[1] else None
        to_keep, to_vth = None, None
        if ctx.needs_input_grad[2]:
            before = torch.where(v > vth, 0, v)
            to_keep = (out[1:] * before[:-1]).sum((0, 1))
            to_keep = to_keep if start is None else to_keep + (out[0] * start).sum(0)
        if ctx.needs_input_grad[3]:
            end = torch.zeros_like(v[-1]) if to_end is None else to_end
            later = torch.cat([keep * out[1:], end[None]])
            to_vth = -(out - torch.where(v > vth, 0, later)).sum((0, 1))
        return out, to_bias, to_keep, to_vth, None if start is None else state, None, None


def filter_slopes(gradient: Tensor, keep: Tensor) -> Tensor:
    """What a loss with these slopes to u, contiguous (T, B, N), has as slopes to the filter's input."""
    out = torch.empty_like(gradient)
    in_threads(kernels.filter_backward, gradient, arrays(gradient, keep, out))
    return out


def fire_slopes(
    gradient: Tensor, v: Tensor, keep: Tensor, vth: Tensor, spike: Surrogate, width: float, state: Tensor
) -> Tensor:
    """What a loss with these slopes to the spikes, (T, B, N), has as slopes to what enters v, in v's own memory.

    v: before the reset, overwritten; state: the loss's slopes to v after the last step, overwritten by those to v
    before the first.
    """
    # the height is a factor of every slope, and the slopes are all that this gradient meets first
    gradient = (gradient if spike.height == 1 else gradient * spike.height).contiguous()
    slope, constants = kernels.SLOPES[spike.name]
    numbers = (v.detach().numpy().dtype.type(number) for number in constants(width))
    before = arrays(gradient, v, keep, vth)
    in_threads(kernels.fire_backward, gradient, (*before, slope, *numbers, *arrays(state)))
    # a second backward pass would take these slopes for v: autograd now refuses it
    increment_version(v)  # type: ignore[no-untyped-call]
    return v.detach()


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


def spread(constant: Tensor, sequence: Tensor) -> Tensor:
    """A constant that broadcasts over the neurons of a sequence, one a neuron: (N,)."""
    if constant.dim() == 0 and not constant.requires_grad:
        # one operation in the place of three
        return constant.new_full((sequence[0, 0].numel(),), constant.item())
    return constant.expand(sequence.shape[2:]).reshape(-1).contiguous()


def _state(start: Tensor | None, sequence: Tensor) -> Tensor:
    return torch.zeros_like(sequence[0]) if start is None else start.reshape(sequence.shape[1:]).contiguous()
