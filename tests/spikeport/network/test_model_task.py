"""What a model is asked for: its own answer where it has one output, a task by name, and labels that fit it."""

from __future__ import annotations

import nir
import numpy as np
import pytest

import spikeport as sp
from spikeport.network.model_task import model_task
from spikeport.run.model_run import run_model


def network(neuron: str, outputs: int) -> sp.Network:
    """Five inputs and one layer."""
    each, weights = np.ones(outputs), np.random.default_rng(1).normal(0.2, 0.5, (outputs, 5))
    common = {"tau": 5e-3 * each, "r": 5 * each, "v_leak": 0 * each}
    node = nir.LI(**common) if neuron == "li" else nir.LIF(**common, v_threshold=each)
    nodes = {
        "input": nir.Input({"input": np.array([5])}),
        "fc": nir.Linear(weights),
        "last": node,
        "output": nir.Output({"output": np.array([outputs])}),
    }
    edges = [("input", "fc"), ("fc", "last"), ("last", "output")]
    return sp.compile(nir.NIRGraph(nodes, edges, metadata={"dt": 1e-3}), "loihi2", weight_bits=2)


def test_one_output_does_not_win_and_a_regression_has_its_error() -> None:
    x = (np.random.default_rng(0).random((20, 30, 5)) < 0.4).astype(np.uint8)
    spiking = network("lif", 1)
    difference = spiking.diff(x)
    assert difference.same_winner < 1
    assert difference.report.answer == "spike count"
    with pytest.raises(sp.InputError, match="one output, which wins for every sample"):
        run_model(spiking, x, np.zeros(30, np.int64), (), "x")
    values = network("li", 2)
    wanted = model_task("regression", values.program).answer(np.zeros((20, 30, 2))) + 1
    summary = run_model(values, x, wanted, (), "x", task_name="regression").summary
    assert summary.task is not None
    assert summary.task.metric.name == "rmse"
    assert summary.task.fixed == pytest.approx(summary.task.float, rel=0.3)
    assert summary.accuracy.fixed is None
    with pytest.raises(sp.InputError, match=r"task regression takes \(30, 2\)"):
        run_model(values, x, wanted[:, :1], (), "x", task_name="regression")
    with pytest.raises(sp.InputError, match="task regression reads voltages"):
        model_task("regression", spiking.program)


def test_labels_of_several_are_0_or_1() -> None:
    task = model_task("multi_label", network("lif", 3).program)
    assert task.check_labels(np.eye(3), 3, 3).shape == (3, 3)
    with pytest.raises(sp.InputError, match="0 or 1 for each output, not 2"):
        task.check_labels(2 * np.eye(3), 3, 3)
