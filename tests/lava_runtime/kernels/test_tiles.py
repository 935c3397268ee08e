"""Weights of a byte in tiles of 64 targets, and spikes that move their targets on in the same registers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import njit
from numpy.typing import NDArray
from programs import dense
from strategies import chip_programs, inputs_for

from spikeport.exporter.neurons import CubaLIF
from spikeport.exporter.neurons.base import unpacked
from spikeport.exporter.neurons.cuba import cuba_vector, lanes
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.emulator import population_state, sample_parallel
from spikeport.lava_runtime.emulator.emulator import emulate
from spikeport.lava_runtime.inputs import check_input
from spikeport.lava_runtime.kernels.spike_events import SpikeEvents
from spikeport.lava_runtime.kernels.tiles import Tiles
from spikeport.lava_runtime.result import SimulationResult, differences

RANGES = [(-128, 127, 2), (-128, 127, 1), (0, 255, 1), (-255, 0, 1), (-8, 7, 16), (0, 0, 1), (255, 255, 1)]


def listed(spikes: NDArray[np.uint8]) -> SpikeEvents:
    active = SpikeEvents.empty(*spikes.shape, False)
    active.read_spikes(spikes)
    return active


@settings(max_examples=60, deadline=None)
@given(
    sources=st.sampled_from([1, 40, 255, 256, 257, 700]), targets=st.sampled_from([1, 63, 64, 65, 130]),
    drawn=st.sampled_from(RANGES), exponent=st.integers(-8, 7), density=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_tiles_add_what_arrives(
    sources: int, targets: int, drawn: tuple[int, int, int], exponent: int, density: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    low, high, factor = drawn
    matrix = (rng.integers(low, high, (sources, targets), endpoint=True) * factor).astype(np.int16)
    assert Tiles.fits(matrix)
    spikes = (rng.random((3, sources)) < density).astype(np.uint8)
    target = rng.integers(-1000, 1000, (3, targets)).astype(np.int32)
    sums = spikes.astype(np.int64) @ matrix
    wanted = target + (sums << exponent if exponent >= 0 else sums >> -exponent)
    Tiles(matrix, exponent).deliver(listed(spikes), target)
    np.testing.assert_array_equal(target, wanted)


def test_what_does_not_fit_a_byte() -> None:
    inside, outside = [(-128, 127), (-256, 254), (0, 256)], [(-129, 127), (-258, 254)]
    for low, high in (*inside, *outside):
        assert Tiles.fits(np.array([[low, high]], np.int16)) == ((low, high) in inside)


def run(program: ChipProgram, x: NDArray[Any], steps: int, record: str) -> SimulationResult:
    return emulate(program, check_input(program, x), steps, record, threads=1)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), length=st.integers(1, 9), record=st.sampled_from(["spikes", "layers", "all"]))
def test_what_is_lent_is_as_what_waits(
    data: st.DataObject, length: int, record: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = data.draw(chip_programs(max_neurons=70))
    x = data.draw(inputs_for(program, data.draw(st.sampled_from([0.01, 0.1, 0.5])), max_steps=20, max_batch=7))
    with monkeypatch.context() as patched:
        patched.setattr(sample_parallel, "_BLOCK_STEPS", length)
        found = run(program, x, len(x) + 4, record)
        patched.setattr(population_state, "tile_stepper", lambda _: None)
        assert differences(run(program, x, len(x) + 4, record), found) == []


@pytest.mark.parametrize("exponent", [0, 7])
def test_layers_of_several_tiles(exponent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # 300 weights of up to 254 * 2**7: currents leave 24 bit and wrap
    plain = dense((300, 130, 64, 5), 3, 1000 << exponent)
    connections = tuple(replace(c, weight_exp=exponent) for c in plain.connections)
    program = replace(plain, connections=connections)
    x = (np.random.default_rng(1).random((31, 5, 300)) < 0.3).astype(np.uint8)
    taken: list[int] = []
    defer_input = population_state.PopulationState.defer_input

    def counting(state: population_state.PopulationState, *arguments: Any) -> int:
        taken.append(defer_input(state, *arguments))
        return taken[-1]

    monkeypatch.setattr(sample_parallel, "_BLOCK_STEPS", 7)
    monkeypatch.setattr(population_state.PopulationState, "defer_input", counting)
    found = run(program, x, 31, "layers")
    # three layers, four blocks of seven steps of which the first waits; of the last three steps two arrive in them
    assert taken == [6] * 12 + [2] * 3
    monkeypatch.setattr(population_state, "tile_stepper", lambda _: None)
    wanted = run(program, x, 31, "layers")
    assert all(values.any() for values in wanted.counts().values())
    assert differences(wanted, found) == []


@pytest.mark.parametrize("size", [5, 64, 200])
def test_processors_without_the_short_product(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(size)
    constants = {"du": rng.integers(0, 4096, size), "dv": rng.integers(0, 4096, size), "vth": 30_000}
    population = CubaLIF.of("n", (size,), **constants)
    monkeypatch.setattr(lanes, "has_product", lambda _: False)
    kernel = njit(cuba_vector.spike.py_func)
    arriving = rng.integers(-(1 << 22), 1 << 22, (9, 2, size)).astype(np.int32)
    states = [np.zeros((2, size), np.int32) for _ in range(3)]
    words = np.zeros((9, 2, -(-size // 64)), np.uint64)
    kernel(*states[:2], arriving.copy(), *population.step_constants, words, states[2])
    for sample in range(2):
        plain: dict[str, Any] = {name: np.zeros(size, np.int32) for name in "uv"}
        sent = [population.plain_step(t, plain, (a[sample],)) for t, a in enumerate(arriving)]
        np.testing.assert_array_equal(unpacked(words, size)[:, sample], sent)
        np.testing.assert_array_equal(states[2][sample], np.sum(sent, axis=0))
        for name, values in zip("uv", states, strict=False):
            np.testing.assert_array_equal(values[sample], plain[name])
