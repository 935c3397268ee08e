"""The report: one honest, self-contained page from files, and a table in the terminal."""

from __future__ import annotations

import base64
import copy
import hashlib
import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_runs import Json, Page, _edge, make_folder, make_summary, page_of, terminal_of

from spikeport.common.errors import InputError
from spikeport.lava_runtime.cost_model.duty import energy_of_a_day
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.lava_runtime.cost_model.validated import MEASURED_ERROR
from spikeport.report import write_report
from spikeport.report.day import day_table
from spikeport.report.pictures.network_picture import columns
from spikeport.report.raster import grouped, read_raster, winner
from spikeport.report.units import si
from spikeport.report.verdict import verdict
from spikeport.summary import parse_summary

SECTIONS = [
    "run", "network", "raster", "accuracy", "fidelity", "compare", "energy", "mapping", "constants", "repeat",
]  # fmt: skip


@pytest.fixture
def summary() -> Json:
    return make_summary()


# the page


def test_every_section_stands_in_order_under_a_heading(tmp_path: Path, summary: Json) -> None:
    path = write_report(make_folder(tmp_path / "run", summary))
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert path == tmp_path / "run" / "report.html"
    assert [a["id"] for a in page.attributes("section")] == SECTIONS
    assert len(page.attributes("h1")) == 1
    assert text.index('id="verdict"') < text.index('id="figures"')
    assert len(page.attributes("h2")) == len(SECTIONS) + len(("fits", "agrees", "pays"))
    assert NOT_SAID.isdisjoint(page.text.split())


def test_the_section_on_cores_names_what_limits_a_step(tmp_path: Path, summary: Json) -> None:
    summary["core_map"]["bound"] = "core 3 (a<b) ends 80% of the steps: memory-bound"
    text = write_report(make_folder(tmp_path, summary)).read_text(encoding="utf-8")
    assert "Core 3 (a&lt;b) ends 80% of the steps: memory-bound." in text


NOT_SAID = {"None", "nan", "inf", "True", "False", "Undefined"}


def test_pictures_speak_and_tables_have_captions_and_scopes(tmp_path: Path, summary: Json) -> None:
    page = Page(write_report(make_folder(tmp_path, summary)).read_text(encoding="utf-8"))
    spoken = [a for a in page.attributes("svg") if a.get("role") == "img"]
    # network, 3 strips and the sample, accuracy, 3 of fidelity, energy and latency, energy by layer;
    # the cores, 3 limits, their busy time, and the steps
    assert len(spoken) == 1 + 4 + 1 + 3 + 2 + 1 + (1 + 3 + 1 + 1)
    assert all(len(a["aria-label"] or "") > 30 for a in spoken)
    # what is silent is a key, an axis, part of a picture, or said in words beside it
    silent = [a for a in page.attributes("svg") if a.get("role") != "img"]
    assert all(a.get("aria-hidden") == "true" or "preserveaspectratio" in a for a in silent)
    assert len(page.attributes("caption")) == len(page.attributes("table"))
    assert all(a.get("scope") in ("row", "col") for a in page.attributes("th"))
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = [(a["href"] or "") for a in page.attributes("a")]
    assert all(link.startswith("#") and link[1:] in ids for link in links)


def test_page_loads_nothing_and_runs_our_script_only(tmp_path: Path, summary: Json) -> None:
    text = write_report(make_folder(tmp_path, summary)).read_text(encoding="utf-8")
    page = Page(text)
    for _, attrs in page.tags:
        assert "src" not in attrs
        assert not any(name.startswith("on") for name in attrs)
        assert not any(re.match(r"\s*(https?:)?//", value or "") for value in attrs.values())
    assert page.attributes("script") == [{}]
    digest = hashlib.sha256(text.split("<script>")[1].split("</script>")[0].encode()).digest()
    policy = next(a["content"] for a in page.attributes("meta") if a.get("http-equiv") == "Content-Security-Policy")
    allowed = f"script-src 'sha256-{base64.b64encode(digest).decode()}'"
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; {allowed}"
    assert not page.attributes("link")
    assert "@import" not in text
    assert "url(" not in text.replace("url(#arrow)", "")
    assert "http://" not in text
    assert "https://" not in text


def test_same_files_give_same_bytes(tmp_path: Path, summary: Json) -> None:
    first = write_report(make_folder(tmp_path / "a", summary)).read_bytes()
    second = write_report(make_folder(tmp_path / "b", summary)).read_bytes()
    assert first == second
    assert b"/tmp" not in first
    assert str(tmp_path).encode() not in first


