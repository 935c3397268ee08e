"""Bias axons: a constant current that passes the synaptic filter. The chip has no register for it.

NIR adds an Affine's bias to the input of a CubaLIF, so it is filtered like a spike's charge; the chip adds bias to v,
after the filter. A compartment that fires in every step, connected to the neurons with the bias as weights, is exactly
equivalent:

    NIR    i <- i (1 - dt/tau_syn) + dt/tau_syn w_in (W s + b)
    chip   u <- u (1 - current_decay) + W s + b * 1

The compartment has no input, so its level is 0 and its spike of step 0 arrives together with the earliest effect of the
first input. Its connection is rounded, mapped and counted in every cost like any other.
"""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from spikeport.exporter.float_network.float_network import FloatConnection, FloatPopulation, Floats


def bias_axon(target: str, bias: Floats, used: Container[str]) -> tuple[FloatPopulation, FloatConnection]:
    """A compartment that fires in every step, and the connection that carries `bias` (one value per neuron) to target.

    Its name is the target's plus ".bias", and as many underscores as needed to avoid `used` names.
    """
    name = f"{target}.bias"
    while name in used:
        name += "_"
    one = np.ones(1)
    # v starts every step at 0, as it is reset and has no memory, and a bias of twice the threshold exceeds it
    axon = FloatPopulation(name, (1,), current_decay=one, voltage_decay=one, threshold=one, bias=2 * one)
    return axon, FloatConnection(name, target, bias.reshape(-1, 1), None, 1)
