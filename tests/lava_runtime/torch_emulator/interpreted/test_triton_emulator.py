"""The emulator's neurons in Triton against the compiled emulator: spikes, u and v equal in every entry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import beyond_stock, every_kind, population, spikes, weights
from same_arrays import assert_same
from strategies import chip_programs, inputs_for

from spikeport.exporter.neurons import Population
from spikeport.exporter.program.chip_program import ChipProgram, DenseConnection, InputPort
from spikeport.exporter.program.validate import validate
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.lava_runtime.torch_emulator.neurons import SUPPORTED


@settings(max_examples=25)
@given(data=st.data())
def test_any_network(data: st.DataObject) -> None:
    program = data.draw(chip_programs(max_neurons=70))
    x = data.draw(inputs_for(program, data.draw(st.sampled_from([0.01, 0.1, 0.5])), max_steps=8, max_batch=5))
    assert_same(program, x, len(x) + 4)


@pytest.mark.parametrize("program", [every_kind(3), beyond_stock(3)])
def test_every_kind_of_connection(program: ChipProgram) -> None:
    assert_same(program, spikes((6, 3, 3, 8, 9), 0.1, 4), 12)


@settings(max_examples=40)
@given(st.sampled_from(SUPPORTED), st.integers(0, 2**31), st.integers(1, 300))
def test_every_neuron_over_the_whole_width_of_its_registers(kind: type[Population], seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    base = population("p", (size,), rng)
    shared = {name: getattr(base, name) for name in ("du", "dv", "bias_mant", "bias_exp", "v_initial")}
    draw = {
        "vth": base.vth, "v_subtract": rng.integers(0, 1 << 18, size), "shift": rng.integers(0, 24, size),
        "reset_interval": rng.integers(1, 6, size), "reset_offset": rng.integers(0, 9, size),
    }  # fmt: skip
    own = {name: draw[name] for name in kind.constants() if name in draw}
    made = kind.of("p", (size,), **shared, **own)
    synapses = weights((size, 5), "mixed", 8, rng)
    connection = DenseConnection("in", "p", synapses, int(rng.integers(-8, 8)), "mixed", 8, 1)
    widths = WordWidths(message_bits=32)
    program = validate(ChipProgram("loihi2", widths, 1e-3, (InputPort("in", (5,)),), (made,), (connection,), ("p",)))
    largest = int(rng.choice([2, 5000]))
    assert_same(program, rng.integers(-largest, largest, (7, 2, 5)).astype(np.int32), 11)
