"""Kinds of files that tf2onnx and Keras write: python benchmarks/onnx/make_tensorflow.py FOLDER."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from samples import CLASSES, digits, make, write_samples

layers = tf.keras.layers
IMAGE = (8, 8, 1)


def mlp(*ends: Any) -> list[Any]:
    """Two dense layers."""
    return [layers.Flatten(), layers.Dense(32, activation="relu"), layers.Dense(CLASSES), *ends]


def cnn(pool: Any = layers.AveragePooling2D) -> list[Any]:
    """Convolutions with "same" and "valid" padding."""
    return [
        layers.Conv2D(8, 3, padding="same", activation="relu"), pool(2), layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(), layers.Dense(32, activation="relu"), layers.Dense(CLASSES, activation="softmax"),
    ]  # fmt: skip


def strided() -> list[Any]:
    """Stride 2 with "same" padding, batch normalisation after the ReLU, depthwise and global average."""
    return [
        layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"), layers.BatchNormalization(),
        layers.DepthwiseConv2D(3, padding="same"), layers.BatchNormalization(), layers.ReLU(6.0),
        layers.Conv2D(16, 1), layers.ReLU(), layers.GlobalAveragePooling2D(), layers.Dense(CLASSES),
    ]  # fmt: skip


def padded() -> list[Any]:
    """Explicit padding, scaling in the graph, dropout."""
    return [
        layers.Rescaling(2.0, offset=-1.0), layers.ZeroPadding2D(((0, 1), (0, 1))),
        layers.Conv2D(8, 3, strides=2, activation="relu"), layers.Dropout(0.1), layers.Flatten(),
        layers.Dense(CLASSES, activation="softmax"),
    ]  # fmt: skip


def rows() -> list[Any]:
    """Conv1D over rows."""
    return [
        layers.Conv1D(16, 3, padding="same", activation="relu"), layers.AveragePooling1D(2),
        layers.Conv1D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(CLASSES),
    ]  # fmt: skip


def reshaped() -> list[Any]:
    """A flat input that becomes an image."""
    return [
        layers.Reshape((8, 8, 1)), layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(CLASSES),
    ]  # fmt: skip


def trained(body: list[Any], shape: tuple[int, ...]) -> Any:
    """The model after some epochs of Adam."""
    tf.keras.utils.set_random_seed(0)
    model = tf.keras.Sequential([layers.Input(shape), *body])
    x, y, _, _ = digits()
    last = body[-1]
    probabilities = isinstance(last, layers.Softmax) or last.activation is tf.keras.activations.softmax
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=not probabilities)
    model.compile(tf.keras.optimizers.Adam(5e-3), loss)
    model.fit(x.reshape(-1, *shape), y, 50, 8, verbose=0)
    return model


def by_tf2onnx(
    body: Callable[[], list[Any]], shape: tuple[int, ...] = IMAGE, opset: int = 15, then: Any = tf.identity
) -> Any:
    """A function that trains and writes a kind."""

    def write(folder: Path, name: str) -> None:
        import tf2onnx

        model = trained(body(), shape)
        function = tf.function(
            lambda x: then(model(x)), input_signature=[tf.TensorSpec((None, *shape), tf.float32, "x")]
        )
        tf2onnx.convert.from_function(
            function, function.input_signature, opset=opset, output_path=str(folder / f"{name}.onnx")
        )
        write_samples(folder, name, shape)

    return write


def by_keras(body: Callable[[], list[Any]], shape: tuple[int, ...] = IMAGE) -> Any:
    """Keras 3's own export."""

    def write(folder: Path, name: str) -> None:
        model = trained(body(), shape)
        model.export(str(folder / f"{name}.onnx"), format="onnx", verbose=False)
        write_samples(folder, name, shape)

    return write


def binary(folder: Path, name: str) -> None:
    """One number and a Sigmoid: is the digit above 4?"""
    import tf2onnx

    tf.keras.utils.set_random_seed(0)
    model = tf.keras.Sequential(
        [layers.Input((64,)), layers.Dense(32, activation="relu"), layers.Dense(1, activation="sigmoid")]
    )
    x, y, test, classes = digits()
    model.compile(tf.keras.optimizers.Adam(5e-3), "binary_crossentropy")
    model.fit(x.reshape(-1, 64), (y > 4).astype(np.float32), 50, 15, verbose=0)
    function = tf.function(lambda x: model(x), input_signature=[tf.TensorSpec((None, 64), tf.float32, "x")])
    tf2onnx.convert.from_function(
        function, function.input_signature, opset=13, output_path=str(folder / f"{name}.onnx")
    )
    np.savez(
        folder / f"{name}.npz",
        calibrate=x[:200].reshape(-1, 64),
        x=test.reshape(-1, 64),
        y=(classes > 4).astype(np.int64),
    )


KINDS = {
    "tf2onnx_mlp": by_tf2onnx(mlp),
    "tf2onnx_mlp_opset9": by_tf2onnx(mlp, opset=9),
    "tf2onnx_mlp_softmax_argmax": by_tf2onnx(lambda: mlp(layers.Softmax()), then=lambda x: tf.argmax(x, -1)),
    "tf2onnx_mlp_rows": by_tf2onnx(mlp, (8, 8)),
    "tf2onnx_cnn": by_tf2onnx(cnn),
    "tf2onnx_cnn_maxpool": by_tf2onnx(lambda: cnn(layers.MaxPooling2D)),
    "tf2onnx_cnn_strided_same": by_tf2onnx(strided),
    "tf2onnx_cnn_padded": by_tf2onnx(padded),
    "tf2onnx_conv1d": by_tf2onnx(rows, (8, 8)),
    "tf2onnx_flat_to_image": by_tf2onnx(reshaped, (64,)),
    "tf2onnx_binary_sigmoid": binary,
    "keras3_mlp": by_keras(mlp),
    "keras3_cnn": by_keras(cnn),
}

if __name__ == "__main__":
    make(Path(sys.argv[1]), KINDS)
