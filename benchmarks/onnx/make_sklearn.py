"""Kinds of files that skl2onnx writes: python benchmarks/onnx/make_sklearn.py FOLDER (scikit-learn, skl2onnx)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from samples import digits, make
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler


def kind(
    build: Callable[[], Any], *, double: bool = False, binary: bool = False, zipmap: bool = True
) -> Callable[[Path, str], None]:
    """A function that fits and writes a kind."""

    def write(folder: Path, name: str) -> None:
        from skl2onnx import to_onnx

        train, classes, test, expected = digits()
        dtype = np.float64 if double else np.float32
        x, seen = train.reshape(len(train), -1).astype(dtype), test.reshape(len(test), -1).astype(dtype)
        y, wanted = (classes > 4, expected > 4) if binary else (classes, expected)
        y, wanted = y.astype(np.int64), wanted.astype(np.int64)
        model = build().fit(x, y)
        classifies = hasattr(model, "predict_proba")
        proto = to_onnx(model, x[:1], options=None if zipmap or not classifies else {"zipmap": False})
        (folder / f"{name}.onnx").write_bytes(proto.SerializeToString())
        np.savez(folder / f"{name}.npz", calibrate=x[:200].astype(np.float32), x=seen.astype(np.float32), y=wanted)

    return write


def mlp(cls: Any = MLPClassifier, **options: Any) -> Any:
    """One hidden layer of 32 ReLUs."""
    return cls(hidden_layer_sizes=(32,), max_iter=60, random_state=0, **options)


KINDS = {
    "skl2onnx_mlp_classifier": kind(mlp),
    "skl2onnx_mlp_classifier_float64": kind(mlp, double=True, zipmap=False),
    "skl2onnx_mlp_classifier_without_zipmap": kind(mlp, zipmap=False),
    "skl2onnx_mlp_binary": kind(mlp, binary=True),
    "skl2onnx_scaler_mlp": kind(lambda: make_pipeline(StandardScaler(), mlp())),
    "skl2onnx_minmax_mlp": kind(lambda: make_pipeline(MinMaxScaler(), mlp())),
    "skl2onnx_mlp_regressor": kind(lambda: mlp(MLPRegressor)),
    "skl2onnx_mlp_tanh": kind(lambda: mlp(activation="tanh")),
    "skl2onnx_logistic_regression": kind(lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))),
    "skl2onnx_logistic_binary": kind(lambda: LogisticRegression(max_iter=200), binary=True),
    "skl2onnx_linear_regression": kind(LinearRegression),
}

if __name__ == "__main__":
    make(Path(sys.argv[1]), KINDS)
