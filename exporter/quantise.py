"""FloatNetwork -> integers: one scale a population, weights on the chip's grid, thresholds exact where they can be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hardware_profiles.errors import InputError
from hardware_profiles.fixed_point import WordWidths

from .float_network import FloatNetwork
from .layer import Layer, LayerOptions, Wanted, quantise_layer
from .payload import Payload, payload_shift, senders_first
from .program import ChipProgram, CubaLI
from .validate import validate


def quantise(network: FloatNetwork, chip: str, widths: WordWidths, weight_bits: int) -> ChipProgram:
    """Round a network to the chip's words; raises InputError for a network its registers cannot hold at all."""
    if not 2 <= weight_bits <= widths.weight_bits:
        raise InputError(f"weights of {weight_bits} bit: {chip} holds 2 to {widths.weight_bits} bit")
    options = {p.name: LayerOptions(weight_bits) for p in network.populations}
    layers = quantise_layers(network, widths, options)
    return assemble(network, chip, widths, layers)


def quantise_layers(network: FloatNetwork, widths: WordWidths, options: dict[str, LayerOptions]) -> dict[str, Layer]:
    """Every population and its synapses, rounded as its options say."""
    starts = network.starts
    layers: dict[str, Layer] = {}
    payloads: dict[str, Payload] = {}
    for population in senders_first(network):
        incoming = tuple(c for c in network.connections if c.target == population.name)
        wanted = Wanted(population, incoming, starts[population.name])
        layer = quantise_layer(wanted, payloads, widths, options[population.name])
        if isinstance(layer.population, CubaLI):
            scale = layer.report.scale
            reach = max(layer.reach.lowest, layer.reach.highest) * scale
            shift = payload_shift(population, network, widths, reach)
            payloads[population.name] = Payload(2.0**shift / scale, widths.state_max >> shift)
            held = replace(layer.population, shift=np.full(population.size, shift, np.int32))
            layer = replace(layer, population=held)
        layers[population.name] = layer
    return layers


def assemble(network: FloatNetwork, chip: str, widths: WordWidths, layers: dict[str, Layer]) -> ChipProgram:
    """The program that rounded layers are, checked."""
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
