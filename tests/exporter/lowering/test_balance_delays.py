"""Branches that join arrive together; a recurrent edge takes one step."""

from __future__ import annotations

from itertools import pairwise

import nir
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.float_network import FloatConnection
from spikeport.exporter.lowering.balance_delays import balance, levels
from spikeport.exporter.program.chip_program import InputPort, arrival_steps
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.simulate import simulate


def edges(*pairs: tuple[str, str]) -> tuple[FloatConnection, ...]:
    return tuple(FloatConnection(s, t, np.ones((1, 1)), None, 1) for s, t in pairs)


def delays(*pairs: tuple[str, str]) -> dict[tuple[str, str], int]:
    return {(c.source, c.target): c.delay for c in balance(["in"], edges(*pairs))}


def test_a_skip_edge_waits_for_the_branch_beside_it() -> None:
    found = delays(("in", "a"), ("a", "b"), ("b", "c"), ("in", "c"), ("a", "c"))
    assert found == {("in", "a"): 1, ("a", "b"): 1, ("b", "c"): 1, ("in", "c"): 3, ("a", "c"): 2}


def test_a_recurrent_edge_takes_one_step_wherever_it_is() -> None:
    assert delays(("in", "a"), ("a", "a"), ("a", "b"), ("b", "b"), ("in", "b"))[("b", "b")] == 1


def test_a_cycle_through_two_populations_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"(a -> b -> a|b -> a -> b).*cycle.*Delay of 2 steps.*itself"):
        delays(("in", "a"), ("a", "b"), ("b", "a"), ("in", "c"))


def late(source: str, target: str, steps: int) -> FloatConnection:
    return FloatConnection(source, target, np.ones((1, 1)), None, 1, steps=steps)


def test_a_cycle_works_where_delays_give_it_time() -> None:
    links = (*edges(("in", "a"), ("a", "b")), late("b", "a", 2))
    assert [c.delay for c in balance(["in"], links)] == [1, 1, 1]
    assert [c.delay for c in balance(["in"], (*links[:2], late("b", "a", 5)))] == [1, 1, 4]
    with pytest.raises(InputError, match="Delay of 1 steps on the edge"):
        balance(["in"], (*links[:2], late("b", "a", 1)))


def test_a_delay_is_time_that_no_level_must_make_up_for() -> None:
    assert levels(["in"], (late("in", "a", 4), *edges(("a", "b")))) == {"in": 0, "a": 0, "b": 1}
    assert [c.delay for c in balance(["in"], (late("in", "a", 4), late("a", "a", 2)))] == [4, 3]


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 7)), max_size=20))
def test_every_spike_of_one_float_step_arrives_at_one_chip_step(links: list[tuple[int, int]]) -> None:
    forward = [(min(a, b), max(a, b)) for a, b in links if a != b]
    names = ["in", *"abcdefg"]
    # whatever else, everything hangs on the input
    pairs = [("in", name) for name in names[1:]] + [(names[a], names[b]) for a, b in forward]
    found = balance(["in"], edges(*pairs))
    latency = arrival_steps([InputPort("in", (1,))], found)
    assert all(c.delay >= 1 for c in found)
    for connection in found:
        assert latency[connection.source] + connection.delay == latency[connection.target]
    for name in names[1:]:
        # no branch waits longer than the longest one takes
        assert any(c.delay == 1 for c in found if c.target == name)


def _delayed_graph(*delays: float) -> nir.NIRGraph:
    """Input -> Delay -> synapse -> IF, once for each delay (seconds)."""
    nodes: dict[str, nir.NIRNode] = {"in": nir.Input(input_type={"input": np.array([1])})}
    for number, delay in enumerate(delays):
        nodes[f"delay{number}"] = nir.Delay(np.array([delay]))
        nodes[f"synapse{number}"] = nir.Linear(np.ones((1, 1)))
        nodes[f"neuron{number}"] = nir.IF(r=np.ones(1), v_threshold=np.full(1, 0.5))
    nodes["out"] = nir.Output(output_type={"output": np.array([1])})
    return nir.NIRGraph(nodes, list(pairwise(nodes)))


def test_a_delay_beyond_the_chip_s_is_refused_with_ways_out_that_work() -> None:
    chip = load_chip("loihi2")
    with pytest.raises(InputError, match=r"delays of 100 to 100 steps; loihi2 can do 1 to 63.*IF each.*larger --dt"):
        compile_graph(_delayed_graph(0.1), chip, CompileOptions(dt=1e-3))
    assert compile_graph(_delayed_graph(0.1), chip, CompileOptions(dt=2e-3)).connections[0].delay == 50
    program = compile_graph(_delayed_graph(0.05, 0.05), chip, CompileOptions(dt=1e-3))
    x = np.zeros((8, 1, 1), np.uint8)
    x[3] = 1
    spikes = simulate(program, x, steps=120).output
    assert list(np.flatnonzero(spikes)) == [3 + 2 * 50]
