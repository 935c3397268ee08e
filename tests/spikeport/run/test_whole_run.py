"""A whole run from a recipe: every file and field, interrupted and resumed, the same seed giving the same files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from command import refused, spikeport
from places import ROOT
from small_recipe import RECIPE

import spikeport as sp
from spikeport.exporter.neurons import GradedVec
from spikeport.exporter.program.chip_file import load_program
from spikeport.lava_runtime.lava_backend.child import lava_missing
from spikeport.run import stages
from spikeport.run.recipe import load_recipe
from spikeport.run.run_folder import RunFolder
from spikeport.summary import VERSION, Summary
from spikeport.sweep import Grid, run_sweep
from spikeport.trainer.methods.registry import load_trained
from spikeport.trainer.tensor_files.tensor_files import read_tensors


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / "small.toml").write_text(RECIPE)
    result = spikeport("run", folder / "small.toml", "--out", folder / "run")
    assert result.returncode == 0, result.stderr
    assert "estimate" in result.stdout
    return folder / "run"


def test_python_runs_a_recipe_and_opens_what_it_wrote(finished: Path, tmp_path: Path) -> None:
    recipe = finished.parent / "small.toml"
    with pytest.raises(sp.InputError, match="overwrite"):
        sp.run_recipe(recipe, finished)
    # what is trained is kept, everything behind it is done again
    shutil.copytree(finished, tmp_path / "again")
    (tmp_path / "again" / "summary.json").unlink()
    ran = sp.run_recipe(recipe, tmp_path / "again", resume=True)
    found, wanted = ran.parts(), json.loads((finished / "summary.json").read_text())
    assert found["accuracy"] == wanted["accuracy"] and found["per_inference"] == wanted["per_inference"]
    opened = sp.open_run(str(tmp_path / "again"))
    assert opened.parts() == found and found["chip_title"] in repr(opened)
    x = np.load(finished / "test_input.npy")
    with np.load(finished / "result.npz") as arrays:
        steps = len(arrays["spikes"])
        np.testing.assert_array_equal(opened.network.simulate(x, steps=steps).spikes, arrays["spikes"])
    page = opened.report()
    assert page.is_file() and "<html" in page.read_text(encoding="utf-8")


def test_a_test_set_whose_states_memory_does_not_hold_gives_the_same(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(shutil.copytree(finished, tmp_path / "copy"))
    recipe, program = load_recipe(folder.recipe), load_program(folder.chip)
    method, data = load_trained(folder.network), stages.dataset_of(recipe)
    monkeypatch.setattr(stages, "_LARGEST_RECORD", 0)
    monkeypatch.setattr(stages, "_PART", 7)
    x = stages.encode_test(folder, method, data)
    result = stages.simulate_test(program, x, "emulator", None, 60)
    assert not result.states
    with np.load(folder.result) as arrays:
        np.testing.assert_array_equal(result.output, arrays["spikes"])
        for name, counts in result.neuron_counts.items():
            np.testing.assert_array_equal(counts, arrays[f"neuron_counts/{name}"])
    assert stages.equal_spikes(method, data, program, result) == 1.0
    stages.write_raster(folder, program, x, result, data)
    with np.load(folder.raster) as found, np.load(RunFolder(finished).raster) as wanted:
        assert sorted(found) == sorted(wanted)
        for name in wanted:
            np.testing.assert_array_equal(found[name], wanted[name])


def test_a_float_twin_is_float(tmp_path: Path) -> None:
    text = RECIPE.replace("epochs = 12", "epochs = 3").replace(
        'backends = ["lava"]', "backends = []\nfloat_twin = true"
    )
    (tmp_path / "small.toml").write_text(text)
    summary = sp.run_recipe(tmp_path / "small.toml", tmp_path / "run").summary
    assert summary.float_twin is not None and summary.float_twin.trained > 0.2
    assert "Trained in float" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    # the recipe without chip_aware is that network
    (tmp_path / "float.toml").write_text(text.replace("[network]", "[network]\nchip_aware = 0"))
    alone = sp.run_recipe(tmp_path / "float.toml", tmp_path / "float").summary
    assert alone.float_twin is None, "a network trained in float is its own twin"
    assert alone.accuracy.float == summary.float_twin.trained
    folders = (tmp_path / "run" / "float_twin", tmp_path / "float")
    ours, theirs = (read_tensors(folder / "network.safetensors", "network")["state"] for folder in folders)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


SUMMED = """
name = "summed"
dataset = "digits_image"
dt = 1e-4
devices = ["server_cpu"]
backends = []
sums = "graded"
optimise = "time"
[network]
layers = [{ kind = "conv", size = 4 }, { kind = "sew", size = 4 }]
neuron = "lif"
batch_norm = true
chip_aware = 4
output_pool = 2
[training]
method = "sew_resnet"
epochs = 1
steps = 4
encoding = "integrate"
"""


@pytest.fixture(scope="module")
def summed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 4-bit weights and graded sums."""
    folder = tmp_path_factory.mktemp("summed")
    (folder / "summed.toml").write_text(SUMMED)
    sp.run_recipe(folder / "summed.toml", folder / "run")
    return folder / "run"


