"""Runs where SANA-FE (GPL-3) is installed, in a process of its own: a dense network on its Loihi, counted and priced.

    PYTHON tests/support/referees/sanafe_run.py NETWORK.npz

NETWORK.npz: `x` (T, inputs) spikes, `steps`, and for each layer l `w<l>` (target, source) weights and `vth<l>`
(target,). Every layer lies on one core, the inputs on another; a neuron integrates, spikes above its threshold, and
starts from 0. Prints JSON.
"""

import json
import sys

import numpy as np
import sanafe


def main(path):
    """Build, run, and print what it counted."""
    data = np.load(path)
    arch = sanafe.load_loihi() if hasattr(sanafe, "load_loihi") else sanafe.load_arch("loihi.yaml")
    net = sanafe.Network()
    x = data["x"]
    groups = [net.create_neuron_group("inputs", x.shape[1], log_spikes=True)]
    cores = [core for tile in arch.tiles for core in tile.cores]
    for i, neuron in enumerate(groups[0]):
        neuron.set_attributes(
            soma_hw_name=f"loihi_inputs[{i}]", model_attributes={"spikes": [bool(s) for s in x[:, i]]}
        )
        neuron.map_to_core(cores[0])
    layers = sorted(int(name[1:]) for name in data.files if name.startswith("w"))
    for layer in layers:
        thresholds = data[f"vth{layer}"]
        group = net.create_neuron_group(
            f"layer{layer}",
            len(thresholds),
            log_spikes=True,
            soma_hw_name="loihi_lif",
            default_synapse_hw_name="loihi_dense_synapse",
            default_dendrite_hw_name="loihi_dendrites",
        )
        for neuron, threshold in zip(group, thresholds, strict=True):
            neuron.set_attributes(model_attributes={"threshold": float(threshold), "leak_decay": 1.0, "reset": 0.0})
            neuron.map_to_core(cores[1 + layer])
        groups[-1].connect_neurons_dense(group, {"weight": [float(w) for w in data[f"w{layer}"].T.reshape(-1)]})
        groups.append(group)
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    found = chip.sim(int(data["steps"]), spike_trace=True, perf_trace=True, message_trace=True)
    per_group = {}
    for step in found["spike_trace"]:
        for address in step:
            name = str(address).split(".")[0]
            per_group[name] = per_group.get(name, 0) + 1
    print(
        json.dumps(
            {
                "spikes": per_group,
                "energy": {k: float(v) for k, v in found["energy"].items()},
                "perf": {k: float(sum(v)) for k, v in found["perf_trace"].items() if k != "timestep"},
                "messages": sum(not m.get("placeholder", False) for step in found["message_trace"] for m in step),
                "time": float(found["sim_time"]),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
