"""The recurrences of dynamics.py as one operation of autograd each, where compiled kernels can compute them.

A graph of torch operations a step costs more than the arithmetic; here a sequence costs one pass over memory.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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
    return spike.name in kernels.SLOPES and SURROGATES.get(spike.name) == replace(spike, height=1.0)


def filter_fused(synaptic_input: Tensor, keep: Tensor, start: Tensor | None) -> Tensor:
    """dynamics.filter_current by kernels."""
    a = _flat(synaptic_input)
    u: Tensor = _Filter.apply(a, _spread(keep, synaptic_input), _state(start, a))  # type: ignore[no-untyped-call]
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
    """dynamics.integrate_and_fire by kernels: spikes, and v after the last step."""
    i = _flat(current)
    added = torch.zeros((), dtype=current.dtype) if bias is None else bias
    constants = (_spread(constant, current) for constant in (added, keep, vth))
    spikes, end = _Fire.apply(i, *constants, _state(start, i), spike, width)  # type: ignore[no-untyped-call]
    return spikes.view(current.shape), end.view(current.shape[1:])


class _Filter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, keep: Tensor, start: Tensor) -> Tensor:
        u = torch.empty_like(a)
        _in_threads(kernels.filter_forward, a, _arrays(a, keep, start, u))
        ctx.save_for_backward(keep, start, u)
        return u

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        keep, start, u = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        out = torch.empty_like(gradient)
        _in_threads(kernels.filter_backward, gradient, _arrays(gradient, keep, out))
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
        start: Tensor,
        spike: Surrogate,
        width: float,
    ) -> tuple[Tensor, Tensor]:
        v, s, end = torch.empty_like(current), torch.empty_like(current), start.clone()
        _in_threads(kernels.fire_forward, current, _arrays(current, bias, keep, vth, end, v, s))
        ctx.save_for_backward(keep, vth, start, v)
        ctx.slope = spike.name, width
        ctx.height = spike.height
        return s, end

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        keep, vth, start, v = ctx.saved_tensors
        # the height is a factor of every slope, and the slopes are all that this gradient meets first
        gradient = (gradients[0] if ctx.height == 1 else gradients[0] * ctx.height).contiguous()
        slope, constants = kernels.SLOPES[ctx.slope[0]]
        numbers = (v.detach().numpy().dtype.type(number) for number in constants(ctx.slope[1]))
        # what was reset cannot pass an error on, and what was not is v itself
        state = gradients[1] * (v[-1] <= vth)
        out = torch.empty_like(gradient)
        arrays = _arrays(gradient, v, keep, vth)
        _in_threads(kernels.fire_backward, gradient, (*arrays, slope, *numbers, *_arrays(state, out)))
        to_bias = out.sum((0, 1)) if ctx.needs_input_grad[1] else None
        to_keep, to_vth = None, None
        if ctx.needs_input_grad[2]:
            before = torch.where(v > vth, 0, v)
            to_keep = (out[1:] * before[:-1]).sum((0, 1)) + (out[0] * start).sum(0)
        if ctx.needs_input_grad[3]:
            later = torch.cat([keep * out[1:], gradients[1][None]])
            to_vth = -(out - torch.where(v > vth, 0, later)).sum((0, 1))
        return out, to_bias, to_keep, to_vth, state, None, None


def _in_threads(kernel: Callable[..., None], sequence: Tensor, arguments: tuple[Any, ...]) -> None:
    samples = sequence.shape[1]
    threads = 1 if sequence.numel() < ONE_THREAD else min(torch.get_num_threads(), samples)
    if threads == 1:
        kernel(*arguments, 0, samples)
        return
    edges = np.linspace(0, samples, threads + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(kernel, *arguments, *ends) for ends in pairwise(edges)]:
            done.result()


def _arrays(*tensors: Tensor) -> tuple[NDArray[Any], ...]:
    return tuple(tensor.detach().numpy() for tensor in tensors)


def _flat(sequence: Tensor) -> Tensor:
    return sequence.reshape(*sequence.shape[:2], -1).contiguous()


def _spread(constant: Tensor, sequence: Tensor) -> Tensor:
    return constant.expand(sequence.shape[2:]).reshape(-1).contiguous()


def _state(start: Tensor | None, sequence: Tensor) -> Tensor:
    return torch.zeros_like(sequence[0]) if start is None else start.reshape(sequence.shape[1:]).contiguous()
