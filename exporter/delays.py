"""Delays: the chip's connections take a step each, so branches that join must be made equally long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hardware_profiles.errors import InputError

from .float_network import FloatConnection


def balance(inputs: Iterable[str], connections: tuple[FloatConnection, ...]) -> tuple[FloatConnection, ...]:
    """Give every connection the delay that keeps the float network's meaning.

    A spike of the float network reaches the next layer within its step; on the chip a step later. So a layer runs as
    many steps behind the input as its longest path has connections, and shorter branches wait. A connection from a
    population to itself reaches it one step later in both worlds. Raises InputError for a cycle through several
    populations, whose delay the chip could not keep.
    """
    forward = [c for c in connections if c.source != c.target]
    depth = _depths(list(inputs), forward)
    return tuple(
        c if c.source == c.target else replace(c, delay=depth[c.target] - depth[c.source]) for c in connections
    )


def _depths(inputs: list[str], connections: list[FloatConnection]) -> dict[str, int]:
    """Longest path that leads to each node; nodes nothing leads to stand at 0."""
    nodes = dict.fromkeys([*inputs, *(n for c in connections for n in (c.source, c.target))])
    waiting = {name: sum(c.target == name for c in connections) for name in nodes}
    depth = dict.fromkeys(nodes, 0)
    ready = [name for name in nodes if waiting[name] == 0]
    done: list[str] = []
    while ready:
        name = ready.pop()
        done.append(name)
        for connection in connections:
            if connection.source == name:
                depth[connection.target] = max(depth[connection.target], depth[name] + 1)
                waiting[connection.target] -= 1
                if waiting[connection.target] == 0:
                    ready.append(connection.target)
    if len(done) < len(nodes):
        left = " -> ".join(sorted(name for name in nodes if name not in done))
        raise InputError(
            f"populations {left} form a cycle; a recurrent edge can lead from a population to itself only, "
            "because every connection on the chip takes a step: join them into one population"
        )
    return depth
