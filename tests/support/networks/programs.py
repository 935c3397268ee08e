"""Chip programs built by hand, for tests of the backends and the command line."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.exporter.program.chip_program import (
    ChipProgram,
    ConvConnection,
    Cuba,
    CubaLI,
    CubaLIF,
    CubaLIFSoftReset,
    DenseConnection,
    InputPort,
    SparseConnection,
)
from spikeport.exporter.program.validate import validate
from spikeport.hardware_profiles.fixed_point import SignMode, WordWidths, weight_grid

WIDTHS = WordWidths(message_bits=32)


def population(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> CubaLIF:
    """Compartments with every constant drawn over its whole width, each its own."""
    size = math.prod(shape)

    def draw(low: int, high: int) -> NDArray[np.int32]:
        return rng.integers(low, high, size, dtype=np.int32)

    return CubaLIF(
        name, shape, du=draw(0, 4096), dv=draw(0, 4096), vth=draw(0, 3000), bias_mant=draw(-4096, 4096),
        bias_exp=draw(0, 8), v_initial=draw(-10000, 10000),
    )  # fmt: skip


def weights(shape: tuple[int, ...], mode: SignMode, bits: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Weights over the whole grid of a sign mode."""
    grid = weight_grid(mode, bits)
    return (rng.integers(grid.low // grid.step, grid.high // grid.step + 1, shape) * grid.step).astype(np.int32)


def every_kind(seed: int) -> ChipProgram:
    """Dense, strided, dilated and grouped convolutions, recurrence, a skip edge with delays, all sign modes."""
    rng = np.random.default_rng(seed)
    populations = (
        population("conv1", (4, 4, 5), rng),
        population("conv2", (6, 4, 3), rng),
        population("fc", (7,), rng),
    )
    connections = (
        ConvConnection("in", "conv1", weights((4, 3, 3, 3), "mixed", 8, rng), 2, "mixed", 8, 1,
                       (3, 8, 9), (4, 4, 5), (2, 2), (1, 1), (1, 1), 1),
        ConvConnection("conv1", "conv2", weights((6, 2, 3, 2), "excitatory", 6, rng), 0, "excitatory", 6, 1,
                       (4, 4, 5), (6, 4, 3), (1, 2), (1, 1), (1, 2), 2),
        DenseConnection("conv2", "fc", weights((7, 72), "inhibitory", 8, rng), -3, "inhibitory", 8, 1),
        DenseConnection("fc", "fc", weights((7, 7), "mixed", 4, rng), 7, "mixed", 4, 1),
        DenseConnection("conv1", "fc", weights((7, 80), "mixed", 4, rng), 7, "mixed", 4, 3),
        DenseConnection("fc", "conv1", weights((80, 7), "mixed", 8, rng), 3, "mixed", 8, 2),
    )  # fmt: skip
    inputs = (InputPort("in", (3, 8, 9)),)
    return validate(ChipProgram("loihi2", WIDTHS, 1e-3, inputs, populations, connections, ("fc", "conv2")))


def scattered(seed: int, loop: bool) -> ChipProgram:
    """Components that share nothing: two branches from "left" and "right", "alone", which nothing feeds, and "unused".

    "left" feeds several layers and "middle" is an output inside the network; loop: two populations feed each other.
    """
    rng = np.random.default_rng(seed)
    sizes = {"middle": 6, "end": 4, "other": 5, "alone": 3}
    populations = tuple(population(name, (size,), rng) for name, size in sizes.items())
    inputs = (InputPort("left", (7,)), InputPort("right", (2, 2)), InputPort("unused", (3,)))
    widths = {**sizes, "left": 7, "right": 4}
    pairs = [("left", "middle"), ("middle", "end"), ("left", "end"), ("right", "other"), *([("end", "middle")] * loop)]
    connections = tuple(
        DenseConnection(s, t, weights((widths[t], widths[s]), "mixed", 8, rng), 1, "mixed", 8, 1) for s, t in pairs
    )
    outputs = ("end", "middle", "other", "alone")
    return validate(ChipProgram("loihi2", WIDTHS, 1e-3, inputs, populations, connections, outputs))


def delays(shape: tuple[int, ...], longest: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Random delays from 0 to `longest`."""
    return rng.integers(0, longest + 1, shape, dtype=np.int32)


def sparse(
    source: str, target: str, shape: tuple[int, int], exponent: int, rng: np.random.Generator, **others: Any
) -> SparseConnection:
    """A connection with about a third of the weights of shape (target size, source size)."""
    matrix = csr_array(weights(shape, "mixed", 8, rng) * (rng.random(shape) < 0.35))
    indices, indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int64)
    return SparseConnection(source, target, matrix.data.astype(np.int32), exponent, "mixed", 8, 1, indices=indices,
                            indptr=indptr, **others)  # fmt: skip


def beyond_stock(seed: int) -> ChipProgram:
    """Neuron models and delays that lava.proc has no process for: soft reset, integrators, delays on every kind."""
    rng = np.random.default_rng(seed)

    def constants(model: type[Cuba], size: int, **others: int) -> dict[str, NDArray[np.int32]]:
        drawn = population("", (size,), rng)
        named = {name: getattr(drawn, name) for name in model.constants() if hasattr(drawn, name)}
        return named | {name: np.full(size, value, np.int32) for name, value in others.items()}

    populations = (
        CubaLIFSoftReset("conv", (4, 4, 5), **constants(CubaLIFSoftReset, 80, v_subtract=90_000)),
        CubaLI("li", (9,), **constants(CubaLI, 9, shift=12)),
        population("fc", (7,), rng),
    )
    kernel = weights((4, 3, 3, 3), "mixed", 8, rng)
    matrix = weights((7, 9), "mixed", 8, rng)
    connections = (
        ConvConnection("in", "conv", kernel, 2, "mixed", 8, 1, (3, 8, 9), (4, 4, 5), (2, 2), (1, 1), (1, 1), 1,
                       axonal_delays=delays((216,), 5, rng), synaptic_delays=delays(kernel.shape, 3, rng)),
        sparse("conv", "li", (9, 80), 3, rng, axonal_delays=delays((80,), 4, rng)),
        sparse("in", "fc", (7, 216), 4, rng),
        DenseConnection("li", "fc", matrix, 0, "mixed", 8, 2, synaptic_delays=delays(matrix.shape, 6, rng)),
        DenseConnection("fc", "conv", weights((80, 7), "mixed", 8, rng), 3, "mixed", 8, 1,
                        axonal_delays=delays((7,), 60, rng)),
    )  # fmt: skip
    inputs = (InputPort("in", (3, 8, 9)),)
    return validate(ChipProgram("loihi2", WIDTHS, 1e-3, inputs, populations, connections, ("fc", "li")))


def dense(sizes: tuple[int, ...], seed: int, threshold: int = 2000) -> ChipProgram:
    """A chain of dense layers with moderate activity."""
    rng = np.random.default_rng(seed)
    populations, connections, source = [], [], "input"
    for number, (before, after) in enumerate(pairwise(sizes), start=1):
        name = f"layer{number}"
        constant = {
            key: np.full(after, value, np.int32)
            for key, value in (
                ("du", 2047),
                ("dv", 400),
                ("vth", threshold),
                ("bias_mant", 5),
                ("bias_exp", 2),
                ("v_initial", 0),
            )
        }
        populations.append(CubaLIF(name, (after,), **constant))  # fmt: skip
        connections.append(DenseConnection(source, name, weights((after, before), "mixed", 8, rng), 0, "mixed", 8, 1))
        source = name
    return validate(
        ChipProgram("loihi2", WIDTHS, 1e-3, (InputPort("input", (sizes[0],)),), tuple(populations),
                    tuple(connections), (source,))
    )  # fmt: skip


def spikes(shape: tuple[int, ...], density: float, seed: int) -> NDArray[np.uint8]:
    """Random spikes."""
    return (np.random.default_rng(seed).random(shape) < density).astype(np.uint8)
