"""Energy of a day, worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeport.lava_runtime.cost_model.duty import DAY, energy_of_a_day, waiting_power
from spikeport.lava_runtime.cost_model.estimate import Estimate

ONE_SECOND = Estimate(0.5, 1.0, 2.0)


def test_a_day_is_inferences_and_waiting() -> None:
    day = energy_of_a_day(Estimate(3.0, 4.0, 9.0), ONE_SECOND, Estimate(1.0, 2.0, 3.0), 100)
    assert day is not None
    assert day.typical == pytest.approx(2400 * 4 + (86400 - 2400) * 2)
    assert day.low == pytest.approx(2400 * 3 + (86400 - 1200) * 1)
    assert day.high == pytest.approx(2400 * 9 + (86400 - 4800) * 3)


def test_what_takes_longer_than_a_day_has_no_energy() -> None:
    assert energy_of_a_day(ONE_SECOND, ONE_SECOND, ONE_SECOND, 3601) is None


def test_sleep_goes_before_idle_and_idle_is_the_static_share() -> None:
    static = Estimate(1.0, 4.0, 6.0)
    assert waiting_power(static, ONE_SECOND) == Estimate(2.0, 4.0, 3.0)
    assert waiting_power(static, ONE_SECOND, Estimate(0.1, 0.2, 0.3)) == Estimate(0.1, 0.2, 0.3)


@given(st.floats(0.001, 3000), st.floats(0.001, 5), st.floats(0, 5), st.floats(0, 5))
def test_always_on_is_never_below_what_waiting_alone_draws(
    per_hour: float, busy: float, idle: float, work: float
) -> None:
    # the energy of an inference contains the idle power
    one = Estimate.exact(busy * idle + work)
    day = energy_of_a_day(one, Estimate.exact(busy), Estimate.exact(idle), per_hour)
    if day is not None:
        assert day.typical == pytest.approx(DAY * idle + 24 * per_hour * work)
