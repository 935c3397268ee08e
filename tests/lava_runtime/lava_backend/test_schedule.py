"""Blocks of time steps through the Lava processes: who works on what when, and that no result shows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from programs import WIDTHS, beyond_stock, delays, dense, every_kind, population, sparse, spikes, weights

from spikeport.exporter.program.chip_program import ChipProgram, CubaLI, DenseConnection, InputPort
from spikeport.exporter.program.validate import validate
from spikeport.lava_runtime.lava_backend.schedule import plan
from spikeport.lava_runtime.result import differences
from spikeport.lava_runtime.simulate import simulate


def forward(seed: int) -> ChipProgram:
    """No circle but of a population with itself: recurrence, skip edges, delays, payloads, two ways to one node."""
    rng = np.random.default_rng(seed)
    drawn = population("li", (9,), rng)
    constants = {name: getattr(drawn, name) for name in CubaLI.constants() if name != "shift"}
    populations = (
        population("fc", (11,), rng),
        CubaLI("li", (9,), **constants, shift=np.full(9, 14, np.int32)),
        population("out", (6,), rng),
    )
    connections = (
        DenseConnection("in", "fc", weights((11, 80), "mixed", 8, rng), 3, "mixed", 8, 1),
        DenseConnection("in", "fc", weights((11, 80), "inhibitory", 8, rng), 1, "inhibitory", 8, 2),
        DenseConnection("fc", "fc", weights((11, 11), "mixed", 8, rng), 4, "mixed", 8, 1,
                        axonal_delays=delays((11,), 4, rng)),
        sparse("fc", "li", (9, 11), 5, rng),
        DenseConnection("li", "li", weights((9, 9), "mixed", 4, rng), 0, "mixed", 4, 1),
        DenseConnection("li", "out", weights((6, 9), "mixed", 4, rng), 0, "mixed", 4, 3),
        DenseConnection("in", "out", weights((6, 80), "excitatory", 8, rng), 1, "excitatory", 8, 5),
    )  # fmt: skip
    ports = (InputPort("in", (80,)),)
    return validate(ChipProgram("loihi2", WIDTHS, 1e-3, ports, populations, connections, ("out", "li")))


def waiting() -> ChipProgram:
    """Two layers of long work and one of short, which the input feeds too."""
    program = dense((80, 60, 50, 5), 1, 300)
    skipping = DenseConnection(
        "input", "layer3", weights((5, 80), "mixed", 8, np.random.default_rng(1)), 0, "mixed", 8, 4
    )
    return validate(replace(program, connections=(*program.connections, skipping)))


def test_every_process_runs_behind_all_that_feed_it() -> None:
    made = plan(forward(1), 20, 6000)
    assert made.depth == {"in": 0, "fc": 1, "li": 2, "out": 3}
    assert made.lava_steps == -(-20 // made.length) + 3
    assert 1 < made.length < 20


def test_short_work_waits_within_a_step() -> None:
    made = plan(waiting(), 25, 600)
    assert made.depth == {"input": 0, "layer1": 0, "layer2": 1, "layer3": 1}
    assert made.lava_steps == -(-25 // made.length) + 1
    assert not made.recurrent


@pytest.mark.parametrize("program", [every_kind(1), beyond_stock(1)])
def test_a_circle_of_populations_goes_step_by_step(program: ChipProgram) -> None:
    made = plan(program, 30, 4)
    assert (made.length, made.lava_steps, set(made.depth.values()), made.recurrent) == (1, 30, {0}, True)


def test_blocks_are_short_where_steps_are_long_and_never_longer_than_the_run() -> None:
    program = dense((40, 30, 5), 1)
    assert plan(program, 7, 1).length == 7
    lengths = [plan(program, 400, batch).length for batch in (1, 100, 10_000, 1_000_000)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] == 1


@pytest.mark.lava
@pytest.mark.parametrize("steps", [1, 6, 23])
@pytest.mark.parametrize(("program", "samples"), [(forward(2), 2500), (waiting(), 3000)])
def test_backends_agree_whatever_the_blocks(program: ChipProgram, samples: int, steps: int) -> None:
    x = spikes((17, samples, 80), 0.1, 3)
    # 23 steps are several blocks, of which the last is not full, and go on after the input's end
    length = plan(program, steps, samples).length
    assert steps < 23 or (steps % length and length < steps)
    found = simulate(program, x, "lava", steps=steps, record="all")
    assert differences(simulate(program, x, steps=steps, record="all"), found) == []
    assert steps < 23 or all(found.counts()[p.name].sum() > 0 for p in program.populations)
    few = simulate(program, x[:, :2], "stock", steps=steps, record="all")
    assert differences(simulate(program, x[:, :2], steps=steps, record="all"), few) == []


@pytest.mark.lava
def test_payloads_travel_in_blocks_too() -> None:
    program = replace(forward(4), outputs=("out",))
    x = spikes((11, 5000, 80), 0.2, 5) * np.random.default_rng(6).integers(-50, 50, (11, 5000, 80))
    assert 1 < plan(program, 11, 5000).length < 11
    assert differences(simulate(program, x), simulate(program, x, "lava")) == []
