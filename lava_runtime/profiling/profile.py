"""Cost of one inference on the chip: spikes, synaptic operations, energy, time. Counts are exact, costs estimates.

Events are counted here and priced by `spikeport.lava_runtime.cost_model`: dynamic energy by event, static energy by
time, the time of a step by the slowest core. Accuracy of the estimates: docs/energy.md. The time in which a host
injects spikes is separate (`host_latency`), because a sensor on the chip's own links does not need it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.exporter.mapping import Mapping as CoreMapping
from spikeport.exporter.mapping import map_program, synapse_count
from spikeport.exporter.program.chip_program import ChipProgram, InputArrays
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.lava_runtime.cost_model.energy import (
    dynamic_energy,
    dynamic_energy_by_event,
    optional,
    static_power,
    static_power_by_source,
    step_power,
)
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.lava_runtime.cost_model.events import Events
from spikeport.lava_runtime.cost_model.timing import CoreStep, core_time, step_time
from spikeport.lava_runtime.cost_model.validated import Run, outside_validation
from spikeport.lava_runtime.inputs import check_input, steps_and_samples
from spikeport.lava_runtime.result import SimulationResult
from spikeport.lava_runtime.simulate import simulate

from .counts import Counter
from .fan_out import fan_out
from .links import LinkTraffic
from .placement import Placement, placement_of
from .timeline import StepTimes, Sums, Timeline, added
from .workload import Workload, sends_payloads, workload_of

# samples simulated at a time; samples per group, or fewer if one of its counts, (steps, samples, parts), exceeds this
# many elements; elements of all groups that threads work on at a time
_BLOCK = 1024
_GROUP = 64
_ELEMENTS = 1_000_000
_CONCURRENT = 4 * _ELEMENTS

Neurons = dict[str, NDArray[np.int64]]
"""Spikes of every neuron of a node, (size,), by name."""


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
    energy: Estimate
    events: Events


@dataclass(frozen=True)
class Profile:
    """Means over the samples of a run, per inference; silent: energy of the same steps without a spike.

    timeline: the same by step and core. power: watts while the network is loaded, by source. outside_validation: in
    what respect the run lies outside the networks that were measured on this chip.
    """

    chip: str
    samples: int
    steps: int
    layers: tuple[LayerProfile, ...]
    mapping: CoreMapping
    step_time: Estimate
    latency: Estimate
    static: Estimate
    silent: Estimate
    host_latency: Estimate
    workload: Workload
    timeline: Timeline
    power: dict[str, Estimate]
    outside_validation: tuple[str, ...] = ()

    @property
    def events(self) -> Events:
        """All layers' events."""
        return sum((layer.events for layer in self.layers), Events())

    @property
    def unpipelined(self) -> Estimate:
        """Inferences per second, one after the other."""
        return Estimate.exact(1).over(self.latency)

    @property
    def pipelined(self) -> Estimate:
        """Inferences per second if each sample enters after the last input step of the previous one."""
        return Estimate.exact(1).over(self.timeline.period)

    def dynamic_by_event(self, chip: ChipProfile) -> dict[str, Estimate]:
        """Dynamic joules by kind of event."""
        return dynamic_energy_by_event(self.events, chip.energy)

    @property
    def dynamic(self) -> Estimate:
        """Dynamic energy in joules."""
        return sum((layer.energy for layer in self.layers), Estimate.zero())

    @property
    def energy(self) -> Estimate:
        """Dynamic and static energy in joules."""
        return self.dynamic + self.static

    def total(self, field: str) -> float:
        """Sum of spikes, synops, neuron_updates or messages over the layers."""
        return float(sum(getattr(layer, field) for layer in self.layers))


def profile_run(
    program: ChipProgram,
    result: SimulationResult,
    chip: ChipProfile,
    x: InputArrays | None = None,
    mapping: CoreMapping | None = None,
    threads: int | None = None,
) -> Profile:
    """Profile a recorded run without simulating again.

    x: the input of `simulate`. With it, and every layer's spikes recorded, steps are resolved; otherwise all steps are
    assumed equal. mapping: placement of the neurons, by default from `map_program`. threads: by default one per
    processor; the profile does not depend on it.
    """
    if x is not None and steps_and_samples(x)[1] != result.batch:
        raise InputError(
            f"the input holds {steps_and_samples(x)[1]} samples, but the run has {result.batch}; "
            "give the input of that run"
        )
    fed = max(1, result.steps - program.pipeline_steps) if x is None else steps_and_samples(x)[0]
    sent = None if x is None else _sent(program, result, x)
    profiler = Profiler(program, chip, result.steps, fed, sent is not None, mapping, threads)
    for start in range(0, result.batch, _BLOCK):
        profiler.add(result, sent, slice(start, min(start + _BLOCK, result.batch)))
    return profiler.finish()


