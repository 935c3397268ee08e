"""`spikeport fit`: one network on every chip."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command import spikeport

import spikeport as sp
from spikeport.common.errors import InputError
from spikeport.exporter.nir_graph.nir_file import write_nir
from spikeport.run.chip_fits import all_chips
from tests.support.networks.xylo_graphs import chain, cuba, random_weights

CHIPS = ("loihi2", "xylo_audio2")


def network(inputs: int = 16) -> object:
    return chain([cuba(30, 4, 8), cuba(4, 4, 8)], random_weights([inputs, 30, 4], 0.4))


def spikes(inputs: int = 16, samples: int = 12) -> np.ndarray:
    return np.random.default_rng(0).binomial(1, 0.15, (60, samples, inputs)).astype(np.uint8)


def test_every_chip_has_a_row_and_the_one_that_does_not_fit_its_reason(tmp_path: Path) -> None:
    write_nir(network(17), tmp_path / "m.nir")  # type: ignore[arg-type]
    np.save(tmp_path / "x.npy", spikes(17))
    np.save(tmp_path / "y.npy", np.arange(12) % 4)
    run = spikeport("fit", "m.nir", "--data", "x.npy", "--labels", "y.npy", "--json", "f.json", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "pool or project the input to 16 channels" in run.stdout
    found = json.loads((tmp_path / "f.json").read_text())
    rows = {row["chip"]: row for row in found["chips"]}
    assert tuple(rows) == all_chips() and found["samples"] == 12
    assert not rows["xylo_audio2"]["fits"] and rows["xylo_audio2"]["energy_j"] is None
    loihi = rows["loihi2"]
    assert loihi["fits"] and loihi["agreement"] > 0.8 and 0 <= loihi["accuracy"] <= 1
    assert loihi["energy_j"]["low"] < loihi["energy_j"]["typical"] < loihi["energy_j"]["high"]


def test_answers_are_those_of_each_chip_s_own_run() -> None:
    graph, x = network(), spikes()
    labels = sp.compile(graph, chip="loihi2").simulate(x).winners  # type: ignore[arg-type]
    rows = {row.chip: row for row in sp.fit(graph, x, labels, chips=CHIPS).chips}  # type: ignore[arg-type]
    assert rows["loihi2"].accuracy == 1.0
    xylo = sp.compile(graph, chip="xylo_audio2")  # type: ignore[arg-type]
    run = xylo.simulate(x)
    late = xylo.program.pipeline_steps
    winners = run.spikes[late:].sum(axis=0).argmax(axis=1)
    assert rows["xylo_audio2"].accuracy == np.mean(winners == labels)
    assert rows["xylo_audio2"].energy_j == run.profile().energy_j


def test_a_network_that_fits_none_ends_with_one_and_wrong_calls_with_a_sentence(tmp_path: Path) -> None:
    write_nir(network(17), tmp_path / "m.nir")  # type: ignore[arg-type]
    np.save(tmp_path / "x.npy", spikes(17))
    run = spikeport("fit", "m.nir", "--data", "x.npy", "--chips", "xylo_audio2", cwd=tmp_path)
    assert run.returncode == 1 and "needs 17" in run.stdout
    with pytest.raises(InputError, match="must be 12 class numbers"):
        sp.fit(network(), spikes(), np.zeros(5, int), chips=CHIPS)  # type: ignore[arg-type]
    np.save(tmp_path / "y.npy", np.arange(12))
    run = spikeport("fit", "m.nir", "--data", "y.npy", "--chips", "loihi2", cwd=tmp_path)
    assert run.returncode == 2 and "y.npy: has shape (12,)" in run.stderr
    run = spikeport("fit", "m.nir", "--data", "x.npy", "--chips", ",", cwd=tmp_path)
    assert run.returncode == 2 and "names no chip" in run.stderr
    with pytest.raises(InputError, match=r"x\.npy"):
        sp.fit(tmp_path / "x.npy", spikes())


def test_every_broken_limit_is_named_and_a_chip_named_twice_has_one_row(tmp_path: Path) -> None:
    graph = chain([cuba(3, 4, 8), cuba(70, 4, 8), cuba(9, 4, 8)], random_weights([17, 3, 70, 9], 0.4))
    write_nir(graph, tmp_path / "m.nir")
    np.save(tmp_path / "x.npy", spikes(17))
    words = ("fit", "m.nir", "--data", "x.npy", "--chips", "xylo_audio2,xylo_audio2", "--json", "f.json")
    run = spikeport(*words, cwd=tmp_path)
    (row,) = json.loads((tmp_path / "f.json").read_text())["chips"]
    for sentence, limit in zip(row["reasons"], ("16 inputs", "8 output neurons", "'s fan-out"), strict=True):
        assert limit in sentence and limit in run.stdout
    assert row["reason"] == row["reasons"][0] and "more limit" not in run.stdout
    checked = spikeport("check", "m.nir", "--chip", "xylo_audio2", cwd=tmp_path)
    assert checked.returncode == 1 and checked.stdout.count("does not fit: ") == 3


def test_diff_compares_a_xylo_chip_s_spikes_layer_by_layer() -> None:
    difference = sp.compile(network(), chip="xylo_audio2", reset="subtract").diff(spikes())  # type: ignore[arg-type]
    assert difference.layers == ("n0", "n1")
    assert (difference.differing < 0.1).all() and (np.abs(difference.rate_error) < 0.1).all()
    assert difference.causes == {}
