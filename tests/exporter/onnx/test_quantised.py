"""Quantised ONNX models: the same network as in onnxruntime, and their own integers on the chip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnx_float import opened, relu_answers
from onnx_graphs import run_onnx
from onnx_models import Model, relu_networks
from onnx_quantised import Mode, integers_of, quantise

from spikeport.common.errors import InputError
from spikeport.exporter.onnx.calibration_statistics import answers
from spikeport.exporter.onnx.convert import Coding, convert_onnx
from spikeport.exporter.quantisation.weight_units import largest_integer
from spikeport.hardware_profiles import load_chip
from spikeport.results.conversion import measure

LOIHI2 = load_chip("loihi2")
SAMPLES = np.random.default_rng(5).uniform(0, 1, (16, 6)).astype(np.float32)
IMAGES = np.random.default_rng(5).uniform(0, 1, (16, 2, 6, 6)).astype(np.float32)
MODES = [
    Mode(form, activations, weights, per_channel)
    for form in ("QDQ", "QOperator")
    for activations, weights in (("QInt8", "QInt8"), ("QUInt8", "QInt8"), ("QUInt8", "QUInt8"))
    for per_channel in (False, True)
    # onnxruntime refuses to round unsigned weights per channel
    if not (per_channel and weights == "QUInt8")
] + [Mode("dynamic", weights=weights) for weights in ("QInt8", "QUInt8")]


def mlp() -> Model:
    model = Model((6,), seed=1)
    for size in (20, 12):
        model.dense(size)
        model.add("Relu")
    model.dense(4)
    return model


def samples_for(model: Model) -> NDArray[np.float32]:
    return IMAGES if len(model.entered) == 3 else SAMPLES


def assert_converted(model: onnx.ModelProto, x: NDArray[np.float32]) -> None:
    """As onnxruntime, up to the rounding of signals; exactly the float model of the integers."""
    network = opened(model)
    wanted = run_onnx(model, {"x": x})[0].reshape(len(x), -1).astype(float)
    largest = np.abs(wanted).max()
    np.testing.assert_allclose(answers(network, x), wanted, atol=1e-5 * largest)
    floats = run_onnx(network.model, {"x": x})[0].reshape(len(x), -1)
    found = relu_answers(network, x).reshape(len(x), -1)
    np.testing.assert_allclose(found, floats, atol=1e-4 * (1 + largest))
    # eight bits per signal
    assert np.abs(found - wanted).max() < 0.1 * largest + 0.02
    assert np.sqrt(np.square(found - wanted).mean()) < 0.04 * largest + 0.01


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: "-".join(str(v) for v in vars(mode).values()))
def test_a_quantised_network_is_the_network_of_its_integers(mode: Mode) -> None:
    assert_converted(quantise(mlp().proto(), SAMPLES, mode), SAMPLES)


@settings(max_examples=12, deadline=None)
@given(relu_networks(), st.sampled_from(MODES))
def test_networks_of_all_layers_are_read_in_every_form(model: Model, mode: Mode) -> None:
    # onnxruntime has no kernel for signed weights of ConvInteger
    image = len(model.entered) == 3
    mode = Mode("dynamic", weights="QUInt8") if mode.format == "dynamic" and image else mode
    x = samples_for(model)
    assert_converted(quantise(model.proto(), x, mode), x)


def matrices(program: Any, name: str) -> NDArray[Any]:
    """The sum of a population's connections as a matrix, in units of 2**-8."""
    total: Any = 0
    for connection in program.into(name):
        # exponents start at -8
        weights = connection.weights * 2.0 ** (connection.weight_exp + 8)
        if hasattr(connection, "indptr"):
            matrix = np.zeros((len(connection.indptr) - 1, program.source_size(connection.source)))
            rows = np.repeat(np.arange(len(matrix)), np.diff(connection.indptr))
            matrix[rows, connection.indices] = weights
            weights = matrix
        total = total + weights
    return np.asarray(total)


@pytest.mark.parametrize("way", ["rate", "sigma-delta"])
@pytest.mark.parametrize("mode", [Mode("QDQ"), Mode("QOperator", "QUInt8"), Mode("dynamic")], ids=lambda m: m.format)
def test_the_integers_on_the_chip_are_the_model_s(mode: Mode, way: Coding, tmp_path: Path) -> None:
    """Also in the first layer of a rate code, whose input is a payload."""
    model = quantise(mlp().proto(), SAMPLES, mode)
    onnx.save(model, str(tmp_path / "m.onnx"))
    converted = convert_onnx(tmp_path / "m.onnx", LOIHI2, SAMPLES, way, 64)
    assert (measure(converted, way, SAMPLES, 64).losses[-1].error or 1) < 0.06
    integers = {m.shape: m for own in integers_of(model) for m in (own, own.T)}
    equal = 0
    for population in converted.program.populations:
        stored = matrices(converted.program, population.name)
        if stored.shape in integers:
            own = integers[stored.shape]
            ratio = np.abs(stored).max() / np.abs(own).max()
            equal += bool(ratio == int(ratio) and np.array_equal(stored, own * ratio))
    assert equal == 3


