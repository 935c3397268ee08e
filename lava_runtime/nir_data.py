"""NIR's own data files (nir.read_data, nir.write_data) as input to a run and as its output.

A file holds observables by node, each time-gridded, (samples, steps, neurons), or events, (samples, events) of index
and time in seconds. An event at time t belongs to step floor(t / dt); several of one neuron in one step count as one
spike, their values, where they have some, add up.
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
# of a step: times are sums of floating-point steps
_NEAR = 1e-6
_SPIKES = ("spikes", "s", "input")


def read_spikes(path: str | Path, dt: float) -> dict[str, NDArray[Any]]:
    """Every node's spikes on a grid of dt seconds, (steps, samples, neurons) by the node's name.

    Of several observables that of the name spikes, s or input counts. Raises InputError for a file that is none,
    another time step, or events that lie outside.
    """
    try:
        with h5py.File(path, "r") as file:
            check_self_contained(file, str(path))
        data = nir.read_data(str(path))
    except InputError:
        raise
    except Exception as error:  # nir raises OSError, KeyError, ValueError and more
        raise InputError(f"{path}: is no NIR data ({reason(error)}); write it with nir.write_data") from error
    found = {}
    for name, node in data.nodes.items():
        what = f"{path}: node {name!r}"
        with naming(what, "write it with nir.write_data"):
            found[name] = _gridded(node, dt, what)
    return found


def write_result(result: SimulationResult, dt: float, path: str | Path) -> None:
    """Write spikes, and states where they were recorded, as time-gridded observables of each population.

    Raises InputError if the file cannot be written.
    """
    found: dict[str, dict[str, nir.TimeGriddedData]] = {}
    for name, spikes in result.spikes.items():
        found.setdefault(name, {})["spikes"] = _grid(spikes, dt)
    for key, values in result.states.items():
        state, name = key.split("/", 1)
        found.setdefault(name, {})["spikes" if state == "s" else state] = _grid(values, dt)
    nodes = {name: nir.NIRNodeData(observables) for name, observables in found.items()}
    content = BytesIO()
    nir.write_data(content, nir.NIRGraphData(nodes))
    write_bytes(path, content.getbuffer())


def _grid(values: NDArray[Any], dt: float) -> nir.TimeGriddedData:
    """(steps, batch, *shape) -> (samples, steps, neurons); 0/1 spikes are boolean."""
    flat = np.swapaxes(values.reshape(*values.shape[:2], -1), 0, 1)
    return nir.TimeGriddedData(flat.astype(np.bool_) if flat.dtype == np.uint8 else flat, dt)


def _gridded(node: Any, dt: float, what: str) -> NDArray[Any]:
    if not isinstance(node, nir.NIRNodeData) or not node.observables:
        raise InputError(f"{what} holds no observables; give spikes for an input")
    names = list(node.observables)
    name = names[0] if len(names) == 1 else next((n for n in _SPIKES if n in names), None)
    if name is None:
        raise InputError(f"{what} holds {', '.join(names)}; call the one that enters the network 'spikes'")
    data = node.observables[name]
    if isinstance(data, nir.EventData):
        return _from_events(data, dt, what)
    if abs(data.dt - dt) > _NEAR * dt:
        raise InputError(f"{what} has steps of {data.dt:g} s, the network of {dt:g} s; make them alike with --dt")
    values = np.asarray(data.data)
    return np.swapaxes(values.astype(np.uint8) if values.dtype == np.bool_ else values, 0, 1)


def _from_events(data: nir.EventData, dt: float, what: str) -> NDArray[Any]:
    steps = int(np.ceil(data.t_max / dt - _NEAR))
    samples, _ = np.nonzero(data.idx >= 0)
    neurons, times = data.idx[data.idx >= 0], data.time[data.idx >= 0]
    step = np.floor(times / dt + _NEAR)
    if np.any(neurons >= data.n_neurons) or np.any(step < 0) or np.any(step >= steps) or np.any(~np.isfinite(times)):
        raise InputError(f"{what} has events beyond its {data.n_neurons} neurons or {data.t_max:g} s; write it again")
    places = step.astype(np.int64), samples, neurons
    shape = (steps, data.n_samples, data.n_neurons)
    if math.prod(shape) * 8 > LARGEST_BYTES:
        raise InputError(f"{what} spans {steps} steps of {dt:g} s, more than can be read; give a shorter recording")
    if isinstance(data, nir.ValuedEventData):
        values = np.zeros(shape)
        np.add.at(values, places, data.value[data.idx >= 0])
        return values
    spikes = np.zeros(shape, np.uint8)
    spikes[places] = 1
    return spikes
