"""Delays: every connection of the chip takes a step, so each population runs some steps behind the input, its level,
such that all it hears of one step of the float network arrives in one step of the chip.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork


def balance_delays(network: FloatNetwork) -> FloatNetwork:
    """The network with the delay of every connection and the start of every population; raises InputError."""
    found = levels([port.name for port in network.inputs], network.connections)
    populations = tuple(replace(p, start=found.get(p.name, 0)) for p in network.populations)
    return replace(network, populations=populations, connections=_delayed(network.connections, found))


def balance(inputs: Iterable[str], connections: tuple[FloatConnection, ...]) -> tuple[FloatConnection, ...]:
    """Give every connection the delay that keeps the float network's meaning.

    What is sent in one step of the float network reaches the next population within it, or `steps` steps later where a
    Delay says so, and a population itself one step later still:

        delay = level of the target - level of the source + steps (+ 1 from a population to itself)  >=  1

    Raises InputError for a cycle through several populations in which too little time passes.
    """
    return _delayed(connections, levels(inputs, connections))


def levels(inputs: Iterable[str], connections: Iterable[FloatConnection]) -> dict[str, int]:
    """The smallest levels at which no delay is below its hops: longest paths, whose edges count hops - steps each.

    Inputs, and nodes nothing leads to, stand at 0. Raises InputError, naming the cycle, where there are none.
    """
    connections = list(connections)
    nodes = dict.fromkeys([*inputs, *(n for c in connections for n in (c.source, c.target))])
    level, before = dict.fromkeys(nodes, 0), dict[str, str]()
    forward = [c for c in connections if c.source != c.target]
    for _ in nodes:
        changed = ""
        for c in forward:
            least = level[c.source] + c.hops - c.steps
            if least > level[c.target]:
                level[c.target], before[c.target], changed = least, c.source, c.target
        if not changed:
            return level
    raise InputError(_cycle(changed, before, forward))


def _delayed(connections: Iterable[FloatConnection], level: dict[str, int]) -> tuple[FloatConnection, ...]:
    return tuple(
        replace(c, delay=level[c.target] - level[c.source] + c.steps + (c.source == c.target)) for c in connections
    )


def _cycle(name: str, before: dict[str, str], connections: list[FloatConnection]) -> str:
    """The sentence that names a cycle, what it takes and the way out."""
    for _ in before:
        name = before[name]  # after as many steps back as there are nodes, one on the cycle
    path = [name]
    while before[path[-1]] not in path:
        path.append(before[path[-1]])
    path = path[path.index(before[path[-1]]) :][::-1]
    around = list(zip(path, [*path[1:], path[0]], strict=True))
    given = sum(min(c.steps for c in connections if (c.source, c.target) == edge) for edge in around)
    return (
        f"populations {' -> '.join([*path, path[0]])} form a cycle of {len(path)} connections, which take a step each "
        f"on the chip, but in the network {given} steps pass; put a Delay of {len(path) - given} steps on the edge "
        f"{around[-1][0]} -> {around[-1][1]}, or join them into one population that leads to itself"
    )
