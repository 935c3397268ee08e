"""`report` and `compare` on a model that was not trained here."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nir
import numpy as np
import onnx
import pytest
from command import graph, refused, spikeport
from programs import spikes

import spikeport as sp
from spikeport.run.ann_sizes import onnx_sizes, twin_sizes_of

X = spikes((10, 12, 6), 0.4, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("model")
    nir.write(str(made / "m.nir"), graph())
    np.save(made / "x.npy", X)
    np.save(made / "y.npy", sp.compile(graph()).simulate(X).winners)
    weight = onnx.numpy_helper.from_array(np.ones((5, 2, 3, 3), np.float32), "w")
    tensors = [
        onnx.helper.make_tensor_value_info(*port) for port in (("x", 1, ["N", 2, 8, 8]), ("y", 1, ["N", 5, 6, 6]))
    ]
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"])
    onnx.save(
        onnx.helper.make_model(onnx.helper.make_graph([node], "g", tensors[:1], tensors[1:], [weight])), made / "a.onnx"
    )
    return made


def test_a_model_gets_a_page_tables_and_pictures(folder: Path) -> None:
    command = ("report", "m.nir", "--chip", "loihi2", "--input", "x.npy", "--labels", "y.npy")
    done = spikeport(*command, "--kit", "kit", "--table", "t.tex", "--json", "r.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "m.html").read_text().startswith("<!doctype html>")
    values = json.loads((folder / "r.json").read_text())
    assert values["accuracy"]["fixed"] == 1.0 and values["agreement"] == values["accuracy"]["float"]
    network = sp.compile(graph())
    assert values["per_inference"]["energy_j"] == network.profile(X).energy_j.typical
    assert (folder / "t.tex").read_text().count(r"\begin{table}") >= 6
    for picture in (folder / "kit").glob("*.svg"):
        ElementTree.parse(picture)
    assert len(list((folder / "kit").glob("*.csv"))) == len(list((folder / "kit").glob("*.tex"))) >= 6


def test_several_chips_and_devices_are_one_table(folder: Path) -> None:
    command = ("compare", "m.nir", "--input", "x.npy", "--devices", "microcontroller", "--teacher", "a.onnx")
    done = spikeport(*command, "--chips", "loihi2,loihi1", "--json", "c.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert all(words in done.stdout for words in ("Intel Loihi 2", "first generation", "Microcontroller"))
    chips = json.loads((folder / "c.json").read_text())["chips"]
    assert [chip["chip"] for chip in chips] == ["loihi2", "loihi1"] and chips[0]["rows"][0]["macs"] == 5 * 36 * 2 * 9
    assert spikeport(*command, "--chips", "loihi2,loihi1", "--max-energy", "1pJ", cwd=folder).returncode == 1


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("report", "m.nir", "--chip", "loihi2"), ("m.nir: is a model", "--input")),
        (("report", "m.nir", "--input", "x.npy"), ("--chip",)),
        (("report", ".", "--input", "x.npy"), ("--input", "is a run")),
        (("compare", ".", "--chips", "loihi2"), ("--chips",)),
        (("report", "m.nir", ".", "--chip", "loihi2", "--input", "x.npy"), ("m.nir is a model",)),
        (("report", "m.nir", "--chip", "loihi2", "--input", "x.npy", "--labels", "x.npy"), ("x.npy: labels are",)),
        (("report", "m.nir", "--chip", "loihi2", "--input", "x.npy", "--min-accuracy", "1"), ("was not measured",)),
        (("report", "m.nir", "--chip", "loihi2", "--input", "x.npy", "--table", "t.txt"), ("t.txt: tables are",)),
    ],
)
def test_what_is_missing_or_too_much_is_named(folder: Path, command: tuple[str, ...], words: tuple[str, ...]) -> None:
    refused(spikeport(*command, cwd=folder), *words)


def test_labels_of_another_number_are_refused(folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", np.zeros(3, np.int64))
    command = ("report", str(folder / "m.nir"), "--chip", "loihi2", "--input", str(folder / "x.npy"))
    refused(spikeport(*command, "--labels", "y.npy", cwd=tmp_path), "12 class numbers")


def test_an_ann_of_the_same_layers_has_the_synapses_as_macs(folder: Path) -> None:
    (layer,) = twin_sizes_of(sp.compile(graph()).program)
    assert (layer.macs, layer.inputs, layer.outputs) == (24, 6, 4)
    (conv,) = onnx_sizes(folder / "a.onnx")
    assert (conv.macs, conv.parameters, conv.inputs, conv.outputs) == (5 * 36 * 18, 90, 128, 180)
    (folder / "b.onnx").write_bytes(b"no")
    with pytest.raises(sp.InputError, match=r"b\.onnx"):
        onnx_sizes(folder / "b.onnx")


def test_a_model_is_swept_over_its_compile_options(folder: Path, tmp_path: Path) -> None:
    command = (
        "sweep",
        "m.nir",
        "--over",
        "weight_bits=2,8",
        "chip=loihi1,loihi2",
        "--input",
        "x.npy",
        "--labels",
        "y.npy",
    )
    done = spikeport(*command, "--out", tmp_path / "sweep", cwd=folder)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "sweep" / "sweep.json").read_text())["points"]
    assert [(row["values"]["weight_bits"], row["values"]["chip"]) for row in rows] == [
        (2, "loihi1"), (2, "loihi2"), (8, "loihi1"), (8, "loihi2")
    ]  # fmt: skip
    network = sp.compile(graph(), weight_bits=8)
    assert rows[3]["energy_j"] == network.profile(X).energy_j.typical and rows[3]["accuracy"] == 1.0
    assert (tmp_path / "sweep" / "pareto.svg").is_file()
    start = ("sweep", "m.nir", "--input", "x.npy", "--out", tmp_path / "more")
    refused(spikeport(*start, "--over", "weight_bit=4", "--chip", "loihi2", cwd=folder), "did you mean 'weight_bits'")
    refused(spikeport(*start, "--over", "weight_bits=4", cwd=folder), "--chip")
    refused(
        spikeport("sweep", "digits", "--over", "chip=loihi1", "--input", "x.npy", "--out", "s", cwd=folder), "--input"
    )


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("compare", "x.npy"), "x.npy: is a .npy array, not a model"),
        (("report", "x.npy", "--input", "x.npy"), "x.npy: is a .npy array, not a model"),
        (("report", "m.nir", "--chip", "loihi2", "--input", "x.npy", "--teacher", "x.npy"), "x.npy: is a .npy array"),
        (("import", "m.nir", "--calibrate", "x.npy", "-o", "m.chip"), "m.nir: is a NIR file; give a .onnx file"),
        (("run", "m.nir"), "m.nir: is a NIR file; give the path of a recipe"),
        (("tune", "x.npy", "--data", "x.npy", "-o", "t.nir"), "x.npy: is a .npy array, not a model"),
        (("tune", "m.nir", "--data", "zeros.npy", "-o", "t.nir"), "zeros.npy: holds only zeros"),
        (
            ("compare", "m.nir", "--chips", "loihi2", "--input", "x.npy", "--labels", "far.npy"),
            "labels go from 99 to 99, but the network has the outputs 0 to",
        ),
    ],
)
def test_a_file_in_the_wrong_place_is_called_what_it_is(folder: Path, command: tuple[str, ...], sentence: str) -> None:
    np.save(folder / "zeros.npy", X * 0)
    np.save(folder / "far.npy", np.full(X.shape[1], 99))
    refused(spikeport(*command, cwd=folder), sentence)


def test_a_warning_is_printed_once(folder: Path) -> None:
    np.save(folder / "bytes.npy", X * 255)
    done = spikeport("report", "m.nir", "--chip", "loihi2", "--input", "bytes.npy", cwd=folder)
    assert done.stderr.count("divide by 255") == 1
