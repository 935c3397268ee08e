"""The result of a simulation, and its file (.npz)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spikeport.common.arrays import read_arrays, save_arrays
from spikeport.common.errors import InputError
from spikeport.exporter.program.chip_program import ChipProgram, Population

Record = Literal["spikes", "layers", "all"]
"""Recorded per step: the outputs' spikes, every layer's, or every layer's and all states."""

Allocator = Callable[[str, tuple[int, ...], type], NDArray[Any]]
"""(name, shape, integer type): allocates zeros for what is recorded under that name."""


@dataclass(frozen=True)
class SimulationResult:
    """Spikes and counts of one run; step t of every array is step t of the chip.

    spikes: output name -> uint8 (steps, batch, *shape), int32 where they carry payloads.
    neuron_counts: input or population name -> int32 (batch, *shape), spikes over the whole run.
    states: "s/NAME" as spikes, where record is "layers" or "all", and "STATE/NAME" int32 for every state of the neuron
    model (u, v), where it is "all"; each (steps, batch, *shape).
    seconds: duration of the run ("build", "run").
    """

    spikes: Mapping[str, NDArray[Any]]
    neuron_counts: Mapping[str, NDArray[np.int32]]
    steps: int
    states: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def batch(self) -> int:
        """Number of samples."""
        return next(iter(self.spikes.values())).shape[1]

    @property
    def output(self) -> NDArray[Any]:
        """The first output's spikes."""
        return next(iter(self.spikes.values()))

    def counts(self) -> dict[str, NDArray[np.int64]]:
        """Spikes per sample of every input and population, each (batch,)."""
        return {name: n.reshape(len(n), -1).sum(axis=1, dtype=np.int64) for name, n in self.neuron_counts.items()}

    def output_counts(self, window: slice = slice(None)) -> NDArray[np.int64]:
        """Output spikes per class over a window of steps, (batch, classes)."""
        spikes = self.output[window]
        counts: NDArray[np.int64] = spikes.reshape(*spikes.shape[:2], -1).sum(axis=0, dtype=np.int64)
        return counts

    def winners(self) -> NDArray[np.int64]:
        """The output neuron with the most spikes per sample (the first of equals)."""
        return np.asarray(self.output_counts().argmax(axis=1), dtype=np.int64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays of the .npz file by name."""
        first, *others = self.spikes
        named: dict[str, NDArray[Any]] = {"spikes": self.spikes[first]}
        named |= {f"spikes/{name}": self.spikes[name] for name in others}
        named |= {f"counts/{name}": values for name, values in self.counts().items()}
        # a neuron spikes at most once per step, which bounds the bytes of a count
        kind = next(k for k in (np.uint8, np.uint16, np.int32) if self.steps <= np.iinfo(k).max)
        named |= {f"neuron_counts/{name}": values.astype(kind) for name, values in self.neuron_counts.items()}
        return named | dict(self.states)

    def save(self, path: str | Path, units: Mapping[str, NDArray[Any]] = MappingProxyType({})) -> None:
        """Write OUT.npz, which appears only when complete. Raises InputError if it cannot be written.

        units: the value of one unit of an output's payloads, by output (`ChipProgram.output_units`).
        """
        save_arrays(path, self.arrays() | unit_arrays(units))


def joined(parts: Sequence[SimulationResult]) -> SimulationResult:
    """Runs of the same length on consecutive samples as one, without states."""
    first = parts[0]
    return SimulationResult(
        {name: np.concatenate([part.spikes[name] for part in parts], axis=1) for name in first.spikes},
        {name: np.concatenate([part.neuron_counts[name] for part in parts]) for name in first.neuron_counts},
        first.steps,
    )


def unit_arrays(units: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The units of outputs as they are named in OUT.npz."""
    return {f"units/{name}": values for name, values in units.items()}


def load_result(path: str | Path, program: ChipProgram) -> SimulationResult:
    """Read OUT.npz, the run of this program; raises InputError if it is broken, or of another program."""
    with np.load(_readable(path), allow_pickle=False) as file:
        stored = set(file.files)
    first, *others = program.outputs
    outputs = {first: "spikes"} | {name: f"spikes/{name}" for name in others}
    counts = {node.name: f"neuron_counts/{node.name}" for node in program.nodes}
    states = [f"{s}/{p.name}" for p in program.populations for s in ("s", *p.STATES) if f"{s}/{p.name}" in stored]
    if missing := sorted({*outputs.values(), *counts.values()} - stored):
        raise InputError(f"{path}: has no array {missing[0]!r}, so it is not a run of this network; give its OUT.npz")
    arrays = read_arrays(path, *outputs.values(), *counts.values(), *states)
    shapes = {array: program.source_shape(name) for name, array in (outputs | counts).items()}
    shapes |= {array: program.source_shape(array.split("/", 1)[1]) for array in states}
    for array, shape in shapes.items():
        if arrays[array].shape[1 if array in counts.values() else 2 :] != shape:
            raise InputError(
                f"{path}: array {array!r} has shape {arrays[array].shape}, but the network's layer has {shape}; "
                "give a run of this network"
            )
    spikes = {name: arrays[array] for name, array in outputs.items()}
    return SimulationResult(
        spikes,
        {name: arrays[array].astype(np.int32) for name, array in counts.items()},
        len(spikes[first]),
        {array: arrays[array] for array in states},
    )


def _readable(path: str | Path) -> str | Path:
    # raises with the reason if the file is broken
    read_arrays(path)
    return path


# steps whose spikes are counted in bytes
_STEPS = 64


def zeros_in_memory(_: str, shape: tuple[int, ...], kind: type) -> NDArray[Any]:
    """An array of zeros in memory."""
    return np.zeros(shape, kind)


@dataclass(frozen=True)
class Recording:
    """The arrays recorded for one population: n counts spikes (batch, size), s and states (steps, batch, size)."""

    n: NDArray[np.int32]
    s: NDArray[Any] | None
    states: Mapping[str, NDArray[np.int32]]

    @classmethod
    def empty(
        cls,
        population: Population,
        times: tuple[int, int],
        output: bool,
        record: Record,
        allocate: Allocator = zeros_in_memory,
    ) -> Recording:
        """Allocate for times (steps, batch): spikes of outputs or if layers are recorded, states if all are."""
        everything = record == "all"
        shape = (*times, population.size)
        spikes = np.int32 if population.GRADED else np.uint8
        return cls(
            np.zeros(shape[1:], np.int32),
            allocate(f"s/{population.name}", shape, spikes) if output or record != "spikes" else None,
            {n: allocate(f"{n}/{population.name}", shape, np.int32) for n in population.STATES} if everything else {},
        )

    def of(self, group: slice) -> Recording:
        """The slice of a group of samples, sharing memory."""
        spikes = None if self.s is None else self.s[:, group]
        return Recording(self.n[group], spikes, {name: values[:, group] for name, values in self.states.items()})

    def part(self, compartments: slice) -> Recording:
        """The slice of some compartments, sharing memory."""
        spikes = None if self.s is None else self.s[..., compartments]
        states = {name: values[..., compartments] for name, values in self.states.items()}
        return Recording(self.n[:, compartments], spikes, states)

    @property
    def nbytes(self) -> int:
        """Size of all arrays in bytes."""
        return sum(values.nbytes for values in (self.n, self.s, *self.states.values()) if values is not None)

    def write(self, steps: slice, spikes: NDArray[Any] | None, states: Mapping[str, NDArray[np.int32]]) -> None:
        """Record these steps, a single one if states are recorded; spikes: (steps, batch, size)."""
        if self.s is not None:
            assert spikes is not None
            self.s[steps] = spikes
        for name, values in self.states.items():
            values[steps] = states[name]


def collect(
    program: ChipProgram,
    inputs: Mapping[str, NDArray[Any]],
    steps: int,
    recordings: Mapping[str, Recording],
    seconds: Mapping[str, float],
    record: Record,
) -> SimulationResult:
    """Build the result: a run's arrays in the shapes of the network."""

    def shaped(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        return values.reshape(*values.shape[:-1], *shape)

    counts, states, output_spikes = {}, {}, {}
    for port in program.inputs:
        counts[port.name] = shaped(_entered(inputs[port.name][:steps]), port.shape)
    for population in program.populations:
        recording = recordings[population.name]
        counts[population.name] = shaped(recording.n, population.shape)
        if record != "spikes" and recording.s is not None:
            states[f"s/{population.name}"] = shaped(recording.s, population.shape)
        for name, values in recording.states.items():
            states[f"{name}/{population.name}"] = shaped(values, population.shape)
        if population.name in program.outputs and recording.s is not None:
            output_spikes[population.name] = shaped(recording.s, population.shape)
    ordered = {name: output_spikes[name] for name in program.outputs}
    return SimulationResult(ordered, counts, steps, states, seconds)


def _entered(values: NDArray[Any]) -> NDArray[np.int32]:
    """Spikes of an input, (batch, size), a few steps at a time, because it may exceed memory."""
    total = np.zeros(values.shape[1:], np.int32)
    for start in range(0, len(values), _STEPS):
        sent = (values[start : start + _STEPS] != 0).view(np.uint8)
        counted = np.add.reduce(sent.reshape(len(sent), -1), axis=0, dtype=np.uint8)
        total += counted.reshape(total.shape)
    return total


def differences(first: SimulationResult, second: SimulationResult) -> list[str]:
    """Names of the arrays in which two results differ."""
    ours, theirs = first.arrays(), second.arrays()
    return [name for name in ours if name not in theirs or not np.array_equal(ours[name], theirs[name])]
