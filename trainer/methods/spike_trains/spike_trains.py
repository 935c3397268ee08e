"""Responses of a neuron with reset to zero to whole spike trains, and their share in v when it fires."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spikeport.trainer.network.blocks import Flatten, SpikingBlock
from spikeport.trainer.network.pooling import pooled
from spikeport.trainer.neuron_step.dynamics import filter_current


@dataclass(frozen=True)
class Trains:
    """A population's spikes, (T, B, *neurons), and its counts or rates, (B, *neurons), which carry the gradient."""

    spikes: Tensor
    level: Tensor

    def through(self, block: Flatten | SpikingBlock) -> Trains:
        """The input of a block: pooled as it requires, and flattened by a Flatten."""
        spikes = pooled(self.spikes, block.pool, block.pool_kind)
        level = pooled(self.level.unsqueeze(0), block.pool, block.pool_kind).squeeze(0)
        return Trains(spikes.flatten(2), level.flatten(1)) if isinstance(block, Flatten) else Trains(spikes, level)


def zero_with_gradient(value: Tensor) -> Tensor:
    """Exact zeros with the gradient of the value."""
    return value - value.detach()


def response(spikes: Tensor, current_decay: Tensor, voltage_decay: Tensor) -> Tensor:
    """v at weight 1 without a reset, from p[t] = p[t-1] (1 - current_decay) + s[t];  q[t] = q[t-1] (1 - d) + p[t].

    spikes: s, (T, B, *neurons); current_decay, voltage_decay (d): scalars, of the receiving neuron. Returns q of the
    same shape.
    """
    return filter_current(filter_current(spikes, current_decay), voltage_decay)


def largest_response(current_decay: Tensor, voltage_decay: Tensor, steps: int) -> Tensor:
    """The peak of `response` to a single spike within `steps` steps, a scalar."""
    spike = torch.zeros(steps, 1, dtype=voltage_decay.dtype, device=voltage_decay.device)
    spike[0] = 1
    return response(spike, current_decay, voltage_decay).max()


def mean_response(spikes: Tensor, current_decay: Tensor, voltage_decay: Tensor) -> Tensor:
    """The mean over time of `response`, (B, *neurons), as a weighted sum of the spikes."""
    steps = len(spikes)
    spike = torch.zeros(steps, 1, dtype=voltage_decay.dtype, device=voltage_decay.device)
    spike[0] = 1
    remaining = response(spike, current_decay, voltage_decay).squeeze(1).cumsum(0).flip(0) / steps
    mean: Tensor = torch.tensordot(remaining, spikes, 1)
    return mean


def bias_response(steps: int, voltage_decay: Tensor) -> Tensor:
    """v at bias 1 without a reset, (T,): b[t] = b[t-1] (1 - voltage_decay) + 1."""
    ones = torch.ones(steps, 1, dtype=voltage_decay.dtype, device=voltage_decay.device)
    return filter_current(ones, voltage_decay).squeeze(1)


def firing_coefficients(spikes: Tensor, voltage_decay: Tensor) -> Tensor:
    """How much of a response without reset is in v when the neuron fires, summed over its firings.

    v[t_f] = q[t_f] - (1 - d)**(t_f - t_p) q[t_p], t_p the previous firing, d the voltage_decay: a reset to zero removes
    v and its later remainder, so that sum over firings of v[t_f] = sum over t of c[t] q[t] with
    c[t] = s[t] (1 - (1 - d)**(t_n - t)), t_n the next firing (no second term after the last one).
    spikes: of the neuron that is reset, (T, B, *neurons); voltage_decay: scalar. Returns c of the same shape.
    """
    keep = 1 - voltage_decay
    left = torch.zeros_like(spikes[0])
    coefficients = []
    for fired in reversed(spikes.unbind(0)):
        coefficients.append(fired * (1 - left))
        # what a spike one step earlier would still lose at the next firing
        left = keep * torch.where(fired > 0, 1.0, left)
    return torch.stack(coefficients[::-1])


def input_shares(coefficients: Tensor, current_decay: Tensor, voltage_decay: Tensor) -> Tensor:
    """How much of the input of each step is in v at the firings: k with sum of c[t] response(a)[t] = sum of k[t] a[t].

    The response is linear and time-invariant, so k is the response of c with time reversed.
    coefficients: c, see firing_coefficients, (T, B, *neurons). Returns k of the same shape.
    """
    return response(coefficients.flip(0), current_decay, voltage_decay).flip(0)


def delayed(spikes: Tensor) -> Tensor:
    """The spikes delayed by one step, as a recurrent synapse delivers them: (T, ...)."""
    return torch.cat((torch.zeros_like(spikes[:1]), spikes[:-1]))
