"""Rockpool: every cell that its exporter knows, each behind a LinearTorch."""

import torch
from rockpool.nn.combinators import Sequential
from rockpool.nn.modules import ExpSynTorch, LIFNeuronTorch, LIFTorch, LinearTorch
from rockpool.nn.modules.torch.nir import to_nir
from rockpool.parameters import Constant

from common import HIDDEN, INPUTS, failed_cell, save_cell, spikes, weights

DT = 1e-3
TAU = torch.linspace(0.004, 0.02, HIDDEN)
SYN = torch.full((HIDDEN, 1), 0.005)
CELLS = {
    "LIFTorch": lambda: LIFTorch(HIDDEN, tau_mem=TAU, tau_syn=SYN, threshold=1.0, dt=DT, max_spikes_per_dt=1),
    "LIFNeuronTorch": lambda: LIFNeuronTorch(HIDDEN, tau_mem=TAU, threshold=1.0, dt=DT, max_spikes_per_dt=1),
    "LIFTorch, bias": lambda: LIFTorch(
        HIDDEN, tau_mem=TAU, tau_syn=SYN, bias=0.1, threshold=1.0, dt=DT, max_spikes_per_dt=1
    ),
    "ExpSynTorch": lambda: ExpSynTorch(HIDDEN, tau=Constant(TAU), dt=DT),
}

x = spikes(INPUTS)
for name, make in CELLS.items():
    try:
        network = Sequential(LinearTorch((INPUTS, HIDDEN), has_bias=False), make())
        with torch.no_grad():
            scale = 0.4 if "Neuron" in name else 0.15
            network[0].weight.copy_(torch.from_numpy(weights(HIDDEN, INPUTS, scale, 1).T))
            out, _, _ = network(torch.from_numpy(x).transpose(0, 1))
        save_cell(name, to_nir(network, torch.from_numpy(x[:1, :1])), x, out.transpose(0, 1))
    except Exception as error:
        failed_cell(name, error)
