"""From a program to its mapping: split, share cores, place."""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence

from hardware_profiles.schema import ChipProfile

from ..program import ChipProgram
from .advice import board_advice, core_advice
from .board import Board
from .demand import Amounts, LayerDemand, capacities, fill, sends
from .model import Core, LimitName, Slice
from .pack import packed
from .placement import arranged
from .result import LayerMapping, Mapping
from .split import neurons_of, split


def map_program(program: ChipProgram, chip: ChipProfile) -> Mapping:
    """Split every population over the fewest cores at which no limit of a core is broken, and place the cores."""
    parts = split(program, chip.limits)
    needed = needs(program, chip, parts)
    held = packed([pair for name in parts for pair in zip(parts[name], needed[name], strict=True)],
                  capacities(chip.limits))  # fmt: skip
    board = Board.of(chip.limits)
    cores = tuple(Core(*board.place(n), slices) for n, (slices, _) in enumerate(held))
    contents = [held[n] for n in arranged(program, chip, cores)]
    placed = tuple(Core(*board.place(n), slices) for n, (slices, _) in enumerate(contents))
    return assemble(program, chip, placed, [used for _, used in contents])


def needs(program: ChipProgram, chip: ChipProfile, parts: Table[str, list[Slice]]) -> dict[str, list[Amounts]]:
    """What every slice needs."""
    on_cores = {p.name: neurons_of(parts[p.name], p) for p in program.populations}
    found = {}
    for p in program.populations:
        demand, sent = LayerDemand.of(p, program, chip.limits), sends(program, p.name, on_cores)
        found[p.name] = [demand.needs(part, program, sent) for part in parts[p.name]]
    return found


def assemble(program: ChipProgram, chip: ChipProfile, placed: tuple[Core, ...], used: Sequence[Amounts]) -> Mapping:
    """The mapping of cores that are placed and whose needs are known."""
    has = capacities(chip.limits)
    fills = tuple(fill(needed, has) for needed in used)
    layers = tuple(_layer(p.name, placed, fills) for p in program.populations)
    advice = [core_advice(layer, program, chip) for layer in layers if not layer.fits]
    board = Board.of(chip.limits)
    if any(core.chip >= board.chips for core in placed):
        advice.append(board_advice(len(placed), chip))
    return Mapping(layers, board.cores_per_chip, board.chips, placed, fills, tuple(advice))


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
