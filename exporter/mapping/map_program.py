"""From a program to its mapping: split, share cores, place."""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import replace

from spikeport.exporter.mapping.resources.core_resources import Amounts, LayerDemand, capacities, fill, sends, together
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.schema import ChipProfile

from .advice import board_advice, core_advice, layer_advice
from .board import Board
from .model import Core, LimitName, Slice
from .pack import packed
from .placement import arranged
from .result import LayerMapping, Mapping
from .split import neurons_of, split

Contents = Sequence[tuple[tuple[Slice, ...], Amounts]]


def map_program(program: ChipProgram, chip: ChipProfile) -> Mapping:
    """Split every population over the fewest cores at which no limit of a core is broken, and place the cores."""
    held = _contents(program, chip)
    order = arranged(program, chip, _numbered(held, Board.of(chip.limits)))
    return assemble(program, chip, dict(enumerate(held[n] for n in order)))


def fits(program: ChipProgram, chip: ChipProfile) -> bool:
    """Whether a program fits a chip's board: as `map_program`, without placing its cores well."""
    return assemble(program, chip, dict(enumerate(_contents(program, chip)))).fits


def _contents(program: ChipProgram, chip: ChipProfile) -> Contents:
    """What every core holds and needs, in the order of the layers."""
    parts = split(program, chip.limits)
    needed = needs(program, chip, parts)
    pairs = [pair for name in parts for pair in zip(parts[name], needed[name], strict=True)]
    return packed(pairs, capacities(chip.limits))


def needs(program: ChipProgram, chip: ChipProfile, parts: Table[str, Sequence[Slice]]) -> dict[str, list[Amounts]]:
    """What every slice needs."""
    on_cores = {p.name: neurons_of(parts[p.name], p) for p in program.populations}
    found = {}
    for p in program.populations:
        demand, sent = LayerDemand.of(p, program, chip.limits), sends(program, p.name, on_cores)
        found[p.name] = [demand.needs(part, program, sent) for part in parts[p.name]]
    return found


def assemble(program: ChipProgram, chip: ChipProfile, held: Table[int, tuple[tuple[Slice, ...], Amounts]]) -> Mapping:
    """The mapping of what cores hold and need, by their numbers on the board."""
    board, has = Board.of(chip.limits), capacities(chip.limits)
    numbers = sorted(held)
    placed = tuple(Core(n, *board.place(n), held[n][0]) for n in numbers)
    fills = tuple(fill(held[n][1], has) for n in numbers)
    layers = tuple(_layer(p.name, placed, fills) for p in program.populations)
    advice = [layer_advice(layer, program, chip) for layer in layers if not layer.fits]
    if numbers[-1] >= board.capacity:
        advice.append(board_advice(layers, len(placed), chip))
    return Mapping(layers, board, placed, fills, tuple(advice))


def by_hand(program: ChipProgram, chip: ChipProfile, held: Table[int, tuple[Slice, ...]]) -> Mapping:
    """The mapping that somebody says: slices by the number of their core, every neuron in one."""
    parts: dict[str, list[Slice]] = {p.name: [] for p in program.populations}
    for slices in held.values():
        for part in slices:
            parts[part.layer].append(part)
    needed = needs(program, chip, parts)
    by_slice = {part: amounts for name in parts for part, amounts in zip(parts[name], needed[name], strict=True)}
    used = {core: (slices, together(by_slice[part] for part in slices)) for core, slices in held.items()}
    mapping = assemble(program, chip, used)
    shares = zip(mapping.placed, mapping.fills, strict=True)
    broken = [core_advice(core, fills) for core, fills in shares if max(fills.values()) > 1]
    return replace(mapping, advice=tuple(broken))


def _numbered(held: Contents, board: Board) -> tuple[Core, ...]:
    return tuple(Core(n, *board.place(n), slices) for n, (slices, _) in enumerate(held))


def _layer(name: str, placed: tuple[Core, ...], fills: tuple[Amounts, ...]) -> LayerMapping:
    own = [n for n, core in enumerate(placed) if any(part.layer == name for part in core.slices)]
    most: dict[LimitName, float] = {}
    for number in own:
        for limit, share in fills[number].items():
            # how many layers a core holds is no matter of how full it is
            if limit != "layers" or share > 1:
                most[limit] = max(share, most.get(limit, 0.0))
    largest = max((part.size for n in own for part in placed[n].slices if part.layer == name), default=0)
    return LayerMapping(name, len(own), largest, most, max(most.values(), default=0.0) <= 1)
