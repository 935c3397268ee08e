"""One population and the synapses that lead to it, rounded together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from spikeport.exporter.float_network.float_network import FloatConnection, FloatPopulation, Floats
from spikeport.exporter.neurons import CubaLIReset, LIFReset, RegularReset
from spikeport.exporter.program.chip_program import (
    Connection,
    Cuba,
    CubaLI,
    CubaLIF,
    CubaLIFSoftReset,
    Integers,
    Quantisation,
)
from spikeport.exporter.quantisation.compensation.charge import weight_factors
from spikeport.exporter.quantisation.compensation.leak import leak_factors, with_rounded_leak
from spikeport.exporter.quantisation.compensation.start_voltage import bias_spikes_early, start_voltage
from spikeport.hardware_profiles.fixed_point import (
    STATE_UNIT,
    WordWidths,
    decay_from_du,
    decay_from_dv,
    du_from_decay,
    dv_from_decay,
    split_bias,
)

from .connections import connections_of
from .csr_kernels import times_rows
from .payload import SPIKE, Payload, shifts_right
from .scale import Rounded, ScaleSearch, threshold_words, trained_scale
from .state_bounds import Decays, StateBounds, worst_case
from .weight_splitting import (
    WeightMatrix,
    by_exact_size,
    by_magnitude,
    by_sign,
    rows_of,
    to_parts,
    weight_matrix,
    with_low_digits,
)

WeightEncoding = Literal["whole", "split", "digits", "doubled"]
"""How weights are split into connections.

whole: one connection per synapse. split: by sign and magnitude. digits: a high and a low connection of mixed sign.
doubled: a high and a low connection per sign, which is one bit finer. A finer encoding is used where it gains a bit.
"""
COARSER_ENCODING: dict[WeightEncoding, WeightEncoding] = {"doubled": "digits", "digits": "split", "split": "whole"}

# factor by which an encoding must reduce the squared error to be worth its connections, or its synapses
_SPLIT, _DOUBLED = 2.0, 4.0
# squared error, as a fraction of the weights', below which numbers are exact
EXACT = 1e-13


@dataclass(frozen=True)
class FloatLayer:
    """A population in floating point, its incoming connections and its first step on the chip.

    receives_early_spikes: whether layers that may spike early (compensation/start_voltage.py) lead to it.
    """

    population: FloatPopulation
    incoming: tuple[FloatConnection, ...]
    start: int
    receives_early_spikes: bool = False


@dataclass(frozen=True)
class QuantisedLayer:
    """A layer on the chip; form: its encoding; loss: see scale.Rounded.

    may_spike_early: whether it may send something before its first step, too early for the layers it leads to.
    """

    population: Cuba
    connections: tuple[Connection, ...]
    report: Quantisation
    form: WeightEncoding
    loss: float
    reach: StateBounds
    may_spike_early: bool


@dataclass(frozen=True)
class LayerOptions:
    """How a layer may be rounded: the width of weights, the finest encoding, bounds of u and v (None: the worst case).

    interval: steps between two spikes of a neuron, or for which v is read; None without a sample.
    """

    weight_bits: int
    form: WeightEncoding = "split"
    reach: StateBounds | None = None
    largest_scale: float = np.inf
    interval: float | None = None


@dataclass(frozen=True)
class _Constants:
    du: Integers
    dv: Integers
    decays: Decays
    leak: Floats


def quantise_layer(
    float_layer: FloatLayer, payloads: Mapping[str, Payload], widths: WordWidths, options: LayerOptions
) -> QuantisedLayer:
    """Round a layer; payloads: what voltage-sending sources send."""
    float_layer, constants, matrices = _prepared(float_layer, payloads, options.weight_bits, options.interval)
    population, du, dv = float_layer.population, constants.du, constants.dv
    reach = options.reach or worst_case(population, matrices, constants.decays)
    form, matrices, rounded = _cheapest_good_encoding(population, matrices, constants.decays, reach, widths, options)
    search = ScaleSearch(population, matrices, constants.decays, reach, widths)
    compiled, bias_settles = registers_of(float_layer, du, dv, rounded.scale, widths)
    report = _report(
        population, compiled, matrices, rounded, search.current_bound(rounded), reach, bias_settles, widths
    )
    report = replace(report, interval=options.interval or 0.0)
    connections = _connections(float_layer, matrices, rounded, options.weight_bits)
    word = compiled.threshold_word
    may_spike_early = float_layer.receives_early_spikes or bias_spikes_early(
        compiled.bias, compiled.dv, word, compiled.v_initial, float_layer.start
    )
    return QuantisedLayer(compiled, connections, report, form, rounded.loss, reach, may_spike_early)


def worst_case_of(float_layer: FloatLayer, payloads: Mapping[str, Payload], weight_bits: int) -> StateBounds:
    """Bounds of u and v of a layer for any input; payloads: what voltage-sending sources send."""
    float_layer, constants, matrices = _prepared(float_layer, payloads, weight_bits, None)
    return worst_case(float_layer.population, matrices, constants.decays)


def _prepared(
    float_layer: FloatLayer, payloads: Mapping[str, Payload], weight_bits: int, interval: float | None
) -> tuple[FloatLayer, _Constants, list[WeightMatrix]]:
    """The layer corrected for rounded decays, the chip's decays, and its weights as the chip will split them."""
    population = float_layer.population
    du, dv = du_from_decay(population.current_decay), dv_from_decay(population.voltage_decay)
    leak = leak_factors(population, dv, interval)
    constants = _Constants(du, dv, Decays(decay_from_du(du), decay_from_dv(dv)), leak)
    float_layer = replace(float_layer, population=with_rounded_leak(population, leak))
    matrices = [
        _matrix(c, i, float_layer, constants, payloads, weight_bits) for i, c in enumerate(float_layer.incoming)
    ]
    return float_layer, constants, matrices


