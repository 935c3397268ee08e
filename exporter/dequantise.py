"""What the chip holds as a FloatNetwork again, whole or one part at a time: to see what each rounding does.

One unit of the float network is `scale` units of u and v (ChipProgram.quantisation). Where a rounded current decay
changes the charge of a spike, the weights make up for it (exporter/quantise.py). So "weights" here is their rounding
alone, and "decays" brings that correction along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from hardware_profiles.errors import InputError
from hardware_profiles.fixed_point import STATE_UNIT, decay_from_du, decay_from_dv

from .float_network import ConvGeometry, FloatConnection, FloatNetwork, FloatPopulation, Floats
from .program import ChipProgram, Connection, ConvConnection, CubaLIF, Population

Part = Literal["weights", "decays", "thresholds", "biases"]
PARTS: tuple[Part, ...] = get_args(Part)

# NIR files keep 32 bit: a number this near to the chip's is on its grid and counts as held exactly
_EXACT = 1e-6


@dataclass(frozen=True)
class _Pair:
    """A population and its incoming connections, in floating point and on the chip."""

    wanted: FloatPopulation
    held: CubaLIF
    connections: Sequence[tuple[FloatConnection, Connection]]
    scale: float

    @property
    def charge(self) -> float:
        """The factor by which weights were corrected for the rounding of the current decay."""
        factor = float(np.mean(decay_from_du(self.held.du) / self.wanted.current_decay))
        return factor if abs(factor - 1) > _EXACT else 1.0


def exchange(network: FloatNetwork, program: ChipProgram, part: Part) -> FloatNetwork:
    """The float network with one part replaced by what the chip holds; raises InputError if the two do not match."""
    pairs = _pairs(network, program)
    populations = tuple(_population(pair, part) for pair in pairs)
    connections = tuple(_connection(c, held, pair, part) for pair in pairs for c, held in pair.connections)
    return replace(network, populations=populations, connections=connections)


def held_network(program: ChipProgram) -> FloatNetwork:
    """All that the chip holds, in units of its u and v, as a network of real numbers: only its dynamics are missing."""
    populations = tuple(
        FloatPopulation(
            p.name, p.shape, decay_from_du(p.du), decay_from_dv(p.dv), p.vth * float(STATE_UNIT), p.bias * 1.0
        )
        for p in map(_cuba_lif, program.populations)
    )
    connections = tuple(
        FloatConnection(c.source, c.target, _weights(c), _geometry(c), c.delay) for c in program.connections
    )
    return FloatNetwork(program.dt, program.inputs, populations, connections, program.outputs)


def _pairs(network: FloatNetwork, program: ChipProgram) -> list[_Pair]:
    ours, theirs = [p.name for p in network.populations], [p.name for p in program.populations]
    if ours != theirs or network.outputs != program.outputs:
        raise InputError(
            f"the float network has populations {', '.join(ours)}, the chip program {', '.join(theirs)}; "
            "compile the program from this network"
        )
    pairs = []
    for wanted, held in zip(network.populations, program.populations, strict=True):
        incoming = [c for c in network.connections if c.target == wanted.name]
        synapses = program.into(wanted.name)
        if [c.weights.shape for c in incoming] != [c.weights.shape for c in synapses]:
            raise InputError(f"population {wanted.name!r} has other synapses in the chip program; compile it again")
        if wanted.name not in program.quantisation:
            raise InputError(f"the chip program holds no scale for population {wanted.name!r}; compile it again")
        scale = program.quantisation[wanted.name].scale
        pairs.append(_Pair(wanted, _cuba_lif(held), list(zip(incoming, synapses, strict=True)), scale))
    return pairs


def _cuba_lif(population: Population) -> CubaLIF:
    if not isinstance(population, CubaLIF):
        raise InputError(f"population {population.name!r} is a {population.KIND}; only CUBA-LIF neurons are compared")
    return population


def _population(pair: _Pair, part: Part) -> FloatPopulation:
    wanted, held = pair.wanted, pair.held
    if part == "decays":
        return replace(
            wanted,
            current_decay=_exact(decay_from_du(held.du), wanted.current_decay),
            voltage_decay=_exact(decay_from_dv(held.dv), wanted.voltage_decay),
        )
    if part == "thresholds":
        return replace(wanted, threshold=_exact(held.vth * (STATE_UNIT / pair.scale), wanted.threshold))
    if part == "biases":
        return replace(wanted, bias=_exact(held.bias / pair.scale, wanted.bias))
    return wanted


def _connection(wanted: FloatConnection, held: Connection, pair: _Pair, part: Part) -> FloatConnection:
    if part == "weights":
        return replace(wanted, weights=_exact(_weights(held) / (pair.scale * pair.charge), wanted.weights))
    if part == "decays":
        return replace(wanted, weights=wanted.weights * pair.charge)
    return wanted


def _exact(held: Floats, wanted: Floats) -> Floats:
    """What the chip holds, or what was wanted where the two are the same number."""
    result: Floats = np.where(np.isclose(held, wanted, rtol=_EXACT, atol=0), wanted, held)
    return result


def _weights(connection: Connection) -> Floats:
    """What a spike adds to u, in units of u."""
    result: Floats = connection.weights * (STATE_UNIT * 2.0**connection.weight_exp)
    return result


def _geometry(connection: Connection) -> ConvGeometry | None:
    if not isinstance(connection, ConvConnection):
        return None
    return ConvGeometry(
        connection.input_shape, connection.output_shape, connection.stride, connection.padding, connection.dilation,
        connection.groups,
    )  # fmt: skip
