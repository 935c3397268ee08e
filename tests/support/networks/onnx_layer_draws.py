"""Random nodes of layers: products with weights, norms, and windows that pool or grow."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx_graph import Drawn, Graph, shape_of


def gemm(graph: Graph) -> Drawn:
    x, rng = graph.signal(), graph.rng
    shape = shape_of(graph, x)
    trans_a, trans_b, outputs = graph.rare(0, 1), rng.choice((0, 1)), rng.choice((2, 3, 4))
    before = shape[0] if trans_a else shape[-1]
    inputs = [x, graph.normal(*((outputs, before) if trans_b else (before, outputs)))]
    bias = graph.rare((outputs,), (), (1,), (1, outputs), (graph.batch, 1), (graph.batch, outputs), None)
    if bias is not None:
        inputs.append(graph.normal(*bias))
    attributes: dict[str, Any] = {"transA": trans_a, "transB": trans_b}
    attributes |= rng.choice(({}, {"alpha": 0.5}, {"beta": -1.5, "alpha": 2.0}, {"beta": 0.0}))
    return inputs, attributes, 0


def matmul(graph: Graph) -> Drawn:
    x = graph.signal()
    width, outputs = shape_of(graph, x)[-1], graph.rng.choice((2, 3, 4))
    if graph.rng.random() < 0.1:
        return [graph.normal(shape_of(graph, x)[0], shape_of(graph, x)[0]), x], {}, 0
    return [x, graph.normal(*graph.rare((width, outputs), (width,), (1, width, outputs)))], {}, 0


def windows(graph: Graph, dimensions: int) -> dict[str, Any]:
    rng = graph.rng
    if dimensions == 1:
        found = {"strides": graph.rare([1], [2])} | graph.rare({}, {"pads": [1, 1]}, {"pads": [0, 1]}, {"pads": [2, 0]})
        return found | graph.rare({}, {"auto_pad": "VALID"}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"})
    pad = rng.choice((0, 1))
    found = {"strides": graph.rare([1, 1], [2, 2], [1, 2])}
    found |= graph.rare({}, {"pads": [pad] * 4}, {"pads": [0, 1, 0, 1]}, {"pads": [1, 0, 0, 1]}, {"pads": [0] * 4})
    found |= graph.rare(
        {}, {"auto_pad": "VALID"}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}, {"auto_pad": "NOTSET"}
    )
    return found


def conv(graph: Graph) -> Drawn | None:
    x, rng = graph.signal(), graph.rng
    dimensions = len(shape_of(graph, x)) - 2
    if dimensions not in (1, 2):
        return None
    channels = shape_of(graph, x)[1]
    group = graph.rare(1, channels)
    kernel = rng.choice(((1, 1), (3, 3), (2, 2), (1, 3)) if dimensions == 2 else ((1,), (2,), (3,)))
    outputs = group * rng.choice((1, 2)) if group > 1 else rng.choice((2, 3, 4))
    attributes = windows(graph, dimensions)
    attributes |= graph.rare({}, {"dilations": [1, 1]}, {"dilations": [2, 1]}) if dimensions == 2 else {}
    attributes |= rng.choice(({}, {"kernel_shape": list(kernel)})) | ({"group": group} if group > 1 else {})
    if rng.random() < 0.4 and kernel == (3, 3):
        attributes["pads"] = [1] * 4
    inputs = [x, graph.normal(outputs, channels // group, *kernel)]
    return [*inputs, *([graph.normal(outputs)] if rng.random() < 0.7 else [])], attributes, 0


def batch_norm(graph: Graph) -> Drawn | None:
    x, rng = graph.signal(), graph.rng
    if len(shape_of(graph, x)) < 2:
        return None
    channels = shape_of(graph, x)[1]
    shape = (channels,)
    attributes: dict[str, Any] = rng.choice(({}, {"epsilon": 0.1}, {"momentum": 0.5}))
    further = 0
    if graph.opset < 9 and rng.random() < 0.3:
        attributes = {**attributes, "spatial": rng.choice((0, 1))}
        shape = shape if attributes["spatial"] else shape_of(graph, x)[1:]
    if graph.opset >= 14 and rng.random() < 0.2:
        attributes = {**attributes, "training_mode": rng.choice((0, 1))}
        further = 2 if attributes["training_mode"] else 0
    variance = graph.constant(graph.numbers.uniform(0.3, 2, shape))
    return [x, *(graph.normal(*shape) for _ in range(3)), variance], attributes, further


def average_pool(graph: Graph) -> Drawn | None:
    x, rng = graph.signal(), graph.rng
    dimensions = len(shape_of(graph, x)) - 2
    if dimensions not in (1, 2):
        return None
    kernel = rng.choice(([2, 2], [1, 2], [3, 3]) if dimensions == 2 else ([2], [3]))
    attributes = {"kernel_shape": kernel} | windows(graph, dimensions)
    attributes |= rng.choice(({}, {"count_include_pad": rng.choice((0, 1))}))
    if graph.opset >= 10:
        attributes |= graph.rare({}, {"ceil_mode": 1}, {"ceil_mode": 0})
    if graph.opset >= 19 and dimensions == 2:
        attributes |= graph.rare({}, {"dilations": [2, 1]}, {"dilations": [1, 1]})
    return [x], attributes, 0


def conv_transpose(graph: Graph) -> Drawn | None:
    x, rng = graph.signal(), graph.rng
    if len(shape_of(graph, x)) != 4:
        return None
    channels, group = shape_of(graph, x)[1], 1
    group = channels if rng.random() < 0.3 else 1
    each, kernel = rng.choice((1, 2)), rng.choice(([2, 2], [3, 3], [1, 2]))
    strides, dilations = rng.choice(([2, 2], [1, 1], [2, 1])), graph.rare([1, 1], [2, 1])
    attributes: dict[str, Any] = {"strides": strides, "dilations": dilations, "group": group}
    attributes |= rng.choice(({}, {"pads": [1, 0, 0, 1]}, {"pads": [1, 1, 1, 1]}, {"kernel_shape": kernel}))
    attributes |= graph.rare(
        {}, {"output_padding": [strides[0] - 1, 0]}, {"auto_pad": "VALID"}, {"auto_pad": "SAME_UPPER"}
    )
    inputs = [x, graph.normal(channels, each, *kernel)]
    return [*inputs, *([graph.normal(each * group)] if rng.random() < 0.5 else [])], attributes, 0


def resize(graph: Graph) -> Drawn | None:
    x, rng = graph.signal(), graph.rng
    shape = shape_of(graph, x)
    if len(shape) != 4 or graph.opset < 10:
        return None
    scales = [
        1.0,
        graph.rare(1.0, 2.0),
        *rng.choice(((2.0, 2.0), (2.0, 1.0), (3.0, 2.0), (1.5, 2.5), (0.5, 1.0), (0.6, 0.7))),
    ]
    attributes: dict[str, Any] = {"mode": graph.rare("nearest", "linear")}
    if graph.opset == 10:
        return [x, graph.constant(scales)], attributes, 0
    modes = ("half_pixel", "asymmetric", "pytorch_half_pixel", "align_corners")
    modes += ("half_pixel_symmetric",) if graph.opset >= 19 else ()
    roundings = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    attributes |= rng.choice(({}, {"coordinate_transformation_mode": rng.choice(modes)}))
    attributes |= rng.choice(({}, {"nearest_mode": rng.choice(roundings)}))
    roi = "" if graph.opset >= 13 else graph.constant(np.zeros(0))
    if rng.random() < 0.5:
        if graph.opset >= 18 and rng.random() < 0.4:
            return [x, "", graph.constant(scales[2:])], {**attributes, "axes": [2, 3]}, 0
        return [x, roi, graph.constant(scales)], attributes, 0
    sizes = [shape[0], shape[1], *(max(1, int(n * s)) for n, s in zip(shape[2:], scales[2:], strict=True))]
    empty = "" if graph.opset >= 13 else graph.constant(np.zeros(0))
    if graph.opset >= 18:
        attributes |= graph.rare({}, {"keep_aspect_ratio_policy": "not_larger"}, {"antialias": 1})
    return [x, roi, empty, graph.constant(sizes, np.int64)], attributes, 0


def upsample(graph: Graph) -> Drawn | None:
    x, rng = graph.signal(), graph.rng
    if len(shape_of(graph, x)) != 4 or graph.opset > 9:
        return None
    scales = [1.0, 1.0, *rng.choice(((2.0, 2.0), (2.0, 1.0), (3.0, 2.0), (1.5, 2.5)))]
    attributes: dict[str, Any] = {"mode": graph.rare("nearest", "linear")}
    if graph.opset < 9:
        return [x], {**attributes, "scales": scales}, 0
    return [x, graph.constant(scales)], attributes, 0


def max_pool(graph: Graph) -> Drawn | None:
    x, rng = graph.signal(), graph.rng
    if len(shape_of(graph, x)) != 4:
        return None
    attributes: dict[str, Any] = {"kernel_shape": rng.choice(([2, 2], [1, 2], [3, 3], [2, 3]))}
    attributes |= rng.choice(({}, {"strides": [2, 2]}, {"strides": [1, 2]}, {"strides": [3, 3]}))
    padded = ({"pads": [1, 0, 0, 0]}, {"pads": [0, 1, 1, 1]}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"})
    attributes |= graph.rare({}, *padded, {"auto_pad": "VALID"})
    if graph.opset >= 8:
        attributes |= graph.rare({}, {"storage_order": 1})
    if graph.opset >= 10:
        attributes |= rng.choice(({}, {}, {"ceil_mode": 1}, {"dilations": [2, 1]}))
    return [x], attributes, 0
