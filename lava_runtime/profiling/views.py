"""A profile as plain values, for reports and other programs: time, energy, power, memory, activity, traffic.

By step, by layer and by core; means over the samples, typical values unless low and high are given.
docs/profiler.md describes every field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.lava_runtime.cost_model.estimate import Estimate

from .bound import bound_of
from .counts import RECEIVED
from .placement import INPUT
from .pricing import joules
from .timeline import Timeline

if TYPE_CHECKING:
    from .profile import Profile

SYNOPS = ("synops_dense", "synops_sparse", "synops_conv")


def views(profile: Profile, chip: ChipProfile) -> dict[str, Any]:
    """All views of a profile of this chip."""
    line = profile.timeline
    energy = line.energy(joules(chip))
    return {
        "recorded": line.recorded,
        "rows": len(line.step[0]),
        "steps": line.steps,
        "samples": line.samples,
        "layers": _nodes(line),
        "cores": _cores(line),
        "time": _time(profile, chip),
        "energy": _energy(profile, chip, energy),
        "power": _power(profile, energy),
        "memory": _memory(profile),
        "activity": _by(line, {"spikes": ("spikes",), "synops": SYNOPS}) | {"active_updates": _active(line)},
        "traffic": _by(
            line,
            {"sent": ("messages",), "received": (RECEIVED,), "hops": ("hops",), "chip_hops": ("chip_hops",)},
        )
        | {"links": line.ends.tolist(), "on_links": [_short(row) for row in line.carried]},
    }


def summed(line: Timeline, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Counts of all these names by row and part."""
    return sum((line.exact[name] for name in names if name in line.exact), np.zeros(line.active.shape[1:]))


def by_layer(line: Timeline, values: NDArray[np.float64]) -> dict[str, list[float]]:
    """Values by row and part as one list per node."""
    return {name: _short(values[:, line.placement.of(name)].sum(axis=1)) for name in _nodes(line)}


def _nodes(line: Timeline) -> list[str]:
    return list(dict.fromkeys(part.layer for part in line.placement.parts))


def _cores(line: Timeline) -> list[dict[str, Any]]:
    neurons_by_core: list[dict[str, int]] = [{} for _ in line.placement.placed]
    for part in line.placement.parts:
        if part.core != INPUT:
            neurons_by_core[part.core][part.layer] = neurons_by_core[part.core].get(part.layer, 0) + part.size
    placed_cores = zip(line.placement.placed, neurons_by_core, strict=True)
    return [{"chip": core.chip, "x": core.x, "y": core.y, "neurons": neurons} for core, neurons in placed_cores]


def _time(profile: Profile, chip: ChipProfile) -> dict[str, Any]:
    line = profile.timeline
    return {
        "step_s": _bounds(line.step),
        "slowest_core_s": {name: _short(values) for name, values in line.shares.items()},
        "slowest_share": _short(line.slowest),
        "slowest_link_share": _short(line.slowest_link),
        "bound": asdict(bound_of(line, chip)),
        "core_busy_s": [_short(row) for row in line.work[1]],
        "latency_s": asdict(line.latency),
        "period_s": asdict(line.period),
        "per_second": {"unpipelined": asdict(profile.unpipelined), "pipelined": asdict(profile.pipelined)},
    }


def _energy(profile: Profile, chip: ChipProfile, energy: NDArray[np.float64]) -> dict[str, Any]:
    line = profile.timeline
    return {
        "dynamic_j": {name: asdict(value) for name, value in profile.dynamic_by_event(chip).items()},
        "static_j": {name: asdict(watts.times(line.latency)) for name, watts in profile.power.items()},
        "layers_j": by_layer(line, energy[1]),
        "cores_j": [_short(row) for row in line.placement.by_core(energy[1])],
    }


def _power(profile: Profile, energy: NDArray[np.float64]) -> dict[str, Any]:
    line = profile.timeline
    # low energy in a long step, high energy in a short one
    dynamic = energy.sum(axis=2) / line.step[::-1]
    static = sum(profile.power.values(), Estimate.zero())
    return {
        "static_w": {name: asdict(watts) for name, watts in profile.power.items()},
        "dynamic_w": _bounds(dynamic),
        "mean_w": asdict(static + profile.dynamic.over(line.latency)),
    }


def _memory(profile: Profile) -> dict[str, Any]:
    """Bytes of the network, and the share of each limit that every core uses."""
    cores = [{name: float(f"{share:.6g}") for name, share in fill.items()} for fill in profile.mapping.fills]
    return {"footprint_bytes": profile.workload.footprint_bytes, "fill": cores}


def _by(line: Timeline, names: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    by_view: dict[str, Any] = {}
    for view, counted in names.items():
        values = summed(line, counted)
        by_view[view] = {
            "layers": by_layer(line, values),
            "cores": [_short(row) for row in line.placement.by_core(values)],
        }
    return by_view


def _active(line: Timeline) -> dict[str, Any]:
    return {
        "layers": by_layer(line, line.active[1]),
        "cores": [_short(row) for row in line.placement.by_core(line.active[1])],
    }


def _bounds(values: NDArray[np.float64]) -> dict[str, list[float]]:
    return {name: _short(rows) for name, rows in zip(("low", "typical", "high"), values, strict=True)}


def _short(values: NDArray[np.float64]) -> list[float]:
    """Rounded to six digits, more than an estimate has."""
    return [float(f"{value:.6g}") for value in values.tolist()]
