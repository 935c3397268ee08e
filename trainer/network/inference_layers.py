"""Parameters of a trained network as plain numpy arrays: the interface between training and export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .pooling import PoolKind

LayerKind = Literal["dense", "conv"]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Geometry:
    """How a layer is connected to its input.

    name: "layer1", "layer2", ...; stride, padding, dilation: (height, width), unused for "dense";
    flatten_before: the input is flattened (C, H, W order) first; output_shape: (features,) or (C, H, W);
    sources: the layers (or "input") whose spikes are summed; pool, pool_kind: they are pooled
    over pool x pool first (pooling.py).
    """

    name: str
    kind: LayerKind
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    flatten_before: bool
    output_shape: tuple[int, ...]
    sources: tuple[str, ...] = field(default=("input",), kw_only=True)
    pool: int = field(default=1, kw_only=True)
    pool_kind: PoolKind = field(default="average", kw_only=True)


@dataclass(frozen=True)
class InferenceSynapse(Geometry):
    """A second synapse of a layer; its bias is part of the layer's; name: the layer's."""

    weight: Array


@dataclass(frozen=True)
class InferenceJoin:
    """Joins two spike trains element by element, without memory: "and" a x, "iand" (1 - a) x."""

    name: str
    kind: str
    a: str
    x: str
    output_shape: tuple[int, ...]


@dataclass(frozen=True)
class InferenceLayer(Geometry):
    """One spiking layer, batch norm folded in and, if chip-aware, rounded to the chip's grid.

    weight: (out, in) or (O, I / groups, kh, kw); bias: added to v at every step, (features,) or (channels,);
    current_decay, voltage_decay: fractions of u and v lost per step; threshold: in units of v; each a scalar
    (shape ()) or per neuron (output_shape);
    weight_bits: width of the chip's weights it was trained for, None if the weights are not rounded;
    chip_vth: the chip's register word for the largest threshold, if it computes in the chip's integers;
    delays: in steps, one per input (inputs,) or one per weight (out, in), the smallest 0;
    registers: of a chip with integers of its own, as training in them chose them, by FAMILY_NAME;
    readout: whether it sends its voltage; chip_scale: then the chip's units of v for one of its own;
    recurrent: V (features, features), which reads the layer's own spikes one step later; shortcut: a second synapse.
    """

    weight: Array
    bias: Array
    current_decay: Array
    voltage_decay: Array
    threshold: Array
    weight_bits: int | None
    recurrent: Array | None = None
    shortcut: InferenceSynapse | None = None
    chip_vth: int | None = None
    delays: NDArray[np.int64] | None = None
    readout: bool = False
    chip_scale: float | None = None
    registers: Mapping[str, NDArray[Any]] = field(default_factory=dict, kw_only=True)


@dataclass(frozen=True)
class TwinLayer(Geometry):
    """One layer of the ANN twin, batch norm folded in: y = W x + bias + R x' (shortcut), then ReLU if `relu`."""

    weight: Array
    bias: Array
    relu: bool
    shortcut: InferenceSynapse | None = None
