"""Bits of each layer's weights for a given number of bits per weight on average, and their choice for a network.

From full width, the step of one layer that costs least per bit saved is taken, again and again, until the average is
reached. In training the cost is a layer's rounding noise: the sum of squared rounding errors of its weights over that
of the weights, the noise power of its sums for uncorrelated inputs. It is the same in every run, so that a
training that goes on after an interruption has the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import torch

from spikeport.common.errors import InputError
from spikeport.trainer.neuron_step.quantise import LayerTensors

from .blocks import SpikingBlock
from .spiking_network import SpikingNetwork

FEWEST = 2

Costs = Mapping[str, Mapping[int, float]]
"""Layer -> bits -> cost beyond that of full width."""


class Step(NamedTuple):
    """A layer gets other bits; cost: loss per bit saved; of equal ones, the layer with more bits changes least."""

    cost: float
    order: int
    change: int
    layer: str
    bits: int


def allocate(costs: Costs, sizes: Mapping[str, int], full: Mapping[str, int], mean: float) -> dict[str, int]:
    """Bits of each layer, at most `mean` per weight, by the least loss per bit saved; raises InputError if none do.

    sizes: number of weights; full: the most bits of each layer.
    """
    bits = dict(full)
    budget = mean * sum(sizes[name] for name in full)

    def loss(name: str, number: int) -> float:
        # more bits never cost more than fewer do: what seems so is chance
        return max((value for b, value in costs[name].items() if b >= number), default=0.0)

    while sum(bits[name] * sizes[name] for name in bits) > budget:
        steps = [
            Step((loss(name, fewer) - loss(name, now)) / ((now - fewer) * sizes[name]), -now, now - fewer, name, fewer)
            for name, now in bits.items()
            for fewer in costs[name]
            if fewer < now
        ]
        if not steps:
            raise InputError(
                f"{mean:g} bits per weight on average cannot be reached: the graph has no neurons for some layers, "
                "whose bits stay; give more"
            )
        best = min(steps)
        bits[best.layer] = best.bits
    return _with_the_rest(bits, sizes, full, budget, loss)


def _with_the_rest(
    bits: dict[str, int], sizes: Mapping[str, int], full: Mapping[str, int], budget: float,
    loss: Callable[[str, int], float],
) -> dict[str, int]:  # fmt: skip
    """The bits with what the last steps left of the budget, to the layer that gains most per bit, again and again."""
    while True:
        rest = budget - sum(bits[name] * sizes[name] for name in bits)
        steps = [
            Step((loss(name, more) - loss(name, now)) / ((more - now) * sizes[name]), now, more - now, name, more)
            for name, now in bits.items()
            for more in range(now + 1, full[name] + 1)
            if (more - now) * sizes[name] <= rest
        ]
        if not steps:
            return bits
        best = min(steps)
        bits = {**bits, best.layer: best.bits}


def choose_bits(network: SpikingNetwork, mean: float) -> None:
    """Choose the bits of every layer by rounding noise, at most `mean` per weight on average; once per network."""
    blocks = {name: block for name, block in network.spiking_blocks() if block.chip is not None}
    if any(block.has_chosen_bits for block in blocks.values()):
        return
    full = {name: block.chip.weight_bits for name, block in blocks.items() if block.chip is not None}
    with torch.no_grad():
        costs = {
            name: {bits: _noise(block, bits) for bits in range(FEWEST, full[name])} for name, block in blocks.items()
        }
        sizes = {name: sum(w.numel() for w in _weights(block.folded())) for name, block in blocks.items()}
        for name, bits in allocate(costs, sizes, full, mean).items():
            blocks[name].choose_bits(bits)


def _noise(block: SpikingBlock, bits: int) -> float:
    assert block.chip is not None
    layer = block.folded()
    rounded = block.rounded(layer, replace(block.chip, weight_bits=bits))
    pairs = zip(_weights(layer), _weights(rounded), strict=True)
    errors = sum(float((w - q).double().square().sum()) for w, q in pairs)
    return errors / max(sum(float(w.double().square().sum()) for w in _weights(layer)), 1e-30)


def _weights(layer: LayerTensors) -> list[torch.Tensor]:
    return [w for w in (layer.weight, layer.recurrent, layer.shortcut) if w is not None]
