"""The recurrences of dynamics.py as one autograd operation each, where kernels can compute them.

A graph of torch operations per step costs more than the arithmetic; here a sequence costs one pass over memory.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from . import kernels
from .engine import Kernels, kernels_for
from .memory_order import channels_last, channels_to_end
from .surrogates import SURROGATES, Surrogate


def supports_shape(sequence: Tensor, *constants: Tensor) -> bool:
    """True if kernels support this sequence (T, B, *neurons) and these constants, which broadcast over the neurons."""
    neurons = sequence.dim() - 2
    return kernels_for(sequence) is not None and all(
        c.dtype == sequence.dtype and c.dim() <= neurons for c in constants
    )


def supported(sequence: Tensor) -> Kernels:
    """The kernels for a sequence that `supports_shape` is true for."""
    found = kernels_for(sequence)
    assert found is not None
    return found


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
    constants = current.new_zeros(()) if bias is None else bias, keep, threshold
    if channels_last(current):
        before = None if start is None else start.movedim(1, -1)
        spikes, v = _Fire.apply(current.movedim(2, -1), *map(channels_to_end, constants), before, spike, width)
        return spikes.movedim(-1, 2), v.movedim(-1, 1)
    fired = _Fire.apply(current, *constants, start, spike, width)
    return fired


class _Filter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, keep: Tensor, start: Tensor | None) -> Tensor:
        u = supported(a).filter_forward(a, keep, start)
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
        state = torch.zeros_like(current[0]) if start is None else _copied(start)
        s = supported(current).fire_forward(current, bias, keep, threshold, state)
        ctx.set_materialize_grads(False)
        # current holds v from here on: autograd reports this to any operation that saved it
        increment_version(current)
        ctx.save_for_backward(keep, threshold, start, current)
        ctx.constants = spike, width, bias.shape
        return s, state

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
    return supported(gradient).filter_backward(gradient, keep, None)


def fire_slopes(
    gradient: Tensor, v: Tensor, keep: Tensor, threshold: Tensor, spike: Surrogate, width: float, state: Tensor
) -> Tensor:
    """The slopes of a loss for the input of v, given those for the spikes, (T, B, *neurons); written over v.

    v: before the reset, contiguous, overwritten; state: the loss's slopes for v after the last step.
    """
    supported(v).fire_backward(gradient, v, keep, threshold, spike, width, state)
    # a second backward pass would mistake these slopes for v: autograd now refuses it
    increment_version(v)
    return v.detach()


def sum_shifted_product(slopes: Tensor, values: Tensor, start: Tensor | None) -> Tensor:
    """Sum of slopes[t] * values[t - 1] over steps and samples, with values[-1] = start (default 0)."""
    summed = (slopes[1:] * values[:-1]).sum((0, 1))
    return summed if start is None else summed + (slopes[0] * start).sum(0)


def _copied(state: Tensor) -> Tensor:
    return state.detach().clone(memory_format=torch.contiguous_format)
