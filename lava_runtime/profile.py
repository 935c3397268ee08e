"""What one inference costs on the chip: spikes, synaptic operations, energy, time. Counts are exact, costs estimates.

    energy = synops * synop + active * neuron_update_active + (updates - active) * neuron_update_inactive
           + spikes * spike + hops * hop                                                        (dynamic)
           + (static_per_chip * chips + static_per_core * cores) * latency                      (static)
    latency = steps * (step_minimum + the busiest core's synops * synop + compartments * neuron_update + hops * hop)

The time for getting input into the chip and answers out of it is not included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporter.mapping import Mapping, fan_out, map_program, synapse_count
from exporter.program import ChipProgram, Connection, ConvConnection
from hardware_profiles.schema import ChipProfile

from .costs import Range
from .result import SimulationResult


@dataclass(frozen=True)
class LayerProfile:
    """One input or population, means per inference; energy is the dynamic share."""

    name: str
    neurons: int
    synapses: int
    cores: int
    spikes: float
    synops: float
    neuron_updates: float
    messages: float
    hops: float
    energy: Range


@dataclass(frozen=True)
class Profile:
    """Means over the samples of a run, per inference."""

    chip: str
    samples: int
    steps: int
    layers: tuple[LayerProfile, ...]
    mapping: Mapping
    step_time: Range
    latency: Range
    static: Range

    @property
    def dynamic(self) -> Range:
        """Dynamic energy in joules."""
        return sum((layer.energy for layer in self.layers), Range.zero())

    @property
    def energy(self) -> Range:
        """Dynamic and static energy in joules."""
        return self.dynamic + self.static

    def total(self, what: str) -> float:
        """Sum of spikes, synops, neuron_updates or messages over the layers."""
        return float(sum(getattr(layer, what) for layer in self.layers))


def profile_run(program: ChipProgram, result: SimulationResult, chip: ChipProfile) -> Profile:
    """Profile a recorded run; nothing is simulated again."""
    mapping = map_program(program, chip)
    layers = [_input(port.name, port.size, program, result, mapping, chip) for port in program.inputs]
    layers += [_population(p.name, program, result, mapping, chip) for p in program.populations]
    step_time = _step_time(layers[len(program.inputs) :], mapping, result.steps, chip)
    latency = step_time * result.steps
    power = Range.of(chip.power.static_per_chip) * mapping.chips + Range.of(chip.power.static_per_core) * mapping.cores
    return Profile(
        chip.name, result.batch, result.steps, tuple(layers), mapping, step_time, latency, power.times(latency)
    )


def synaptic_operations(connection: Connection, source_counts: NDArray[np.int32], program: ChipProgram) -> float:
    """Synapses accessed over a run, mean per sample; source_counts (batch, *source shape) spikes a neuron."""
    counts = source_counts.reshape(len(source_counts), -1)
    if isinstance(connection, ConvConnection):
        return float((counts @ fan_out(connection)).mean())
    return float(counts.sum(axis=1).mean()) * program.population(connection.target).size


def _input(
    name: str, size: int, program: ChipProgram, result: SimulationResult, mapping: Mapping, chip: ChipProfile
) -> LayerProfile:
    spikes, messages, hops = _traffic(name, program, result, mapping)
    energy = Range.of(chip.energy.spike) * spikes + Range.of(chip.energy.hop) * hops
    return LayerProfile(name, size, 0, 0, spikes, 0.0, 0.0, messages, hops, energy)


def _population(
    name: str, program: ChipProgram, result: SimulationResult, mapping: Mapping, chip: ChipProfile
) -> LayerProfile:
    size = program.population(name).size
    incoming = program.into(name)
    synops = sum(synaptic_operations(c, result.neuron_counts[c.source], program) for c in incoming)
    spikes, messages, hops = _traffic(name, program, result, mapping)
    updates = float(size * result.steps)
    cost = chip.energy
    energy = (
        Range.of(cost.synop) * synops
        + Range.of(cost.neuron_update_active) * spikes
        + Range.of(cost.neuron_update_inactive) * (updates - spikes)
        + Range.of(cost.spike) * spikes
        + Range.of(cost.hop) * hops
    )
    synapses = sum(synapse_count(c, program) for c in incoming)
    return LayerProfile(
        name, size, synapses, mapping.layer(name).cores, spikes, synops, updates, messages, hops, energy
    )


def _traffic(name: str, program: ChipProgram, result: SimulationResult, mapping: Mapping) -> tuple[float, float, float]:
    """Spikes, messages (a spike sends one to every core of its targets) and hops, mean per inference."""
    counts = result.neuron_counts[name]
    spikes = float(counts.reshape(len(counts), -1).sum(axis=1).mean())
    cores = sum(mapping.layer(c.target).cores for c in program.out_of(name))
    messages = spikes * cores
    return spikes, messages, messages * mean_hops(mapping.cores)


def mean_hops(cores: int) -> float:
    """Mean distance between two places drawn at random on a square mesh just large enough, at least one hop."""
    return max(1.0, 2 / 3 * math.ceil(math.sqrt(cores)))


def _step_time(layers: list[LayerProfile], mapping: Mapping, steps: int, chip: ChipProfile) -> Range:
    """Mean time of a step: the barrier, and the busiest core's work, which is serial."""
    busiest = Range.zero()
    for layer in layers:
        synops = Range.of(chip.time.synop) * (layer.synops / layer.cores / steps)
        updates = Range.of(chip.time.neuron_update) * mapping.layer(layer.name).neurons_per_core
        sent = Range.of(chip.time.hop) * (layer.hops / layer.cores / steps)
        busiest = busiest.largest(synops + updates + sent)
    return Range.of(chip.time.step_minimum) + busiest
