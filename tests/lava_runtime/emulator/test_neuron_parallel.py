"""One sample of a large network: threads share its compartments, and nothing shows it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from programs import beyond_stock, delays, every_kind, sparse, spikes
from strategies import chip_programs, inputs_for

from spikeport.exporter.program.chip_program import ChipProgram, ConvConnection
from spikeport.lava_runtime.emulator import neuron_parallel as shared
from spikeport.lava_runtime.emulator.emulator import emulate
from spikeport.lava_runtime.inputs import check_input
from spikeport.lava_runtime.result import SimulationResult, differences


def run(program: ChipProgram, x: np.ndarray, steps: int) -> SimulationResult:
    return emulate(program, check_input(program, x), steps, "all")


@pytest.fixture
def sharing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def threads(number: int) -> None:
        monkeypatch.setattr("os.cpu_count", lambda: number)
        monkeypatch.setattr(shared, "NEURON_PARALLEL_FROM", 1)
        monkeypatch.setattr(shared, "_SMALL_POPULATION", 8)

    return threads


def plain(program: ChipProgram) -> ChipProgram:
    """The program without what cannot be cut."""
    kept = (c for c in program.connections if not isinstance(c, ConvConnection) or c.groups == 1)
    return replace(program, connections=tuple(replace(c, synaptic_delays=None) for c in kept))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), threads=st.integers(2, 4))
def test_any_network_gives_the_same_cut_or_whole(
    data: st.DataObject, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = plain(data.draw(chip_programs(max_neurons=40)))
    x = data.draw(inputs_for(program, data.draw(st.sampled_from([0.01, 0.1, 0.5, 1.0])), max_batch=1))
    with monkeypatch.context() as patched:
        patched.setattr("os.cpu_count", lambda: threads)
        whole = run(program, x, len(x) + 4)
        patched.setattr(shared, "NEURON_PARALLEL_FROM", 1)
        patched.setattr(shared, "_SMALL_POPULATION", 8)
        assume(shared.can_split_neurons(program))
        assert differences(whole, run(program, x, len(x) + 4)) == []


def test_payloads_and_delays_are_shared_too(sharing: Callable[[int], None]) -> None:
    program = plain(beyond_stock(3))
    rng = np.random.default_rng(4)
    more = sparse("li", "conv", (80, 9), -1, rng, axonal_delays=delays((9,), 5, rng))
    program = replace(program, connections=(*program.connections, more))
    x = spikes((12, 1, 3, 8, 9), 0.2, 4)
    whole = run(program, x, 40)
    assert whole.counts()["li"].sum() > 0 and whole.counts()["conv"].sum() > 0
    sharing(3)
    assert shared.can_split_neurons(program)
    parts = shared.split_neurons(program, 3)
    assert [part["conv"] for part in parts] == [slice(0, 20), slice(20, 40), slice(40, 80)]
    assert [set(part) for part in parts] == [{"conv", "li", "fc"}, {"conv", "li"}, {"conv", "li"}]
    assert differences(whole, run(program, x, 40)) == []


def test_what_cannot_be_cut_runs_whole(sharing: Callable[[int], None]) -> None:
    sharing(2)
    # a grouped convolution, and delays of synapses
    assert not shared.can_split_neurons(every_kind(1)) and not shared.can_split_neurons(beyond_stock(1))
    assert shared.can_split_neurons(plain(every_kind(1)))


def test_a_thread_that_fails_ends_the_run(sharing: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    sharing(2)
    program, x = plain(every_kind(1)), spikes((5, 1, 3, 8, 9), 0.2, 4)
    calls = threading.local()

    def failing(*arguments: object) -> None:
        calls.number = getattr(calls, "number", 0) + 1
        if calls.number > 3:
            raise MemoryError("none left")
        join(*arguments)  # type: ignore[arg-type]

    join = shared._join
    monkeypatch.setattr(shared, "_join", failing)
    with pytest.raises(MemoryError, match="none left"):
        run(program, x, 30)
