"""MaxPool as ReLUs: max(a, b) = b + ReLU(a - b), pair by pair; or as AveragePool, which is another network.

The first is exact in floating point and for sigma-delta neurons; in a rate code a difference of spike trains is a rate
like any other, whose error falls with the number of steps. A window of n elements takes n - 1 neurons, one layer for
each halving of n. Padding is 0 here and minus infinity in ONNX: the same where the signal cannot be negative.

Rueckauer, Lungu, Hu, Pfeiffer & Liu 2017, Frontiers in Neuroscience 11:682, section 2.2.5, gates the most active neuron
instead, which needs neurons that the chips here do not have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import onnx
from onnx import helper, numpy_helper

from spikeport.common.errors import InputError
from spikeport.exporter.onnx.operators.attributes import INT, INTS, STRING, Attribute, checked, flag
from spikeport.exporter.onnx.operators.node import label

from .signs import stays_positive

Replacement = Literal["average"]
REPLACEMENTS: tuple[Replacement, ...] = get_args(Replacement)
KINDS = ("MaxPool", "GlobalMaxPool")
_DECLARED = {
    "auto_pad": Attribute(STRING, "NOTSET", ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")), "ceil_mode": flag(0),
    "dilations": Attribute(INTS), "kernel_shape": Attribute(INTS), "pads": Attribute(INTS), "strides": Attribute(INTS),
    "storage_order": Attribute(INT, 0, (0, 1)),
}  # fmt: skip
# most neurons for one number: a tree of a larger window has more layers than are useful
_LARGEST_WINDOW = 256


@dataclass(frozen=True)
class _Windows:
    """Windows along height and width, or along a length.

    Elements, distance, padding before and after, and number of windows.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    outputs: tuple[int, ...]


