"""The chip's numbers as a FloatNetwork again, all or one kind at a time: shows the effect of each rounding.

One unit of the float network is `scale` units of u and v (ChipProgram.quantisation). Weights compensate for the
rounding of the current decay (compensation/charge.py), thresholds for that of the leak (compensation/leak.py). Here
"weights" and "thresholds" are their rounding alone, and "decays" includes those corrections. The parts of one synapse
add up (Connection.synapse).
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

# NIR files store 32 bit: a number this close to the chip's is on its grid and counts as exact
_EXACT = 1e-6


@dataclass(frozen=True)
class _Pair:
    """A population and its incoming synapses, in floating point and on the chip.

    units: the value of a source's payload of 1; interval: see Quantisation.
    """

    target: FloatPopulation
    stored: Cuba
    connections: Sequence[tuple[FloatConnection, Weights, Connection]]
    scale: float
    units: Mapping[str, float]
    interval: float

    @property
    def leak(self) -> Floats:
        """The factors by which thresholds, or payloads, were corrected for the rounding of the leak, (size,)."""
        return leak_factors(self.target, self.stored.dv, self.interval or None)

    def charge(self, rows: int) -> Floats:
        """The factors by which weights were corrected for the rounding of decays, (rows,)."""
        factors = weight_factors(self.target, self.stored.du, self.leak, rows)
        return np.where(np.abs(factors - 1) > _EXACT, factors, 1.0)


def substitute_quantised(network: FloatNetwork, program: ChipProgram, part: Part) -> FloatNetwork:
    """The float network with one part replaced by the chip's numbers; raises InputError if the two do not match."""
    pairs = _pairs(network, program)
    populations = tuple(_population(pair, part) for pair in pairs)
    connections = tuple(_connection(*synapse, pair, part) for pair in pairs for synapse in pair.connections)
    return replace(network, populations=populations, connections=connections)


def dequantised_network(program: ChipProgram) -> FloatNetwork:
    """The chip program as a network of real numbers, in units of its u and v: only its dynamics are missing.

    A population that sends its voltage sends v itself here: shifting it to a payload is part of the dynamics.
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
    populations = tuple(_dequantised_population(cuba(p), starts.get(p.name, 0)) for p in program.populations)
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


def _dequantised_population(population: Cuba, start: int) -> FloatPopulation:
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
    for target, stored in zip(network.populations, program.populations, strict=True):
        incoming = [c for c in network.connections if c.target == target.name]
        synapses, interval = _synapses(incoming, program, target), program.quantisation[target.name].interval
        pairs.append(_Pair(target, cuba(stored), synapses, scales[target.name], units, interval))
    return pairs


def _synapses(
    incoming: Sequence[FloatConnection], program: ChipProgram, target: FloatPopulation
) -> list[tuple[FloatConnection, Weights, Connection]]:
    """Each synapse with the summed weights of its parts, and one of the parts: their delays are the same."""
    parts: dict[tuple[str, str], list[Connection]] = {}
    for connection in program.into(target.name):
        parts.setdefault((connection.source, connection.synapse), []).append(connection)
    names = [(c.source, name) for c, name in zip(incoming, synapse_names(incoming), strict=True)]
    stored = [stored_weights(members, ends_of(members[0], program)) for members in parts.values()]
    if list(parts) != names or [w.shape for w in stored] != [c.weights.shape for c in incoming]:
        raise InputError(f"population {target.name!r} has other synapses in the chip program; compile it again")
    return list(zip(incoming, stored, (members[0] for members in parts.values()), strict=True))


def _population(pair: _Pair, part: Part) -> FloatPopulation:
    target, stored = pair.target, pair.stored
    if part == "decays":
        return replace(
            with_rounded_leak(target, pair.leak),
            current_decay=_equal_or_stored_array(decay_from_du(stored.du), target.current_decay),
            voltage_decay=_equal_or_stored_array(decay_from_dv(stored.dv), target.voltage_decay),
        )
    if part == "thresholds" and stored.threshold_word is not None:
        threshold = stored.threshold_word * (STATE_UNIT / pair.scale) / pair.leak
        return replace(target, threshold=_equal_or_stored_array(threshold, target.threshold))
    if part == "biases":
        corrected = pair.leak if target.sends == "voltage" else 1.0
        return replace(target, bias=_equal_or_stored_array(stored.bias / pair.scale * corrected, target.bias))
    return target


def _connection(
    target: FloatConnection, stored: Weights, first: Connection, pair: _Pair, part: Part
) -> FloatConnection:
    if part == "delays":
        return replace(target, delay=first.delay, axonal_delays=first.axonal_delays)
    if part not in ("weights", "decays"):
        return target
    charge = pair.charge(target.weights.shape[0])
    if part == "decays":
        return replace(target, weights=_scaled(target.weights, charge))
    factors = 1 / (pair.scale * pair.units.get(target.source, 1.0) * charge)
    return replace(target, weights=_equal_or_stored(_scaled(stored, factors), target.weights))


def _scaled(weights: Weights, factors: Floats) -> Weights:
    """Each row of weights times its factor."""
    if isinstance(weights, csr_array):
        rows = weights.copy().astype(np.float64)
        rows.data *= np.repeat(factors, np.diff(rows.indptr))
        return rows
    return weights * factors.reshape(-1, *([1] * (weights.ndim - 1)))


def _equal_or_stored(stored: Weights, target: Weights) -> Weights:
    """The chip's weights, or the float ones where both are the same number; dense or sparse like the float ones."""
    if isinstance(target, csr_array):
        rows = csr_array(stored)
        rows.sort_indices()
        same = csr_array(target)
        same.sum_duplicates()
        if np.array_equal(rows.indptr, same.indptr) and np.array_equal(rows.indices, same.indices):
            return csr_array(
                (_equal_or_stored_array(rows.data, same.data), rows.indices, rows.indptr), shape=rows.shape
            )
        return rows
    return _equal_or_stored_array(stored.toarray() if isinstance(stored, csr_array) else stored, target)


def _equal_or_stored_array(stored: Floats, target: Floats) -> Floats:
    """The chip's numbers, or the float ones where the two are the same number."""
    result: Floats = np.where(np.isclose(stored, target, rtol=_EXACT, atol=0), target, stored)
    return result
