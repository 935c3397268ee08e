"""Runs where SANA-FE (GPL-3) is installed, in a process of its own: the time of a step on its Loihi, cycle by cycle.

    PYTHON tests/support/referees/sanafe_mesh.py NETWORK.npz ...

NETWORK.npz: `core` (neurons,), the core of each neuron, numbered tile by tile down the columns of the 8 by 4 mesh;
`spiking` (neurons,), whether it spikes in every step; `pairs` (synapses, 2), source and target of each synapse.
The mesh is simulated by Booksim 2: X-Y routing, buffers, two networks of routers with a clock of 1 ns. Prints JSON: for
each network, seconds of one step and its barrier.
"""

import json
import sys

import numpy as np
import sanafe

BARRIERS = {1: 0.6e-6, 2: 1.0e-6, 4: 1.4e-6, 29: 1.8e-6}


def step(data):
    """Seconds of a step."""
    arch = sanafe.load_loihi()
    cores = [core for tile in arch.tiles for core in tile.cores]
    net = sanafe.Network()
    group = net.create_neuron_group(
        "all",
        len(data["core"]),
        soma_hw_name="loihi_lif",
        default_synapse_hw_name="loihi_dense_synapse",
        default_dendrite_hw_name="loihi_dendrites",
    )
    for neuron, core, spiking in zip(group, data["core"], data["spiking"], strict=True):
        attributes = {"threshold": 1.0, "bias": 2.0} if spiking else {"threshold": 1e9, "bias": 0.0}
        neuron.set_attributes(model_attributes={**attributes, "leak_decay": 1.0, "reset": 0.0})
        neuron.map_to_core(cores[core])
    for source, target in data["pairs"].tolist():
        group[source].connect_to_neuron(group[target], {"weight": 0.0})
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    found = chip.sim(1, timing_model="cycle")
    tiles = len(set((data["core"] // 4).tolist()))
    barrier = max(value for least, value in BARRIERS.items() if least <= tiles)
    return {"seconds": found["sim_time"], "barrier": barrier}


if __name__ == "__main__":
    print(json.dumps([step(np.load(path)) for path in sys.argv[1:]]))