def _matrix(
    connection: FloatConnection,
    index: int,
    float_layer: FloatLayer,
    constants: _Constants,
    payloads: Mapping[str, Payload],
    bits: int,
) -> WeightMatrix:
    rows = rows_of(connection)
    payload = payloads.get(connection.source, SPIKE)
    factors = weight_factors(float_layer.population, constants.du, constants.leak, rows.shape[0])
    times_rows(rows.data, rows.indptr, factors * payload.unit)
    matrix = weight_matrix(
        rows, float_layer.population.size // rows.shape[0], index, bits, payload.largest, payload.signed
    )
    return replace(matrix, divides=shifts_right(connection, payload))


def _cheapest_good_encoding(
    population: FloatPopulation,
    matrices: list[WeightMatrix],
    decays: Decays,
    reach: StateBounds,
    widths: WordWidths,
    options: LayerOptions,
) -> tuple[WeightEncoding, list[WeightMatrix], Rounded]:
    """The finest encoding that the options allow and whose gain is worth its connections and synapses."""

    def search(candidates: list[WeightMatrix]) -> tuple[Rounded, list[float]]:
        search_of = ScaleSearch(population, candidates, decays, reach, widths)
        rounded = search_of.find(options.largest_scale)
        return rounded, search_of.errors(rounded)

    bits, unsplit = options.weight_bits, matrices
    form: WeightEncoding = "whole"
    trained = _as_trained(population, matrices, decays, reach, widths, options)
    if trained is not None:
        return trained
    best, errors = search(matrices)
    if options.form == "whole" or max(errors, default=0.0) < EXACT:
        return form, matrices, best
    inexact = {m.synapse for m, error in zip(matrices, errors, strict=True) if error >= EXACT}
    signed = [part for m in matrices for part in (by_sign(m, bits) if m.synapse in inexact else [m])]
    candidate, errors = search(signed)
    exponents = dict(zip(map(id, signed), candidate.exponents, strict=True))
    sized = [part for m in signed for part in (by_magnitude(m, exponents[id(m)]) if m.synapse in inexact else [m])]
    finer = [(signed, candidate)] if len(signed) > len(matrices) else []
    if len(sized) > len(signed):
        finer.append((sized, search(sized)[0]))
    for candidates, rounded in finer:
        if rounded.loss * _SPLIT < best.loss:
            form, matrices, best = "split", candidates, rounded
    if options.form in ("digits", "doubled"):
        base = signed if options.form == "doubled" else unsplit
        twice = [with_low_digits(m, bits) if m.synapse in inexact else m for m in base]
        candidate, _ = search(twice)
        if candidate.loss * _DOUBLED < best.loss:
            form, matrices, best = options.form, twice, candidate
    return form, matrices, best


