"""Input of every kind that a network can be run on, from one file: X.npy, X.npz, or NIR's data (X.h5)."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from spikeport.common.errors import InputError, nearest_file, reason
from spikeport.common.npy import LARGEST_BYTES, NotWholeError, read_npz
from spikeport.exporter.program.chip_program import InputArrays, InputPort

from .inputs import load_input
from .nir_data import ENDINGS, read_spikes

_RANDOM = "random:"
_RANDOM_STEPS, _RANDOM_SAMPLES = 32, 4


class Entered(Protocol):
    """What input is given to: a ChipProgram or a FloatNetwork."""

    @property
    def inputs(self) -> tuple[InputPort, ...]:
        """Where it enters."""

    @property
    def dt(self) -> float:
        """Seconds a step."""


def open_input(path: Path, program: Entered) -> InputArrays:
    """What enters a program: one array (time, batch, *shape), or one by the name of each of several inputs.

    .npy holds the one, .npz one a name, a .h5 or .hdf5 file NIR's data by node; `random:RATE` stands for spikes drawn
    from a fixed seed, to try a network before there are data. Raises InputError.
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
            raise InputError(f"{path}: is no whole .npz file ({reason(error)}); save it with numpy.savez") from error
    else:
        arrays = read_spikes(path, program.dt)
    shapes = {port.name: port.shape for port in program.inputs}
    missing = [name for name in shapes if name not in arrays]
    if len(shapes) == len(arrays) == 1 and missing:
        # one array for one input, whatever it is called
        arrays, missing = {missing[0]: next(iter(arrays.values()))}, []
    if missing:
        raise InputError(f"{path}: has no array for input {missing[0]!r}; it holds {', '.join(arrays) or 'none'}")
    chosen = {name: arrays[name] for name in shapes}
    if path.suffix in ENDINGS:
        # NIR's data know no shape but the number of neurons
        for name, values in chosen.items():
            if values.shape[2:] == (int(np.prod(shapes[name])),):
                chosen[name] = values.reshape(*values.shape[:2], *shapes[name])
    return next(iter(chosen.values())) if len(chosen) == 1 else chosen


def _random_spikes(rate: str, program: Entered) -> InputArrays:
    """0/1 spikes at a rate a step, the same at every call: 4 samples of 32 steps."""
    try:
        chance = float(rate)
    except ValueError:
        chance = -1.0
    if not 0 <= chance <= 1:
        raise InputError(f"--input {_RANDOM}{rate}: a rate is a share of the steps; give {_RANDOM}0.1, or a file")
    rng = np.random.default_rng(0)
    shape = (_RANDOM_STEPS, _RANDOM_SAMPLES)
    drawn = {p.name: (rng.random((*shape, *p.shape)) < chance).astype(np.uint8) for p in program.inputs}
    return next(iter(drawn.values())) if len(drawn) == 1 else drawn
