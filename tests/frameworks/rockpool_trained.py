"""Rockpool: a network of LIFTorch, trained here to tell four groups of channels apart, written by Rockpool's to_nir.

python tests/frameworks/rockpool_trained.py FOLDER
"""

from __future__ import annotations

import numpy as np
import torch
from rockpool.nn.combinators import Sequential
from rockpool.nn.modules import LIFTorch, LinearTorch
from rockpool.nn.modules.torch.nir import to_nir

from common import save

DT, CHANNELS, GROUPS, SAMPLES, STEPS = 1e-3, 16, 4, 64, 50


def recordings(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Spikes (samples, steps, channels) and the group of channels that is busier."""
    random, labels = np.random.default_rng(seed), np.arange(SAMPLES) % GROUPS
    rates = np.where(np.arange(CHANNELS) * GROUPS // CHANNELS == labels[:, None], 0.3, 0.05)
    x = random.binomial(1, rates[:, None], (SAMPLES, STEPS, CHANNELS)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(labels)


torch.manual_seed(0)
network = Sequential(
    LinearTorch((CHANNELS, 24), has_bias=False),
    LIFTorch(24, tau_mem=0.016, tau_syn=0.008, threshold=1.0, dt=DT, max_spikes_per_dt=1),
    LinearTorch((24, GROUPS), has_bias=False),
    LIFTorch(GROUPS, tau_mem=0.016, tau_syn=0.008, threshold=1.0, dt=DT, max_spikes_per_dt=1),
)
x, labels = recordings(0)
weights = [network[0].weight, network[2].weight]
optimiser = torch.optim.Adam(weights, lr=0.02)
for _ in range(60):
    optimiser.zero_grad()
    out, _, _ = network(x)
    torch.nn.functional.cross_entropy(out.sum(1) / 2, labels).backward()
    optimiser.step()
x, labels = recordings(1)
with torch.no_grad():
    out, _, _ = network(x)
print(f"accuracy {float((out.sum(1).argmax(1) == labels).float().mean()):.3f}")
save(to_nir(network, x[:1, :1]), x.transpose(0, 1), out.transpose(0, 1))
