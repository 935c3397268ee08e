"""The emulator's kernels against the plain sum over synapses: every kind, delay, density, payload and exponent."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import synapse_sums
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from programs import delays, sparse, weights
from scipy.sparse import csr_array
from strategies import geometries, kernel_shape, kernel_size
from synapse_sums import activity, delivered, expected, listed

from spikeport.exporter.program.chip_program import Connection, ConvConnection, DenseConnection, SparseConnection
from spikeport.hardware_profiles.fixed_point import SIGN_MODES
from spikeport.lava_runtime.emulator import synapses
from spikeport.lava_runtime.kernels import dense
from spikeport.lava_runtime.kernels.spike_events import SpikeEvents

DENSITIES = st.sampled_from([0.0, 0.01, 0.1, 0.5, 0.8, 1.0])
PAYLOADS = st.sampled_from([1, 1, 100, 100_000, 2**31 - 1])


def check(c: Connection, sent: NDArray[np.int32], graded: bool, size: int) -> None:
    found = delivered(c, sent, graded, size)
    wanted = expected(c, sent, size)
    for delay in {*found, *wanted}:
        nothing = np.zeros((len(sent), size), np.int32)
        np.testing.assert_array_equal(found.get(delay, nothing), wanted.get(delay, nothing))


@settings(max_examples=300, deadline=None)
@given(data=st.data(), density=DENSITIES, largest=PAYLOADS, with_delays=st.booleans())
def test_every_connection_delivers_the_sum_of_its_synapses(
    data: st.DataObject, density: float, largest: int, with_delays: bool
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    mode, bits = data.draw(st.sampled_from(SIGN_MODES)), data.draw(st.integers(1, 8))
    kind, sources, size = data.draw(st.sampled_from(["dense", "sparse", "conv"])), 13, 9
    exponent = data.draw(st.integers(-8, 7))
    connection: Connection
    if kind == "conv":
        shape = data.draw(st.sampled_from([(1, 5, 6), (4, 4, 3), (2, 7, 7)]))
        geometry = data.draw(geometries(shape, 60))
        if geometry is None:
            return
        sources, size = int(np.prod(shape)), int(np.prod(geometry.output_shape))
        kernel = weights(kernel_shape(geometry, kernel_size(geometry)), mode, bits, rng)
        connection = ConvConnection("a", "b", kernel, abs(exponent) % 8, mode, bits, 1, *vars(geometry).values())
    elif kind == "sparse":
        connection = replace(sparse("a", "b", (size, sources), exponent, rng), delay=2)
    else:
        connection = DenseConnection("a", "b", weights((size, sources), mode, bits, rng), exponent, mode, bits, 1)
    if with_delays:
        connection = replace(
            connection, axonal_delays=delays((sources,), 3, rng),
            synaptic_delays=delays(connection.weights.shape, 2, rng),
        )  # fmt: skip
    check(connection, activity((3, sources), density, largest, rng), largest > 1, size)


@pytest.mark.parametrize("exponent", [0, 3, -3])
@pytest.mark.parametrize("density", [0.02, 0.55, 0.9])
def test_more_rows_than_16_bit_can_sum(exponent: int, density: float) -> None:
    # 300 weights of the largest magnitude: 76,200 leaves 16 bit
    rng = np.random.default_rng(1)
    for value in (254, -254, 2):
        connection = DenseConnection("a", "b", np.full((5, 300), value, np.int32), exponent, "mixed", 8, 1)
        check(connection, activity((2, 300), density, 1, rng), False, 5)


@pytest.mark.parametrize("value", [28, 254, -254])
def test_convolution_in_16_and_in_32_bit(value: int) -> None:
    # 9 * 128 weights of 28 stay within 16 bit when all are active, of 254 they do not
    kernel = np.full((3, 128, 3, 3), value, np.int32)
    connection = ConvConnection("a", "b", kernel, 1, "mixed", 8, 1, (128, 4, 4), (3, 4, 4), (1, 1), (1, 1), (1, 1), 1)
    for density in (0.05, 1.0):
        check(connection, activity((2, 2048), density, 1, np.random.default_rng(2)), False, 48)


@pytest.mark.parametrize(("channels", "columns"), [(16, 16), (24, 19), (40, 33), (15, 40), (40, 15)])
@pytest.mark.parametrize("largest", [1, 1000])
def test_convolutions_of_whole_vectors_and_a_rest(channels: int, columns: int, largest: int) -> None:
    rng = np.random.default_rng(channels)
    kernel = weights((channels, 2, 1, 2), "mixed", 8, rng)
    inside, outside = (2, 2, columns + 1), (channels, 2, columns)
    connection = ConvConnection("a", "b", kernel, 1, "mixed", 8, 1, inside, outside, (1, 1), (0, 0), (1, 1), 1)
    sent = activity((2, math.prod(inside)), 0.3, largest, rng)
    check(connection, sent, largest > 1, math.prod(outside))


def test_the_matrix_product_takes_over_and_gives_way_where_it_is_not_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    used: list[type] = []
    multiply = dense.DenseSynapses._multiply

    def noting(self: Any, active: SpikeEvents, target: Any, kind: type) -> None:
        used.append(kind)
        multiply(self, active, target, kind)

    monkeypatch.setattr(dense.DenseSynapses, "_multiply", noting)
    connection = DenseConnection("a", "b", weights((6, 40), "mixed", 8, rng), -2, "mixed", 8, 1)
    # spikes are multiplied with weights that do not fit a byte only
    wider = replace(connection, weights=connection.weights * 2 + 1)
    payloads = (1, 1000, 100_000, 2**31 - 1)
    for density, largest in ((0.05, 1), *((0.9, largest) for largest in payloads)):
        check(wider if largest == 1 else connection, activity((4, 40), density, largest, rng), largest > 1, 6)
    # where a right shift would show what 32 bit cut off, nothing is multiplied
    assert used == [np.float32, np.float32, np.float64]
    check(replace(connection, weight_exp=2), activity((4, 40), 0.9, 2**31 - 1, rng), True, 6)
    assert used.pop() is np.float64
    monkeypatch.setattr(dense, "_EXACT", ((np.float32, 1 << 24),))
    check(connection, activity((4, 40), 0.9, 100_000, rng), True, 6)
    assert len(used) == 3


def test_layout_follows_the_share_of_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    made: list[str] = []
    parts = synapses.delivery_parts

    def noting(*arguments: Any) -> list[synapses.DeliveryPart]:
        found = parts(*arguments)
        made.extend(type(part.deliver.__self__).__name__ for part in found)  # type: ignore[attr-defined]
        return found

    monkeypatch.setattr(synapse_sums, "delivery_parts", noting)
    for share in (0.01, 0.5):
        values = (weights((30, 40), "mixed", 8, rng) * (rng.random((30, 40)) < share)).astype(np.int32)
        matrix = csr_array(values)
        as_sparse = SparseConnection("a", "b", matrix.data, 1, "mixed", 8, 1, indices=matrix.indices.astype(np.int32),
                                     indptr=matrix.indptr.astype(np.int64))  # fmt: skip
        sent = activity((2, 40), 0.5, 1, rng)
        whole = delivered(DenseConnection("a", "b", values, 1, "mixed", 8, 1), sent, False, 30)
        np.testing.assert_array_equal(whole[1], delivered(as_sparse, sent, False, 30)[1])
    assert made == ["SparseSynapses", "SparseSynapses", "Tiles", "Tiles"]


@pytest.mark.parametrize("size", [1, 7, 8, 9, 64, 100])
@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
def test_bits_are_listed_in_order(size: int, density: float) -> None:
    sent = activity((3, size), density, 1, np.random.default_rng(size))
    active, total = listed(sent, False), np.zeros(sent.shape, np.int32)
    for b, row in enumerate(sent):
        assert active.index[active.begin[b] : active.begin[b + 1]].tolist() == np.flatnonzero(row).tolist()
    active.count_into(total)
    np.testing.assert_array_equal(total, sent)
    assert active.density == sent.mean()
