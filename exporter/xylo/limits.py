"""What a Xylo chip cannot hold, limit by limit, and what would fit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.schema import ChipProfile

from .specification import XyloSpecification, specification_of


def refusals(program: ChipProgram, chip: ChipProfile, context: str = "program") -> tuple[str, ...]:
    """A sentence for each limit of the chip that the network breaks; raises InputError for what it cannot connect."""
    return tuple(broken_limits(specification_of(program, context), chip))


def broken_limits(network: XyloSpecification, chip: ChipProfile) -> Iterator[str]:
    """A sentence for each limit that is broken."""
    yield from broken_sizes(network.inputs, network.hidden, network.outputs, chip)
    # a target is stored once for both synapses
    yield from wide_fans(network.weights_rec.any(axis=2), chip)
    yield from _wrong_aliases(network)


def broken_sizes(inputs: int, hidden: int, outputs: int, chip: ChipProfile, carriers: int = 0) -> Iterator[str]:
    """A sentence for each kind of node of which the network has too many.

    carriers: hidden neurons that the network does not have and that carry biases.
    """
    for rule, size in {"inputs": inputs, "hidden_neurons": hidden, "output_neurons": outputs}.items():
        most = int(chip.rules[rule])
        if size > most:
            carrying = carriers if rule == "hidden_neurons" else 0
            among = f", {carrying} of them for biases" if carrying else ""
            remedy = _REMEDIES[rule].format(most - carrying)
            yield f"{chip.title} has {most} {_plain(rule)}, but the network needs {size}{among}; {remedy}"


_REMEDIES = {
    "inputs": "pool or project the input to {} channels before the network",
    "hidden_neurons": "make the hidden layers smaller, {} neurons in all",
    "output_neurons": "decide between at most {} classes, or let a hidden layer answer",
}


def wide_fans(reached: NDArray[np.bool_], chip: ChipProfile) -> Iterator[str]:
    """A sentence for each limit of the weights between hidden neurons; reached: (sources, targets)."""
    fans, most = reached.sum(axis=1), int(chip.rules["fan_out"])
    if fans.max(initial=0) > most:
        widest = int(fans.argmax())
        # a weight to itself stays where a spike resets the neuron by it (decays.py)
        own = bool(reached.diagonal()[fans > most].any())
        among, room = (" with themselves", most - 1) if own else ("", most)
        others = " other" if own else ""
        yield (
            f"hidden neuron {widest} reaches {fans[widest]} hidden neurons, and {int((fans > most).sum())} in all "
            f"reach more than {most}{among}, {chip.title}'s fan-out; prune each to its {room} largest{others} weights, "
            f"or make the layers that they reach {room}{others} neurons at most"
        )
    total, room = int(reached.sum()), int(chip.rules["recurrent_synapses"])
    if total > room:
        resets = int(reached.diagonal().sum())
        among = f", {resets} of them from neurons to themselves" if resets else ""
        yield (
            f"{total} synapses between hidden neurons{among}, but {chip.title} stores {room}; prune {total - room} "
            "others, or make the layers smaller"
        )


def _wrong_aliases(network: XyloSpecification) -> Iterator[str]:
    for neuron in np.flatnonzero((network.aliases >= network.hidden) | (network.aliases == np.arange(network.hidden))):
        yield (
            f"hidden neuron {neuron} has the alias {network.aliases[neuron]}, which must be another hidden neuron, "
            f"0 to {network.hidden - 1}"
        )


def _plain(rule: str) -> str:
    return rule.replace("_", " ")
