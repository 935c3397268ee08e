"""Random nodes that change each value: arithmetic, activations, types."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from onnx_graph import Drawn, Graph, shape_of, shuffled


def clip(graph: Graph) -> Drawn:
    low, high = graph.rare(0.0, -1.0, 0.5, None), graph.rng.choice((0.5, 1.0, 6.0, None))
    x = graph.signal()
    if graph.opset < 11:
        return [x], {key: v for key, v in (("min", low), ("max", high)) if v is not None}, 0
    kind = graph.arrays[x].dtype
    names = ["" if bound is None else graph.constant(bound, kind) for bound in (low, high)]
    return [x, *names[: graph.rng.choice((2, 2, 2, 1))]], {}, 0


def plain(graph: Graph) -> Drawn:
    return [graph.signal()], {}, 0


def elementwise(graph: Graph) -> Drawn:
    x, rng = graph.signal(), graph.rng
    if rng.random() < 0.3:
        like = [name for name, array in graph.arrays.items() if array.shape == shape_of(graph, x)]
        return [x, rng.choice(like if rng.random() < 0.8 else list(graph.arrays))], {}, 0
    return shuffled(graph, [x, constant_for(graph, x)])


def constant_for(graph: Graph, x: str) -> str:
    shape = shape_of(graph, x)
    channels = shape[1] if len(shape) > 1 else 1
    each = (channels, *[1] * (len(shape) - 2))
    wrong = ((graph.batch, 1), shape, shape[1:], (1,) * 5, (1,) * len(shape), shape[-1:], (1, *each), (2, 1))
    values = graph.numbers.uniform(0.3, 1.5, graph.rare(graph.rng.choice(((), (1,), each)), *wrong))
    dtype = graph.arrays[x].dtype
    # whole numbers divided by 0 end the process
    return graph.constant(values if dtype.kind == "f" else np.ceil(values), dtype)


def sum_of_several(graph: Graph) -> Drawn:
    x, rng = graph.signal(), graph.rng
    like = [name for name, array in graph.arrays.items() if array.shape == shape_of(graph, x)]
    others = [rng.choice(like) if rng.random() < 0.6 else constant_for(graph, x) for _ in range(rng.randrange(4))]
    return shuffled(graph, [x, *others])


def dropout(graph: Graph) -> Drawn:
    x, rng = graph.signal(), graph.rng
    further = rng.choice((0, 0, 1))
    if graph.opset < 12:
        return [x], rng.choice(({}, {"ratio": 0.3})), further
    ratio = rng.choice(("", graph.constant(0.4)))
    training = [] if rng.random() < 0.6 else [graph.constant(rng.random() < 0.3, np.bool_)]
    return [x, *([ratio] if ratio or training else []), *training], rng.choice(({}, {"seed": 3})), further


def cast(graph: Graph) -> Drawn:
    kinds = (TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8, TensorProto.DOUBLE)
    to = graph.rare(TensorProto.FLOAT, *kinds, TensorProto.FLOAT16, TensorProto.FLOAT16)
    return [graph.signal()], {"to": to} | ({"saturate": 0} if graph.opset >= 19 and graph.rng.random() < 0.2 else {}), 0


def softmax(graph: Graph) -> Drawn:
    negative = (-1, -2) if graph.opset >= 11 else ()
    axis = graph.rare(None, 1, 0, 2, *negative)
    return [graph.signal()], {} if axis is None else {"axis": axis}, 0


def argmax(graph: Graph) -> Drawn:
    axis = graph.rare(1, 0, 2, None, *((-1,) if graph.opset >= 11 else ()))
    attributes = {} if axis is None else {"axis": axis}
    attributes |= graph.rng.choice(({}, {"keepdims": 0}, {"keepdims": 1}))
    return [graph.signal()], attributes | (graph.rare({}, {"select_last_index": 1}) if graph.opset >= 12 else {}), 0
