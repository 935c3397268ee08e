"""summary.json: one schema, with a version, written by a run and read by everything behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import graph, refused, spikeport
from programs import beyond_stock, dense, every_kind, spikes
from report_runs import make_folder, make_summary, page_of

import spikeport as sp
from spikeport.exporter.neurons import CubaLIFSoftReset
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.cost_model.ann_cost import TwinLayerSize
from spikeport.lava_runtime.profiling.profile import profile_simulated
from spikeport.run.stages import compare_devices
from spikeport.summary import VERSION, build, parse_summary, read_summary


def test_what_is_written_reads_as_it_was(tmp_path: Path) -> None:
    summary = parse_summary(make_summary(), "s")
    assert summary.version == 0  # made up without one, as before there was one
    (tmp_path / "summary.json").write_text(json.dumps(summary.to_dict()))
    again = read_summary(tmp_path / "summary.json")
    assert again == summary and again.to_dict() == summary.to_dict()
    assert "int8" in again.to_dict()["ann"]["server_cpu"] and "best_batch" not in again.to_dict()["ann"]["server_cpu"]


def test_an_old_summary_without_a_version_still_reads(tmp_path: Path) -> None:
    old = make_summary()
    for key in ("core_map", "difference", "equal_spikes", "training"):
        del old[key]
    folder = make_folder(tmp_path / "run", old)
    assert sp.open_run(folder).summary.version == 0
    assert spikeport("report", folder).returncode == 0
    assert spikeport("compare", folder).returncode == 0
    assert page_of(old)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": VERSION + 1}, (f"version {VERSION + 1}", f"up to {VERSION}", "update spikeport")),
        ({"version": "one"}, ("field version", "run the recipe again")),
        ({"chip": None}, ("field chip", "run the recipe again")),
        ({"accuracy": {"ann": 2}}, ("field accuracy.ann",)),
        ({"mapping": {"cores": 1}}, ("field mapping.cores_per_chip",)),
    ],
)
def test_an_unknown_version_or_a_wrong_field_is_one_sentence(
    tmp_path: Path, change: dict[str, Any], words: tuple[str, ...]
) -> None:
    folder = make_folder(tmp_path / "run", make_summary() | change)
    for command in ("report", "compare"):
        refused(spikeport(command, folder), "summary.json", *words)
    with pytest.raises(sp.InputError) as error:
        sp.open_run(folder)
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize("field", ["recipe", "chip", "chip_title", "test_samples", "steps", "accuracy"])
def test_a_missing_field_is_one_sentence(tmp_path: Path, field: str) -> None:
    summary = make_summary()
    del summary[field]
    folder = make_folder(tmp_path / "run", summary)
    with pytest.raises(sp.InputError, match=rf"summary\.json: field {field}: field required"):
        sp.open_run(folder)


def test_a_missing_or_truncated_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(sp.InputError, match=r"holds no summary\.json; make one with `spikeport run`"):
        read_summary(tmp_path / "summary.json")
    for content in ("", '{"recipe": ', "[]", "1", "\x00" * 9):
        (tmp_path / "summary.json").write_text(content)
        with pytest.raises(sp.InputError, match=r"summary\.json"):
            read_summary(tmp_path / "summary.json")


def kinds_of(program: ChipProgram) -> dict[str, str]:
    x = spikes((5, 2, *program.inputs[0].shape), 0.3, 1)
    layers = build.layers_of(program, profile_simulated(program, x, load_chip("loihi2")))
    return {layer.name: layer.kind for layer in layers}


def test_every_population_states_its_neuron_model() -> None:
    for program in (every_kind(3), dense((6, 8, 4), 1)):
        wanted = {p.name: p.KIND for p in program.populations} | {p.name: "input" for p in program.inputs}
        assert kinds_of(program) == wanted
    network = sp.compile(graph(), reset="subtract")
    found = network.profile(np.ones((4, 1, 6), np.uint8)).parts()["layers"]
    assert [layer["kind"] for layer in found] == ["input", CubaLIFSoftReset.KIND]
    assert found[1]["kind"] == network.parts()["layers"][0]["kind"]


def test_edges_state_how_synapses_are_stored() -> None:
    program = beyond_stock(3)
    found = {(edge.source, edge.target): edge.kind for edge in build.network_of(program).edges}
    names = {"DenseConnection": "dense", "SparseConnection": "sparse", "ConvConnection": "conv"}
    wanted = {(c.source, c.target): names[type(c).__name__] for c in program.connections}
    assert found == wanted and set(wanted.values()) == set(names.values())


def test_devices_hold_what_ran_and_no_more() -> None:
    costs = compare_devices([TwinLayerSize(8192, 8320, 64, 128)], ["server_cpu", "jetson_tx1"])
    found = build.ann_of(costs)
    assert list(found) == ["server_cpu", "jetson_tx1"]
    for name, device in found.items():
        alone = next(c for c in costs if (c.device, c.precision, c.batch) == (name, "float32", 1))
        assert device.energy == alone.energy and device.latency == alone.latency and device.macs == 8192
        assert device.int8 is not None and device.int8.precision == "int8"
        values = device.to_dict()
        assert isinstance(values["macs"], int) and None not in values.values()
