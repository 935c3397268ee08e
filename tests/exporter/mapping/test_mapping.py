"""Cores: every limit kept, no core too many, and what cannot fit is named."""

from __future__ import annotations

import dataclasses
from typing import Any

import naive
import naive_mapping
import numpy as np
import programs
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_chips import chips, small_chip
from strategies import chip_programs

from spikeport.exporter.compile import compile_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.from_torch import network_to_nir
from spikeport.exporter.mapping import Slice, fan_out, map_program, synapse_count
from spikeport.exporter.mapping.resources.core_resources import FanOutCores, LayerDemand, core_capacities
from spikeport.exporter.program.chip_program import ChipProgram, ConvConnection, CubaLIF, CubaLIFSoftReset
from spikeport.hardware_profiles import ChipProfile, load_chip
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SETTINGS
@given(program=chip_programs(), chip=chips)
def test_fills_are_those_counted_synapse_by_synapse(program: ChipProgram, chip: ChipProfile) -> None:
    mapping = map_program(program, chip)
    limits: Any = chip.limits
    counted = naive_mapping.needs(program, chip, mapping.placed)
    for shares, needed in zip(mapping.fills, counted, strict=True):
        for name, amount in needed.items():
            limit = getattr(limits, naive_mapping.LIMITS[name]).value
            assert shares[name] == pytest.approx(amount / limit), name  # type: ignore[index]


@SETTINGS
@given(program=chip_programs(), chip=chips)
def test_what_is_accepted_breaks_no_limit_and_what_is_not_breaks_one(program: ChipProgram, chip: ChipProfile) -> None:
    mapping = map_program(program, chip)
    limits: Any = chip.limits
    counted = naive_mapping.needs(program, chip, mapping.placed)
    broken = {
        (part.layer, name)
        for core, needed in zip(mapping.placed, counted, strict=True)
        for part in core.slices
        for name, amount in needed.items()
        if amount > getattr(limits, naive_mapping.LIMITS[name]).value
    }
    assert all(len({part.layer for part in core.slices}) == len(core.slices) for core in mapping.placed)
    assert all(len(core.slices) <= limits.layers_per_core.value for core in mapping.placed)
    assert mapping.fits == (not broken and mapping.cores <= limits.cores_per_chip.value) == (not mapping.reasons())
    for layer, _ in broken:
        assert any(repr(layer) in reason for reason in mapping.reasons())


@SETTINGS
@given(program=chip_programs(), chip=chips)
def test_the_same_program_is_mapped_alike_every_time(program: ChipProgram, chip: ChipProfile) -> None:
    assert map_program(program, chip) == map_program(program, chip)


@SETTINGS
@given(
    sizes=st.tuples(st.integers(1, 12), st.integers(1, 12)), chip=chips, seed=st.integers(0, 99), listed=st.booleans()
)
def test_a_vector_lies_on_the_fewest_cores(sizes: tuple[int, int], chip: ChipProfile, seed: int, listed: bool) -> None:
    program = programs.dense(sizes, seed)
    if listed:
        connection = programs.sparse("input", "layer1", (sizes[1], sizes[0]), 0, np.random.default_rng(seed))
        program = dataclasses.replace(program, connections=(connection,))
    mapping = map_program(program, chip)
    if not mapping.layer("layer1").fits:
        return
    demand = LayerDemand.of(program.populations[0], program, chip.limits)
    has, nothing = core_capacities(chip.limits), FanOutCores(np.zeros(sizes[1], np.int64))
    fewest = [0] + [1000] * sizes[1]
    for end in range(1, sizes[1] + 1):
        for begin in range(end):
            needed = demand.needs(Slice("layer1", begin, end - 1), program, nothing)
            if all(needed[name] <= most for name, most in has.items()):
                fewest[end] = min(fewest[end], fewest[begin] + 1)
    assert mapping.cores == fewest[-1]


def test_one_neuron_too_many_is_one_core_too_many() -> None:
    chip = small_chip(compartments_per_core=10, cores_per_chip=3)
    assert map_program(programs.dense((4, 30), 0), chip).fits
    mapping = map_program(programs.dense((4, 31), 0), chip)
    assert (mapping.cores, mapping.chips, mapping.fits) == (4, 2, False)
    assert "4 cores" in mapping.reasons()[0]
    assert "--chip loihi2_" not in mapping.reasons()[0]


def test_a_network_too_large_for_a_board_is_told_which_board_holds_it() -> None:
    board = small_chip("loihi2", cores_per_chip=2, chips_per_board=3)
    tight = board.model_copy(update={"limits": board.limits.model_copy(update={
        "synapse_memory_bits_per_core": board.limits.synapse_memory_bits_per_core.model_copy(update={"value": 3000.0})
    })})  # fmt: skip
    assert map_program(programs.dense((30, 60), 0), tight).cores == 6
    assert map_program(programs.dense((30, 60), 0), tight).fits
    refused = map_program(programs.dense((30, 61), 0), tight)
    assert not refused.fits
    assert "the board has 6 on 3 chips" in refused.reasons()[0]
    assert "--chip loihi2 would hold it" in refused.reasons()[0]


def test_a_residual_network_too_large_for_a_board_is_told_to_add_its_joins_once() -> None:
    torch.manual_seed(0)
    layers = LayerConfig("conv", 4), LayerConfig("sew", 4), LayerConfig("sew", 4)
    graph = network_to_nir(build_network(NetworkConfig(layers), (1, 8, 8), 3).eval())
    program = compile_graph(graph, load_chip("loihi2"), CompileOptions())
    small = small_chip("loihi2", cores_per_chip=1, chips_per_board=1)
    assert "--sums graded" in map_program(program, small).reasons()[0]


