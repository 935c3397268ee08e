"""Pass: v leaks to 0, as the chip's does; v_leak becomes part of the bias.

v (1 - d) + d v_leak + u + bias  =  v (1 - d) + u + (bias + d v_leak)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spikeport.exporter.float_network.float_network import FloatNetwork


def fold_leak(network: FloatNetwork) -> FloatNetwork:
    """The network with v_leak = 0 in every population."""
    populations = tuple(
        replace(p, bias=p.bias + p.voltage_decay * p.v_leak, v_leak=np.zeros(p.size)) for p in network.populations
    )
    return replace(network, populations=populations)
