"""Graphs as exporters write them: converted as onnxruntime computes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from command import refused, spikeport
from exporter_graphs import (
    argmax,
    binary_sigmoid,
    cntk,
    doubles,
    ferplus,
    halves,
    keras_conv1d,
    rows,
    sklearn_binary,
    sklearn_classifier,
    sklearn_logistic,
    sklearn_regressor,
    tf_channels_last,
    tf_normalised,
    torch_two_outputs,
    torch_view,
    whole_image,
    whole_numbers,
    without_batch,
)
from numpy.typing import NDArray
from onnx_float import opened, relu_answers
from onnx_graphs import run_onnx
from onnx_models import Model

from spikeport.common.errors import InputError
from spikeport.exporter.onnx.calibration_statistics import answers
from spikeport.exporter.onnx.convert import convert_onnx
from spikeport.exporter.onnx.operators.ending import BEHIND_SCORES
from spikeport.exporter.onnx.relu_network import ReluNetwork, open_network
from spikeport.exporter.onnx.rewrites.sklearn import ATTRIBUTES
from spikeport.hardware_profiles import load_chip
from spikeport.results.conversion import measure

LOIHI2 = load_chip("loihi2")
DECLARED = {**ATTRIBUTES, **{kind: BEHIND_SCORES[kind] for kind in ("Normalizer", "ZipMap")}}
NUMBERS: dict[str, Callable[[], onnx.ModelProto]] = {
    "CNTK, MNIST": cntk, "CNTK, FERPlus": ferplus, "torch, view": torch_view, "torch, two outputs": torch_two_outputs,
    "torch, functions": lambda: with_functions(3),
    "tf2onnx, CNN": tf_channels_last, "tf2onnx, one channel": lambda: tf_channels_last(1),
    "tf2onnx, normalised": tf_normalised, "keras2onnx, Conv1D": keras_conv1d, "rows": rows, "no batch": without_batch,
    "one image": whole_image, "float16": halves, "float64": doubles, "uint8": whole_numbers,
    "sklearn, LinearRegression": sklearn_regressor,
}  # fmt: skip
WINNERS: dict[str, Callable[[], onnx.ModelProto]] = {
    "sklearn, MLPClassifier": sklearn_classifier, "sklearn, two classes": sklearn_binary,
    "sklearn, LogisticRegression": sklearn_logistic,
    "sklearn, one against the rest": lambda: sklearn_logistic("LOGISTIC"),
    "sklearn, scores": lambda: sklearn_logistic("NONE"), "keras, one Sigmoid": binary_sigmoid, "ArgMax": argmax,
}  # fmt: skip


def samples(model: onnx.ModelProto, network: ReluNetwork, count: int = 12) -> tuple[NDArray[Any], list[NDArray[Any]]]:
    """Samples (count, *shape), and each as the file takes it."""
    entered = model.graph.input[0].type.tensor_type
    shape = [d.dim_value or 1 for d in entered.shape.dim]
    x = np.random.default_rng(1).uniform(0, 4, (count, *network.shape)).round()
    kind = onnx.helper.tensor_dtype_to_np_dtype(entered.elem_type)
    return x.astype(np.float32), [each.reshape(shape).astype(kind) for each in x]


def originals(model: onnx.ModelProto, parts: list[NDArray[Any]]) -> NDArray[Any]:
    name = model.graph.input[0].name
    return np.concatenate([np.asarray(run_onnx(model, {name: part})[0]).reshape(1, -1) for part in parts])


@pytest.mark.parametrize("kind", NUMBERS)
def test_the_numbers_are_those_of_the_file(kind: str) -> None:
    model = NUMBERS[kind]()
    network = opened(model)
    x, parts = samples(model, network)
    wanted = originals(model, parts).astype(float)
    tolerance = (1e-2 if kind == "float16" else 1e-4) * np.abs(wanted).max()
    np.testing.assert_allclose(relu_answers(network, x).reshape(len(x), -1), wanted, rtol=0, atol=tolerance)
    np.testing.assert_allclose(answers(network, x), wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("kind", WINNERS)
def test_the_winners_are_those_of_the_file(kind: str) -> None:
    model = WINNERS[kind]()
    network = opened(model)
    x, parts = samples(model, network, 40)
    wanted = originals(model, parts)
    winners = wanted[:, 0] > 0.5 if kind == "keras, one Sigmoid" else wanted[:, 0]
    assert len(np.unique(winners)) > 1
    assert network.notes and any(
        "left out: it changes no winner" in note or "-z and z" in note for note in network.notes
    )
    for found in (relu_answers(network, x).reshape(len(x), -1), answers(network, x)):
        np.testing.assert_array_equal(found.argmax(axis=1), winners)


@pytest.mark.parametrize("kind", ["CNTK, MNIST", "tf2onnx, CNN", "keras2onnx, Conv1D", "rows", "one image", "float64"])
def test_the_chip_takes_samples_as_the_file_does(kind: str, tmp_path: Path) -> None:
    """In every layout of the input, with the axes of channels-last images moved by the conversion."""
    model = NUMBERS[kind]()
    onnx.save(model, str(tmp_path / "m.onnx"))
    network = open_network(tmp_path / "m.onnx")
    x, _ = samples(model, network, 20)
    for way in ("rate", "sigma-delta"):
        converted = convert_onnx(tmp_path / "m.onnx", LOIHI2, x, way)  # type: ignore[arg-type]
        assert measure(converted, way, x, 64).losses[-1].agreement >= 0.9  # type: ignore[arg-type]
        moved = kind in ("tf2onnx, CNN", "keras2onnx, Conv1D")
        assert converted.program.inputs[0].shape == (network.entry.network_shape if moved else network.shape)
        assert any("the program's input has the shape" in note for note in network.notes) == moved


def test_an_output_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(torch_two_outputs(), str(path))
    first = open_network(path)
    assert first.output == "scores" and "the first is converted, 'scores'; left out: 'hidden'" in first.notes[0]
    assert open_network(path, output="hidden").output == "hidden" and not open_network(path, output="hidden").notes
    with pytest.raises(InputError, match="has no output 'none'; its outputs are 'scores', 'hidden'"):
        open_network(path, output="none")
    x = np.random.default_rng(0).uniform(0, 1, (20, 16)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    base = ("import", "m.onnx", "--calibrate", "x.npy", "--steps", 8, "-o", "m.chip")
    ran = spikeport(*base, "--output", "hidden", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    refused(spikeport(*base, "--output", "none", cwd=tmp_path), "has no output 'none'")


def test_labels_are_told() -> None:
    notes = opened(sklearn_classifier((2, 3, 5, 7, 11))).notes
    assert any("the outputs stand for the classes 2, 3, 5, 7, 11, in this order" in note for note in notes)
    assert not any("stand for" in note for note in opened(sklearn_classifier()).notes)


def edited(model: onnx.ModelProto, kind: str, name: str, value: Any, number: int = 0) -> onnx.ModelProto:
    """The model with one attribute of a node of a kind replaced."""
    node = [node for node in model.graph.node if node.op_type == kind][number]
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, onnx.helper.make_attribute(name, value)])
    return model


def dividing_by_zero() -> onnx.ModelProto:
    model = torch_view()
    model.graph.node.insert(0, onnx.helper.make_node("Div", ["one", "none"], ["never"], name="bad"))
    for name, number in (("one", 1), ("none", 0)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([number]), name))
    node = next(node for node in model.graph.node if node.op_type == "Concat")
    node.input[1] = "never"
    return model


def with_functions(depth: int = 1, width: int = 1) -> onnx.ModelProto:
    """The two layers' ReLU as a function of a function, as PyTorch's dynamo writes it."""
    model = torch_view()
    opsets = [onnx.helper.make_opsetid("", 13), onnx.helper.make_opsetid("pkg.torch", 1)]
    for level in range(depth):
        kind, domain = ("Relu", "") if level == 0 else (f"level{level - 1}", "pkg.torch")
        names = ["a", *(f"b{i}" for i in range(width))]
        body = [onnx.helper.make_node(kind, [names[i]], [names[i + 1]], domain=domain) for i in range(width)]
        model.functions.append(onnx.helper.make_function("pkg.torch", f"level{level}", ["a"], names[-1:], body, opsets))
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    node.op_type, node.domain = f"level{depth - 1}", "pkg.torch"
    model.opset_import.append(opsets[1])
    model.ir_version = 8
    return model


def calling_itself() -> onnx.ModelProto:
    model = with_functions(2)
    model.functions[0].node[0].op_type, model.functions[0].node[0].domain = "level1", "pkg.torch"
    return model


def padded_with(number: float) -> onnx.ModelProto:
    model = tf_normalised()
    next(node for node in model.graph.node if node.op_type == "Pad").input.append("number")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(number), "number"))
    return model


def twice_the_batch() -> onnx.ModelProto:
    """x.view(2 * x.size(0), -1)."""
    model = torch_view()
    model.graph.node.insert(5, onnx.helper.make_node("Mul", ["first", "two"], ["doubled"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2]), "two"))
    next(node for node in model.graph.node if node.op_type == "Concat").input[0] = "doubled"
    return model


def added_to_its_transpose() -> onnx.ModelProto:
    model = rows()
    model.graph.node.insert(0, onnx.helper.make_node("Transpose", ["x"], ["turned"], perm=[0, 2, 1]))
    model.graph.node.insert(1, onnx.helper.make_node("Add", ["x", "turned"], ["both"], name="bad"))
    next(node for node in model.graph.node if node.op_type == "Unsqueeze").input[0] = "both"
    return model


REFUSED: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "the last of equal numbers": (lambda: argmax(1), "has select_last_index 1; leave it at 0"),
    "probit": (lambda: sklearn_logistic("PROBIT"), "has post_transform PROBIT; use post_transform NONE, SOFTMAX"),
    "a row of coefficients for two classes": (
        lambda: edited(sklearn_logistic(), "LinearClassifier", "classlabels_ints", [0, 1]),
        "has 3 rows of coefficients for 2 classes",
    ),
    "the batch moved": (
        lambda: edited(tf_channels_last(), "Transpose", "perm", [3, 0, 1, 2]), "N must stay the first axis",
    ),
    "the class of a sample's row": (lambda: edited(argmax(), "ArgMax", "axis", 0), "has axis 0 of (N, 5)"),
    "padding of ones": (lambda: padded_with(1.0), "pads with 1.0; only zeros"),
    "a batch of pairs": (twice_the_batch, "(2 N, -1), but only shapes that keep N"),
    "added to its transpose": (added_to_its_transpose, "Add node 'bad': adds signals whose axes were moved"),
    "functions of functions": (lambda: with_functions(12, 10), "its functions stand for more than 100,000 nodes"),
    "a function of itself": (calling_itself, "must not be recursive"),
    "a class as yes or no": (
        lambda: edited(sklearn_classifier(), "Cast", "to", onnx.TensorProto.BOOL, 1), "casts classes to a type",
    ),
    "a crash of onnxruntime": (dividing_by_zero, "Div node 'bad': divides whole numbers by 0 or -1"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_become_another_network_is_refused(case: str) -> None:
    make, sentence = REFUSED[case]
    with pytest.raises(InputError) as caught:
        opened(make())
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_a_small_file_takes_no_large_memory() -> None:
    """Expand and ConstantOfShape make any number of numbers from a few bytes."""
    for kind in ("ConstantOfShape", "Expand"):
        model = torch_view()
        inputs = ["many"] if kind == "ConstantOfShape" else ["rest", "many"]
        model.graph.node.insert(6, onnx.helper.make_node(kind, inputs, ["huge"], name="bad"))
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1 << 20, 1 << 20]), "many"))
        next(node for node in model.graph.node if node.op_type == "Concat").input[1] = "huge"
        with pytest.raises(InputError, match=f"{kind} node 'bad': computes .* more than fits"):
            opened(model)


def test_every_attribute_of_scikit_learn_s_operators_is_declared() -> None:
    for kind, declared in DECLARED.items():
        for schema in onnx.defs.get_all_schemas_with_history():
            if schema.name == kind and schema.domain == "ai.onnx.ml":
                assert set(schema.attributes) == set(declared), kind


def test_a_tanh_at_the_end_changes_no_winner() -> None:
    model = Model((6,), seed=1)
    model.dense(5)
    model.add("Relu")
    model.dense(4)
    model.add("Tanh")
    proto = model.proto()
    network = opened(proto)
    x = np.random.default_rng(0).uniform(0, 1, (40, 6)).astype(np.float32)
    wanted = run_onnx(proto, {"x": x})[0].argmax(1)
    np.testing.assert_array_equal(relu_answers(network, x).argmax(1), wanted)
    assert any("Tanh node" in note and "changes no winner" in note for note in network.notes)
