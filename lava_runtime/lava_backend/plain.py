"""Plain processes where lava.proc has none: NumPy, one sample, Lava's ports, independent of the shared kernels.

A population steps by its model's `plain_step`; a convolution with delays multiplies one sparse matrix per delay.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.exporter.program.chip_program import ConvConnection, Population


class PlainPopulation(AbstractProcess):
    """Compartments of a model that lava.proc has no process for; one Var per state and one in-port per PORT.

    steps: time steps per sample.
    """

    def __init__(self, population: Population, shape: tuple[int, ...], image: bool, steps: int) -> None:
        super().__init__(name=population.name, population=population, image=image, steps=steps)
        for port in population.PORTS:
            setattr(self, port, InPort(shape=shape))
        self.s_out = OutPort(shape=shape)
        start = population.start()
        for state in population.STATES:
            values = start.get(state, np.zeros(population.size, np.int32))
            setattr(self, state, Var(shape=shape, init=to_image(values, population.shape, image).reshape(shape).copy()))
        self._post_init()


class PlainPopulationModel(PyLoihiProcessModel):
    """One step; `plain_models` adds the ports and states of a given model."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._population: Population = proc_params["population"]
        self._image: bool = proc_params["image"]
        self._steps: int = proc_params["steps"]

    def run_spk(self) -> None:
        """Receive, step, send."""
        population = self._population
        arriving = tuple(self._ours(getattr(self, port).recv()).astype(np.int32) for port in population.PORTS)
        states = {name: self._ours(getattr(self, name)) for name in population.STATES}
        spikes_out = population.plain_step((self.time_step - 1) % self._steps, states, arriving)
        for name, values in states.items():
            getattr(self, name)[:] = self._theirs(values)
        self.s_out.send(self._theirs(spikes_out))

    def _ours(self, values: NDArray[Any]) -> NDArray[Any]:
        return np.moveaxis(values, -1, 0).reshape(-1) if self._image else values.reshape(-1)

    def _theirs(self, values: NDArray[Any]) -> NDArray[Any]:
        return to_image(values, self._population.shape, self._image)


class PlainConvolution(AbstractProcess):
    """A convolution with delays; orders: our element at each position of the process' ports."""

    def __init__(self, connection: ConvConnection, source: NDArray[np.int64], target: NDArray[np.int64]) -> None:
        super().__init__(name=connection.label, connection=connection, orders=(source, target))
        self.s_in = InPort(shape=(len(source),))
        self.a_out = OutPort(shape=(len(target),))
        self.a_buff = Var(shape=(connection.longest_delay, len(target)), init=0)


@implements(proc=PlainConvolution, protocol=LoihiProtocol)
@requires(CPU)
class PlainConvolutionModel(PyLoihiProcessModel):
    """Sends what is due, then receives this step's spikes; a_buff[d - 1] is sent d steps later."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    a_buff: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        connection: ConvConnection = proc_params["connection"]
        source, target = proc_params["orders"]
        self._exponent = connection.weight_exp
        self._matrices = [
            (delay, matrix[target][:, source]) for delay, matrix in _by_delay(connection, (len(target), len(source)))
        ]

    def run_spk(self) -> None:
        """One step."""
        self.a_out.send(self.a_buff[0].copy())
        self.a_buff[:-1] = self.a_buff[1:]
        self.a_buff[-1] = 0
        spikes = self.s_in.recv().astype(np.int64)
        for delay, matrix in self._matrices:
            arrived = (np.asarray(matrix @ spikes) << self._exponent).astype(np.int32).astype(np.int64)
            # lava.proc.conv computes in 24 bit
            self.a_buff[delay - 1] += (((arrived + (1 << 23)) & ((1 << 24) - 1)) - (1 << 23)).astype(np.int32)


def _by_delay(connection: ConvConnection, shape: tuple[int, int]) -> Iterable[tuple[int, csr_array]]:
    """A matrix (target size, source size) for each delay."""
    target, source, position = _conv_synapses(connection)
    weight = connection.weights.reshape(-1)[position].astype(np.int64)
    delay = np.full(len(weight), connection.delay)
    if connection.axonal_delays is not None:
        delay += connection.axonal_delays[source]
    if connection.synaptic_delays is not None:
        delay += connection.synaptic_delays.reshape(-1)[position]
    for steps in np.unique(delay):
        selected = delay == steps
        yield int(steps), csr_array((weight[selected], (target[selected], source[selected])), shape=shape)


def _conv_synapses(c: ConvConnection) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Target element, source element and kernel position of every synapse of a convolution."""
    out, rows, columns = c.output_shape
    per_group = c.weights.shape[1]
    o, y, x, i, ky, kx = np.indices((out, rows, columns, per_group, *c.weights.shape[2:]), sparse=True)
    row = y * c.stride[0] - c.padding[0] + ky * c.dilation[0]
    column = x * c.stride[1] - c.padding[1] + kx * c.dilation[1]
    channel = o // (out // c.groups) * per_group + i
    height, width = c.input_shape[1:]
    inside_image = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    source = (channel * height + row) * width + column
    target = (o * rows + y) * columns + x
    position = ((o * per_group + i) * c.weights.shape[2] + ky) * c.weights.shape[3] + kx
    full = np.broadcast_shapes(source.shape, target.shape, position.shape, inside_image.shape)
    valid = np.broadcast_to(inside_image, full)
    synapses = tuple(np.broadcast_to(values, full)[valid] for values in (target, source, position))
    return synapses[0], synapses[1], synapses[2]


def to_image(values: NDArray[Any], shape: tuple[int, ...], image: bool) -> NDArray[Any]:
    """(size,) in C order of `shape` -> Lava's (height, width, channels) where it is an image."""
    return np.moveaxis(values.reshape(shape), 0, -1) if image else values


def plain_models(processes: Iterable[AbstractProcess]) -> dict[AbstractProcess, Any]:
    """The process model of every plain population."""
    models: dict[AbstractProcess, Any] = {}
    for process in processes:
        if isinstance(process, PlainPopulation):
            population: Population = process.proc_params["population"]
            members: dict[str, Any] = {port: LavaPyType(PyInPort.VEC_DENSE, np.int32) for port in population.PORTS}
            members["s_out"] = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
            members |= {state: LavaPyType(np.ndarray, np.int32) for state in population.STATES}
            members["__annotations__"] = dict.fromkeys(members, Any)
            model = type("PlainModel", (PlainPopulationModel,), members)
            models[process] = implements(proc=PlainPopulation, protocol=LoihiProtocol)(requires(CPU)(model))
    return models
