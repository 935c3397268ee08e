"""Reading and writing a ChipProgram: a plain HDF5 file (`.chip`), laid out as docs/chip-file.md describes.

/                       attributes: format = "spikeport.chip", version, chip, dt, word_widths (JSON), outputs (JSON)
/inputs/<name>          attributes: shape, scale where real numbers may enter, payload where more than 1
/populations/<name>     attributes: shape, kind; a dataset for each of the neuron model's constants (int32)
/connections/<0000>     attributes: kind, source, target, weight_exp, sign_mode, weight_bits, delay, port, synapse, and
                        for conv the geometry; datasets weights (int16), for sparse indices and indptr, and, if there
                        are any, axonal_delays and synaptic_delays
/quantisation/<name>    attributes: what quantisation did to the population
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, nearest_file, reason
from spikeport.common.files import write_bytes
from spikeport.common.hdf5 import check_self_contained, check_written
from spikeport.common.text_files import parse_json
from spikeport.common.whole_numbers import whole_number, whole_numbers
from spikeport.exporter.neurons import ALL_NEURONS, CubaLIF
from spikeport.hardware_profiles.fixed_point import WordWidths

from .chip_program import (
    ChipProgram,
    Connection,
    ConvConnection,
    DenseConnection,
    InputPort,
    Population,
    Quantisation,
    SparseConnection,
)
from .validate import validate

FORMAT = "spikeport.chip"
VERSION = 2
# version 1 had only CUBA-LIF populations and dense and convolutional connections, in the same layout
READ = (1, 2)

_DELAYS = ("axonal_delays", "synaptic_delays")
_GEOMETRY = ("input_shape", "output_shape", "stride", "padding", "dilation", "groups")
_KINDS: dict[str, type[Connection]] = {
    "dense": DenseConnection,
    "sparse": SparseConnection,
    "conv": ConvConnection,
}


def save_program(program: ChipProgram, path: str | Path) -> None:
    """Write a program; the file appears only when it is complete. Raises InputError if it cannot be written."""
    write_bytes(path, program_bytes(program, str(path)))


def program_bytes(program: ChipProgram, context: str = "program") -> bytes:
    """The content of a program's file; raises InputError if it could not be read back."""
    validate(program)
    # HDF5 itself cannot handle a full disk, so it writes to memory
    content = BytesIO()
    with h5py.File(content, "w", track_order=True) as file:
        _write(program, file)
    check_written(content, context)
    return content.getvalue()


def load_program(path: str | Path) -> ChipProgram:
    """Read a program and check every number; raises InputError for a wrong version, a truncated file, a bad range."""
    if not Path(path).is_file():
        hint = nearest_file(path)
        raise InputError(f"{path}: no such file{hint}; make one with `spikeport compile MODEL --chip NAME -o {path}`")
    try:
        with h5py.File(path, "r", track_order=True) as file:
            program = _read(file, str(path))
    except InputError:
        raise
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
        raise InputError(f"{path}: is not a complete .chip file ({reason(error)}); compile the model again") from error
    return validate(program, str(path))


def _write(program: ChipProgram, file: h5py.File) -> None:
    file.attrs.update(
        format=FORMAT,
        version=VERSION,
        chip=program.chip,
        dt=program.dt,
        word_widths=json.dumps(asdict(program.widths)),
        outputs=json.dumps(program.outputs),
    )
    inputs = file.create_group("inputs", track_order=True)
    for port in program.inputs:
        group = inputs.create_group(port.name)
        group.attrs["shape"] = port.shape
        if port.scale is not None:
            group.attrs["scale"] = port.scale
        if port.payload > 1:
            group.attrs["payload"] = port.payload
    populations = file.create_group("populations", track_order=True)
    for population in program.populations:
        group = populations.create_group(population.name)
        group.attrs.update(shape=population.shape, kind=population.KIND)
        for name in population.constants():
            _store(group, name, getattr(population, name))
    connections = file.create_group("connections", track_order=True)
    for index, connection in enumerate(program.connections):
        _write_connection(connection, connections.create_group(f"{index:04d}"))
    quantisation = file.create_group("quantisation", track_order=True)
    for name, report in program.quantisation.items():
        quantisation.create_group(name).attrs["report"] = json.dumps(asdict(report))