def _as_trained(
    population: FloatPopulation,
    matrices: list[WeightMatrix],
    decays: Decays,
    reach: StateBounds,
    widths: WordWidths,
    options: LayerOptions,
) -> tuple[WeightEncoding, list[WeightMatrix], Rounded] | None:
    """The coarsest encoding in which every number is an integer at the scale of training; None without such a scale."""
    forms: list[tuple[WeightEncoding, list[WeightMatrix]]] = [("whole", matrices)]
    scale = trained_scale(population)
    if scale is None:
        return None
    if options.form != "whole":
        split = [part for m in matrices for part in by_sign(m, options.weight_bits)]
        sized = [part for m in split for part in by_exact_size(m, scale, widths)]
        forms += [("split", split), ("split", sized)]
        if options.form in ("digits", "doubled"):
            forms.append((options.form, [with_low_digits(m, options.weight_bits) for m in split]))
    for form, candidates in forms:
        rounded = ScaleSearch(population, candidates, decays, reach, widths).trained()
        if rounded is not None:
            return form, candidates, rounded
    return None


def registers_of(
    float_layer: FloatLayer, du: Integers, dv: Integers, scale: float, widths: WordWidths
) -> tuple[Cuba, bool]:
    """The population's registers, and whether its start voltage keeps the bias from acting before its first step.

    du, dv: words of the decays; scale: the chip's units of u and v for one of the network's.
    """
    population = float_layer.population
    mantissa, exponent = split_bias(population.bias * scale, widths)
    final = np.clip(np.rint(population.v_initial * scale), -widths.state_max, widths.state_max)
    vth = None
    if population.sends == "spikes":
        vth = threshold_words(population.threshold, scale, widths)
    rest, bias_settles = start_voltage(mantissa << exponent, dv, vth, float_layer.start, widths, final.astype(np.int32))
    common: dict[str, Any] = {
        "du": du, "dv": dv, "bias_mant": mantissa, "bias_exp": exponent, "v_initial": rest
    }  # fmt: skip
    ends = population.name, population.shape
    at_rest = bias_settles and not float_layer.receives_early_spikes
    # where no start voltage can absorb the bias, or what arrives too early: u and v are set to 0 once, just before the
    # population's first step
    waits = not at_rest and not np.any(final) and population.reset == "zero"
    if waits:
        common |= RegularReset.once(population.size, float_layer.start, widths)
    if vth is None:
        common["shift"] = np.zeros(population.size, np.int32)
        return (CubaLIReset(*ends, **common), True) if waits else (CubaLI(*ends, **common), at_rest)
    if population.reset == "zero":
        common["vth"] = vth
        return (LIFReset(*ends, **common), True) if waits else (CubaLIF(*ends, **common), at_rest)
    subtracted_by_spike = vth.astype(np.int64) * STATE_UNIT
    if population.reset == "subtract_after_decay":
        subtracted_by_spike = np.rint(population.subtracted * scale).astype(np.int64)
    subtracted_by_spike = np.clip(subtracted_by_spike, 0, widths.state_max).astype(np.int32)
    return CubaLIFSoftReset(*ends, **common, vth=vth, v_subtract=subtracted_by_spike), at_rest


