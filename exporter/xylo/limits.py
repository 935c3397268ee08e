"""What a Xylo chip cannot hold, limit by limit, and what would fit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.schema import ChipProfile

from .specification import XyloSpecification, specification_of


def refusals(program: ChipProgram, chip: ChipProfile, context: str = "program") -> tuple[str, ...]:
    """A sentence for each limit of the chip that the network breaks; raises InputError for what it cannot connect."""
    return tuple(broken_limits(specification_of(program, context), chip))


def broken_limits(network: XyloSpecification, chip: ChipProfile) -> Iterator[str]:
    """A sentence for each limit that is broken."""
    yield from broken_sizes(network.inputs, network.hidden, network.outputs, chip)
    yield from _wide_fans(network, chip)
    yield from _wrong_aliases(network)


def broken_sizes(inputs: int, hidden: int, outputs: int, chip: ChipProfile) -> Iterator[str]:
    """A sentence for each kind of node of which the network has too many."""
    for rule, size in {"inputs": inputs, "hidden_neurons": hidden, "output_neurons": outputs}.items():
        most = int(chip.rules[rule])
        if size > most:
            remedy = _REMEDIES[rule].format(most)
            yield f"{chip.title} has {most} {_plain(rule)}, but the network needs {size}; {remedy}"


_REMEDIES = {
    "inputs": "pool or project the input to {} channels before the network",
    "hidden_neurons": "make the hidden layers smaller, {} neurons in all",
    "output_neurons": "decide between at most {} classes, or let a hidden layer answer",
}


def _wide_fans(network: XyloSpecification, chip: ChipProfile) -> Iterator[str]:
    # a target is stored once for both synapses
    reached = network.weights_rec.any(axis=2)
    fans, most = reached.sum(axis=1), int(chip.rules["fan_out"])
    if fans.max(initial=0) > most:
        widest = int(fans.argmax())
        yield (
            f"hidden neuron {widest} reaches {fans[widest]} hidden neurons, and {int((fans > most).sum())} in all "
            f"reach more than {most}, {chip.title}'s fan-out; prune each to its {most} largest weights, or make "
            f"the layers behind them {most} neurons at most"
        )
    total, room = int(reached.sum()), int(chip.rules["recurrent_synapses"])
    if total > room:
        yield (
            f"{total} synapses between hidden neurons, but {chip.title} stores {room}; prune them to "
            f"{room / total:.0%}, or make the layers smaller"
        )


def _wrong_aliases(network: XyloSpecification) -> Iterator[str]:
    for neuron in np.flatnonzero((network.aliases >= network.hidden) | (network.aliases == np.arange(network.hidden))):
        yield (
            f"hidden neuron {neuron} has the alias {network.aliases[neuron]}, which must be another hidden neuron, "
            f"0 to {network.hidden - 1}"
        )


def _plain(rule: str) -> str:
    return rule.replace("_", " ")
