"""Choose scales by the spikes they give on sample input instead of by the worst case.

The float network runs on the sample; each layer is then rounded at several scales, an octave apart, and run as integers
on the spikes that its sources sent in the float network (layer_trial.py). The scale whose spike counts are nearest is
used: a large scale rounds weights less but lets v reach the end of its register; a small one does the opposite. Scales
at which u, or `MARGIN` times u, leaves its register on the sample are rejected, whether the float network's spikes
drive the layer or the chip's own.
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
from .layer import EXACT, FloatLayer, LayerOptions, QuantisedLayer, WeightEncoding, quantise_layer, voltage_notes
from .layer_trial import LayerTrial, Sent, observed_bounds, run_trial
from .payload import Payload
from .scale import trained_scale
from .state_bounds import StateBounds

MARGIN = 1.5
# halvings of the largest scale that are tried
_OCTAVES = 8
# most values (step, sample, element) of the sample that are stored; further samples are left out
_MAX_VALUES = 1 << 27
# a finer encoding must reduce the error by at least this fraction of the spikes
_WORTH = 2e-4
_PAYLOADS = np.iinfo(np.int32)
# errors, as fractions of the spikes, that a few samples cannot distinguish
_EQUAL = 5e-4


@dataclass(frozen=True)
class Sample:
    """What the float network sent on sample input, (steps, samples, size) per input or population.

    chip: what the integers of already rounded populations send.
    """

    sent: Sent
    steps: int
    samples: int
    chip: Sent = field(default_factory=dict)


def run_sample(network: FloatNetwork, x: InputArrays) -> Sample:
    """Run the float network on x (time, batch, *input shape), on as many samples as the memory limit allows.

    x: with several inputs, one array for each, by name. Raises InputError for an x of another shape.
    """
    entered, steps, samples = enter_sample(network, x)
    result = simulate_float(network, entered, steps)
    return Sample({**entered, **result.spikes}, steps, samples)


def enter_sample(network: FloatNetwork, x: InputArrays) -> tuple[dict[str, NDArray[np.int32]], int, int]:
    """Every input (steps, samples, size) until the network has answered x, the steps and the samples.

    Arguments as those of run_sample; raises InputError.
    """
    arrays = _by_port(network, x)
    length, batch = next(iter(arrays.values())).shape[:2]
    steps = length + max(network.starts.values(), default=0)
    values_per_sample = steps * (sum(port.size for port in network.inputs) + sum(p.size for p in network.populations))
    samples = min(batch, max(1, _MAX_VALUES // values_per_sample))
    entered = {port.name: np.zeros((steps, samples, port.size), np.int32) for port in network.inputs}
    for name, values in entered.items():
        values[:length] = arrays[name][:, :samples].reshape(length, samples, -1)
    return entered, steps, samples


def _by_port(network: FloatNetwork, x: InputArrays) -> dict[str, NDArray[Any]]:
    """The array of each input; raises InputError if one does not fit."""
    names = ", ".join(port.name for port in network.inputs)
    if isinstance(x, np.ndarray):
        if len(network.inputs) > 1:
            raise InputError(f"calibration input is one array, but the inputs are {names}; give a .npz file with them")
        x = {network.inputs[0].name: x}
    arrays: dict[str, NDArray[Any]] = {}
    for port in network.inputs:
        if port.name not in x:
            raise InputError(f"calibration input holds {', '.join(x) or 'nothing'}, but the inputs are {names}")
        arrays[port.name] = values = x[port.name]
        if values.ndim < 2 or values.shape[2:] != port.shape or not values.size:
            raise InputError(
                f"calibration input has shape {values.shape}, but (time, batch, {', '.join(map(str, port.shape))}) "
                f"fits input {port.name!r}"
            )
        if values.dtype.kind not in "biuf" or np.any(values != np.rint(values)):
            raise InputError(f"calibration input {port.name!r} holds more than integers; encode real values as spikes")
        if not _PAYLOADS.min <= float(values.min()) <= float(values.max()) <= _PAYLOADS.max:
            raise InputError(
                f"calibration input {port.name!r} holds {values.min()} to {values.max()}, but payloads have 32 bit; "
                "scale the input"
            )
    if not any(values.any() for values in arrays.values()):
        raise InputError("calibration input holds only zeros, which drive no neuron; give typical input")
    if len({values.shape[:2] for values in arrays.values()}) > 1:
        raise InputError(f"calibration input has different numbers of steps or samples for {names}; give each the same")
    return arrays


def calibrated_layer(
    float_layer: FloatLayer,
    payloads: Mapping[str, Payload],
    widths: WordWidths,
    options: LayerOptions,
    sample: Sample,
) -> tuple[QuantisedLayer, Sample]:
    """The layer at the scale and in the encoding whose spikes on the sample are nearest to the float network's.

    Returns it and the sample, extended by what its integers send, for the layers that read it.
    """
    population = float_layer.population
    sent = as_payloads(sample.sent, payloads)
    driven = {**sent, **sample.chip}
    observed = observed_bounds(population, float_layer.incoming, sample.sent, float_layer.start)
    basis = f"{sample.samples} samples of {sample.steps} steps, with a margin of {MARGIN}"
    # v may reach the end of its register where that changes no spike: only u and payloads must fit
    graded = population.sends == "voltage"
    lowest, highest = (observed.lowest * MARGIN, observed.highest * MARGIN) if graded else (0.0, 0.0)
    reach = StateBounds(observed.current * MARGIN, lowest, highest, basis, measured=True)
    options = replace(options, interval=_interval(population, sample, float_layer.start))
    # what was trained in doubled synapses is whole numbers in these, and only in these
    coarser = options.form in ("digits", "doubled") and trained_scale(population) is None
    forms: tuple[WeightEncoding, ...] = ("split", options.form) if coarser else (options.form,)
    for layer in _best_first(float_layer, payloads, widths, replace(options, reach=reach), forms, sent):
        trial = trial_of_layer(layer, float_layer, driven, widths)
        if trial.current <= widths.state_max:
            chosen_layer = _with_voltage(layer, observed, widths)
            return chosen_layer, replace(sample, chip={**sample.chip, population.name: trial.sent})
    # no scale keeps u in its register on the sample: use the worst case
    layer = quantise_layer(float_layer, payloads, widths, options)
    trial = trial_of_layer(layer, float_layer, driven, widths)
    return layer, replace(sample, chip={**sample.chip, population.name: trial.sent})


def _interval(population: FloatPopulation, sample: Sample, start: int) -> float | None:
    """Mean steps between two spikes of the neurons that spike, or steps for which v is read; None if none spikes."""
    sent = sample.sent[population.name][start:]
    if population.sends == "voltage":
        return float(len(sent))
    counts = sent.sum(axis=0)
    spikes = int(counts.sum())
    return len(sent) * np.count_nonzero(counts) / spikes if spikes else None


def _best_first(
    float_layer: FloatLayer,
    payloads: Mapping[str, Payload],
    widths: WordWidths,
    options: LayerOptions,
    forms: Sequence[WeightEncoding],
    sent: Sent,
) -> list[QuantisedLayer]:
    """The layer at several scales in each encoding, best first.

    A finer encoding comes first only where it is worth its synapses, and is not tried where nothing is rounded.
    """
    ordered: list[tuple[float, QuantisedLayer]] = []
    for form in forms:
        if ordered and ordered[0][1].loss < EXACT:
            break
        tried = _octaves(float_layer, payloads, widths, replace(options, form=form), sent)
        least = min((error for error, _ in tried), default=0.0)
        # of practically equal ones the smallest scale: it leaves v the most room on other input
        good = [candidate for candidate in tried if candidate[0] <= least + _EQUAL]
        # numbers on a grid stay on it, in as few connections as possible
        exact = [candidate for candidate in good if candidate[1].loss < EXACT]
        fewest = min((len(layer.connections) for _, layer in exact), default=0)
        good = [candidate for candidate in exact if len(candidate[1].connections) == fewest] or good
        others = [candidate for candidate in tried if not any(candidate is other for other in good)]
        tried = sorted(good, key=lambda candidate: candidate[1].report.scale) + sorted(
            others, key=lambda candidate: candidate[0]
        )
        worth = bool(tried) and (not ordered or ordered[0][0] - tried[0][0] > _WORTH)
        ordered = tried + ordered if worth else ordered + tried
    return [layer for _, layer in ordered]


def as_payloads(sent: Sent, payloads: Mapping[str, Payload]) -> Sent:
    """What the float network sent, as the chip sends it: voltages as integer payloads."""
    whole = {
        name: np.clip(np.trunc(sent[name] / payload.unit), -payload.largest, payload.largest)
        for name, payload in payloads.items()
    }
    return {**sent, **whole}


def _octaves(
    float_layer: FloatLayer, payloads: Mapping[str, Payload], widths: WordWidths, options: LayerOptions, sent: Sent
) -> list[tuple[float, QuantisedLayer]]:
    """The layer at scales an octave apart, with its error, for those at which u stays in its register."""
    trials: list[tuple[float, QuantisedLayer]] = []
    largest = np.inf
    for _ in range(_OCTAVES):
        layer = quantise_layer(float_layer, payloads, widths, replace(options, largest_scale=largest))
        trial = trial_of_layer(layer, float_layer, sent, widths)
        if trial.current <= widths.state_max:
            trials.append((trial.error, layer))
        largest = layer.report.scale / 2
        finished = trials and trial.limited == 0 and trial.error > 2 * min(error for error, _ in trials)
        if finished or all(c.weight_exp == 0 for c in layer.connections):
            break
    return trials


def trial_of_layer(layer: QuantisedLayer, float_layer: FloatLayer, sent: Sent, widths: WordWidths) -> LayerTrial:
    """Run the layer's integers on what was sent."""
    parts: dict[tuple[str, str], list[Connection]] = {}
    for connection in layer.connections:
        parts.setdefault((connection.source, connection.synapse), []).append(connection)
    incoming = [
        FloatConnection(
            first.source,
            first.target,
            stored_weights([first, *others], (float_layer.population.size, sent[first.source].shape[2]))
            * (1 / STATE_UNIT),
            geometry_of(first),
            first.delay,
            axonal_delays=first.axonal_delays,
        )
        for first, *others in parts.values()
    ]
    unit = 1.0 if layer.population.payload_shift is None else 1 / layer.report.scale
    return run_trial(layer.population, incoming, sent, widths, unit)


def _with_voltage(layer: QuantisedLayer, observed: StateBounds, widths: WordWidths) -> QuantisedLayer:
    """The layer with the observed bound of v in its report, and a sentence if that exceeds its register."""
    scale = layer.report.scale
    bound = max(observed.lowest, observed.highest) * scale / widths.state_max
    notes = layer.report.notes + voltage_notes(bound, layer.report.bound_basis, layer.population, widths)
    report = replace(layer.report, voltage_bound=bound, notes=notes)
    return replace(layer, report=report, reach=replace(layer.reach, lowest=observed.lowest, highest=observed.highest))
