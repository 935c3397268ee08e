"""Connections between the neurons of a reservoir."""

from __future__ import annotations

import torch
from torch import Tensor

from spikeport.common.errors import InputError

EXCITATORY = 0.8
# from the authors' code: probability of a synapse at distance 0, by whether the source and the target are excitatory
CHANCE = ((0.15, 0.6), (0.3, 0.45))
REACH = 4.0


def reservoir_mask(sides: tuple[int, int, int], neurons: int) -> Tensor:
    """1 where neuron j (column) reaches neuron i (row), else 0, drawn from torch's generator; (neurons, neurons).

    The neurons form a grid with these sides; 80% of them count as excitatory; a synapse exists with probability
    c exp(-d**2 / 4), d the distance, c 0.45 between excitatory neurons, 0.3 from an excitatory to an inhibitory one,
    0.6 the other way and 0.15 between inhibitory ones. Weights may have either sign. Raises InputError if the grid has
    another size.
    Source: stonezwr/ST-RSBP, layers/Reservoir.cu; the liquid state machine of Maass, Natschlager & Markram, Neural
    Computation 14(11), 2002.
    """
    if sides[0] * sides[1] * sides[2] != neurons:
        raise InputError(f"a reservoir of {sides[0]} x {sides[1]} x {sides[2]} places does not hold {neurons} neurons")
    position = torch.cartesian_prod(*(torch.arange(float(side)) for side in sides))
    distance = (position[:, None] - position[None]).square().sum(-1)
    excites = (torch.rand(neurons) < EXCITATORY).long()
    chance = torch.tensor(CHANCE)[excites[None, :], excites[:, None]]
    return (torch.rand(neurons, neurons) < chance * (-distance / REACH).exp()).float()
