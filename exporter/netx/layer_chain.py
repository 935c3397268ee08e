"""A ChipProgram as the chain of layers that a .net file is, or the sentence that says why it is none."""

from __future__ import annotations

from dataclasses import dataclass

from spikeport.common.errors import InputError
from spikeport.exporter.program.chip_program import ChipProgram, Connection, InputPort, Population


@dataclass(frozen=True)
class Link:
    """A population, the connections that lead to it from the one before (or the input), and those from itself."""

    population: Population
    forward: tuple[Connection, ...]
    recurrent: tuple[Connection, ...]


def chain_of(program: ChipProgram, where: str) -> tuple[InputPort, list[Link]]:
    """The input and the layers in order; raises InputError that names the place where the network is no chain."""
    if len(program.inputs) != 1:
        names = ", ".join(port.name for port in program.inputs)
        raise InputError(
            f"{where}: has the inputs {names}, but a .net file has one; join them into one, or stay with NIR"
        )
    port = program.inputs[0]
    source, links = port.name, list[Link]()
    while len(links) < len(program.populations):
        targets = {c.target: None for c in program.out_of(source) if c.target != source}
        if len(targets) != 1:
            met = " and ".join(map(repr, targets)) or "nothing"
            raise InputError(
                f"{where}: {source!r} leads to {met}, but in a .net file every layer leads to one; "
                "leave branches out, or stay with NIR"
            )
        (target,) = targets
        incoming = program.into(target)
        others = {c.source for c in incoming} - {source, target}
        if others:
            raise InputError(
                f"{where}: {target!r} is reached from {source!r} and {', '.join(map(repr, sorted(others)))}, but a "
                f".net file is a chain; {_way_out(target, others)}"
            )
        forward = tuple(c for c in incoming if c.source == source)
        links.append(Link(program.population(target), forward, tuple(c for c in incoming if c.source == target)))
        source = target
    if program.outputs != (source,):
        raise InputError(
            f"{where}: its outputs are {', '.join(program.outputs)}, but a .net file's is its last layer, {source!r}; "
            "make that the output"
        )
    return port, links


def _way_out(target: str, others: set[str]) -> str:
    if any(name.startswith(f"{target}.bias") for name in others):
        return "its bias passes the synaptic filter: leave it out, or use LIF neurons, which add it to the voltage"
    return "leave branches out, or stay with NIR"
