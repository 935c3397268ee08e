"""Float against fixed point: where the two differ, layer by layer, and which rounding causes it.

The float network runs with the chip's timing (exporter/float_network/simulator.py), the program in the emulator, and
equal steps of both are compared. Long runs are split into groups of samples to bound memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork
from spikeport.exporter.float_network.simulator import FloatResult, simulate_float
from spikeport.exporter.float_network.synaptic_input import SynapticInput
from spikeport.exporter.lowering.graded_sums import without_relays
from spikeport.exporter.program.chip_program import ChipProgram, InputArrays, Population
from spikeport.exporter.quantisation.dequantise import (
    PARTS,
    cuba,
    dequantised_network,
    ends_of,
    geometry_of,
    stored_weights,
    substitute_quantised,
)
from spikeport.exporter.quantisation.layer_trial import arriving_at
from spikeport.hardware_profiles.fixed_point import DECAY_UNITY, WordWidths
from spikeport.lava_runtime.emulator.emulator import emulate

from .diff_report import CAUSES, WINNER, Answer, Cause, DiffReport, Divergence, LayerDifference, joined_reports
from .inputs import check_input, steps_and_samples
from .result import SimulationResult

Inputs = Mapping[str, NDArray[np.int32]]
Sent = Mapping[str, NDArray[Any]]
"""Spikes (bool), or voltages in the network's units, (steps, batch, size) per population."""

# limit of u, v and s values per group of samples
_GROUP = 1 << 24
# voltages differ if they are apart by more than this fraction of the layer's largest
_APART = 0.01
# u lives in (-limit, limit], v in [1 - limit, limit - 1] (exporter/neurons/cuba/cuba.py)
_LIMIT = WordWidths().state_max + 1


