"""What one inference costs on the chip: spikes, synaptic operations, energy, time. Counts are exact, costs estimates.

Events are counted here and priced by `lava_runtime.cost_model`: dynamic energy by event, static energy by time, the
time of a step by the slowest core. How far the estimates lie from measurements: docs/energy.md. What the host needs to
put spikes in stands apart (`host_latency`), for a sensor on the chip's own links needs none of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from exporter.mapping import Mapping, encoding, map_program, synapse_count
from exporter.program import ChipProgram
from hardware_profiles.schema import ChipProfile

from .activity import neuron_updates, synaptic_operations
from .cost_model.energy import dynamic_energy, optional, static_power
from .cost_model.events import Events, synops
from .cost_model.timing import CoreStep, core_time, step_time
from .costs import Range
from .result import SimulationResult
from .workload import Workload, workload


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
    events: Events


@dataclass(frozen=True)
class Profile:
    """Means over the samples of a run, per inference; silent: energy of the same steps without a spike."""

    chip: str
    samples: int
    steps: int
    layers: tuple[LayerProfile, ...]
    mapping: Mapping
    step_time: Range
    latency: Range
    static: Range
    silent: Range
    host_latency: Range
    workload: Workload

    @property
    def events(self) -> Events:
        """All layers' events."""
        return sum((layer.events for layer in self.layers), Events())

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
    inputs = [_input(port.name, port.size, program, result, mapping, chip) for port in program.inputs]
    populations = [_population(p.name, program, result, mapping, chip) for p in program.populations]
    step = step_time(_slowest(populations, program, result, mapping, chip), Range.zero(), chip.time)
    latency = step * result.steps
    power = static_power(chip, mapping.chips, mapping.cores)
    messages = sum(layer.messages for layer in inputs)
    return Profile(
        chip.name,
        result.batch,
        result.steps,
        (*inputs, *populations),
        mapping,
        step,
        latency,
        power.times(latency),
        _silent(populations, power, result.steps, mapping, chip),
        optional(chip.time.host_message) * messages,
        workload(program, result),
    )


def _input(
    name: str, size: int, program: ChipProgram, result: SimulationResult, mapping: Mapping, chip: ChipProfile
) -> LayerProfile:
    spikes, messages, hops = _traffic(name, program, result, mapping)
    events = _sent(spikes, messages, hops)
    energy = dynamic_energy(events, chip.energy)
    return LayerProfile(name, size, 0, 0, spikes, 0.0, 0.0, messages, hops, energy, events)


def _population(
    name: str, program: ChipProgram, result: SimulationResult, mapping: Mapping, chip: ChipProfile
) -> LayerProfile:
    population, incoming = program.population(name), program.into(name)
    spikes, messages, hops = _traffic(name, program, result, mapping)
    events = _sent(spikes, messages, hops) + neuron_updates(population, program, result)
    for c in incoming:
        events += synops(
            encoding(c, program), Range.exact(synaptic_operations(c, result.neuron_counts[c.source], program))
        )
    return LayerProfile(
        name,
        population.size,
        sum(synapse_count(c, program) for c in incoming),
        mapping.layer(name).cores,
        spikes,
        events.synops.typical,
        float(population.size * result.steps),
        messages,
        hops,
        dynamic_energy(events, chip.energy),
        events,
    )


def _sent(spikes: float, messages: float, hops: float) -> Events:
    return Events(spikes=Range.exact(spikes), messages=Range.exact(messages), hops=Range.exact(hops))


def _traffic(name: str, program: ChipProgram, result: SimulationResult, mapping: Mapping) -> tuple[float, float, float]:
    """Spikes, messages (a spike sends one to every core of its targets) and hops, mean per inference."""
    spikes = _spikes(name, result)
    cores = sum(mapping.layer(c.target).cores for c in program.out_of(name))
    messages = spikes * cores
    return spikes, messages, messages * mean_hops(mapping.cores)


def _spikes(name: str, result: SimulationResult) -> float:
    """Spikes of an input or population, mean per inference."""
    counts = result.neuron_counts[name]
    return float(counts.reshape(len(counts), -1).sum(axis=1).mean())


def mean_hops(cores: int) -> float:
    """Mean distance between two places drawn at random on a square mesh just large enough, at least one hop."""
    return max(1.0, 2 / 3 * math.ceil(math.sqrt(cores)))


def _silent(layers: list[LayerProfile], power: Range, steps: int, mapping: Mapping, chip: ChipProfile) -> Range:
    """Energy of the same steps without a spike: every update inactive, the slowest core the fullest."""
    updates = Events(updates_inactive=Range.exact(sum(layer.neuron_updates for layer in layers)))
    fullest = max((mapping.layer(layer.name).neurons_per_core for layer in layers), default=0)
    core = CoreStep(Events(updates_inactive=Range.exact(fullest)))
    step = step_time(core_time(core, chip.time), Range.zero(), chip.time)
    return dynamic_energy(updates, chip.energy) + power.times(step * steps)


def _slowest(
    layers: list[LayerProfile], program: ChipProgram, result: SimulationResult, mapping: Mapping, chip: ChipProfile
) -> Range:
    """Mean work of the busiest core in a step: its layer's events shared evenly, and all of the layer's input."""
    slowest = Range.zero()
    for layer in layers:
        share = layer.events * (1 / layer.cores / result.steps)
        fullest = mapping.layer(layer.name).neurons_per_core
        uneven = fullest * layer.cores / layer.neurons
        updates = {n: getattr(share, n) * uneven for n in ("updates_active", "updates_inactive")}
        received = sum(_spikes(c.source, result) for c in program.into(layer.name)) / result.steps
        core = CoreStep(replace(share, **updates), Range.exact(received))
        slowest = slowest.largest(core_time(core, chip.time))
    return slowest
