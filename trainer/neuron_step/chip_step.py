"""A layer's step in the chip's integers, u and v included, with the gradients of the same step in floating point.

    u <- toward_zero(u * (4096 - (du + 1)) / 4096) + (a << 6)
    v <- toward_zero(v * (4096 -  dv     ) / 4096) + u + bias        24 bit, saturates
    s <- v > (vth << 6);  v[s] <- 0

a: the sum of integer weights over the arriving spikes; du, dv, vth: register words. The network's values times `scale`
are the chip's (ChipScale). Gradients are those of dynamics.py with the decays rounded as on the chip; truncation and
saturation are passed straight through (Bengio, Leonard & Courville, arXiv:1308.3432, 2013).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from spikeport.hardware_profiles.fixed_point import STATE_UNIT, WordWidths

from . import fused
from .dynamics import filter_current
from .memory_order import channels_last, channels_to_end
from .quantise import ChipScale, LayerTensors
from .surrogates import Surrogate

_LIMIT = WordWidths().state_max

ResetSlopes = Callable[[Tensor, Tensor, Tensor, Tensor, Surrogate, float, Tensor], tuple[Tensor, Tensor]]
"""Slopes for the input of v and for v before the first step, as slopes_without_reset has them."""


@dataclass(frozen=True)
class ChipRun:
    """Result of a run: spikes, v minus threshold before the reset in network units, and u, v after the last step.

    state: u and v in the chip's units, where the run was given those before the first step.
    """

    spikes: Tensor
    over: Tensor
    state: tuple[Tensor, Tensor] | None


def chip_words(weight: Tensor, chip: ChipScale, name: str, copies: int) -> Tensor:
    """A synapse's integers, without their exponent, with straight-through gradients; `name` as in LayerTensors."""
    factor = chip.scale / (STATE_UNIT * 2.0 ** chip.exponents[name] * copies)
    # the weights are whole already, up to the rounding of this product
    return _whole(weight, factor)


def chip_input(
    connected: Callable[[Tensor, Tensor], Tensor],
    weight: Tensor,
    chip: ChipScale,
    name: str,
    copies: int,
    spikes: Tensor,
) -> Tensor:
    """Synaptic input from one synapse, in whole numbers; connected(weights, spikes) applies the synapse.

    copies: values averaged into each entry of `spikes`, which the chip sums. Products and sums are below 2**17: exact
    in the network's float32, even on a GPU that multiplies with 11 bits.
    """
    if copies > 1:
        spikes = _whole(spikes, copies)
    words, unit = chip_words(weight, chip, name, copies), 2.0 ** chip.exponents[name]
    if spikes.device.type == "cpu":
        # a power of two does not round, so it may come before the sum, where it costs less
        return connected(words * unit, spikes)
    # a GPU's convolution algorithm may round
    return _whole(connected(words, spikes), 1) * unit


def _whole(value: Tensor, factor: float) -> Tensor:
    """The product, rounded to whole numbers, with the gradients of the product."""
    return (value.detach() * factor).round() + (value - value.detach()) * factor


def chip_fire(
    a: Tensor,
    layer: LayerTensors,
    chip: ChipScale,
    spike: Surrogate,
    width: float,
    start: tuple[Tensor, Tensor] | None,
    slopes: ResetSlopes | None = None,
) -> ChipRun:
    """Run neurons on whole-number input a, (T, B, *neurons).

    start: u and v before the first step, in the chip's units; without it, neurons start at rest and the result has no
    state, which saves passes over memory. slopes: of what a step passes on, by default without the reset's
    (slopes_without_reset).
    """
    slopes = slopes or slopes_without_reset
    u, v = start or (None, None)
    bias = layer.bias.view(-1, *[1] * (a.dim() - 3))
    constants = bias, 1 - layer.current_decay, 1 - layer.voltage_decay, layer.threshold
    if channels_last(a):
        moved = (
            a.movedim(2, -1),
            *map(channels_to_end, constants),
            *(None if state is None else state.movedim(1, -1) for state in (u, v)),
        )
        spikes, over, *ends = _ChipFire.apply(*moved, chip.scale, spike, width, slopes)
        spikes, over = spikes.movedim(-1, 2), over.movedim(-1, 2)
        u, v = (None if end is None else end.movedim(-1, 1) for end in ends)
    else:
        spikes, over, u, v = _ChipFire.apply(a, *constants, u, v, chip.scale, spike, width, slopes)
    return ChipRun(spikes, over, None if u is None or v is None else (u, v))