def profile_simulated(
    program: ChipProgram,
    x: InputArrays,
    chip: ChipProfile,
    context: str = "input",
    progress: Callable[[int, int], None] | None = None,
    mapping: CoreMapping | None = None,
) -> Profile:
    """Simulate in the emulator to the last answer and profile, a group of samples at a time; nothing is stored.

    progress: called with the finished and total samples; mapping as in `profile_run`. Raises InputError.
    """
    inputs = check_input(program, x, context)
    fed, batch = steps_and_samples(x)
    profiler = Profiler(program, chip, fed + program.pipeline_steps, fed, True, mapping)
    for start in range(0, batch, _BLOCK):
        some = {p.name: inputs[p.name][:, start : start + _BLOCK].reshape(fed, -1, *p.shape) for p in program.inputs}
        result = simulate(program, some, "emulator", profiler.steps, "layers", context=context)
        profiler.add(result, _sent(program, result, some), slice(0, result.batch))
        if progress is not None:
            progress(min(start + _BLOCK, batch), batch)
    return profiler.finish()


class Profiler:
    """Profiles a run a block of samples at a time; fed: steps in which input enters; recorded: see Timeline.

    A block is split into groups whose counts fit the cache; threads take one group after the other.
    """

    def __init__(
        self,
        program: ChipProgram,
        chip: ChipProfile,
        steps: int,
        fed: int,
        recorded: bool,
        mapping: CoreMapping | None = None,
        threads: int | None = None,
    ) -> None:
        self.steps = steps
        self._program, self._chip = program, chip
        self._mapping = mapping or map_program(program, chip)
        self._placement = placement_of(program, self._mapping, chip.limits)
        fan_outs = [fan_out(c, program, self._placement) for c in program.connections]
        links = LinkTraffic.of(fan_outs, self._placement)
        rows = steps if recorded else 1

        def tools() -> tuple[Counter, StepTimes]:
            counter = Counter(program, self._placement, fan_outs, rows, not recorded)
            fed_steps = min(fed, steps)
            names = counter.names
            return counter, StepTimes(self._placement, chip, steps, fed_steps, recorded, names, fan_outs, links)

        self._tools = tools
        # those that no thread uses at the moment
        self._idle = [tools()]
        count = rows * max(len(self._placement.parts), links.count)
        self._group = max(1, min(_GROUP, _ELEMENTS // count))
        self._threads = min(threads or os.cpu_count() or 1, max(1, _CONCURRENT // (self._group * count)))
        self._graded: set[str] = set()
        self._neurons: Neurons = {}
        self._sums: Sums = {}

    def add(self, result: SimulationResult, sent: Mapping[str, NDArray[Any]] | None, block: slice) -> None:
        """Add these samples of a run; sent: what every node sent, step by step, if that was recorded."""
        rows = sent or {name: n.reshape(1, len(n), -1) for name, n in result.neuron_counts.items()}
        states = result.states if sent else {}
        starts = range(block.start, block.stop, self._group)
        groups = [slice(start, min(start + self._group, block.stop)) for start in starts]

        def count(samples: slice) -> tuple[Sums, Neurons]:
            try:
                tools = self._idle.pop()
            except IndexError:
                tools = self._tools()
            counter, times = tools
            sums = times.sums(counter.count(rows, states, samples))
            self._idle.append(tools)
            for port in self._program.inputs:
                if sent and port.name not in self._graded and sends_payloads(sent[port.name][:, samples]):
                    self._graded.add(port.name)
            return sums, self._spikes(result, samples)

        with ThreadPoolExecutor(min(self._threads, len(groups))) as pool:
            # added in the order of the groups, because sums of floats depend on it
            for sums, neurons in pool.map(count, groups):
                self._sums = added(self._sums, sums)
                self._neurons = {name: values + self._neurons.get(name, 0) for name, values in neurons.items()}

    def _spikes(self, result: SimulationResult, samples: slice) -> Neurons:
        """Spikes of every neuron in these samples."""
        # a sum in 32 bit takes a third of the time, and is exact with so few steps
        kind = np.int32 if self.steps * _GROUP < 1 << 31 else np.int64
        counts = {node.name: result.neuron_counts[node.name][samples] for node in self._program.nodes}
        return {name: n.reshape(len(n), -1).sum(axis=0, dtype=kind).astype(np.int64) for name, n in counts.items()}

    def finish(self) -> Profile:
        """The profile of all added samples."""
        program, chip, mapping = self._program, self._chip, self._mapping
        _, times = self._idle[0]
        timeline = times.timeline(self._sums)
        layers = tuple(self._layer(node.name, node.size, timeline) for node in program.nodes)
        power = static_power_by_source(chip, mapping.chips, mapping.cores)
        if chip.energy.step is not None:
            power["steps"] = step_power(chip, timeline.latency * (1 / self.steps))
        entering = sum(layer.messages for layer in layers if layer.cores == 0)
        neurons = {name: (values / timeline.samples)[None] for name, values in self._neurons.items()}
        return Profile(
            chip.name,
            timeline.samples,
            self.steps,
            layers,
            mapping,
            timeline.latency * (1 / self.steps),
            timeline.latency,
            sum(power.values(), Estimate.zero()).times(timeline.latency),
            _silent(self._placement, self.steps, chip),
            optional(chip.time.host_message) * entering,
            workload_of(program, neurons, self.steps, self._graded),
            timeline,
            power,
            tuple(outside_validation(self._run(layers, timeline), chip)),
        )

    def _run(self, layers: tuple[LayerProfile, ...], timeline: Timeline) -> Run:
        own = [layer for layer in layers if layer.cores]
        updates = sum(layer.neurons for layer in own) * self.steps
        activity = sum(layer.spikes for layer in own) / updates if updates else 0.0
        return Run(self._mapping.cores, activity, timeline.latency.typical / self.steps)

    def _layer(self, name: str, size: int, timeline: Timeline) -> LayerProfile:
        incoming = self._program.into(name)
        events = timeline.events(name)
        return LayerProfile(
            name,
            size,
            sum(synapse_count(c, self._program) for c in incoming),
            len({part.core for part in self._placement.parts if part.layer == name and part.core >= 0}),
            events.spikes.typical,
            events.synops.typical,
            events.updates.typical,
            events.messages.typical,
            events.hops.typical,
            dynamic_energy(events, self._chip.energy),
            events,
        )


def _sent(program: ChipProgram, result: SimulationResult, x: InputArrays) -> dict[str, NDArray[Any]] | None:
    """What every node sent, (steps, batch, size), or None if a layer's spikes were not recorded."""
    sent_by_node = {program.inputs[0].name: x} if isinstance(x, np.ndarray) else dict(x)
    if any(v.dtype.kind == "f" for v in sent_by_node.values()) or any(
        port.name not in sent_by_node or sent_by_node[port.name].shape[2:] != port.shape for port in program.inputs
    ):
        sent_by_node = check_input(program, x)
    for population in program.populations:
        recorded = result.states.get(f"s/{population.name}", result.spikes.get(population.name))
        if recorded is None:
            return None
        sent_by_node[population.name] = recorded
    return {name: np.ascontiguousarray(v).reshape(*v.shape[:2], -1) for name, v in sent_by_node.items()}


def _silent(placement: Placement, steps: int, chip: ChipProfile) -> Estimate:
    """Energy of the same steps without a spike: every update inactive, the fullest core the slowest."""
    updates = Events(updates_inactive=Estimate.exact(float(placement.sizes.sum()) * steps))
    fullest = float(placement.by_core(placement.sizes.astype(np.float64)).max(initial=0))
    core = CoreStep(Events(updates_inactive=Estimate.exact(fullest)))
    step = step_time(core_time(core, chip.time), Estimate.zero(), chip.time)
    power = static_power(chip, placement.chips, placement.cores)
    return dynamic_energy(updates, chip.energy) + power.times(step * steps) + optional(chip.energy.step) * steps
