"""The command line: what its commands write, and one sentence for each kind of bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
from command import graph, refused, spikeport
from places import ROOT
from programs import dense, spikes

from spikeport.common.accelerator import gpu_missing
from spikeport.exporter.program.chip_file import save_program
from spikeport.trainer.tensor_files.tensor_files import read_tensors


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with model.nir, model.chip and x.npy."""
    nir.write(str(tmp_path / "model.nir"), graph())
    save_program(dense((6, 8, 4), 1), tmp_path / "model.chip")
    np.save(tmp_path / "x.npy", spikes((10, 3, 6), 0.4, 1))
    return tmp_path


def test_a_network_for_lava_dl(work: Path) -> None:
    assert spikeport("export", work / "model.nir", "-o", work / "m.net").returncode == 0
    for model, out in (("m.net", "net.npz"), ("model.nir", "nir.npz")):
        run = ("simulate", model, "--input", "x.npy", "--chip", "loihi2", "-o", out)
        assert spikeport(*run, cwd=work).returncode == 0
    with np.load(work / "net.npz") as ours, np.load(work / "nir.npz") as theirs:
        # all weights alike: 8 bits without exponent say them as well
        np.testing.assert_array_equal(ours["spikes"], theirs["spikes"])
    refused(spikeport("export", work / "model.chip", "-o", work / "m2.net"), "model.chip", "export the .nir file")
    refused(spikeport("export", work / "model.nir", "-o", work / "m.onnx"), "only be exported as .net")
    refused(
        spikeport("export", work, "--chip", "loihi2", "-o", work / "m.nir"), "only .net and .json files take --chip"
    )
    refused(spikeport("export", work / "x.npy", "-o", work / "m.net"), "x.npy", "a .chip or a .nir file")


def test_the_way_from_nir_to_profile(work: Path) -> None:
    made = work / "made.chip"
    result = spikeport("compile", work / "model.nir", "--chip", "loihi2", "-o", made)
    assert result.returncode == 0 and made.is_file(), result.stderr
    assert spikeport("check", made, "--chip", "loihi2").returncode == 0
    result = spikeport("simulate", made, "--input", work / "x.npy", "--record", "all", "-o", work / "out.npz")
    assert result.returncode == 0, result.stderr
    with np.load(work / "out.npz") as arrays:
        # 10 steps of input, and one for the connection
        assert arrays["spikes"].shape == (11, 3, 4)
        assert arrays["counts/lif"].shape == (3,) and arrays["counts/input"].shape == (3,)
        assert {"s/lif", "u/lif", "v/lif"} <= set(arrays.files)
    figures = work / "profile.json"
    asked = ("profile", made, "--input", work / "x.npy", "--chip", "loihi2", "--json", figures, "--costs")
    result = spikeport(*asked, "speck,odin")
    assert result.returncode == 0, result.stderr
    assert "SynSense Speck" in result.stdout and "ODIN" in result.stdout
    refused(spikeport(*asked, "server_cpu"), "server_cpu", "a device for the ANN", "speck")
    found = json.loads(figures.read_text())
    assert {"per_inference", "layers", "mapping", "workload"} <= set(found)
    assert found["per_inference"]["energy_low_j"] < found["per_inference"]["energy_j"]


