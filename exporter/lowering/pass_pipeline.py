"""The named steps from a NIR graph to the chip's normal form; they can be listed, observed and dumped to files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import nir
import numpy as np

from spikeport.common.files import make_folder, write_text
from spikeport.common.json_text import json_text
from spikeport.exporter.compile_options import LoweringOptions
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation, Floats
from spikeport.exporter.nir_graph.nir_file import write_nir

from .balance_delays import balance_delays
from .fold_leak import fold_leak
from .graded_sums import reserve_relay_step
from .lower import lower
from .passes import PASSES, all_passes
from .passes.drop_dead import drop_dead, left_out

Watch = Callable[[str, "nir.NIRGraph | FloatNetwork"], None]


def describe_passes() -> dict[str, str]:
    """Every step's name and description in order: passes over the graph, lowering, passes over the normal form."""
    descriptions = {
        # passes of other packages may share a module
        name: _sentence((sys.modules[transform.__module__].__doc__ if name in PASSES else transform.__doc__) or "")
        for name, transform in all_passes().items()
    }
    return descriptions | {
        "lower": "neurons become compartments with decays, thresholds and biases per step, synapses connections",
        "fold_leak": _sentence(sys.modules[fold_leak.__module__].__doc__ or ""),
        "balance_delays": "joining branches wait for the longest; a neuron receives its own spikes a step later",
    }


def run(graph: nir.NIRGraph, options: LoweringOptions, context: str, on_pass: Watch | None = None) -> FloatNetwork:
    """Run all steps in order; `on_pass` is called with each one's name and result. Raises InputError."""
    report: Watch = on_pass or (lambda _name, _result: None)
    notes: tuple[str, ...] = ()
    for name, transform in all_passes().items():
        before, graph = graph, transform(graph)
        if transform is drop_dead:
            notes = left_out(before, graph)
        report(name, graph)
    network = lower(graph, options, context)
    report("lower", network)
    network = fold_leak(network)
    if options.sums == "graded":
        network = reserve_relay_step(network)
    report("fold_leak", network)
    balanced = balance_delays(replace(network, notes=(*notes, *network.notes)))
    report("balance_delays", balanced)
    return balanced


def dump_to(folder: Path) -> Watch:
    """A callback that writes NN_NAME.nir for each graph and NN_NAME.json for each network into a folder."""
    make_folder(folder)
    order = {name: index for index, name in enumerate(describe_passes(), start=1)}

    def write(name: str, result: nir.NIRGraph | FloatNetwork) -> None:
        path = folder / f"{order[name]:02d}_{name}"
        if isinstance(result, FloatNetwork):
            write_text(path.with_suffix(".json"), json_text(network_dict(result), indent=2) + "\n")
        else:
            write_nir(result, path.with_suffix(".nir"))

    return write


def network_dict(network: FloatNetwork) -> dict[str, Any]:
    """A readable summary of a network: its connections, and each constant's lowest and highest value."""
    return {
        "dt": network.dt,
        "inputs": [asdict(port) for port in network.inputs],
        "populations": [_population_dict(p) for p in network.populations],
        "connections": [_connection_dict(c) for c in network.connections],
        "outputs": list(network.outputs),
        "notes": list(network.notes),
    }


def _population_dict(population: FloatPopulation) -> dict[str, Any]:
    fields = ("current_decay", "voltage_decay", "threshold", "bias", "v_leak", "v_initial")
    return {
        "name": population.name,
        "shape": list(population.shape),
        "sends": population.sends,
        "reset": population.reset,
        "start": population.start,
        **{name: _range(getattr(population, name)) for name in fields},
    }


def _connection_dict(connection: FloatConnection) -> dict[str, Any]:
    dense = isinstance(connection.weights, np.ndarray)
    stored = np.asarray(connection.weights if dense else connection.weights.data)
    delays = connection.axonal_delays
    return {
        "source": connection.source,
        "target": connection.target,
        "synapse": connection.synapse,
        "kind": "convolution" if connection.geometry else "dense" if dense else "sparse",
        "shape": list(connection.weights.shape),
        "weights": int(stored.size),
        "range": _range(stored),
        "delay": connection.delay,
        "delay_of_the_network": connection.steps,
        "axonal_delays": None if delays is None else [int(delays.min()), int(delays.max())],
        "geometry": None if connection.geometry is None else asdict(connection.geometry),
    }


def _range(values: Floats) -> list[float | None]:
    """Lowest and highest; None for infinity, which JSON cannot represent."""
    if not values.size:
        return [0.0, 0.0]
    return [float(v) if np.isfinite(v) else None for v in (values.min(), values.max())]


def _sentence(text: str) -> str:
    """The first sentence of a pass's description."""
    first = " ".join(text.split("\n\n")[0].split()).removeprefix("Pass: ")
    return first.split(". ")[0].rstrip(".")
