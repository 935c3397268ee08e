"""Tuning for tasks by name, with bits chosen for each layer, and going on after an interruption."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from command import spikeport
from tuned_network import SAMPLES, data, network

import spikeport as sp
from spikeport.tuning.checkpoint import TuneCheckpoint
from spikeport.tuning.layer_bits import with_layer_bits


def with_voltages() -> nir.NIRGraph:
    """The network with leaky integrators at its end."""
    graph, few = network(), np.ones(4)
    graph.nodes["lif2"] = nir.LI(tau=5e-3 * few, r=5 * few, v_leak=0 * few)
    return graph


def bits_of(compiled: sp.Network) -> dict[str, int]:
    return {c.target: c.weight_bits for c in compiled.program.connections}


def test_a_regression_is_tuned_to_values_and_measured_by_its_error() -> None:
    x = data(120, 4)
    wanted = x[:, :, :4].mean(axis=0).astype(np.float64)
    settings = sp.TuneSettings(epochs=8, batch=16, learning_rate=0.02)
    result = sp.tune(with_voltages(), x, wanted, settings=settings, task="regression")
    assert result.metric == "rmse" and result.after.accuracy is None and result.float_accuracy is None
    assert result.before.score is not None and result.after.score is not None
    assert result.after.score < 0.8 * result.before.score
    # scores are the metric as it is, the best one is kept
    assert min(result.scores) < result.scores[0]
    with pytest.raises(sp.InputError, match=r"the task of these numbers"):
        sp.tune(with_voltages(), x, wanted[:, 0])
    with pytest.raises(sp.InputError, match=r"labels: .*task regression takes \(120, 4\)"):
        sp.tune(with_voltages(), x, wanted[:, :2], task="regression")


@pytest.mark.parametrize("task", ["first_spike", "multi_label"])
def test_spikes_are_tuned_to_other_tasks(task: str) -> None:
    x = data(120, 4)
    counts = x[:, :, :4].sum(axis=0)
    labels = counts.argmax(axis=1) if task == "first_spike" else (counts > 6).astype(np.int64)
    result = sp.tune(network(), x, labels, settings=sp.TuneSettings(epochs=8, batch=16, learning_rate=0.03), task=task)
    assert result.before.score is not None and result.after.score is not None
    assert result.after.score > result.before.score


def test_a_task_without_labels_is_refused() -> None:
    with pytest.raises(sp.InputError, match="task membrane says what labels are"):
        sp.tune(with_voltages(), data(), task="membrane")


def test_bits_of_a_layer_stay_when_it_is_tuned() -> None:
    graph = with_layer_bits(network(), {"lif1": 2})
    result = sp.tune(graph, data(), settings=sp.TuneSettings(epochs=1, batch=20))
    assert bits_of(result.network) == {"lif1": 2, "lif2": 8}
    assert np.abs(graph.nodes["fc1"].weight - network().nodes["fc1"].weight).max() == 0
    assert "weight_bits" not in network().nodes["lif1"].metadata


def test_bits_are_chosen_within_the_average_and_beat_the_same_for_all() -> None:
    settings = sp.TuneSettings(epochs=0, exponents=1, mean_bits=4.0)
    result = sp.tune(network(), data(), settings=settings)
    sizes = {"lif1": 24 * 12, "lif2": 4 * 24}
    assert sum(sizes[name] * bits for name, bits in result.bits.items()) <= 4.0 * sum(sizes.values())
    assert bits_of(result.network) == result.bits == result.to_dict()["weight_bits"]
    sparse = sp.TuneSettings(epochs=1, batch=60, exponents=1, mean_bits=4.0, sparsity=0.1, target_rate=0.1)
    assert sp.tune(network(), data(), settings=sparse).bits == result.bits
    with pytest.raises(sp.InputError, match=r"2 to 8 on average, not 1\.5"):
        sp.TuneSettings(mean_bits=1.5)
    with pytest.raises(sp.InputError, match="4 bits on average choose nothing, as a weight has at most 3"):
        sp.tune(network(), data(), options=sp.CompileOptions(weight_bits=3), settings=settings)


class StoppedError(Exception):
    """An interruption."""


@pytest.mark.parametrize("changes", [{}, {"pruned": 0.4}, {"sparsity": 1.0}])
def test_a_tuning_that_goes_on_ends_as_if_it_had_not_stopped(changes: dict[str, Any], tmp_path: Path) -> None:
    settings = sp.TuneSettings(epochs=4, batch=16, learning_rate=0.02, exponents=1, **changes)
    path = tmp_path / "state"

    def stop(done: int, total: int) -> None:
        if done > 0.6 * total:
            raise StoppedError

    with pytest.raises(StoppedError):
        sp.tune(network(), data(), settings=settings, progress=stop, checkpoint=TuneCheckpoint(path))
    with pytest.raises(sp.InputError, match="state of an interrupted tuning; --resume goes on with it"):
        sp.tune(network(), data(), settings=settings, checkpoint=TuneCheckpoint(path))
    whole = sp.tune(network(), data(), settings=settings)
    again = sp.tune(network(), data(), settings=settings, checkpoint=TuneCheckpoint(path, resume=True))
    assert again.scores == whole.scores
    for name in ("fc1", "fc2"):
        assert np.array_equal(again.graph.nodes[name].weight, whole.graph.nodes[name].weight)
    for other, words in ((data(SAMPLES, 1), "other data"), (data(), "other settings")):
        changed = settings if words == "other data" else sp.TuneSettings(epochs=5, batch=16)
        with pytest.raises(sp.InputError, match=words):
            sp.tune(network(), other, settings=changed, checkpoint=TuneCheckpoint(path, resume=True))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(sp.InputError, match="truncated or not a tuning file"):
        sp.tune(network(), data(), settings=settings, checkpoint=TuneCheckpoint(path, resume=True))


def test_the_command_takes_a_task_and_bits_and_refuses_to_resume_nothing(tmp_path: Path) -> None:
    nir.write(tmp_path / "model.nir", with_voltages())
    np.save(tmp_path / "x.npy", data(20))
    np.save(tmp_path / "y.npy", data(20)[:, :, :4].mean(axis=0))
    command = ("tune", "model.nir", "--data", "x.npy", "--labels", "y.npy", "--task", "regression", "--epochs", "1")
    command = (*command, "--mean-bits", "5", "-o", "tuned.nir", "--json")
    refused = spikeport(*command, "--resume", cwd=tmp_path)
    assert (refused.returncode, "there is no tuning to resume" in refused.stderr) == (2, True)
    done = spikeport(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["metric"] == "rmse" and figures["float_accuracy"] is None
    assert set(figures["weight_bits"]) == {"lif1", "lif2"}
    assert sorted(p.name for p in tmp_path.iterdir() if "tuned" in p.name) == ["tuned.nir"]
