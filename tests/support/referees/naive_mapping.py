"""What every core of a mapping holds, counted synapse by synapse: what exporter/mapping is held against."""

from __future__ import annotations

import math
from collections import Counter

import naive

from spikeport.exporter.mapping import Core
from spikeport.exporter.program.chip_program import ChipProgram, Connection, ConvConnection, SparseConnection
from spikeport.hardware_profiles import ChipProfile

LIMITS = {
    "compartments": "compartments_per_core",
    "delay slots": "delay_slots_per_core",
    "synapse memory": "synapse_memory_bits_per_core",
    "input axons": "input_axons_per_core",
    "output axons": "output_axons_per_core",
    "compartment configs": "compartment_configs_per_core",
    "threshold configs": "threshold_configs_per_core",
    "synapse configs": "synapse_configs_per_core",
}


def needs(program: ChipProgram, chip: ChipProfile, cores: tuple[Core, ...]) -> list[dict[str, float]]:
    """Amounts of every limit, core by core."""
    found: list[dict[str, float]] = [dict.fromkeys(LIMITS, 0.0) for _ in cores]
    holder = {p.name: _holders(program, cores, p.name) for p in program.populations}
    tiled = {part.layer for core in cores for part in core.slices if part.tile is not None}
    for number, core in enumerate(cores):
        for part in core.slices:
            population, incoming = program.population(part.layer), program.into(part.layer)
            mine = {n for n, (core_number, _) in holder[part.layer].items() if core_number == number}
            beyond = max((c.longest_delay - 1 for c in incoming), default=0)
            own = [n for n in population.constants() if n not in ("bias_mant", "bias_exp", "v_initial")]
            thresholds = [n for n in own if n.startswith("vth")]
            others = [n for n in own if n not in thresholds]
            amounts = found[number]
            soft = "v_subtract" in population.constants()
            compartments = len(mine) * (int(chip.limits.compartments_per_soft_reset or 1) if soft else 1)
            amounts["compartments"] += compartments
            amounts["delay slots"] += compartments * 2 ** (len(bin(beyond)) - 2 if beyond else 0)
            for limit, names in (("compartment configs", others), ("threshold configs", thresholds)):
                amounts[limit] += len({tuple(int(getattr(population, k)[n]) for k in names) for n in mine})
            amounts["synapse configs"] += len(
                {(c.weight_bits, c.weight_exp, c.sign_mode, c.longest_delay > 1, _format(c, program)) for c in incoming}
            )
            for connection in incoming:
                amounts["synapse memory"] += _memory(connection, program, chip, mine)
                amounts["input axons"] += len(_axons(connection, program, mine))
    for connection in program.connections:
        if connection.source in holder:
            for source, target in _fan_out(connection, program, holder, connection.source in tiled):
                found[source]["output axons"] += len(target)
    return found


def _holders(program: ChipProgram, cores: tuple[Core, ...], name: str) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    shape = program.population(name).shape
    for number, core in enumerate(cores):
        for place, part in enumerate(core.slices):
            if part.layer == name:
                for n in part.neurons(shape):
                    assert int(n) not in found, f"{name} {n} lies on two cores"
                    found[int(n)] = number, place
    assert len(found) == program.population(name).size
    return found


def _format(connection: Connection, program: ChipProgram) -> str:
    if isinstance(connection, ConvConnection):
        return "conv"
    return "sparse" if _listed(connection, program) else "dense"


def _listed(connection: Connection, program: ChipProgram) -> bool:
    family = [
        c
        for c in program.connections
        if (c.source, c.target, c.synapse) == (connection.source, connection.target, connection.synapse)
    ]
    return isinstance(connection, SparseConnection) or (connection.synapse != "" and len(family) > 1)


def _index_bits(count: int) -> int:
    return min(12, max(6, math.ceil(math.log2(count))))


def _memory(connection: Connection, program: ChipProgram, chip: ChipProfile, mine: set[int]) -> float:
    limits = chip.limits
    word, header = int(limits.synapse_word_bits or 1), int(limits.synapse_header_bits or 0)
    longest = int(limits.synapses_per_list or 10**9)
    each = connection.weight_bits
    if connection.synaptic_delays is not None:
        longest_delay = int(connection.synaptic_delays.max())
        each += len(bin(longest_delay)) - 2 if longest_delay else 0
    listed = _listed(connection, program)
    lists: Counter[tuple[int, ...]] = Counter()
    if isinstance(connection, ConvConnection):
        hw = math.prod(connection.output_shape[1:])
        per_group = connection.weights.shape[0] // connection.groups
        for out in {n // hw for n in mine}:
            for inside, row, column in ((i, y, x) for i in range(connection.weights.shape[1])
                                        for y in range(connection.weights.shape[2])
                                        for x in range(connection.weights.shape[3])):  # fmt: skip
                if not listed or connection.weights[out, inside, row, column]:
                    lists[out // per_group, inside, row, column] += 1
        each += _index_bits(connection.weights[:, 0].size) if listed else 0
    else:
        for source, target, weight in naive.synapse_list(connection):
            if target in mine and (not listed or weight):
                lists[(source,)] += 1
        each += _index_bits(len(mine)) if listed else 0
    total = 0
    for count in lists.values():
        while count:
            part = min(count, longest)
            total += math.ceil((part * each + header) / word) * word
            count -= part
    return total


def _axons(connection: Connection, program: ChipProgram, mine: set[int]) -> set[int]:
    found = set()
    for source, target, weight in naive.synapse_list(connection):
        if target in mine:
            if isinstance(connection, ConvConnection):
                found.add(source % math.prod(connection.input_shape[1:]))
            elif weight or not _listed(connection, program):
                found.add(source)
    return found


def _fan_out(
    connection: Connection, program: ChipProgram, holder: dict[str, dict[int, tuple[int, int]]], tiled: bool
) -> list[tuple[int, set[tuple[int, int]]]]:
    """For every core of the source, its axons: (axon, target core)."""
    found: dict[int, set[tuple[int, int]]] = {}
    by_place = (
        isinstance(connection, ConvConnection)
        and tiled
        and connection.input_shape == program.source_shape(connection.source)
    )
    places = math.prod(connection.input_shape[1:]) if isinstance(connection, ConvConnection) else 1
    reached: dict[int, set[int]] = {}
    for source, target, weight in naive.synapse_list(connection):
        if isinstance(connection, ConvConnection) or weight or not _listed(connection, program):
            axon = source % places if isinstance(connection, ConvConnection) else source
            reached.setdefault(axon, set()).add(holder[connection.target][target][0])
    for neuron, (core, _) in holder[connection.source].items():
        for target in reached.get(neuron % places if isinstance(connection, ConvConnection) else neuron, ()):
            found.setdefault(core, set()).add((neuron % places if by_place else neuron, target))
    return list(found.items())
