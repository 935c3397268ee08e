"""Graded spikes of populations that send their voltage: how many bits of it travel, and what one unit means."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation
from spikeport.hardware_profiles.fixed_point import STATE_UNIT, WordWidths

from .weight_splitting import rows_of


@dataclass(frozen=True)
class Payload:
    """What a source sends: the network's units that one stands for, the largest |payload|, of both signs or not."""

    unit: float
    largest: int
    signed: bool = True


SPIKE = Payload(1.0, 1, signed=False)


def senders_first(network: FloatNetwork) -> list[FloatPopulation]:
    """Populations by their first step, and such that those which send voltages come before those that read them.

    Raises InputError where voltages run in a circle: their unit would depend on itself.
    """
    starts = network.starts
    waiting = sorted(network.populations, key=lambda p: starts[p.name])
    graded = {p.name for p in waiting if p.sends == "voltage"}
    ordered: list[FloatPopulation] = []
    while waiting:
        open_ones = {p.name for p in waiting} & graded
        ready = [p for p in waiting if not open_ones & {c.source for c in network.connections if c.target == p.name}]
        if not ready:
            raise InputError(
                f"populations {', '.join(sorted(open_ones))} send their voltages in a circle, which the chip cannot "
                "scale; put a spiking neuron (IF, LIF, CubaLIF) into the loop"
            )
        ordered += ready
        names = {p.name for p in ready}
        waiting = [p for p in waiting if p.name not in names]
    return ordered


def payload_shift(
    population: FloatPopulation, network: FloatNetwork, widths: WordWidths, largest_voltage: float
) -> int:
    """By how many bits a voltage (at most that large, in the chip's units) is cut before it is sent.

    What arrives is 64 * weight * payload, summed over the fan-in, and must stay in u's register: weights and payload
    share its digits. An answer that nothing reads is cut as far as a message needs only. Raises InputError where the
    chip's spikes carry no payload.
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
    room = min(widths.state_bits - 1 - int(math.log2(STATE_UNIT)) - math.log2(_fan_in(c)) for c in readers)
    weight_digits = min(widths.weight_bits, math.ceil(room / 2))
    wanted = max(1, min(math.floor(room) - weight_digits, widths.message_bits - 1))
    return max(0, digits - wanted)


def _fan_in(connection: FloatConnection) -> float:
    """How many weights as large as the largest a row comes to."""
    rows = abs(rows_of(connection))
    sums = rows @ np.ones(rows.shape[1])
    largest = float(rows.data.max(initial=0))
    return max(1.0, float(sums.max(initial=0)) / largest) if largest else 1.0
