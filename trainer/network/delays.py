"""Learned delays of spikes in steps, one per axon or one per synapse.

A delay p is a real number while it is learned: a spike of step t arrives spread over the steps t + k with the shares

    g[k] = exp(-(k - p)**2 / (2 w**2)) / sum over j of exp(-(j - p)**2 / (2 w**2)),   k = 0 .. longest

whose width w shrinks from a quarter of the longest delay to half a step; then p is rounded and the spike arrives whole,
while p keeps learning by the slopes of the narrowest g. Delays are relative to the layer's smallest one, because a
delay common to all does not shift spikes relative to each other.
Source: Hammouamri, Khalfaoui-Hassani & Masquelier, Learning Delays in Spiking Neural Networks using Dilated
Convolutions with Learnable Spacings, ICLR 2024 (arXiv:2306.17670): a Gaussian of shrinking width, rounded in the end.
The initial width, the origin at the smallest delay and positions as a fraction of the longest one are this project's.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, one_hot, pad

from spikeport.common.errors import InputError
from spikeport.hardware_profiles.fixed_point import WordWidths

DelayKind = Literal["none", "axonal", "synaptic"]
KINDS: tuple[DelayKind, ...] = ("none", "axonal", "synaptic")
LONGEST = WordWidths().delay_max
NARROWEST = 0.5
WIDEST = 0.25


class Delays(nn.Module):
    """Delays of a dense layer's inputs: one per axon, (inputs,), or one per synapse, (outputs, inputs).

    position: (p / longest) - 1/2, drawn uniformly from torch's generator; width: w in steps, None for whole delays.
    In eval mode delays are whole. Raises InputError for a longest delay that the chip does not support.
    """

    def __init__(self, shape: tuple[int, ...], longest: int) -> None:
        super().__init__()
        if not 1 <= longest <= LONGEST:
            raise InputError(f"longest_delay is 1 to {LONGEST} steps, not {longest}")
        self.longest = longest
        self.width: float | None = WIDEST * longest
        self.position = nn.Parameter(torch.rand(shape) - 0.5)

    @property
    def whole(self) -> bool:
        """True if a spike arrives in a single step."""
        return self.width is None or not self.training

    def narrow(self, share: float) -> None:
        """Set the width for a share of the learning time, 0 to 1: geometric, whole delays from 1 on."""
        widest = max(WIDEST * self.longest, NARROWEST)
        self.width = None if share >= 1 else widest * (NARROWEST / widest) ** share

    def steps(self) -> Tensor:
        """The whole delays, int64."""
        return _from_least(self._positions().detach().round()).long()

    def shares(self) -> Tensor:
        """g, (*shape, longest + 1), with its slopes; 0 or 1 where delays are whole."""
        if self.training:
            with torch.no_grad():
                self.position.clamp_(-0.5, 0.5)
        steps = torch.arange(self.longest + 1, dtype=self.position.dtype, device=self.position.device)
        distance = steps - _from_least(self._positions()).unsqueeze(-1)
        spread = torch.softmax(-distance.square() / (2 * (self.width or NARROWEST) ** 2), -1)
        if not self.whole:
            return spread
        return one_hot(self.steps(), self.longest + 1).to(spread) + (spread - spread.detach())

    def connect(self, weight: Tensor, spikes: Tensor) -> Tensor:
        """Apply a dense synapse with weights (outputs, inputs) to spikes (T, B, inputs): (T, B, outputs)."""
        shares = self.shares()
        if shares.dim() == 2:
            late = sum(_later(spikes, k) * shares[:, k] for k in range(self.longest + 1))
            return nn.functional.linear(late, weight).to(weight.dtype)  # type: ignore[arg-type]
        kernel = (weight.unsqueeze(-1) * shares).flip(-1)
        summed = conv1d(pad(spikes.permute(1, 2, 0), (self.longest, 0)), kernel)
        return summed.permute(2, 0, 1).to(weight.dtype)

    def _positions(self) -> Tensor:
        return (self.position + 0.5) * self.longest


def _from_least(delays: Tensor) -> Tensor:
    return delays - delays.detach().min()


def _later(spikes: Tensor, steps: int) -> Tensor:
    """The spikes delayed by that many steps; those after the end are dropped."""
    if steps == 0:
        return spikes
    return torch.cat([torch.zeros_like(spikes[:steps]), spikes[:-steps]])[: len(spikes)]


def narrow_delays(network: nn.Module, share: float) -> None:
    """Narrow all delays of a network (see Delays.narrow)."""
    for module in network.modules():
        if isinstance(module, Delays):
            module.narrow(share)
