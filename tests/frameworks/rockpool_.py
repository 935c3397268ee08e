"""Rockpool: LIFTorch behind LinearTorch, exported by rockpool.nn.modules.torch.nir.to_nir."""

import torch
from rockpool.nn.combinators import Sequential
from rockpool.nn.modules import LIFTorch, LinearTorch
from rockpool.nn.modules.torch.nir import to_nir

from common import CLASSES, HIDDEN, INPUTS, save, spikes, weights

DT = 1e-3
network = Sequential(
    LinearTorch((INPUTS, HIDDEN), has_bias=False),
    LIFTorch(HIDDEN, tau_mem=0.01, tau_syn=0.005, threshold=1.0, dt=DT, max_spikes_per_dt=1),
    LinearTorch((HIDDEN, CLASSES), has_bias=False),
    LIFTorch(CLASSES, tau_mem=0.02, tau_syn=0.005, threshold=1.0, dt=DT, max_spikes_per_dt=1),
)
with torch.no_grad():
    network[0].weight.copy_(torch.from_numpy(weights(HIDDEN, INPUTS, 0.15, 1).T))
    network[2].weight.copy_(torch.from_numpy(weights(CLASSES, HIDDEN, 0.25, 2).T))
x = spikes(INPUTS)
with torch.no_grad():
    out, _, _ = network(torch.from_numpy(x).transpose(0, 1))
save(to_nir(network, torch.from_numpy(x[:1, :1])), x, out.transpose(0, 1))
