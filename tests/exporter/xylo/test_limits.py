"""Limits of a Xylo chip: the advice of a refusal fits when it is followed, and not with one more; all are named."""

from __future__ import annotations

import re
from dataclasses import replace

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.common.errors import DoesNotFitError, InputError
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.hardware_profiles import load_chip
from tests.support.networks.xylo_graphs import chain, cuba, lif

CHIP = load_chip("xylo_audio2")
OPTIONS = CompileOptions(reset="subtract", calibration=np.ones((4, 1, 2), np.uint8))


def two_layers(kind: type, first: int, second: int, recurrent: bool, rows: np.ndarray | None = None) -> nir.NIRGraph:
    """Dense layers of equal weights, the first of which may read itself; rows: which weights of the second stay."""
    make = {nir.LIF: lambda size: lif(size, 8), nir.CubaLIF: lambda size: cuba(size, 4, 8)}[kind]
    behind = np.full((second, first), 0.1) * (1 if rows is None else rows)
    graph = chain([make(first), make(second), make(2)], [np.full((first, 2), 0.1), behind, np.full((2, second), 0.1)])
    if recurrent:
        graph.nodes["again"] = nir.Linear(np.full((first, first), 0.1))
        graph.edges += [("n0", "again"), ("again", "n0")]
    return graph


def fits(graph: nir.NIRGraph) -> bool:
    try:
        compile_graph(graph, CHIP, OPTIONS)
    except DoesNotFitError:
        return False
    return True


@pytest.mark.parametrize("kind", [nir.LIF, nir.CubaLIF])
@settings(max_examples=4, deadline=None)
@given(first=st.integers(1, 5), beyond=st.integers(0, 4), recurrent=st.booleans())
def test_the_advice_on_fan_out_fits_and_one_more_does_not(kind: type, first: int, beyond: int, recurrent: bool) -> None:
    second = 65 + beyond
    with pytest.raises(DoesNotFitError) as caught:
        compile_graph(two_layers(kind, first, second, recurrent), CHIP, OPTIONS)
    found = re.search(
        r"prune each to its (\d+) largest( other)? weights, or make the layers that they reach (\d+)( other)? neurons",
        str(caught.value),
    )
    assert found is not None and found[1] == found[3] and bool(found[2]) == bool(found[4])
    assert bool(found[2]) == (kind is nir.LIF or recurrent)
    # of the layers that a neuron of the first one reaches, its own takes `first - 1` others
    room = int(found[1]) - (first - 1 if recurrent and found[2] else first if recurrent else 0)
    assert fits(two_layers(kind, first, room, recurrent))
    assert not fits(two_layers(kind, first, room + 1, recurrent))
    rows = (np.arange(second) < room)[:, None]
    assert fits(two_layers(kind, first, second, recurrent, rows))
    assert not fits(two_layers(kind, first, second, recurrent, (np.arange(second) <= room)[:, None]))


def test_the_advice_on_the_number_of_neurons_counts_those_that_carry_biases() -> None:
    graph = chain([lif(990, 8), cuba(4, 4, 8)], [np.ones((990, 2)), np.ones((4, 990))])
    graph.nodes["n0"].v_leak = np.full(990, 0.5)
    with pytest.raises(DoesNotFitError, match=r"needs \d+, (\d+) of them for biases; .* smaller, (\d+) neurons") as e:
        compile_graph(graph, CHIP, OPTIONS)
    carriers, most = map(int, re.findall(r"(\d+) of them for biases; .* smaller, (\d+) neurons", str(e.value))[0])
    assert carriers + most == 1000


def test_the_advice_on_all_synapses_counts_those_of_resets() -> None:
    rows = (np.arange(999)[:, None] + np.arange(999)) % 999 < 40
    graph = two_layers(nir.LIF, 499, 500, False, rows[:500, :499])
    reached = int(rows[:500, :499].sum()) + 999
    stored = CHIP.rules["recurrent_synapses"].model_copy(update={"value": reached - 7})
    sparse = CHIP.model_copy(update={"rules": {**CHIP.rules, "recurrent_synapses": stored}})
    with pytest.raises(DoesNotFitError, match=rf"{reached} synapses .*, 999 of them from .* prune 7 others"):
        compile_graph(graph, sparse, OPTIONS)


def test_all_limits_that_are_known_are_named() -> None:
    graph = two_layers(nir.LIF, 3, 70, False)
    graph.nodes["n2"] = nir.LI(np.full(2, 8e-3), np.full(2, 8.0), np.zeros(2))
    graph.nodes["w0"], graph.nodes["input"] = nir.Linear(np.ones((3, 17))), nir.Input({"input": np.array([17])})
    graph.nodes["n1"] = lif(70, 1e5)
    with pytest.raises(InputError, match=r"'n2' sends its voltage.* \(and 3 more limits\)$") as caught:
        compile_graph(graph, CHIP, replace(OPTIONS, calibration=None))
    for sentence, words in zip(
        caught.value.all_sentences,
        ("'n2' sends its voltage", "has 16 inputs", "'n1' has a membrane time constant", "reaches 71 hidden neurons"),
        strict=True,
    ):
        assert words in sentence
