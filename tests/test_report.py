"""The report: one honest, self-contained page from files, and a table in the terminal."""

from __future__ import annotations

import copy
import io
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hardware_profiles.errors import InputError
from spikeport.report import print_summary, write_report
from spikeport.report.charts import wilson
from spikeport.report.model import parse_summary
from spikeport.report.network_picture import columns
from spikeport.report.page import render
from spikeport.report.raster import grouped, read_raster, winner
from spikeport.report.units import Range, count, estimate, percent, si, si_range, significant
from spikeport.report.verdict import Outcome, against, duels, factor, outcome, verdict

Json = dict[str, Any]
SECTIONS = [
    "figures", "network", "raster", "accuracy", "rounding", "energy", "compare", "mapping", "constants", "seconds",
    "repeat",
]  # fmt: skip
VOID = {"meta", "wbr", "link", "br", "hr", "img", "input"}


def _bounds(low: float, typical: float, high: float) -> Json:
    return {"low": low, "typical": typical, "high": high}


def _energy(low: float, typical: float, high: float) -> Json:
    return {"energy_j": typical, "energy_low_j": low, "energy_high_j": high}


def _device(title: str, precision: str, energy: tuple[float, float, float], seconds: float) -> Json:
    low, typical, high = energy
    return {
        "title": title,
        "precision": precision,
        "macs": 9472,
        "bytes": 39760 if precision == "float32" else 9940,
        **_energy(low, typical, high),
        "dynamic_j": _bounds(low * 0.6, typical * 0.6, high * 0.7),
        "static_j": _bounds(low * 0.4, typical * 0.4, high * 0.3),
        "latency_s": seconds,
        "latency_low_s": seconds * 0.5,
        "latency_high_s": seconds * 1.5,
    }


def _layer(name: str, kind: str, neurons: int, synapses: int, activity: tuple[float, float, float]) -> Json:
    spikes, synops, joules = activity
    rounding = {
        "scale": 36224.5,
        "weight_error_rms": 0.00254,
        "weight_error_max": 0.0079,
        "du_error": 0.0,
        "dv_error": 0.00031,
        "vth_error": 0.00004,
        "bias_error": 0.0021,
        "current_bound": 0.41,
        "notes": [],
    }
    return {
        "name": name,
        "kind": kind,
        "shape": [neurons],
        "neurons": neurons,
        "synapses": synapses,
        "cores": 1 if synapses else 0,
        "spikes": spikes,
        "synops": synops,
        "neuron_updates": float(neurons * 18) if synapses else 0.0,
        "messages": spikes,
        **_energy(joules * 0.2, joules, joules * 2.2),
        "quantisation": rounding if synapses else None,
    }


def _edge(source: str, target: str, synapses: int) -> Json:
    words = {"kind": "dense", "delay": 1, "weight_bits": 8, "weight_exp": 0, "sign_mode": "mixed"}
    return {"source": source, "target": target, "synapses": synapses, **words}


def _constant(profile: str, name: str, value: float, low: float | None, high: float | None, unit: str) -> Json:
    words = {"source": "Davies et al. 2018, IEEE Micro 38(1), table 2", "kind": "estimated", "date": "2018-01"}
    return {
        "profile": profile,
        "name": name,
        "value": value,
        "low": low,
        "high": high,
        "unit": unit,
        "note": "",
        **words,
    }


