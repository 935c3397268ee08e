"""Connections fused for delivery: the same sums from fewer of them, and only where they are the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import dense, sparse, weights
from strategies import geometries, kernel_shape, kernel_size
from synapse_sums import activity, delivered, expected

from spikeport.exporter.program.chip_program import Connection, ConvConnection, DenseConnection
from spikeport.lava_runtime.emulator.fuse_connections import fuse_connections


def total(connections: tuple[Connection, ...], sent: np.ndarray, graded: bool, size: int) -> dict[int, np.ndarray]:
    found: dict[int, np.ndarray] = {}
    for c in connections:
        for delay, values in delivered(c, sent, graded, size).items():
            found[delay] = (found.get(delay, np.zeros(values.shape, np.int64)) + values).astype(np.int32)
    return found


@settings(max_examples=150, deadline=None)
@given(data=st.data(), density=st.sampled_from([0.1, 0.5, 1.0]), largest=st.sampled_from([1, 1, 1000, 2**31 - 1]))
def test_fused_connections_deliver_the_same(data: st.DataObject, density: float, largest: int) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    kind, sources, size = data.draw(st.sampled_from(["dense", "sparse", "conv"])), 13, 9
    geometry = None
    if kind == "conv":
        geometry = data.draw(geometries((2, 5, 6), 60))
        if geometry is None:
            return
        sources, size = 60, int(np.prod(geometry.output_shape))
        kernel = kernel_shape(geometry, kernel_size(geometry))
    parts: list[Connection] = []
    for _ in range(data.draw(st.integers(2, 4))):
        exponent, bits = data.draw(st.integers(-1, 7)), data.draw(st.integers(1, 8))
        mode = data.draw(st.sampled_from(["mixed", "excitatory", "inhibitory"]))
        if geometry is not None:
            values = weights(kernel, mode, bits, rng)
            parts.append(ConvConnection("a", "b", values, max(exponent, 0), mode, bits, 1, *vars(geometry).values()))
        elif kind == "sparse":
            parts.append(sparse("a", "b", (size, sources), exponent, rng))
        else:
            delay = data.draw(st.sampled_from([1, 1, 2]))
            values = weights((size, sources), mode, bits, rng)
            parts.append(DenseConnection("a", "b", values, exponent, mode, bits, delay))
    sent = activity((3, sources), density, largest, rng)
    found = fuse_connections(parts, {"a"} if largest > 1 else set())
    wanted = total(tuple(parts), sent, largest > 1, size)
    result = total(found, sent, largest > 1, size)
    for delay in {*wanted, *result}:
        nothing = np.zeros((3, size), np.int32)
        np.testing.assert_array_equal(result.get(delay, nothing), wanted.get(delay, nothing))


def test_parts_by_sign_and_exponent_become_one_and_others_stay() -> None:
    rng = np.random.default_rng(1)
    up, down = (weights((4, 5), mode, 8, rng) for mode in ("excitatory", "inhibitory"))
    one = DenseConnection("a", "b", up, 1, "excitatory", 8, 1)
    two = DenseConnection("a", "b", down, 2, "inhibitory", 8, 1)
    (both,) = fuse_connections([two, one], set())
    np.testing.assert_array_equal(both.weights, up + 2 * down)
    assert both.weight_exp == 1
    later, elsewhere, far = replace(one, delay=2), replace(one, port="other"), replace(two, weight_exp=7)
    delayed = replace(one, axonal_delays=np.ones(5, np.int32))
    right = replace(one, weight_exp=-1)
    assert len(fuse_connections([one, later, elsewhere, far, delayed, right, replace(right)], set())) == 7


@pytest.mark.parametrize(("value", "number"), [(100, 1), (200, 2)])
def test_a_convolution_that_is_cut_to_24_bit_is_not_fused(value: int, number: int) -> None:
    # 2 x 128 weights << 8: 200 goes beyond 2^23, 100 does not
    kernel = np.full((1, 128, 1, 1), value, np.int32)
    c = ConvConnection("a", "b", kernel, 8, "mixed", 8, 1, (128, 2, 2), (1, 2, 2), (1, 1), (0, 0), (1, 1), 1)
    assert len(fuse_connections([c, replace(c)], set())) == number
    assert len(fuse_connections([c, replace(c)], {"a"})) == 2


def test_a_sparse_matrix_of_many_targets_and_large_weights_takes_longer_words() -> None:
    rng = np.random.default_rng(2)
    c = sparse("a", "b", (9, 13), 0, rng)
    wide = replace(c, weights=c.weights << 7)
    sent = activity((2, 13), 0.5, 1, rng)
    many = replace(wide, indptr=np.concatenate([wide.indptr, np.full(1 << 20, wide.indptr[-1])]))
    found = delivered(many, sent, False, 9 + (1 << 20))[1]
    np.testing.assert_array_equal(found[:, :9], delivered(wide, sent, False, 9)[1])
    np.testing.assert_array_equal(found[:, :9], expected(wide, sent, 9)[1])
    assert not found[:, 9:].any()


def test_every_connection_of_a_program_without_parts_stays() -> None:
    program = dense((5, 4, 3), 0)
    assert fuse_connections(program.connections, set()) == program.connections
