"""The `lava` network: this project's Lava processes, in which one message carries a whole batch of samples.

A population and its incoming synapses are one process. Spikes are sent as one bit per neuron and sample, payloads as
32-bit integers, a block of time steps per message (schedule.py). Steps are computed by the emulator's kernels.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import InputPort, Population
from spikeport.lava_runtime.emulator.population_state import PopulationState, Synapses, synapses_of
from spikeport.lava_runtime.inputs import graded_nodes
from spikeport.lava_runtime.kernels.spike_events import WORD, SpikeEvents, packed, words_of
from spikeport.lava_runtime.result import Recording

from .components import Joint, representatives
from .job import Job, shared_progress
from .schedule import Schedule, plan


class SpikeSource(AbstractProcess):
    """Sends an input's values of a whole batch, one block of steps per Lava step."""

    def __init__(self, port: InputPort, index: int, job: Job, graded: bool, schedule: Schedule) -> None:
        super().__init__(name=port.name, index=index, job=job, graded=graded, schedule=schedule)
        self.s_out = OutPort(shape=message_shape(schedule.length, job.request.batch, port.size, graded))


class BatchedPopulation(AbstractProcess):
    """Synapses and compartments of one population for a whole batch; ports in0, in1, ... per node that feeds it."""

    def __init__(self, population: Population, index: int, job: Job, graded: set[str], schedule: Schedule) -> None:
        program, batch = job.program, job.request.batch
        # what a population sends to itself stays inside the process
        self.feeding = [s for s in dict.fromkeys(c.source for c in program.into(population.name))
                        if s != population.name]  # fmt: skip
        super().__init__(name=population.name, index=index, job=job, graded=graded, schedule=schedule,
                         feeding=self.feeding)  # fmt: skip
        self.s_out = OutPort(shape=message_shape(schedule.length, batch, population.size, population.GRADED))
        for number, source in enumerate(self.feeding):
            shape = message_shape(schedule.length, batch, program.source_size(source), source in graded)
            setattr(self, f"in{number}", InPort(shape=shape))
        self._post_init()


class BatchedNetwork:
    """All processes of a job, connected."""

    def __init__(self, job: Job) -> None:
        program = job.program
        graded = graded_nodes(program, {port.name: job.input(index) for index, port in enumerate(program.inputs)})
        schedule = plan(program, job.request.steps, job.request.batch)
        self.lava_steps = schedule.lava_steps
        self.sources = {
            port.name: SpikeSource(port, index, job, port.name in graded, schedule)
            for index, port in enumerate(program.inputs)
        }
        self.populations = {
            p.name: BatchedPopulation(p, index, job, graded, schedule) for index, p in enumerate(program.populations)
        }
        for population in self.populations.values():
            for number, name in enumerate(population.feeding):
                source: Any = self.sources.get(name) or self.populations[name]
                source.s_out.connect(getattr(population, f"in{number}"))
        apart = [self.populations[name] for name in representatives(program)]
        self.joint = None
        if len(apart) > 1:
            self.joint = Joint([p.s_out for p in apart], [p.name in graded for p in apart])

    def models(self) -> dict[AbstractProcess, type[PyLoihiProcessModel]]:
        """The process model of each process."""
        models: dict[AbstractProcess, type[PyLoihiProcessModel]] = {}
        for source in self.sources.values():
            models[source] = GradedSourceModel if source.proc_params["graded"] else SpikeSourceModel
        for name, population in self.populations.items():
            graded: set[str] = population.proc_params["graded"]
            models[population] = population_model([s in graded for s in population.feeding], name in graded)
        if self.joint is not None:
            models[self.joint] = self.joint.model()
        return models


class _SourceModel(PyLoihiProcessModel):
    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        job: Job = proc_params["job"]
        self._values = job.input(proc_params["index"])
        self._length: int = proc_params["schedule"].length

    def _block(self) -> NDArray[Any]:
        """This block's values, (steps, batch, size); fewer or none after the input's end."""
        first = (self.time_step - 1) * self._length
        return self._values[first : first + self._length]


@implements(proc=SpikeSource, protocol=LoihiProtocol)
@requires(CPU)
class SpikeSourceModel(_SourceModel):
    """Packed spikes."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.uint8)

    def run_spk(self) -> None:
        """Send this block's spikes."""
        message = np.zeros(self.s_out._shape, np.uint8)
        block = self._block()
        if len(block):
            spikes = np.ascontiguousarray(block, dtype=np.uint8)
            words = packed(spikes.reshape(-1, spikes.shape[2]))
            message[: len(block)] = words.reshape(*spikes.shape[:2], -1).view(np.uint8)
        self.s_out.send(message)


@implements(proc=SpikeSource, protocol=LoihiProtocol)
@requires(CPU)
class GradedSourceModel(_SourceModel):
    """Payloads."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        """Send this block's payloads."""
        message = np.zeros(self.s_out._shape, np.int32)
        block = self._block()
        message[: len(block)] = block
        self.s_out.send(message)


