"""Delays of synapses: connections side by side become one, with the same spikes, and come apart again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from chip_exact import chip_spikes, compiled
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.exporter.compile import lower_graph
from spikeport.exporter.nir_graph.nir_file import read_nir
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.program.validate import validate
from spikeport.exporter.quantisation.synaptic_delays import join_delays, split_delays
from spikeport.lava_runtime.diff import diff
from spikeport.lava_runtime.simulate import simulate
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network


def delayed(folder: Path, seed: int, longest: int = 6, bits: int | None = 8) -> ChipProgram:
    torch.manual_seed(seed)
    layers = (LayerConfig(size=7, delays="synaptic", longest_delay=longest),)
    network = build_network(NetworkConfig(layers, "cuba_lif", vth=0.4, chip_aware=bits), (5,), 3).eval()
    return compiled(network, folder)


def spikes(seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((20, 3, 5)) < 0.4).astype(np.uint8)


@given(seed=st.integers(0, 10**6), longest=st.integers(1, 20))
@settings(max_examples=20, deadline=None)
def test_one_connection_does_what_many_do(seed: int, longest: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    program = delayed(tmp_path_factory.mktemp("delays"), seed, longest)
    (joined,) = program.into("layer1")
    assert joined.synaptic_delays is not None and validate(program) is program
    apart = validate(split_delays(program))
    assert len(apart.into("layer1")) == len(np.unique(joined.synaptic_delays[joined.weights != 0]))
    assert all(c.synaptic_delays is None for c in apart.connections)
    (again,) = join_delays(apart).into("layer1")
    for name, value in vars(joined).items():
        np.testing.assert_array_equal(getattr(again, name), value, err_msg=name)
    found, wanted = (chip_spikes(p, spikes(seed))[0] for p in (program, apart))
    for name, sent in wanted.items():
        np.testing.assert_array_equal(found[name], sent)


def test_what_one_exponent_cannot_hold_stays_apart(tmp_path: Path) -> None:
    program = split_delays(delayed(tmp_path, 3))
    late = program.into("layer1")[-1]
    coarse = replace(late, weight_exp=late.weight_exp + 3)
    odd = replace(program, connections=tuple(coarse if c is late else c for c in program.connections))
    assert join_delays(odd).connections == odd.connections


def test_diff_reads_them(tmp_path: Path) -> None:
    for bits in (8, None):
        program = delayed(tmp_path, 4, bits=bits)
        network = lower_graph(read_nir(tmp_path / "model.nir"))
        report = diff(network, program, spikes(4), "x")
        assert report is not None


@pytest.mark.lava
@pytest.mark.parametrize("backend", ["lava", "stock"])
def test_lava_runs_them_alike(backend: str, tmp_path: Path) -> None:
    program = delayed(tmp_path, 5)
    x = spikes(5)
    ours, theirs = (simulate(program, x, name, 24, "all") for name in ("emulator", backend))  # type: ignore[arg-type]
    for name, values in ours.states.items():
        np.testing.assert_array_equal(theirs.states[name], values, err_msg=name)
