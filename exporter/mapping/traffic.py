"""Messages between cores: every spike goes once to each core with one of its synapses, per connection.

Spikes of an input enter the mesh at the first router of the first chip.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Table
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.mapping.resources.axon_fan_in import receives_from
from spikeport.exporter.mapping.resources.counts import core_of
from spikeport.exporter.program.chip_program import ChipProgram, Connection

from .board import Board
from .model import Core, slices_of
from .result import Mapping

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Flow:
    """Messages in the unit of the counts, and the distance they travel.

    sent, received: (cores,) by core; entering: from the host. hops, chip_hops: total steps from router to router and
    from chip to chip.
    """

    sent: Floats
    received: Floats
    entering: float
    hops: float
    chip_hops: float

    @property
    def messages(self) -> float:
        """All messages."""
        return float(self.received.sum())

    def __add__(self, other: Flow) -> Flow:
        return Flow(
            self.sent + other.sent,
            self.received + other.received,
            self.entering + other.entering,
            self.hops + other.hops,
            self.chip_hops + other.chip_hops,
        )

    @classmethod
    def none(cls, cores: int) -> Flow:
        """No message."""
        return cls(np.zeros(cores), np.zeros(cores), 0.0, 0.0, 0.0)


def flow(
    name: str,
    program: ChipProgram,
    cores: tuple[Core, ...],
    board: Board,
    counts: NDArray[Any],
) -> Flow:
    """What one input or population sends over all its connections; counts: spikes per neuron, its shape or (size,)."""
    total = Flow.none(len(cores))
    positions = board.positions(cores)
    for connection in program.out_of(name):
        for target, arriving, entering in _arriving(connection, program, cores, counts):
            routers, chips = board.distances(positions, positions[target])
            received = np.zeros(len(cores))
            received[target] = arriving.sum() + entering
            from_host = board.distances(np.zeros((1, 3), np.int64), positions[target])
            total += Flow(
                arriving,
                received,
                entering,
                float(arriving @ routers + entering * from_host[0][0]),
                float(arriving @ chips + entering * from_host[1][0]),
            )
    return total


def axons_between(
    program: ChipProgram, cores: tuple[Core, ...], rates: Table[str, Floats] | None = None
) -> tuple[Floats, Floats]:
    """Source elements received from core to core, (cores, cores), and from the host, (cores,), weighed by rates."""
    between, entering = np.zeros((len(cores), len(cores))), np.zeros(len(cores))
    for connection in program.connections:
        weights = np.ones(program.source_size(connection.source)) if rates is None else rates[connection.source]
        for target, arriving, outside in _arriving(connection, program, cores, weights):
            between[:, target] += arriving
            entering[target] += outside
    return between, entering


def _arriving(
    connection: Connection, program: ChipProgram, cores: tuple[Core, ...], counts: NDArray[Any]
) -> Iterator[tuple[int, Floats, float]]:
    """For every core of the target: its index, messages from each core (cores,), and from the host."""
    flat = np.asarray(counts, np.float64).reshape(-1)
    external = connection.source in {port.name for port in program.inputs}
    home = None if external else core_of(cores, connection.source, program.source_shape(connection.source))
    shape = program.population(connection.target).shape
    none = np.zeros(len(cores))
    for number, part in slices_of(cores, connection.target):
        elements = receives_from(connection, program, part.neurons(shape))
        if home is None:
            yield number, none, float(flat[elements].sum())
        else:
            arriving: Floats = np.bincount(home[elements], weights=flat[elements], minlength=len(cores)) + none
            yield number, arriving, 0.0


def one_each(program: ChipProgram, mapping: Mapping) -> Flow:
    """All messages when every source element spikes once."""
    flows = (flow(n.name, program, mapping.placed, mapping.board, np.ones(n.size)) for n in program.nodes)
    return sum(flows, Flow.none(mapping.cores))
