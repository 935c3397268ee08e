"""A task's metric by name and in its direction: in gates, sweeps, tables and the comparison of two runs."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

import spikeport as sp
from spikeport.gates import Gates, MetricBound, metric_bound, of_summary
from spikeport.report.checks import checks
from spikeport.report.page import render
from spikeport.report.run_comparison import groups, sentence
from spikeport.report.terminal import print_summary
from spikeport.report.verdict import verdict
from spikeport.summary import Accuracies, FloatTwin, Metric, Summary, TaskScores
from spikeport.sweep.pareto import front, pareto_picture
from spikeport.sweep.scored import scored
from spikeport.trainer.tasks.metrics import ACCURACY, F1, R2, RMSE

METRIC = Metric(name="rmse", unit="targets", more_is_better=False)


def summary(fixed: float, **changes: Any) -> Summary:
    task = TaskScores(task="regression", loss="mse_membrane", metric=METRIC, fixed=fixed, float=0.1234, ann=0.08)
    values: dict[str, Any] = {
        "recipe": "r", "dataset": "d", "chip": "loihi2", "chip_title": "Chip", "test_samples": 9, "steps": 4,
        "chip_steps": 6, "accuracy": Accuracies(), "task": task, "agreement": 1.0,
        "float_twin": FloatTwin(trained=1.25, compiled=1.5),
    }  # fmt: skip
    return Summary(**{**values, **changes})


def test_an_error_above_its_bound_fails_and_a_score_below_its_bound_does() -> None:
    measured = of_summary(summary(0.13))
    assert Gates(metric=MetricBound("rmse", 0.13)).failures(measured) == []
    assert Gates(metric=MetricBound("rmse", 0.12)).failures(measured) == ["--metric: rmse is 0.13, more than 0.12"]
    with pytest.raises(sp.InputError, match="--metric: f1 was not measured here; the metric here is rmse"):
        Gates(metric=MetricBound("f1", 0.5)).failures(measured)
    right = of_summary(summary(0.5, task=None, accuracy=Accuracies(fixed=0.9)))
    assert Gates(metric=metric_bound("--metric", "accuracy=95%")).failures(right) == [
        "--metric: accuracy is 0.9, less than 0.95"
    ]
    with pytest.raises(sp.InputError, match="a share from 0 to 1; give a percentage as accuracy=30%"):
        metric_bound("--metric", "accuracy=30")
    for text in ("rmse", "=1", "rmse=x", "rmse=nan"):
        with pytest.raises(sp.InputError, match="give a metric and its worst value"):
            metric_bound("--metric", text)


def test_report_and_terminal_name_the_metric_and_show_no_percentage() -> None:
    page = render(summary(0.1289), None)
    assert ">RMSE</h2>" in page and "0.1289" in page and "less is better" in page and "95 % interval of" not in page
    # trained in floating point, rounded real numbers are rarely equal
    assert verdict(summary(0.1289, agreement=0.0)).agrees.startswith("rmse is 0.1234 in float and 0.1289 in chip integ")
    (agrees,) = (check for check in checks(summary(0.1289, agreement=0.0)) if check.name == "Agrees")
    assert (agrees.value.split()[-1], agrees.detail) == ("larger", "RMSE than in floating point")
    console = Console(record=True, width=140)
    print_summary(summary(0.1289), console)
    text = console.export_text()
    assert "rmse, SNN" in text and "0.1234 float, 0.1289 chip" in text and "accuracy" not in text


def test_two_runs_are_compared_in_the_direction_of_the_metric() -> None:
    first, second = summary(0.2), summary(0.1)
    assert "B reaches 0.1000 rmse on chip integers, A 0.2000, so B is better" in sentence(first, second)
    (row,) = [row for row in groups(first, second, ({}, {}))[1].rows if row.name == "RMSE, chip integers"]
    assert row.change.endswith("0.10") and "points" not in row.change
    other = summary(0.5, task=None, accuracy=Accuracies(fixed=0.9))
    assert "A is measured by rmse, B by accuracy, which cannot be compared" in sentence(first, other)


def test_the_front_of_a_sweep_follows_the_metric() -> None:
    costs = {"energy_low_j": 1e-6, "energy_high_j": 4e-6, "fits": True, "values": {"dv": 0.1}}

    def rows(metric: Any, *values: float) -> list[dict[str, Any]]:
        return [{**scored(metric, v), "energy_j": (n + 1) * 1e-6, **costs} for n, v in enumerate(values)]

    assert front(rows(RMSE, 0.3, 0.4, 0.2)) == [0, 2] and front(rows(R2, 0.3, 0.4, 0.2)) == [0, 1]
    assert front(rows(ACCURACY, 0.3, 0.4, 0.2)) == [0, 1]
    picture = pareto_picture("r", rows(RMSE, 0.3, 0.4, 0.2), [0, 2])
    assert "rmse against energy" in picture and "%" not in picture.split("</style>")[-1].replace("100%", "")
    with pytest.raises(sp.InputError, match="points have different metrics"):
        front([*rows(RMSE, 0.3), *rows(F1, 0.3)])
