"""Input that the chip takes but that a network of binary spikes was hardly made for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import ChipProgram, InputArrays

from .inputs import as_dict

# values looked at: enough to see bytes or signs, and quick for a file larger than memory
_VALUES = 1 << 22
# more than a payload can hold: refused in any case
_REFUSED = 1 << 31


class InputWarning(UserWarning):
    """Input that runs, but whose values are unusual for the network."""


def doubts(program: ChipProgram, x: InputArrays, context: str = "input") -> Iterator[str]:
    """A sentence for every array with values other than 0 and 1 into a network whose layers all send binary spikes.

    Only the first samples are looked at. A network with payloads, or an input that takes real numbers, has none; nor
    has one that was made for payloads, up to the largest of these.
    """
    # without payloads such values are refused
    if not program.widths.message_bits or any(population.GRADED for population in program.populations):
        return
    scaled = {port.name for port in program.inputs if port.scale is not None}
    payloads = {port.name: port.payload for port in program.inputs}
    for name, values in as_dict(x).items():
        if name in scaled or (not name and scaled):
            continue
        sentence = _doubt(_first_samples(values), payloads.get(name) or max(payloads.values()))
        if sentence is not None:
            yield f"{context}{': ' if name else ''}{name}: {sentence}"


def _first_samples(values: NDArray[Any]) -> NDArray[Any]:
    per_sample = values.size // max(1, values.shape[1]) if values.ndim > 1 else values.size
    return values[:, : max(1, _VALUES // max(1, per_sample))] if values.ndim > 1 else values


def _doubt(values: NDArray[Any], largest: int) -> str | None:
    """What is unusual about values for an input that was made for 0 to `largest`."""
    if not values.size or values.ndim < 2 or values.dtype.kind not in "iuf":
        return None
    # in the widest type: float16 cannot hold the bounds
    low, high = (end.astype(np.float64) if values.dtype.kind == "f" else end for end in (values.min(), values.max()))
    if not -_REFUSED < low <= high < _REFUSED:
        return None
    if largest > 1 and 0 <= low <= high <= largest:
        return None
    if high == 255 and bool(np.isin(values, (0, 255)).all()):
        return "holds 0 and 255, and a payload of 255 counts as 255 spikes; divide by 255 if each is one spike"
    if low < 0:
        return f"holds negative values ({low}), which a network of binary spikes takes as payloads that inhibit"
    if largest > 1:
        return f"holds values up to {high}, but the network was made for payloads up to {largest}; scale them"
    if high > 1:
        return f"holds values up to {high}, and a payload of {high} counts as {high} spikes; give 0 and 1 for spikes"
    return None
