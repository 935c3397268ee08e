"""A made-up finished run, for tests of the report."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from spikeport.report import print_summary
from spikeport.report.page import render
from spikeport.summary import parse_summary

Json = dict[str, Any]
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


def _fidelity(name: str, neurons: int, first: Json | None, differing: int, spikes: float) -> Json:
    return {
        "name": name,
        "neurons": neurons,
        "first": first,
        "differing": differing,
        "differing_share": differing / (200 * 18 * neurons),
        "float_spikes": spikes,
        "chip_spikes": spikes + differing / 200,
        "rate_error": differing / 200 / spikes,
        "u_peak": 0.21,
        "v_limited_share": 0.0,
    }


_SPREAD = {"low": 0.5e-6, "typical": 1e-6, "high": 3e-6}


def _core(x: int, y: int, layer: str, neurons: int, fill: dict[str, float]) -> Json:
    return {"chip": 0, "x": x, "y": y, "layers": {layer: neurons}, "fill": fill}


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
        "training": {"method": "bptt", "neuron": "cuba_lif", "encoding": "rate", "epochs": 30, "seed": 0},
        "python": "3.10.13",
        "platform": "linux",
        "versions": {"torch": "2.5.1", "nir": "1.0.8", "numpy": "1.26.4"},
        "accuracy": {"ann": 0.9833, "ann_int8": 0.9806, "float": 0.9778, "fixed": 0.975},
        "agreement": 359 / 360,
        "equal_spikes": 358 / 360,
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
        "difference": {
            "chip": "loihi2",
            "samples": 200,
            "steps": 18,
            "equal": False,
            "same_winner": 0.995,
            "layers": [
                _fidelity("hidden", 128, {"step": 3, "sample": 5, "neuron": [17], "chip_spikes": True}, 12, 305.5),
                _fidelity("readout", 10, None, 0, 12.5),
            ],
            "causes": {"weights": {"differing": 3, "share": 1.0}},
        },
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
        "core_map": {
            "columns": 16,
            "rows": 8,
            "cores_per_router": 1,
            "chips_per_board": 1,
            "recorded": True,
            "cores": [
                _core(3, 2, "hidden", 128, {"compartments": 0.03, "synapse memory": 0.083, "input axons": 0.02}),
                _core(4, 2, "readout", 10, {"compartments": 0.002, "synapse memory": 0.01, "input axons": 0.031}),
            ],
            "step_s": {name: [scale * (1 + t % 3) for t in range(18)] for name, scale in _SPREAD.items()},
            "busy_s": [[0.8e-6 * (1 + t % 3) for t in range(18)], [0.3e-6] * 18],
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
    print_summary(parse_summary(summary, "summary.json"), Console(file=stream, width=150))
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
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]