def chip_fire_recurrent(
    a: Tensor,
    layer: LayerTensors,
    chip: ChipScale,
    spike: Surrogate,
    width: float,
    start: tuple[Tensor, Tensor] | None,
    fired: Tensor | None,
    slopes: ResetSlopes | None = None,
) -> ChipRun:
    """As chip_fire, for neurons that read each other's spikes one step later; fired: spikes before the first step."""
    assert layer.recurrent is not None
    words = chip_words(layer.recurrent, chip, "recurrent", 1)
    unit = 2.0 ** chip.exponents["recurrent"]
    rest = torch.zeros_like(a[0])
    before = rest if fired is None else fired
    start = start or (rest, rest)
    runs = []
    for step in a.unbind(0):
        # 16 bit would round the sums
        with torch.autocast(a.device.type, enabled=False):
            recurrent = before @ words.T * unit
        run = chip_fire((step + recurrent)[None], layer, chip, spike, width, start, slopes)
        before, start = run.spikes[0], run.state
        runs.append(run)
    spikes, over = torch.cat([run.spikes for run in runs]), torch.cat([run.over for run in runs])
    return ChipRun(spikes, over, start)


class _ChipFire(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        a: Tensor,
        bias: Tensor,
        keep_u: Tensor,
        keep_v: Tensor,
        threshold: Tensor,
        u: Tensor | None,
        v: Tensor | None,
        scale: float,
        spike: Surrogate,
        width: float,
        slopes: ResetSlopes,
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        double = [constant.detach().double() for constant in (bias, keep_u, keep_v, threshold)]
        numbers = (double[0] * scale).round(), double[1], double[2], (double[3] * scale).round()
        run = _compiled if fused.supports_shape(a) else _stepwise
        starts = None if u is None or v is None else (u.double(), v.double())
        over, s, ends = run(a, numbers, starts, scale)
        # a is needed only for the slope of a trained current decay
        ctx.save_for_backward(a if ctx.needs_input_grad[2] else None, keep_u, keep_v, threshold, u, v, over)
        ctx.constants, ctx.slopes = (scale, spike, width, bias.shape), slopes
        ctx.mark_non_differentiable(over)
        ctx.set_materialize_grads(False)
        return (s, over, None, None) if ends is None else (s, over, ends[0].to(a.dtype), ends[1].to(a.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        a, keep_u, keep_v, threshold, u, v, over = ctx.saved_tensors
        scale, spike, width, bias_shape = ctx.constants
        to_spikes, _, to_u, to_v = gradients
        usual = to_u is None and to_v is None and not any(ctx.needs_input_grad[2:7])
        usual &= ctx.slopes is slopes_without_reset
        if usual and to_spikes is not None and fused.supports_surrogate(spike) and fused.supports_shape(over):
            return (*_slopes(to_spikes, over, keep_u, keep_v, ctx.constants), *[None] * 9)
        to_spikes = torch.zeros_like(over) if to_spikes is None else to_spikes
        to_u, to_v = (torch.zeros_like(over[-1]) if to_last is None else to_last for to_last in (to_u, to_v))
        to_v_input, to_v_start = ctx.slopes(to_spikes, over, threshold, keep_v, spike, width, to_v * scale)
        to_a = filter_slopes_from(to_v_input, keep_u, to_u * scale)
        needed = ctx.needs_input_grad
        before_u, before_v = (None if start is None else start / scale for start in (u, v))
        silent = over <= 0 if needed[3] or needed[4] else None
        to_bias = to_keep_u = to_keep_v = to_threshold = None
        if needed[1]:
            to_bias = to_v_input.sum((0, 1)).sum_to_size(bias_shape)
        if needed[2]:
            current = filter_current(a * (STATE_UNIT / scale), 1 - keep_u, before_u)
            to_keep_u = fused.sum_shifted_product(to_a, current, before_u).sum_to_size(keep_u.shape)
        if needed[3]:
            after_reset = torch.where(cast(Tensor, silent), over + threshold, 0)
            to_keep_v = fused.sum_shifted_product(to_v_input, after_reset, before_v).sum_to_size(keep_v.shape)
        if needed[4]:
            later = torch.cat([keep_v * to_v_input[1:], to_v[None] * scale])
            to_threshold = (
                -(to_v_input - torch.where(cast(Tensor, silent), later, 0)).sum((0, 1)).sum_to_size(threshold.shape)
            )
        to_u_start = keep_u * to_a[0] / scale if needed[5] else None
        return (
            to_a.mul_(STATE_UNIT / scale), to_bias, to_keep_u, to_keep_v, to_threshold, to_u_start,
            to_v_start / scale if needed[6] else None,
            None, None, None, None,
        )  # fmt: skip


def _slopes(
    to_spikes: Tensor,
    over: Tensor,
    keep_u: Tensor,
    keep_v: Tensor,
    constants: tuple[float, Surrogate, float, torch.Size],
) -> tuple[Tensor, Tensor]:
    """Slopes for a and the bias, in one pass."""
    scale, spike, width, bias_shape = constants
    neurons = over.shape[2:]
    # with the channels last, or only them, a bias is one row that repeats
    channels = math.prod(bias_shape)
    channels = channels if channels == neurons[-1] and bias_shape[-1:] == neurons[-1:] else math.prod(neurons)
    to_a, summed = fused.supported(over).chip_backward(
        to_spikes, over, keep_u, keep_v, spike, width, STATE_UNIT / scale, channels
    )
    to_bias = summed.view(bias_shape) if channels < math.prod(neurons) else summed.view(neurons).sum_to_size(bias_shape)
    return to_a, to_bias


Numbers = tuple[Tensor, Tensor, Tensor, Tensor]
States = tuple[Tensor, Tensor] | None
Ran = tuple[Tensor, Tensor, States]
"""v minus threshold over scale, spikes, and u and v after the last step where those before the first are given."""


def _compiled(a: Tensor, numbers: Numbers, starts: States, scale: float) -> Ran:
    """Run the neurons by the kernels of their device."""
    ends = None
    if starts is not None:
        u, v = (start.clone(memory_format=torch.contiguous_format) for start in starts)
        ends = u, v
    # outputs are contiguous, whatever the memory order of a (a convolution's result may differ)
    return *fused.supported(a).chip_forward(a, numbers, 1 / scale, ends), ends


def _stepwise(a: Tensor, numbers: Numbers, starts: States, scale: float) -> Ran:
    """As _compiled, in torch operations, on any device."""
    bias, keep_u, keep_v, threshold = numbers
    over, s = a.new_empty(a.shape), a.new_empty(a.shape)
    rest = torch.zeros_like(a[0], dtype=torch.float64)
    u, v = starts or (rest, rest)
    for t, synaptic_input in enumerate(a.unbind(0)):
        u = (u * keep_u).trunc() + synaptic_input.double() * STATE_UNIT
        voltage = ((v * keep_v).trunc() + u + bias).clamp(-_LIMIT, _LIMIT)
        over[t] = (voltage - threshold) * (1 / scale)
        s[t] = voltage > threshold
        v = torch.where(voltage > threshold, 0.0, voltage)
    return over, s, None if starts is None else (u, v)


def slopes_without_reset(
    gradient: Tensor, over: Tensor, threshold: Tensor, keep: Tensor, spike: Surrogate, width: float, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Slopes for the input of v at every step, and for v before the first, in units of the network.

    state: for v after the last step. No gradient flows through the reset.
    """
    del threshold
    return fire_slopes_from(gradient, over, keep, spike, width, state * (over[-1] <= 0))


def slopes_through_reset(
    gradient: Tensor, over: Tensor, threshold: Tensor, keep: Tensor, spike: Surrogate, width: float, state: Tensor
) -> tuple[Tensor, Tensor]:
    """As slopes_without_reset, where a spike also takes v away: dynamics.reset_through, in reverse.

    e[t] = (g[t] - p v[t]) h slope(over[t]) + (p where over[t] <= 0), with p = keep e[t+1], the slope for v after its
    reset, and v[t] = over[t] + threshold before it.
    """
    slopes, voltage = spike.slope(over, width) * spike.height, over + threshold
    out = torch.empty_like(over)
    for t in reversed(range(len(over))):
        out[t] = (gradient[t] - state * voltage[t]) * slopes[t] + torch.where(over[t] > 0, 0.0, state)
        state = keep * out[t]
    return out, state


def fire_slopes_from(
    gradient: Tensor, over: Tensor, keep: Tensor, spike: Surrogate, width: float, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Slopes for the input of v at every step, and for v before the first; all in units of the network."""
    if fused.supports_shape(over) and fused.supports_surrogate(spike):
        zero = over.new_zeros(())
        out = fused.fire_slopes(gradient, over.clone(), keep, zero, spike, width, state)
        return out, keep * out[0]
    slopes = gradient * spike.slope(over, width) * spike.height
    out = torch.empty_like(over)
    for t in reversed(range(len(over))):
        out[t] = slopes[t] + torch.where(over[t] > 0, 0.0, state)
        state = keep * out[t]
    return out, state


def filter_slopes_from(gradient: Tensor, keep: Tensor, state: Tensor | None) -> Tensor:
    """Slopes for the filter's input, given those for u at every step and `state`, those for u after the last one."""
    if gradient.device.type == "cpu":
        # what has no effect is left out; a GPU would have to be waited for to know
        state = None if state is None or not bool(state.any()) else state
        if not bool(keep.any()):
            return gradient if state is None else torch.cat([gradient[:-1], gradient[-1:] + state])
    if fused.supports_shape(gradient):
        return fused.supported(gradient).filter_backward(gradient, keep, state)
    out = torch.empty_like(gradient)
    later = torch.zeros_like(gradient[0]) if state is None else state
    for t in reversed(range(len(gradient))):
        later = gradient[t] + (later if t == len(gradient) - 1 else keep * later)
        out[t] = later
    return out
