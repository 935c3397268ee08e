"""Gates: bounds on energy, latency, accuracy and agreement end a command with 1 where one is not kept."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest
from command import graph, refused, spikeport
from programs import spikes
from rich.console import Console

import spikeport as sp
from spikeport.gates import Gates, Measured, kept, quantity, share

MEASURED = Measured(energy=13.9e-6, latency=1e-3, accuracy=0.97, agreement=1.0)


def test_a_bound_that_is_kept_says_nothing() -> None:
    assert Gates().failures(MEASURED) == []
    assert Gates(max_energy=13.9e-6, max_latency=1e-3, min_accuracy=0.97, min_agreement=1.0).failures(MEASURED) == []


def test_each_bound_that_is_not_kept_is_named_with_both_figures() -> None:
    failures = Gates(max_energy=10e-6, max_latency=1e-4, min_accuracy=0.98, min_agreement=1.0).failures(MEASURED)
    assert [sentence.split(":")[0] for sentence in failures] == ["--max-energy", "--max-latency", "--min-accuracy"]
    assert "13.9" in failures[0] and "10" in failures[0] and "0.97, less than 0.98" in failures[2]


def test_a_bound_on_what_was_not_measured_is_refused() -> None:
    with pytest.raises(sp.InputError, match="--min-accuracy: accuracy was not measured"):
        Gates(min_accuracy=0.9).failures(Measured(energy=1.0))
    regression = Measured(score=0.1, metric="rmse", more_is_better=False)
    with pytest.raises(sp.InputError, match="the metric here is rmse: give --metric rmse=BOUND"):
        Gates(min_accuracy=0.9).failures(regression)


@pytest.mark.parametrize(
    ("text", "value"), [("20uJ", 20e-6), ("0.02 mJ", 20e-6), ("2e-5", 20e-6), ("20µJ", 20e-6), ("1J", 1.0)]
)
def test_quantities_have_prefixes(text: str, value: float) -> None:
    assert quantity("--max-energy", text, "J") == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "20kJ", "20us", "m", "20m", "1.2.3J", "-1J", "nan", "20 u J"])
def test_other_quantities_are_refused(text: str) -> None:
    with pytest.raises(sp.InputError, match="--max-energy"):
        quantity("--max-energy", text, "J")


def test_shares_are_fractions_or_percentages() -> None:
    assert share("--min-accuracy", "97%") == share("--min-accuracy", "0.97") == 0.97
    for text in ("1.2", "-1", "x", "120%", "nan"):
        with pytest.raises(sp.InputError, match="--min-accuracy"):
            share("--min-accuracy", text)


def test_profile_and_diff_end_with_the_answer(tmp_path: Path) -> None:
    rough = graph()
    fc = next(node for node in rough.nodes.values() if hasattr(node, "weight"))
    fc.weight = np.random.default_rng(0).normal(size=fc.weight.shape).astype(np.float32)
    nir.write(str(tmp_path / "m.nir"), rough)
    np.save(tmp_path / "x.npy", spikes((10, 3, 6), 0.4, 1))
    files = ("m.nir", "--chip", "loihi2", "--input", "x.npy")
    assert spikeport("profile", *files, "--max-energy", "1J", cwd=tmp_path).returncode == 0
    exceeded = spikeport("profile", *files, "--max-energy", "1pJ", "--max-latency", "1ps", cwd=tmp_path)
    assert exceeded.returncode == 1
    assert "--max-energy: energy is" in exceeded.stdout and "--max-latency: latency is" in exceeded.stdout
    coarse = ("diff", *files, "--weight-bits", "2")
    codes = [spikeport(*coarse, *more, cwd=tmp_path).returncode for more in ((), ("--tolerance", "100%"))]
    assert codes == [1, 0]
    refused(spikeport(*coarse, "--tolerance", "2", cwd=tmp_path), "--tolerance '2'")


def test_a_bound_that_is_not_kept_names_the_chip_where_there_are_several() -> None:
    console = Console(record=True, width=100)
    assert not kept(Gates(max_energy=1e-9), MEASURED, console, "Intel Loihi 2")
    assert "Intel Loihi 2: --max-energy: energy is" in console.export_text()
