"""A ChipProgram as a chain of layers, as a .net file needs it; an error states why it is not one."""

from __future__ import annotations

from dataclasses import dataclass

from spikeport.common.errors import InputError
from spikeport.exporter.program.chip_program import ChipProgram, Connection, InputPort, Population


@dataclass(frozen=True)
class ChainLayer:
    """A population, the connections that lead to it from the one before (or the input), and those from itself."""

    population: Population
    forward: tuple[Connection, ...]
    recurrent: tuple[Connection, ...]


def chain_of(program: ChipProgram, context: str) -> tuple[InputPort, list[ChainLayer]]:
    """The input and the layers in order; raises InputError that names where the network is not a chain."""
    if len(program.inputs) != 1:
        names = ", ".join(port.name for port in program.inputs)
        raise InputError(
            f"{context}: has the inputs {names}, but a .net file has one; join them into one, or stay with NIR"
        )
    port = program.inputs[0]
    source, links = port.name, list[ChainLayer]()
    while len(links) < len(program.populations):
        targets = {c.target: None for c in program.out_of(source) if c.target != source}
        if len(targets) != 1:
            named_targets = " and ".join(map(repr, targets)) or "nothing"
            raise InputError(
                f"{context}: {source!r} leads to {named_targets}, but in a .net file every layer leads to one; "
                "leave branches out, or stay with NIR"
            )
        (target,) = targets
        incoming = program.into(target)
        others = {c.source for c in incoming} - {source, target}
        if others:
            raise InputError(
                f"{context}: {target!r} is reached from {source!r} and {', '.join(map(repr, sorted(others)))}, but a "
                f".net file is a chain; {_remedy(target, others)}"
            )
        forward = tuple(c for c in incoming if c.source == source)
        links.append(ChainLayer(program.population(target), forward, tuple(c for c in incoming if c.source == target)))
        source = target
    if program.outputs != (source,):
        raise InputError(
            f"{context}: its outputs are {', '.join(program.outputs)}, but a .net file's is its last layer, "
            f"{source!r}; make that the output"
        )
    return port, links


def _remedy(target: str, others: set[str]) -> str:
    if any(name.startswith(f"{target}.bias") for name in others):
        return "its bias passes the synaptic filter: leave it out, or use LIF neurons, which add it to the voltage"
    return "leave branches out, or stay with NIR"
