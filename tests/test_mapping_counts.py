"""Slices and cores: every neuron on one core, and counts a neuron summed to counts a core."""

from __future__ import annotations

import numpy as np
import programs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import chip_programs
from test_exporter_mapping import chips

from exporter.mapping import Core, Slice, core_of, map_program, per_core
from exporter.program import ChipProgram
from hardware_profiles import ChipProfile

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SETTINGS
@given(program=chip_programs(), chip=chips)
def test_every_neuron_is_on_one_core_and_every_core_holds_some(program: ChipProgram, chip: ChipProfile) -> None:
    mapping = map_program(program, chip)
    assert len(mapping.placed) == mapping.cores
    for population in program.populations:
        held = [
            part.neurons(population.shape)
            for core in mapping.placed
            for part in core.slices
            if part.layer == population.name
        ]
        np.testing.assert_array_equal(np.sort(np.concatenate(held)), np.arange(population.size))
        assert len(held) == mapping.layer(population.name).cores
    for core in mapping.placed:
        for part in core.slices:
            assert len(part.encodings) == len(program.into(part.layer))


@SETTINGS
@given(chip=chips, seed=st.integers(0, 9))
def test_counts_a_core_are_the_sums_over_its_neurons(chip: ChipProfile, seed: int) -> None:
    program = programs.every_kind(seed)
    mapping = map_program(program, chip)
    for population in program.populations:
        counts = np.random.default_rng(seed).integers(0, 9, (3, 2, *population.shape))
        found = per_core(counts, mapping.placed, population.name, population.shape)
        holder = core_of(mapping.placed, population.name, population.shape)
        assert found.shape == (3, 2, mapping.cores)
        for number in range(mapping.cores):
            expected = counts.reshape(3, 2, -1)[:, :, holder == number].sum(axis=-1)
            np.testing.assert_array_equal(found[:, :, number], expected)


def test_columns_go_column_by_column_row_by_row_channel_by_channel() -> None:
    part = Slice("image", 0, 3, (), "columns")
    # channels 2, height 2, width 3: (c, y, x) = (0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)
    np.testing.assert_array_equal(part.neurons((2, 2, 3)), [0, 6, 3, 9])
    np.testing.assert_array_equal(Slice("image", 4, 4, (), "columns").neurons((2, 2, 3)), [1])


def test_a_neuron_on_no_core_is_known_as_that() -> None:
    cores = (Core(0, 0, 0, (Slice("a", 0, 1, ()),)), Core(0, 1, 0, (Slice("a", 3, 3, ()),)))
    assert core_of(cores, "a", (4,)).tolist() == [0, 0, -1, 1]
    assert per_core(np.array([0.5, 1.0, 8.0, 2.0]), cores, "a", (4,)).tolist() == [1.5, 2.0]
