"""Changes of an ONNX model by ONNX itself: attributes, inputs and outputs of nodes, operators, opsets, constants."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, defs, helper, numpy_helper

_NUMBERS = (0, 1, -1, 2, 3, 13, -5, 2**31, 2**62)
_REALS = (0.0, 1.0, -1.0, 0.5, 1e30, 1e-30, float("nan"), float("inf"))
_TEXT = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", "", "\u00e9", "x" * 5000)
_KINDS = (
    "Gemm", "MatMul", "Conv", "BatchNormalization", "Relu", "Clip", "AveragePool", "GlobalAveragePool", "ReduceMean",
    "Flatten", "Reshape", "Squeeze", "Add", "Sum", "Sub", "Mul", "Div", "Identity", "Dropout", "Cast", "Softmax",
    "LogSoftmax", "Sigmoid", "ArgMax", "Transpose", "Unsqueeze", "Pad", "Shape", "Gather", "Concat", "Slice", "Expand",
    "ConstantOfShape", "Constant", "MaxPool", "Loop",
)  # fmt: skip


def mutate_onnx(seed: bytes, _: list[bytes], rng: random.Random) -> bytes:
    """One to three changes of a model."""
    model = onnx.load_model_from_string(seed)
    for _number in range(rng.choice((1, 1, 2, 3))):
        rng.choice(_CHANGES)(model, rng)
    return bytes(model.SerializeToString())


def _node(model: onnx.ModelProto, rng: random.Random) -> onnx.NodeProto:
    return rng.choice(model.graph.node)


def _value(kind: int, rng: random.Random) -> Any:
    return {
        AttributeProto.INT: lambda: rng.choice(_NUMBERS),
        AttributeProto.INTS: lambda: [rng.choice(_NUMBERS) for _ in range(rng.randrange(5))],
        AttributeProto.FLOAT: lambda: rng.choice(_REALS),
        AttributeProto.FLOATS: lambda: [rng.choice(_REALS) for _ in range(rng.randrange(5))],
        AttributeProto.STRING: lambda: rng.choice(_TEXT),
    }.get(kind, lambda: numpy_helper.from_array(np.ones(rng.choice((1, 3, 6)), np.float32)))()


def _attribute(model: onnx.ModelProto, rng: random.Random) -> None:
    """One of the operator's schema, or now and then another's."""
    node = _node(model, rng)
    kind = node.op_type if rng.random() < 0.8 else rng.choice(_KINDS)
    known = [s for s in defs.get_all_schemas_with_history() if s.name == kind and s.domain == ""]
    every = [(name, a) for schema in known for name, a in schema.attributes.items()]
    if every:
        name, found = rng.choice(every)
        type_ = getattr(AttributeProto, found.type.name)
        kept = [a for a in node.attribute if a.name != name or rng.random() < 0.1]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute(name, _value(type_, rng), attr_type=type_)])


def _inputs(model: onnx.ModelProto, rng: random.Random) -> None:
    """Doubled, dropped, exchanged, left out, or another tensor's name."""
    node = _node(model, rng)
    names, every = list(node.input), [t.name for t in model.graph.initializer]
    every += [name for other in model.graph.node for name in other.output]
    change = rng.randrange(5)
    if change == 0 and names:
        names.append(rng.choice(names))
    elif change == 1 and names:
        names.pop(rng.randrange(len(names)))
    elif change == 2:
        rng.shuffle(names)
    elif change == 3 and names:
        names[rng.randrange(len(names))] = rng.choice(["", *every])
    else:
        names.append(rng.choice(["", *every]))
    node.input[:] = names


