"""The layers of a .net file, checked but not converted.

Source of the layout: lava-dl 0.6.0, lava/lib/dl/slayer/block/base.py, the export_hdf5 of each block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, naming, nearest_file, reason
from spikeport.common.hdf5 import check_self_contained
from spikeport.common.limits import LARGEST_LAYER

NeuronFields = dict[str, float | str | NDArray[Any]]
"""The neuron's fields: text, a number for the layer, or an array with one number per neuron."""


class NetWarning(UserWarning):
    """A .net file contains something that lava-dl's netx changes or ignores; the message states how it was read."""


@dataclass(frozen=True)
class NetLayer:
    """One layer: its type, shape, arrays by name, and the neuron's fields (None if the file has none)."""

    context: str
    kind: str
    shape: tuple[int, ...]
    arrays: dict[str, NDArray[Any]]
    neuron: NeuronFields | None

    def integers(self, name: str) -> NDArray[np.int32]:
        """An array of whole numbers; raises InputError if it is missing or holds fractions, NaN or huge numbers."""
        if name not in self.arrays:
            raise InputError(f"{self.context} has no {name!r}; export the network again")
        with naming(f"{self.context}, {name}", "export the network again"):
            values = np.asarray(self.arrays[name], np.float64)
        if (
            not np.isfinite(values).all()
            or np.any(values != np.rint(values))
            or np.abs(values).max(initial=0) > 1 << 24
        ):
            raise InputError(
                f"{self.context}, {name} holds numbers that are not chip integers; export the network again"
            )
        return values.astype(np.int32)

    def pair(self, name: str, default: int) -> tuple[int, int]:
        """Two whole numbers (height, width)."""
        values = self.integers(name) if name in self.arrays else np.int32(default)
        both = np.broadcast_to(np.asarray(values).reshape(-1), (2,))
        return int(both[0]), int(both[1])


def read_layers(path: str | Path) -> list[NetLayer]:
    """The layers of a .net file in order; raises InputError for a missing, truncated or foreign file."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file{nearest_file(path)}; give the path of a .net file")
    try:
        with h5py.File(path, "r") as file:
            if "layer" not in file:
                raise InputError(f"{path}: is not a .net file (it has no 'layer'); export the network with export_hdf5")
            check_self_contained(file, str(path))
            layers = file["layer"]
            missing = next((i for i in range(len(layers)) if str(i) not in layers), None)
            if missing is not None:
                raise InputError(f"{path}: layer {missing} of {len(layers)} is missing; export the network again")
            return [_layer(layers[str(i)], f"{path}: layer {i}") for i in range(len(layers))]
    except InputError:
        raise
    except (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
        raise InputError(f"{path}: cannot be read as .net ({reason(error)}); export the network again") from error


def _layer(group: h5py.Group, context: str) -> NetLayer:
    arrays = {name: item[()] for name, item in group.items() if isinstance(item, h5py.Dataset)}
    if "weight" in group and isinstance(group["weight"], h5py.Group):
        arrays |= {f"weight/{part}": group["weight"][part][()] for part in group["weight"]}
    kind = _text(arrays.pop("type"))
    neuron = None
    if "neuron" in group:
        neuron = {name: _value(item[()]) for name, item in group["neuron"].items()}
    shape = tuple(int(n) for n in np.asarray(arrays.pop("shape", ())).reshape(-1))
    if min(shape, default=1) < 1 or math.prod(shape) > LARGEST_LAYER:
        raise InputError(
            f"{context} has shape {shape}, but a layer has 1 to {LARGEST_LAYER:,} neurons; export it again"
        )
    return NetLayer(f"{context} ({kind})", kind, shape, arrays, neuron)


def _value(value: Any) -> float | str | NDArray[Any]:
    if isinstance(value, (bytes, str)):
        return _text(value)
    values = np.asarray(value)
    if values.dtype.kind in "SO":
        return _text(values)
    return float(values.reshape(-1)[0]) if values.size == 1 else values


def _text(value: Any) -> str:
    raw = value if isinstance(value, (bytes, str)) else np.asarray(value).reshape(-1)[0]
    return raw.decode("ascii") if isinstance(raw, bytes) else str(raw)
