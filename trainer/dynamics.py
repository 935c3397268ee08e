"""The two recurrences of a neuron over a whole sequence, in the chip's order."""

from __future__ import annotations

import torch
from torch import Tensor

from .surrogates import Surrogate


def filter_current(synaptic_input: Tensor, du: Tensor) -> Tensor:
    """Synaptic filter, u[t] = u[t-1] * (1 - du) + a[t] with u[-1] = 0.

    synaptic_input: a, shape (T, B, *neurons); du: fraction of u lost a step, broadcast over *neurons.
    """
    keep = 1 - du
    current = torch.zeros_like(synaptic_input[0])
    currents = []
    for step in synaptic_input.unbind(0):
        current = current * keep + step
        currents.append(current)
    return torch.stack(currents)


def integrate_and_fire(current: Tensor, dv: Tensor, vth: Tensor, spike: Surrogate, width: float) -> Tensor:
    """Membrane, v[t] = v[t-1] * (1 - dv) + i[t]; s[t] = v[t] > vth; v[t] = 0 where s[t], with v[-1] = 0.

    current: i, shape (T, B, *neurons); dv, vth: broadcast over *neurons. Returns spikes of the shape of `current`.
    The reset is not differentiated through (Zenke & Vogels, Neural Computation 33(4), 2021).
    """
    keep = 1 - dv
    voltage = torch.zeros_like(current[0])
    spikes = []
    for step in current.unbind(0):
        voltage = voltage * keep + step
        fired = spike(voltage - vth, width)
        voltage = voltage * (1 - fired.detach())
        spikes.append(fired)
    return torch.stack(spikes)


def integrate_recurrent(
    current: Tensor, weights: Tensor, du: Tensor, dv: Tensor, vth: Tensor, spike: Surrogate, width: float
) -> Tensor:
    """Membrane of neurons that also read each other's spikes of the step before, through the same synaptic filter.

    r[t] = r[t-1] * (1 - du) + V s[t-1];  v[t] = v[t-1] * (1 - dv) + i[t] + r[t];  s[t] = v[t] > vth;  v[t] = 0 where
    s[t], with r[-1] = v[-1] = 0 and no spikes before the first step. current: i, (T, B, neurons), filtered already;
    weights: V, (neurons, neurons). The reset is not differentiated through, the recurrence is.
    """
    keep_current, keep = 1 - du, 1 - dv
    recurrent, voltage, fired = (torch.zeros_like(current[0]) for _ in range(3))
    spikes = []
    for step in current.unbind(0):
        recurrent = recurrent * keep_current + fired @ weights.T
        voltage = voltage * keep + (step + recurrent)
        fired = spike(voltage - vth, width)
        voltage = voltage * (1 - fired.detach())
        spikes.append(fired)
    return torch.stack(spikes)
