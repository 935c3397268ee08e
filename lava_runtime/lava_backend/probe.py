"""One process that records the spikes and states of a whole stock network, and resets it between samples.

lava.proc.monitor transfers its data number by number (about 40 us each); this probe writes into shared files, and
between samples resets u, v and the synapses' buffers through Lava's own RefPorts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyRefPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, RefPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from .job import Job, shared_progress
from .stock import StockNetwork, from_lava, to_lava


class Probe(AbstractProcess):
    """Ports s0, s1, ... for spikes, u0, v0, ... for states and b0, b1, ... for synapse buffers."""

    def __init__(self, network: StockNetwork, job: Job) -> None:
        super().__init__(name="probe", job=job, images=[neuron.image for neuron in network.neurons.values()])
        for index, neuron in enumerate(network.neurons.values()):
            shape = neuron.process.s_out.shape
            setattr(self, f"s{index}", InPort(shape=shape))
            for state in neuron.states:
                setattr(self, f"{state}{index}", RefPort(shape=shape))
        for index, synapse in enumerate(network.synapses):
            setattr(self, f"b{index}", RefPort(shape=_buffer(synapse).shape))
        self._post_init()

    def attach(self, network: StockNetwork) -> None:
        """Connect every port."""
        for index, neuron in enumerate(network.neurons.values()):
            neuron.process.s_out.connect(getattr(self, f"s{index}"))
            for state, theirs in neuron.states.items():
                getattr(self, f"{state}{index}").connect_var(getattr(neuron.process, theirs))
        for index, synapse in enumerate(network.synapses):
            getattr(self, f"b{index}").connect_var(_buffer(synapse))


class ProbeModel(PyLoihiProcessModel):
    """One step of the probe; `probe_model` adds the ports of a given network."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._job: Job = proc_params["job"]
        self._images: list[bool] = proc_params["images"]
        self._count = len(self._job.program.populations)
        self._arrays: dict[str, Any] = {}
        for index in range(self._count):
            for name, values in self._job.arrays(index).items():
                self._arrays[f"{name}{index}"] = values
        self._progress = shared_progress(self._job.folder)

    def run_spk(self) -> None:
        """Receive and count every population's spikes."""
        sample, step = divmod(self.time_step - 1, self._job.request.steps)
        for index in range(self._count):
            spikes = from_lava(getattr(self, f"s{index}").recv(), self._images[index])
            self._arrays[f"n{index}"][sample] += spikes != 0
            if f"s{index}" in self._arrays:
                self._arrays[f"s{index}"][step, sample] = spikes
        self._progress[0] = self.time_step

    def post_guard(self) -> bool:
        """States are read after every step if requested, and reset after each sample's last step."""
        return self._job.request.record == "all" or self.time_step % self._job.request.steps == 0

    def run_post_mgmt(self) -> None:
        """Record the states; after a sample's last step reset them."""
        sample, step = divmod(self.time_step - 1, self._job.request.steps)
        if self._job.request.record == "all":
            for index, population in enumerate(self._job.program.populations):
                for state in population.STATES:
                    value = from_lava(getattr(self, f"{state}{index}").read(), self._images[index])
                    self._arrays[f"{state}{index}"][step, sample] = value
        if step == self._job.request.steps - 1:
            self._reset()

    def _reset(self) -> None:
        for index, population in enumerate(self._job.program.populations):
            start = population.start()
            for state in population.STATES:
                port = getattr(self, f"{state}{index}")
                values = start.get(state, np.zeros(population.size, np.int32))
                port.write(to_lava(values, population.shape, self._images[index]).astype(np.int32))
                # a read waits until the write is complete
                port.wait()
        for index in range(len(self._job.program.connections)):
            buffer = getattr(self, f"b{index}")
            buffer.write(np.zeros(buffer._shape, np.int32))
            buffer.wait()


def probe_model(network: StockNetwork) -> type[ProbeModel]:
    """The process model with one Lava port per population, state and synapse of this network."""
    ports: dict[str, LavaPyType] = {}
    for index, neuron in enumerate(network.neurons.values()):
        ports[f"s{index}"] = LavaPyType(PyInPort.VEC_DENSE, np.int32)
        for state in neuron.states:
            ports[f"{state}{index}"] = LavaPyType(PyRefPort.VEC_DENSE, np.int32)
    for index in range(len(network.synapses)):
        ports[f"b{index}"] = LavaPyType(PyRefPort.VEC_DENSE, np.int32)
    model = type("NetworkProbeModel", (ProbeModel,), {**ports, "__annotations__": dict.fromkeys(ports, Any)})
    return implements(proc=Probe, protocol=LoihiProtocol)(requires(CPU)(model))  # type: ignore[no-any-return]


def _buffer(synapse: Any) -> Any:
    return synapse.a_buf if hasattr(synapse, "a_buf") else synapse.a_buff
