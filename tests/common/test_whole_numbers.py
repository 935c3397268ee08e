"""Whole numbers are checked before the cast: nothing is cut, nothing wraps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeport.common.errors import InputError
from spikeport.common.whole_numbers import whole_number, whole_numbers

TYPES = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64]


@given(number=st.integers(0, 127), dtype=st.sampled_from(TYPES), shape=st.sampled_from([(), (1,), (1, 1)]))
def test_a_whole_number_of_every_type_and_form(number: int, dtype: Any, shape: tuple[int, ...]) -> None:
    assert whole_number(np.full(shape, number, dtype), "x") == number
    assert whole_number(number, "x") == whole_number(float(number), "x") == number


@given(value=st.one_of(st.floats(), st.integers(-(1 << 63), (1 << 64) - 1)))
def test_a_number_comes_back_or_is_refused(value: float) -> None:
    try:
        assert whole_number(value, "the stride") == value
        assert abs(value) <= 1 << 31
    except InputError as error:
        assert str(error).startswith("the stride holds")
        assert not (value == value // 1 and -(1 << 31) <= value < 1 << 31)


@pytest.mark.parametrize("value", ["1", b"1", None, [1, "x"], np.array([1 << 70]), 1j, [0, 1.5], [0, np.nan]])
def test_what_is_not_whole_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="the stride holds"):
        whole_numbers(value, "the stride")


def test_several_numbers_are_not_one() -> None:
    with pytest.raises(InputError, match="2 numbers"):
        whole_number([1, 2], "the stride")
