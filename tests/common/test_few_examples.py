"""The profile of the light leg draws few examples, also where a test asks for many."""

from __future__ import annotations

from few_examples import FEW, with_few
from hypothesis import given, settings
from hypothesis import strategies as st


def test_a_property_is_tried_with_few_examples_and_a_test_without_one_is_left_alone() -> None:
    drawn: list[int] = []

    @settings(max_examples=50, deadline=None, database=None)
    @given(st.integers())
    def noted(number: int) -> None:
        drawn.append(number)

    noted()
    assert len(drawn) == 50
    drawn.clear()
    with_few(noted)
    noted()
    assert len(drawn) == FEW
    with_few(drawn.clear)
