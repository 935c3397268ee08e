"""The `lava` network: this project's Lava processes, in which one message carries a whole batch of samples.

A population and the synapses that lead into it are one process. Spikes travel packed, a bit a neuron and sample;
graded input as 32-bit payloads. The step inside is the emulator's kernel.
"""

from __future__ import annotations

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

from exporter.program import InputPort, Population
from lava_runtime.engine import PopulationState, Synapses
from lava_runtime.inputs import graded_nodes
from lava_runtime.job import Job, shared_progress
from lava_runtime.kernels.active import Active


class SpikeSource(AbstractProcess):
    """Sends an input's values of a whole batch in each step."""

    def __init__(self, port: InputPort, index: int, job: Job, graded: bool) -> None:
        super().__init__(name=port.name, index=index, job=job, graded=graded)
        self.s_out = OutPort(shape=message_shape(job.request.batch, port.size, graded))


class BatchedPopulation(AbstractProcess):
    """Synapses and compartments of one population for a whole batch; ports in0, in1, ... in the order of `into`."""

    def __init__(self, population: Population, index: int, job: Job, graded: set[str]) -> None:
        incoming = job.program.into(population.name)
        flags = [c.source in graded for c in incoming]
        super().__init__(name=population.name, index=index, job=job, graded=flags, sends_payloads=population.GRADED)
        batch = job.request.batch
        self.s_out = OutPort(shape=message_shape(batch, population.size, population.GRADED))
        for number, (connection, flag) in enumerate(zip(incoming, flags, strict=True)):
            size = job.program.source_size(connection.source)
            setattr(self, f"in{number}", InPort(shape=message_shape(batch, size, flag)))
        self._post_init()


class BatchedNetwork:
    """All processes of a job, connected."""

    def __init__(self, job: Job) -> None:
        program = job.program
        graded = graded_nodes(program, {port.name: job.input(index) for index, port in enumerate(program.inputs)})
        self.sources = {
            port.name: SpikeSource(port, index, job, port.name in graded) for index, port in enumerate(program.inputs)
        }
        self.populations = {
            p.name: BatchedPopulation(p, index, job, graded) for index, p in enumerate(program.populations)
        }
        for name, population in self.populations.items():
            for number, connection in enumerate(program.into(name)):
                source: Any = self.sources.get(connection.source) or self.populations[connection.source]
                source.s_out.connect(getattr(population, f"in{number}"))

    def models(self) -> dict[AbstractProcess, type[PyLoihiProcessModel]]:
        """The process model of each process."""
        chosen: dict[AbstractProcess, type[PyLoihiProcessModel]] = {}
        for source in self.sources.values():
            chosen[source] = GradedSourceModel if source.proc_params["graded"] else SpikeSourceModel
        for population in self.populations.values():
            sends_payloads = population.proc_params["sends_payloads"]
            chosen[population] = population_model(population.proc_params["graded"], sends_payloads)
        return chosen


class _SourceModel(PyLoihiProcessModel):
    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        job: Job = proc_params["job"]
        self._values = job.input(proc_params["index"])

    def _now(self) -> NDArray[np.int32]:
        step = self.time_step - 1
        if step < len(self._values):
            values: NDArray[np.int32] = self._values[step]
            return values
        return np.zeros(self._values.shape[1:], np.int32)


@implements(proc=SpikeSource, protocol=LoihiProtocol)
@requires(CPU)
class SpikeSourceModel(_SourceModel):
    """Packed spikes."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.uint8)

    def run_spk(self) -> None:
        """Send this step's spikes."""
        self.s_out.send(np.packbits(self._now() != 0, axis=1))


@implements(proc=SpikeSource, protocol=LoihiProtocol)
@requires(CPU)
class GradedSourceModel(_SourceModel):
    """Payloads."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        """Send this step's payloads."""
        self.s_out.send(np.ascontiguousarray(self._now(), dtype=np.int32))


class BatchedPopulationModel(PyLoihiProcessModel):
    """One step: update with what arrives now, send the spikes, then take in what was sent in this step.

    Sending before receiving keeps recurrent networks from waiting for themselves; what is taken in now arrives at
    least one step later, as on the chip.
    """

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        job: Job = proc_params["job"]
        index: int = proc_params["index"]
        population = job.program.populations[index]
        incoming = job.program.into(population.name)
        self._graded: list[bool] = proc_params["graded"]
        self._state = PopulationState(population, job.request.batch, incoming)
        sizes = [job.program.source_size(c.source) for c in incoming]
        parts = zip(incoming, sizes, self._graded, strict=True)
        self._synapses = [Synapses(connection, size, flag) for connection, size, flag in parts]
        self._active = [Active.empty(job.request.batch, size) for size in sizes]
        self._kept = job.arrays(index)
        self._steps = job.request.steps
        self._progress = shared_progress(job.folder) if index == len(job.program.populations) - 1 else None

    def run_spk(self) -> None:
        """One time step of the population."""
        step = self.time_step - 1
        self._state.update(step)
        self.s_out.send(self._state.message)
        for number, synapses in enumerate(self._synapses):
            message = getattr(self, f"in{number}").recv()
            active = self._active[number]
            if self._graded[number]:
                active.read_payloads(message)
            else:
                active.read_bits(message)
            synapses.deliver(active, self._state, step)
        self._record(step)

    def _record(self, step: int) -> None:
        for name, values in {"s": self._state.sent, **self._state.states}.items():
            if name in self._kept:
                self._kept[name][step] = values
        if step == self._steps - 1:
            self._kept["n"][:] = self._state.total
        if self._progress is not None:
            self._progress[0] = self.time_step


def population_model(graded: list[bool], sends_payloads: bool) -> type[PyLoihiProcessModel]:
    """The process model with one in-port a connection."""
    sent = np.int32 if sends_payloads else np.uint8
    ports: dict[str, LavaPyType] = {"s_out": LavaPyType(PyOutPort.VEC_DENSE, sent)}
    for number, flag in enumerate(graded):
        ports[f"in{number}"] = LavaPyType(PyInPort.VEC_DENSE, np.int32 if flag else np.uint8)
    members = {**ports, "__annotations__": dict.fromkeys(ports, Any)}
    model = type("ConnectedPopulationModel", (BatchedPopulationModel,), members)
    return implements(proc=BatchedPopulation, protocol=LoihiProtocol)(requires(CPU)(model))  # type: ignore[no-any-return]


def message_shape(batch: int, size: int, graded: bool) -> tuple[int, int]:
    """Shape of one step's message: a payload a neuron, or a bit a neuron rounded up to bytes."""
    return (batch, size) if graded else (batch, -(-size // 8))
