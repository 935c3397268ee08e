"""FloatNetwork -> integers: one scale per population, weights on the chip's grid, thresholds exact if possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from spikeport.common.errors import InputError, naming
from spikeport.exporter.compile_options import DEFAULTS, CompileOptions
from spikeport.exporter.float_network.float_network import FloatNetwork
from spikeport.exporter.program.chip_program import ChipProgram, CubaLI
from spikeport.exporter.program.validate import validate
from spikeport.hardware_profiles.fixed_point import WordWidths

from .calibrate import Sample, calibrated_layer, run_sample
from .layer import COARSER_ENCODING, FloatLayer, LayerOptions, QuantisedLayer, WeightEncoding, quantise_layer
from .payload import Payload, payload_shift, senders_first
from .scale import trained_scale

Fits = Callable[[ChipProgram], bool]
Cores = Callable[[ChipProgram], Mapping[str, int]]
"""The cores of each layer."""


def quantise(
    network: FloatNetwork,
    chip: str,
    widths: WordWidths,
    options: CompileOptions = DEFAULTS,
    *,
    fits: Fits | None = None,
    cores: Cores | None = None,
) -> ChipProgram:
    """Round a network to the chip's words; raises InputError if its registers cannot represent the network at all.

    Of the options, weight_bits (at most so many; a population may have fewer of its own), precision and calibration are
    used: precision "high" doubles the synapses of a layer
    where that gains a bit or more (with calibration: where its spikes come closer). fits: whether a program fits the
    chip; until it does, the layers that lose least fall back to fewer connections. cores: of its layers; with precision
    "normal" layers also fall back where that saves cores, but for those that were trained in the chip's numbers.
    """
    weight_bits = widths.weight_bits if options.weight_bits is None else options.weight_bits
    if not 2 <= weight_bits <= widths.weight_bits:
        raise InputError(f"weights of {weight_bits} bit: {chip} stores 2 to {widths.weight_bits} bit")
    form: WeightEncoding = "doubled" if options.precision == "high" else "split"
    if network.payloads and not widths.message_bits:
        raise InputError(
            f"input {next(iter(network.payloads))!r} takes integers, but {chip}'s spikes carry no payload; encode the "
            "input as spikes or compile for a chip with graded spikes"
        )
    by_layer = {p.name: LayerOptions(min(weight_bits, p.weight_bits or weight_bits), form) for p in network.populations}
    sample = None if options.sample is None else run_sample(network, options.sample)
    layers = quantise_layers(network, widths, by_layer, sample)
    program = assemble(network, chip, widths, layers)
    while fits is not None and not fits(program):
        coarser = _coarser(network, widths, by_layer, layers, sample)
        if coarser is None:
            break
        by_layer, layers = coarser
        program = assemble(network, chip, widths, layers)
    if options.precision == "normal" and cores is not None:
        return _compact(network, chip, widths, by_layer, layers, sample, cores)
    return program


def _compact(
    network: FloatNetwork,
    chip: str,
    widths: WordWidths,
    options: Mapping[str, LayerOptions],
    layers: dict[str, QuantisedLayer],
    sample: Sample | None,
    cores: Cores,
) -> ChipProgram:
    """The program with those split layers whole again that then take fewer cores."""

    def whole(names: Sequence[str]) -> ChipProgram:
        changed = {**options, **{name: replace(options[name], form="whole") for name in names}}
        known = _unchanged(network, layers, *names)
        return assemble(network, chip, widths, quantise_layers(network, widths, changed, sample, known))

    program = assemble(network, chip, widths, layers)
    exact = {p.name for p in network.populations if trained_scale(p) is not None}
    split = [name for name, layer in layers.items() if layer.form != "whole" and name not in exact]
    if not split:
        return program
    finest, fewest = cores(program), cores(whole(split))
    cheaper = [name for name in split if fewest[name] < finest[name]]
    return whole(cheaper) if cheaper else program


def quantise_layers(
    network: FloatNetwork,
    widths: WordWidths,
    options: Mapping[str, LayerOptions],
    sample: Sample | None = None,
    known: Mapping[str, QuantisedLayer] = MappingProxyType({}),
) -> dict[str, QuantisedLayer]:
    """Every population and its synapses, rounded by its options; known: those already rounded."""
    starts = network.starts
    layers: dict[str, QuantisedLayer] = {}
    payloads = {name: Payload(1.0, largest, signed=False) for name, largest in network.payloads.items()}
    for population in senders_first(network):
        if population.name in known:
            layers[population.name] = known[population.name]
            continue
        incoming = tuple(c for c in network.connections if c.target == population.name)
        receives_early_spikes = any(c.source in layers and layers[c.source].may_spike_early for c in incoming)
        float_layer = FloatLayer(population, incoming, starts[population.name], receives_early_spikes)
        with naming(f"layer {population.name!r}", "scale its weights and thresholds to ordinary sizes"):
            if sample is None:
                layer = quantise_layer(float_layer, payloads, widths, options[population.name])
            else:
                layer, sample = calibrated_layer(float_layer, payloads, widths, options[population.name], sample)
        if isinstance(layer.population, CubaLI):
            scale = layer.report.scale
            reach = max(layer.reach.lowest, layer.reach.highest) * scale
            shift = payload_shift(population, network, widths, reach)
            if population.trained_scale == scale and population.trained_shift is not None:
                shift = population.trained_shift
            payloads[population.name] = Payload(2.0**shift / scale, widths.state_max >> shift)
            with_shift = replace(layer.population, shift=np.full(population.size, shift, np.int32))
            layer = replace(layer, population=with_shift)
            if sample is not None:
                voltages = sample.chip[population.name]
                sent = np.sign(voltages) * (np.abs(voltages) >> shift)
                sample = replace(sample, chip={**sample.chip, population.name: sent})
        layers[population.name] = layer
    return layers


def _coarser(
    network: FloatNetwork,
    widths: WordWidths,
    options: Mapping[str, LayerOptions],
    layers: Mapping[str, QuantisedLayer],
    sample: Sample | None,
) -> tuple[dict[str, LayerOptions], dict[str, QuantisedLayer]] | None:
    """The layers with one of them in the next coarser encoding; None if all are whole.

    It is the one that loses least of those in the finest encoding, which takes the most connections.
    """
    candidates: list[tuple[int, float, str, LayerOptions]] = []
    for name, layer in layers.items():
        if layer.form != "whole":
            changed = replace(options[name], form=COARSER_ENCODING[layer.form])
            candidates.append((list(COARSER_ENCODING).index(layer.form), layer.loss, name, changed))
    if not candidates:
        return None
    _, _, name, changed = min(candidates, key=lambda item: item[:2])
    now = {**options, name: changed}
    return now, quantise_layers(network, widths, now, sample, _unchanged(network, layers, name))


def _unchanged(network: FloatNetwork, layers: Mapping[str, QuantisedLayer], *names: str) -> dict[str, QuantisedLayer]:
    """The layers that stay as they are when these are rounded otherwise."""
    # how a spiking population is rounded does not change what others send
    graded = any(p.sends == "voltage" for p in network.populations)
    return {} if graded else {key: layer for key, layer in layers.items() if key not in names}


def assemble(network: FloatNetwork, chip: str, widths: WordWidths, layers: Mapping[str, QuantisedLayer]) -> ChipProgram:
    """The validated program of rounded layers."""
    ordered = [layers[p.name] for p in network.populations]
    return validate(
        ChipProgram(
            chip=chip,
            widths=widths,
            dt=network.dt,
            inputs=network.inputs,
            populations=tuple(layer.population for layer in ordered),
            connections=tuple(c for layer in ordered for c in layer.connections),
            outputs=network.outputs,
            quantisation={layer.population.name: layer.report for layer in ordered},
        )
    )
