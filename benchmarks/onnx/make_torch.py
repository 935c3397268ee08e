"""Kinds of files that torch.onnx writes: python benchmarks/onnx/make_torch.py FOLDER (torch; onnxscript for dynamo)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from samples import CLASSES, digits, make, write_samples
from torch import nn

IMAGE = (1, 8, 8)


class View(nn.Module):
    """x.view(x.size(0), -1), as in most tutorials."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return x.view(x.size(0), -1)


class Residual(nn.Module):
    """A block with a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return torch.relu(x + self.second(torch.relu(self.norm(self.first(x)))))


class TwoHeads(nn.Module):
    """Scores and the features before them."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU()), nn.Linear(32, CLASSES)

    def forward(self, x: torch.Tensor) -> Any:  # noqa: D102
        features = self.body(x)
        return (self.head(features), features) if torch.onnx.is_in_onnx_export() else self.head(features)


def lenet(pool: Callable[[int], nn.Module] = nn.AvgPool2d) -> nn.Sequential:
    """LeNet for images of 8 by 8."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), pool(2), nn.Conv2d(6, 16, 3), nn.ReLU(), View(),
        nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, CLASSES),
    )  # fmt: skip


def mlp(*ends: nn.Module) -> nn.Sequential:
    """Two dense layers."""
    return nn.Sequential(View(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, CLASSES), *ends)


def normed() -> nn.Sequential:
    """Convolutions with batch normalisation and ReLU6."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU6(), Residual(8), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(8, CLASSES),
    )  # fmt: skip


def squeezing() -> nn.Sequential:
    """A classifier by convolution and global average, as in SqueezeNet."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Dropout(0.1), nn.Conv2d(16, CLASSES, 1),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip


def rows() -> nn.Sequential:
    """Conv1d over the image's rows as channels."""
    return nn.Sequential(
        nn.Conv1d(8, 16, 3, padding=1), nn.ReLU(), nn.AvgPool1d(2), nn.Conv1d(16, 16, 3), nn.ReLU(), View(),
        nn.Linear(32, CLASSES),
    )  # fmt: skip


def trained(model: nn.Module, shape: tuple[int, ...], epochs: int = 12) -> nn.Module:
    """The model after some epochs of Adam."""
    torch.manual_seed(0)
    x, y, _, _ = digits()
    images, classes = torch.from_numpy(x).reshape(-1, *shape), torch.from_numpy(y)
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(epochs):
        for index in torch.randperm(len(images)).split(50):
            optimiser.zero_grad()
            scores = model(images[index])
            if isinstance(model, nn.Sequential) and isinstance(model[-1], (nn.Softmax, nn.LogSoftmax, nn.Sigmoid)):
                scores = model[:-1](images[index])
            nn.functional.cross_entropy(scores, classes[index]).backward()
            optimiser.step()
    return model.eval()


def kind(
    build: Callable[[], nn.Module], shape: tuple[int, ...] = IMAGE, *, free: bool = True, dynamo: bool = False,
    dtype: torch.dtype = torch.float32, opset: int = 17,
) -> Callable[[Path, str], None]:  # fmt: skip
    """A function that trains and writes a kind."""

    def write(folder: Path, name: str) -> None:
        model = trained(build(), shape).to(dtype)
        sample = torch.zeros(2 if dynamo and free else 1, *shape, dtype=dtype)
        options: dict[str, Any] = {"input_names": ["input"], "output_names": ["output"], "dynamo": dynamo}
        if dynamo:
            options |= {"dynamic_shapes": ({0: torch.export.Dim("batch")},) if free else None, "external_data": False}
        else:
            options |= {"dynamic_axes": {"input": {0: "batch"}} if free else None, "opset_version": opset}
        torch.onnx.export(model, (sample,), str(folder / f"{name}.onnx"), **options)
        write_samples(folder, name, shape)

    return write


KINDS = {
    "torch_mlp_static": kind(mlp, free=False),
    "torch_mlp_view_dynamic": kind(mlp),
    "torch_mlp_opset9": kind(mlp, opset=9),
    "torch_mlp_flat_input": kind(mlp, (64,)),
    "torch_mlp_image_without_channel": kind(mlp, (8, 8)),
    "torch_mlp_softmax": kind(lambda: mlp(nn.Softmax(1))),
    "torch_mlp_logsoftmax_opset11": kind(lambda: mlp(nn.LogSoftmax(1)), opset=11),
    "torch_mlp_sigmoid": kind(lambda: mlp(nn.Sigmoid())),
    "torch_mlp_two_outputs": kind(TwoHeads),
    "torch_mlp_float16": kind(mlp, dtype=torch.float16),
    "torch_lenet": kind(lenet),
    "torch_lenet_float64": kind(lenet, dtype=torch.float64),
    "torch_lenet_maxpool": kind(lambda: lenet(nn.MaxPool2d)),
    "torch_resnet": kind(normed),
    "torch_squeezenet": kind(squeezing),
    "torch_conv1d": kind(rows, (8, 8)),
    "torch_mlp_dynamo": kind(mlp, dynamo=True),
    "torch_lenet_dynamo": kind(lenet, dynamo=True),
    "torch_resnet_dynamo_static": kind(normed, dynamo=True, free=False),
}

if __name__ == "__main__":
    make(Path(sys.argv[1]), KINDS)
