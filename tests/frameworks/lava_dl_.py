"""lava-dl: CUBA neurons behind dense and convolutional slayer blocks, exported by their export_hdf5; not NIR but .net.

Runs in lava-dl's own environment (`make peers`: .venv-lava-dl). Writes model.net, x.npy and spikes.npy: what slayer
itself computed, in the chip's integers already.
"""

import sys
from pathlib import Path

import h5py
import lava.lib.dl.slayer as slayer
import numpy as np
import torch

STEPS, BATCH, CLASSES = 50, 64, 5
NEURON = {"threshold": 1.0, "current_decay": 0.4, "voltage_decay": 0.1}


def weights(shape: tuple[int, ...], scale: float, seed: int) -> torch.Tensor:
    """Drawn from a normal distribution with a positive mean, so that layers fire."""
    drawn = np.random.default_rng(seed).normal(0.15, 1.0, shape)
    return torch.from_numpy((scale * drawn / np.sqrt(np.prod(shape[1:]))).astype(np.float32))


blocks = torch.nn.ModuleList(
    [
        slayer.block.cuba.Conv(NEURON, 2, 4, 3, padding=1, stride=2),
        slayer.block.cuba.Flatten(),
        slayer.block.cuba.Dense(NEURON, 64, 24, delay=True),
        slayer.block.cuba.Dense(NEURON, 24, CLASSES),
    ]
)
with torch.no_grad():
    for number, scale in ((0, 1.2), (2, 1.5), (3, 1.5)):
        weight = blocks[number].synapse.weight
        weight.copy_(weights(tuple(weight.shape[:4]), scale, number).reshape(weight.shape))
rng = np.random.default_rng(0)
density = rng.uniform(0.1, 0.5, (BATCH, 1, 1, 1, 1))
x = (rng.random((BATCH, 2, 8, 8, STEPS)) < density).astype(np.float32)
with torch.no_grad():
    now = torch.from_numpy(x)
    for block in blocks:
        now = block(now)
    # delays that training would have found
    blocks[2].delay.delay.copy_(torch.from_numpy(rng.integers(0, 6, 24).reshape(blocks[2].delay.delay.shape)))
    now = torch.from_numpy(x)
    for block in blocks:
        now = block(now)
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
with h5py.File(folder / "model.net", "w") as file:
    entered = file.create_group("layer/0")
    entered.create_dataset("type", (1,), "S10", [b"input"])
    entered.create_dataset("shape", data=np.array([2, 8, 8]))
    for number, block in enumerate(blocks, start=1):
        block.export_hdf5(file.create_group(f"layer/{number}"))
np.save(folder / "x.npy", x.transpose(4, 0, 1, 2, 3).astype(np.uint8))
np.save(folder / "spikes.npy", now.numpy().transpose(2, 0, 1).astype(np.uint8))
print(f"lava_dl_: {float(now.mean()):.3f} spikes an output and step")
