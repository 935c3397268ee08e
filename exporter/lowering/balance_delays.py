"""Delays that make branches of different length arrive together.

Every connection takes at least one chip step. Each population has a level, the number of steps that it lags behind the
input, such that everything it receives for one step of the float network arrives in the same chip step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork


def balance_delays(network: FloatNetwork) -> FloatNetwork:
    """The network with the delay of every connection and the start of every population; raises InputError."""
    level_of = levels([port.name for port in network.inputs], network.connections)
    populations = tuple(replace(p, start=level_of.get(p.name, 0)) for p in network.populations)
    return replace(network, populations=populations, connections=_delayed(network.connections, level_of))


def balance(inputs: Iterable[str], connections: tuple[FloatConnection, ...]) -> tuple[FloatConnection, ...]:
    """Give every connection the delay with which the chip computes what the float network does.

    A value sent in one step of the float network reaches the next population in the same step, or `steps` steps later
    through a Delay, and its own population one step later still:

        delay = level of the target - level of the source + steps (+ 1 from a population to itself)  >=  1

    Raises InputError for a cycle through several populations in which too little time passes.
    """
    return _delayed(connections, levels(inputs, connections))


def levels(inputs: Iterable[str], connections: Iterable[FloatConnection]) -> dict[str, int]:
    """The smallest levels at which no delay is below its hops: longest paths with edges of length hops - steps.

    Inputs and nodes without incoming edges have level 0. Raises InputError, naming the cycle, if there are none.
    """
    connections = list(connections)
    nodes = dict.fromkeys([*inputs, *(n for c in connections for n in (c.source, c.target))])
    level, predecessor = dict.fromkeys(nodes, 0), dict[str, str]()
    forward = [c for c in connections if c.source != c.target]
    for _ in nodes:
        changed = ""
        for c in forward:
            needed = level[c.source] + c.hops - c.steps
            if needed > level[c.target]:
                level[c.target], predecessor[c.target], changed = needed, c.source, c.target
        if not changed:
            return level
    raise InputError(_cycle(changed, predecessor, forward))


def _delayed(connections: Iterable[FloatConnection], level: dict[str, int]) -> tuple[FloatConnection, ...]:
    return tuple(
        replace(c, delay=level[c.target] - level[c.source] + c.steps + (c.source == c.target)) for c in connections
    )


def _cycle(name: str, predecessor: dict[str, str], connections: list[FloatConnection]) -> str:
    """The error that names a cycle, the steps it takes and the remedy."""
    for _ in predecessor:
        name = predecessor[name]  # after one step back per node it is on the cycle
    path = [name]
    while predecessor[path[-1]] not in path:
        path.append(predecessor[path[-1]])
    path = path[path.index(predecessor[path[-1]]) :][::-1]
    edges = list(zip(path, [*path[1:], path[0]], strict=True))
    passed = sum(min(c.steps for c in connections if (c.source, c.target) == edge) for edge in edges)
    return (
        f"populations {' -> '.join([*path, path[0]])} form a cycle of {len(path)} connections, which take a step each "
        f"on the chip, but {passed} steps pass in the network; put a Delay of {len(path) - passed} steps on the edge "
        f"{edges[-1][0]} -> {edges[-1][1]}, or join them into one population that leads to itself"
    )