@pytest.mark.lava
def test_all_backends_write_the_same_arrays(work: Path) -> None:
    found = {}
    for backend in ("lava", "stock", "emulator"):
        out = work / f"{backend}.npz"
        result = spikeport("simulate", work / "model.chip", "--input", work / "x.npy", "--backend", backend,
                           "--record", "all", "--steps", 14, "-o", out)  # fmt: skip
        assert result.returncode == 0, result.stderr
        with np.load(out) as arrays:
            found[backend] = {name: arrays[name] for name in arrays.files}
    for other in ("lava", "stock"):
        assert found[other].keys() == found["emulator"].keys()
        for name, values in found[other].items():
            np.testing.assert_array_equal(values, found["emulator"][name], err_msg=name)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((10, 3, 7)), ("shape (10, 3, 7)", "(time, batch, 6)")),
        (np.full((10, 3, 6), 0.5), ("0.5", "not an integer")),
        (np.full((10, 3, 6), np.nan), ("NaN",)),
        (np.zeros((10, 0, 6)), ("no samples",)),
        (np.zeros((10, 3, 6), complex), ("complex128",)),
    ],
)
def test_bad_input_arrays_are_refused(work: Path, x: np.ndarray, words: tuple[str, ...]) -> None:
    np.save(work / "bad.npy", x)
    result = spikeport("simulate", work / "model.chip", "--input", work / "bad.npy", "-o", work / "out.npz")
    refused(result, "bad.npy", *words)
    assert not (work / "out.npz").exists()


def test_payloads_on_a_chip_without_graded_spikes_are_refused(work: Path) -> None:
    np.save(work / "bad.npy", np.full((10, 3, 6), 3))
    result = spikeport("simulate", work / "model.nir", "--chip", "loihi1", "--input", work / "bad.npy", "-o",
                       work / "out.npz")  # fmt: skip
    refused(result, "payloads", "loihi1")


