"""An MNIST ReLU network, trained here and converted to a spiking network: accuracy lost per number of steps.

    python benchmarks/onnx_in.py MNIST10K.npz [FOLDER]

Trains a small CNN with torch on the first 8000 images (a few minutes; kept in FOLDER, default runs/onnx_in, for the
next run), exports it by torch.onnx, converts it both ways with 500 training images as calibration, and
prints accuracy on the last 2000 and agreement with the ANN after 8, 16, 32 and 64 steps of loihi2's integers.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from spikeport.exporter.onnx.convert import Coding, convert_onnx
from spikeport.hardware_profiles.loader import load_chip
from spikeport.results.conversion import measure
from spikeport.trainer.data.dataset import Request
from spikeport.trainer.data.sets.mnist10k import mnist10k

EPOCHS, BATCH, SEED = 12, 64, 0
CALIBRATION, LONGEST = 500, 64
WAYS: tuple[Coding, ...] = ("rate", "sigma-delta")


def network() -> nn.Sequential:
    """Two convolutions with batch norm and average pooling, two dense layers; 105,000 weights."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(1568, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def train(x: NDArray[Any], y: NDArray[Any]) -> nn.Sequential:
    """The network after EPOCHS of Adam with a falling rate."""
    torch.manual_seed(SEED)
    model = network()
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    steps = EPOCHS * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    images, labels = torch.from_numpy(x), torch.from_numpy(y)
    order = torch.Generator().manual_seed(SEED)
    for epoch in range(EPOCHS):
        for index in torch.randperm(len(x), generator=order).split(BATCH):
            loss = nn.functional.cross_entropy(model(images[index]), labels[index])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        print(f"epoch {epoch + 1}: loss {float(loss):.4f}", file=sys.stderr, flush=True)
    return model.eval()


def export(model: nn.Sequential, path: Path) -> None:
    """As torch.onnx writes it, batch norm left for the importer to fold."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (torch.zeros(1, 1, 28, 28),), str(path), input_names=["image"], output_names=["logits"],
            dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}}, opset_version=17,
            training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
        )  # fmt: skip


def main(data: Path, folder: Path) -> None:
    """Train if there is no network yet, convert it, print one table per code."""
    dataset = mnist10k(Request(path=data))
    path = folder / "cnn.onnx"
    if not path.exists():
        export(train(dataset.x_train, dataset.y_train), path)
    for way in WAYS:
        converted = convert_onnx(path, load_chip("loihi2"), dataset.x_train[:CALIBRATION], way)
        found = measure(converted, way, dataset.x_test, LONGEST, dataset.y_test)
        print(f"{way}: the ANN itself {found.accuracy:.4f}, {found.messages:.0f} messages in {LONGEST} steps")
        for loss in found.losses:
            print(f"  {loss.steps:3d} steps: accuracy {loss.accuracy:.4f}, same answer {loss.agreement:.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "runs/onnx_in"))
