"""MaxPool as ReLUs is the same network; as an average it is another one, and its loss is printed."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from command import spikeport
from onnx_float import opened, relu_answers
from onnx_graphs import run_onnx
from onnx_models import Model
from onnx_quantised import Mode, quantise
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

from spikeport.common.errors import InputError
from spikeport.exporter.onnx.convert import Coding, convert_onnx
from spikeport.exporter.onnx.relu_network import open_network
from spikeport.hardware_profiles import load_chip
from spikeport.results.conversion import measure

LOIHI2 = load_chip("loihi2")
GEOMETRY = [
    {"kernel_shape": [2, 2], "strides": [2, 2]}, {"kernel_shape": [3, 2], "strides": [1, 2], "dilations": [2, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 0, 1]}, {"kernel_shape": [2, 2], "pads": [1] * 4},
    {"kernel_shape": [2, 3], "strides": [3, 3], "ceil_mode": 1}, {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [2, 2], "strides": [2, 3], "auto_pad": "SAME_LOWER"},
    {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "VALID", "storage_order": 1},
]  # fmt: skip


def pooled(kind: str = "MaxPool", relu: bool = True, shape: tuple[int, ...] = (2, 7, 6), **attributes: Any) -> Model:
    model = Model(shape, seed=1)
    model.conv(3)
    if relu:
        model.add("Relu")
    model.add(kind, **attributes)
    if not relu:
        model.add("Relu")
    return model


def with_any_shape(model: Model) -> onnx.ModelProto:
    proto = model.proto()
    proto.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(model.now, 1, [None] * 4))
    return proto


@pytest.mark.parametrize(("attributes", "shape"), [*itertools.product(GEOMETRY, [(2, 7, 6), (1, 5, 5)])])
def test_a_maximum_is_the_sum_of_relus(attributes: dict[str, Any], shape: tuple[int, ...]) -> None:
    proto = with_any_shape(pooled(shape=shape, **attributes))
    x = np.random.default_rng(0).normal(0, 1, (3, *shape)).astype(np.float32)
    try:
        wanted = run_onnx(proto, {"x": x})[0]
    except RuntimeException as error:  # newer ones refuse SAME padding of a stride beyond the kernel
        pytest.skip(str(error))
    np.testing.assert_allclose(relu_answers(opened(proto), x), wanted, atol=1e-5)


SERIES: list[dict[str, Any]] = [
    {"kernel_shape": [2]},
    {"kernel_shape": [2], "strides": [2]},
    {"kernel_shape": [3], "strides": [2], "pads": [1, 1], "ceil_mode": 1},
    {"kernel_shape": [3], "strides": [2], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [2], "dilations": [2]},
]


@pytest.mark.parametrize("attributes", SERIES)
def test_a_maximum_of_a_series_is_the_sum_of_relus(attributes: dict[str, Any]) -> None:
    model = Model((2, 11), seed=1)
    model.add("Relu")
    model.add("MaxPool", **attributes)
    proto = model.proto()
    proto.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(model.now, 1, [None] * 3))
    x = np.random.default_rng(0).normal(0, 1, (3, 2, 11)).astype(np.float32)
    wanted = run_onnx(proto, {"x": x})[0]
    np.testing.assert_allclose(relu_answers(opened(proto), x).reshape(wanted.shape), wanted, atol=1e-5)


@pytest.mark.parametrize("relu", [True, False])
def test_a_global_maximum_and_one_of_negative_numbers(relu: bool) -> None:
    x = np.random.default_rng(0).normal(0, 1, (3, 2, 7, 6)).astype(np.float32)
    for model in (pooled("GlobalMaxPool", relu), pooled(relu=relu, kernel_shape=[2, 2])):
        proto = with_any_shape(model)
        np.testing.assert_allclose(relu_answers(opened(proto), x), run_onnx(proto, {"x": x})[0], atol=1e-5)


def test_a_quantised_maximum_is_that_of_its_integers() -> None:
    model = pooled(kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 0, 0])
    model.add("Flatten")
    model.shape = (3 * 4 * 3,)
    model.dense(3)
    x = np.random.default_rng(0).uniform(0, 1, (8, 2, 7, 6)).astype(np.float32)
    for form in ("QDQ", "QOperator"):
        proto = quantise(model.proto(), x, Mode(form))
        wanted = run_onnx(proto, {"x": x})[0]
        assert np.abs(relu_answers(opened(proto), x) - wanted).max() < 0.05 * np.abs(wanted).max()


def classifier() -> tuple[Model, np.ndarray[Any, Any]]:
    model = pooled(kernel_shape=[2, 2], strides=[2, 2], shape=(1, 8, 8))
    model.add("Flatten")
    model.shape = (48,)
    model.dense(4)
    return model, np.random.default_rng(0).uniform(0, 1, (40, 1, 8, 8)).astype(np.float32)


@pytest.mark.parametrize(("way", "largest"), [("rate", 0.1), ("sigma-delta", 0.03)])
def test_the_chip_has_the_maximum(way: Coding, largest: float, tmp_path: Path) -> None:
    model, x = classifier()
    found = measure(convert_onnx(model.save(tmp_path / "m.onnx"), LOIHI2, x, way, 64), way, x, 64)
    errors = [loss.error or 0 for loss in found.losses]
    assert errors[-1] <= errors[0] and errors[-1] < largest, errors
    assert found.before is not None and found.before.error is not None and found.before.error < 1e-5


def test_the_loss_of_an_average_is_printed(tmp_path: Path) -> None:
    model, x = classifier()
    model.save(tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", x)
    ran = spikeport(
        "import", "m.onnx", "--calibrate", "x.npy", "--as", "sigma-delta", "--steps", 8, "--replace-maxpool", "average",
        "-o", "m.chip", cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "MaxPool node 't2' is replaced by an average, which is another network" in ran.stdout
    network = open_network(tmp_path / "m.onnx", "average")
    averaged, wanted = (run_onnx(m, {"x": x})[0] for m in (network.model, network.original))
    error = np.sqrt(np.square(averaged - wanted).mean() / np.square(wanted).mean())
    assert error > 0.05 and "before the chip: same answer " in ran.stdout and f"error {error:.2%}" in ran.stdout


REFUSED: list[tuple[Model, str]] = [
    (pooled(relu=False, kernel_shape=[2, 2], pads=[1] * 4), "has padding, but reads a signal that may be negative"),
    (pooled(kernel_shape=[2, 2], pads=[1] * 4, auto_pad="VALID"), "and auto_pad VALID; give one of the two"),
    (pooled(kernel_shape=[2, 2], auto_pad="SAME_UPPER", dilations=[2, 2]), "with dilations; give its padding"),
    (pooled(kernel_shape=[2, 2], strides=[2]), "over an input of (3, 7, 6); give 2 of each, from 1"),
    (pooled(kernel_shape=[9, 9]), "has windows (9, 9), larger than its input (3, 7, 6)"),
    (pooled("GlobalMaxPool", shape=(1, 17, 17)), "has windows of 289 elements, and 256 are the most"),
]


@pytest.mark.parametrize(("model", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_a_maximum_that_cannot_be_computed_is_refused(model: Model, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        opened(model.proto())
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_indices_are_refused() -> None:
    model = pooled(kernel_shape=[2, 2])
    model.nodes[-1].output.append("indices")
    with pytest.raises(InputError, match="has an output for indices"):
        opened(model.proto())
