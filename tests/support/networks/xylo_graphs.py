"""NIR graphs of the size of a Xylo chip."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import nir
import numpy as np


def cuba(size: int, synaptic: float, membrane: float, dt: float = 1e-3, threshold: float = 1.0) -> nir.CubaLIF:
    """CubaLIF neurons with time constants in steps; a synapse of weight 1 adds 1 to the current."""
    one = np.ones(size)
    return nir.CubaLIF(
        tau_syn=one * synaptic * dt, tau_mem=one * membrane * dt, r=one * membrane, v_leak=one * 0,
        v_threshold=one * threshold, w_in=one * synaptic,
    )  # fmt: skip


def lif(size: int, membrane: float, dt: float = 1e-3, threshold: float = 1.0) -> nir.LIF:
    """LIF neurons with a time constant in steps; a synapse of weight 1 adds 1 to the voltage."""
    one = np.ones(size)
    return nir.LIF(tau=one * membrane * dt, r=one * membrane, v_leak=one * 0, v_threshold=one * threshold)


def chain(neurons: Sequence[nir.NIRNode], weights: Sequence[np.ndarray], dt: float = 1e-3) -> nir.NIRGraph:
    """Layers behind each other, `w0`, `n0`, `w1`, ..., with their time step."""
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input({"input": np.array([weights[0].shape[1]])})}
    for number, (neuron, weight) in enumerate(zip(neurons, weights, strict=True)):
        nodes |= {f"w{number}": nir.Linear(weight), f"n{number}": neuron}
    nodes["output"] = nir.Output({"output": np.array([weights[-1].shape[0]])})
    names = list(nodes)
    return nir.NIRGraph(nodes, list(pairwise(names)), metadata={"dt": dt})


def random_weights(sizes: Sequence[int], drive: float, seed: int = 0) -> list[np.ndarray]:
    """Weights of layers of these sizes, of both signs, of a sum of squares of drive**2 for each neuron."""
    random = np.random.default_rng(seed)
    pairs = pairwise(sizes)
    return [(random.normal(0.2, 1, (m, n)) * drive / np.sqrt(n)).astype(np.float32) for n, m in pairs]
