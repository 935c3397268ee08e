"""Spyx: LIF behind Linear layers (JAX), exported by spyx.nir.to_nir."""

import jax.numpy as jnp
import numpy as np
from flax import nnx
from spyx.nir import to_nir
from spyx.nn import LIF, Sequential

from common import BATCH, CLASSES, HIDDEN, INPUTS, save, spikes, weights

network = Sequential(
    nnx.Linear(INPUTS, HIDDEN, use_bias=False, rngs=nnx.Rngs(0)),
    LIF((HIDDEN,), beta=0.8, threshold=1.0, rngs=nnx.Rngs(0)),
    nnx.Linear(HIDDEN, CLASSES, use_bias=False, rngs=nnx.Rngs(1)),
    LIF((CLASSES,), beta=0.9, threshold=1.0, rngs=nnx.Rngs(1)),
)
network.layers[0].kernel[...] = jnp.asarray(weights(HIDDEN, INPUTS, 0.9, 1).T)
network.layers[2].kernel[...] = jnp.asarray(weights(CLASSES, HIDDEN, 1.2, 2).T)
x, out = spikes(INPUTS), []
state = network.initial_state(BATCH)
for step in x:
    sent, state = network(jnp.asarray(step), state)
    out.append(np.asarray(sent))
save(to_nir(network, {"input": np.array([INPUTS])}, {"output": np.array([CLASSES])}, dt=1), x, np.array(out))
