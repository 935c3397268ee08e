"""Passes of installed packages, each right after the pass that it names."""

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
    """Passes in the order in which they run; those with one place follow each other by name.

    Raises InputError for a pass that runs after an unknown one.
    """
    passes = dict(known)
    waiting = {name: found for name, found in passes.items() if isinstance(found, Placed)}
    order = [name for name in passes if name not in waiting]
    while waiting:
        ready = [name for name, found in waiting.items() if found.after in order]
        if not ready:
            name, found = next(iter(waiting.items()))
            raise InputError(f"pass {name!r} runs after {found.after!r}, but the passes are {', '.join(order)}")
        # the last one first, so that equal places end up by name
        for name in reversed(ready):
            order.insert(order.index(waiting.pop(name).after) + 1, name)
    return {name: _transform(passes[name]) for name in order}


def _transform(found: Pass) -> Pass:
    return found.transform if isinstance(found, Placed) else found


def as_pass(_: str, found: object) -> Pass:
    """An installed package's pass; raises InputError for one without a place."""
    if not isinstance(found, Placed):
        raise InputError(
            f"must be a function with the decorator spikeport.exporter.lowering.passes.runs_after, not {type(found).__name__}"
        )
    return found
