"""Fine-tuning: what it mends, that it repeats, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from command import spikeport
from tuned_network import SAMPLES, STEPS, data, network

import spikeport as sp
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.trainable.module import module_of
from spikeport.hardware_profiles.loader import load_chip
from spikeport.tuning.fine_tune import Task, score
from spikeport.tuning.targets import Teacher, teach, teacher_loss, voltage_loss


def tuned(**changes: Any) -> sp.Tuned:
    """The network at 3 bits after its float network."""
    settings = sp.TuneSettings(epochs=10, batch=16, learning_rate=0.01)
    return sp.tune(
        network(), data(), test=data(200, 1), options=sp.CompileOptions(weight_bits=3), settings=settings, **changes
    )


def test_the_chip_comes_nearer_to_the_float_network_and_a_seed_repeats() -> None:
    first, second = tuned(), tuned()
    assert first.after.same_winner > first.before.same_winner
    assert first.after != first.before
    assert first.after == second.after
    assert np.array_equal(first.graph.nodes["fc1"].weight, second.graph.nodes["fc1"].weight)
    # what it reports is what its graph does
    x = data(200, 1)
    again = sp.compile(first.graph, "loihi2", weight_bits=3).simulate(x)
    assert np.array_equal(again.winners, first.network.simulate(x).winners)


def test_with_labels_it_learns_another_task() -> None:
    x = data(120, 4)
    labels = x[:, :, :4].sum(axis=0).argmax(axis=1)
    settings = sp.TuneSettings(epochs=12, batch=16, learning_rate=0.03)
    result = sp.tune(network(), x, labels, settings=settings)
    assert result.before.accuracy is not None
    assert result.after.accuracy is not None
    assert result.after.accuracy > result.before.accuracy + 0.1


def test_voltages_are_compared_whatever_the_chips_unit() -> None:
    graph, few = network(), np.ones(4)
    graph.nodes["lif2"] = nir.LI(tau=5e-3 * few, r=5 * few, v_leak=0 * few)
    x = data()
    module = module_of(graph, load_chip("loihi2"))
    teacher = teach(lower_graph(graph, sp.CompileOptions()), {"input": x}, "lif2")
    for labels, most in ((None, 0.1), (teacher.winners, 1.0)):
        task = Task({"input": x}, "lif2", teacher, labels)
        assert -score(module, task, np.arange(SAMPLES), sp.TuneSettings())[1] < most


def test_sparsity_lowers_spikes_and_pruning_leaves_zeros() -> None:
    settings = sp.TuneSettings(epochs=6, batch=12, learning_rate=0.05, exponents=1, sparsity=30.0, pruned=0.5)
    result = sp.tune(network(), data(), settings=settings)
    assert result.after.spikes < 0.7 * result.before.spikes
    weights = [result.graph.nodes[name].weight for name in ("fc1", "fc2")]
    assert all(0.5 <= np.mean(w == 0) < 0.9 for w in weights)


def test_labels_and_the_float_network_are_learned_together() -> None:
    x, chosen = data(), np.arange(SAMPLES)
    module = module_of(network(), load_chip("loihi2"), sp.CompileOptions(weight_bits=3))
    teacher = teach(lower_graph(network(), sp.CompileOptions()), {"input": x}, "lif2")
    labelled, alone = (Task({"input": x}, "lif2", teacher, y) for y in (teacher.winners, None))
    loss, own = (score(module, task, chosen, sp.TuneSettings())[1] for task in (labelled, alone))
    both = score(module, labelled, chosen, sp.TuneSettings(teacher=2.0))[1]
    assert both == pytest.approx(loss + 2 * own, rel=1e-5)
    assert own < 0


def test_the_command_writes_a_network_and_its_figures(tmp_path: Path) -> None:
    nir.write(tmp_path / "model.nir", network())
    np.save(tmp_path / "x.npy", data(12))
    command = ("tune", "model.nir", "--data", "x.npy", "--weight-bits", "4", "--epochs", "1")
    command = (*command, "-o", "tuned.nir", "--json")
    result = spikeport(*command, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    assert 0 <= figures["before"]["same_winner"] <= 1
    assert figures["after"]["energy_j"] > 0
    compiled = spikeport("compile", "tuned.nir", "--chip", "loihi2", "--weight-bits", "4", "-o", "t.chip", cwd=tmp_path)
    assert compiled.returncode == 0, compiled.stderr
    refused = spikeport("tune", "model.nir", "--data", "x.npy", "-o", "tuned.chip", cwd=tmp_path)
    assert refused.returncode == 2
    assert "ends in .nir" in refused.stderr


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros(3, np.int64), "hold 60 samples"),
        (np.full(SAMPLES, 7), "the outputs 0 to 3"),
        (np.zeros(SAMPLES), "whole numbers"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: np.ndarray, words: str) -> None:
    with pytest.raises(sp.InputError, match=words):
        sp.tune(network(), data(), labels)


def test_one_sample_is_too_few() -> None:
    with pytest.raises(sp.InputError, match="at least two samples"):
        sp.tune(network(), data(1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": -1}, "seed is a whole number from 0 to 4294967295, not -1"),
        ({"seed": 10**20}, "seed is a whole number"),
        ({"epochs": 10**12}, "epochs and batch are at most"),
        ({"target_rate": 0.1}, "target rate 0.1 has no effect without sparsity"),
        ({"sparsity": 0.1, "epochs": 0}, "at least one epoch"),
    ],
)
def test_settings_without_effect_or_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(sp.InputError, match=message):
        sp.TuneSettings(**settings)


def test_a_teacher_without_labels_and_labels_without_samples_are_refused() -> None:
    with pytest.raises(sp.InputError, match="weight of the teacher has no effect without labels"):
        sp.tune(network(), data(), settings=sp.TuneSettings(teacher=2.0))
    with pytest.raises(sp.InputError, match="but no test part"):
        sp.tune(network(), data(), test_labels=np.zeros(SAMPLES, np.int64))


def test_losses_of_one_output_are_finite() -> None:
    x, one = (np.random.default_rng(0).random((STEPS, 3, 1)) < 0.5).astype(np.uint8), np.ones(1)
    graph = nir.NIRGraph(
        nodes={
            "input": nir.Input(input_type={"input": np.array([1])}),
            "fc": nir.Linear(weight=12 * np.ones((1, 1))),
            "lif": nir.LIF(tau=1e-2 * one, r=one, v_leak=0 * one, v_threshold=one),
            "output": nir.Output(output_type={"output": np.array([1])}),
        },
        edges=[("input", "fc"), ("fc", "lif"), ("lif", "output")],
        metadata={"dt": 1e-3},
    )
    module = module_of(graph, load_chip("loihi2"))
    teacher: Teacher = teach(lower_graph(graph, sp.CompileOptions()), {"input": x}, "lif")
    sent = module.run({"input": torch.from_numpy(x).float()})
    assert torch.isfinite(teacher_loss(module, sent, teacher, np.arange(3), "lif"))
    assert torch.isfinite(voltage_loss(torch.ones(1, 1), torch.zeros(1, dtype=torch.int64)))


def test_a_single_output_is_compared_by_its_spikes() -> None:
    graph = network()
    one, rng = np.ones(1), np.random.default_rng(5)
    graph.nodes["fc2"] = nir.Affine(weight=rng.normal(0.1, 0.3, (1, 24)), bias=0 * one)
    graph.nodes["lif2"] = nir.LIF(tau=5e-3 * one, r=5 * one, v_leak=0 * one, v_threshold=one)
    graph.nodes["output"] = nir.Output(output_type={"output": np.array([1])})
    settings = sp.TuneSettings(epochs=0, exponents=1)
    result = sp.tune(graph, data(), test=data(100, 1), options=sp.CompileOptions(weight_bits=2), settings=settings)
    assert result.before.same_winner < 0.9
