"""Reads and writes NIR's own data files (nir.read_data, nir.write_data): a run's input and output.

A file holds observables by node, each time-gridded, (samples, steps, neurons), or events, (samples, events) of index
and time in seconds. An event at time t belongs to step floor(t / dt); several of one neuron in one step count as one
spike, and their values, if any, add up.
"""

from __future__ import annotations

import math
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, naming, reason
from spikeport.common.files import write_bytes
from spikeport.common.hdf5 import LARGEST_BYTES, check_self_contained

from .result import SimulationResult

ENDINGS = (".h5", ".hdf5")
# tolerance as a fraction of a step: times are sums of floating-point steps
_NEAR = 1e-6
_SPIKES = ("spikes", "s", "input")


def read_spikes(path: str | Path, dt: float) -> dict[str, NDArray[Any]]:
    """Every node's spikes on a grid of dt seconds, (steps, samples, neurons) by the node's name.

    Of several observables, the one named spikes, s or input is used. Raises InputError for any other file, another time
    step, or events out of range.
    """
    try:
        with h5py.File(path, "r") as file:
            check_self_contained(file, str(path))
        data = nir.read_data(str(path))
    except InputError:
        raise
    except Exception as error:  # nir raises OSError, KeyError, ValueError and more
        raise InputError(f"{path}: is not NIR data ({reason(error)}); write it with nir.write_data") from error
    spikes = {}
    for name, node in data.nodes.items():
        context = f"{path}: node {name!r}"
        with naming(context, "write it with nir.write_data"):
            spikes[name] = _on_grid(node, dt, context)
    return spikes


def write_result(result: SimulationResult, dt: float, path: str | Path) -> None:
    """Write spikes, and states where they were recorded, as time-gridded observables of each population.

    Raises InputError if the file cannot be written.
    """
    by_population: dict[str, dict[str, nir.TimeGriddedData]] = {}
    for name, spikes in result.spikes.items():
        by_population.setdefault(name, {})["spikes"] = _as_observable(spikes, dt)
    for key, values in result.states.items():
        state, name = key.split("/", 1)
        by_population.setdefault(name, {})["spikes" if state == "s" else state] = _as_observable(values, dt)
    nodes = {name: nir.NIRNodeData(observables) for name, observables in by_population.items()}
    content = BytesIO()
    nir.write_data(content, nir.NIRGraphData(nodes))
    write_bytes(path, content.getbuffer())


def _as_observable(values: NDArray[Any], dt: float) -> nir.TimeGriddedData:
    """(steps, batch, *shape) -> (samples, steps, neurons); 0/1 spikes are boolean."""
    flat = np.swapaxes(values.reshape(*values.shape[:2], -1), 0, 1)
    return nir.TimeGriddedData(flat.astype(np.bool_) if flat.dtype == np.uint8 else flat, dt)


def _on_grid(node: Any, dt: float, context: str) -> NDArray[Any]:
    if not isinstance(node, nir.NIRNodeData) or not node.observables:
        raise InputError(f"{context} holds no observables; give spikes for an input")
    names = list(node.observables)
    name = names[0] if len(names) == 1 else next((n for n in _SPIKES if n in names), None)
    if name is None:
        raise InputError(f"{context} holds {', '.join(names)}; name the one that enters the network 'spikes'")
    data = node.observables[name]
    if isinstance(data, nir.EventData):
        return _from_events(data, dt, context)
    if abs(data.dt - dt) > _NEAR * dt:
        raise InputError(f"{context} has steps of {data.dt:g} s, the network of {dt:g} s; make them the same with --dt")
    values = np.asarray(data.data)
    return np.swapaxes(values.astype(np.uint8) if values.dtype == np.bool_ else values, 0, 1)


def _from_events(data: nir.EventData, dt: float, context: str) -> NDArray[Any]:
    steps = int(np.ceil(data.t_max / dt - _NEAR))
    samples, _ = np.nonzero(data.idx >= 0)
    neurons, times = data.idx[data.idx >= 0], data.time[data.idx >= 0]
    step = np.floor(times / dt + _NEAR)
    if np.any(neurons >= data.n_neurons) or np.any(step < 0) or np.any(step >= steps) or np.any(~np.isfinite(times)):
        raise InputError(
            f"{context} has events beyond its {data.n_neurons} neurons or {data.t_max:g} s; write it again"
        )
    indices = step.astype(np.int64), samples, neurons
    shape = (steps, data.n_samples, data.n_neurons)
    if math.prod(shape) * 8 > LARGEST_BYTES:
        raise InputError(f"{context} spans {steps} steps of {dt:g} s, more than can be read; give a shorter recording")
    if isinstance(data, nir.ValuedEventData):
        values = np.zeros(shape)
        np.add.at(values, indices, data.value[data.idx >= 0])
        return values
    spikes = np.zeros(shape, np.uint8)
    spikes[indices] = 1
    return spikes
