"""What the chip holds as a FloatNetwork again, whole or one part at a time: to see what each rounding does.

One unit of the float network is `scale` units of u and v (ChipProgram.quantisation). Where a rounded current decay
changes the charge of a spike, the weights make up for it (exporter/quantisation/compensation/charge.py), and for a rounded leak the thresholds do
(exporter/quantisation/compensation/leak.py). So "weights" and "thresholds" here are their rounding alone, and "decays" brings those corrections
along. The parts that hold one synapse add up (Connection.synapse).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np
from scipy.sparse import csr_array

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import (
    ConvGeometry,
    FloatConnection,
    FloatNetwork,
    FloatPopulation,
    Floats,
    Reset,
)
from spikeport.exporter.program.chip_program import (
    ChipProgram,
    Connection,
    ConvConnection,
    Cuba,
    Population,
    SparseConnection,
)
from spikeport.exporter.quantisation.compensation.charge import weight_factors
from spikeport.exporter.quantisation.compensation.leak import leak_factors, with_rounded_leak
from spikeport.hardware_profiles.fixed_point import STATE_UNIT, decay_from_du, decay_from_dv

from .layer import synapse_names
from .synaptic_delays import split_delays

Part = Literal["weights", "decays", "thresholds", "biases", "delays"]
PARTS: tuple[Part, ...] = get_args(Part)
Weights: TypeAlias = "Floats | csr_array"

# NIR files keep 32 bit: a number this near to the chip's is on its grid and counts as held exactly
_EXACT = 1e-6


@dataclass(frozen=True)
class _Pair:
    """A population and its incoming synapses, in floating point and on the chip.

    units: what sources' payloads mean; interval: see Quantisation.
    """

    wanted: FloatPopulation
    held: Cuba
    connections: Sequence[tuple[FloatConnection, Weights, Connection]]
    scale: float
    units: Mapping[str, float]
    interval: float

    @property
    def leak(self) -> Floats:
        """The factors by which thresholds, or what is sent, were corrected for the rounding of the leak, (size,)."""
        return leak_factors(self.wanted, self.held.dv, self.interval or None)

    def charge(self, rows: int) -> Floats:
        """The factors by which weights were corrected for the rounding of decays, (rows,)."""
        factors = weight_factors(self.wanted, self.held.du, self.leak, rows)
        return np.where(np.abs(factors - 1) > _EXACT, factors, 1.0)


def exchange(network: FloatNetwork, program: ChipProgram, part: Part) -> FloatNetwork:
    """The float network with one part replaced by what the chip holds; raises InputError if the two do not match."""
    pairs = _pairs(network, program)
    populations = tuple(_population(pair, part) for pair in pairs)
    connections = tuple(_connection(*synapse, pair, part) for pair in pairs for synapse in pair.connections)
    return replace(network, populations=populations, connections=connections)


def dequantised_network(program: ChipProgram) -> FloatNetwork:
    """All that the chip holds, in units of its u and v, as a network of real numbers: only its dynamics are missing.

    A population that sends its voltage sends whole units of v here, undivided: the cut of its payload is dynamics.
    """
    program = split_delays(program)
    units = {name: 2.0**-shift for name, shift in _shifts(program).items()}
    connections = tuple(
        FloatConnection(
            c.source,
            c.target,
            stored_weights([c], ends_of(c, program)) * units.get(c.source, 1.0),
            geometry_of(c),
            c.delay,
            axonal_delays=c.axonal_delays,
            synapse=c.synapse,
        )
        for c in program.connections
    )
    starts = program.latency
    populations = tuple(_held(cuba(p), starts.get(p.name, 0)) for p in program.populations)
    return FloatNetwork(program.dt, program.inputs, populations, connections, program.outputs)


def cuba(population: Population) -> Cuba:
    """The population, if it is one of the CUBA neurons; raises InputError."""
    if not isinstance(population, Cuba):
        raise InputError(f"population {population.name!r} is a {population.KIND}; only CUBA neurons are compared")
    return population


def stored_weights(parts: Sequence[Connection], shape: tuple[int, int]) -> Weights:
    """What a spike (or a payload of 1) adds to u through the parts of one synapse, in units of u.

    Shaped like the parts: a kernel, a dense matrix, or compressed rows where all of them are sparse.
    shape: (target size, source size).
    """
    summed: Weights | None = None
    for part in parts:
        unit = STATE_UNIT * 2.0**part.weight_exp
        if isinstance(part, SparseConnection):
            weights: Weights = csr_array((part.weights * unit, part.indices, part.indptr), shape=shape)
        else:
            weights = part.weights * unit
        summed = weights if summed is None else summed + weights
    assert summed is not None
    return summed


def ends_of(connection: Connection, program: ChipProgram) -> tuple[int, int]:
    """(target size, source size) of a connection."""
    return program.source_size(connection.target), program.source_size(connection.source)


def geometry_of(connection: Connection) -> ConvGeometry | None:
    """A convolution's geometry, None for matrices."""
    if not isinstance(connection, ConvConnection):
        return None
    return ConvGeometry(
        connection.input_shape, connection.output_shape, connection.stride, connection.padding, connection.dilation,
        connection.groups,
    )  # fmt: skip


def _reset(population: Cuba) -> Reset:
    if population.subtracted is None or population.threshold_word is None:
        return "zero"
    whole = np.array_equal(population.subtracted, population.threshold_word * STATE_UNIT)
    return "subtract" if whole else "subtract_after_decay"


