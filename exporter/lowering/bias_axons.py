"""Bias axons: a constant current that passes the synaptic filter, which the chip has no register for.

NIR adds an Affine's bias to the input of a CubaLIF, so it is filtered like a spike's charge; the chip adds bias to v,
behind the filter. A compartment that fires in every step, joined to the neurons by weights that are the bias, does it
exactly:

    NIR    i <- i (1 - dt/tau_syn) + dt/tau_syn w_in (W s + b)
    chip   u <- u (1 - current_decay) + W s + b * 1

Nothing leads to the compartment, so it stands at depth 0 and its spike of step 0 arrives together with the earliest
that the first input can cause; its connection is rounded, wired and counted in every cost like any other.
"""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from spikeport.exporter.float_network.float_network import FloatConnection, FloatPopulation, Floats


def bias_axon(target: str, bias: Floats, taken: Container[str]) -> tuple[FloatPopulation, FloatConnection]:
    """A compartment that fires in every step, and the connection that carries `bias` (one value a neuron) to target.

    Its name is the target's with ".bias" behind, and as many underscores as it takes to be none of those `taken`.
    """
    name = f"{target}.bias"
    while name in taken:
        name += "_"
    one = np.ones(1)
    # v starts at 0 in every step, both after a spike and without memory, and a bias of twice the threshold is above it
    axon = FloatPopulation(name, (1,), current_decay=one, voltage_decay=one, threshold=one, bias=2 * one)
    return axon, FloatConnection(name, target, bias.reshape(-1, 1), None, 1)
