"""A manual mapping: a TOML or JSON file that assigns neurons to cores.

    [layers.conv1]
    tile = [24, 32, 4]                       # images: channels, rows and columns of a tile; left out: C order
    slices = [[0, 3071, 0], [3072, 6143, 1]] # first and last neuron in layout order, and core

Cores are numbered as on the board, see board.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping as Table
from pathlib import Path
from typing import Any

from spikeport.common.errors import InputError, nearest
from spikeport.common.files import write_text
from spikeport.common.limits import MOST_JSON_BYTES, MOST_SLICES, MOST_TOML_BYTES
from spikeport.common.text_files import read_json_file
from spikeport.exporter.mapping.resources.synapses import encoding
from spikeport.exporter.program.chip_program import ChipProgram, Population
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.hardware_profiles.toml_files import read_toml

from .board import Board
from .build_mapping import manual_mapping
from .model import Slice, Tile
from .result import Mapping

SlicesByCore = dict[int, list[Slice]]


def write_map(mapping: Mapping, path: Path) -> None:
    """Write a mapping as a file that `read_map` reads; raises InputError for an ending other than .toml or .json."""
    layers = {layer.name: _layer(layer.name, mapping) for layer in mapping.layers}
    if path.suffix == ".json":
        text = json.dumps({"layers": layers}, indent=1) + "\n"
    elif path.suffix == ".toml":
        text = "".join(_table(name, content) for name, content in layers.items())
    else:
        raise InputError(f"{path}: a mapping is a .toml or a .json file; give it one of these endings")
    most = MOST_JSON_BYTES if path.suffix == ".json" else MOST_TOML_BYTES
    if len(text.encode()) > most:
        raise InputError(f"{path}: would have more than {most >> 20} MiB, the most that is read; write a .json file")
    write_text(path, text)


def read_map(path: Path, program: ChipProgram, chip: ChipProfile) -> Mapping:
    """The mapping in a file; its reasons() list everything that does not fit.

    Raises InputError for a file that is not a mapping of this network on this board: an unknown or missing layer, a
    neuron on two cores or on none, a core that the board does not have.
    """
    layers = _layers(path)
    known = [p.name for p in program.populations]
    for name in layers:
        if name not in known:
            raise InputError(
                f"{path}: {name!r} is not a layer of the network{nearest(name, known)}; it has {', '.join(known)}"
            )
    by_core: SlicesByCore = {}
    for population in program.populations:
        if population.name not in layers:
            raise InputError(f"{path}: layer {population.name!r} is missing; give its slices [first, last, core]")
        context = f"{path}: layer {population.name!r}"
        parts = _slices(context, layers[population.name], population, program)
        _complete(context, parts, population.size)
        for part, core in parts:
            if not 0 <= core < Board.of(chip.limits).capacity:
                raise InputError(
                    f"{context} is on core {core}; the board has cores 0 to {Board.of(chip.limits).capacity - 1}"
                )
            if any(other.layer == part.layer for other in by_core.get(core, [])):
                raise InputError(f"{context} has two slices on core {core}; a core holds one slice of a layer")
            by_core.setdefault(core, []).append(part)
    return manual_mapping(program, chip, {core: tuple(parts) for core, parts in by_core.items()})


def _layer(name: str, mapping: Mapping) -> dict[str, Any]:
    slices = sorted((part.first, part.last, core.number, part.tile)
                  for core in mapping.placed for part in core.slices if part.layer == name)  # fmt: skip
    content: dict[str, Any] = {"slices": [[first, last, core] for first, last, core, _ in slices]}
    tile = slices[0][3]
    return content if tile is None else {"tile": list(tile), **content}


def _table(name: str, content: Table[str, Any]) -> str:
    tile = f"tile = {content['tile']}\n" if "tile" in content else ""
    slices = "".join(f"  {part},\n" for part in content["slices"])
    return f"[layers.{json.dumps(name)}]\n{tile}slices = [\n{slices}]\n\n"


def _layers(path: Path) -> Table[str, Any]:
    content = _content(path)
    layers = content.get("layers")
    if not isinstance(layers, dict) or set(content) != {"layers"}:
        raise InputError(f'{path}: holds no mapping; write a table [layers."NAME"] with its slices for every layer')
    return layers


def _content(path: Path) -> dict[str, Any]:
    if path.suffix == ".toml":
        return read_toml(path)
    if path.suffix != ".json":
        raise InputError(f"{path}: a mapping is a .toml or a .json file; give it one of these endings")
    try:
        content = read_json_file(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({(error.strerror or str(error)).lower()}); check the path"
        ) from error
    except ValueError as error:
        raise InputError(f"{path}: is not complete JSON ({error}); fix or complete the file there") from error
    return content if isinstance(content, dict) else {}


def _slices(context: str, content: Any, population: Population, program: ChipProgram) -> list[tuple[Slice, int]]:
    if not isinstance(content, dict) or not set(content) <= {"tile", "slices"} or "slices" not in content:
        raise InputError(f"{context} has other keys than tile and slices; give its slices [first, last, core]")
    tile = _tile(context, content["tile"], population) if "tile" in content else None
    encodings = tuple(encoding(c, program) for c in program.into(population.name))
    slices = []
    entries: list[Any] = content["slices"] if isinstance(content["slices"], list) else [content["slices"]]
    if len(entries) > MOST_SLICES:
        raise InputError(f"{context} has {len(entries):,} slices; at most {MOST_SLICES:,} are allowed")
    for part in entries:
        if not _whole(part, 3):
            raise InputError(f"{context}: {part!r} is not a slice; give three whole numbers, [first, last, core]")
        first, last, core = part
        if not 0 <= first <= last < population.size:
            raise InputError(
                f"{context}: there are no neurons {first} to {last}; the layer has 0 to {population.size - 1}"
            )
        slices.append((Slice(population.name, first, last, encodings, tile), core))
    return sorted(slices, key=lambda pair: pair[0].first)


def _tile(context: str, tile: Any, population: Population) -> Tile:
    if len(population.shape) != 3 or not _whole(tile, 3) or min(tile) < 1:
        raise InputError(
            f"{context}: {tile!r} is not a tile of its shape {population.shape}; give [channels, rows, columns]"
        )
    if math.prod(-(-n // t) for n, t in zip(population.shape, tile, strict=True)) > MOST_SLICES:
        raise InputError(f"{context}: tiles of {tile} are more than {MOST_SLICES:,}; give larger ones")
    channels, rows, columns = tile
    return channels, rows, columns


def _whole(values: Any, count: int) -> bool:
    return isinstance(values, list) and len(values) == count and all(type(n) is int for n in values)


def _complete(context: str, parts: list[tuple[Slice, int]], size: int) -> None:
    """Raises InputError unless every neuron is on exactly one core; parts: by first neuron."""
    end, before = 0, -1
    for part, core in parts:
        if part.first < end:
            both = _neurons(part.first, min(end - 1, part.last))
            raise InputError(f"{context}: {both} on core {before} and on core {core}; give each to one")
        if part.first > end:
            raise InputError(f"{context}: {_neurons(end, part.first - 1)} on no core; add a slice for it")
        end, before = part.last + 1, core
    if end < size:
        raise InputError(f"{context}: {_neurons(end, size - 1)} on no core; add a slice for it")


def _neurons(first: int, last: int) -> str:
    return f"neuron {first} is" if first == last else f"neurons {first} to {last} are"
