"""Map a program: split layers, share cores, place cores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import replace

from spikeport.exporter.mapping.resources.core_resources import (
    Amounts,
    LayerDemand,
    core_capacities,
    fan_out_cores,
    total,
    utilisation,
)
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.schema import ChipProfile

from .advice import board_advice, core_advice, layer_advice
from .board import Board
from .model import Core, LimitName, Slice
from .pack import packed
from .placement import place_cores
from .result import LayerMapping, Mapping
from .split import neurons_of, split

Contents = Sequence[tuple[tuple[Slice, ...], Amounts]]


def map_program(program: ChipProgram, chip: ChipProfile) -> Mapping:
    """Split every population over the fewest cores that keep every limit, and place the cores."""
    contents = _contents(program, chip)
    order = place_cores(program, chip, _numbered(contents, Board.of(chip.limits)))
    return assemble(program, chip, dict(enumerate(contents[n] for n in order)))


def fits(program: ChipProgram, chip: ChipProfile) -> bool:
    """Whether a program fits a chip's board: like `map_program`, without optimising the placement."""
    return assemble(program, chip, dict(enumerate(_contents(program, chip)))).fits


def core_count(program: ChipProgram, chip: ChipProfile) -> int:
    """The number of cores of `map_program`."""
    return len(_contents(program, chip))


def cores_by_layer(program: ChipProgram, chip: ChipProfile) -> dict[str, int]:
    """The cores that hold neurons of each layer; a core that layers share counts for each of them."""
    held = ({part.layer for part in parts} for parts, _ in _contents(program, chip))
    return dict(Counter(layer for layers in held for layer in layers))


def _contents(program: ChipProgram, chip: ChipProfile) -> Contents:
    """Slices and needs of every core, in the order of the layers."""
    parts = split(program, chip.limits)
    needed = needs(program, chip, parts)
    pairs = [pair for name in parts for pair in zip(parts[name], needed[name], strict=True)]
    return packed(pairs, core_capacities(chip.limits))


def needs(program: ChipProgram, chip: ChipProfile, parts: Table[str, Sequence[Slice]]) -> dict[str, list[Amounts]]:
    """The needs of every slice."""
    on_cores = {p.name: neurons_of(parts[p.name], p) for p in program.populations}
    by_layer = {}
    for p in program.populations:
        demand, sent = LayerDemand.of(p, program, chip.limits), fan_out_cores(program, p.name, on_cores)
        by_layer[p.name] = [demand.needs(part, program, sent) for part in parts[p.name]]
    return by_layer


def assemble(
    program: ChipProgram, chip: ChipProfile, contents: Table[int, tuple[tuple[Slice, ...], Amounts]]
) -> Mapping:
    """The mapping, given the slices and needs of cores by their numbers on the board."""
    board, capacities = Board.of(chip.limits), core_capacities(chip.limits)
    numbers = sorted(contents)
    placed = tuple(Core(n, *board.position(n), contents[n][0]) for n in numbers)
    fills = tuple(utilisation(contents[n][1], capacities) for n in numbers)
    layers = tuple(_layer(p.name, placed, fills) for p in program.populations)
    advice = [layer_advice(layer, program, chip) for layer in layers if not layer.fits]
    if numbers[-1] >= board.capacity:
        advice.append(board_advice(layers, len(placed), program, chip))
    return Mapping(layers, board, placed, fills, tuple(advice))


def manual_mapping(program: ChipProgram, chip: ChipProfile, slices_by_core: Table[int, tuple[Slice, ...]]) -> Mapping:
    """A mapping chosen by the user: slices by the number of their core, every neuron in exactly one."""
    parts: dict[str, list[Slice]] = {p.name: [] for p in program.populations}
    for slices in slices_by_core.values():
        for part in slices:
            parts[part.layer].append(part)
    needed = needs(program, chip, parts)
    by_slice = {part: amounts for name in parts for part, amounts in zip(parts[name], needed[name], strict=True)}
    used = {core: (slices, total(by_slice[part] for part in slices)) for core, slices in slices_by_core.items()}
    mapping = assemble(program, chip, used)
    shares = zip(mapping.placed, mapping.fills, strict=True)
    broken = [core_advice(core, fills) for core, fills in shares if max(fills.values()) > 1]
    return replace(mapping, advice=tuple(broken))


def _numbered(contents: Contents, board: Board) -> tuple[Core, ...]:
    return tuple(Core(n, *board.position(n), slices) for n, (slices, _) in enumerate(contents))


def _layer(name: str, placed: tuple[Core, ...], fills: tuple[Amounts, ...]) -> LayerMapping:
    own = [n for n, core in enumerate(placed) if any(part.layer == name for part in core.slices)]
    most: dict[LimitName, float] = {}
    for number in own:
        for limit, share in fills[number].items():
            # the number of layers on a core is not a measure of how full it is
            if limit != "layers" or share > 1:
                most[limit] = max(share, most.get(limit, 0.0))
    largest = max((part.size for n in own for part in placed[n].slices if part.layer == name), default=0)
    return LayerMapping(name, len(own), largest, most, max(most.values(), default=0.0) <= 1)
