"""What is done to every weight in one pass gives the numbers of the plain expressions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from spikeport.exporter.quantisation.csr_kernels import on_grid, row_sums, select_entries, times_rows


def drawn(seed: int, density: float) -> csr_array:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((7, 40)) * 10.0 ** rng.integers(-6, 6, (7, 1))
    return csr_array(values * (rng.random((7, 40)) < density))


@given(seed=st.integers(0, 2**32 - 1), density=st.sampled_from([0.0, 0.1, 1.0]))
def test_rows_in_one_pass_equal_the_plain_expressions_to_the_last_bit(seed: int, density: float) -> None:
    rows, rng = drawn(seed, density), np.random.default_rng(seed + 1)
    signed, absolute = row_sums(rows.data, rows.indptr)
    assert signed.tobytes() == (rows @ np.ones(40)).tobytes()
    assert absolute.tobytes() == (abs(rows) @ np.ones(40)).tobytes()
    factors, values = rng.random(7), rows.data.copy()
    times_rows(values, rows.indptr, factors)
    assert values.tobytes() == (rows.data * np.repeat(factors, np.diff(rows.indptr))).tobytes()
    chosen = rng.random(rows.nnz) < 0.5
    kept, where, begins = select_entries(rows.data, rows.indices, rows.indptr, chosen)
    before = np.concatenate([[0], np.cumsum(chosen)])
    for found, wanted in ((kept, rows.data[chosen]), (where, rows.indices[chosen]), (begins, before[rows.indptr])):
        np.testing.assert_array_equal(found, wanted)


@given(
    values=st.lists(st.floats(-1e9, 1e9) | st.integers(-600, 600).map(lambda n: n / 2), max_size=20),
    factor=st.sampled_from([1.0, 0.1, 3e-7, 1e6]), step=st.sampled_from([1, 2]),
)  # fmt: skip
def test_points_of_a_grid_are_rounded_half_to_even_and_clipped(values: list[float], factor: float, step: int) -> None:
    array = np.array(values, np.float64)
    wanted = np.clip(np.rint(array * factor) * step, -256, 254).astype(np.int32)
    np.testing.assert_array_equal(on_grid(array, factor, float(step), -256.0, 254.0), wanted)
