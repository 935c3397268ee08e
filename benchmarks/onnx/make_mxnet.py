"""Kinds of files that MXNet 1.9.1 writes: python benchmarks/onnx/make_mxnet.py FOLDER (mxnet, NumPy before 1.24)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from samples import CLASSES, digits, make, write_samples


def mlp(nn):
    """Two dense layers."""
    return [nn.Flatten(), nn.Dense(32, activation="relu"), nn.Dense(CLASSES)]


def cnn(nn):
    """Two convolutions with batch normalisation."""
    return [
        nn.Conv2D(8, 3, padding=1), nn.BatchNorm(), nn.Activation("relu"), nn.AvgPool2D(2),
        nn.Conv2D(16, 3, activation="relu"), nn.GlobalAvgPool2D(), nn.Flatten(), nn.Dense(CLASSES),
    ]  # fmt: skip


def kind(build: Callable) -> Callable[[Path, str], None]:
    """A function that trains and writes a kind."""

    def write(folder: Path, name: str) -> None:
        import mxnet
        from mxnet import autograd, gluon

        mxnet.random.seed(0)
        net = gluon.nn.HybridSequential()
        net.add(*build(gluon.nn))
        net.initialize(mxnet.init.Xavier())
        net.hybridize()
        x, y, _, _ = digits()
        images = x.reshape(-1, 1, 8, 8)
        trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 5e-3})
        loss = gluon.loss.SoftmaxCrossEntropyLoss()
        for _ in range(10):
            for start in range(0, len(x), 50):
                part = slice(start, start + 50)
                with autograd.record():
                    error = loss(net(mxnet.nd.array(images[part])), mxnet.nd.array(y[part]))
                error.backward()
                trainer.step(50)
        net.export(str(folder / name))
        files = [folder / f"{name}-symbol.json", folder / f"{name}-0000.params"]
        mxnet.onnx.export_model(*map(str, files), [(1, 1, 8, 8)], np.float32, str(folder / f"{name}.onnx"))
        for file in files:
            file.unlink()
        write_samples(folder, name, (1, 8, 8))

    return write


KINDS = {"mxnet_mlp": kind(mlp), "mxnet_cnn": kind(cnn)}

if __name__ == "__main__":
    make(Path(sys.argv[1]), KINDS)
