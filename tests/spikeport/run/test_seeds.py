"""Several seeds in one run: the first is the run itself, the others are trained on its split; mean and spread."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from small_recipe import RECIPE

import spikeport as sp
from spikeport.report.scores import seed_rows
from spikeport.report.terminal import print_summary
from spikeport.run.recipe import load_recipe
from spikeport.run.stages import dataset_of
from spikeport.summary import Accuracies, SeedRun, Seeds, Summary
from spikeport.trainer.methods.bptt import Bptt

RUNS = (
    SeedRun(seed=3, float=0.9, fixed=0.91, spikes=100, energy_j=1e-6),
    SeedRun(seed=4, float=0.92, fixed=0.95, spikes=120, energy_j=3e-6),
)


def test_mean_and_standard_deviation_reach_summary_page_and_terminal() -> None:
    seeds = Seeds.of(RUNS)
    assert (seeds.fixed.mean, seeds.fixed.std) == pytest.approx((0.93, np.std([0.91, 0.95], ddof=1)))
    summary = Summary(
        recipe="r", dataset="d", chip="loihi2", chip_title="Chip", test_samples=9, steps=4, chip_steps=6,
        accuracy=Accuracies(fixed=0.91, float=0.9), seeds=seeds,
    )  # fmt: skip
    assert Summary.model_validate(summary.to_dict()) == summary
    *_, last = seed_rows(summary)
    assert last[0].startswith("mean") and "93.0" in last[1] and "2.8 points" in last[1] and "2.00" in last[4]
    console = Console(record=True, width=120)
    print_summary(summary, console)
    assert "accuracy, 2 seeds (3–4)" in console.export_text()


def test_a_last_seed_beyond_the_largest_is_refused(tmp_path: Path) -> None:
    for key, message in (
        ("seeds = 2\n[network]", "key 'seeds': the last seed must be at most 4294967295"),
        ("seeds = 0\n[network]", "key 'seeds'"),
    ):
        text = RECIPE.replace("[network]", key).replace("epochs = 12", "epochs = 1\nseed = 4294967295")
        (tmp_path / "r.toml").write_text(text)
        with pytest.raises(sp.InputError, match=message):
            load_recipe(tmp_path / "r.toml")


@pytest.mark.slow
def test_a_run_of_two_seeds_holds_both_on_one_split(tmp_path: Path) -> None:
    text = RECIPE.replace("epochs = 12", "epochs = 2\nseed = 5").replace(
        'backends = ["lava"]', "backends = []\nseeds = 2"
    )
    (tmp_path / "r.toml").write_text(text)
    summary = sp.run_recipe(tmp_path / "r.toml", tmp_path / "run").summary
    assert summary.seeds is not None
    first, second = summary.seeds.runs
    assert (first.seed, first.fixed) == (5, summary.accuracy.fixed) and second.seed == 6
    recipe = load_recipe(tmp_path / "r.toml")
    data = dataset_of(recipe)
    alone = Bptt(recipe.network, replace(recipe.training, seed=6), recipe.dt).fit(data, progress=False)
    assert second.float == np.mean(alone.predict(data.x_test) == data.y_test)
    assert (tmp_path / "run" / "seeds" / "6" / "network.safetensors").is_file()
    assert "2 seeds" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