def _connections(
    float_layer: FloatLayer, matrices: Sequence[WeightMatrix], rounded: Rounded, weight_bits: int
) -> tuple[Connection, ...]:
    connections: list[Connection] = []
    for index, (connection, name) in enumerate(
        zip(float_layer.incoming, synapse_names(float_layer.incoming), strict=True)
    ):
        weight_parts = [
            part
            for m, q, e in zip(matrices, rounded.integers, rounded.exponents, strict=True)
            if m.synapse == index
            for part in to_parts(m, q, e)
        ]
        weight_parts = [part for part in weight_parts if part.weights.nnz] or weight_parts[:1]
        connections += connections_of(connection, name, weight_parts, weight_bits, float_layer.population.size)
    return tuple(connections)


def synapse_names(incoming: Sequence[FloatConnection]) -> list[str]:
    """A name for each of a population's synapses; those of one source differ."""
    names: list[str] = []
    used: set[tuple[str, str]] = set()
    for connection in incoming:
        name = base = connection.synapse or f"{connection.source} -> {connection.target}"
        number = 1
        while (connection.source, name) in used:
            number += 1
            name = f"{base} {number}"
        used.add((connection.source, name))
        names.append(name)
    return names


def _report(
    population: FloatPopulation,
    compiled: Cuba,
    matrices: Sequence[WeightMatrix],
    rounded: Rounded,
    bound: float,
    reach: StateBounds,
    bias_settles: bool,
    widths: WordWidths,
) -> Quantisation:
    errors = [
        q * (STATE_UNIT * 2.0 ** (e - m.digit_shift(e)) / rounded.scale) - m.values
        for m, q, e in zip(matrices, rounded.integers, rounded.exponents, strict=True)
    ]
    count = sum(error.size for error in errors) or 1
    squares = sum(float(np.square(error).sum()) for error in errors)
    largest = max((m.largest for m in matrices), default=0.0) or 1.0
    vth_error = 0.0
    if compiled.threshold_word is not None:
        vth_error = _relative(compiled.threshold_word * (STATE_UNIT / rounded.scale), population.threshold)
    bias_error = np.abs(compiled.bias / rounded.scale - population.bias).max()
    unit = population.threshold.max() if population.sends == "spikes" else reach.highest or 1.0
    voltage = max(reach.lowest, reach.highest) * rounded.scale / widths.state_max
    return Quantisation(
        scale=rounded.scale,
        weight_error_rms=float(np.sqrt(squares / count)) / largest,
        weight_error_max=max((float(np.abs(e).max(initial=0)) for e in errors), default=0.0) / largest,
        du_error=_relative(decay_from_du(compiled.du), population.current_decay),
        dv_error=_relative(decay_from_dv(compiled.dv), population.voltage_decay),
        vth_error=vth_error,
        bias_error=float(bias_error / unit),
        current_bound=bound / widths.state_max,
        notes=tuple(_notes(rounded, bias_settles)) + voltage_notes(voltage, reach.basis, compiled, widths),
        voltage_bound=voltage,
        bound_basis=reach.basis,
    )


def _notes(rounded: Rounded, bias_settles: bool) -> list[str]:
    notes = []
    if rounded.integers and max(int(np.abs(q).max(initial=0)) for q in rounded.integers) < 64:
        notes.append("weights fill less than a quarter of their range, because u could wrap at this fan-in")
    if not bias_settles:
        notes.append("the negative bias acts before the first input can arrive and its start value would spike")
    return notes


def voltage_notes(bound: float, basis: str, population: Cuba, widths: WordWidths) -> tuple[str, ...]:
    """A sentence if v can exceed its register; bound: its largest |v| as a fraction of the register."""
    if bound <= 1:
        return ()
    where = "the ends of its register"
    if population.threshold_word is not None:
        thresholds = widths.state_max / max(1, int(population.threshold_word.max()) * STATE_UNIT)
        where = f"{thresholds:.0f} times the threshold"
    return (f"v can come to {bound:.1f} times its register ({basis}); it stays at {where} then",)


def _relative(actual: Floats, target: Floats) -> float:
    return float(np.max(np.abs(actual - target) / np.where(target == 0, 1, target)))
