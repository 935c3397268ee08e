"""Position, use and busy time of every core of a run, as in summary.json."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.mapping import Board, Core, Mapping
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.lava_runtime.profiling.bound import bound_of
from spikeport.lava_runtime.profiling.timeline import Timeline
from spikeport.summary import CoreMap, PlacedCore, StepSeconds

# size of the timeline, steps x cores, beyond which only the busiest cores are recorded
_MOST = 50_000


def core_map_of(mapping: Mapping, timeline: Timeline, chip: ChipProfile) -> CoreMap:
    """Cores with position, neurons by layer and share of each limit; seconds of every step, and of every core in it.

    Times are estimates, typical values except for step_s; busy_s: seconds per step for each core, None if omitted.
    """
    board = Board.of(chip.limits)
    busy = timeline.work[1].T
    busiest = set(np.argsort(-busy.sum(axis=1), kind="stable")[: max(1, _MOST // max(1, busy.shape[1]))].tolist())
    # a limit that no layer reports, such as one layer per core, is left out
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
                layers=_neurons_by_layer(core),
                fill={name: _short(share) for name, share in fill.items() if name in limits},
            )
            for core, fill in zip(mapping.placed, mapping.fills, strict=True)
        ),
        step_s=StepSeconds(low=low, typical=typical, high=high),
        busy_s=tuple(_all_short(row) if number in busiest else None for number, row in enumerate(busy)),
        bound=bound_of(timeline, chip).sentence,
    )


def _neurons_by_layer(core: Core) -> dict[str, int]:
    neurons: dict[str, int] = {}
    for part in core.slices:
        neurons[part.layer] = neurons.get(part.layer, 0) + part.size
    return neurons


def _all_short(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(_short(value) for value in values.tolist())


def _short(value: float) -> float:
    # more digits than an estimate has
    return float(f"{value:.4g}")
