"""Graded spikes of populations that send their voltage: how many bits of it are sent, and the value of one unit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation
from spikeport.hardware_profiles.fixed_point import DECAY_UNITY, STATE_UNIT, WordWidths

from .weight_splitting import rows_of
from .weight_units import needed_bits


@dataclass(frozen=True)
class Payload:
    """What a source sends: the value of 1 in the network's units, the largest |payload|, whether it can be negative."""

    unit: float
    largest: int
    signed: bool = True


SPIKE = Payload(1.0, 1, signed=False)


def senders_first(network: FloatNetwork) -> list[FloatPopulation]:
    """Populations by their first step, senders of voltages before their readers.

    Raises InputError for a loop of voltages: their unit would depend on itself.
    """
    starts = network.starts
    waiting = sorted(network.populations, key=lambda p: starts[p.name])
    graded = {p.name for p in waiting if p.sends == "voltage"}
    ordered: list[FloatPopulation] = []
    while waiting:
        unordered = {p.name for p in waiting} & graded
        ready = [p for p in waiting if not unordered & {c.source for c in network.connections if c.target == p.name}]
        if not ready:
            raise InputError(
                f"populations {', '.join(sorted(unordered))} send their voltages in a circle, which the chip cannot "
                "scale; put a spiking neuron (IF, LIF, CubaLIF) into the loop"
            )
        ordered += ready
        names = {p.name for p in ready}
        waiting = [p for p in waiting if p.name not in names]
    return ordered


def payload_shift(
    population: FloatPopulation, network: FloatNetwork, widths: WordWidths, largest_voltage: float
) -> int:
    """By how many bits a voltage (at most `largest_voltage`, in the chip's units) is shifted right before it is sent.

    The input, 64 * weight * payload * 2**weight_exp summed over the fan-in, must stay in u's register: weights and
    payload share its digits. An output without readers is shifted only as far as a message needs. Raises InputError if
    the chip's spikes carry no payload.
    """
    digits = math.ceil(math.log2(max(largest_voltage, 1) + 1))
    readers = [c for c in network.connections if c.source == population.name]
    if not readers:
        return max(0, digits - (widths.message_bits - 1)) if widths.message_bits else 0
    if not widths.message_bits:
        raise InputError(
            f"population {population.name!r} sends its voltage to {readers[0].target!r}, but the chip's spikes "
            "carry no payload; compile for a chip with graded spikes, or end the network there"
        )
    payload_digits = max(1, min(*(_room(c, network, widths) for c in readers), widths.message_bits - 1))
    return max(0, digits - payload_digits)


def shifts_right(connection: FloatConnection, payload: Payload) -> bool:
    """Whether sums of weight * payload may be divided by a power of 2: a negative exponent, which convolutions lack."""
    return connection.geometry is None and payload.largest > 1


def _room(connection: FloatConnection, network: FloatNetwork, widths: WordWidths) -> int:
    """Digits of a payload for which u's register has room beside the weights, as many as these need.

    A right shift of the sum gives both all their digits; without it weights have at most half of what there is.
    """
    reader = next(p for p in network.populations if p.name == connection.target)
    # u adds up what arrives until it has decayed
    gain = 1 / max(float(reader.current_decay.min(initial=1.0)), 1 / DECAY_UNITY)
    room = widths.state_bits - 1 - int(math.log2(STATE_UNIT)) - math.log2(_fan_in(connection) * gain)
    weights = needed_bits(rows_of(connection).data, widths.weight_bits)
    if connection.geometry is None:
        return math.floor(room - widths.weight_exp_min) - weights
    return math.floor(room) - min(weights, math.ceil(room / 2))


def _fan_in(connection: FloatConnection) -> float:
    """The largest row sum of |weights|, in units of the largest weight."""
    rows = abs(rows_of(connection))
    sums = rows @ np.ones(rows.shape[1])
    largest = float(rows.data.max(initial=0))
    return max(1.0, float(sums.max(initial=0)) / largest) if largest else 1.0