def _outputs(model: onnx.ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    change = rng.randrange(3)
    if change == 0:
        node.output.append(rng.choice(("mask", "", "y")))
    elif change == 1:
        del node.output[:]
    else:
        model.graph.output[0].name = rng.choice([name for other in model.graph.node for name in other.output] or [""])


def _kind(model: onnx.ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    if rng.random() < 0.8:
        node.op_type = rng.choice(_KINDS)
    else:
        node.domain = rng.choice(("ai.onnx", "com.microsoft", "\u00e9"))


def _between(model: onnx.ModelProto, rng: random.Random) -> None:
    """A node more, which another reads in the place of its input."""
    place = rng.randrange(len(model.graph.node))
    nodes = list(model.graph.node)
    if nodes[place].input:
        name = f"between{rng.randrange(1 << 20)}"
        kind = rng.choice(_KINDS)
        nodes.insert(
            place,
            helper.make_node(kind, [nodes[place].input[0]], [name], to=TensorProto.INT32)
            if kind == "Cast"
            else helper.make_node(kind, [nodes[place].input[0]], [name]),
        )
        nodes[place + 1].input[0] = name
        del model.graph.node[:]
        model.graph.node.extend(nodes)


def _constant(model: onnx.ModelProto, rng: random.Random) -> None:
    held = [tensor for tensor in model.graph.initializer if not tensor.external_data]
    if not held:
        return
    tensor = rng.choice(held)
    values = numpy_helper.to_array(tensor)
    changed = rng.choice((
        values.reshape(-1), values[None], values.T, values * 1e30, values.astype(np.float64), values.astype(np.int64),
        values[..., None], values.reshape(-1)[:1], values.reshape(-1)[:0], values.astype(np.complex64), values * np.nan,
    ))  # fmt: skip
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(changed), tensor.name))


def _opset(model: onnx.ModelProto, rng: random.Random) -> None:
    model.opset_import[0].version = rng.choice((1, 6, 7, 9, 11, 12, 13, 18, 21, 23, 28, 29, 2**31 - 1))


def _shape(model: onnx.ModelProto, rng: random.Random) -> None:
    tensor = rng.choice((model.graph.input[0], model.graph.output[0])).type.tensor_type
    if rng.random() < 0.3:
        tensor.elem_type = rng.choice((TensorProto.INT64, TensorProto.DOUBLE, TensorProto.BOOL, 99))
    elif tensor.shape.dim:
        rng.choice(tensor.shape.dim).dim_value = rng.choice((0, 1, 2, 5, -1, 2**40))


def _external(model: onnx.ModelProto, rng: random.Random) -> None:
    """Weights in another file, under a name that the system or a terminal does not take."""
    if not model.graph.initializer:
        return
    tensor = rng.choice(model.graph.initializer)
    location = ("x" * 5000, "../secret.h5", "/etc/passwd", "a\x00b", "\x1b[31m", "", ".", "secret.h5", "a/" * 3000)
    del tensor.external_data[:]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    for key, values in (("location", location), ("offset", ("-1", "9" * 5000, "x", "0")), ("length", ("-1", "8", ""))):
        if key == "location" or rng.random() < 0.4:
            tensor.external_data.add(key=key, value=rng.choice(values))


def _stored(model: onnx.ModelProto, rng: random.Random) -> None:
    """Type, shape and bytes of a constant that do not fit together, or a name that is not plain."""
    if not model.graph.initializer:
        return
    tensor = rng.choice(model.graph.initializer)
    change = rng.randrange(4)
    if change == 0:
        tensor.data_type = rng.choice((*range(27), 99, -1))
    elif change == 1:
        tensor.dims[:] = rng.choice(((), (0,), (-1, 5), (2**40, 2**40), (1,) * 40, (2**62, 4)))
    elif change == 2:
        tensor.float_data[:] = [1.0] * rng.randrange(5)
    else:
        name = rng.choice(("\x1b[2J", "x" * 5000, "\u202e", ""))
        for node in model.graph.node:
            node.input[:] = [name if each == tensor.name else each for each in node.input]
        tensor.name = name


_CHANGES = (
    *(_attribute, _attribute, _inputs, _inputs, _outputs, _kind, _between, _between, _constant, _opset, _shape),
    *(_external, _stored),
)
