"""Which of the chip's time steps each process of the batched network works on in each of Lava's.

Handing over costs Lava about a millisecond a step, whatever is handed over, so a message carries a block of chip steps.
A process works one block behind the processes that feed it; so all of them work at the same time. Where populations
feed each other in a circle a block is one step, and all work on the same one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from exporter.program import ChipProgram

# estimates, in seconds: what Lava takes a step, and a compartment with its share of synapses; they decide speed alone
_HAND_OVER = 8e-4
_COMPARTMENT = 4e-9
_LARGEST_MESSAGE = 1 << 22


@dataclass(frozen=True)
class Schedule:
    """length: chip steps a block; depth: blocks by which a process runs behind the input; lava_steps: time steps."""

    length: int
    depth: Mapping[str, int]
    lava_steps: int


def plan(program: ChipProgram, steps: int, batch: int) -> Schedule:
    """The schedule of a run of that many chip steps and samples."""
    depth = _depths(program)
    if depth is None:
        return Schedule(1, {node.name: 0 for node in program.nodes}, steps)
    longest = max(depth.values())
    largest = batch * max(node.size for node in program.nodes)
    # a run takes (steps / length + longest) hand-overs, and the time of `longest` blocks until the first one is through
    best = math.sqrt(steps / max(longest, 1) * _HAND_OVER / (largest * _COMPARTMENT))
    room = _LARGEST_MESSAGE * 8 // largest
    length = max(1, min(round(best), steps, room))
    return Schedule(length, depth, -(-steps // length) + longest)


def _depths(program: ChipProgram) -> dict[str, int] | None:
    """The longest way to each node, counted in connections; None where several populations feed each other."""
    before: dict[str, list[str]] = {node.name: [] for node in program.nodes}
    for connection in program.connections:
        if connection.source != connection.target:
            before[connection.target].append(connection.source)
    depth: dict[str, int] = {}
    try:
        for name in TopologicalSorter(before).static_order():
            depth[name] = max((depth[source] + 1 for source in before[name]), default=0)
    except CycleError:
        return None
    return depth
