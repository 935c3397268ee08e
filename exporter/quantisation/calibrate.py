"""Scales chosen by the spikes they give on sample input, instead of by the worst that any input could do.

The float network runs on the sample; each layer is then rounded at several scales, an octave apart, and run as integers
on the spikes that its sources sent in the float network (exporter/quantisation/layer_trial.py). The scale whose spike counts are nearest
is taken: a large one rounds weights less but lets v reach the end of its register, a small one the other way round. No
scale is taken at which u leaves its register on the sample, driven by the float network's spikes or by the chip's own,
or would if it went `MARGIN` times as far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation
from spikeport.exporter.float_network.simulator import simulate_float
from spikeport.exporter.program.chip_program import Connection, InputArrays
from spikeport.hardware_profiles.fixed_point import STATE_UNIT, WordWidths

from .dequantise import geometry_of, stored_weights
from .layer import EXACT, Form, Layer, LayerOptions, Wanted, quantise_layer, voltage_notes
from .layer_trial import LayerTrial, Sent, observed_bounds, run_trial
from .payload import Payload
from .state_bounds import StateBounds

MARGIN = 1.5
# halvings of the largest scale that are tried
_OCTAVES = 8
# places (step, sample, element) of the sample that are kept; further samples are left out
_PLACES = 1 << 27
# a finer form must take at least this share of the spikes off the error
_WORTH = 2e-4
# errors, in parts of the spikes, that a few samples cannot tell apart
_EQUAL = 5e-4


@dataclass(frozen=True)
class Sample:
    """What the float network sent on sample input, (steps, samples, size) an input or population.

    chip: what the integers of populations send that are rounded already.
    """

    sent: Sent
    steps: int
    samples: int
    chip: Sent = field(default_factory=dict)


def run_sample(network: FloatNetwork, x: InputArrays) -> Sample:
    """The float network on x (time, batch, *input shape), as many of the samples as memory is meant for.

    x: one array by the name of each input, where there are several. Raises InputError for an x of another shape.
    """
    arrays = _by_port(network, x)
    length, batch = next(iter(arrays.values())).shape[:2]
    steps = length + max(network.starts.values(), default=0)
    places = steps * (sum(port.size for port in network.inputs) + sum(p.size for p in network.populations))
    samples = min(batch, max(1, _PLACES // places))
    entered = {port.name: np.zeros((steps, samples, port.size), np.int32) for port in network.inputs}
    for name, values in entered.items():
        values[:length] = arrays[name][:, :samples].reshape(length, samples, -1)
    found = simulate_float(network, entered, steps)
    return Sample({**entered, **found.spikes}, steps, samples)


def _by_port(network: FloatNetwork, x: InputArrays) -> dict[str, NDArray[Any]]:
    """The array of each input; raises InputError for what does not fit."""
    names = ", ".join(port.name for port in network.inputs)
    if isinstance(x, np.ndarray):
        if len(network.inputs) > 1:
            raise InputError(f"calibration input is one array, but the inputs are {names}; give a .npz file with them")
        x = {network.inputs[0].name: x}
    found: dict[str, NDArray[Any]] = {}
    for port in network.inputs:
        if port.name not in x:
            raise InputError(f"calibration input holds {', '.join(x) or 'nothing'}, but the inputs are {names}")
        found[port.name] = values = x[port.name]
        if values.ndim < 2 or values.shape[2:] != port.shape or not values.size:
            raise InputError(
                f"calibration input has shape {values.shape}, but (time, batch, {', '.join(map(str, port.shape))}) "
                f"fits input {port.name!r}"
            )
        if values.dtype.kind not in "biuf" or np.any(values != np.rint(values)):
            raise InputError(f"calibration input {port.name!r} holds more than integers; encode real values as spikes")
    if len({values.shape[:2] for values in found.values()}) > 1:
        raise InputError(f"calibration input has different numbers of steps or samples for {names}; make them alike")
    return found


def calibrated_layer(
    wanted: Wanted,
    payloads: Mapping[str, Payload],
    widths: WordWidths,
    options: LayerOptions,
    sample: Sample,
) -> tuple[Layer, Sample]:
    """The layer at the scale, and in the form, whose spikes on the sample are nearest to the float network's.

    Returns it and the sample with what its integers send, for the layers that read it.
    """
    population = wanted.population
    sent = as_sent(sample.sent, payloads)
    driven = {**sent, **sample.chip}
    met = observed_bounds(population, wanted.incoming, sample.sent, wanted.start)
    basis = f"{sample.samples} samples of {sample.steps} steps, with a margin of {MARGIN}"
    # v may reach the end of its register where that changes no spike: only u and what is sent must fit
    graded = population.sends == "voltage"
    lowest, highest = (met.lowest * MARGIN, met.highest * MARGIN) if graded else (0.0, 0.0)
    reach = StateBounds(met.current * MARGIN, lowest, highest, basis, measured=True)
    options = replace(options, interval=_interval(population, sample, wanted.start))
    forms: tuple[Form, ...] = ("split", options.form) if options.form in ("digits", "doubled") else (options.form,)
    for layer in _by_worth(wanted, payloads, widths, replace(options, reach=reach), forms, sent):
        trial = try_layer(layer, wanted, driven, widths)
        if trial.current <= widths.state_max:
            found = _with_voltage(layer, met, widths)
            return found, replace(sample, chip={**sample.chip, population.name: trial.sent})
    # no scale keeps u in its register on the sample: the worst case does
    layer = quantise_layer(wanted, payloads, widths, options)
    trial = try_layer(layer, wanted, driven, widths)
    return layer, replace(sample, chip={**sample.chip, population.name: trial.sent})


def _interval(population: FloatPopulation, sample: Sample, start: int) -> float | None:
    """Steps between two spikes of the neurons that spike, or that v is read for; None where none spikes."""
    sent = sample.sent[population.name][start:]
    if population.sends == "voltage":
        return float(len(sent))
    counts = sent.sum(axis=0)
    spikes = int(counts.sum())
    return len(sent) * np.count_nonzero(counts) / spikes if spikes else None


def _by_worth(
    wanted: Wanted,
    payloads: Mapping[str, Payload],
    widths: WordWidths,
    options: LayerOptions,
    forms: Sequence[Form],
    sent: Sent,
) -> list[Layer]:
    """The layer at several scales in each form, best first.

    A finer form comes first only where it is worth its synapses, and is not tried where nothing is rounded at all.
    """
    ordered: list[tuple[float, Layer]] = []
    for form in forms:
        if ordered and ordered[0][1].loss < EXACT:
            break
        tried = _octaves(wanted, payloads, widths, replace(options, form=form), sent)
        least = min((error for error, _ in tried), default=0.0)
        # of those as good as equal the smallest scale: v's register then reaches furthest on other input, too
        good = [found for found in tried if found[0] <= least + _EQUAL]
        # numbers that lie on a grid stay there, in as few connections as hold them
        exact = [found for found in good if found[1].loss < EXACT]
        fewest = min((len(layer.connections) for _, layer in exact), default=0)
        good = [found for found in exact if len(found[1].connections) == fewest] or good
        others = [found for found in tried if not any(found is other for other in good)]
        tried = sorted(good, key=lambda found: found[1].report.scale) + sorted(others, key=lambda found: found[0])
        worth = bool(tried) and (not ordered or ordered[0][0] - tried[0][0] > _WORTH)
        ordered = tried + ordered if worth else ordered + tried
    return [layer for _, layer in ordered]


def as_sent(sent: Sent, payloads: Mapping[str, Payload]) -> Sent:
    """What the float network sent as the chip sends it: voltages as whole payloads."""
    whole = {
        name: np.clip(np.trunc(sent[name] / payload.unit), -payload.largest, payload.largest)
        for name, payload in payloads.items()
    }
    return {**sent, **whole}


def _octaves(
    wanted: Wanted, payloads: Mapping[str, Payload], widths: WordWidths, options: LayerOptions, sent: Sent
) -> list[tuple[float, Layer]]:
    """The layer at scales an octave apart, with its error, as far as u stays in its register."""
    found: list[tuple[float, Layer]] = []
    largest = np.inf
    for _ in range(_OCTAVES):
        layer = quantise_layer(wanted, payloads, widths, replace(options, largest_scale=largest))
        trial = try_layer(layer, wanted, sent, widths)
        if trial.current <= widths.state_max:
            found.append((trial.error, layer))
        largest = layer.report.scale / 2
        finished = found and trial.limited == 0 and trial.error > 2 * min(error for error, _ in found)
        if finished or all(c.weight_exp == 0 for c in layer.connections):
            break
    return found


def try_layer(layer: Layer, wanted: Wanted, sent: Sent, widths: WordWidths) -> LayerTrial:
    """The layer's integers on what was sent."""
    parts: dict[tuple[str, str], list[Connection]] = {}
    for connection in layer.connections:
        parts.setdefault((connection.source, connection.synapse), []).append(connection)
    incoming = [
        FloatConnection(
            first.source,
            first.target,
            stored_weights([first, *others], (wanted.population.size, sent[first.source].shape[2])) * (1 / STATE_UNIT),
            geometry_of(first),
            first.delay,
            axonal_delays=first.axonal_delays,
        )
        for first, *others in parts.values()
    ]
    unit = 1.0 if layer.population.payload_shift is None else 1 / layer.report.scale
    return run_trial(layer.population, incoming, sent, widths, unit)


def _with_voltage(layer: Layer, met: StateBounds, widths: WordWidths) -> Layer:
    """The layer with what v was seen to reach in its report, and a sentence where that is beyond its register."""
    scale = layer.report.scale
    bound = max(met.lowest, met.highest) * scale / widths.state_max
    notes = layer.report.notes + voltage_notes(bound, layer.report.bound_basis, layer.population, widths)
    report = replace(layer.report, voltage_bound=bound, notes=notes)
    return replace(layer, report=report, reach=replace(layer.reach, lowest=met.lowest, highest=met.highest))
