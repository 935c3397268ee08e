"""Where a run's neurons lie on the chip, what fills each core and how long each is busy, as summary.json holds it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.mapping import Board, Core, Mapping
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.lava_runtime.profiling.timeline import Timeline
from spikeport.summary import CoreMap, PlacedCore, StepSeconds

# numbers of the time line, steps x cores, beyond which only the busiest cores are kept
_MOST = 50_000


def core_map_of(mapping: Mapping, timeline: Timeline, chip: ChipProfile) -> CoreMap:
    """Cores with place, neurons by layer and share of each limit; seconds of every step, and of every core in it.

    Times are estimates, typical values but for step_s; busy_s: a list of steps for each core, None for cores left out.
    """
    board = Board.of(chip.limits)
    busy = timeline.work[1].T
    kept = set(np.argsort(-busy.sum(axis=1), kind="stable")[: max(1, _MOST // max(1, busy.shape[1]))].tolist())
    # a limit that says nothing of a layer, such as one layer a core, says nothing here
    limits = {name for layer in mapping.layers for name in layer.fill}
    low, typical, high = (_all_short(row) for row in timeline.step)
    return CoreMap(
        columns=board.columns,
        rows=board.rows,
        cores_per_router=board.cores_per_router,
        chips_per_board=board.chips,
        recorded=timeline.recorded,
        cores=tuple(
            PlacedCore(
                chip=core.chip,
                x=core.x,
                y=core.y,
                layers=_held(core),
                fill={name: _short(share) for name, share in fill.items() if name in limits},
            )
            for core, fill in zip(mapping.placed, mapping.fills, strict=True)
        ),
        step_s=StepSeconds(low=low, typical=typical, high=high),
        busy_s=tuple(_all_short(row) if number in kept else None for number, row in enumerate(busy)),
    )


def _held(core: Core) -> dict[str, int]:
    neurons: dict[str, int] = {}
    for part in core.slices:
        neurons[part.layer] = neurons.get(part.layer, 0) + part.size
    return neurons


def _all_short(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(_short(value) for value in values.tolist())


def _short(value: float) -> float:
    # more digits than an estimate has
    return float(f"{value:.4g}")
