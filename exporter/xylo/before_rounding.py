"""What of a float network no Xylo chip takes, all of it that is known before weights are rounded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikeport.common.errors import DoesNotFitError, InputError, all_of
from spikeport.exporter.float_network.float_network import FloatNetwork, FloatPopulation
from spikeport.hardware_profiles.schema import ChipProfile

from .decays import too_slow
from .float_block import is_direct
from .layout import Layout, float_weights
from .limits import broken_sizes, wide_fans
from .specification import NAMES

# hidden neurons up to which their fan-out is looked at, which takes a matrix of their square
_LARGEST = 4096


def check_network(network: FloatNetwork, layout: Layout, chip: ChipProfile, longest: int) -> None:
    """Raises InputError for what the chip does not have, DoesNotFitError for its limits; longest: the largest dash."""
    problems = list(_problems(network, layout, chip, longest))
    if problems:
        problems += map(DoesNotFitError, _fans(network, layout, chip))
        raise all_of(problems)


def _problems(network: FloatNetwork, layout: Layout, chip: ChipProfile, longest: int) -> Iterator[InputError]:
    for population in network.populations:
        yield from map(InputError, _not_its_neuron(population))
    yield from map(InputError, _large_payloads(network, chip))
    inputs, hidden, outputs = (layout.size(kind) for kind in ("inputs", "hidden", "outputs"))
    driven = {c.target for c in network.connections}
    carriers = sum(p.size for p in layout.hidden if p.name not in driven)
    yield from map(DoesNotFitError, broken_sizes(inputs, hidden, outputs, chip, carriers))
    yield from map(InputError, _delays(network))
    for population in network.populations:
        yield from map(DoesNotFitError, too_slow(population, longest))


def _not_its_neuron(population: FloatPopulation) -> Iterator[str]:
    name = population.name
    if population.sends == "voltage":
        yield (
            f"{name!r} sends its voltage, but a Xylo chip's neurons send events; give it a threshold (LIF or CubaLIF "
            "in place of LI or CubaLI)"
        )
    if np.any(population.v_initial != 0):
        yield f"{name!r} starts at a voltage other than 0, but a Xylo chip's do not; leave it out"


def _large_payloads(network: FloatNetwork, chip: ChipProfile) -> Iterator[str]:
    most = int(chip.rules["events_per_input"])
    for name, largest in network.payloads.items():
        if largest > most:
            yield (
                f"input {name!r} takes integers up to {largest}, but {chip.title} takes at most {most} events per "
                "channel and step; scale the input or encode it as spikes"
            )


def _delays(network: FloatNetwork) -> Iterator[str]:
    inputs = {port.name for port in network.inputs}
    # what a neuron without input sends does not depend on the step in which the input enters
    timed = inputs | {c.target for c in network.connections}
    for c in network.connections:
        if c.source in timed and c.longest_delay != 1:
            own = NAMES["in" if c.source in inputs else "rec"]
            yield (
                f"{c.source!r} -> {c.target!r} arrives {c.longest_delay - 1} steps late, but a Xylo chip has no delays "
                f"on its {own} weights; remove the Delay, or give branches that join equally many layers"
            )


def _fans(network: FloatNetwork, layout: Layout, chip: ChipProfile) -> Iterator[str]:
    """Fan-outs of the weights before rounding, some of which may become 0."""
    if layout.size("hidden") > _LARGEST:
        return
    reached = float_weights(network, layout, "rec").T != 0
    direct = [is_direct(p, network) for p in layout.hidden]
    own = np.concatenate(direct) if direct else np.zeros(0, bool)
    yield from wide_fans(reached | np.diag(own), chip)
