"""`spikeport diff`: the table, the JSON, the picture, and one sentence for each kind of bad call."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import nir
import numpy as np
import pytest
from command import refused, spikeport
from pages import commands
from places import ROOT
from programs import dense, spikes
from rich.console import Console

from spikeport.commands.commands import diff_file
from spikeport.common.errors import InputError
from spikeport.console.output import Output
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.program.chip_file import save_program
from spikeport.gates import NO_GATES
from spikeport.lava_runtime.diff_report import CAUSES, DiffReport, Divergence, LayerDifference
from spikeport.report.pictures.difference_picture import difference_picture
from spikeport.results.difference import difference_of, print_difference


def network() -> nir.NIRGraph:
    rng, size = np.random.default_rng(1), 20
    one = np.ones(size)
    nodes = {
        "input": nir.Input(input_type={"input": np.array([6])}),
        "fc1": nir.Affine(weight=rng.normal(0, 0.5, (size, 6)), bias=0.01 * one),
        "lif1": nir.LIF(tau=0.007 * one, r=7 * one, v_leak=0 * one, v_threshold=one, v_reset=0 * one),
        "fc2": nir.Linear(weight=rng.normal(0, 0.5, (4, size))),
        "lif2": nir.LIF(tau=0.007 * one[:4], r=7 * one[:4], v_leak=0 * one[:4], v_threshold=one[:4],
                        v_reset=0 * one[:4]),
        "output": nir.Output(output_type={"output": np.array([4])}),
    }  # fmt: skip
    edges = [("input", "fc1"), ("fc1", "lif1"), ("lif1", "fc2"), ("fc2", "lif2"), ("lif2", "output")]
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt": 1e-3})


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with model.nir, model.chip and x.npy."""
    nir.write(str(tmp_path / "model.nir"), network())
    save_program(dense((6, 8, 4), 1), tmp_path / "model.chip")
    np.save(tmp_path / "x.npy", spikes((30, 20, 6), 0.4, 1))
    return tmp_path


def test_coarse_weights_in_table_json_and_picture(work: Path) -> None:
    result = spikeport("diff", work / "model.nir", "--input", work / "x.npy", "--chip", "loihi2", "--weight-bits", 2,
                       "--json", work / "d.json", "--picture", work / "d.svg")  # fmt: skip
    assert result.returncode == 1, result.stderr
    for word in ("lif1", "lif2", "first difference", "same winner", "weights rounded"):
        assert word in result.stdout
    found = json.loads((work / "d.json").read_text())
    fields = {"chip", "samples", "steps", "equal", "same_winner", "answer", "output", "layers", "causes"}
    assert fields == set(found)
    assert found["samples"] == 20 and found["steps"] == 32 and found["equal"] is False
    assert [layer["name"] for layer in found["layers"]] == ["lif1", "lif2"]
    assert {"step", "sample", "neuron", "chip_spikes"} == set(found["layers"][0]["first"])
    assert {"differing_share", "rate_error", "u_peak", "u_beyond_share", "v_limited_share"} < set(found["layers"][0])
    assert max(found["causes"], key=lambda cause: found["causes"][cause]["share"]) == "weights"
    picture = ElementTree.parse(work / "d.svg").getroot()
    words = {element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert {"lif1", "lif2", f"step {found['layers'][0]['first']['step']}"} <= words
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}circle"))) == 2


def test_equal_spikes_are_one_sentence_and_exit_0(work: Path) -> None:
    np.save(work / "x.npy", np.zeros((10, 3, 6)))
    result = spikeport("diff", work / "model.nir", "--input", work / "x.npy", "--chip", "loihi2", "--json",
                       work / "d.json")  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "every spike of every layer is the same, on 3 samples of 12 steps" in result.stdout
    assert "weights rounded" not in result.stdout
    found = json.loads((work / "d.json").read_text())
    assert found["equal"] is True and found["layers"][0]["first"] is None and found["same_winner"] == 1


def test_the_document_s_commands_run(work: Path) -> None:
    shown = [c for c in commands(ROOT / "docs" / "diff.md") if c[0] == "diff"]
    assert shown
    for command in shown:
        result = spikeport(*command, cwd=work)
        assert result.returncode in (0, 1) and "u at most" in result.stdout, result.stderr
        assert (work / "diff.json").is_file() and (work / "diff.svg").is_file()


def test_what_cannot_be_compared_is_refused(work: Path) -> None:
    model, x = work / "model.nir", work / "x.npy"
    refused(spikeport("diff", work / "model.chip", "--input", x, "--chip", "loihi2"), "model.chip", ".nir")
    for path, chip, bits, words in (
        (model, None, None, "--chip"),
        (work / "model.onnx", "loihi2", None, r"model\.onnx: no such file"),
        (model, "loihi2", 9, "9 bit"),
    ):
        with pytest.raises(InputError, match=words):
            diff_file(path, x, chip, CompileOptions(weight_bits=bits), None, 0.0, NO_GATES, Output())
    with pytest.raises(InputError, match=r"d\.png.*\.svg"):
        diff_file(model, x, "loihi2", CompileOptions(), work / "d.png", 0.0, NO_GATES, Output())


def test_bad_input_is_refused_and_nothing_written(work: Path) -> None:
    np.save(work / "bad.npy", np.zeros((10, 3, 7)))
    result = spikeport("diff", work / "model.nir", "--input", work / "bad.npy", "--chip", "loihi2", "--json",
                       work / "d.json")  # fmt: skip
    refused(result, "bad.npy", "(10, 3, 7)")
    assert not (work / "d.json").exists()


def test_names_are_escaped_and_silent_layers_have_no_rate_error() -> None:
    layer = LayerDifference("<a>&'\"", 4, 400, Divergence(90, 2, (1, 0, 1), True), 3, 0, 3, 1.5, 7, 0)
    report = DiffReport("loihi2", 4, 100, 4, 400, 3, (layer,), dict.fromkeys(
        CAUSES, 0))  # fmt: skip
    parts = difference_of(report).to_dict()
    assert parts["layers"][0]["rate_error"] is None and parts["causes"]["weights"]["share"] == 0
    console = Console(file=StringIO(), width=120)
    print_difference(report, console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert layer.name in shown and "wraps at 1.750 %" in shown and "neuron 1, 0, 1" in shown
    drawn = str(difference_picture(report))
    assert ElementTree.fromstring(drawn).get("width") == "720"
    assert "&lt;a&gt;" in drawn and "<a>" not in drawn