@pytest.mark.parametrize("old", [False, True])
def test_a_finished_run_has_the_network_it_was_compiled_to(summed: Path, tmp_path: Path, old: bool) -> None:
    folder = shutil.copytree(summed, tmp_path / "copy")
    summary = json.loads((folder / "summary.json").read_text())
    if old:
        (folder / "summary.json").write_text(json.dumps({k: summary[k] for k in {*summary} - {"version", "compiled"}}))
    network = sp.open_run(folder).network
    network.save(tmp_path / "again.chip")
    assert (tmp_path / "again.chip").read_bytes() == (folder / "model.chip").read_bytes()
    # a relay reads by weights of 1, which 4 bits do not hold
    relays = {p.name for p in network.program.populations if isinstance(p, GradedVec)}
    assert relays and {c.weight_bits for c in network.program.connections if c.target not in relays} == {4}
    x = np.load(folder / "test_input.npy")
    with np.load(folder / "result.npz") as arrays:
        np.testing.assert_array_equal(network.simulate(x).spikes, arrays["spikes"])
    # float is lowered with the same sums, else the two would not have the same layers at the same steps
    assert network.diff(x[:, :200]).parts() == summary["difference"]


def test_a_sweep_compiles_as_the_run_does(summed: Path, tmp_path: Path) -> None:
    found = run_sweep(summed.parent / "summed.toml", Grid.parse(["chip=loihi2"]), tmp_path / "sweep").rows[0]
    summary = sp.open_run(summed).summary
    assert summary.per_inference is not None and summary.mapping is not None
    assert (found["spikes"], found["synops"]) == (summary.per_inference.spikes, summary.per_inference.synops)
    assert (found["cores"], found["accuracy"]) == (summary.mapping.cores, summary.accuracy.fixed)
    # both on the mapping that the recipe asks for
    assert summary.mapping.cores > sp.open_run(summed).network.check().mapping.cores


def test_a_run_s_summary_is_of_the_schema(summed: Path, finished: Path) -> None:
    for folder in (summed, finished):
        values = json.loads((folder / "summary.json").read_text())
        assert values["version"] == VERSION
        assert Summary.model_validate(values, strict=False).to_dict() == values
    assert values["compiled"] == {"profile": "loihi2", "weight_bits": 8, "precision": "normal", "sums": "synapses"}


def test_python_opens_no_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(sp.InputError, match=r"summary\.json"):
        sp.open_run(tmp_path)


def test_the_summary_has_every_field_of_the_contract(finished: Path) -> None:
    found = json.loads((finished / "summary.json").read_text())
    assert {"dataset", "chip", "agreement", "layers", "seconds"} <= set(found)
    assert set(found["cpu_seconds"]) == set(found["seconds"])
    assert set(found["accuracy"]) == {"ann", "ann_int8", "float", "fixed"}
    wanted = {"spikes", "synops", "neuron_updates", "energy_j", "energy_low_j", "energy_high_j", "latency_s"}
    assert wanted <= set(found["per_inference"])
    assert all(
        {"spikes", "synops", "energy_low_j", "energy_j", "energy_high_j"} <= set(layer) for layer in found["layers"]
    )
    assert found["mapping"]["cores"] >= 1
    cores = found["core_map"]["cores"]
    assert len(cores) == found["mapping"]["cores"]
    assert sum(neurons for core in cores for neurons in core["layers"].values()) == 24 + 10
    assert max(max(core["fill"].values()) for core in cores) == pytest.approx(
        max(layer["fill"] for layer in found["mapping"]["layers"]), rel=1e-3
    )
    steps = found["core_map"]["step_s"]["typical"]
    assert sum(steps) == pytest.approx(found["per_inference"]["latency_s"], rel=1e-3)
    assert all(busy <= step for row in found["core_map"]["busy_s"] for busy, step in zip(row, steps, strict=True))
    assert {"macs", "energy_j", "latency_s", "int8"} <= set(found["ann"]["jetson_tx1"])
    assert found["lava_equals_emulator"] is (None if lava_missing() else True)
    assert found["stock_equals_emulator"] is None  # the recipe leaves it out


