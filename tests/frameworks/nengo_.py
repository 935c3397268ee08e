"""Nengo: LIF neurons without refractory time behind dense connections; the NIR file is written here.

Nengo has no exporter to NIR, so this says what such a network means: v <- v + (J - v) (1 - exp(-dt / tau_rc)), a spike
where v > 1, and v back to 0. As NIR's LIF, exponential, reset to zero, where min_voltage lets v go below 0.
"""

from itertools import pairwise

import nengo
import nir
import numpy as np

from common import BATCH, CLASSES, HIDDEN, INPUTS, STEPS, save, spikes, weights

DT, TAU = 1e-3, 0.005
x = spikes(INPUTS)
first = (weights(HIDDEN, INPUTS, 5.0, 1), weights(HIDDEN, 1, 0.3, 2)[:, 0])
second = (weights(CLASSES, HIDDEN, 6.0, 3), weights(CLASSES, 1, 0.3, 4)[:, 0])

with nengo.Network() as network:
    sample = {"now": 0}
    # time begins with the end of the first step
    source = nengo.Node(lambda t: x[round(t / DT) - 1, sample["now"]] if t > 0 else np.zeros(INPUTS))
    layers = []
    for (weight, bias), before in ((first, source), (second, None)):
        start = {"voltage": nengo.dists.Choice([0])}
        kind = nengo.LIF(tau_rc=TAU, tau_ref=0, min_voltage=-np.inf, initial_state=start)
        ensemble = nengo.Ensemble(len(weight), 1, neuron_type=kind, gain=np.ones(len(weight)), bias=bias)
        read = before if before is not None else layers[-1].neurons
        # neurons put out 1 / dt for a spike, the node 1
        scale = DT if before is None else 1.0
        nengo.Connection(read, ensemble.neurons, transform=scale * weight, synapse=None)
        layers.append(ensemble)
    probe = nengo.Probe(layers[-1].neurons)

out = np.zeros((STEPS, BATCH, CLASSES))
with nengo.Simulator(network, dt=DT, progress_bar=False) as simulator:
    for sample["now"] in range(BATCH):
        simulator.reset()
        simulator.run_steps(STEPS, progress_bar=False)
        out[:, sample["now"]] = simulator.data[probe] * DT

nodes = {"input": nir.Input(input_type={"input": np.array([INPUTS])})}
for name, (weight, bias) in (("first", first), ("second", second)):
    nodes[f"{name}_synapse"] = nir.Affine(weight=weight, bias=bias)
    one = np.ones(len(weight))
    nodes[name] = nir.LIF(tau=TAU * one, r=one, v_leak=0 * one, v_threshold=one, v_reset=0 * one)
nodes["output"] = nir.Output(output_type={"output": np.array([CLASSES])})
names = list(nodes)
save(nir.NIRGraph(nodes, list(pairwise(names)), metadata={"dt": DT}), x, out)
