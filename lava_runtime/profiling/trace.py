"""A profile as a trace for Perfetto and chrome://tracing: one track per core, steps, counters.

Trace Event Format (Google, "Trace Event Format", document 1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU):
complete events "X" with ts and dur in microseconds, counters "C", names of tracks as metadata "M". Times are the
typical ones of the mean sample.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeport.common.files import write_text
from spikeport.common.json_text import json_text
from spikeport.hardware_profiles.schema import ChipProfile

from .counts import RECEIVED
from .placement import INPUT
from .pricing import joules
from .views import SYNOPS, summed

if TYPE_CHECKING:
    from .profile import Profile

Event = dict[str, Any]
_NETWORK = 0
_MICRO = 1e6


def write_trace(profile: Profile, chip: ChipProfile, path: str | Path) -> None:
    """Write the trace as JSON; raises InputError if it cannot be written."""
    write_text(path, json_text(trace(profile, chip), separators=(",", ":")) + "\n")


def trace(profile: Profile, chip: ChipProfile) -> dict[str, Any]:
    """The trace of the mean sample: process 0 the whole network, then one process per chip, one thread per core."""
    line = profile.timeline
    placement, energy = line.placement, line.energy(joules(chip))[1].sum(axis=1)
    lengths = line.step[1] * _MICRO
    starts = np.concatenate([[0.0], np.cumsum(lengths)])
    counted = {
        "spikes": line.exact["spikes"],
        "synops": summed(line, SYNOPS),
        "messages sent": summed(line, ("messages",)),
        "messages received": summed(line, (RECEIVED,)),
    }
    on_cores = {name: placement.by_core(values) for name, values in counted.items()}
    layers = _layers(profile)
    events = _tracks(profile, layers)
    for row, (start, length) in enumerate(zip(starts, lengths, strict=False)):
        name = f"step {row}" if line.recorded else "mean step"
        events.append(_complete(name, "step", _NETWORK, 0, start, length, {}))
        totals = {name: float(values[row].sum()) for name, values in counted.items()}
        watts = {"dynamic power": float(energy[row] / line.step[1][row])}
        events += [_counter(name, start, {name: value}) for name, value in (totals | watts).items()]
        for core, position in enumerate(placement.placed):
            busy = float(line.work[1][row, core]) * _MICRO
            done = {name: float(values[row, core]) for name, values in on_cores.items()}
            events.append(_complete(layers[core], "core", position.chip + 1, core, start, busy, done))
    return {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {"chip": profile.chip, "samples": str(line.samples), "what": "means over samples; estimates"},
    }


def _layers(profile: Profile) -> list[str]:
    by_core: list[list[str]] = [[] for _ in profile.timeline.placement.placed]
    for part in profile.timeline.placement.parts:
        if part.core != INPUT:
            by_core[part.core].append(part.layer)
    return [" + ".join(names) for names in by_core]


def _tracks(profile: Profile, layers: list[str]) -> list[Event]:
    """Names of processes and threads, and their order."""
    events = [_name("process_name", _NETWORK, 0, profile.chip), _name("thread_name", _NETWORK, 0, "steps")]
    chips = sorted({core.chip for core in profile.timeline.placement.placed})
    events += [_name("process_name", chip + 1, 0, f"{profile.chip}, chip {chip}") for chip in chips]
    for number, (core, layer) in enumerate(zip(profile.timeline.placement.placed, layers, strict=True)):
        events.append(_name("thread_name", core.chip + 1, number, f"core {number} ({core.x}, {core.y}): {layer}"))
    return events


def _name(kind: str, process: int, thread: int, name: str) -> Event:
    return {"name": kind, "ph": "M", "ts": 0, "pid": process, "tid": thread, "args": {"name": name}}


def _complete(
    name: str, category: str, process: int, thread: int, start: float, length: float, counts: dict[str, float]
) -> Event:
    times = {"ts": float(start), "dur": float(length)}
    return {"name": name, "cat": category, "ph": "X", **times, "pid": process, "tid": thread, "args": counts}


def _counter(name: str, start: float, value: dict[str, float]) -> Event:
    return {"name": name, "ph": "C", "ts": float(start), "pid": _NETWORK, "tid": 0, "args": value}
