"""Reads the input of a run from one file: X.npy, X.npz, or NIR's data (X.h5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, nearest_file, reason
from spikeport.common.file_kinds import FileKind
from spikeport.common.npy import LARGEST_BYTES, NotWholeError, read_npz
from spikeport.exporter.program.chip_program import InputArrays, InputPort

from .array_files import other_kind
from .inputs import load_input
from .nir_data import ENDINGS, read_spikes

_RANDOM = "random:"
_RANDOM_STEPS, _RANDOM_SAMPLES = 32, 4


class HasInputs(Protocol):
    """A network that takes input: a ChipProgram or a FloatNetwork."""

    @property
    def inputs(self) -> tuple[InputPort, ...]:
        """The input ports."""

    @property
    def dt(self) -> float:
        """Seconds per step."""


def open_input(path: Path, program: HasInputs) -> InputArrays:
    """Read a program's input: one array (time, batch, *shape), or one per input by name if there are several.

    .npy holds a single array, .npz one per name, .h5 or .hdf5 NIR's data by node; `random:RATE` draws spikes from a
    fixed seed, to try a network before there is data. Raises InputError.
    """
    if str(path).startswith(_RANDOM):
        return _random_spikes(str(path).removeprefix(_RANDOM), program)
    if path.suffix not in (".npz", *ENDINGS):
        return load_input(path)
    if not path.is_file():
        hint = nearest_file(path)
        raise InputError(f"{path}: no such file{hint}; give arrays of shape (time, batch, *input shape) by input name")
    if path.suffix == ".npz":
        try:
            arrays = read_npz(path, largest=LARGEST_BYTES)
        except (OSError, NotWholeError) as error:
            damaged = f"{path}: is not a whole .npz file ({reason(error)}); save it with numpy.savez"
            raise InputError(other_kind(path, FileKind.NPZ) or damaged) from error
    else:
        arrays = _nir_data(path, program.dt)
    shapes = {port.name: port.shape for port in program.inputs}
    missing = [name for name in shapes if name not in arrays]
    if len(shapes) == len(arrays) == 1 and missing:
        # one array for one input, whatever it is called
        arrays, missing = {missing[0]: next(iter(arrays.values()))}, []
    if missing:
        raise InputError(f"{path}: has no array for input {missing[0]!r}; it holds {', '.join(arrays) or 'none'}")
    arrays_by_input = {name: arrays[name] for name in shapes}
    if path.suffix in ENDINGS:
        # NIR's data has no shape but the number of neurons
        for name, values in arrays_by_input.items():
            if values.shape[2:] == (int(np.prod(shapes[name])),):
                arrays_by_input[name] = values.reshape(*values.shape[:2], *shapes[name])
    return next(iter(arrays_by_input.values())) if len(arrays_by_input) == 1 else arrays_by_input


def _nir_data(path: Path, dt: float) -> dict[str, NDArray[Any]]:
    """The arrays of an HDF5 file of NIR's data; raises InputError that names another kind of file."""
    try:
        return read_spikes(path, dt)
    except InputError as error:
        raise InputError(other_kind(path, FileKind.NIR_DATA) or str(error)) from error


def _random_spikes(rate: str, program: HasInputs) -> InputArrays:
    """0/1 spikes at a rate per step, the same in every call: 4 samples of 32 steps."""
    try:
        chance = float(rate)
    except ValueError:
        chance = -1.0
    if not 0 <= chance <= 1:
        raise InputError(f"--input {_RANDOM}{rate}: a rate is a fraction of the steps; give {_RANDOM}0.1, or a file")
    rng = np.random.default_rng(0)
    shape = (_RANDOM_STEPS, _RANDOM_SAMPLES)
    spikes = {p.name: (rng.random((*shape, *p.shape)) < chance).astype(np.uint8) for p in program.inputs}
    return next(iter(spikes.values())) if len(spikes) == 1 else spikes
