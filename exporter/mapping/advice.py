"""What would make a network fit: sentences for the limits that a mapping breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
from scipy.sparse import csr_array

from spikeport.exporter.mapping.resources.core_resources import Amounts, LayerDemand, Sends, capacities
from spikeport.exporter.program.chip_program import ChipProgram, Connection, DenseConnection, SparseConnection
from spikeport.hardware_profiles import ChipProfile, available, load_profile

from .model import Core, LimitName, Slice
from .result import LayerMapping


def layer_advice(layer: LayerMapping, program: ChipProgram, chip: ChipProfile) -> str:
    """Why a layer's slices do not fit a core, and what would."""
    name = layer.limit
    size = "even with one neuron a core " if layer.neurons_per_core == 1 else ""
    return (
        f"layer {layer.name!r} breaks the limit of {name} on a core {size}({layer.fill[name]:.3g} x); "
        f"{_way_out(layer, name, program, chip)}"
    )


def core_advice(core: Core, fills: Amounts) -> str:
    """Why what somebody put on a core does not fit it, by the limit that it breaks most, and what would."""
    name = max(fills, key=lambda limit: fills[limit])
    held = ", ".join(f"{part.layer!r} {part.first} to {part.last}" for part in core.slices)
    if name == "layers":
        most = round(len(core.slices) / fills[name])
        return f"core {core.number} holds {held}: more than {most}, which is as many layers as share a core; move one"
    way = "give it fewer neurons"
    if len(core.slices) == 1 and name not in ("synapse configs", "input axons"):
        way += f", about {int(core.neurons / fills[name])}"
    return f"core {core.number} breaks the limit of {name} ({fills[name]:.3g} x) with {held}; {way}"


def _way_out(layer: LayerMapping, name: LimitName, program: ChipProgram, chip: ChipProfile) -> str:
    if name in ("synapse memory", "input axons"):
        listed = (
            ""
            if not _fits_as_lists(layer.name, name, program, chip)
            else ("as lists of the weights that are not 0 (sparse connections) its synapses would fit, or ")
        )
        bits = _enough_bits(layer.name, program, chip) if name == "synapse memory" else 0
        narrow = f"weights of {bits} bit would fit, or " if bits else ""
        most = f", {int(capacities(chip.limits)[name])} axons at most" if name == "input axons" else ""
        return f"{listed}{narrow}make its fan-in smaller{most}"
    if name == "output axons":
        targets = ", ".join(repr(c.target) for c in program.out_of(layer.name))
        return f"make {targets} smaller, so that they take fewer cores, or its fan-out"
    if name == "synapse configs":
        return "give the connections into it fewer different formats (weight bits, exponents, signs)"
    if name == "delay slots":
        return "make the delays into it shorter"
    return "split it over more cores"


def _enough_bits(layer: str, program: ChipProgram, chip: ChipProfile) -> int:
    """The most weight bits with which every neuron of the layer alone fits a core's memory, 0 where none does."""
    widest = max((c.weight_bits for c in program.into(layer)), default=1)
    for bits in range(widest - 1, 0, -1):
        narrow = tuple(replace(c, weight_bits=min(bits, c.weight_bits)) for c in program.connections)
        if _each_fits(layer, "synapse memory", replace(program, connections=narrow), chip):
            return bits
    return 0


def _fits_as_lists(layer: str, name: LimitName, program: ChipProgram, chip: ChipProfile) -> bool:
    """Whether every neuron of the layer alone would keep a limit if matrices were lists of what is not 0."""
    listed = tuple(_as_list(c) if c.target == layer else c for c in program.connections)
    changed = any(a is not b for a, b in zip(listed, program.connections, strict=True))
    return changed and _each_fits(layer, name, replace(program, connections=listed), chip)


def _as_list(connection: Connection) -> Connection:
    if not isinstance(connection, DenseConnection):
        return connection
    rows = csr_array(connection.weights)
    given = {f.name: getattr(connection, f.name) for f in fields(connection)}
    delays = connection.synaptic_delays
    held = None if delays is None else delays[connection.weights != 0]
    indices, indptr = rows.indices.astype(np.int32), rows.indptr.astype(np.int64)
    return SparseConnection(**{**given, "weights": rows.data, "synaptic_delays": held}, indices=indices, indptr=indptr)


def _each_fits(layer: str, name: LimitName, program: ChipProgram, chip: ChipProfile) -> bool:
    """Whether every neuron of a layer, alone on a core, keeps a limit."""
    demand, most = LayerDemand.of(program.population(layer), program, chip.limits), capacities(chip.limits)[name]
    nothing = Sends(np.zeros(demand.population.size, np.int64))
    alone = (Slice(layer, n, n) for n in range(demand.population.size))
    return all(demand.needs(one, program, nothing)[name] <= most for one in alone)


def board_advice(layers: Sequence[LayerMapping], cores: int, chip: ChipProfile) -> str:
    """Why a network does not fit a board, which would hold it, and which layer takes most of it by which limit."""
    per_chip, chips = int(chip.limits.cores_per_chip), int(chip.limits.chips_per_board or 1)
    has = f"a chip has {per_chip}" if chips == 1 else f"the board has {chips * per_chip} on {chips} chips"
    larger = _larger_board(cores, chip)
    way = f"{larger} would hold it, or " if larger else ""
    widest = max(layers, key=lambda layer: layer.cores)
    narrow = " or use fewer weight bits" if widest.limit == "synapse memory" else ""
    return (
        f"the network takes {cores} cores, {has}; {way}make {widest.name!r} smaller{narrow}: "
        f"{widest.limit} fill {widest.cores} cores with it"
    )


def _larger_board(cores: int, chip: ChipProfile) -> str:
    """The smallest board of the same chips that has enough cores."""
    found = []
    for name in available():
        other = load_profile(name)
        if not isinstance(other, ChipProfile):
            continue
        room = int(other.limits.cores_per_chip) * int(other.limits.chips_per_board or 1)
        alike = other.limits.compartments_per_core.value == chip.limits.compartments_per_core.value
        if room >= cores and alike and name.split("_")[0] == chip.name.split("_")[0]:
            found.append((room, name))
    return f"--chip {min(found)[1]}" if found else ""
