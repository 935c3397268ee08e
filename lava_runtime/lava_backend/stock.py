"""The `stock` network: lava.proc's own processes, one sample after the other, as a Loihi board would run it.

Where lava.proc has no process (some neuron models, convolutions with delays) a plain one replaces it, written in NumPy
independently of the kernels of the other backends (lava_runtime/lava_backend/plain.py).

Lava orders images (width, height, channels) and convolves with flipped kernels; here an image is passed as (height,
width, channels), the same with two axes renamed, and reordered when it is recorded.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from lava.magma.core.process.process import AbstractProcess
from lava.proc.conv.process import Conv
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.source import RingBuffer
from lava.proc.sparse.process import DelaySparse, Sparse
from lava.utils.weightutils import SignMode
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from spikeport.exporter.program.chip_program import (
    ChipProgram,
    Connection,
    ConvConnection,
    DenseConnection,
    Population,
    SparseConnection,
    delays_per_weight,
)
from spikeport.lava_runtime.inputs import graded_nodes

from .job import Job
from .plain import PlainConvolution, PlainPopulation, plain_models

_SIGN_MODES = {
    "mixed": SignMode.MIXED,
    "excitatory": SignMode.EXCITATORY,
    "inhibitory": SignMode.INHIBITORY,
}


@dataclass(frozen=True)
class StockNeuron:
    """A population's process; ports, states: Lava's names by ours; image: whether it is an image; model: its process
    model if Lava finds another.
    """

    process: AbstractProcess
    ports: Mapping[str, str]
    states: Mapping[str, str]
    image: bool
    model: Any = None


@dataclass(frozen=True)
class StockNetwork:
    """The processes by node name; synapses in the order of the program's connections."""

    sources: dict[str, RingBuffer]
    neurons: dict[str, StockNeuron]
    synapses: list[AbstractProcess]

    def models(self) -> dict[AbstractProcess, Any]:
        """The process models that Lava cannot find by itself."""
        models = {n.process: n.model for n in self.neurons.values() if n.model is not None}
        return models | plain_models([*(n.process for n in self.neurons.values()), *self.synapses])


def build(job: Job) -> StockNetwork:
    """Build and connect the network of a job."""
    program = job.program
    images = {name for c in program.connections if _is_stock_conv(c) for name in (c.source, c.target)}
    graded = graded_nodes(program, {port.name: job.input(index) for index, port in enumerate(program.inputs)})
    sources = {}
    for index, port in enumerate(program.inputs):
        values = np.asarray(job.input(index))
        sources[port.name] = RingBuffer(data=_timeline(values, job.request.steps, port.shape, port.name in images))
    neurons = {p.name: _neuron(p, p.name in images, job.request.steps) for p in program.populations}
    synapses: list[AbstractProcess] = []
    for connection in program.connections:
        synapse = _synapse(connection, program, images, 32 if connection.source in graded else 0)
        source: Any = sources.get(connection.source) or neurons[connection.source].process
        target = neurons[connection.target]
        port = getattr(target.process, target.ports[connection.port])
        if _is_stock_conv(connection):
            source.s_out.connect(synapse.s_in)
            synapse.a_out.connect(port)
        else:
            source.s_out.reshape((synapse.s_in.shape[0],)).connect(synapse.s_in)
            synapse.a_out.reshape(port.shape).connect(port)
        synapses.append(synapse)
    return StockNetwork(sources, neurons, synapses)


def _is_stock_conv(connection: Connection) -> bool:
    return isinstance(connection, ConvConnection) and connection.longest_delay == 1


def lava_shape(shape: tuple[int, ...], image: bool) -> tuple[int, ...]:
    """The shape of a population's Lava process."""
    return (shape[1], shape[2], shape[0]) if image else (int(np.prod(shape)),)


def to_lava(values: NDArray[Any], shape: tuple[int, ...], image: bool) -> NDArray[Any]:
    """(..., size) in C order of `shape` -> (..., *lava_shape)."""
    if not image:
        return values
    return np.moveaxis(values.reshape(*values.shape[:-1], *shape), -3, -1)


def from_lava(values: NDArray[Any], image: bool) -> NDArray[Any]:
    """One process' state -> (size,) in C order of the network's shape."""
    return np.moveaxis(values, -1, 0).reshape(-1) if image else values.reshape(-1)


def _timeline(values: NDArray[np.int32], steps: int, shape: tuple[int, ...], image: bool) -> NDArray[np.int32]:
    """(input steps, batch, size) -> (*lava_shape, batch * steps): samples concatenated, time last."""
    padded = np.zeros((steps, *values.shape[1:]), np.int32)
    used = min(steps, len(values))
    padded[:used] = values[:used]
    in_order = padded.transpose(1, 0, 2).reshape(-1, values.shape[2])
    return np.ascontiguousarray(np.moveaxis(to_lava(in_order, shape, image), 0, -1))


