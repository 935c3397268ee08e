"""How sparse the network must be for the chip to win: the line meets the opponent where it should."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeport.lava_runtime.cost_model.break_even import break_even_activity, break_even_sparsity

JOULES = st.floats(1e-9, 1.0)


def test_by_hand() -> None:
    assert break_even_activity(1.0, 3.0, 2.0) == pytest.approx(0.5)
    assert break_even_sparsity(1.0, 3.0, 2.0, 0.9) == pytest.approx(0.95)
    assert break_even_sparsity(1.0, 3.0, 5.0, 0.9) == pytest.approx(0.8)
    assert break_even_activity(1.0, 3.0, 0.5) is None
    assert break_even_sparsity(1.0, 3.0, 1000.0, 0.9) == 0.0


@given(silent=JOULES, more=JOULES, activity=st.floats(0.01, 100.0))
def test_at_the_break_even_both_need_the_same(silent: float, more: float, activity: float) -> None:
    now = silent + more
    opponent = silent + activity * (now - silent)
    found = break_even_activity(silent, now, opponent)
    assert found is not None and math.isclose(silent + found * (now - silent), opponent, rel_tol=1e-6)