@pytest.mark.parametrize(("weights", "integer"), [
    ([0.1, -0.3, 0.0], 3), ([0.7, -0.7], 1), (np.arange(256) * 0.37, 255), (np.arange(257) * 0.37, None),
    ([1.0, np.pi], None), ([0.0], None), (np.float32([0.1, 0.2, 12.7]), 127),
])  # fmt: skip
def test_a_unit_of_weights_is_found(weights: Any, integer: int | None) -> None:
    assert largest_integer(np.asarray(weights)) == integer


def changed(mode: Mode, change: Callable[[onnx.GraphProto], None]) -> onnx.ModelProto:
    model = quantise(mlp().proto(), SAMPLES, mode)
    change(model.graph)
    return model


def node_of(graph: onnx.GraphProto, kind: str, number: int = 0) -> onnx.NodeProto:
    return [node for node in graph.node if node.op_type == kind][number]


def store(graph: onnx.GraphProto, name: str, values: Any) -> str:
    graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    return name


def another_scale(graph: onnx.GraphProto) -> None:
    reading = [n for n in graph.node if n.op_type == "DequantizeLinear" and "QuantizeLinear_Output" in n.input[0]]
    reading[0].input[1] = store(graph, "other", np.float32(0.5))


def per_channel(graph: onnx.GraphProto) -> None:
    node = node_of(graph, "QuantizeLinear")
    node.input[1] = store(graph, "many", np.ones(6, np.float32))
    node.input[2] = store(graph, "zeros", np.zeros(6, np.int8))


def negative(graph: onnx.GraphProto) -> None:
    node_of(graph, "QuantizeLinear").input[1] = store(graph, "negative", np.float32(-1))


def floating(graph: onnx.GraphProto) -> None:
    node_of(graph, "MatMulInteger").input[2] = store(graph, "zero", np.uint8(0))


def alpha(graph: onnx.GraphProto) -> None:
    del node_of(graph, "QGemm").attribute[:]
    node_of(graph, "QGemm").attribute.append(onnx.helper.make_attribute("alpha", 2.0))


REFUSED: dict[str, tuple[Mode, Callable[[onnx.GraphProto], None], str]] = {
    "another scale": (Mode("QDQ"), another_scale, "with another scale or zero point than it was quantised with"),
    "per channel": (Mode("QDQ"), per_channel, "has a scale per channel of a signal"),
    "negative": (Mode("QDQ"), negative, "has a scale that is not a positive number"),
    "no zero point": (Mode("dynamic"), floating, "without its zero point"),
    "alpha": (Mode("QOperator"), alpha, "has alpha 2.0; quantise a plain Linear layer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_integers_that_would_mean_other_numbers_are_refused(case: str) -> None:
    mode, change, sentence = REFUSED[case]
    with pytest.raises(InputError) as caught:
        opened(changed(mode, change))
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_weights_that_are_quantised_in_the_file_are_rounded_as_they_are() -> None:
    """As quantisation-aware training exports them: float weights, QuantizeLinear, DequantizeLinear."""
    model = Model((6,), seed=4)
    weight = model.rng.normal(0, 1, (5, 6)).astype(np.float32)
    scale, zero = np.float32(0.01), np.int8(3)
    model.weights += [numpy_helper.from_array(v, n) for v, n in ((weight, "w"), (np.asarray(scale), "s"))]
    model.weights.append(numpy_helper.from_array(np.asarray(zero), "z"))
    model.add("QuantizeLinear", inputs=("w", "s", "z"))
    end = model.add("DequantizeLinear", inputs=(model.now, "s", "z"))
    model.add("Gemm", inputs=("x", end), transB=1)
    model.shape = (5,)
    model.add("Relu")
    model.dense(3)
    proto = model.proto()
    assert proto.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
    found, wanted = relu_answers(opened(proto), SAMPLES), run_onnx(proto, {"x": SAMPLES})[0]
    np.testing.assert_allclose(found, wanted, atol=1e-4)