def diff(
    network: FloatNetwork,
    program: ChipProgram,
    x: InputArrays,
    context: str = "input",
    progress: Callable[[int, int], None] | None = None,
    answer: Answer = WINNER,
) -> DiffReport:
    """Compare a network with the program compiled from it on x (time, batch, *input shape).

    Runs until all answers are complete. progress: called with the finished and total runs of a sample: one in floating
    point, one on the chip, and one per cause. answer: what of the first output counts as the same answer.
    Raises InputError for a bad input, or a program that was not compiled from this network.
    """
    program = without_relays(program, {p.name for p in network.populations})
    inputs = check_input(program, x, context)
    variants: dict[Cause, FloatNetwork] = {part: substitute_quantised(network, program, part) for part in PARTS}
    length, batch = steps_and_samples(x)
    steps = length + program.pipeline_steps
    values = steps * sum(p.size for p in program.populations)
    size = max(1, _GROUP // values)
    report: DiffReport | None = None
    done = _Progress(progress, batch * (2 + len(CAUSES)))
    for start in range(0, batch, size):
        group = {name: np.ascontiguousarray(values[:, start : start + size]) for name, values in inputs.items()}
        group_report = _diff_group(network, program, variants, group, steps, start, done, answer)
        report = group_report if report is None else joined_reports(report, group_report)
    assert report is not None  # check_input refuses an empty batch
    return report


class _Progress:
    """Counts finished runs for the progress display."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def add(self, samples: int) -> None:
        """Count another run of that many samples as done."""
        self._done += samples
        if self._progress is not None:
            self._progress(self._done, self._total)


def _diff_group(
    network: FloatNetwork,
    program: ChipProgram,
    variants: Mapping[Cause, FloatNetwork],
    inputs: dict[str, NDArray[np.int32]],
    steps: int,
    start: int,
    done: _Progress,
    answer: Answer,
) -> DiffReport:
    target = simulate_float(network, inputs, steps)
    batch = next(iter(inputs.values())).shape[1]
    done.add(batch)
    result = emulate(program, inputs, steps, "all")
    done.add(batch)
    sent = {p.name: _sent(program, result, p) for p in program.populations}
    dequantised = dequantised_network(program)
    layers = tuple(_layer(p, program, target, result, sent, inputs, start) for p in program.populations)
    causes: dict[Cause, int] = {}
    for cause, variant in variants.items():
        causes[cause] = _outputs_differ(program, simulate_float(variant, inputs, steps).spikes, target.spikes)
        done.add(batch)
    causes["dynamics"] = _outputs_differ(
        program, sent, _in_units(simulate_float(dequantised, inputs, steps).spikes, program)
    )
    done.add(batch)
    first = program.outputs[0]
    length = len(next(iter(inputs.values())))
    answers = slice(program.latency.get(first, 0), program.latency.get(first, 0) + length)
    same = answer.same(sent[first][answers], target.spikes[first][answers])
    return DiffReport(
        chip=program.chip,
        samples=batch,
        steps=steps,
        same_winners=int(same.sum()),
        compared=steps * batch * sum(program.source_size(name) for name in program.outputs),
        differing=_outputs_differ(program, sent, target.spikes),
        layers=layers,
        causes=causes,
        answer=answer.words,
    )


def _outputs_differ(program: ChipProgram, ours: Sent, theirs: Sent) -> int:
    return sum(int(np.count_nonzero(differs(ours[name], theirs[name]))) for name in program.outputs)


def differs(ours: NDArray[Any], theirs: NDArray[Any]) -> NDArray[np.bool_]:
    """Where only one side spikes; for voltages, where they are clearly apart."""
    if ours.dtype == np.bool_:
        different: NDArray[np.bool_] = ours != theirs
    else:
        different = np.abs(ours - theirs) > _APART * float(np.abs(theirs).max(initial=0))
    return different


def _sent(program: ChipProgram, result: SimulationResult, population: Population) -> NDArray[Any]:
    """What a population sent: spikes, or its payloads as voltages in the network's units."""
    values = _state(result, "s", population)
    if population.payload_shift is None:
        return values.astype(np.bool_)
    voltages: NDArray[Any] = values * (2.0**population.payload_shift / program.quantisation[population.name].scale)
    return voltages


def _in_units(sent: Sent, program: ChipProgram) -> Sent:
    """What the dequantised network sent, voltages in the network's units."""
    graded = {p.name for p in program.populations if p.payload_shift is not None}
    return {
        name: values / program.quantisation[name].scale if name in graded else values for name, values in sent.items()
    }


def _state(result: SimulationResult, letter: str, population: Population) -> NDArray[Any]:
    """A recorded array as (steps, batch, size)."""
    values = result.states[f"{letter}/{population.name}"]
    return values.reshape(*values.shape[:2], population.size)


def _layer(
    population: Population,
    program: ChipProgram,
    target: FloatResult,
    result: SimulationResult,
    sent: Sent,
    inputs: Inputs,
    start: int,
) -> LayerDifference:
    ours, theirs = sent[population.name], target.spikes[population.name]
    different = differs(ours, theirs)
    payloads = {p.name: _state(result, "s", p) for p in program.populations}
    peak, beyond = current_peak(population, program, _state(result, "u", population), {**inputs, **payloads})
    return LayerDifference(
        name=population.name,
        neurons=population.size,
        compared=different.size,
        first=first_divergence(ours, theirs, population.shape, start),
        differing=int(np.count_nonzero(different)),
        float_spikes=_amount(theirs),
        chip_spikes=_amount(ours),
        u_peak=peak,
        u_beyond=beyond,
        v_limited=int(np.count_nonzero(np.abs(_state(result, "v", population)) >= _LIMIT - 1)),
    )


def _amount(sent: NDArray[Any]) -> float:
    """Number of spikes, or the sum of |voltage|."""
    return int(sent.sum()) if sent.dtype == np.bool_ else float(np.abs(sent).sum())


def first_divergence(
    chip: NDArray[Any], target: NDArray[Any], shape: tuple[int, ...], start: int = 0
) -> Divergence | None:
    """The first step, then sample, then neuron at which two arrays (steps, batch, size) differ, or None.

    start: index of the first sample.
    """
    different = differs(chip, target)
    if not different.any():
        return None
    index = np.unravel_index(int(different.argmax()), different.shape)
    step, sample, neuron = (int(i) for i in index)
    position = tuple(int(i) for i in np.unravel_index(neuron, shape))
    larger = bool(chip[step, sample, neuron] > target[step, sample, neuron])
    return Divergence(step, start + sample, position, larger)


def current_peak(
    population: Population, program: ChipProgram, u: NDArray[np.int32], sent: Mapping[str, NDArray[Any]]
) -> tuple[float, int]:
    """The largest |u| before wrapping, as a fraction of 2**23, and how often it exceeded it.

    A recorded u does not show whether it wrapped, so each step is recomputed from the u before it and what was sent,
    (steps, batch, size) per node, exactly in double precision.
    """
    keep = (DECAY_UNITY - 1 - cuba(population).du.astype(np.float64)) / DECAY_UNITY
    incoming = [
        FloatConnection(
            c.source,
            c.target,
            stored_weights([c], ends_of(c, program)),
            geometry_of(c),
            c.delay,
            axonal_delays=c.axonal_delays,
        )
        for c in program.into(population.name)
    ]
    feeds = [(c, SynapticInput(c)) for c in incoming]
    peak, beyond = 0.0, 0
    for step in range(len(u)):
        full = np.trunc(u[step - 1] * keep) if step else np.zeros(u.shape[1:])
        for connection, add in feeds:
            values = arriving_at(connection, sent[connection.source], step)
            if values is not None:
                add(values, full)
        peak = max(peak, float(np.abs(full).max(initial=0)) / _LIMIT)
        beyond += int(np.count_nonzero((full > _LIMIT) | (full <= -_LIMIT)))
    return peak, beyond
