"""A .net file's integer weights -> connections that represent all of them exactly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spikeport.common.errors import InputError
from spikeport.exporter.program.chip_program import (
    Connection,
    ConvConnection,
    DenseConnection,
    Integers,
    SparseConnection,
)
from spikeport.hardware_profiles.fixed_point import SignMode, WeightGrid, sign_mode, weight_grid

from .net_file import NetLayer

Image = tuple[int, int, int]
Make = Callable[[Integers, int, SignMode], Connection]


def dense(
    layer: NetLayer, weights: Integers, source: str, target: str, delays: Integers | None, port: str = "a_in"
) -> list[Connection]:
    """All to all; delays: steps beyond the first, (shape of weights).

    Training delays what a layer sends; netx and this function delay what reaches the layer: the same spikes.
    """

    def make(values: Integers, exponent: int, mode: SignMode) -> Connection:
        return DenseConnection(
            source, target, values, exponent, mode, 8, 1, synaptic_delays=delays, port=port, synapse=target
        )

    return exact(layer.context, weights, make, shifts=True)


def convolution(
    layer: NetLayer, kernel: Integers, groups: int, source: str, target: str, shapes: tuple[Image, Image]
) -> list[Connection]:
    """Cross-correlation, (out channels, in channels / groups, height, width)."""
    stride, padding, dilation = layer.pair("stride", 1), layer.pair("padding", 0), layer.pair("dilation", 1)

    def make(values: Integers, exponent: int, mode: SignMode) -> Connection:
        return ConvConnection(
            source, target, values, exponent, mode, 8, 1, *shapes, stride, padding, dilation, groups, synapse=target
        )

    return exact(layer.context, kernel, make, shifts=False)


def one_to_one(source: str, target: str, size: int) -> Connection:
    """Each element of an input reaches its own neuron, payload by payload."""
    return SparseConnection(
        source, target, np.ones(size, np.int32), 0, "excitatory", 8, 1, synapse=target,
        indices=np.arange(size, dtype=np.int32), indptr=np.arange(size + 1, dtype=np.int64),
    )  # fmt: skip


def exact(context: str, weights: Integers, make: Make, shifts: bool) -> list[Connection]:
    """One connection, or two of one sign each if a mixed one would lose the lowest bit; raises InputError.

    shifts: whether the connection may have a negative exponent, which can represent odd weights of mixed sign up to
    127.
    """
    mode = sign_mode(weights)
    # -256 is on the mixed grid alone
    mode = "mixed" if weights.min(initial=0) == -256 else mode
    grid = weight_grid(mode)
    if _holds(grid, weights):
        return [make(weights, 0, mode)]
    if shifts and _holds(grid, 2 * weights):
        return [make(2 * weights, -1, mode)]
    parts: list[tuple[Integers, SignMode]] = [
        (np.maximum(weights, 0), "excitatory"), (np.minimum(weights, 0), "inhibitory")
    ]  # fmt: skip
    if not all(_holds(weight_grid(sign), part) for part, sign in parts):
        raise InputError(f"{context} has weights of {weights.min()} to {weights.max()}, beyond 8 bit; train again")
    return [make(part, 0, sign) for part, sign in parts]


def _holds(grid: WeightGrid, weights: Integers) -> bool:
    inside = weights.min(initial=0) >= grid.low and weights.max(initial=0) <= grid.high
    return bool(inside and not np.any(weights % grid.step))