def _neuron(population: Population, image: bool, steps: int) -> StockNeuron:
    stock = population.stock()
    shape = lava_shape(population.shape, image)
    if stock is None:
        process = PlainPopulation(population, shape, image, steps)
        names = {port: port for port in population.PORTS}
        return StockNeuron(process, names, {state: state for state in population.STATES}, image)

    def argument(values: Any) -> Any:
        if not isinstance(values, np.ndarray):
            return values
        # many parameters are documented as one number per process, but the models compute elementwise
        if values.size and np.all(values == values[0]):
            return values[0].item()
        return to_lava(values, population.shape, image).copy()

    arguments = {name: argument(values) for name, values in stock.arguments.items()}
    neuron_process = getattr(importlib.import_module(stock.module), stock.name)(shape=shape, **arguments)
    neuron_process.name = population.name
    for name, values in stock.variables.items():
        variable, start = getattr(neuron_process, name), argument(values)
        variable.init = start
        if isinstance(start, np.ndarray):
            variable.shape = shape
    model = None
    if stock.clocked_model:
        models = importlib.import_module(stock.module.replace(".process", ".models"))
        model = _counting_from_each_sample(getattr(models, stock.clocked_model), steps)
    return StockNeuron(neuron_process, stock.ports, stock.states, image, model)


def _counting_from_each_sample(model: Any, steps: int) -> Any:
    """The process model with a time_step that restarts with every sample; Lava's continues."""

    def run_spk(self: Any) -> None:
        lava_time = self.time_step
        self.time_step = (lava_time - 1) % steps + 1
        model.run_spk(self)
        self.time_step = lava_time

    return type(f"Counting{model.__name__}", (model,), {"run_spk": run_spk})


def _synapse(connection: Connection, program: ChipProgram, images: set[str], message_bits: int) -> AbstractProcess:
    if isinstance(connection, ConvConnection) and _is_stock_conv(connection):
        # lava.proc.conv's fixed-point model leaves weight_exp unused, so the weights carry it
        kernel = connection.weights[:, :, ::-1, ::-1].transpose(0, 2, 3, 1) << connection.weight_exp
        height, width = connection.input_shape[1:]
        return Conv(
            weight=np.ascontiguousarray(kernel),
            input_shape=(height, width, connection.input_shape[0]),
            padding=connection.padding,
            stride=connection.stride,
            dilation=connection.dilation,
            groups=connection.groups,
            num_message_bits=message_bits,
            name=connection.label,
        )
    # elements of a node that is an image for Lava are in Lava's order
    orders = [_lava_order(program.source_shape(n), n in images) for n in (connection.source, connection.target)]
    common: dict[str, Any] = {
        "weight_exp": connection.weight_exp,
        "num_weight_bits": connection.weight_bits,
        "sign_mode": _SIGN_MODES[connection.sign_mode],
        "num_message_bits": message_bits,
        "name": connection.label,
    }
    if isinstance(connection, DenseConnection):
        weights = connection.weights[orders[1]][:, orders[0]]
        if connection.longest_delay == 1:
            return Dense(weights=weights, **common)
        # DelayDense counts delays in addition to the step that every connection takes
        delays = _delays_beyond_first(connection)[orders[1]][:, orders[0]]
        return DelayDense(weights=weights, delays=delays, max_delay=int(delays.max()), **common)
    if isinstance(connection, SparseConnection):
        shape = tuple(program.source_size(n) for n in (connection.target, connection.source))

        def matrix(stored: NDArray[Any]) -> Any:
            rows = csr_matrix((stored, connection.indices, connection.indptr), shape=shape)
            return rows[orders[1]][:, orders[0]]

        weights = matrix(connection.weights)
        if connection.longest_delay == 1:
            return Sparse(weights=weights, **common)
        delays = matrix(_delays_beyond_first(connection))
        # entries missing from the matrix of delays have none
        delays.eliminate_zeros()
        return DelaySparse(weights=weights, delays=delays, max_delay=connection.longest_delay - 1, **common)
    assert isinstance(connection, ConvConnection)
    return PlainConvolution(connection, orders[0], orders[1])


def _delays_beyond_first(connection: DenseConnection | SparseConnection) -> NDArray[np.int64]:
    """Steps beyond the one that every connection takes, one per weight."""
    return connection.delay - 1 + delays_per_weight(connection).astype(np.int64)


def _lava_order(shape: tuple[int, ...], image: bool) -> NDArray[np.int64]:
    """Our element at each position of Lava's order."""
    return to_lava(np.arange(int(np.prod(shape))), shape, image).reshape(-1)