def make_summary() -> Json:
    """A summary such as the digits recipe writes."""
    cpu, gpu = "One core of a current server CPU (AMD EPYC)", "Desktop GPU of 2013 (NVIDIA Quadro K4000)"
    stages = ("train", "twin", "export", "compile", "simulate", "lava", "stock", "profile", "compare")
    return {
        "recipe": "digits",
        "dataset": "digits",
        "chip": "loihi2",
        "chip_title": "Intel Loihi 2",
        "test_samples": 360,
        "steps": 16,
        "chip_steps": 18,
        "dt": 0.001,
        "python": "3.10.13",
        "platform": "linux",
        "versions": {"torch": "2.5.1", "nir": "1.0.8", "numpy": "1.26.4"},
        "accuracy": {"ann": 0.9833, "ann_int8": 0.9806, "float": 0.9778, "fixed": 0.975},
        "agreement": 359 / 360,
        "lava_equals_emulator": True,
        "stock_equals_emulator": True,
        "per_inference": {
            "spikes": 812.4,
            "synops": 46120.5,
            "neuron_updates": 2484.0,
            "messages": 790.1,
            **_energy(0.22e-6, 3.4e-6, 52e-6),
            "dynamic_j": _bounds(0.18e-6, 0.95e-6, 2.1e-6),
            "static_j": _bounds(0.04e-6, 2.45e-6, 49.9e-6),
            "latency_s": 16e-6,
            "latency_low_s": 3.4e-6,
            "latency_high_s": 48e-6,
            "steps": 18,
        },
        "layers": [
            _layer("input", "input", 64, 0, (318.2, 0.0, 29e-9)),
            _layer("hidden", "cuba_lif", 128, 8192, (440.0, 40729.6, 800e-9)),
            _layer("readout", "cuba_lif", 10, 1280, (54.2, 4400.0, 121e-9)),
        ],
        "network": {
            "nodes": [
                {"name": "input", "kind": "input", "shape": [1, 8, 8], "output": False},
                {"name": "hidden", "kind": "population", "shape": [128], "output": False},
                {"name": "readout", "kind": "population", "shape": [10], "output": True},
            ],
            "edges": [_edge("input", "hidden", 8192), _edge("hidden", "readout", 1280)],
        },
        "mapping": {
            "cores": 2,
            "cores_per_chip": 128,
            "chips": 1,
            "fits": True,
            "layers": [
                {"name": "hidden", "cores": 1, "neurons_per_core": 128, "limit": "synapse memory", "fill": 0.083},
                {"name": "readout", "cores": 1, "neurons_per_core": 10, "limit": "input axons", "fill": 0.031},
            ],
        },
        "ann": {
            "server_cpu": {
                **_device(cpu, "float32", (12e-6, 39.7e-6, 177e-6), 9.8e-6),
                "int8": _device(cpu, "int8", (11.5e-6, 36.9e-6, 151e-6), 9.2e-6),
            },
            "desktop_gpu": {
                **_device(gpu, "float32", (1.99e-3, 48.6e-3, 54.7e-3), 1.29e-3),
                "int8": _device(gpu, "int8", (1.98e-3, 48.6e-3, 54.6e-3), 1.29e-3),
            },
        },
        "constants": [
            _constant("loihi2", "energy.synop", 17.75e-12, 3.55e-12, 39.76e-12, "J"),
            _constant("loihi2", "word_widths.weight_bits", 8, None, None, "bit"),
            _constant("server_cpu", "power.idle", 1.5, 0.5, 3.0, "W"),
        ],
        "seconds": dict.fromkeys(stages, 1.5),
        "commands": ["spikeport run recipes/digits.toml --out runs/digits", "spikeport compare runs/digits"],
    }


def write_raster(path: Path, steps: int = 18, hidden: int = 128) -> None:
    """A raster with clear features: the label's neuron fires most."""
    random = np.random.default_rng(3)
    image = np.clip(np.add.outer(np.hanning(8), np.hanning(8)) - 0.4 + random.normal(0, 0.1, (8, 8)), 0, 1)
    entered = (random.random((steps, 64)) < image.ravel() * 0.8).astype(np.uint8)
    entered[-2:] = 0
    readout = (random.random((steps, 10)) < 0.06).astype(np.uint8)
    readout[3:, 7] = 1
    np.savez_compressed(
        path,
        label=np.int64(7),
        sample=np.int64(0),
        input=entered,
        image=image.astype(np.float32),
        **{"s/hidden": (random.random((steps, hidden)) < 0.2).astype(np.uint8), "s/readout": readout},
    )


def make_folder(folder: Path, summary: Json) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    write_raster(folder / "raster.npz")
    return folder


def page_of(summary: Json) -> str:
    return render(parse_summary(summary, "summary.json"), None)


