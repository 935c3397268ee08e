"""Input to a simulation: reads X.npy and rejects what the chip cannot receive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.as_arrays import as_arrays
from spikeport.common.errors import InputError, nearest_file, reason
from spikeport.common.npy import NotWholeError, map_npy
from spikeport.exporter.program.chip_program import ChipProgram, InputArrays, InputPort

from .array_files import other_kind


def as_dict(x: InputArrays) -> Mapping[str, NDArray[Any]]:
    """The input arrays by name; a single array gets the name ""."""
    return {"": x} if isinstance(x, np.ndarray) else x


def steps_and_samples(x: InputArrays) -> tuple[int, int]:
    """Number of time steps and samples, 0 where an axis is missing."""
    first = next(iter(as_dict(x).values()), np.zeros(0))
    return (first.shape[0] if first.ndim else 0), (first.shape[1] if first.ndim > 1 else 0)


def slice_samples(x: InputArrays, start: int, stop: int) -> InputArrays:
    """Samples `start` to `stop` - 1 of the input, not copied."""
    if isinstance(x, np.ndarray):
        return x[:, start:stop]
    return {name: values[:, start:stop] for name, values in x.items()}


def load_input(path: str | Path, content: str = "a .npy array of shape (time, batch, *input shape)") -> NDArray[Any]:
    """Map an .npy file into memory without executing code; raises InputError for a missing, truncated or object file.

    It is read from disk on access. content: what the sentence for a missing file asks for.
    """
    if not Path(path).exists():
        raise InputError(f"{path}: no such file{nearest_file(path)}; give {content}")
    try:
        return map_npy(path)
    except (OSError, NotWholeError) as error:
        damaged = f"{path}: is not a whole .npy array ({reason(error)}); save it again with numpy.save"
        raise InputError(other_kind(path) or damaged) from error


def load_labels(path: str | Path) -> NDArray[Any]:
    """Map the labels of samples into memory, as `load_input`."""
    return load_input(path, "the labels of the samples as a .npy array")


def check_input(program: ChipProgram, x: InputArrays, context: str = "input") -> dict[str, NDArray[Any]]:
    """The integer values of each input port (time, batch, size), from x (time, batch, *shape) or one array per port.

    Integers are not copied: x may be larger than the memory.
    Raises InputError for a wrong shape, an empty batch, NaN, a number that is not an integer, or a payload that the
    chip's spikes cannot carry.
    """
    x = as_arrays(x, context)
    ports = {port.name: port for port in program.inputs}
    if isinstance(x, np.ndarray):
        if len(ports) > 1:
            raise InputError(
                f"{context}: the network has several inputs ({', '.join(ports)}); one array cannot feed them all: "
                "give a .npz file with one array for each"
            )
        return {name: _checked(program, port, x, context) for name, port in ports.items()}
    if set(x) != set(ports):
        raise InputError(f"{context}: holds {', '.join(x) or 'nothing'}, but the inputs are {', '.join(ports)}")
    values = {name: _checked(program, port, x[name], f"{context}: {name}") for name, port in ports.items()}
    if len({array.shape[:2] for array in values.values()}) > 1:
        raise InputError(f"{context}: its arrays have different numbers of time steps or samples; make them the same")
    return values


def _checked(program: ChipProgram, port: InputPort, x: NDArray[Any], context: str) -> NDArray[Any]:
    if x.dtype.kind not in "biuf":
        raise InputError(
            f"{context}: holds {x.dtype}, but spikes are 0/1 or integer payloads; save it as uint8 or int32"
        )
    expected = ", ".join(["time", "batch", *map(str, port.shape)])
    if x.ndim < 2 or x.shape[2:] != port.shape:
        raise InputError(f"{context}: has shape {x.shape}, but input {port.name!r} takes ({expected})")
    if x.shape[0] == 0 or x.shape[1] == 0:
        raise InputError(f"{context}: has shape {x.shape}, which holds no samples or no time steps; give at least one")
    if x.dtype.kind == "f":
        if not np.isfinite(x).all():
            raise InputError(
                f"{context}: holds NaN or infinity at {_first(~np.isfinite(x))}; give 0/1 spikes or integers"
            )
        if port.scale is not None:
            # in float64, which holds every narrower number exactly
            x = np.rint(x.astype(np.float64) * port.scale)
        if np.any(x != np.rint(x)):
            raise InputError(
                f"{context}: holds {x[x != np.rint(x)].flat[0]} at {_first(x != np.rint(x))}, which is not an integer; "
                "encode real values as spikes first"
            )
    high = float(x.max())
    low = 0.0 if x.dtype.kind in "bu" and high <= 1 else float(x.min())
    if (low < 0 or high > 1) and program.widths.message_bits == 0:
        raise InputError(
            f"{context}: holds payloads from {low:.0f} to {high:.0f}, but spikes of {program.chip} carry none; "
            "give 0/1 spikes or compile for a chip with graded spikes"
        )
    limit = 2.0 ** max(program.widths.message_bits - 1, 0)
    if low < -limit or high > max(limit - 1, 1):
        raise InputError(
            f"{context}: holds {low:.0f} to {high:.0f}, but payloads of {program.chip} have "
            f"{program.widths.message_bits} bit; scale the input"
        )
    flat = x.reshape(*x.shape[:2], port.size)
    return flat.astype(np.int32) if x.dtype.kind == "f" else flat


def is_graded(values: NDArray[Any]) -> bool:
    """Whether an input carries payloads other than 0 and 1."""
    return bool(values.size) and bool(values.min() < 0 or values.max() > 1)


def graded_nodes(program: ChipProgram, inputs: Mapping[str, NDArray[Any]]) -> set[str]:
    """Names of the inputs and populations that send payloads other than 0 and 1."""
    return {name for name, values in inputs.items() if is_graded(values)} | {
        p.name for p in program.populations if p.GRADED
    }


def _first(mask: NDArray[np.bool_]) -> list[int]:
    return [int(i) for i in np.argwhere(mask)[0]]
