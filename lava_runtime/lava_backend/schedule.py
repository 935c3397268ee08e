"""Which of the chip's time steps each process of the batched network works on in each of Lava's.

Handing over costs Lava about a millisecond a step, whatever is handed over, so a message carries a block of chip steps.
Processes whose work is long take turns in a pipeline: one works a block behind those that feed it, so that they work at
the same time. Where the work is short, one waits for the block within Lava's step instead, which spares a hand-over.
Where populations feed each other in a circle a block is one step, and all work on the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from spikeport.exporter.program.chip_program import ChipProgram

# estimates, in seconds: what Lava takes a step, a compartment with its share of synapses, an element of the input; they
# decide speed alone
_HAND_OVER = 8e-4
_COMPARTMENT = 1.5e-9
_ELEMENT = 1e-10
_LARGEST_MESSAGE = 1 << 22
# so many times the longest work of one process can those take that wait for each other within a step
_TOGETHER = 1.25


@dataclass(frozen=True)
class Schedule:
    """length: chip steps a block; depth: blocks by which a process runs behind the input; lava_steps: time steps.

    circular: processes of one depth send before they receive; else one waits for those of its depth that feed it.
    """

    length: int
    depth: Mapping[str, int]
    lava_steps: int
    circular: bool


def plan(program: ChipProgram, steps: int, batch: int) -> Schedule:
    """The schedule of a run of that many chip steps and samples."""
    work = {port.name: batch * port.size * _ELEMENT for port in program.inputs}
    work |= {p.name: batch * p.size * _COMPARTMENT for p in program.populations}
    order = _order(program)
    if order is None:
        return Schedule(1, dict.fromkeys(work, 0), steps, True)
    depth, step = _depths(order, work)
    longest = max(depth.values())
    room = _LARGEST_MESSAGE * 8 // (batch * max(node.size for node in program.nodes))

    def seconds(length: int) -> float:
        return (-(-steps // length) + longest) * (_HAND_OVER + length * step)

    length = min(range(1, max(1, min(steps, room)) + 1), key=seconds)
    return Schedule(length, depth, -(-steps // length) + longest, False)


def _order(program: ChipProgram) -> dict[str, list[str]] | None:
    """Every node behind all that feed it, and which these are; None where several populations feed each other."""
    before: dict[str, list[str]] = {node.name: [] for node in program.nodes}
    for connection in program.connections:
        if connection.source != connection.target:
            before[connection.target].append(connection.source)
    try:
        return {name: before[name] for name in TopologicalSorter(before).static_order()}
    except CycleError:
        return None


def _depths(order: Mapping[str, list[str]], work: Mapping[str, float]) -> tuple[dict[str, int], float]:
    """The depth of every node, and the seconds that a chip step takes those that wait for each other, at most."""
    limit = _TOGETHER * max(work.values())
    depth: dict[str, int] = {}
    # when a node has done a chip step, counted from the begin of Lava's step
    done: dict[str, float] = {}
    for name, sources in order.items():
        depth[name] = max((depth[source] for source in sources), default=0)
        begin = max((done[source] for source in sources if depth[source] == depth[name]), default=0.0)
        if sources and begin + work[name] > limit:
            depth[name], begin = depth[name] + 1, 0.0
        done[name] = begin + work[name]
    return depth, max(done.values())
