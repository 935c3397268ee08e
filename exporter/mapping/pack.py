"""Share cores between layers, if the chip's profile allows it: each slice goes to the first core with room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spikeport.exporter.mapping.resources.core_resources import Amounts, total

from .model import LimitName, Slice

# only the last cores are tried, so that packing a million slices does not take quadratic time
_CANDIDATES = 64


def packed(
    slices: Sequence[tuple[Slice, Amounts]], capacities: Mapping[LimitName, float]
) -> list[tuple[tuple[Slice, ...], Amounts]]:
    """Slices and needs of each core, slices in order; two slices of one layer never share a core."""
    cores: list[tuple[tuple[Slice, ...], Amounts]] = []
    for part, needed in slices:
        for number in range(max(0, len(cores) - _CANDIDATES) if capacities["layers"] > 1 else len(cores), len(cores)):
            on_core, used = cores[number]
            both = total((used, needed))
            if all(both[name] <= most for name, most in capacities.items()) and part.layer not in {
                p.layer for p in on_core
            }:
                cores[number] = ((*on_core, part), both)
                break
        else:
            cores.append(((part,), needed))
    return cores
