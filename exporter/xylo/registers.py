"""What training chose for a network's layers, so that compiling it again gives the same integers.

A population keeps them as `registers` (exporter/float_network), in a NIR file as metadata:

    xylo_scale       integers per threshold of the network, for each neuron
    xylo_threshold   the thresholds
    xylo_factor      what the thresholds were corrected by, in the network's units
    xylo_shifts      of the matrices that lead to it, in the order of the block's
    xylo_words       the largest weight, threshold and bias
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.float_network.float_network import FloatPopulation

from .layout import Layout
from .rounded_network import RoundedNetwork
from .rounding import FloatBlock, RoundedBlock, Words, round_at, with_threshold

_SHAPES = {"xylo_scale": None, "xylo_threshold": None, "xylo_factor": 1, "xylo_shifts": 0, "xylo_words": 3}
BASIS = "training"


def registers_of(rounded: RoundedNetwork, kind: str, population: FloatPopulation, words: Words) -> dict[str, Any]:
    """The registers of a population of a kind, hidden or outputs."""
    own = rounded.layout.places[kind][population.name]
    before, block = rounded.floats[kind], rounded.rounded[kind]
    return {
        "xylo_scale": block.scale[own] * population.threshold,
        "xylo_threshold": block.threshold[own],
        "xylo_factor": before.threshold[own][:1] / population.threshold[:1],
        "xylo_shifts": np.array([block.shifts[name] for name in block.weights]),
        "xylo_words": np.array(astuple(words)),
    }


def round_as_trained(
    layout: Layout, floats: Mapping[str, FloatBlock], words: Words, shifts: range
) -> RoundedNetwork | None:
    """The blocks in the integers of training; None where a population has no registers, or such of another chip."""
    corrected, rounded = {}, {}
    for kind, block in floats.items():
        populations: tuple[FloatPopulation, ...] = getattr(layout, kind)
        if not all(_usable(p, words, len(block.weights), shifts) for p in populations):
            return None
        for population in populations:
            factor = float(population.registers["xylo_factor"].flat[0])
            block = with_threshold(block, layout.places[kind][population.name], factor)
        corrected[kind], rounded[kind] = block, _rounded(block, populations, words)
    return RoundedNetwork(layout, corrected, rounded, BASIS)


def _rounded(block: FloatBlock, populations: Sequence[FloatPopulation], words: Words) -> RoundedBlock:
    scale = _joined([p.registers["xylo_scale"].reshape(-1) / p.threshold for p in populations])
    threshold = _joined([p.registers["xylo_threshold"].reshape(-1) for p in populations])
    stored = populations[0].registers["xylo_shifts"].tolist() if populations else [0] * len(block.weights)
    return round_at(block, dict(zip(block.weights, stored, strict=True)), scale, threshold, words)


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0)


def _usable(population: FloatPopulation, words: Words, matrices: int, shifts: range) -> bool:
    """Whether all registers are there, in the sizes of this population and for these words."""
    found = population.registers
    for name, size in _SHAPES.items():
        wanted = population.size if size is None else size or matrices
        if name not in found or found[name].size != wanted:
            return False
    threshold = found["xylo_threshold"]
    return (
        tuple(found["xylo_words"].tolist()) == astuple(words)
        and all(int(shift) in shifts for shift in found["xylo_shifts"])
        and bool((found["xylo_scale"] > 0).all() and (threshold >= 0).all() and (threshold <= words.threshold).all())
        and float(found["xylo_factor"].flat[0]) > 0
    )
