"""The named steps: listed, written to files, and the choices that NIR leaves open."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import nir
import numpy as np
import pytest
from command import graph, refused, spikeport
from hypothesis import HealthCheck, given, settings
from nir_strategies import any_graphs, spikes_for

from benchmarks.nir_simulator import simulate_nir
from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.lowering.pass_pipeline import describe_passes, dump_to
from spikeport.exporter.lowering.passes import PASSES
from spikeport.exporter.nir_graph.nir_file import NirWarning, read_nir
from spikeport.hardware_profiles import load_chip


def test_every_pass_is_listed_with_one_line() -> None:
    result = spikeport("compile", "--passes")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert (
        [line.split()[0] for line in lines]
        == [*PASSES, "lower", "fold_leak", "balance_delays"]
        == list(describe_passes())
    )
    assert all(len(line.split()) > 3 for line in lines)


def test_dump_writes_the_network_after_each_pass(tmp_path: Path) -> None:
    leaky = graph()
    # in units of r dt / tau = 1
    leaky.nodes["lif"].v_leak[:] = 0.5
    nir.write(str(tmp_path / "model.nir"), leaky)
    result = spikeport("compile", "model.nir", "--chip", "loihi2", "--dump", "steps", "-o", "model.chip", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    names = sorted(path.name for path in (tmp_path / "steps").iterdir())
    kinds = [*[".nir"] * len(PASSES), *[".json"] * 3]
    assert names == [
        f"{i:02d}_{name}{kind}" for i, (name, kind) in enumerate(zip(describe_passes(), kinds, strict=True), 1)
    ]
    network = json.loads((tmp_path / "steps" / names[-1]).read_text())
    assert [c["delay"] for c in network["connections"]] == [1]
    assert network["populations"][0]["voltage_decay"] == [0.1, 0.1]
    lowered, folded = (json.loads((tmp_path / "steps" / name).read_text())["populations"][0] for name in names[-3:-1])
    assert (lowered["v_leak"], lowered["bias"]) == ([0.5, 0.5], [0, 0])
    assert (folded["v_leak"], folded["bias"]) == ([0, 0], [0.05, 0.05])


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(net=any_graphs())
def test_a_dumped_graph_is_read_back_and_does_the_same(
    net: nir.NIRGraph, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("steps")
    lower_graph(net, on_pass=dump_to(folder))
    inputs = spikes_for(net, 5, 1, 0, 0.4)
    wanted = simulate_nir(net, inputs)
    if wanted.nearest < 1e-6:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NirWarning)  # nir knows no groups and no dropped Flatten
        found = simulate_nir(read_nir(sorted(folder.glob("*.nir"))[-1]), inputs)
    for name, values in wanted.outputs.items():
        np.testing.assert_allclose(found.outputs[name].reshape(values.shape), values, atol=1e-9)


def test_the_choices_nir_leaves_open_reach_the_program(tmp_path: Path) -> None:
    nir.write(str(tmp_path / "model.nir"), graph(weight=0.3))
    np.save(tmp_path / "x.npy", (np.random.default_rng(0).random((200, 1, 6)) < 0.4).astype(np.uint8))
    done = []
    for choice in ([], ["--discretize", "exponential"], ["--reset", "subtract"]):
        arguments = ["simulate", "model.nir", "--chip", "loihi2", "--input", "x.npy", *choice, "-o", "out.npz"]
        result = spikeport(*arguments, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        done.append(int(np.load(tmp_path / "out.npz")["spikes"].sum()))
    assert len(set(done)) == 3, done
    spikeport("compile", "model.nir", "--chip", "loihi2", "-o", "model.chip", cwd=tmp_path)
    late = spikeport("check", "model.chip", "--chip", "loihi2", "--reset", "subtract", cwd=tmp_path)
    refused(late, "model.chip", "--reset", ".nir")


def test_a_delay_that_is_no_whole_number_of_steps_is_rounded_with_a_note() -> None:
    net = graph()
    net.nodes["late"] = nir.Delay(np.full(6, 2.4e-3))
    net.edges[:] = [("input", "late"), ("late", "fc"), *net.edges[1:]]
    with pytest.warns(NirWarning, match=r"Delay 'late' is not a whole number of steps of 0.001 s.*0.4 steps"):
        program = compile_graph(net, load_chip("loihi2"))
    assert program.connections[0].delay == 2
