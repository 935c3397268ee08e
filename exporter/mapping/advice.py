"""Remedies for a network that does not fit: one sentence per limit that a mapping breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import combinations

import numpy as np
from scipy.sparse import csr_array

from spikeport.exporter.mapping.resources.core_resources import Amounts, FanOutCores, LayerDemand, core_capacities
from spikeport.exporter.program.chip_program import ChipProgram, Connection, DenseConnection, SparseConnection
from spikeport.hardware_profiles import ChipProfile, available, load_profile

from .model import Core, LimitName, Slice
from .result import LayerMapping


def layer_advice(layer: LayerMapping, program: ChipProgram, chip: ChipProfile) -> str:
    """Why a layer's slices do not fit a core, and the remedy."""
    name = layer.limit
    size = "even with one neuron per core " if layer.neurons_per_core == 1 else ""
    return (
        f"layer {layer.name!r} breaks the limit of {name} on a core {size}({layer.fill[name]:.3g} x); "
        f"{_remedy(layer, name, program, chip)}"
    )


def core_advice(core: Core, fills: Amounts) -> str:
    """Why a manual mapping's slices do not fit their core, by the limit that they exceed most, and the remedy."""
    name = max(fills, key=lambda limit: fills[limit])
    contents = ", ".join(f"{part.layer!r} {part.first} to {part.last}" for part in core.slices)
    if name == "layers":
        most = round(len(core.slices) / fills[name])
        return f"core {core.number} holds {contents}: more than {most}, the most layers that may share a core; move one"
    remedy = "give it fewer neurons"
    if len(core.slices) == 1 and name not in ("synapse configs", "input axons"):
        remedy += f", about {int(core.neurons / fills[name])}"
    return f"core {core.number} breaks the limit of {name} ({fills[name]:.3g} x) with {contents}; {remedy}"


def _remedy(layer: LayerMapping, name: LimitName, program: ChipProgram, chip: ChipProfile) -> str:
    if name in ("synapse memory", "input axons"):
        as_lists = (
            ""
            if not _fits_as_lists(layer.name, name, program, chip)
            else ("as lists of nonzero weights (sparse connections) its synapses would fit, or ")
        )
        bits = _enough_bits(layer.name, program, chip) if name == "synapse memory" else 0
        narrow = f"weights of {bits} bit would fit, or " if bits else ""
        most = f", {int(core_capacities(chip.limits)[name])} axons at most" if name == "input axons" else ""
        return f"{as_lists}{narrow}make its fan-in smaller{most}"
    if name == "output axons":
        targets = ", ".join(repr(c.target) for c in program.out_of(layer.name))
        return f"make {targets} smaller, so that they take fewer cores, or its fan-out"
    if name == "synapse configs":
        return "give the connections into it fewer different formats (weight bits, exponents, signs)"
    if name == "delay slots":
        return "make the delays into it shorter"
    return "split it over more cores"


def _enough_bits(layer: str, program: ChipProgram, chip: ChipProfile) -> int:
    """The most weight bits with which every single neuron of the layer fits a core's memory, 0 if none does."""
    widest = max((c.weight_bits for c in program.into(layer)), default=1)
    for bits in range(widest - 1, 0, -1):
        narrow = tuple(replace(c, weight_bits=min(bits, c.weight_bits)) for c in program.connections)
        if _each_fits(layer, "synapse memory", replace(program, connections=narrow), chip):
            return bits
    return 0


def _fits_as_lists(layer: str, name: LimitName, program: ChipProgram, chip: ChipProfile) -> bool:
    """Whether every single neuron of the layer would keep a limit if matrices were lists of nonzero weights."""
    listed = tuple(_as_list(c) if c.target == layer else c for c in program.connections)
    changed = any(a is not b for a, b in zip(listed, program.connections, strict=True))
    return changed and _each_fits(layer, name, replace(program, connections=listed), chip)


def _as_list(connection: Connection) -> Connection:
    if not isinstance(connection, DenseConnection):
        return connection
    rows = csr_array(connection.weights)
    values = {f.name: getattr(connection, f.name) for f in fields(connection)}
    delays = connection.synaptic_delays
    listed_delays = None if delays is None else delays[connection.weights != 0]
    indices, indptr = rows.indices.astype(np.int32), rows.indptr.astype(np.int64)
    return SparseConnection(
        **{**values, "weights": rows.data, "synaptic_delays": listed_delays}, indices=indices, indptr=indptr
    )


def _each_fits(layer: str, name: LimitName, program: ChipProgram, chip: ChipProfile) -> bool:
    """Whether every neuron of a layer, alone on a core, keeps a limit."""
    demand, most = LayerDemand.of(program.population(layer), program, chip.limits), core_capacities(chip.limits)[name]
    nothing = FanOutCores(np.zeros(demand.population.size, np.int64))
    alone = (Slice(layer, n, n) for n in range(demand.population.size))
    return all(demand.needs(one, program, nothing)[name] <= most for one in alone)


def board_advice(layers: Sequence[LayerMapping], cores: int, program: ChipProgram, chip: ChipProfile) -> str:
    """Why a network does not fit a board, which board would hold it, and which layer takes most cores and why."""
    per_chip, chips = int(chip.limits.cores_per_chip), int(chip.limits.chips_per_board or 1)
    has = f"a chip has {per_chip}" if chips == 1 else f"the board has {chips * per_chip} on {chips} chips"
    larger = _larger_board(cores, chip)
    hint = f"{larger} would hold it, or " if larger else ""
    widest = max(layers, key=lambda layer: layer.cores)
    narrow = " or use fewer weight bits" if widest.limit == "synapse memory" else ""
    if program.widths.message_bits and any(_reads_a_sum(layer.name, program) for layer in layers):
        hint += 'let the chip add what residual blocks join only once (--sums graded, in a recipe sums = "graded"), or '
    return (
        f"the network takes {cores} cores, {has}; {hint}make {widest.name!r} smaller{narrow}: "
        f"{widest.limit} fill {widest.cores} cores with it"
    )


def _reads_a_sum(layer: str, program: ChipProgram) -> bool:
    """Whether a layer reads several sources by the same weights, as one that reads their sum is compiled."""
    incoming = [c for c in program.into(layer) if c.source != layer]
    return any(
        a.source != b.source and a.weights.shape == b.weights.shape and np.array_equal(a.weights, b.weights)
        for a, b in combinations(incoming, 2)
    )


def _larger_board(cores: int, chip: ChipProfile) -> str:
    """The smallest board of the same chips with enough cores."""
    boards = []
    for name in available():
        other = load_profile(name)
        if not isinstance(other, ChipProfile):
            continue
        room = int(other.limits.cores_per_chip) * int(other.limits.chips_per_board or 1)
        same_core = other.limits.compartments_per_core.value == chip.limits.compartments_per_core.value
        if room >= cores and same_core and name.split("_")[0] == chip.name.split("_")[0]:
            boards.append((room, name))
    return f"--chip {min(boards)[1]}" if boards else ""
