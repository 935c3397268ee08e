"""What a whole spike train does to a neuron that is reset to zero: responses, and how much of them counts at firing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spikeport.trainer.network.blocks import Flatten, SpikingBlock, average
from spikeport.trainer.neuron_step.dynamics import filter_current


@dataclass(frozen=True)
class Trains:
    """A population's spikes, (T, B, *neurons), and what gradients flow through: its counts or rates, (B, *neurons)."""

    spikes: Tensor
    level: Tensor

    def through(self, block: Flatten | SpikingBlock) -> Trains:
        """What a block reads: pooled as it asks for, and flattened by a Flatten."""
        spikes = average(self.spikes, block.pool)
        level = average(self.level.unsqueeze(0), block.pool).squeeze(0)
        return Trains(spikes.flatten(2), level.flatten(1)) if isinstance(block, Flatten) else Trains(spikes, level)


def zero_with_gradient(value: Tensor) -> Tensor:
    """Exact zeros through which the value's gradient flows."""
    return value - value.detach()


def response(spikes: Tensor, du: Tensor, dv: Tensor) -> Tensor:
    """What v would be at weight 1 without a reset: p[t] = p[t-1] (1 - du) + s[t];  q[t] = q[t-1] (1 - dv) + p[t].

    spikes: (T, B, *neurons); du, dv: scalars, of the neuron that receives them. Returns q of the same shape.
    """
    return filter_current(filter_current(spikes, du), dv)


def largest_response(du: Tensor, dv: Tensor, steps: int) -> Tensor:
    """The peak of `response` to a single spike within that many steps, a scalar."""
    spike = torch.zeros(steps, 1, dtype=dv.dtype, device=dv.device)
    spike[0] = 1
    return response(spike, du, dv).max()


def mean_response(spikes: Tensor, du: Tensor, dv: Tensor) -> Tensor:
    """The mean over time of `response`, (B, *neurons), as a weighted sum of the spikes."""
    steps = len(spikes)
    spike = torch.zeros(steps, 1, dtype=dv.dtype, device=dv.device)
    spike[0] = 1
    left = response(spike, du, dv).squeeze(1).cumsum(0).flip(0) / steps
    mean: Tensor = torch.tensordot(left, spikes, 1)
    return mean


def bias_response(steps: int, dv: Tensor) -> Tensor:
    """What v would be at bias 1 without a reset, (T,): b[t] = b[t-1] (1 - dv) + 1."""
    ones = torch.ones(steps, 1, dtype=dv.dtype, device=dv.device)
    return filter_current(ones, dv).squeeze(1)


def firing_coefficients(spikes: Tensor, dv: Tensor) -> Tensor:
    """How much of a response without reset is in v when the neuron fires, summed over its firings.

    v[t_f] = q[t_f] - (1 - dv)**(t_f - t_p) q[t_p], t_p the firing before: a reset to zero takes away what stood in v
    and what would be left of it, so that sum over firings of v[t_f] = sum over t of c[t] q[t] with
    c[t] = s[t] (1 - (1 - dv)**(t_n - t)), t_n the next firing (no second term after the last one).
    spikes: of the neuron that is reset, (T, B, *neurons); dv: scalar. Returns c of the same shape.
    """
    keep = 1 - dv
    left = torch.zeros_like(spikes[0])
    coefficients = []
    for fired in reversed(spikes.unbind(0)):
        coefficients.append(fired * (1 - left))
        # what a spike in the step before would still lose at the next firing
        left = keep * torch.where(fired > 0, 1.0, left)
    return torch.stack(coefficients[::-1])


def input_shares(coefficients: Tensor, du: Tensor, dv: Tensor) -> Tensor:
    """How much of the input of each step is in v at the firings: k with sum of c[t] response(a)[t] = sum of k[t] a[t].

    The response is linear and the same at every step, so k is the response of c with time turned round.
    coefficients: c, see firing_coefficients, (T, B, *neurons). Returns k of the same shape.
    """
    return response(coefficients.flip(0), du, dv).flip(0)


def delayed(spikes: Tensor) -> Tensor:
    """The same spikes one step later, as a recurrent synapse hands them over: (T, ...)."""
    return torch.cat((torch.zeros_like(spikes[:1]), spikes[:-1]))