def test_trainer_and_chip_agree_to_the_spike(finished: Path) -> None:
    found = json.loads((finished / "summary.json").read_text())
    assert found["agreement"] == found["equal_spikes"] == 1
    assert found["accuracy"]["fixed"] == found["accuracy"]["float"]
    assert found["accuracy"]["float"] > 0.8


def test_every_file_is_there_and_none_is_half_written(finished: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    wanted = {"model.nir", "model.chip", "summary.json", "report.html", "recipe.toml", "ann.onnx"}
    wanted |= {"network.safetensors", "ann.safetensors"}
    assert wanted <= names
    assert not [name for name in names if name.startswith(".")]


def test_compare_reads_a_finished_run(finished: Path) -> None:
    result = spikeport("compare", finished, "--devices", "desktop_gpu")
    assert result.returncode == 0 and "int8" in result.stdout, result.stderr
    refused(spikeport("compare", finished, "--devices", "desktop_gpv"), "desktop_gpv", "desktop_gpu")
    refused(spikeport("compare", finished.parent), "summary.json")


def test_export_writes_what_run_wrote(finished: Path, tmp_path: Path) -> None:
    assert spikeport("export", finished, "-o", tmp_path / "again.nir").returncode == 0
    assert (
        spikeport("compile", tmp_path / "again.nir", "--chip", "loihi2", "-o", tmp_path / "again.chip").returncode == 0
    )
    assert (tmp_path / "again.chip").read_bytes() == (finished / "model.chip").read_bytes()
    assert spikeport("export", finished, "-o", tmp_path / "ann.onnx").returncode == 0


def test_a_default_folder_is_numbered_not_overwritten(finished: Path, tmp_path: Path) -> None:
    from spikeport.run.claim import new_folder

    os.chdir(tmp_path)
    try:
        first = new_folder(None, "small", overwrite=False)
        first.path.mkdir(parents=True)
        assert first.path == Path("runs/small") == new_folder(None, "small", overwrite=False).path
        first.write_summary({})
        assert new_folder(None, "small", overwrite=False).path == Path("runs/small-2")
        assert new_folder(None, "small", overwrite=True).path == Path("runs/small")
    finally:
        os.chdir(ROOT)


def test_an_interrupted_training_resumes_to_the_same_weights(finished: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text(RECIPE)
    checkpoint = tmp_path / "half" / "checkpoint.safetensors"
    command = [sys.executable, "-m", "spikeport.commands.cli", "train", str(recipe), "--out", str(tmp_path / "half")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 300
    while time.monotonic() < end and running.poll() is None:
        # held while it is looked at, so that training does not come to its end meanwhile
        running.send_signal(signal.SIGSTOP)
        begun = _epochs(checkpoint) > 0
        if begun:
            running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGCONT)
        if begun:
            break
        time.sleep(0.02)
    _, errors = running.communicate(timeout=300)
    assert running.returncode == 130 and b"--resume" in errors and b"Traceback" not in errors
    assert 0 < _epochs(checkpoint) < 12
    assert not (tmp_path / "half" / "network.safetensors").exists()
    result = spikeport("train", recipe, "--out", tmp_path / "half", "--resume")
    assert result.returncode == 0, result.stderr
    resumed = read_tensors(tmp_path / "half" / "network.safetensors", "network")["state"]
    whole = read_tensors(finished / "network.safetensors", "network")["state"]
    assert resumed.keys() == whole.keys()
    for name, values in whole.items():
        assert torch.equal(resumed[name], values), name


def _epochs(checkpoint: Path) -> int:
    return len(read_tensors(checkpoint, "checkpoint")["losses"]) if checkpoint.exists() else 0