class BatchedPopulationModel(PyLoihiProcessModel):
    """One block of steps: receive, update, then send all spikes.

    Messages from processes of lower depth have already arrived; those of the same depth are waited for. In a recurrent
    loop a block is one step whose spikes arrive one step later, and sending before receiving avoids a deadlock.
    """

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        job: Job = proc_params["job"]
        index: int = proc_params["index"]
        program, batch = job.program, job.request.batch
        population = program.populations[index]
        incoming = program.into(population.name)
        graded: set[str] = proc_params["graded"]
        schedule: Schedule = proc_params["schedule"]
        self._length, self._depth = schedule.length, schedule.depth[population.name]
        self._recurrent = schedule.recurrent
        self._state = PopulationState(population, batch, self._length, incoming)
        synapses = synapses_of(program, incoming, graded)
        self._own = [s for s in synapses if s.connection.source == population.name]
        self._feeds = [
            _Feed(
                schedule.depth[name], name in graded, [s for s in synapses if s.connection.source == name],
                SpikeEvents.empty(self._length * batch, program.source_size(name), name in graded),
            )
            for name in proc_params["feeding"]
        ]  # fmt: skip
        shape = message_shape(schedule.length, batch, population.size, population.GRADED)
        self._message = np.zeros(shape, np.int32 if population.GRADED else np.uint8)
        arrays = job.arrays(index)
        states = {name: arrays[name] for name in population.STATES if name in arrays}
        self._recording = Recording(arrays["n"], arrays.get("s"), states)
        self._steps = job.request.steps
        self._progress = shared_progress(job.folder) if index == len(program.populations) - 1 else None

    def run_spk(self) -> None:
        """One Lava step: a block of chip steps."""
        lava_step = self.time_step - 1
        start = (lava_step - self._depth) * self._length
        steps = min(self._length, self._steps - start) if start >= 0 else 0
        if not self._recurrent:
            self._receive(lava_step, [feed.depth == self._depth for feed in self._feeds])
            self._deliver(start, steps)
        if steps > 0:
            self._advance(start, steps)
            self._message[:steps] = self._state.message[:steps].view(self._message.dtype)
        self.s_out.send(self._message)
        self._receive(lava_step, [self._recurrent or feed.depth < self._depth for feed in self._feeds])
        if self._recurrent:
            self._deliver(start, steps)
        if self._progress is not None:
            self._progress[0] = min(max(start + self._length, 0), self._steps)

    def _receive(self, lava_step: int, selected: list[bool]) -> None:
        """Receive the messages of the selected feeds."""
        for number, feed in enumerate(self._feeds):
            if selected[number]:
                message = getattr(self, f"in{number}").recv()
                # a source that has not reached its first block sends nothing
                if lava_step >= feed.depth:
                    feed.blocks.append(message)

    def _deliver(self, start: int, steps: int) -> None:
        if steps > 0:
            for feed in self._feeds:
                feed.deliver(self._state, start, steps)

    def _advance(self, start: int, steps: int) -> None:
        piece = 1 if self._own or self._recording.states else steps
        for first in range(0, steps, piece):
            last = first + piece
            self._state.update(start + first, first, last)
            for synapses in self._own:
                synapses.deliver(self._state.rows(first, last), self._state, start + first)
            self._state.record(self._recording, start + first, first, last)
        if start + steps == self._steps:
            self._recording.n[:] = self._state.total


@dataclass
class _Feed:
    """Messages of a source node that are not yet delivered, one per block; depth: of the source."""

    depth: int
    graded: bool
    synapses: list[Synapses]
    active: SpikeEvents
    blocks: deque[NDArray[Any]] = field(default_factory=deque)

    def deliver(self, target: PopulationState, start: int, steps: int) -> None:
        """Deliver the spikes of the next block, of which `steps` steps from `start` on are run."""
        message = self.blocks.popleft()[:steps]
        active = self.active.part(0, steps * message.shape[1])
        flat = message.reshape(active.rows, -1)
        if self.graded:
            active.read_payloads(flat)
        else:
            active.read_words(flat.view(np.uint64))
        for synapses in self.synapses:
            synapses.deliver(active, target, start)


def population_model(graded: list[bool], sends_payloads: bool) -> type[PyLoihiProcessModel]:
    """The process model with one in-port per node that feeds it."""
    kind = np.int32 if sends_payloads else np.uint8
    ports: dict[str, LavaPyType] = {"s_out": LavaPyType(PyOutPort.VEC_DENSE, kind)}
    for number, flag in enumerate(graded):
        ports[f"in{number}"] = LavaPyType(PyInPort.VEC_DENSE, np.int32 if flag else np.uint8)
    members = {**ports, "__annotations__": dict.fromkeys(ports, Any)}
    model = type("ConnectedPopulationModel", (BatchedPopulationModel,), members)
    return implements(proc=BatchedPopulation, protocol=LoihiProtocol)(requires(CPU)(model))  # type: ignore[no-any-return]


def message_shape(steps: int, batch: int, size: int, graded: bool) -> tuple[int, int, int]:
    """Shape of one block's message: one payload per neuron, or the bytes of its packed words."""
    return (steps, batch, size) if graded else (steps, batch, WORD // 8 * words_of(size))