def test_a_fan_in_no_core_can_hold_is_refused_by_name_with_the_bits_that_would_do() -> None:
    chip = small_chip(synapse_memory_bits_per_core=3200)
    assert map_program(programs.dense((100, 5), 0), chip).fits
    mapping = map_program(programs.dense((101, 5), 0), chip)
    assert mapping.layer("layer1").limit == "synapse memory"
    assert "'layer1'" in mapping.reasons()[0]
    # on loihi1 nothing is rounded up to a word that a narrow weight would not fill, too
    narrow = small_chip("loihi1", synapse_memory_bits_per_core=10 * 64, synapse_word_bits=1, synapse_header_bits=1)
    assert "weights of 5 bit would fit" in map_program(programs.dense((106, 1), 0), narrow).reasons()[0]


def test_a_matrix_of_zeros_that_no_core_holds_is_told_to_be_a_list() -> None:
    program = programs.dense((100, 5), 0)
    few = np.zeros((5, 100), np.int32)
    few[:, :10] = 2
    empty = dataclasses.replace(program, connections=(dataclasses.replace(program.connections[0], weights=few),))
    for limit in ("synapse_memory_bits_per_core", "input_axons_per_core"):
        chip = small_chip(**{limit: 32 * 50 if "memory" in limit else 50})
        assert "as lists of nonzero weights" in map_program(empty, chip).reasons()[0]
        assert "as lists" not in map_program(program, chip).reasons()[0]


def test_axon_tables_that_are_too_small_are_named() -> None:
    axons = map_program(programs.dense((100, 5), 0), small_chip(input_axons_per_core=99))
    assert axons.layer("layer1").limit == "input axons"
    assert "99 axons at most" in axons.reasons()[0]
    assert map_program(programs.dense((100, 5), 0), small_chip(input_axons_per_core=100)).fits
    # 5 cores of one neuron behind a layer whose cores have room for 4 output axons
    out = small_chip(output_axons_per_core=4, synapse_memory_bits_per_core=32 * 10, compartments_per_core=1)
    refused = map_program(programs.dense((4, 10, 5), 0), out)
    assert refused.layer("layer1").limit == "output axons"
    assert "'layer2'" in refused.reasons()[0]
    assert map_program(programs.dense((4, 10, 4), 0), out).fits


def test_output_axons_split_a_layer_whose_neurons_send_to_many_cores() -> None:
    chip = small_chip(output_axons_per_core=12, compartments_per_core=10)
    mapping = map_program(programs.dense((4, 10, 30), 0), chip)
    assert (mapping.layer("layer1").cores, mapping.layer("layer2").cores) == (3, 3)


@pytest.mark.parametrize(("extra", "cores"), [(0, 1), (7, 1), (8, 1), (15, 1), (16, 2), (62, 4)])
def test_delays_take_compartments_from_a_core(extra: int, cores: int) -> None:
    program = programs.dense((4, 40), 0)
    slow = dataclasses.replace(program.connections[0], axonal_delays=np.full(4, extra, np.int32))
    chip = small_chip("loihi1", compartments_per_core=128, delay_slots_per_core=640)
    assert map_program(dataclasses.replace(program, connections=(slow,)), chip).cores == cores


@SETTINGS
@given(seed=st.integers(0, 20), chip=chips)
def test_neurons_of_every_kind_fill_what_is_counted_synapse_by_synapse(seed: int, chip: ChipProfile) -> None:
    program = programs.beyond_stock(seed)
    mapping = map_program(program, chip)
    limits: Any = chip.limits
    for shares, needed in zip(mapping.fills, naive_mapping.needs(program, chip, mapping.placed), strict=True):
        for name, amount in needed.items():
            assert shares[name] == pytest.approx(amount / getattr(limits, naive_mapping.LIMITS[name]).value), name  # type: ignore[index]


def test_reset_by_subtraction_takes_two_compartments_on_loihi_1() -> None:
    hard = programs.dense((4, 40), 0)
    one = hard.populations[0]
    assert isinstance(one, CubaLIF)
    values = {name: getattr(one, name) for name in one.constants()}
    soft = CubaLIFSoftReset(one.name, one.shape, **values, v_subtract=one.vth)
    program = dataclasses.replace(hard, populations=(soft,))
    assert map_program(hard, small_chip("loihi1", compartments_per_core=40)).cores == 1
    assert map_program(program, small_chip("loihi1", compartments_per_core=40)).cores == 2
    assert map_program(program, small_chip("loihi2", compartments_per_core=40)).cores == 1


def test_layers_share_a_core_only_where_the_chip_allows_it() -> None:
    program = programs.dense((4, 10, 5), 0)
    assert map_program(program, small_chip()).cores == 2
    shared = map_program(program, small_chip(layers_per_core=8))
    assert shared.cores == 1
    assert [part.layer for part in shared.placed[0].slices] == ["layer1", "layer2"]


def test_a_layer_of_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        map_program(programs.dense((4, 3), 0), load_chip("loihi2")).layer("nowhere")


@SETTINGS
@given(program=chip_programs())
def test_fan_out_and_synapses_are_those_of_the_synapse_list(program: ChipProgram) -> None:
    for connection in program.connections:
        synapses = naive.synapse_list(connection)
        assert synapse_count(connection, program) == len(synapses)
        if isinstance(connection, ConvConnection):
            counted = np.bincount([s for s, _, _ in synapses], minlength=program.source_size(connection.source))
            np.testing.assert_array_equal(fan_out(connection), counted)
