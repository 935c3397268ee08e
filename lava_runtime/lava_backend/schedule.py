"""Schedule of the batched network: the chip steps that each process computes in each Lava step.

A Lava step costs about a millisecond for any message, so a message carries a block of chip steps. Processes with much
work form a pipeline: each runs one block behind those that feed it, so that they work in parallel. With little work, a
process waits for the block within the same Lava step instead, which saves a hand-over. In recurrent loops a block is
one step, and all processes compute the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from spikeport.exporter.program.chip_program import ChipProgram

# estimates that affect only speed, in seconds: a Lava step, a compartment with its share of synapses, an input element
_HAND_OVER = 8e-4
_COMPARTMENT = 1.5e-9
_ELEMENT = 1e-10
_LARGEST_MESSAGE = 1 << 22
# limit of the work of processes that wait for each other within a step, in multiples of the longest single one
_TOGETHER = 1.25


@dataclass(frozen=True)
class Schedule:
    """length: chip steps per block; depth: blocks by which a process lags behind the input; lava_steps: time steps.

    recurrent: processes of equal depth send before they receive; else each waits for those of its depth that feed it.
    """

    length: int
    depth: Mapping[str, int]
    lava_steps: int
    recurrent: bool


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
    """The nodes in order, each with the sources that precede it; None if several populations feed each other."""
    before: dict[str, list[str]] = {node.name: [] for node in program.nodes}
    for connection in program.connections:
        if connection.source != connection.target:
            before[connection.target].append(connection.source)
    try:
        return {name: before[name] for name in TopologicalSorter(before).static_order()}
    except CycleError:
        return None


def _depths(order: Mapping[str, list[str]], work: Mapping[str, float]) -> tuple[dict[str, int], float]:
    """The depth of every node, and the longest time per chip step of nodes that wait for each other."""
    limit = _TOGETHER * max(work.values())
    depth: dict[str, int] = {}
    # when a node finishes a chip step, from the start of the Lava step
    done: dict[str, float] = {}
    for name, sources in order.items():
        depth[name] = max((depth[source] for source in sources), default=0)
        start = max((done[source] for source in sources if depth[source] == depth[name]), default=0.0)
        if sources and start + work[name] > limit:
            depth[name], start = depth[name] + 1, 0.0
        done[name] = start + work[name]
    return depth, max(done.values())
