"""The two recurrences of a neuron over a whole sequence, in the chip's order.

On CPU they run as compiled kernels (fused.py), elsewhere and for other types of number step by step in torch; both give
the same numbers to the last bit.
"""

from __future__ import annotations

import torch
from torch import Tensor

from . import fused
from .surrogates import Surrogate


def filter_current(synaptic_input: Tensor, du: Tensor, start: Tensor | None = None) -> Tensor:
    """Synaptic filter, u[t] = u[t-1] * (1 - du) + a[t] with u[-1] = start, 0 without.

    synaptic_input: a, shape (T, B, *neurons); du: fraction of u lost a step, broadcast over *neurons.
    """
    keep = 1 - du
    if fused.fits(synaptic_input, keep):
        return fused.filter_fused(synaptic_input, keep, start)
    return filter_stepwise(synaptic_input, keep, start)


def integrate_and_fire(
    current: Tensor, dv: Tensor, vth: Tensor, spike: Surrogate, width: float, bias: Tensor | None = None
) -> Tensor:
    """Membrane, v[t] = v[t-1] * (1 - dv) + (i[t] + bias); s[t] = v[t] > vth; v[t] = 0 where s[t], with v[-1] = 0.

    current: i, shape (T, B, *neurons); dv, vth, bias (0 without): broadcast over *neurons. Returns spikes of the
    shape of `current`. The reset is not differentiated through (Zenke & Vogels, Neural Computation 33(4), 2021).
    """
    return integrate_and_fire_from(None, current, dv, vth, spike, width, bias)[0]


def integrate_and_fire_from(
    start: Tensor | None,
    current: Tensor,
    dv: Tensor,
    vth: Tensor,
    spike: Surrogate,
    width: float,
    bias: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The same with v[-1] = start, (B, *neurons), 0 without; also returns v after the last step, (B, *neurons)."""
    return integrate_and_fire_over(start, current.clone(), dv, vth, spike, width, bias)


def integrate_and_fire_over(
    start: Tensor | None,
    current: Tensor,
    dv: Tensor,
    vth: Tensor,
    spike: Surrogate,
    width: float,
    bias: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The same for a current that nothing else reads: its memory may hold v afterwards, and then its gradient.

    Where another operation kept it for its backward pass, torch raises that it was modified in place.
    """
    keep = 1 - dv
    if fused.fits(current, keep, vth, *([] if bias is None else [bias])) and fused.knows(spike):
        return fused.fire_fused(current, bias, keep, vth, spike, width, start)
    return fire_stepwise(current if bias is None else current + bias, keep, vth, spike, width, start)


def filter_stepwise(synaptic_input: Tensor, keep: Tensor, start: Tensor | None = None) -> Tensor:
    """`filter_current` in torch operations, with keep = 1 - du."""
    current = torch.zeros_like(synaptic_input[0]) if start is None else start
    currents = []
    for step in synaptic_input.unbind(0):
        current = current * keep + step
        currents.append(current)
    return torch.stack(currents)


def fire_stepwise(
    current: Tensor, keep: Tensor, vth: Tensor, spike: Surrogate, width: float, start: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """`integrate_and_fire_from` in torch operations, with keep = 1 - dv."""
    voltage = torch.zeros_like(current[0]) if start is None else start
    spikes = []
    for step in current.unbind(0):
        voltage = voltage * keep + step
        fired = spike(voltage - vth, width)
        voltage = voltage * (1 - fired.detach())
        spikes.append(fired)
    return torch.stack(spikes), voltage


def integrate_recurrent(
    current: Tensor, weights: Tensor, du: Tensor, dv: Tensor, vth: Tensor, spike: Surrogate, width: float
) -> Tensor:
    """Membrane of neurons that also read each other's spikes of the step before, through the same synaptic filter.

    r[t] = r[t-1] * (1 - du) + V s[t-1];  v[t] = v[t-1] * (1 - dv) + i[t] + r[t];  s[t] = v[t] > vth;  v[t] = 0 where
    s[t], with r[-1] = v[-1] = 0 and no spikes before the first step. current: i, (T, B, neurons), filtered already;
    weights: V, (neurons, neurons). The reset is not differentiated through, the recurrence is.
    """
    return integrate_recurrent_from(None, current, weights, du, dv, vth, spike, width)[0]


def integrate_recurrent_from(
    start: tuple[Tensor, Tensor, Tensor] | None,
    current: Tensor,
    weights: Tensor,
    du: Tensor,
    dv: Tensor,
    vth: Tensor,
    spike: Surrogate,
    width: float,
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """The same with r, v and s before the first step, 0 without; also returns r, v and s after the last step."""
    keep_current, keep = 1 - du, 1 - dv
    rest = torch.zeros_like(current[0])
    recurrent, voltage, fired = (rest, rest, rest) if start is None else start
    spikes = []
    for step in current.unbind(0):
        recurrent = recurrent * keep_current + fired @ weights.T
        voltage = voltage * keep + (step + recurrent)
        fired = spike(voltage - vth, width)
        voltage = voltage * (1 - fired.detach())
        spikes.append(fired)
    return torch.stack(spikes), (recurrent, voltage, fired)
