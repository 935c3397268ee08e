"""The `stock` network: lava.proc's own LIF, Dense and Conv, one sample after the other, as a Loihi board would run it.

Lava orders images (width, height, channels) and convolves with flipped kernels; here an image is handed over as
(height, width, channels), the same thing with the two axes renamed, and put back in order when it is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from lava.magma.core.process.process import AbstractProcess
from lava.proc.conv.process import Conv
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF
from lava.utils.weightutils import SignMode
from numpy.typing import NDArray

from exporter.program import ChipProgram, Connection, ConvConnection, Population
from lava_runtime.inputs import is_graded
from lava_runtime.job import Job

_SIGN_MODES = {
    "mixed": SignMode.MIXED,
    "excitatory": SignMode.EXCITATORY,
    "inhibitory": SignMode.INHIBITORY,
}


@dataclass(frozen=True)
class StockNetwork:
    """The processes by name of what they stand for; synapses in the order of the program's connections."""

    sources: dict[str, RingBuffer]
    neurons: dict[str, LIF]
    synapses: list[AbstractProcess]


def build(job: Job) -> StockNetwork:
    """Build and connect the network of a job."""
    program = job.program
    images = {name for c in program.connections if isinstance(c, ConvConnection) for name in (c.source, c.target)}
    sources, graded = {}, {}
    for index, port in enumerate(program.inputs):
        values = np.asarray(job.input(index))
        graded[port.name] = is_graded(values)
        sources[port.name] = RingBuffer(data=_timeline(values, job.request.steps, port.shape, port.name in images))
    neurons = {p.name: _lif(p, p.name in images) for p in program.populations}
    synapses: list[AbstractProcess] = []
    for connection in program.connections:
        synapse = _synapse(connection, program, images, 32 if graded.get(connection.source) else 0)
        source: Any = sources.get(connection.source) or neurons[connection.source]
        target = neurons[connection.target]
        if isinstance(connection, ConvConnection):
            source.s_out.connect(synapse.s_in)
            synapse.a_out.connect(target.a_in)
        else:
            source.s_out.reshape((synapse.s_in.shape[0],)).connect(synapse.s_in)
            synapse.a_out.reshape(target.a_in.shape).connect(target.a_in)
        synapses.append(synapse)
    return StockNetwork(sources, neurons, synapses)


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
    """(input steps, batch, size) -> (*lava_shape, batch * steps): the samples one after the other, time last."""
    padded = np.zeros((steps, *values.shape[1:]), np.int32)
    used = min(steps, len(values))
    padded[:used] = values[:used]
    in_order = padded.transpose(1, 0, 2).reshape(-1, values.shape[2])
    return np.ascontiguousarray(np.moveaxis(to_lava(in_order, shape, image), 0, -1))


def _lif(population: Population, image: bool) -> LIF:
    def constant(values: NDArray[np.int32]) -> Any:
        # lava.proc.lif documents one number a process; its model computes elementwise and takes an array as well
        if np.all(values == values[0]):
            return int(values[0])
        return to_lava(values, population.shape, image).copy()

    return LIF(
        shape=lava_shape(population.shape, image),
        u=0,
        v=to_lava(population.v_initial, population.shape, image).copy(),
        du=constant(population.du),
        dv=constant(population.dv),
        vth=constant(population.vth),
        bias_mant=to_lava(population.bias_mant, population.shape, image).copy(),
        bias_exp=to_lava(population.bias_exp, population.shape, image).copy(),
        name=population.name,
    )


def _synapse(connection: Connection, program: ChipProgram, images: set[str], message_bits: int) -> AbstractProcess:
    if isinstance(connection, ConvConnection):
        if connection.delay != 1:
            raise NotImplementedError(
                f"lava.proc has no Conv with a delay of {connection.delay} steps; use backend lava or emulator"
            )
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
    weights = connection.weights
    source_shape, target_shape = program.source_shape(connection.source), program.source_shape(connection.target)
    if connection.source in images:
        weights = to_lava(weights, source_shape, True).reshape(len(weights), -1)
    if connection.target in images:
        weights = to_lava(weights.T, target_shape, True).reshape(weights.shape[1], -1).T
    common: dict[str, Any] = {
        "weights": np.ascontiguousarray(weights),
        "weight_exp": connection.weight_exp,
        "num_weight_bits": connection.weight_bits,
        "sign_mode": _SIGN_MODES[connection.sign_mode],
        "num_message_bits": message_bits,
        "name": connection.label,
    }
    if connection.delay == 1:
        return Dense(**common)
    # DelayDense counts its delays beyond the step that every connection takes
    delays = np.full(weights.shape, connection.delay - 1)
    return DelayDense(delays=delays, max_delay=connection.delay - 1, **common)