def _shifts(program: ChipProgram) -> dict[str, int]:
    """Bits by which populations that send their voltage shift it, by name."""
    shifts = {p.name: p.payload_shift for p in program.populations}
    return {name: int(shift[0]) for name, shift in shifts.items() if shift is not None}


def _held(population: Cuba, start: int) -> FloatPopulation:
    bias = population.bias * 1.0
    word = population.threshold_word
    threshold = np.full(population.size, np.inf) if word is None else word * float(STATE_UNIT)
    return FloatPopulation(
        population.name,
        population.shape,
        decay_from_du(population.du),
        decay_from_dv(population.dv),
        threshold,
        bias,
        reset=_reset(population),
        sends="spikes" if population.payload_shift is None else "voltage",
        v_initial=population.voltage_at(start).astype(np.float64),
    )


def _pairs(network: FloatNetwork, program: ChipProgram) -> list[_Pair]:
    program = split_delays(program)
    ours, theirs = [p.name for p in network.populations], [p.name for p in program.populations]
    if ours != theirs or network.outputs != program.outputs:
        raise InputError(
            f"the float network has populations {', '.join(ours)}, the chip program {', '.join(theirs)}; "
            "compile the program from this network"
        )
    scales = {name: report.scale for name, report in program.quantisation.items()}
    missing = [name for name in ours if name not in scales]
    if missing:
        raise InputError(f"the chip program holds no scale for population {missing[0]!r}; compile it again")
    units = {name: 2.0**shift / scales[name] for name, shift in _shifts(program).items()}
    pairs = []
    for wanted, held in zip(network.populations, program.populations, strict=True):
        incoming = [c for c in network.connections if c.target == wanted.name]
        synapses, interval = _synapses(incoming, program, wanted), program.quantisation[wanted.name].interval
        pairs.append(_Pair(wanted, cuba(held), synapses, scales[wanted.name], units, interval))
    return pairs


def _synapses(
    incoming: Sequence[FloatConnection], program: ChipProgram, wanted: FloatPopulation
) -> list[tuple[FloatConnection, Weights, Connection]]:
    """Each synapse with the weights that its parts hold, and one of the parts: their delays are the same."""
    parts: dict[tuple[str, str], list[Connection]] = {}
    for connection in program.into(wanted.name):
        parts.setdefault((connection.source, connection.synapse), []).append(connection)
    names = [(c.source, name) for c, name in zip(incoming, synapse_names(incoming), strict=True)]
    held = [stored_weights(found, ends_of(found[0], program)) for found in parts.values()]
    if list(parts) != names or [w.shape for w in held] != [c.weights.shape for c in incoming]:
        raise InputError(f"population {wanted.name!r} has other synapses in the chip program; compile it again")
    return list(zip(incoming, held, (found[0] for found in parts.values()), strict=True))


def _population(pair: _Pair, part: Part) -> FloatPopulation:
    wanted, held = pair.wanted, pair.held
    if part == "decays":
        return replace(
            with_rounded_leak(wanted, pair.leak),
            current_decay=_exact(decay_from_du(held.du), wanted.current_decay),
            voltage_decay=_exact(decay_from_dv(held.dv), wanted.voltage_decay),
        )
    if part == "thresholds" and held.threshold_word is not None:
        threshold = held.threshold_word * (STATE_UNIT / pair.scale) / pair.leak
        return replace(wanted, threshold=_exact(threshold, wanted.threshold))
    if part == "biases":
        corrected = pair.leak if wanted.sends == "voltage" else 1.0
        return replace(wanted, bias=_exact(held.bias / pair.scale * corrected, wanted.bias))
    return wanted


def _connection(wanted: FloatConnection, held: Weights, first: Connection, pair: _Pair, part: Part) -> FloatConnection:
    if part == "delays":
        return replace(wanted, delay=first.delay, axonal_delays=first.axonal_delays)
    if part not in ("weights", "decays"):
        return wanted
    charge = pair.charge(wanted.weights.shape[0])
    if part == "decays":
        return replace(wanted, weights=_scaled(wanted.weights, charge))
    factors = 1 / (pair.scale * pair.units.get(wanted.source, 1.0) * charge)
    return replace(wanted, weights=_nearly(_scaled(held, factors), wanted.weights))


def _scaled(weights: Weights, factors: Floats) -> Weights:
    """Each row of weights times its factor."""
    if isinstance(weights, csr_array):
        rows = weights.copy().astype(np.float64)
        rows.data *= np.repeat(factors, np.diff(rows.indptr))
        return rows
    return weights * factors.reshape(-1, *([1] * (weights.ndim - 1)))


def _nearly(held: Weights, wanted: Weights) -> Weights:
    """What the chip holds, or what was wanted where the two are the same number; in the form of what was wanted."""
    if isinstance(wanted, csr_array):
        rows = csr_array(held)
        rows.sort_indices()
        same = csr_array(wanted)
        same.sum_duplicates()
        if np.array_equal(rows.indptr, same.indptr) and np.array_equal(rows.indices, same.indices):
            return csr_array((_exact(rows.data, same.data), rows.indices, rows.indptr), shape=rows.shape)
        return rows
    return _exact(held.toarray() if isinstance(held, csr_array) else held, wanted)


def _exact(held: Floats, wanted: Floats) -> Floats:
    """What the chip holds, or what was wanted where the two are the same number."""
    result: Floats = np.where(np.isclose(held, wanted, rtol=_EXACT, atol=0), wanted, held)
    return result
