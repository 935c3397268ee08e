"""SpikingJelly: every cell that its exporter knows, each behind a Linear layer."""

import torch
from spikingjelly.activation_based import functional, layer, neuron
from spikingjelly.activation_based.nir_exchange import export_to_nir

from common import HIDDEN, INPUTS, failed_cell, save_cell, spikes, weights

CELLS = {
    "IFNode": lambda: neuron.IFNode(v_threshold=2.0, v_reset=0.0),
    "IFNode, v_reset -0.5": lambda: neuron.IFNode(v_threshold=2.0, v_reset=-0.5),
    "LIFNode": lambda: neuron.LIFNode(tau=3.0, v_threshold=0.3, v_reset=0.0),
    "LIFNode, v_reset -0.1": lambda: neuron.LIFNode(tau=3.0, v_threshold=0.3, v_reset=-0.1),
    "LIFNode, decay_input False": lambda: neuron.LIFNode(tau=3.0, decay_input=False, v_threshold=1.0, v_reset=0.0),
    "LIFNode, soft reset": lambda: neuron.LIFNode(tau=3.0, v_threshold=0.3, v_reset=None),
    "ParametricLIFNode": lambda: neuron.ParametricLIFNode(init_tau=3.0, v_threshold=0.3, v_reset=0.0),
    "ParametricLIFNode, decay_input False": lambda: neuron.ParametricLIFNode(
        init_tau=3.0, decay_input=False, v_threshold=1.0, v_reset=0.0
    ),
    "CUBALIFNode": lambda: neuron.CUBALIFNode(c_decay=0.5, v_decay=0.75, v_threshold=2.0, v_reset=0.0),
}

x = spikes(INPUTS)
for name, make in CELLS.items():
    try:
        network = torch.nn.Sequential(layer.Linear(INPUTS, HIDDEN), make())
        with torch.no_grad():
            network[0].weight.copy_(torch.from_numpy(weights(HIDDEN, INPUTS, 0.8, 1)))
            network[0].bias.copy_(torch.from_numpy(weights(HIDDEN, 1, 0.05, 2)[:, 0]))
            out = torch.stack([network(step) for step in torch.from_numpy(x)])
        functional.reset_net(network)
        save_cell(name, export_to_nir(network, torch.from_numpy(x[0, :1])), x, out)
    except Exception as error:
        failed_cell(name, error)
