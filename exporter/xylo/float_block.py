"""The hidden or the output neurons of a Xylo chip before rounding: decays fitted, gains in weights and biases."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.float_network.float_network import FloatNetwork, FloatPopulation

from .decays import Decays, fit_decays
from .layout import Layout, float_weights, joined
from .rounding import FloatBlock


def float_block(network: FloatNetwork, layout: Layout, kind: str, longest: int) -> FloatBlock:
    """The block of a kind of neurons, hidden or outputs; longest: the largest dash."""
    populations: tuple[FloatPopulation, ...] = getattr(layout, kind)
    direct = [is_direct(p, network) if kind == "hidden" else np.zeros(p.size, bool) for p in populations]
    fitted = [fit_decays(p, own, longest) for p, own in zip(populations, direct, strict=True)]
    decays = _joined_decays(fitted)
    all_direct = np.concatenate(direct) if direct else np.zeros(0, bool)
    subtracted = joined(populations, "subtracted")
    gain = decays.weight_gain[:, None]
    matrices = ("in", "rec") if kind == "hidden" else ("out",)
    weights = {name: float_weights(network, layout, name) * gain for name in matrices}
    if all_direct.any():
        weights["rec"] -= np.diag(subtracted * all_direct)
    return FloatBlock(
        weights,
        joined(populations, "threshold"),
        joined(populations, "bias") * decays.bias_gain,
        subtracted,
        all_direct,
        decays,
    )


def is_direct(population: FloatPopulation, network: FloatNetwork) -> NDArray[np.bool_]:
    """Hidden neurons without a synaptic current of their own, (size,), whose synapse takes their membrane's place."""
    driven = any(c.target == population.name for c in network.connections)
    direct: NDArray[np.bool_] = (population.current_decay == 1) & (population.bias == 0) & driven
    return direct


def _joined_decays(parts: list[Decays]) -> Decays:
    if not parts:
        none, whole = np.zeros(0), np.zeros(0, np.int32)
        return Decays(whole, whole, none, none, none)
    columns: dict[str, Any] = {item.name: [getattr(part, item.name) for part in parts] for item in fields(Decays)}
    return Decays(**{name: np.concatenate(column) for name, column in columns.items()})
