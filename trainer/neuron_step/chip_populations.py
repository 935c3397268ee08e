"""Neurons of every reset over a whole sequence, in the chip's units, with surrogate gradients.

    u <- toward_zero(u keep_u) + 64 a;  v <- toward_zero(v keep_v) + u + bias, saturated
    spikes that reset to 0:        s = v > threshold;  v <- 0 where s
    spikes that subtract:          s = v > threshold;  v <- v - subtracted where s
    voltages (leaky integrators):  s = toward_zero(v / 2**shift)

As chip_step.py, but for neurons with one constant each and with u, v and a in the chip's integers throughout. Gradients
pass straight through truncation and saturation, and through the reset where that is asked for (ChipNeurons).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spikeport.hardware_profiles.fixed_point import STATE_UNIT, WordWidths

from . import fused
from .chip_step import filter_slopes_from, fire_slopes_from, slopes_through_reset
from .surrogates import Surrogate

_LIMIT = WordWidths().state_max


@dataclass(frozen=True)
class ChipNeurons:
    """Constants of N neurons in the chip's units, (N,) float64 each.

    keep_u, keep_v: fractions that remain per step. threshold: None for neurons that send their voltage, shifted right
    by `shift` bits. subtracted: by a spike, None for a reset to 0. spike, width: the surrogate, and its width in units
    of `unit`, the largest threshold. reset_gradient: gradients flow through the reset of v as well.
    """

    keep_u: Tensor
    keep_v: Tensor
    threshold: Tensor | None
    subtracted: Tensor | None
    shift: int
    spike: Surrogate
    width: float
    unit: float
    reset_gradient: bool = False


def run_neurons(a: Tensor, bias: Tensor, neurons: ChipNeurons, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What neurons send for the input a, (T, B, N), and their u and v after the last step, (B, N).

    a: whole numbers; bias: (N,), whole numbers; u, v: before the first step, (B, N).
    """
    ran: tuple[Tensor, Tensor, Tensor] = _Run.apply(a, bias, u, v, neurons)
    return ran


class _Run(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, a: Tensor, bias: Tensor, u: Tensor, v: Tensor, neurons: ChipNeurons
    ) -> tuple[Tensor, Tensor, Tensor]:
        run = _compiled if fused.supports_shape(a) else _stepwise
        over, sent, *ends = run(a, bias.detach().double().round(), neurons, (u.double(), v.double()))
        ctx.save_for_backward(over)
        ctx.neurons = neurons
        ctx.set_materialize_grads(False)
        return sent, ends[0].to(a.dtype), ends[1].to(a.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (over,), neurons = ctx.saved_tensors, ctx.neurons
        given = next(gradient for gradient in gradients if gradient is not None)
        to_sent, to_u, to_v = gradients
        if to_sent is None:
            # only the last states lead anywhere, which happens in runs of one step
            to_sent = given.new_zeros((max(len(over), 1), *given.shape))
        to_u, to_v = (torch.zeros_like(to_sent[0]) if to_last is None else to_last for to_last in (to_u, to_v))
        keep_u, keep_v = neurons.keep_u.to(to_sent.dtype), neurons.keep_v.to(to_sent.dtype)
        if neurons.threshold is None:
            to_voltage, to_v_start = _linear_slopes(to_sent * 2.0**-neurons.shift, keep_v, to_v)
        elif neurons.reset_gradient:
            to_voltage, to_v_start = _slopes_through_reset(to_sent * (1 / neurons.unit), over, neurons, keep_v, to_v)
        elif neurons.subtracted is not None:
            slopes = to_sent * (neurons.spike.slope(over, neurons.width) * (neurons.spike.height / neurons.unit))
            to_voltage, to_v_start = _linear_slopes(slopes, keep_v, to_v)
        else:
            state = to_v * (over[-1] <= 0)
            to_voltage, to_v_start = fire_slopes_from(
                to_sent * (1 / neurons.unit), over, keep_v, neurons.spike, neurons.width, state
            )
        to_current = filter_slopes_from(to_voltage, keep_u, to_u)
        to_bias = to_voltage.sum((0, 1)) if ctx.needs_input_grad[1] else None
        return to_current * STATE_UNIT, to_bias, keep_u * to_current[0], to_v_start, None


def _slopes_through_reset(
    gradient: Tensor, over: Tensor, neurons: ChipNeurons, keep: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Slopes for the input of v, and for v before the first step; gradient: for what is sent, per unit.

    e[t] = (g[t] - p c) h slope(over[t]) + p, where a spike subtracts c, with p = keep e[t+1] the slope for v after it.
    """
    if neurons.subtracted is None:
        assert neurons.threshold is not None
        threshold = (neurons.threshold / neurons.unit).to(over.dtype)
        return slopes_through_reset(gradient, over, threshold, keep, neurons.spike, neurons.width, state)
    slopes = neurons.spike.slope(over, neurons.width) * neurons.spike.height
    lost = (neurons.subtracted / neurons.unit).to(over.dtype)
    out = torch.empty_like(over)
    for t in reversed(range(len(over))):
        out[t] = (gradient[t] - state * lost) * slopes[t] + state
        state = keep * out[t]
    return out, state


def _linear_slopes(slopes: Tensor, keep: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes for the input of a v that no reset interrupts, and for v before the first step."""
    out = filter_slopes_from(slopes, keep, state)
    return out, keep * out[0]


States = tuple[Tensor, Tensor]
Ran = tuple[Tensor, Tensor, Tensor, Tensor]
"""v minus threshold in units of the largest one (empty without), what is sent, and u and v after the last step."""


def _compiled(a: Tensor, bias: Tensor, neurons: ChipNeurons, starts: States) -> Ran:
    """Run the neurons by the kernels of their device."""
    run = fused.supported(a)
    u, v = (start.clone(memory_format=torch.contiguous_format) for start in starts)
    keep_u, keep_v = neurons.keep_u, neurons.keep_v
    if neurons.threshold is None:
        sent = run.chip_integrate(a, bias, keep_u, keep_v, 2.0**-neurons.shift, u, v)
        return a.new_empty((0, *a.shape[1:])), sent, u, v
    constants = bias, keep_u, keep_v, neurons.threshold
    if neurons.subtracted is None:
        return *run.chip_forward(a, constants, 1 / neurons.unit, (u, v)), u, v
    return *run.chip_subtract(a, constants, neurons.subtracted, 1 / neurons.unit, u, v), u, v


def _stepwise(a: Tensor, bias: Tensor, neurons: ChipNeurons, starts: States) -> Ran:
    """As _compiled, in torch operations, on any device."""
    sent, over = a.new_empty(a.shape), a.new_empty(a.shape if neurons.threshold is not None else (0, *a.shape[1:]))
    u, v = starts
    for t, synaptic_input in enumerate(a.unbind(0)):
        u = (u * neurons.keep_u).trunc() + synaptic_input.double() * STATE_UNIT
        v = ((v * neurons.keep_v).trunc() + u + bias).clamp(-_LIMIT, _LIMIT)
        if neurons.threshold is None:
            sent[t] = (v * 2.0**-neurons.shift).trunc()
            continue
        spikes = v > neurons.threshold
        over[t] = (v - neurons.threshold) * (1 / neurons.unit)
        sent[t] = spikes
        v = torch.where(spikes, 0.0 if neurons.subtracted is None else v - neurons.subtracted, v)
    return over, sent, u, v
