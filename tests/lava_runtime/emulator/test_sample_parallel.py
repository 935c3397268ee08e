"""Blocks of time steps and groups of samples: however a run is cut, it gives the same arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import beyond_stock, dense, every_kind, population, spikes
from strategies import chip_programs, inputs_for

from spikeport.exporter.program.chip_program import ChipProgram, DenseConnection, InputPort
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.lava_runtime.emulator import emulator, sample_parallel
from spikeport.lava_runtime.emulator.emulator import emulate
from spikeport.lava_runtime.emulator.update_order import UpdateGroup, update_order
from spikeport.lava_runtime.inputs import check_input
from spikeport.lava_runtime.result import SimulationResult, differences


def run(program: ChipProgram, x: np.ndarray, steps: int, record: str, threads: int) -> SimulationResult:
    return emulate(program, check_input(program, x), steps, record, threads=threads)  # type: ignore[arg-type]


def spikes_of(result: SimulationResult) -> dict[str, np.ndarray]:
    return {name: values for name, values in result.arrays().items() if not name.startswith(("s/", "u/", "v/"))}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(), length=st.integers(1, 9), held=st.sampled_from([1, 500, 1 << 20]), threads=st.integers(1, 3),
    streamed=st.booleans(),
)  # fmt: skip
def test_any_network_gives_the_same_however_it_is_cut(
    data: st.DataObject, length: int, held: int, threads: int, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = data.draw(chip_programs(max_neurons=70))
    x = data.draw(inputs_for(program, data.draw(st.sampled_from([0.01, 0.1, 0.5])), max_steps=20, max_batch=7))
    with monkeypatch.context() as patched:
        # as short as can be: a step, a sample
        patched.setattr(sample_parallel, "_BLOCK_BYTES", 1)
        single = run(program, x, len(x) + 4, "all", 1)
        patched.setattr(sample_parallel, "_BLOCK_BYTES", held)
        patched.setattr(sample_parallel, "_BLOCK_STEPS", length)
        patched.setattr(emulator, "_STREAMED_FROM", 0 if streamed else 1 << 30)
        assert differences(single, run(program, x, len(x) + 4, "all", threads)) == []
        # without states a block is one call of a kernel
        found, wanted = (spikes_of(r) for r in (run(program, x, len(x) + 4, "spikes", threads), single))
        assert found.keys() == wanted.keys()
        for name, values in found.items():
            np.testing.assert_array_equal(values, wanted[name], err_msg=name)


@pytest.mark.parametrize("program", [every_kind(3), beyond_stock(3)])
def test_every_connection_in_long_blocks(program: ChipProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    x = spikes((40, 5, 3, 8, 9), 0.1, 4)
    found = spikes_of(run(program, x, 90, "spikes", 2))
    monkeypatch.setattr(sample_parallel, "_BLOCK_BYTES", 1)
    wanted = spikes_of(run(program, x, 90, "spikes", 1))
    assert wanted["spikes"].any()
    for name, values in found.items():
        np.testing.assert_array_equal(values, wanted[name], err_msg=name)


def test_a_group_leaves_nothing_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    program = dense((20, 30, 10), 1, 500)
    x = np.repeat(spikes((9, 1, 20), 0.4, 1), 6, axis=1)
    # at the end of the run spikes are on their way
    monkeypatch.setattr(sample_parallel, "_BLOCK_BYTES", 30 * 4 * 2)
    monkeypatch.setattr(sample_parallel, "_BLOCK_STEPS", 2)
    result = run(program, x, 9, "all", 1)
    for name, values in result.arrays().items():
        samples = values if name.startswith(("counts/", "neuron_counts/")) else np.moveaxis(values, 1, 0)
        assert samples.any(), name
        for sample in samples[1:]:
            np.testing.assert_array_equal(sample, samples[0], err_msg=name)


def test_stages_come_behind_all_that_feed_them() -> None:
    rng = np.random.default_rng(0)
    names = ("d", "c", "b", "a", "alone")
    edges = [("in", "a"), ("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"), ("a", "d"), ("alone", "alone")]
    one = np.ones((2, 2), np.int32)
    program = ChipProgram(
        "loihi2", WordWidths(), 1e-3, (InputPort("in", (2,)),), tuple(population(n, (2,), rng) for n in names),
        tuple(DenseConnection(s, t, one, 0, "mixed", 8, 1) for s, t in edges), ("d",),
    )  # fmt: skip
    found = update_order(program)
    assert {frozenset(stage.populations): stage.recurrent for stage in found} == {
        frozenset("a"): False, frozenset("bc"): True, frozenset("d"): False, frozenset({"alone"}): True,
    }  # fmt: skip
    order = [stage.populations for stage in found]
    assert order.index(("a",)) < order.index(("c", "b")) < order.index(("d",))
    assert update_order(dense((4, 3, 2), 0)) == (UpdateGroup(("layer1",), False), UpdateGroup(("layer2",), False))


def test_cuts_give_every_thread_as_many_groups_and_hold_every_sample_once() -> None:
    program = dense((784, 512, 512, 10), 0)
    for batch, threads in ((128, 2), (7, 2), (1, 1), (1000, 3)):
        made = sample_parallel.partition(program, update_order(program), 25, batch, threads, False)
        assert [b for group in made.groups for b in range(batch)[group]] == list(range(batch))
        assert len(made.groups) % threads == 0
        assert made.steps * max(g.stop - g.start for g in made.groups) * 512 * 4 <= sample_parallel._BLOCK_BYTES
    assert len(sample_parallel.partition(program, update_order(program), 25, 128, 2, streamed=True).groups) == 2
