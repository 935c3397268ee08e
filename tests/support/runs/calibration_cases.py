"""A network of two inputs, for what is calibrated on several arrays."""

from __future__ import annotations

import nir
import numpy as np


def two_inputs() -> nir.NIRGraph:
    """Two inputs, of 3 and of 2 x 2 elements, that one layer hears."""
    rng, each = np.random.default_rng(0), np.ones(6)
    nodes = {
        "left": nir.Input({"input": np.array([3])}),
        "right": nir.Input({"input": np.array([2, 2])}),
        "flat": nir.Flatten({"input": np.array([2, 2])}, 0, -1),
        "a": nir.Linear(rng.normal(size=(6, 3))),
        "b": nir.Linear(rng.normal(size=(6, 4))),
        "lif": nir.LIF(tau=5e-3 * each, r=5 * each, v_leak=0 * each, v_threshold=each, v_reset=0 * each),
        "out": nir.Output({"output": np.array([6])}),
    }
    edges = [("left", "a"), ("right", "flat"), ("flat", "b"), ("a", "lif"), ("b", "lif"), ("lif", "out")]
    return nir.NIRGraph(nodes, edges, {"dt": 1e-3}, type_check=False)
