"""Synapses against lava.proc's own models, stepped with stand-in ports: with delays and without, dense, sparse, Conv.

What arrives is made visible by a GradedVec population, which sends it on.
Neurons: tests/exporter/neurons/test_neurons.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from programs import WIDTHS, delays, weights
from scipy.sparse import csr_array
from stock_models import instantiate

from spikeport.exporter.neurons import GradedVec
from spikeport.exporter.program.chip_program import (
    ChipProgram,
    Connection,
    ConvConnection,
    DenseConnection,
    InputPort,
    SparseConnection,
)
from spikeport.exporter.program.validate import validate
from spikeport.hardware_profiles.fixed_point import SignMode
from spikeport.lava_runtime.simulate import simulate

pytestmark = pytest.mark.lava

QUICK, FULL = 100, 600
modes = st.sampled_from(["mixed", "excitatory", "inhibitory"])
densities = st.sampled_from([0, 0.01, 0.1, 1])
payloads = st.sampled_from([1, 1, 200, 100_000, (1 << 23) - 1, (1 << 31) - 1])
seeds = st.integers(0, 2**32 - 1)


def arrivals(connection: Connection, shapes: tuple[Any, Any], x: NDArray[np.int32]) -> None:
    """Compare what arrives in the emulator with what stock's process model sends; x (steps, batch, *shape)."""
    relay = GradedVec.of("out", shapes[1], vth=0)
    program = validate(
        ChipProgram("loihi2", WIDTHS, 1e-3, (InputPort("in", shapes[0]),), (relay,), (connection,), ("out",))
    )
    found = simulate(program, x, steps=len(x)).output
    graded = bool(x.min() < 0 or x.max() > 1)
    for sample in range(x.shape[1]):
        wanted = step_stock(connection, program, x[:, sample], graded)
        # GradedVec drops the one integer that has no absolute value
        wanted[wanted == np.iinfo(np.int32).min] = 0
        np.testing.assert_array_equal(found[:, sample], wanted)


def step_stock(connection: Connection, program: ChipProgram, x: NDArray[np.int32], graded: bool) -> NDArray[np.int32]:
    """What one sample makes arrive, (steps, *shape), from the process that the stock backend takes."""
    from spikeport.lava_runtime.lava_backend.stock import _is_stock_conv, _synapse

    images = {"in", "out"} if _is_stock_conv(connection) else set()
    process = _synapse(connection, program, images, 32 if graded else 0)
    assert type(process).__module__.startswith("lava.proc.")
    model, found = instantiate(process), []
    for values in x:
        model.s_in.value = np.moveaxis(values, 0, -1) if images else values.reshape(-1)
        model.run_spk()
        sent = model.a_out.value
        found.append(np.moveaxis(sent, -1, 0) if images else sent.reshape(program.populations[0].shape))
    return np.array(found)


def drawn_input(shape: tuple[int, ...], density: float, payload: int, rng: np.random.Generator) -> NDArray[np.int32]:
    low = 1 if payload == 1 else -payload - 1
    full = (12, 2, *shape)
    return np.where(rng.random(full) < density, rng.integers(low, payload, full, endpoint=True), 0).astype(np.int32)


def check_matrix(
    kind: str, seed: int, sizes: tuple[int, int], mode: SignMode, bits: int, exponent: int, density: float, payload: int
) -> None:
    rng = np.random.default_rng(seed)
    sources, targets = sizes
    matrix = weights((targets, sources), mode, bits, rng)
    if kind.endswith("Sparse"):
        stored = csr_array(matrix * (rng.random(matrix.shape) < rng.choice([0, 0.05, 0.4, 1])))
        indices, indptr = stored.indices.astype(np.int32), stored.indptr.astype(np.int64)
        connection: Any = SparseConnection(
            "in", "out", stored.data.astype(np.int32), exponent, mode, bits, 1, indices=indices, indptr=indptr
        )
    else:
        connection = DenseConnection("in", "out", matrix, exponent, mode, bits, 1)
    if kind.startswith("Delay"):
        connection = replace(connection, delay=int(rng.integers(1, 4)))
        if rng.random() < 0.7:
            connection = replace(connection, axonal_delays=delays((sources,), 3, rng))
        if rng.random() < 0.7:
            connection = replace(connection, synaptic_delays=delays(connection.weights.shape, 5, rng))
    arrivals(connection, ((sources,), (targets,)), drawn_input((sources,), density, payload, rng))


def check_conv(
    seed: int, groups: int, kernel: Any, stride: Any, padding: Any, dilation: Any, mode: SignMode, bits: int,
    exponent: int, density: float, graded: bool,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    shape = (2 * groups, 7, 6)
    matrix = weights((2 * groups, 2, *kernel), mode, bits, rng)
    geometry = zip(shape[1:], kernel, stride, padding, dilation, strict=True)
    size = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in geometry]
    output = (2 * groups, size[0], size[1])
    connection = ConvConnection(
        "in", "out", matrix, exponent, mode, bits, 1, shape, output, stride, padding, dilation, groups
    )
    # stock Conv sums in 32 bit floating point, which is exact as far as 2**24
    payload = ((1 << 24) // (256 * 2 * kernel[0] * kernel[1])) - 1 if graded else 1
    arrivals(connection, (shape, output), drawn_input(shape, density, payload, rng))


matrices = given(
    seed=seeds, sizes=st.tuples(st.integers(1, 40), st.integers(1, 20)), mode=modes, bits=st.integers(1, 8),
    exponent=st.integers(-8, 7), density=densities, payload=payloads,
)  # fmt: skip
pairs = {low: st.tuples(st.integers(low, 2 + low), st.integers(low, 2 + low)) for low in (0, 1)}
convolutions = given(
    seed=seeds, groups=st.sampled_from([1, 2]), kernel=pairs[1], stride=pairs[1], padding=pairs[0],
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)), mode=modes, bits=st.integers(1, 8),
    exponent=st.integers(0, 7), density=densities, graded=st.booleans(),
)  # fmt: skip
kinds = pytest.mark.parametrize("kind", ["Dense", "Sparse", "DelayDense", "DelaySparse"])


@kinds
@settings(max_examples=QUICK)
@matrices
def test_matrices_equal_stock(kind: str, **drawn: Any) -> None:
    check_matrix(kind, **drawn)


@pytest.mark.slow
@kinds
@settings(max_examples=FULL)
@matrices
def test_matrices_equal_stock_at_length(kind: str, **drawn: Any) -> None:
    check_matrix(kind, **drawn)


@settings(max_examples=QUICK)
@convolutions
def test_convolutions_equal_stock(**drawn: Any) -> None:
    check_conv(**drawn)


@pytest.mark.slow
@settings(max_examples=FULL)
@convolutions
def test_convolutions_equal_stock_at_length(**drawn: Any) -> None:
    check_conv(**drawn)
