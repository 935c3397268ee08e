"""Norse: LIFBoxCell behind Linear layers, exported by norse.torch.to_nir."""

import norse.torch as norse
import torch
from norse.torch.utils.export_nir import to_nir

from common import CLASSES, HIDDEN, INPUTS, save, spikes, weights

DT = 1e-3


def cell(tau: float, threshold: float):
    """A cell whose membrane has time constant tau in seconds."""
    parameters = norse.LIFBoxParameters(
        tau_mem_inv=torch.tensor([1 / tau]),
        v_th=torch.tensor([threshold]),
        v_leak=torch.zeros(1),
        v_reset=torch.zeros(1),
    )
    return norse.LIFBoxCell(parameters, dt=DT)


network = norse.SequentialState(
    torch.nn.Linear(INPUTS, HIDDEN), cell(0.008, 0.3), torch.nn.Linear(HIDDEN, CLASSES), cell(0.01, 0.25)
)
with torch.no_grad():
    for layer, (outputs, inputs, scale) in zip((0, 2), ((HIDDEN, INPUTS, 1.0), (CLASSES, HIDDEN, 1.5)), strict=True):
        network[layer].weight.copy_(torch.from_numpy(weights(outputs, inputs, scale, layer)))
        network[layer].bias.copy_(torch.from_numpy(weights(outputs, 1, 0.05, 9 + layer)[:, 0]))
x, out, state = spikes(INPUTS), [], None
with torch.no_grad():
    for step in torch.from_numpy(x):
        sent, state = network(step, state)
        out.append(sent)
graph = to_nir(network, torch.from_numpy(x[0, 0]), dt=DT)
save(graph, x, torch.stack(out))