def without_max_pool(
    model: onnx.ModelProto, context: str, replacement: Replacement | None = None
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The model without MaxPool and GlobalMaxPool, and a sentence on each; raises InputError that names the node."""
    if not any(node.op_type in KINDS and node.domain in ("", "ai.onnx") for node in model.graph.node):
        return model, ()
    shapes = _shapes(model)
    rewritten = onnx.ModelProto()
    rewritten.CopyFrom(model)
    del rewritten.graph.node[:]
    writing = _Writing(model)
    positive, notes = set[str](), list[str]()
    for node in model.graph.node:
        name = label(node, context)
        if node.op_type not in KINDS or node.domain not in ("", "ai.onnx"):
            writing.nodes.append(node)
        elif len(node.output) != 1 or len(node.input) != 1:
            raise InputError(f"{name}: has an output for indices; export the network with the first output only")
        elif replacement == "average":
            writing.nodes.append(_average(node, name))
            notes.append(f"{name} is replaced by an average, which is another network")
        else:
            count = _differences(node, shapes, node.input[0] in positive, name, writing)
            notes.append(f"{name} is max(a, b) = b + ReLU(a - b), pair by pair: {count:,} neurons")
        if stays_positive(node, positive) or _clips(node, writing):
            positive.update(node.output[:1])
    rewritten.graph.node.extend(writing.nodes)
    rewritten.graph.initializer.extend(writing.weights)
    del rewritten.graph.value_info[:]
    return rewritten, tuple(notes)


class _Writing:
    """The nodes and weights that replace others, with names that no tensor has."""

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self._names = {name for node in graph.node for name in (*node.input, *node.output)} | set(self.constants)

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """A node; returns its output."""
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, values: Any) -> str:
        """An initialiser; returns its name."""
        name = self.unused(name)
        self.weights.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def unused(self, name: str) -> str:
        """A name that no tensor has, like this one."""
        while name in self._names:
            name += "_"
        self._names.add(name)
        return name


def _average(node: onnx.NodeProto, name: str) -> onnx.NodeProto:
    """The average over the same windows; AveragePool honours or refuses their attributes."""
    given = checked(node, _DECLARED if node.op_type == "MaxPool" else {}, name)
    if max(given.get("dilations") or (1,)) > 1:
        raise InputError(f"{name}: has dilations {given['dilations']}, which an average has not; leave it as it is")
    replaced = onnx.NodeProto()
    replaced.CopyFrom(node)
    replaced.op_type = "AveragePool" if node.op_type == "MaxPool" else "GlobalAveragePool"
    kept = [given for given in node.attribute if given.name not in ("storage_order", "dilations")]
    del replaced.attribute[:]
    replaced.attribute.extend(kept)
    return replaced


def _differences(
    node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]], positive: bool, name: str, writing: _Writing
) -> int:
    """Write max(a, b) = b + ReLU(a - b) over every window; the number of neurons."""
    shape = shapes.get(node.input[0], ())
    if shape and len(shape) not in (2, 3):
        raise InputError(
            f"{name}: reads (N, {', '.join(map(str, shape))}), but windows are along the axes of (N, channels, length) "
            "or (N, channels, height, width); leave out the other axes"
        )
    if not shape or min(shape) < 1:
        raise InputError(f"{name}: reads an input of unknown shape; export the network with a fixed input shape")
    windows = _windows(node, shape, name)
    if any((*windows.before, *windows.after)) and not positive:
        raise InputError(f"{name}: has padding, but reads a signal that may be negative; put the Relu before it")
    elements = list(np.ndindex(*windows.kernel))
    if len(elements) > _LARGEST_WINDOW:
        raise InputError(
            f"{name}: has windows of {len(elements)} elements, and {_LARGEST_WINDOW} are the most; use smaller ones, "
            "or --replace-maxpool average"
        )
    source, base = node.input[0], node.output[0]
    # each is an element of the window, and the ReLUs that are added to it
    largest: list[tuple[tuple[int, ...], list[str]]] = [(element, []) for element in elements]
    while len(largest) > 1:
        pairs = list(zip(largest[::2], largest[1::2], strict=False))
        rest = largest[-1:] if len(largest) % 2 else []
        joined = []
        for (first, over_first), (second, over_second) in pairs:
            kernel = _kernel(windows, shape, {first: 1.0, second: -1.0})
            terms = [_conv(source, kernel, windows, shape, base, writing), *over_first]
            minus = [writing.constant(f"{base}_minus", -1.0)] if over_second else []
            terms += [writing.add("Mul", [relu, *minus], writing.unused(f"{relu}_minus")) for relu in over_second]
            total = writing.add("Sum", terms, writing.unused(f"{base}_difference"))
            joined.append((second, [*over_second, writing.add("Relu", [total], writing.unused(f"{base}_over"))]))
        largest = joined + rest
    ((element, over),) = largest
    plain = _conv(source, _kernel(windows, shape, {element: 1.0}), windows, shape, base, writing)
    writing.add("Sum", [plain, *over], base)
    return (len(elements) - 1) * shape[0] * math.prod(windows.outputs)


def _conv(
    source: str, kernel: np.ndarray[Any, Any], windows: _Windows, shape: tuple[int, ...], base: str, writing: _Writing
) -> str:
    weight = writing.constant(f"{base}_pick", np.repeat(kernel[None, None], shape[0], axis=0))
    pads = _padding(windows)
    return writing.add(
        "Conv", [source, weight], writing.unused(f"{base}_picked"), group=shape[0], strides=windows.strides,
        pads=[*pads, *pads],
    )  # fmt: skip


def _kernel(windows: _Windows, shape: tuple[int, ...], values: dict[tuple[int, ...], float]) -> np.ndarray[Any, Any]:
    """A kernel with values at elements of the window.

    It is larger than the window where that makes as many windows with equal padding at both ends.
    """
    pads = _padding(windows)
    sides = [
        length + 2 * pad - (outputs - 1) * stride
        for length, pad, outputs, stride in zip(shape[1:], pads, windows.outputs, windows.strides, strict=True)
    ]
    least = [
        (size - 1) * dilation + pad - before + 1
        for size, dilation, pad, before in zip(windows.kernel, windows.dilations, pads, windows.before, strict=True)
    ]
    # a stride leaves sides that make no further window; the smallest kernel has fewest weights
    sides = [
        max(low, side - stride + 1) for low, side, stride in zip(least, sides, windows.strides, strict=True)
    ]  # fmt: skip
    kernel = np.zeros(sides)
    for element, value in values.items():
        at = [
            i * dilation + pad - before
            for i, dilation, pad, before in zip(element, windows.dilations, pads, windows.before, strict=True)
        ]
        kernel[tuple(at)] = value
    return kernel


def _padding(windows: _Windows) -> tuple[int, ...]:
    """Padding at both ends that covers the larger of the two."""
    return tuple(max(before, after) for before, after in zip(windows.before, windows.after, strict=True))


def _windows(node: onnx.NodeProto, shape: tuple[int, ...], name: str) -> _Windows:
    """The windows of a node over an image or a series; raises InputError for attributes that do not fit."""
    rank = len(shape) - 1
    if node.op_type == "GlobalMaxPool":
        checked(node, {}, name)
        ones, none = (1,) * rank, (0,) * rank
        return _Windows(shape[1:], ones, ones, none, none, ones)
    given = checked(node, _DECLARED, name)
    kernel = given["kernel_shape"] or ()
    strides, dilations = given["strides"] or (1,) * rank, given["dilations"] or (1,) * rank
    pads = given["pads"] or (0,) * (2 * rank)
    if {len(kernel), len(strides), len(dilations)} != {rank} or min((*kernel, *strides, *dilations)) < 1:
        raise InputError(
            f"{name}: has windows {kernel}, strides {strides} and dilations {dilations} over an input of {shape}; "
            f"give {rank} of each, from 1"
        )
    if len(pads) != 2 * rank or min(pads) < 0 or (given["auto_pad"] != "NOTSET" and any(pads)):
        raise InputError(
            f"{name}: has pads {tuple(pads)} and auto_pad {given['auto_pad']}; give one of the two, from 0"
        )
    if given["auto_pad"].startswith("SAME") and max(dilations) > 1:
        raise InputError(f"{name}: has auto_pad {given['auto_pad']} with dilations; give its padding in numbers")
    sizes = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    before, outputs = list(pads[:rank]), list[int]()
    for axis, (length, size, stride) in enumerate(zip(shape[1:], sizes, strides, strict=True)):
        if given["auto_pad"].startswith("SAME"):
            outputs.append(-(-length // stride))
            total = max(0, (outputs[-1] - 1) * stride + size - length)
            before[axis] = total // 2 if given["auto_pad"] == "SAME_UPPER" else total - total // 2
            continue
        room = length + pads[axis] + pads[axis + rank] - size
        if room < 0:
            raise InputError(f"{name}: has windows {sizes}, larger than its input {shape}; export it again")
        count = room // stride + 1
        if given["ceil_mode"] and room % stride:
            # a window that would start in the padding at the end is left out
            count += count * stride < length + pads[axis]
        outputs.append(count)
    after = tuple(
        max(0, (count - 1) * stride + size - length - first)
        for count, stride, size, length, first in zip(outputs, strides, sizes, shape[1:], before, strict=True)
    )
    return _Windows(tuple(kernel), tuple(strides), tuple(dilations), tuple(before), after, tuple(outputs))


def _clips(node: onnx.NodeProto, writing: _Writing) -> bool:
    """Whether a Clip leaves nothing below 0."""
    if node.op_type != "Clip":
        return False
    bounds = [given.f for given in node.attribute if given.name == "min"]
    if len(node.input) > 1 and node.input[1] in writing.constants:
        bounds += [float(numpy_helper.to_array(writing.constants[node.input[1]]).min())]
    return bool(bounds) and min(bounds) >= 0


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Shapes without the batch, by tensor; an unknown length is 0."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model)
    except Exception:  # onnx raises its own errors and more; the node is refused for want of a shape
        inferred = model
    graph = inferred.graph
    return {
        value.name: tuple(int(axis.dim_value) for axis in value.type.tensor_type.shape.dim[1:])
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
