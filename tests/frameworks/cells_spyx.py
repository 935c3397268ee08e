"""Spyx: every cell that its exporter knows, each behind a Linear layer (JAX)."""

import jax.numpy as jnp
import numpy as np
from flax import nnx
from spyx import nn as cells
from spyx.nir import to_nir

from common import BATCH, HIDDEN, INPUTS, failed_cell, save_cell, spikes, weights

KEYS = {"threshold": 1.0, "rngs": nnx.Rngs(0)}
CELLS = {
    "IF": lambda: cells.IF((HIDDEN,), **KEYS),
    "LIF": lambda: cells.LIF((HIDDEN,), beta=0.8, **KEYS),
    "CuBaLIF": lambda: cells.CuBaLIF((HIDDEN,), alpha=0.5, beta=0.8, **KEYS),
    "PSU_LIF": lambda: cells.PSU_LIF((HIDDEN,), beta=0.8, **KEYS),
    "RIF": lambda: cells.RIF((HIDDEN,), **KEYS),
    "RLIF": lambda: cells.RLIF((HIDDEN,), beta=0.8, **KEYS),
    "RCuBaLIF": lambda: cells.RCuBaLIF((HIDDEN,), alpha=0.5, beta=0.8, **KEYS),
}

x = spikes(INPUTS)
for name, make in CELLS.items():
    try:
        cell = make()
        if name.startswith("R"):
            cell.recurrent_w[...] = jnp.asarray(weights(HIDDEN, HIDDEN, 0.2, 3))
        network = cells.Sequential(nnx.Linear(INPUTS, HIDDEN, use_bias=False, rngs=nnx.Rngs(0)), cell)
        network.layers[0].kernel[...] = jnp.asarray(weights(HIDDEN, INPUTS, 0.6, 1).T)
        state, out = network.initial_state(BATCH), []
        for step in x:
            sent, state = network(jnp.asarray(step), state)
            out.append(np.asarray(sent))
        graph = to_nir(network, {"input": np.array([INPUTS])}, {"output": np.array([HIDDEN])}, dt=1)
        save_cell(name, graph, x, np.stack(out))
    except Exception as error:
        failed_cell(name, error)
