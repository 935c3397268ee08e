"""snnTorch: every cell that its exporter knows, each behind a Linear layer."""

import snntorch as snn
import torch
from snntorch.export_nir import export_to_nir

from common import HIDDEN, INPUTS, failed_cell, save_cell, spikes, weights


def each(low: float, high: float) -> torch.Tensor:
    """A value per neuron."""
    return torch.linspace(low, high, HIDDEN)


BETA, ALPHA, THRESHOLD = each(0.6, 0.95), each(0.3, 0.8), each(0.8, 1.2)
KEYS = {"threshold": THRESHOLD, "init_hidden": True}
CELLS = {
    "Leaky": lambda: snn.Leaky(BETA, **KEYS),
    "Leaky, one beta": lambda: snn.Leaky(0.9, init_hidden=True),
    "Leaky, beta 1": lambda: snn.Leaky(each(0.8, 1.2).clamp(max=1), **KEYS),
    "Leaky, reset zero": lambda: snn.Leaky(BETA, reset_mechanism="zero", **KEYS),
    "Leaky, reset_delay False": lambda: snn.Leaky(BETA, reset_delay=False, **KEYS),
    "Synaptic": lambda: snn.Synaptic(ALPHA, BETA, **KEYS),
    "Synaptic, reset zero": lambda: snn.Synaptic(ALPHA, BETA, reset_mechanism="zero", **KEYS),
    "RLeaky": lambda: snn.RLeaky(BETA, linear_features=HIDDEN, **KEYS),
    "RLeaky, one to one": lambda: snn.RLeaky(BETA, V=each(-0.3, 0.3), all_to_all=False, **KEYS),
    "RSynaptic": lambda: snn.RSynaptic(ALPHA, BETA, linear_features=HIDDEN, **KEYS),
    "RSynaptic, one to one": lambda: snn.RSynaptic(ALPHA, BETA, V=each(-0.3, 0.3), all_to_all=False, **KEYS),
}

x = spikes(INPUTS)
for name, make in CELLS.items():
    torch.manual_seed(0)
    try:
        cell = make()
        network = torch.nn.Sequential(torch.nn.Linear(INPUTS, HIDDEN), cell)
        with torch.no_grad():
            network[0].weight.copy_(torch.from_numpy(weights(HIDDEN, INPUTS, 0.6, 1)))
            network[0].bias.copy_(torch.from_numpy(weights(HIDDEN, 1, 0.05, 2)[:, 0]))
            out = torch.stack([network(step) for step in torch.from_numpy(x)])
        save_cell(name, export_to_nir(network, torch.from_numpy(x[0, 0])), x, out)
    except Exception as error:
        failed_cell(name, error)