def terminal_of(summary: Json, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    print_summary(summary, Console(file=stream, width=150))
    stream.flush()
    return raw.getvalue().decode(encoding)


class Page(HTMLParser):
    """Checks that tags open and close in order, and keeps what the tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


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
    assert len(page.attributes("h2")) == len(SECTIONS)
    assert NOT_SAID.isdisjoint(page.text.split())


NOT_SAID = {"None", "nan", "inf", "True", "False", "Undefined"}


def test_pictures_speak_and_tables_have_captions_and_scopes(tmp_path: Path, summary: Json) -> None:
    page = Page(write_report(make_folder(tmp_path, summary)).read_text(encoding="utf-8"))
    pictures = page.attributes("svg")
    assert len(pictures) == 5
    assert all(a["role"] == "img" and len(a["aria-label"] or "") > 40 for a in pictures)
    assert len(page.attributes("caption")) == len(page.attributes("table"))
    assert all(a.get("scope") in ("row", "col") for a in page.attributes("th"))
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = [(a["href"] or "") for a in page.attributes("a")]
    assert all(link.startswith("#") and link[1:] in ids for link in links)


def test_page_loads_nothing_and_runs_nothing(tmp_path: Path, summary: Json) -> None:
    text = write_report(make_folder(tmp_path, summary)).read_text(encoding="utf-8")
    page = Page(text)
    for _, attrs in page.tags:
        assert "src" not in attrs
        assert not any(name.startswith("on") for name in attrs)
        assert not any(re.match(r"\s*(https?:)?//", value or "") for value in attrs.values())
    assert not page.attributes("script")
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
    assert not page.attributes("script")
    assert page.text.count(evil) > 10
    make_folder(tmp_path, bad)
    arrays = dict(np.load(tmp_path / "raster.npz"))
    arrays[f"s/{'<script>'}"] = arrays.pop("s/readout")
    np.savez(tmp_path / "raster.npz", **arrays)
    assert not Page(write_report(tmp_path).read_text(encoding="utf-8")).attributes("script")


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


# nulls


def test_whatever_did_not_run_is_said_and_nothing_breaks(summary: Json) -> None:
    summary.update(
        agreement=None, lava_equals_emulator=None, stock_equals_emulator=None, per_inference=None, mapping=None
    )
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


@pytest.mark.parametrize("name", ["per_inference", "mapping", "agreement", "lava_equals_emulator"])
def test_each_null_alone(summary: Json, name: str) -> None:
    summary[name] = None
    Page(page_of(summary))
    assert "not run here" in terminal_of(summary)


def test_device_without_int8(summary: Json) -> None:
    summary["ann"]["desktop_gpu"]["int8"] = None
    assert Page(page_of(summary)).text.count("Desktop GPU of 2013 (NVIDIA") == 1


# the verdict

amounts = st.floats(1e-12, 1.0)
ranges = st.lists(amounts, min_size=3, max_size=3).map(sorted).map(lambda v: Range(*v))


@given(ranges, ranges)
def test_only_ranges_apart_decide(chip: Range, ann: Range) -> None:
    found = outcome(chip, ann)
    overlap = max(chip.low, ann.low) <= min(chip.high, ann.high)
    assert (found is Outcome.APART) == overlap
    if found is Outcome.CHIP_LESS:
        assert chip.typical < ann.typical
        assert factor(chip, ann) == ann.low / chip.high > 1
    if found is Outcome.ANN_LESS:
        assert ann.typical < chip.typical
        assert factor(chip, ann) == chip.low / ann.high > 1
    mirrored = {Outcome.CHIP_LESS: Outcome.ANN_LESS, Outcome.ANN_LESS: Outcome.CHIP_LESS, Outcome.APART: Outcome.APART}
    assert outcome(ann, chip) is mirrored[found]


@given(st.lists(st.tuples(ranges, ranges), min_size=1, max_size=4), ranges)
def test_verdict_names_every_device_with_the_outcome_its_ranges_give(
    devices: list[tuple[Range, Range]], chip: Range
) -> None:
    summary = make_summary()
    summary["per_inference"].update(_energy(chip.low, chip.typical, chip.high))
    summary["ann"] = {
        f"d{i}": {
            **_device(f"Device{i}", "float32", (full.low, full.typical, full.high), 1e-3),
            "int8": _device(f"Device{i}", "int8", (small.low, small.typical, small.high), 1e-3),
        }
        for i, (full, small) in enumerate(devices)
    }
    parsed = parse_summary(summary, "s")
    said = verdict(parsed).pays
    phrases = {
        Outcome.CHIP_LESS: "the chip needs less than the ANN on",
        Outcome.APART: "chip and ANN cannot be told apart on",
        Outcome.ANN_LESS: "the ANN wins on",
    }
    for duel, (full, small) in zip(duels(parsed), devices, strict=True):
        both = {outcome(chip, full), outcome(chip, small)}
        # the chip wins on a device only if it wins against both precisions
        assert (duel.outcome is Outcome.CHIP_LESS) == (both == {Outcome.CHIP_LESS})
        assert (duel.outcome is Outcome.ANN_LESS) == (Outcome.ANN_LESS in both)
        clause = re.search(re.escape(phrases[duel.outcome]) + r" [^(]*\(([^)]*)\)", said)
        assert clause is not None
        assert duel.title in clause.group(1)
    for kind, phrase in phrases.items():
        assert (phrase in said) == any(duel.outcome is kind for duel in duels(parsed))


def test_verdict_in_full(summary: Json) -> None:
    assert verdict(parse_summary(summary, "s")).sentence.replace("\u202f", " ") == (
        "The network fits Intel Loihi 2 on 2 of 128 cores; float and chip integers answer alike on 99.7 % of 360 test "
        "samples, and the batched Lava processes and stock Lava equal the emulator spike by spike; in energy per "
        "inference, by estimate, the chip needs less than the ANN on 1 of 2 devices (Desktop GPU of 2013), and "
        "chip and ANN cannot be told apart on 1 of 2 devices (One core of a current server CPU)."
    )


def test_verdict_says_the_unwelcome(summary: Json) -> None:
    summary["per_inference"].update(_energy(1.0, 2.0, 3.0))
    summary["lava_equals_emulator"], summary["stock_equals_emulator"] = False, None
    summary["mapping"].update(fits=False, cores=300, chips=3)
    said = verdict(parse_summary(summary, "s")).sentence
    assert "does not fit Intel Loihi 2: it takes 300 cores where one chip has 128" in said
    assert "the batched Lava processes differ from the emulator, stock Lava was not run here" in said
    assert "the ANN wins on every device (" in said
    summary["mapping"]["layers"][0]["fill"] = 1.7
    assert (
        "layer hidden breaks the limit of synapse memory on a core (1.7×)" in verdict(parse_summary(summary, "s")).fits
    )
    page = Page(page_of(summary))
    assert "Does not fit." in page.text
    assert "the ANN needs less, at least" in page.text


@given(ranges, ranges)
def test_least_factor_is_rounded_down(chip: Range, ann: Range) -> None:
    said = re.search(r"at least ([\d\u202f.]+)×", against(chip, ann))
    found = factor(chip, ann)
    assert (said is None) == (found is None)
    if said is not None and found is not None:
        assert 0.9 * found < float(said.group(1).replace("\u202f", "")) <= found * (1 + 1e-12)


@given(st.floats(0, 1, exclude_max=True, exclude_min=True))
def test_percent_never_claims_all_or_nothing(share: float) -> None:
    assert percent(share) not in ("100.0\u202f%", "0.0\u202f%")


# numbers


def test_numbers_read_well() -> None:
    def said(text: str) -> str:
        return text.replace("\u202f", " ")

    assert said(si(1.234e-6, "J")) == "1.23 µJ"
    assert said(si(999.96e-9, "J")) == "1.00 µJ"
    assert said(si(0.0, "s")) == "0 s"
    assert said(si(30e9, "MAC/s")) == "30.0 GMAC/s"
    assert said(si(5e-19, "J")) == "0.000500 fJ"
    assert said(si_range(0.41e-6, 3.1e-6, "J")) == "0.41–3.1 µJ"
    assert said(si_range(0.9e-9, 3.1e-6, "J")) == "900 pJ – 3.1 µJ"
    assert said(estimate(Range(1e-6, 2e-6, 3e-6), "J")) == "2.00 µJ (1.0–3.0 µJ)"
    assert said(significant(1234567.0)) == "1 234 567" or said(significant(1234567.0)) == "1 230 000"
    assert said(significant(-0.0456)) == "−0.0456"
    assert count(3.26) == "3.3"


@given(st.floats(1e-14, 1e11))
def test_si_keeps_three_digits(value: float) -> None:
    number, unit = si(value, "J").split("\u202f")[-2:]
    powers = {"f": -15, "p": -12, "n": -9, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9}
    assert float(number) * 10.0 ** powers[unit[:-1]] == pytest.approx(value, rel=6e-3)
    assert 1 <= float(number) < 1000


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_interval_holds_the_share(samples: int, share: float) -> None:
    low, high = wilson(share, samples)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1


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
    assert "winner, label" in text


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
    assert "summary.json: cannot be read" in refused(tmp_path)
    make_folder(tmp_path, summary)
    whole = (tmp_path / "summary.json").read_text()
    for text in ("", whole[: len(whole) // 2], "\x00\xff", "[" * 100_000):
        (tmp_path / "summary.json").write_text(text)
        assert "is truncated or no JSON" in refused(tmp_path)
    (tmp_path / "summary.json").write_bytes(b"\xff\xfe\x00")
    assert "is truncated or no JSON" in refused(tmp_path)
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
    assert "raster.npz: is truncated or no raster" in refused(tmp_path)
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
        "without host input and output",
        "13.5 s",
    ):
        assert wanted in said
    assert verdict(parse_summary(summary, "s")).sentence.replace("\u202f", " ") in said


def test_terminal_without_unicode_and_with_brackets(summary: Json) -> None:
    summary["recipe"] = "[bold]x[/nothing]"
    said = terminal_of(summary, "ascii")
    assert "[bold]x[/nothing] on Intel Loihi 2" in said
    assert "3.40 uJ (220 nJ - 52 uJ)" in said
