"""Slices and cores: every neuron on one core, and counts a neuron summed to counts a core."""

from __future__ import annotations

import math

import naive
import numpy as np
import programs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_chips import chips, small_chip
from strategies import chip_programs

from spikeport.exporter.mapping import Board, Core, Slice, core_of, flow, map_program, per_core
from spikeport.exporter.mapping.board import compact_order
from spikeport.exporter.mapping.placement import swap_cores
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles import ChipProfile

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


def test_an_image_is_laid_out_tile_by_tile() -> None:
    # 2 channels, 2 rows, 3 columns; tiles of both channels, one row, two columns: (0, 0, 0), (0, 0, 1), (1, 0, 0), ...
    tile = (2, 1, 2)
    np.testing.assert_array_equal(Slice("image", 0, 3, (), tile).neurons((2, 2, 3)), [0, 1, 6, 7])
    np.testing.assert_array_equal(Slice("image", 4, 5, (), tile).neurons((2, 2, 3)), [2, 8])
    np.testing.assert_array_equal(np.sort(Slice("image", 0, 11, (), tile).neurons((2, 2, 3))), np.arange(12))


def test_a_neuron_on_no_core_is_known_as_that() -> None:
    cores = (Core(0, 0, 0, 0, (Slice("a", 0, 1, ()),)), Core(1, 0, 1, 0, (Slice("a", 3, 3, ()),)))
    assert core_of(cores, "a", (4,)).tolist() == [0, 0, -1, 1]
    assert per_core(np.array([0.5, 1.0, 8.0, 2.0]), cores, "a", (4,)).tolist() == [1.5, 2.0]


def test_cores_lie_in_growing_squares_and_chips_too() -> None:
    board = Board(cores_per_chip=6, chips=4, columns=3, cores_per_router=1)
    assert [board.position(n)[1:] for n in range(6)] == [(0, 0), (0, 1), (1, 1), (1, 0), (2, 0), (2, 1)]
    assert board.position(6) == (1, 0, 0)
    shared = Board(cores_per_chip=8, chips=1, columns=2, cores_per_router=2)
    assert [shared.position(n)[1:] for n in range(8)] == [
        (0, 0),
        (0, 0),
        (1, 0),
        (1, 0),
        (1, 1),
        (1, 1),
        (0, 1),
        (0, 1),
    ]
    # chips lie 0 1 / 3 2, each of 3 by 2 routers: from the first of chip 0 to the far corner of chip 2
    routers, chips = board.distances(np.array([[0, 0, 0]]), np.array([2, 2, 1]))
    assert (int(routers[0]), int(chips[0])) == (8, 2)


@given(st.integers(1, 20), st.integers(1, 20))
def test_all_places_of_a_grid_are_numbered_once_each_beside_the_one_before(columns: int, rows: int) -> None:
    found = np.array(compact_order(columns, rows))
    assert sorted(map(tuple, found.tolist())) == [(x, y) for x in range(columns) for y in range(rows)]
    assert (np.abs(np.diff(found, axis=0)).sum(axis=1) == 1).all()
    for side in range(1, min(columns, rows) + 1):
        assert found[: side * side].max() == side - 1
    np.testing.assert_array_equal(compact_order(8, 8)[:16], compact_order(4, 4))


@SETTINGS
@given(program=chip_programs(), chip=chips, seed=st.integers(0, 9))
def test_messages_and_their_ways_are_those_counted_one_by_one(
    program: ChipProgram, chip: ChipProfile, seed: int
) -> None:
    board = small_chip("loihi2", cores_per_chip=6, chips_per_board=40, mesh_columns=2).limits
    chip = chip.model_copy(update={"limits": chip.limits.model_copy(update={
        name: getattr(board, name)
        for name in ("cores_per_chip", "chips_per_board", "mesh_columns", "cores_per_router")
    })})  # fmt: skip
    mapping, board_of = map_program(program, chip), Board.of(chip.limits)
    rng = np.random.default_rng(seed)
    side = math.ceil(math.sqrt(board_of.chips))

    def where(number: int) -> tuple[int, int, int, int]:
        if number < 0:
            return 0, 0, 0, 0
        core = mapping.placed[number]
        column, row = compact_order(2 * side, 2 * side)[core.chip]
        return column * 2 + core.x, row * 3 + core.y, column, row

    for node in program.nodes:
        counts = rng.integers(0, 5, node.shape)
        found = flow(node.name, program, mapping.placed, board_of, counts)
        messages = hops = chip_hops = 0
        received = np.zeros(mapping.cores)
        own = np.full(node.size, -1) if node in program.inputs else core_of(mapping.placed, node.name, node.shape)
        for connection in program.out_of(node.name):
            home = core_of(mapping.placed, connection.target, program.population(connection.target).shape)
            for source, target in {(s, int(home[t])) for s, t, _ in naive.synapse_list(connection)}:
                spikes = int(counts.reshape(-1)[source])
                a, b = where(int(own[source])), where(target)
                messages += spikes
                received[target] += spikes
                hops += spikes * (abs(a[0] - b[0]) + abs(a[1] - b[1]))
                chip_hops += spikes * (abs(a[2] - b[2]) + abs(a[3] - b[3]))
        assert (found.messages, found.hops, found.chip_hops) == (messages, hops, chip_hops)
        np.testing.assert_array_equal(found.received, received)
        assert found.sent.sum() + found.entering == messages


@given(st.integers(2, 12), st.integers(0, 99))
def test_exchanging_places_never_makes_ways_longer(cores: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    traffic = rng.integers(0, 9, (cores, cores)) * (rng.random((cores, cores)) < 0.4).astype(float)
    entering = rng.integers(0, 9, cores).astype(float)
    x, y = rng.integers(0, 6, cores), rng.integers(0, 6, cores)
    distance = (np.abs(x[:, None] - x) + np.abs(y[:, None] - y)).astype(float)
    first = (x + y).astype(float)

    def cost(place: NDArray[np.int64]) -> float:
        return float((traffic * distance[np.ix_(place, place)]).sum() + entering @ first[place])

    found = swap_cores(traffic, entering, distance, first)
    assert sorted(found) == list(range(cores))
    assert cost(found) <= cost(np.arange(cores)) + 1e-6


def test_a_chain_in_any_order_becomes_a_chain_again() -> None:
    # 0 -> 3 -> 1 -> 2, fed from outside at the left end of a row of routers
    traffic = np.zeros((4, 4))
    traffic[[0, 3, 1], [3, 1, 2]] = 5
    place = np.arange(4)
    distance = np.abs(place[:, None] - place).astype(float)
    found = swap_cores(traffic, np.array([9.0, 0, 0, 0]), distance, place.astype(float))
    assert found.tolist() == [0, 2, 3, 1]
