"""A small network that few bits round badly, and input for it."""

from __future__ import annotations

import nir
import numpy as np

STEPS, SAMPLES = 20, 60


def network() -> nir.NIRGraph:
    """Two layers of LIF neurons with weights that 3 bits round badly."""
    rng, one, few = np.random.default_rng(3), np.ones(24), np.ones(4)
    return nir.NIRGraph(
        nodes={
            "input": nir.Input(input_type={"input": np.array([12])}),
            "fc1": nir.Affine(weight=rng.normal(0.1, 0.6, (24, 12)), bias=0 * one),
            "lif1": nir.LIF(tau=5e-3 * one, r=5 * one, v_leak=0 * one, v_threshold=one),
            "fc2": nir.Affine(weight=rng.normal(0.05, 0.6, (4, 24)), bias=0 * few),
            "lif2": nir.LIF(tau=5e-3 * few, r=5 * few, v_leak=0 * few, v_threshold=few),
            "output": nir.Output(output_type={"output": np.array([4])}),
        },
        edges=[("input", "fc1"), ("fc1", "lif1"), ("lif1", "fc2"), ("fc2", "lif2"), ("lif2", "output")],
        metadata={"dt": 1e-3},
    )


def data(samples: int = SAMPLES, seed: int = 0) -> np.ndarray:
    """Spikes at a rate per input and sample."""
    rng = np.random.default_rng(seed)
    return (rng.random((STEPS, samples, 12)) < rng.random((1, samples, 12)) ** 2).astype(np.uint8)
