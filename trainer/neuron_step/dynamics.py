"""The two recurrences of a neuron over a whole sequence, in the chip's order.

On the CPU they run as compiled kernels (fused.py); on other devices and for other dtypes, step by step in torch. Both
give bit-identical results.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from . import fused
from .surrogates import Surrogate

Reset = Callable[[Tensor, Tensor], Tensor]
"""v after the spikes of a step, from v before them and the spikes."""


def filter_current(synaptic_input: Tensor, current_decay: Tensor, start: Tensor | None = None) -> Tensor:
    """Synaptic filter, u[t] = u[t-1] * (1 - current_decay) + a[t] with u[-1] = start (default 0).

    synaptic_input: a, shape (T, B, *neurons); current_decay: fraction of u lost per step, broadcast over *neurons.
    """
    keep = 1 - current_decay
    if fused.supports_shape(synaptic_input, keep):
        return fused.filter_fused(synaptic_input, keep, start)
    return filter_stepwise(synaptic_input, keep, start)


def integrate_and_fire(
    current: Tensor,
    voltage_decay: Tensor,
    threshold: Tensor,
    spike: Surrogate,
    width: float,
    bias: Tensor | None = None,
) -> Tensor:
    """Membrane of leaky integrate-and-fire neurons, with v[-1] = 0.

    v[t] = v[t-1] * (1 - voltage_decay) + (i[t] + bias);  s[t] = v[t] > threshold;  v[t] = 0 where s[t]

    current: i, shape (T, B, *neurons); voltage_decay, threshold, bias (default 0): broadcast over *neurons. Returns
    spikes of the shape of `current`. No gradient flows through the reset (Zenke & Vogels, Neural Computation 33(4),
    2021).
    """
    return integrate_and_fire_from(None, current, voltage_decay, threshold, spike, width, bias)[0]


def integrate_and_fire_from(
    start: Tensor | None,
    current: Tensor,
    voltage_decay: Tensor,
    threshold: Tensor,
    spike: Surrogate,
    width: float,
    bias: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """As integrate_and_fire with v[-1] = start (default 0); also returns v after the last step, both (B, *neurons)."""
    return integrate_and_fire_over(start, current.clone(), voltage_decay, threshold, spike, width, bias)


def integrate_and_fire_over(
    start: Tensor | None,
    current: Tensor,
    voltage_decay: Tensor,
    threshold: Tensor,
    spike: Surrogate,
    width: float,
    bias: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """As integrate_and_fire_from, but overwrites `current`: its memory may hold v afterwards, and then its gradient.

    If another operation saved `current` for its backward pass, torch reports that it was modified in place.
    """
    keep = 1 - voltage_decay
    if fused.supports_shape(current, keep, threshold, *([] if bias is None else [bias])) and fused.supports_surrogate(
        spike
    ):
        return fused.fire_fused(current, bias, keep, threshold, spike, width, start)
    return fire_stepwise(current if bias is None else current + bias, keep, threshold, spike, width, start)


def filter_stepwise(synaptic_input: Tensor, keep: Tensor, start: Tensor | None = None) -> Tensor:
    """`filter_current` in torch operations, with keep = 1 - current_decay."""
    current = torch.zeros_like(synaptic_input[0]) if start is None else start
    currents = []
    for step in synaptic_input.unbind(0):
        current = current * keep + step
        currents.append(current)
    return torch.stack(currents)


def reset_apart(voltage: Tensor, fired: Tensor) -> Tensor:
    """v after its reset to 0; no gradient flows through the reset."""
    return voltage * (1 - fired.detach())


def reset_through(voltage: Tensor, fired: Tensor) -> Tensor:
    """v after its reset to 0; a spike that comes by a small change takes v away, and the gradient says so."""
    return voltage * (1 - fired)


def fire_stepwise(
    current: Tensor,
    keep: Tensor,
    threshold: Tensor,
    spike: Surrogate,
    width: float,
    start: Tensor | None = None,
    reset: Reset = reset_apart,
) -> tuple[Tensor, Tensor]:
    """`integrate_and_fire_from` in torch operations, with keep = 1 - voltage_decay."""
    voltage = torch.zeros_like(current[0]) if start is None else start
    spikes = []
    for step in current.unbind(0):
        voltage = voltage * keep + step
        fired = spike(voltage - threshold, width)
        voltage = reset(voltage, fired)
        spikes.append(fired)
    return torch.stack(spikes), voltage


def integrate_recurrent(
    current: Tensor,
    weights: Tensor,
    current_decay: Tensor,
    voltage_decay: Tensor,
    threshold: Tensor,
    spike: Surrogate,
    width: float,
) -> Tensor:
    """Membrane of neurons that read each other's spikes one step later, through the same synaptic filter.

    r[t] = r[t-1] * (1 - current_decay) + V s[t-1];  v[t] = v[t-1] * (1 - voltage_decay) + i[t] + r[t]
    s[t] = v[t] > threshold;  v[t] = 0 where s[t]

    r[-1] = v[-1] = 0, and there are no spikes before the first step. current: i, (T, B, neurons), already filtered;
    weights: V, (neurons, neurons). Gradients flow through the recurrence, but not through the reset.
    """
    return integrate_recurrent_from(None, current, weights, current_decay, voltage_decay, threshold, spike, width)[0]


def integrate_recurrent_from(
    start: tuple[Tensor, Tensor, Tensor] | None,
    current: Tensor,
    weights: Tensor,
    current_decay: Tensor,
    voltage_decay: Tensor,
    threshold: Tensor,
    spike: Surrogate,
    width: float,
    reset: Reset = reset_apart,
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """As integrate_recurrent from initial r, v and s (default 0); also returns r, v and s after the last step."""
    keep_current, keep = 1 - current_decay, 1 - voltage_decay
    rest = torch.zeros_like(current[0])
    recurrent, voltage, fired = (rest, rest, rest) if start is None else start
    spikes = []
    for step in current.unbind(0):
        recurrent = recurrent * keep_current + fired @ weights.T
        voltage = voltage * keep + (step + recurrent)
        fired = spike(voltage - threshold, width)
        voltage = reset(voltage, fired)
        spikes.append(fired)
    return torch.stack(spikes), (recurrent, voltage, fired)
