"""What limits a step: the core or link that ends most steps, and its largest load."""

from __future__ import annotations

import numpy as np
import programs
import pytest
from crowded_chip import crowded

from benchmarks.cost_model.validation import with_constants
from spikeport.lava_runtime.profiling.bound import Bound, bound_of
from spikeport.lava_runtime.profiling.profile import profile_run
from spikeport.lava_runtime.profiling.views import views
from spikeport.lava_runtime.simulate import simulate

# one core a router, so that messages take links
CHIP = crowded(20, cores_per_router=1)


def bound(density: float, **seconds: float) -> Bound:
    program, x = programs.dense((6, 60, 4), 3), programs.spikes((10, 2, 6), density, 1)
    chip = with_constants(CHIP, {f"time.{name}": value for name, value in seconds.items()})
    profile = profile_run(program, simulate(program, x, steps=12, record="layers"), chip, x)
    found = bound_of(profile.timeline, chip)
    assert views(profile, chip)["time"]["bound"]["kind"] == found.kind
    return found


@pytest.mark.parametrize(
    ("kind", "constant"),
    [("memory", "synop"), ("compute", "neuron_update_active"), ("traffic", "message_in"), ("link", "link")],
)
def test_the_load_that_takes_longest_is_named(kind: str, constant: str) -> None:
    found = bound(0.5, **{constant: 1e-4})
    assert found.kind == kind
    assert (found.link is None) == (kind != "link")
    assert found.share > 0.3
    assert np.argmax(list(found.seconds.values())) == list(found.seconds).index(kind)
    assert found.sentence.startswith("link from router (0, 0)" if kind == "link" else f"core {found.core} (layer")


def test_a_step_without_work_is_bound_by_the_shortest_step() -> None:
    found = bound(0.0, step_minimum=1e-4)
    assert (found.kind, found.link) == ("floor", None)
    assert "floor-bound" in found.sentence