def test_foreign_text_is_escaped_everywhere(tmp_path: Path, summary: Json) -> None:
    evil = "<script>alert('1')</script>\"&"

    def spoil(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: spoil(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [spoil(v, key) for v in value]
        return evil if isinstance(value, str) and key not in ("kind", "unit") else value

    bad = spoil(summary)
    bad["layers"][1]["quantisation"]["notes"] = [evil]
    bad["ann"] = {evil: bad["ann"]["server_cpu"]}
    bad["seconds"] = {evil: 1.0}
    page = Page(page_of(bad))
    assert page.attributes("script") == [{}]
    assert page.text.count(evil) > 10
    make_folder(tmp_path, bad)
    arrays = dict(np.load(tmp_path / "raster.npz"))
    arrays[f"s/{'<script>'}"] = arrays.pop("s/readout")
    np.savez(tmp_path / "raster.npz", **arrays)
    assert Page(write_report(tmp_path).read_text(encoding="utf-8")).attributes("script") == [{}]


def test_a_large_network_stays_below_five_megabytes(tmp_path: Path, summary: Json) -> None:
    make_folder(tmp_path, summary)
    names = [f"block{i}" for i in range(20)]
    layers = [{**summary["layers"][1], "name": name} for name in names]
    nodes = [{"name": name, "kind": "population", "shape": [64, 32, 32], "output": False} for name in names]
    edges = [_edge(a, b, 10**9) for a, b in itertools.pairwise(names)]
    summary.update(layers=layers, network={"nodes": nodes, "edges": edges}, chip_steps=800)
    (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    full = np.ones((800, 4096), np.uint8)
    np.savez_compressed(
        tmp_path / "raster.npz",
        label=1,
        sample=0,
        input=full,
        image=np.random.default_rng(0).random((224, 224)),
        **{f"s/{name}": full for name in names},
    )
    assert write_report(tmp_path).stat().st_size < 5_000_000


def test_estimates_are_called_estimates(summary: Json) -> None:
    text = Page(page_of(summary)).text
    assert "Chip latency excludes host input and output." in text
    assert "Energy and latency are estimates" in text
    for sentence in re.split(r"[.\n]", text.lower()):
        assert not ("energy" in sentence and "measured" in sentence)


def test_the_page_quotes_how_wrong_estimates_were_and_what_was_not_measured(summary: Json) -> None:
    summary["per_inference"]["outside_validation"] = ["cores in use: 1; the measured networks: 2 to 74"]
    text = Page(page_of(summary)).text
    assert MEASURED_ERROR in text
    outside = "outside of what was measured on this chip: cores in use: 1; the measured networks: 2 to 74."
    assert outside in text
    assert outside in " ".join(terminal_of(summary).split())
    summary["per_inference"] = None
    assert MEASURED_ERROR not in Page(page_of(summary)).text


# nulls


def test_whatever_did_not_run_is_said_and_nothing_breaks(summary: Json) -> None:
    summary.update(
        agreement=None, lava_equals_emulator=None, stock_equals_emulator=None, per_inference=None, mapping=None,
        difference=None, training=None,
    )  # fmt: skip
    summary["accuracy"] = {"ann": None, "ann_int8": None, "float": 0.97, "fixed": None}
    summary["seconds"]["lava"] = None
    summary.update(ann={}, constants=[], layers=[], network={"nodes": [], "edges": []}, commands=[])
    page = Page(page_of(summary))
    assert [a["id"] for a in page.attributes("section")] == SECTIONS
    assert page.text.count("not run here") > 10
    assert NOT_SAID.isdisjoint(page.text.split())
    said = verdict(parse_summary(summary, "s")).sentence
    assert "Lava was not run here" in said
    assert "was not checked here" in said
    assert "not run here" in terminal_of(summary)


def test_a_day_is_of_the_chip_and_every_device_and_says_what_waits_asleep(summary: Json) -> None:
    device = next(iter(summary["ann"].values()))
    device["sleep_w"] = {"low": 1e-6, "typical": 2e-6, "high": 3e-6}
    rows = day_table(parse_summary(summary, "s"))
    assert len(rows) == 1 + sum(2 - (device["int8"] is None) for device in summary["ann"].values())
    assert rows[0][1].endswith("idle") and rows[1][1].endswith("asleep")
    # a day in which it mostly waits: 86,400 s at 2 uW, and 24 inferences
    joules = energy_of_a_day(*(Estimate.exact(v) for v in (device["energy_j"], device["latency_s"], 2e-6)), 1)
    assert joules is not None and rows[1][2].startswith(si(joules.typical, "J"))
    page = Page(page_of(summary)).text
    assert "Estimated energy of a day at 1, 60 and 3,600 inferences an hour" in page
    assert "no source of a sleep state was found" in page
    summary["per_inference"] = None
    assert "Estimated energy of a day" not in Page(page_of(summary)).text


@pytest.mark.parametrize(
    "name", ["per_inference", "mapping", "agreement", "lava_equals_emulator", "difference", "training", "core_map"]
)
def test_each_null_alone(summary: Json, name: str) -> None:
    summary[name] = None
    page = Page(page_of(summary))
    if name not in ("training", "core_map"):
        assert "not run here" in page.text
    if name not in ("difference", "training", "core_map"):
        assert "not run here" in terminal_of(summary)


def test_device_without_int8(summary: Json) -> None:
    summary["ann"]["desktop_gpu"]["int8"] = None
    assert Page(page_of(summary)).text.count("Desktop GPU of 2013 (NVIDIA") == 1


# raster and network


def test_winner_counts_only_the_steps_that_answer() -> None:
    output = np.zeros((5, 3), np.uint8)
    output[:3, 0] = 1
    output[3:, 2] = 1
    assert winner(output, 2) == 2
    assert winner(output, 5) == 0
    assert winner(np.zeros((4, 3), np.uint8), 4) == 0


def test_winner_and_label_are_marked(tmp_path: Path, summary: Json) -> None:
    text = write_report(make_folder(tmp_path, summary)).read_text(encoding="utf-8")
    assert (
        "Test sample 0, label 7: neuron 7 of layer readout spikes most in the last 16 steps, the right answer." in text
    )
    page = Page(text)
    assert sum(a.get("class") == "class leads" for a in page.attributes("g")) == 1
    assert sum(a.get("class") == "label" for a in page.attributes("rect")) == 1


def test_grouping_keeps_every_spike_visible() -> None:
    spikes = np.zeros((100, 1000), np.uint8)
    spikes[37, 991] = 1
    small = grouped(spikes, 50, 10)
    assert small.shape == (10, 50)
    assert np.argwhere(small).tolist() == [[3, 49]]
    assert grouped(spikes, 2000, 200).shape == spikes.shape


def test_columns_ignore_edges_that_close_a_loop(summary: Json) -> None:
    network = summary["network"]
    network["edges"] += [_edge("readout", "hidden", 1), _edge("hidden", "hidden", 1), _edge("input", "readout", 640)]
    parsed = parse_summary(summary, "s").network
    assert columns(parsed) == {"input": 0, "hidden": 1, "readout": 2}
    Page(page_of(summary))


# bad input


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        write_report(folder)
    message = str(error.value)
    assert "\n" not in message
    assert not (folder / "report.html").exists()
    return message


def test_missing_or_truncated_summary_is_one_sentence(tmp_path: Path, summary: Json) -> None:
    assert "holds no summary.json; make one with `spikeport run`" in refused(tmp_path)
    make_folder(tmp_path, summary)
    whole = (tmp_path / "summary.json").read_text()
    for text in ("", whole[: len(whole) // 2], "\x00\xff", "[" * 100_000):
        (tmp_path / "summary.json").write_text(text)
        assert "is truncated or not JSON" in refused(tmp_path)
    (tmp_path / "summary.json").write_bytes(b"\xff\xfe\x00")
    assert "is truncated or not JSON" in refused(tmp_path)
    (tmp_path / "summary.json").write_text("[]")
    assert "the whole file" in refused(tmp_path)


def test_wrong_fields_are_named(tmp_path: Path, summary: Json) -> None:
    for change, field in (
        (("accuracy", "fixed", "high"), "accuracy.fixed"),
        (("per_inference", "energy_j", float("nan")), "per_inference.energy_j"),
        (("mapping", "cores", -1), "mapping.cores"),
        (("accuracy", "ann", 1.5), "accuracy.ann"),
    ):
        bad = copy.deepcopy(summary)
        bad[change[0]][change[1]] = change[2]
        make_folder(tmp_path, bad)
        assert f"field {field}:" in refused(tmp_path)
    del summary["chip_title"]
    make_folder(tmp_path, summary)
    assert "field chip_title: field required" in refused(tmp_path)


def test_raster_may_be_missing_but_not_broken(tmp_path: Path, summary: Json) -> None:
    make_folder(tmp_path, summary)
    path = tmp_path / "raster.npz"
    whole = path.read_bytes()
    for damaged in (whole[:100], whole[:-40], b"", b"PK\x03\x04"):
        path.write_bytes(damaged)
        assert "raster.npz: is truncated" in refused(tmp_path)
    np.savez(path, label=1, input=np.ones((3, 4)))
    assert "has no array 'sample'" in refused(tmp_path)
    np.savez(path, label=1, sample=1, input=np.ones((3, 4)), **{"s/a": np.ones((4, 4))})
    assert "differ in steps" in refused(tmp_path)
    np.savez(path, label=1, sample=1, input=np.array([object()], dtype=object))
    assert "raster.npz: is truncated or not a raster" in refused(tmp_path)
    path.unlink()
    assert read_raster(path) is None
    assert "The recording of one sample: not run here" in write_report(tmp_path).read_text(encoding="utf-8")


# the terminal


def test_terminal_says_the_same(summary: Json) -> None:
    said = " ".join(terminal_of(summary).split())
    for wanted in (
        "98.3 % float32, 98.1 % int8",
        "97.8 % float, 97.5 % chip integers",
        "99.7 % of 360 test samples",
        "estimate 3.40 µJ (220 nJ – 52 µJ)",
        "estimate 48.6 mJ (2.0–55 mJ): the chip needs less, at least 38×",
        "2 of 128, fits",
        "excluding host input and output",
        "13.5 s",
    ):
        assert wanted in said
    assert verdict(parse_summary(summary, "s")).sentence.replace("\u202f", " ") in said


def test_terminal_without_unicode_and_with_brackets(summary: Json) -> None:
    summary["recipe"] = "[bold]x[/nothing]"
    said = terminal_of(summary, "ascii")
    assert "[bold]x[/nothing] on Intel Loihi 2" in said
    assert "3.40 uJ (220 nJ - 52 uJ)" in said
