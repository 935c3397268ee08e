"""The emulator on torch's device gives what the emulator gives, in every entry: here in torch's operations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import beyond_stock, every_kind, scattered, spikes
from same_arrays import assert_same
from strategies import chip_programs, inputs_for

from spikeport.common import accelerator
from spikeport.common.errors import InputError
from spikeport.exporter.neurons import ATRLIF
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.simulate import simulate
from spikeport.lava_runtime.torch_emulator import emulate, synapses
from spikeport.lava_runtime.torch_emulator.synapses import exact_kind


@settings(max_examples=60)
@given(data=st.data(), unfolded=st.sampled_from([1, 1 << 26]), at_once=st.sampled_from([1, 1 << 27]))
def test_any_network_gives_the_emulator_s_arrays(data: st.DataObject, unfolded: int, at_once: int) -> None:
    program = data.draw(chip_programs(max_neurons=70))
    x = data.draw(inputs_for(program, data.draw(st.sampled_from([0.01, 0.1, 0.5])), max_steps=20, max_batch=7))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synapses, "_UNFOLDED", unfolded)
        patch.setattr(emulate, "_AT_ONCE", at_once)
        assert_same(program, x, len(x) + 4)


@pytest.mark.parametrize("program", [every_kind(3), beyond_stock(3), every_kind(8), beyond_stock(8)])
def test_every_kind_of_connection(program: ChipProgram) -> None:
    assert_same(program, spikes((15, 3, 3, 8, 9), 0.1, 4), 25)
    assert_same(program, spikes((3, 2, 3, 8, 9), 0.5, 5), 1)


def test_payloads_and_several_inputs() -> None:
    rng = np.random.default_rng(2)
    program = scattered(4, True)
    x = {port.name: rng.integers(-300, 300, (6, 2, *port.shape), dtype=np.int32) for port in program.inputs}
    assert_same(program, x, 12)


@pytest.mark.parametrize(
    ("bound", "factor", "kind"),
    [
        ((1 << 24) - 1, 1 << 11, torch.float32),
        (1 << 24, 1 << 11, torch.float64),
        (100, (1 << 11) + 1, torch.float64),
        ((1 << 53) - 1, 1 << 31, torch.float64),
    ],
)
def test_the_type_that_sums_are_exact_in(bound: int, factor: int, kind: torch.dtype) -> None:
    assert exact_kind("a -> b", bound, factor) is kind


def test_sums_beyond_any_type_and_other_neurons_are_refused() -> None:
    with pytest.raises(InputError, match=r"a -> b: sums could be too large .*--device cpu"):
        exact_kind("a -> b", 1 << 53, 1)
    program = every_kind(3)
    p = program.populations[2]
    other = ATRLIF.of(p.name, p.shape, **dict.fromkeys(ATRLIF.constants(), 1))
    changed = ChipProgram(
        program.chip, program.widths, program.dt, program.inputs, (*program.populations[:2], other),
        program.connections, program.outputs,
    )  # fmt: skip
    assert emulate.unsupported(program) is None
    with pytest.raises(InputError, match=r"'fc' has neurons atrlif, .*--device cpu"):
        emulate.emulate_on("cpu", changed, {"in": spikes((3, 1, 216), 0.5, 1)}, 3)


def test_simulate_takes_a_gpu_where_there_is_one_and_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    program, x = every_kind(3), spikes((4, 2, 3, 8, 9), 0.2, 1)
    wanted = simulate(program, x)
    asked = []
    monkeypatch.setattr(emulate, "emulate_on", lambda device, *a, **k: asked.append(device) or wanted)
    monkeypatch.setattr(accelerator, "gpu_missing", lambda: "torch finds no GPU")
    simulate(program, x, device="auto")
    with pytest.raises(InputError, match="device is cuda, but torch finds no GPU"):
        simulate(program, x, device="cuda")
    assert asked == []
    monkeypatch.setattr(accelerator, "gpu_missing", lambda: None)
    simulate(program, x, device="auto")
    simulate(program, x, device="cuda")
    assert asked == ["cuda:0", "cuda:0"]
    with pytest.raises(InputError, match="backend lava computes on the CPU"):
        simulate(program, x, "lava", device="cuda")
    monkeypatch.setattr(emulate, "unsupported", lambda _: "population 'p' has neurons x")
    simulate(program, x, device="auto")
    assert asked == ["cuda:0", "cuda:0"]
