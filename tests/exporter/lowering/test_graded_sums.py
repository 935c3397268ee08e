"""Sums of layers as graded spikes: every layer's spikes are those that it has without relays, in all backends."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.from_torch import network_to_nir
from spikeport.exporter.lowering.graded_sums import without_relays
from spikeport.exporter.neurons import GradedVec
from spikeport.exporter.program.chip_file import load_program, save_program
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.diff import diff
from spikeport.lava_runtime.simulate import simulate
from spikeport.run.recipe import checked_recipe
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network

SHAPE, STEPS = (2, 6, 6), 9


def graph(seed: int, repeat: int, stride: int, join: str = "add") -> nir.NIRGraph:
    torch.manual_seed(seed)
    blocks = LayerConfig("sew", 4, repeat=repeat, stride=stride, join=join)  # type: ignore[arg-type]
    network = build_network(NetworkConfig((LayerConfig("conv", 4), blocks), output_pool=2), SHAPE, 3)
    for _, block in network.spiking_blocks():
        assert block.norm is not None
        # about half of the neurons fire at times, in deep layers, too
        torch.nn.init.normal_(block.norm.weight, 1.5, 0.3)
        torch.nn.init.normal_(block.norm.bias, 0.3, 0.3)
    return network_to_nir(network.eval())


def spikes(seed: int, samples: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((STEPS, samples, *SHAPE)) < 0.4).astype(np.uint8)


def both(made: nir.NIRGraph, bits: int = 8) -> tuple[ChipProgram, ChipProgram]:
    plain, summed = CompileOptions(weight_bits=bits), CompileOptions(weight_bits=bits, sums="graded")
    return compile_graph(made, load_chip("loihi2"), plain), compile_graph(made, load_chip("loihi2"), summed)


def relays(program: ChipProgram) -> list[str]:
    return [p.name for p in program.populations if isinstance(p, GradedVec)]


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 2), st.integers(2, 8))
def test_every_layer_has_the_spikes_that_it_has_without_relays(seed: int, repeat: int, stride: int, bits: int) -> None:
    x = spikes(seed, 3)
    plain, summed = both(graph(seed, repeat, stride), bits)
    assert not relays(plain) and relays(summed)
    runs = [simulate(p, x, "emulator", STEPS + p.pipeline_steps, "all") for p in (plain, summed)]
    fired = 0
    for name in [p.name for p in plain.populations]:
        rows = [
            run.states[f"s/{name}"][p.latency[name] :][:STEPS] for run, p in zip(runs, (plain, summed), strict=True)
        ]
        np.testing.assert_array_equal(*rows, err_msg=name)
        fired += int(rows[0].sum())
    assert fired or bits < 4
    stored = [sum(c.weights.size for c in p.connections) for p in (plain, summed)]
    assert stored[1] < stored[0]


def test_a_relay_is_read_by_all_that_sum_the_same_layers_and_sends_their_sum() -> None:
    plain, summed = both(graph(5, 2, 1))
    # the output and the second block's first convolution sum, by a relay each; the shortcut is a sum of its own
    assert relays(summed) == ["layer4_sum", "layer6_sum"]
    assert len({c.source for c in plain.into("layer6")}) == 3
    assert [c.source for c in summed.into("layer6")] == ["layer6_sum"]
    run = simulate(summed, spikes(5, 8), "emulator", STEPS + summed.pipeline_steps, "all")
    sent = run.states["s/layer6_sum"]
    parts = [run.states[f"s/{c.source}"][: len(sent) - c.delay] for c in summed.into("layer6_sum")]
    wanted = np.zeros_like(sent)
    for connection, part in zip(summed.into("layer6_sum"), parts, strict=True):
        wanted[connection.delay :] += part
    np.testing.assert_array_equal(sent, wanted)
    assert sent.max() > 1


@pytest.mark.parametrize("join", ["and", "iand"])
def test_joins_that_spike_once_need_no_relay(join: str) -> None:
    plain, summed = both(graph(2, 1, 1, join))
    assert not relays(summed)
    assert [(c.source, c.target, c.delay) for c in summed.connections] == [
        (c.source, c.target, c.delay) for c in plain.connections
    ]


def test_the_file_holds_relays(tmp_path: Path) -> None:
    _, summed = both(graph(1, 2, 1))
    save_program(summed, tmp_path / "a.chip")
    again = load_program(tmp_path / "a.chip")
    assert relays(again) == relays(summed)
    x = spikes(1, 2)
    runs = [simulate(p, x, "emulator", STEPS + p.pipeline_steps) for p in (summed, again)]
    np.testing.assert_array_equal(*(run.spikes["layer6"] for run in runs))


def test_a_diff_sees_the_layers_through_the_relays() -> None:
    made, x = graph(3, 2, 1), spikes(3, 4)
    reports = [
        diff(lower_graph(made, CompileOptions(sums=sums)), program, x)
        for sums, program in zip(("synapses", "graded"), both(made), strict=True)
    ]
    assert [layer.name for layer in reports[0].layers] == [layer.name for layer in reports[1].layers]
    assert reports[0].same_winners == reports[1].same_winners
    program = both(made)[1]
    plain = without_relays(program, {p.name for p in program.populations} - set(relays(program)))
    assert not relays(plain) and [c.label for c in plain.connections] == [c.label for c in both(made)[0].connections]


@pytest.mark.lava
@pytest.mark.parametrize(("backend", "bits"), [("lava", 8), ("stock", 8), ("stock", 3)])
def test_the_backends_agree_on_relays(backend: str, bits: int) -> None:
    _, summed = both(graph(4, 2, 2), bits)
    x = spikes(4, 2)
    runs = [simulate(summed, x, b, STEPS + summed.pipeline_steps, "all") for b in (backend, "emulator")]  # type: ignore[arg-type]
    for name, values in runs[1].states.items():
        np.testing.assert_array_equal(runs[0].states[name], values, err_msg=name)
    assert max(runs[1].states[f"s/{name}"].max() for name in relays(summed)) > 1


def test_a_chip_without_payloads_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"loihi1's spikes carry no payload; leave them to the synapses"):
        compile_graph(graph(0, 1, 1), load_chip("loihi1"), CompileOptions(sums="graded"))
    recipe = {"name": "a", "dataset": "digits", "chip": "loihi1", "sums": "graded"}
    with pytest.raises(InputError, match="key 'sums': loihi1's spikes carry no payload"):
        checked_recipe(recipe | {"network": {"layers": [{"kind": "conv", "size": 4}]}}, "r.toml")
