"""Cores: every limit kept, no core too many, and what cannot fit is named."""

from __future__ import annotations

import math
from typing import Any

import naive
import numpy as np
import programs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import chip_programs

from exporter.mapping import fan_out, map_program, synapse_count
from exporter.program import ChipProgram, ConvConnection
from hardware_profiles import ChipProfile, load_chip

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def small_chip(**limits: int) -> ChipProfile:
    """loihi2 with some limits of a core made smaller."""
    chip = load_chip("loihi2")
    changed = {name: getattr(chip.limits, name).model_copy(update={"value": float(v)}) for name, v in limits.items()}
    return chip.model_copy(update={"limits": chip.limits.model_copy(update=changed)})


chips = st.builds(
    lambda compartments, memory, axons_in, axons_out: small_chip(
        compartments_per_core=compartments, synapse_memory_bits_per_core=memory,
        input_axons_per_core=axons_in, output_axons_per_core=axons_out,
    ),
    st.integers(1, 50), st.integers(10, 20_000), st.integers(1, 100), st.integers(1, 300),
)  # fmt: skip


def needs(program: ChipProgram, name: str, count: int, cores: dict[str, int]) -> dict[str, float]:
    """Compartments, memory and output axons of the fullest of `count` cores, counted anew."""
    neurons = math.ceil(program.population(name).size / count)
    memory = sum(
        c.weights.size * c.weight_bits
        if isinstance(c, ConvConnection)
        else program.source_size(c.source) * neurons * c.weight_bits
        for c in program.into(name)
    )
    sent = neurons * sum(cores[c.target] for c in program.out_of(name))
    return {"compartments": neurons, "synapse memory": memory, "output axons": sent}


def limits_of(chip: ChipProfile) -> dict[str, float]:
    limits: Any = chip.limits
    return {
        "compartments": limits.compartments_per_core.value,
        "synapse memory": limits.synapse_memory_bits_per_core.value,
        "output axons": limits.output_axons_per_core.value,
    }


@SETTINGS
@given(program=chip_programs(), chip=chips)
def test_every_layers_fill_is_what_its_fullest_core_needs(program: ChipProgram, chip: ChipProfile) -> None:
    mapping = map_program(program, chip)
    cores = {layer.name: layer.cores for layer in mapping.layers}
    for layer in mapping.layers:
        needed = needs(program, layer.name, layer.cores, cores)
        for name, limit in limits_of(chip).items():
            assert layer.fill[name] == pytest.approx(needed[name] / limit)  # type: ignore[index]
        assert layer.fits == (max(layer.fill.values()) <= 1)
        assert layer.neurons_per_core == needed["compartments"]
        if not layer.fits:
            assert any(repr(layer.name) in sentence and layer.limit in sentence for sentence in mapping.reasons())
    assert mapping.cores == sum(cores.values())
    assert mapping.fits == (not mapping.reasons())


@SETTINGS
@given(program=chip_programs(), compartments=st.integers(1, 50), memory=st.integers(10, 20_000))
def test_one_core_fewer_would_break_a_limit(program: ChipProgram, compartments: int, memory: int) -> None:
    chip = small_chip(compartments_per_core=compartments, synapse_memory_bits_per_core=memory)
    mapping = map_program(program, chip)
    cores = {layer.name: layer.cores for layer in mapping.layers}
    for layer in mapping.layers:
        if layer.fits and layer.cores > 1:
            fewer = needs(program, layer.name, layer.cores - 1, cores)
            assert any(fewer[name] > limit for name, limit in limits_of(chip).items())


def test_one_neuron_too_many_is_one_core_too_many() -> None:
    chip = small_chip(compartments_per_core=10, cores_per_chip=3)
    assert map_program(programs.dense((4, 30), 0), chip).fits
    mapping = map_program(programs.dense((4, 31), 0), chip)
    assert (mapping.cores, mapping.chips, mapping.fits) == (4, 2, False)
    assert "4 cores" in mapping.reasons()[0]


def test_a_fan_in_no_core_can_hold_is_refused_by_name() -> None:
    chip = small_chip(synapse_memory_bits_per_core=800, input_axons_per_core=200)
    assert map_program(programs.dense((100, 5), 0), chip).fits
    mapping = map_program(programs.dense((101, 5), 0), chip)
    assert mapping.layer("layer1").limit == "synapse memory"
    assert "'layer1'" in mapping.reasons()[0]
    axons = map_program(programs.dense((100, 5), 0), small_chip(input_axons_per_core=99))
    assert axons.layer("layer1").limit == "input axons"


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
