"""Several layers on one core, where the chip's profile allows it: each slice goes to the first core that has room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spikeport.exporter.mapping.resources.core_resources import Amounts, together

from .model import LimitName, Slice

# cores that are still tried, the last ones: packing a million slices must not take their square
_OPEN = 64


def packed(
    slices: Sequence[tuple[Slice, Amounts]], has: Mapping[LimitName, float]
) -> list[tuple[tuple[Slice, ...], Amounts]]:
    """What each core holds and needs, slices in their order; two slices of one layer never share a core."""
    cores: list[tuple[tuple[Slice, ...], Amounts]] = []
    for part, needed in slices:
        for number in range(max(0, len(cores) - _OPEN) if has["layers"] > 1 else len(cores), len(cores)):
            held, used = cores[number]
            both = together((used, needed))
            if all(both[name] <= most for name, most in has.items()) and part.layer not in {p.layer for p in held}:
                cores[number] = ((*held, part), both)
                break
        else:
            cores.append(((part,), needed))
    return cores
