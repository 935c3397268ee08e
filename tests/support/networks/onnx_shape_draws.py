"""Random nodes that change shapes: axes joined, moved, added, reduced."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from onnx import helper, numpy_helper
from onnx_graph import Drawn, Graph, shape_of, shuffled


def concat(graph: Graph) -> Drawn:
    x, rng = graph.signal(), graph.rng
    shape = shape_of(graph, x)
    fits = [
        name for name, array in graph.arrays.items()
        if array.ndim == len(shape) and array.dtype == graph.arrays[x].dtype
        and array.shape[:1] + array.shape[2:] == shape[:1] + shape[2:]
    ]  # fmt: skip
    others = [rng.choice(fits) for _ in range(rng.choice((1, 1, 2)))]
    if rng.random() < 0.05:
        others.append(graph.normal(*shape))
    axis = graph.rare(1, len(shape) - 1, 0, *((-len(shape) + 1,) if graph.opset >= 11 else ()))
    return shuffled(graph, [x, *others])[0], {"axis": axis}, 0


def axes_of(graph: Graph, x: str, axes: list[int] | None, since: int) -> tuple[list[str], dict[str, Any]]:
    """The axes as an attribute, or from an opset on as an input."""
    # axes counted from the end came with opset 11
    if axes is None or (not axes and graph.opset < since) or (min(axes, default=0) < 0 and graph.opset < 11):
        return [x], {}
    if graph.opset < since:
        return [x], {"axes": axes}
    return [x, graph.constant(axes, np.int64)], {}


def mean(graph: Graph) -> Drawn:
    axes = graph.rare([2, 3], [3, 2], [-1, -2], [1], [0], [2], [1, 2], [1, 2, 3], None, [])
    inputs, attributes = axes_of(graph, graph.signal(), axes, 18)
    attributes |= graph.rng.choice(({}, {"keepdims": 0}, {"keepdims": 1}))
    if graph.opset >= 18:
        attributes |= graph.rare({}, {"noop_with_empty_axes": 1}, {"noop_with_empty_axes": 0})
    return inputs, attributes, 0


def flatten(graph: Graph) -> Drawn:
    negative = (-1, -3) if graph.opset >= 11 else ()
    axis = graph.rare(1, 0, 2, 3, *negative)
    return [graph.signal()], {} if axis == 1 else {"axis": axis}, 0


def reshape(graph: Graph) -> Drawn:
    x, rng = graph.signal(), graph.rng
    shape = shape_of(graph, x)
    size, first = math.prod(shape[1:]), shape[0]
    flat = rng.choice(([0, -1], [-1, size], [first, -1], [first, size], [0, size]))
    others: tuple[list[int], ...] = (
        [0] * len(shape), [0, 0, -1], [-1], [1, -1], [-1, first], [*shape[1:], first], list(shape), [0, -1, 2], [2, -1],
        [0, -1, *shape[2:]], [0, 1, -1], [0, *shape[1:], 1],
    )  # fmt: skip
    if rng.random() < 0.3:
        name = graph.length(x, 0)
        name_of_rest = graph.part(f"{name}_rest", np.array(rng.choice(([-1], [size], shape[1:], [1])), np.int64))
        values = np.array([first, *numpy_helper.to_array(graph.weights[name_of_rest])], np.int64)
        shaped = graph.part(f"{name}_shape", values)
        graph.chain.append(helper.make_node("Concat", [name, name_of_rest], [shaped], axis=0))
        return [x, shaped], {}, 0
    attributes = {"allowzero": rng.choice((0, 1))} if graph.opset >= 14 and rng.random() < 0.3 else {}
    return [x, graph.constant(graph.rare(flat, *others), np.int64)], attributes, 0


def squeeze(graph: Graph) -> Drawn:
    axes = graph.rare([2, 3], [-1, -2], [2], [3], [0], [1], None, [])
    return (*axes_of(graph, graph.signal(), axes, 13), 0)


def unsqueeze(graph: Graph) -> Drawn:
    axes = graph.rare([1], [2], [-1], [0], [1, 2], [3, 2])
    return (*axes_of(graph, graph.signal(), axes, 13), 0)


def transpose(graph: Graph) -> Drawn:
    x = graph.signal()
    rank = len(shape_of(graph, x))
    usual = {4: ([0, 3, 1, 2], [0, 2, 3, 1]), 3: ([0, 2, 1],)}.get(rank, (list(range(rank)),))
    others = ([*range(rank)][::-1], graph.rng.sample(range(rank), rank))
    perm = graph.rare(graph.rng.choice(usual), *others, None)
    return [x], {} if perm is None else {"perm": perm}, 0


def pad(graph: Graph) -> Drawn:
    x, rng = graph.signal(), graph.rng
    rank = len(shape_of(graph, x))
    pads = [0] * (2 * rank)
    for axis in range(2, rank) if rng.random() < 0.7 else range(rank):
        pads[axis], pads[rank + axis] = rng.choice((0, 1)), graph.rare(rng.choice((0, 1, 2)), -1)
    number = graph.rare(0.0, 0.5)
    attributes = graph.rare({}, {"mode": "constant"}, {"mode": "reflect"}, {"mode": "edge"})
    if graph.opset < 11:
        return [x], attributes | {"pads": pads} | graph.rare({}, {"value": number}), 0
    inputs = [x, graph.constant(pads, np.int64), *graph.rare([], [graph.constant(number, graph.arrays[x].dtype)])]
    return inputs, attributes, 0