def _write_connection(connection: Connection, group: h5py.Group) -> None:
    kind = next(k for k, cls in _KINDS.items() if isinstance(connection, cls))
    group.attrs.update(
        kind=kind,
        source=connection.source,
        target=connection.target,
        weight_exp=connection.weight_exp,
        sign_mode=connection.sign_mode,
        weight_bits=connection.weight_bits,
        delay=connection.delay,
        port=connection.port,
        synapse=connection.synapse,
    )
    if isinstance(connection, ConvConnection):
        group.attrs.update({name: getattr(connection, name) for name in _GEOMETRY})
    _store(group, "weights", connection.weights.astype(np.int16))
    if isinstance(connection, SparseConnection):
        _store(group, "indices", connection.indices)
        _store(group, "indptr", connection.indptr)
    for name in _DELAYS:
        delays = getattr(connection, name)
        if delays is not None:
            _store(group, name, delays.astype(np.uint8))


def _store(group: h5py.Group, name: str, values: Any) -> None:
    group.create_dataset(name, data=values, compression="gzip", shuffle=True, track_times=False)


def _read(file: h5py.File, path: str) -> ChipProgram:
    check_self_contained(file, path)
    if file.attrs.get("format") != FORMAT:
        raise InputError(f"{path}: is not a {FORMAT} file; compile a model to make one")
    version = whole_number(file.attrs["version"], f"{path}: version")
    if version not in READ:
        raise InputError(
            f"{path}: has format version {version}, this program reads {' and '.join(map(str, READ))}; "
            "compile the model again"
        )
    return ChipProgram(
        chip=str(file.attrs["chip"]),
        widths=WordWidths(**parse_json(file.attrs["word_widths"])),
        dt=float(file.attrs["dt"]),
        inputs=tuple(_read_input(name, group, path) for name, group in file["inputs"].items()),
        populations=tuple(_read_population(name, group, path) for name, group in file["populations"].items()),
        connections=tuple(_read_connection(group, path) for group in file["connections"].values()),
        outputs=tuple(str(name) for name in parse_json(file.attrs["outputs"])),
        quantisation={name: _read_report(group) for name, group in file["quantisation"].items()},
    )


def _read_input(name: str, group: h5py.Group, path: str) -> InputPort:
    scale = group.attrs.get("scale")
    payload = int(group.attrs.get("payload", 1))
    return InputPort(name, _shape(group, path), None if scale is None else float(scale), payload)


def _read_population(name: str, group: h5py.Group, path: str) -> Population:
    kind = str(group.attrs.get("kind", CubaLIF.KIND))
    if kind not in ALL_NEURONS:
        raise InputError(f"{path}: population {name!r} is of kind {kind!r}; known are {', '.join(ALL_NEURONS)}")
    model = ALL_NEURONS[kind]
    constants = {key: _array(group, key, path) for key in model.constants()}
    return model(name, _shape(group, path), **constants)


def _read_connection(group: h5py.Group, path: str) -> Connection:
    attributes = group.attrs
    kind = str(attributes["kind"])
    if kind not in _KINDS:
        raise InputError(f"{path}: connection {group.name} is of kind {kind!r}; known are {', '.join(_KINDS)}")

    def whole(name: str) -> int:
        return whole_number(attributes[name], f"{path}: {group.name}, {name}")

    common: dict[str, Any] = {
        "source": str(attributes["source"]),
        "target": str(attributes["target"]),
        "weights": _array(group, "weights", path),
        "sign_mode": str(attributes["sign_mode"]),
        "port": str(attributes.get("port", "a_in")),
        "synapse": str(attributes.get("synapse", "")),
    }
    common |= {name: whole(name) for name in ("weight_exp", "weight_bits", "delay")}
    common |= {name: _array(group, name, path) for name in _DELAYS if name in group}
    if kind == "sparse":
        indptr = _array(group, "indptr", path).astype(np.int64)
        return SparseConnection(**common, indices=_array(group, "indices", path), indptr=indptr)
    if kind == "conv":
        geometry: dict[str, Any] = {name: _tuple(group, name, path) for name in _GEOMETRY[:-1]}
        return ConvConnection(**common, **geometry, groups=whole("groups"))
    return DenseConnection(**common)


def _read_report(group: h5py.Group) -> Quantisation:
    values = parse_json(group.attrs["report"])
    known = {item.name for item in fields(Quantisation)}
    report = {key: value for key, value in values.items() if key in known}
    return Quantisation(**{**report, "notes": tuple(report.get("notes", ()))})


def _shape(group: h5py.Group, path: str) -> tuple[int, ...]:
    return _tuple(group, "shape", path)


def _tuple(group: h5py.Group, name: str, path: str) -> tuple[int, ...]:
    return tuple(int(n) for n in whole_numbers(group.attrs[name], f"{path}: {group.name}, {name}"))


def _array(group: h5py.Group, name: str, path: str) -> NDArray[np.int32]:
    dataset = group[name]
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "iu" or dataset.ndim == 0:
        raise InputError(f"{path}: {group.name}/{name} holds no integers; compile the model again")
    return whole_numbers(dataset[()], f"{path}: {group.name}/{name}")
