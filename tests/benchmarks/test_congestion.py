"""The time of a step on a crowded mesh: its limit, and SANA-FE's cycle-level mesh as referee."""

from __future__ import annotations

import pytest
from scripts import script

CONGESTION = script("congestion")


def test_a_straight_flow_is_bound_by_the_link_in_the_middle() -> None:
    seconds, messages, bound = CONGESTION.estimated(CONGESTION.CASES[0])
    # 16 cores with 4 neurons each, to 64 cores over one link
    assert messages == 16 * 4 * 64
    assert (bound.kind, bound.link) == ("link", (3, 0, 4, 0))
    assert seconds == pytest.approx(messages * 1.07e-9 + 10 * 5.3e-9)


@pytest.mark.slow
@pytest.mark.skipif(
    not CONGESTION.PYTHON.exists(),
    reason="SANA-FE is not in .venv-sanafe (make referees), and SPIKEPORT_SANAFE names no Python that has it",
)
def test_steps_on_a_crowded_mesh_take_as_long_as_cycle_by_cycle() -> None:
    found = CONGESTION.compared(CONGESTION.CASES[:3])
    assert [one.bound.kind for one in found[:2]] == ["link", "link"]
    for one in found:
        assert one.ratio == pytest.approx(1, abs=0.2), one.case.title