@pytest.mark.parametrize("name", ["model.nir", "model.chip", "x.npy"])
def test_truncated_files_are_refused(work: Path, name: str) -> None:
    content = (work / name).read_bytes()
    (work / name).write_bytes(content[: len(content) // 2])
    model = "model.chip" if name == "x.npy" else name
    result = spikeport("simulate", work / model, "--chip", "loihi2", "--input", work / "x.npy", "-o", work / "out.npz")
    refused(result, name)
    assert not (work / "out.npz").exists()


def test_nan_weights_are_refused(work: Path) -> None:
    nir.write(str(work / "model.nir"), graph(np.nan))
    refused(
        spikeport("compile", work / "model.nir", "--chip", "loihi2", "-o", work / "no.chip"), "'fc'", "weight", "nan"
    )
    assert not (work / "no.chip").exists()


def test_an_edge_to_a_missing_node_is_refused(work: Path) -> None:
    with h5py.File(work / "model.nir", "a") as file:
        edges = file["node/edges"][()]
        edges[1] = [b"fc", b"lif2"]
        del file["node/edges"]
        file["node/edges"] = edges
    refused(spikeport("check", work / "model.nir", "--chip", "loihi2"), "'lif2'", "did you mean 'lif'")


def test_a_cycle_without_a_neuron_is_refused(work: Path) -> None:
    whole = graph()
    nodes = {**whole.nodes, "a": nir.Linear(weight=np.eye(6)), "b": nir.Linear(weight=np.eye(6))}
    edges = [*whole.edges, ("a", "b"), ("b", "a"), ("b", "fc")]
    nir.write(str(work / "model.nir"), nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt": 1e-3}, type_check=False))
    refused(spikeport("check", work / "model.nir", "--chip", "loihi2"), "cycle", "a -> b")


def test_an_unknown_chip_is_refused_with_the_nearest(work: Path) -> None:
    refused(spikeport("check", work / "model.nir", "--chip", "loihi3"), "loihi3", "loihi2")


def test_a_network_that_does_not_fit_exits_1(work: Path) -> None:
    save_program(dense((4000, 600, 4), 1), work / "big.chip")
    text = (ROOT / "hardware_profiles" / "data" / "loihi2.toml").read_text()
    before, _, after = text.partition("[limits.cores_per_chip]\nvalue = 128\nlow = 120\nhigh = 128")
    assert after, "the profile's text changed; adapt this test"
    (work / "tiny.toml").write_text(f"{before}[limits.cores_per_chip]\nvalue = 2\nlow = 2\nhigh = 2{after}")
    result = spikeport("check", work / "big.chip", "--chip", work / "tiny.toml")
    assert result.returncode == 1 and "does not fit" in result.stdout and "cores" in result.stdout


def test_a_mapping_is_written_changed_by_hand_and_checked(work: Path) -> None:
    save_program(dense((20, 30, 4), 1), work / "two.chip")
    written = spikeport("check", work / "two.chip", "--chip", "loihi2", "--dump-map", work / "map.toml")
    assert written.returncode == 0 and "fits: 2 of 128 cores" in written.stdout, written.stderr
    text = (work / "map.toml").read_text()
    (work / "map.toml").write_text(text.replace("[0, 29, ", "[0, 9, 7],\n  [10, 29, "))
    changed = spikeport("check", work / "two.chip", "--chip", "loihi2", "--map", work / "map.toml")
    assert changed.returncode == 0 and "fits: 3 of 128 cores" in changed.stdout, changed.stderr
    np.save(work / "twenty.npy", spikes((5, 1, 20), 0.4, 1))
    command = ("profile", work / "two.chip", "--chip", "loihi2", "--input", work / "twenty.npy", "--json", "-")
    cores = [
        json.loads(spikeport(*command, *hand).stdout)["mapping"]["cores"] for hand in ((), ("--map", work / "map.toml"))
    ]
    assert cores == [2, 3]
    (work / "map.toml").write_text(text.replace("[0, 29, ", "[0, 28, "))
    refused(
        spikeport("check", work / "two.chip", "--chip", "loihi2", "--map", work / "map.toml"), "neuron 29", "'layer1'"
    )


def test_chips_prints_every_constant_with_its_source() -> None:
    from spikeport.hardware_profiles.loader import load_profile
    from spikeport.hardware_profiles.schema import constants

    shown = " ".join(spikeport("chips", "loihi2").stdout.split())
    for name, quantity in constants(load_profile("loihi2")):
        assert name in shown
        assert quantity.source.split()[0] in shown
    assert "server_cpu" in spikeport("chips").stdout


def test_a_profile_without_a_source_is_refused(work: Path) -> None:
    text = (ROOT / "hardware_profiles" / "data" / "loihi2.toml").read_text()
    lines = text.splitlines()
    lines.pop(next(i for i, line in enumerate(lines) if line.startswith("source")))
    (work / "mine.toml").write_text("\n".join(lines))
    refused(spikeport("chips", work / "mine.toml"), "mine.toml", "source")


RECIPE = """
name = "small"
dataset = "digits"
[network]
layers = [{ kind = "dense", size = 8 }]
[training]
epochs = 2
steps = 4
"""


def test_an_unknown_key_names_the_nearest(work: Path) -> None:
    (work / "r.toml").write_text(RECIPE.replace("epochs", "epoch"))
    refused(spikeport("train", work / "r.toml", "--out", work / "run"), "training.epoch", "did you mean 'epochs'")
    assert not (work / "run").exists()


def test_a_truncated_recipe_is_refused(work: Path) -> None:
    (work / "r.toml").write_text(RECIPE[:60])
    refused(spikeport("run", work / "r.toml", "--out", work / "run"), "r.toml")
    assert not (work / "run").exists()


def test_unknown_names_in_a_recipe_are_refused_before_training(work: Path) -> None:
    for old, new, word in (('"digits"', '"digitz"', "digits"), ("epochs = 2", 'method = "bptx"', "bptt")):
        (work / "r.toml").write_text(RECIPE.replace(old, new))
        refused(spikeport("train", work / "r.toml", "--out", work / "run"), word)


def test_a_finished_folder_is_not_overwritten(work: Path) -> None:
    (work / "r.toml").write_text(RECIPE)
    run = work / "run"
    run.mkdir()
    (run / "summary.json").write_text("{}")
    refused(spikeport("run", work / "r.toml", "--out", run), "finished", "--overwrite")
    assert (run / "summary.json").read_text() == "{}"


def test_wrong_calls_are_one_sentence(work: Path) -> None:
    refused(spikeport("simulate", work / "model.chip", "--input", work / "x.npy"), "-o")
    refused(spikeport("simulat"), "simulate")
    refused(spikeport("simulate", work / "model.chip", "--inpt", work / "x.npy", "-o", work / "o.npz"), "--input")
    refused(spikeport("check", work / "model.nir", "--chip", "loihi2", "--precision", "hig"), "did you mean 'high'")
    refused(spikeport("check", work / "modle.nir", "--chip", "loihi2"), "modle.nir", "did you mean 'model.nir'")
    refused(spikeport("export", work, "-o", work / "m.pdf"), ".nir")
    refused(spikeport("simulate", work / "model.nir", "--input", work / "x.npy", "-o", work / "o.npz"), "--chip")


@pytest.mark.skipif(gpu_missing() is None, reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_one_sentence_and_auto_takes_the_cpu(work: Path) -> None:
    run = ("simulate", "model.chip", "--input", "x.npy", "-o")
    refused(spikeport(*run, "o.npz", "--device", "cuda", cwd=work), "device is cuda, but", "choose cpu or auto")
    tune = ("tune", "model.nir", "--data", "x.npy", "--chip", "loihi2", "-o", "t.nir", "--device", "cuda")
    refused(spikeport(*tune, cwd=work), "device is cuda, but")
    refused(spikeport("train", "digits", "--out", "d", "--device", "cuda", cwd=work), "--device is cuda, but")
    sweep = ("sweep", "model.nir", "--over", "weight_bits=4", "--input", "x.npy", "--chip", "loihi2", "--out", "s")
    refused(spikeport(*sweep, "--device", "auto", cwd=work), "--device", "leave it out with a model")
    refused(spikeport(*run, "o.npz", "--device", "cuda", "--workers", "2", cwd=work), "--workers")
    assert not (work / "d").exists() and not (work / "t.nir").exists() and not (work / "o.npz").exists()
    for name in ("cpu", "auto"):
        assert spikeport(*run, f"{name}.npz", "--device", name, cwd=work).returncode == 0
    assert (work / "cpu.npz").read_bytes() == (work / "auto.npz").read_bytes()


@pytest.mark.skipif(sys.version_info[:2] == (3, 10), reason="Lava runs here")
def test_lava_on_a_python_without_it_is_refused(work: Path) -> None:
    result = spikeport("simulate", work / "model.chip", "--input", work / "x.npy", "--backend", "lava", "-o",
                       work / "o.npz")  # fmt: skip
    refused(result, "Python 3.10", "--backend emulator")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_one_sentence(work: Path) -> None:
    small = work / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(small)], check=False).returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        np.save(work / "long.npy", spikes((400, 50, 6), 0.5, 1))
        result = spikeport("simulate", work / "model.chip", "--input", work / "long.npy", "--record", "all", "-o",
                           small / "out.npz")  # fmt: skip
        refused(result, "out.npz", "space")
        save_program(dense((200, 200), 1), work / "big.chip")
        nir.write(str(work / "big.nir"), graph())
        assert list(small.iterdir()) == []
        result = spikeport("compile", work / "big.nir", "--chip", "loihi2", "-o", small / "m.chip")
        refused(result, "m.chip")
        (work / "r.toml").write_text(RECIPE)
        refused(spikeport("train", work / "r.toml", "--out", small / "run"), "run")
        for left in small.rglob("*.safetensors"):
            read_tensors(left, "checkpoint")  # what is there is whole
        assert not list(small.rglob(".*"))
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_chips_validate_says_what_a_file_holds_or_what_is_wrong(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text('extends = "loihi2"\nname = "mine"\n', encoding="utf-8")
    found = spikeport("chips", "--validate", own)
    assert found.returncode == 0
    assert "a chip profile of" in found.stdout
    own.write_text('extends = "loihi2"\nname = "Mine"\n', encoding="utf-8")
    refused(spikeport("chips", "--validate", own), "mine.toml", "name", "lower-case")
    refused(spikeport("chips", "--validate", tmp_path / "mine.yaml"), "mine.yaml", ".toml")
