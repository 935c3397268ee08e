"""Sinabs: convolutions, IAFSqueeze neurons and a sum pooling, exported by sinabs.nir.to_nir.

    python tests/frameworks/sinabs_.py FOLDER [single]

single: neurons that spike at most once a step; Sinabs' own default, MultiSpike, may spike several times.
"""

import sys

import sinabs.layers as sl
import torch
from sinabs.activation import MultiSpike, SingleSpike
from sinabs.nir import to_nir

from common import BATCH, CLASSES, STEPS, save, spikes, weights

spike = SingleSpike if "single" in sys.argv[2:] else MultiSpike
network = torch.nn.Sequential(
    torch.nn.Conv2d(2, 4, 3, padding=1, bias=False),
    sl.IAFSqueeze(batch_size=BATCH, min_v_mem=None, spike_fn=spike),
    sl.SumPool2d(2),
    torch.nn.Flatten(),
    torch.nn.Linear(64, CLASSES, bias=False),
    sl.IAFSqueeze(batch_size=BATCH, min_v_mem=None, spike_fn=spike),
)
with torch.no_grad():
    network[0].weight.copy_(torch.from_numpy(weights(4, 18, 0.8, 1)).reshape(4, 2, 3, 3))
    network[4].weight.copy_(torch.from_numpy(weights(CLASSES, 64, 0.8, 2)))
x = spikes(2, 8, 8)
with torch.no_grad():
    # Sinabs wants (batch * time, ...)
    flat = torch.from_numpy(x).transpose(0, 1).reshape(-1, 2, 8, 8)
    out = network(flat).reshape(BATCH, STEPS, CLASSES).transpose(0, 1)
graph = to_nir(network, flat[: BATCH * 2])
# Sinabs leaves the shapes of convolution, pooling and Flatten out; nir.write wants them
graph.infer_types()
save(graph, x, out)
