"""No attribute, input or output of an ONNX node is read past: each is as in onnxruntime, or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, defs
from onnx_float import as_the_end, opened, relu_answers
from onnx_graphs import run_onnx
from onnx_models import Model
from places import ROOT

from spikeport.common.errors import InputError
from spikeport.exporter.onnx.calibration_statistics import record
from spikeport.exporter.onnx.operators.operators import CONSTANT, OPERATORS, OPSETS

SAMPLES = np.random.default_rng(5).normal(0, 1, (5, 6)).astype(np.float32)
IMAGES = np.random.default_rng(5).normal(0, 1, (5, 2, 4, 4)).astype(np.float32)


@pytest.mark.parametrize("kind", [*OPERATORS, "Constant"])
def test_every_attribute_of_the_schemas_is_declared(kind: str) -> None:
    """A new opset with a new attribute fails here first."""
    schemas = [
        s for s in defs.get_all_schemas_with_history()
        if s.name == kind and s.domain == "" and s.since_version <= OPSETS[-1]
    ]  # fmt: skip
    # Resize is newer than the oldest opset
    oldest = max((s.since_version for s in schemas if s.since_version <= OPSETS[0]), default=OPSETS[0])
    declared = CONSTANT if kind == "Constant" else OPERATORS[kind].attributes
    known = [s for s in schemas if s.since_version >= oldest]
    for schema in known:
        for name, attribute in schema.attributes.items():
            assert name in declared, f"{kind} of opset {schema.since_version} has {name}"
            assert declared[name].kind == getattr(onnx.AttributeProto, attribute.type.name)
        if kind not in ("Constant", "Sum", "Concat"):
            assert schema.max_input <= OPERATORS[kind].most and schema.min_input >= OPERATORS[kind].fewest
    # and nothing is declared that no schema has
    assert set(declared) == {name for schema in known for name in schema.attributes}
    assert onnx.defs.onnx_opset_version() >= OPSETS[0]


def test_the_page_names_every_operator_and_attribute() -> None:
    page = (ROOT / "docs" / "onnx.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("| ")}
    for kind, operator in OPERATORS.items():
        (row,) = [line for names, line in rows.items() if kind in names.split(", ")]
        for name in operator.attributes:
            assert name in row, f"{kind}: {name}"


def dense(*, end: bool = True, after: Callable[[Model], object] = lambda _: None) -> Model:
    """Two layers with something between them."""
    model = Model((6,), 2)
    model.dense(4)
    after(model)
    model.add("Relu")
    if end:
        model.dense(3)
    return model


def image(kind: str, *constants: Any, **attributes: Any) -> Model:
    """A convolution and a ReLU, and what is looked at behind them."""
    model = Model((2, 4, 4), 2)
    model.conv(4)
    model.add("Relu")
    model.add(kind, *constants, **attributes)
    return model


def vector(kind: str, *constants: Any, **attributes: Any) -> Model:
    """The same behind a dense layer."""
    model = dense(end=False)
    model.add(kind, *constants, **attributes)
    return model


def sum_of_five() -> Model:
    model = dense(end=False)
    first = model.now
    model.dense(4)
    second = model.add("Relu")
    model.add("Sum", np.ones(4), np.float32(0.5), inputs=(first, second, first))
    return model


def assert_equal(model: Model) -> None:
    x = SAMPLES if len(model.entered) == 1 else IMAGES
    network = opened(model.proto())
    wanted = run_onnx(model.proto(), {"x": x})[0]
    np.testing.assert_allclose(as_the_end(network, relu_answers(network, x)), wanted, atol=1e-4)


def test_a_sum_of_any_number_adds_them_all() -> None:
    assert_equal(sum_of_five())
    assert_equal(vector("Sum"))


@pytest.mark.parametrize("other", ["", "Identity", "Dropout", "Cast"])
def test_a_layer_that_is_the_output_too_is_not_scaled(other: str) -> None:
    model = Model((6,), 2)
    model.dense(6)
    model.add("Relu")
    model.dense(4)
    layer = model.now
    attributes = {"to": TensorProto.FLOAT} if other == "Cast" else {}
    alias = model.add(other, **attributes) if other else layer
    model.add("Mul", np.float32(3.0), inputs=(alias,))
    model.add("Relu")
    model.now = layer
    assert_equal(model)


@pytest.mark.parametrize("other", ["Identity", "Dropout", "Reshape", "Cast"])
@pytest.mark.parametrize("kind", ["Mul", "Add", "BatchNormalization"])
def test_a_layer_that_is_read_under_two_names_is_not_scaled(other: str, kind: str) -> None:
    model = Model((6,), 2)
    model.dense(4)
    layer = model.now
    attributes = {"to": TensorProto.FLOAT} if other == "Cast" else {}
    model.add(other, *([np.array([0, -1])] if other == "Reshape" else []), **attributes)
    model.add(kind, *[np.linspace(0.5, 2, 4)] * (4 if kind == "BatchNormalization" else 1))
    scaled = model.add("Relu")
    model.add("Relu", inputs=(layer,))
    model.add("Sum", inputs=(scaled, model.now, layer))
    assert_equal(model)


def test_a_layer_that_one_node_reads_is_scaled_in_place() -> None:
    model = dense(after=lambda m: (m.add("Identity"), m.add("Mul", np.float32(2)), m.add("Dropout"), m.batch_norm()))
    assert_equal(model)
    graph = opened(model.proto()).to_nir({})
    assert sum(type(node).__name__ == "Affine" for node in graph.nodes.values()) == 2


def followed(kind: str, axis: int | None, *then: str) -> Model:
    model = dense()
    model.add(kind, **({} if axis is None else {"axis": axis}))
    for other in then:
        model.add(other)
    return model


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
def test_a_softmax_over_the_classes_at_the_end_is_left_out(kind: str) -> None:
    for model in (
        followed(kind, None),
        followed(kind, 1),
        followed(kind, -1),
        followed(kind, 1, "Identity", "Dropout"),
    ):
        assert_equal(model)
        network = opened(model.proto())
        assert network.notes and "is left out" in network.notes[0]
        # how far the answer goes is of the sums, not of probabilities
        largest = np.abs(relu_answers(network, SAMPLES)).max()
        assert record(network, SAMPLES).largest_output == pytest.approx(largest, rel=1e-4)


def test_a_tensor_named_as_the_answer_s_neurons_is_another() -> None:
    model = dense()
    for node in model.nodes:
        for names in (node.input, node.output):
            names[:] = ["readout" if name == "t1" else name for name in names]
    assert_equal(model)
    graph = opened(model.proto()).to_nir({})
    assert type(graph.nodes["readout"]).__name__ == "I" and type(graph.nodes["readout_2"]).__name__ == "IF"


def with_opset(model: Model, version: int) -> onnx.ModelProto:
    proto = model.proto()
    proto.opset_import[0].version = version
    return proto


def with_types(kind: int) -> onnx.ModelProto:
    proto = dense().proto()
    proto.graph.input[0].type.tensor_type.elem_type = kind
    return proto


def foreign() -> onnx.ModelProto:
    proto = dense().proto()
    proto.opset_import.add(domain="com.microsoft", version=1)
    proto.graph.node[1].domain = "com.microsoft"
    return proto


def redefined() -> onnx.ModelProto:
    proto = dense().proto()
    body = [onnx.helper.make_node("Neg", ["a"], ["b"])]
    proto.functions.append(onnx.helper.make_function("", "Relu", ["a"], ["b"], body, proto.opset_import))
    return proto


def several_outputs(kind: str, read: bool) -> onnx.ModelProto:
    model = dense(end=False)
    if kind == "Dropout":
        model.add("Dropout")
    else:
        model.batch_norm()
        model.nodes[-1].attribute.append(onnx.helper.make_attribute("training_mode", 0))
    model.nodes[-1].output.append("mask")
    if kind == "BatchNormalization":
        model.nodes[-1].output.append("variance")
    last = model.now
    if read:
        number = model.add("Cast", inputs=("mask",), to=TensorProto.FLOAT)
        model.add("Add", inputs=(last, number))
    return model.proto()


def test_a_mask_that_nothing_reads_is_no_matter() -> None:
    assert opened(several_outputs("Dropout", read=False)).relus


TRAINED = [np.full(4, 1.0)] * 4
REFUSED: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "cast to int": (lambda: vector("Cast", to=TensorProto.INT64).proto(), "Cast node 't2': has to INT64"),
    "cast to bool": (lambda: vector("Cast", to=TensorProto.BOOL).proto(), "has to BOOL, which does not keep"),
    "training": (
        lambda: vector("BatchNormalization", *TRAINED, training_mode=1).proto(),
        "BatchNormalization node 't2': has training_mode 1; export the network in eval mode",
    ),
    "statistics": (lambda: several_outputs("BatchNormalization", False), "has an output 1, 'mask'"),
    "mask": (lambda: several_outputs("Dropout", True), "Dropout node 't2': has an output 1, 'mask'"),
    "dropping": (
        lambda: with_node("Dropout", np.float32(0.5), np.array(True)), "Dropout node 't2': has training_mode true",
    ),
    "softmax in the middle": (lambda: followed("Softmax", 1, "Relu").proto(), "Softmax node 't3': is not the end"),
    "log softmax in the middle": (lambda: followed("LogSoftmax", 1, "Identity", "Relu").proto(), "is not the end"),
    "softmax twice": (lambda: followed("Softmax", 1, "Softmax").proto(), "node 't4': reads what is left out"),
    "softmax of the batch": (lambda: followed("Softmax", 0).proto(), "has axis 0 of (N, 3); only over all"),
    "softmax of rows": (lambda: image("Softmax").proto(), "has axis -1 of (N, 4, 4, 4); only over all"),
    "softmax of channels": (lambda: image("LogSoftmax", axis=1).proto(), "has axis 1 of (N, 4, 4, 4)"),
    "softmax of columns, old": (lambda: with_opset(image("Softmax", axis=2), 12), "has axis 2 of (N, 4, 4, 4)"),
    "a number a sample": (lambda: vector("Gemm", np.ones((4, 5)), np.ones((5, 1))).proto(), "its C (5, 1) is not one"),
    "transposed": (lambda: vector("Gemm", np.ones((4, 4)), transA=1).proto(), "Gemm node 't2': has transA 1"),
    "no number": (lambda: vector("Gemm", np.ones((4, 4)), alpha=float("nan")).proto(), "has alpha nan"),
    "another kernel": (
        lambda: image("Conv", np.ones((1, 4, 3, 3)), kernel_shape=[1, 1]).proto(), "has kernel_shape (1, 1), but",
    ),
    "padded twice": (
        lambda: image("Conv", np.ones((1, 4, 3, 3)), auto_pad="VALID", pads=[1] * 4).proto(), "and pads (1, 1, 1, 1)",
    ),
    "negative pads": (lambda: image("Conv", np.ones((1, 4, 1, 1)), pads=[-1] * 4).proto(), "has pads (-1, -1, -1, -1)"),
    "too few pads": (lambda: image("Conv", np.ones((1, 4, 1, 1)), pads=[1, 1]).proto(), "has pads (1, 1); give four"),
    "no group": (lambda: image("Conv", np.ones((3, 2, 1, 1)), group=2).proto(), "group 2 do not fit"),
    "one bias": (lambda: image("Conv", np.ones((3, 4, 1, 1)), np.ones(1)).proto(), "its bias (1,) is not one"),
    "too large": (lambda: image("Conv", np.ones((3, 4, 5, 5))).proto(), "outputs (3, 0, 0)"),
    "larger": (lambda: image("AveragePool", kernel_shape=[7, 7], strides=[3, 3]).proto(), "outputs (4, 0, 0)"),
    "ceil": (lambda: image("AveragePool", kernel_shape=[3, 3], ceil_mode=1).proto(), "has ceil_mode 1; use plain"),
    "apart": (
        lambda: with_opset(image("AveragePool", kernel_shape=[2, 2], dilations=[2, 2]), 19), "has dilations (2, 2)",
    ),
    "the same": (
        lambda: image("AveragePool", kernel_shape=[2, 2], auto_pad="SAME_LOWER").proto(), "pads (1, 1, 0, 0), which",
    ),
    "no axes": (lambda: image("ReduceMean").proto(), "ReduceMean node 't2': averages over axes ()"),
    "axes of the batch": (lambda: image("ReduceMean", axes=[0, 2, 3]).proto(), "averages over axes (0, 2, 3)"),
    "axes beyond": (lambda: image("ReduceMean", axes=[-5, 2]).proto(), "has axes (-5, 2), but its input has 4"),
    "nothing to do": (
        lambda: with_opset(image("ReduceMean", np.zeros(0, np.int64), noop_with_empty_axes=1), 18), "over axes ()",
    ),
    "flattened batch": (lambda: image("Flatten", axis=0).proto(), "Flatten node 't2': has axis 0"),
    "reshaped batch": (lambda: image("Reshape", np.array([1, -1])).proto(), "(1, -1), but only shapes that keep N"),
    "channels into the batch": (lambda: image("Reshape", np.array([-1, 16])).proto(), "(-1, 16), but only shapes"),
    "allow zero": (
        lambda: image("Reshape", np.array([0, 64]), allowzero=1).proto(), "(0, 64), but only shapes",
    ),
    "the batch's axis": (lambda: squeezed(np.array([0, 2])), "Squeeze node 't3': takes the axis of the batch"),
    "a long axis": (lambda: vector("Squeeze", np.array([1])).proto(), "Squeeze node 't2': takes axes (1,)"),
    "any axis": (lambda: squeezed(), "takes axes of length 1"),
    "another axis": (lambda: vector("Mul", np.ones((1, 1, 1, 1))).proto(), "its constant (1, 1, 1, 1) is not"),
    "a constant a sample": (lambda: vector("Add", np.ones((5, 1))).proto(), "its constant (5, 1) is not one number"),
    "one of a sum a sample": (lambda: vector("Sum", np.ones(4), np.ones((5, 4))).proto(), "its constant (5, 4)"),
    "two bounds": (lambda: vector("Clip", np.zeros(2), np.float32(6)).proto(), "has min of shape (2,)"),
    "old": (lambda: with_opset(dense(), 6), "has opset 6; export it with one from 7 to"),
    "foreign": (foreign, "Relu node 't1': is of the domain 'com.microsoft'"),
    "redefined": (redefined, "redefines operators of ONNX"),
    "whole numbers": (lambda: with_types(TensorProto.INT64), "its input 'x' is not of type float32"),
}  # fmt: skip


def with_node(kind: str, number: Any, flag: NDArray[Any]) -> onnx.ModelProto:
    model = vector(kind, number)
    model.weights.append(onnx.numpy_helper.from_array(flag, "flag"))
    model.nodes[-1].input.append("flag")
    return model.proto()


def squeezed(*axes: NDArray[Any]) -> onnx.ModelProto:
    model = image("GlobalAveragePool")
    model.add("Squeeze", *axes)
    return model.proto()


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_become_another_network_is_refused(case: str) -> None:
    make, sentence = REFUSED[case]
    with pytest.raises(InputError) as caught:
        opened(make())
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


HONOURED: dict[str, Callable[[], Model]] = {
    "alpha and beta": lambda: vector("Gemm", np.ones((3, 4)), np.ones(3), transB=1, alpha=0.5, beta=-2.0),
    "one bias of Gemm": lambda: vector("Gemm", np.ones((4, 3)), np.float32(2)),
    "dilated": lambda: image("Conv", np.ones((2, 4, 2, 2)), dilations=[2, 1], strides=[1, 2]),
    "groups": lambda: image("Conv", np.ones((2, 2, 3, 3)), np.ones(2), group=2, pads=[1] * 4, kernel_shape=[3, 3]),
    "valid": lambda: image("Conv", np.ones((2, 4, 3, 3)), auto_pad="VALID"),
    "epsilon": lambda: image("BatchNormalization", *TRAINED, epsilon=0.5, momentum=0.1),
    "counting": lambda: image("AveragePool", kernel_shape=[2, 2], count_include_pad=1, strides=[2, 1]),
    "mean": lambda: image("ReduceMean", axes=[-1, 2], keepdims=0),
    "flat": lambda: image("Flatten", axis=-3),
    "reshaped": lambda: image("Reshape", np.array([0, -1])),
    "by size": lambda: image("Reshape", np.array([-1, 64])),
    "as it is": lambda: image("Reshape", np.array([0, 4, -1, 4])),
    "double": lambda: through_double(),
    "up to infinity": lambda: vector("Clip", np.float32(0)),
    "another name of a constant": lambda: renamed_constant(),
    "from a constant": lambda: reversed_sub(),
}  # fmt: skip


def through_double() -> Model:
    model = vector("Cast", to=TensorProto.DOUBLE)
    model.add("Cast", to=TensorProto.FLOAT)
    return model


def renamed_constant() -> Model:
    model = vector("Mul", np.linspace(1, 2, 4))
    name = model.nodes[-1].input[1]
    model.nodes.insert(0, onnx.helper.make_node("Identity", [name], ["again"]))
    model.nodes[-1].input[1] = "again"
    return model


def reversed_sub() -> Model:
    model = dense(end=False)
    model.add("Sub", np.float32(2))
    names = model.nodes[-1].input
    names[:] = [names[1], names[0]]
    return model


@pytest.mark.parametrize("case", HONOURED)
def test_what_is_honoured_is_as_in_onnxruntime(case: str) -> None:
    assert_equal(HONOURED[case]())


def test_numbers_that_become_infinite_on_samples_are_refused() -> None:
    network = opened(dense().proto())
    with pytest.raises(InputError, match="outputs NaN or infinity on the samples"):
        record(network, np.full((2, 6), 3e38, np.float32))
