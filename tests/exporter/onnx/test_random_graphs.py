"""Random ONNX graphs of all operators: each is converted as onnxruntime computes it, or refused."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_float import as_samples, as_the_end, opened, relu_answers
from onnx_graphs import KINDS, Graph, draw_graph, run_onnx

from spikeport.common.errors import InputError
from spikeport.exporter.onnx.max_pool import KINDS as MAX_POOLS
from spikeport.exporter.onnx.operators.operators import OPERATORS


def outcome(graph: Graph, seed: int) -> str:
    """converted, where every number is onnxruntime's; refused; anything else fails."""
    model = graph.model()
    wanted = run_onnx(model, {"x": graph.x})[0].astype(float)
    try:
        network = opened(model)
    except InputError as error:
        assert "\n" not in str(error) and "m.onnx" in str(error)
        return "refused"
    rng = random.Random(seed)
    thresholds = {r.after: rng.uniform(0.3, 3) for r in network.relus}
    found = as_the_end(network, relu_answers(network, as_samples(network, graph.x), thresholds))
    # a network that casts to 16 bits is converted as if it had 32
    tolerance = (2e-2 if graph.halves else 1e-4) * (1 + np.abs(wanted).max())
    assert found.size == wanted.size, f"{found.shape} for {wanted.shape}"
    found = found.reshape(wanted.shape)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)
    return "converted"


@settings(max_examples=80, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_graph_is_converted_as_it_is_or_refused(rng: random.Random) -> None:
    outcome(draw_graph(rng), 1)


def test_many_graphs_are_converted_and_every_operator_with_them() -> None:
    """The graphs above show nothing where all are refused."""
    ends, kinds, drawn = Counter[str](), Counter[str](), Counter[str]()
    for seed in range(500):
        graph = draw_graph(random.Random(seed))
        end = outcome(graph, seed)
        ends[end] += 1
        drawn.update(graph.kinds)
        kinds.update(graph.kinds if end == "converted" else ())
    print(f"{ends['converted']} of 500 graphs converted; by operator {dict(kinds)}")
    assert ends["converted"] >= 150 and ends["refused"] >= 100
    # Tanh is an end only, as in test_exporters.py
    assert set(KINDS) == {*OPERATORS, *MAX_POOLS} - {"Tanh"} == set(drawn) == set(kinds)
