"""The answer of a rate code: never less exact with more steps, and without what the bias sends too early."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from onnx_models import Model
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from spikeport.exporter.onnx.convert import convert_onnx
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.simulate import simulate
from spikeport.results.conversion import measure

LOIHI2 = load_chip("loihi2")


def digits_mlp() -> tuple[Model, np.ndarray]:
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trained = MLPClassifier((24,), max_iter=15, random_state=0).fit(x[:500], y[:500])
    model = Model((64,))
    for weight, bias in zip(trained.coefs_, trained.intercepts_, strict=True):
        if model.nodes:
            model.add("Relu")
        model.add("Gemm", weight, bias)
        model.shape = (len(bias),)
    return model, x


def test_more_steps_are_never_less_exact(tmp_path: Path) -> None:
    """Each doubling of the steps took a bit from the last layer's weights once they filled the readout's register."""
    model, x = digits_mlp()
    path, errors, largest = model.save(tmp_path / "m.onnx"), [], []
    for steps in (8, 32, 128, 512):
        converted = convert_onnx(path, LOIHI2, x[:100], steps=steps)
        errors.append(measure(converted, "rate", x[500:550], steps).losses[-1].error)
        largest.append(max(int(np.abs(c.weights).max()) for c in converted.program.into("readout")))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.01, errors
    assert min(largest) > 127, largest


def silent() -> Model:
    """Three layers whose ReLUs stay at 0, so that the answer is the last bias."""
    model = Model((3,))
    for bias in (-4.0, -3.0):
        model.add("Gemm", np.eye(3), np.full(3, bias))
        model.add("Relu")
    model.add("Gemm", np.array([[0.3, -0.2, 0.1]] * 3), np.array([0.5, -0.11, 0.02]))
    return model


def test_the_bias_counts_from_the_first_input_on(tmp_path: Path) -> None:
    x = np.random.default_rng(0).uniform(0, 1, (4, 3)).astype(np.float32)
    converted = convert_onnx(silent().save(tmp_path / "m.onnx"), LOIHI2, x)
    program, steps = converted.program, np.array([1, 2, 5, 32])
    shown = np.broadcast_to(x, (int(steps[-1]), *x.shape))
    sums = simulate(program, shown).output[program.pipeline_steps + steps - 1]
    answers = sums * (converted.unit / steps)[:, None, None]
    np.testing.assert_allclose(answers, np.broadcast_to([0.5, -0.11, 0.02], answers.shape), rtol=0.01, atol=0.003)


@pytest.mark.parametrize("way", ["rate", "sigma-delta"])
def test_the_error_of_the_value_is_reported_where_every_answer_is_the_same(way: str, tmp_path: Path) -> None:
    model = Model((6,), seed=2)
    model.dense(8)
    model.add("Relu")
    model.dense(1)
    x = np.random.default_rng(0).uniform(0, 1, (20, 6)).astype(np.float32)
    converted = convert_onnx(model.save(tmp_path / "m.onnx"), LOIHI2, x, way)  # type: ignore[arg-type]
    found = measure(converted, way, x, 64)  # type: ignore[arg-type]
    errors = [loss.error or 0.0 for loss in found.losses]
    assert found.outputs == 1 and found.failure is None
    assert 0 < errors[-1] <= errors[0] and errors[-1] < 0.05, errors
