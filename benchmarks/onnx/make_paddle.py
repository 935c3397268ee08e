"""Kinds of files that PaddlePaddle writes: python benchmarks/onnx/make_paddle.py FOLDER (paddlepaddle, paddle2onnx)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import paddle
from paddle import nn
from samples import CLASSES, digits, make, write_samples


def mlp() -> nn.Sequential:
    """Two dense layers."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, CLASSES), nn.Softmax())


def cnn() -> nn.Sequential:
    """Two convolutions with batch normalisation."""
    return nn.Sequential(
        nn.Conv2D(1, 8, 3, padding=1), nn.BatchNorm2D(8), nn.ReLU(), nn.AvgPool2D(2), nn.Conv2D(8, 16, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(64, CLASSES), nn.Softmax(),
    )  # fmt: skip


def kind(build: Callable[[], nn.Sequential]) -> Callable[[Path, str], None]:
    """A function that trains and writes a kind."""

    def write(folder: Path, name: str) -> None:
        paddle.seed(0)
        model = build()
        x, y, _, _ = digits()
        images, classes = paddle.to_tensor(x.reshape(-1, 1, 8, 8)), paddle.to_tensor(y)
        optimiser = paddle.optimizer.Adam(5e-3, parameters=model.parameters())
        for _ in range(10):
            for start in range(0, len(x), 50):
                part = slice(start, start + 50)
                loss = nn.functional.cross_entropy(model[:-1](images[part]), classes[part])
                loss.backward()
                optimiser.step()
                optimiser.clear_grad()
        model.eval()
        spec = [paddle.static.InputSpec([None, 1, 8, 8], "float32", "x")]
        paddle.onnx.export(model, str(folder / name), input_spec=spec, opset_version=13)
        write_samples(folder, name, (1, 8, 8))

    return write


KINDS = {"paddle_mlp": kind(mlp), "paddle_cnn": kind(cnn)}

if __name__ == "__main__":
    make(Path(sys.argv[1]), KINDS)
