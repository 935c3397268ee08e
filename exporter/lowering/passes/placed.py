"""Passes of installed packages, each placed right after the pass that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import nir

from spikeport.common.errors import InputError

Pass = Callable[[nir.NIRGraph], nir.NIRGraph]


@dataclass(frozen=True)
class Placed:
    """A pass and the name of the one after which it runs."""

    transform: Pass
    after: str

    def __call__(self, graph: nir.NIRGraph) -> nir.NIRGraph:
        """The graph after the pass."""
        return self.transform(graph)


def runs_after(name: str) -> Callable[[Pass], Placed]:
    """Decorator of a pass in another package: it runs right after the pass of that name."""
    return lambda transform: Placed(transform, name)


def in_order(known: Mapping[str, Pass]) -> dict[str, Pass]:
    """Passes in the order in which they run; those after the same pass run in order of their names.

    Raises InputError for a pass that runs after an unknown one.
    """
    passes = dict(known)
    waiting = {name: placed for name, placed in passes.items() if isinstance(placed, Placed)}
    order = [name for name in passes if name not in waiting]
    while waiting:
        ready = [name for name, placed in waiting.items() if placed.after in order]
        if not ready:
            name, placed = next(iter(waiting.items()))
            raise InputError(f"pass {name!r} runs after {placed.after!r}, but the passes are {', '.join(order)}")
        # in reverse, so that passes after the same one end up sorted by name
        for name in reversed(ready):
            order.insert(order.index(waiting.pop(name).after) + 1, name)
    return {name: _transform(passes[name]) for name in order}


def _transform(transform: Pass) -> Pass:
    return transform.transform if isinstance(transform, Placed) else transform


def as_pass(_: str, item: object) -> Pass:
    """An installed package's pass; raises InputError for one without the decorator."""
    if not isinstance(item, Placed):
        raise InputError(
            "must be a function with the decorator spikeport.exporter.lowering.passes.runs_after, "
            f"not {type(item).__name__}"
        )
    return item
