"""A ChipProgram -> a .net file that lava-dl's netx loads, identical in every integer: the inverse of from_net.py.

Source of the layout: lava-dl 0.6.0, lava/lib/dl/slayer/block/base.py (export_hdf5) and lava/lib/dl/netx/hdf5.py, which
knows no pooling layers: pooling is a convolution of as many groups as channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikeport.common.errors import InputError
from spikeport.common.files import write_bytes
from spikeport.common.hdf5 import check_written
from spikeport.exporter.neurons import Integers, Population, SigmaDelta
from spikeport.exporter.neurons.graded.delta import Delta
from spikeport.exporter.neurons.resonate_and_fire.rf import Resonator
from spikeport.exporter.program.chip_program import ChipProgram, ConvConnection, InputPort, SparseConnection

from .combined_weights import Matrix, kernel_of, matrix_of, weights_survive
from .layer_chain import ChainLayer, chain_of
from .neuron_fields import Fields, biases, in_netx_order, neuron_fields

QuantisedLayer = dict[str, Any]


def write_net(program: ChipProgram, path: str | Path, context: str = "program") -> None:
    """Write a program as .net; raises InputError that names the layer and what a .net file cannot represent."""
    layers = net_layers(program, context)
    # HDF5 itself cannot handle a full disk, so it writes to memory
    content = BytesIO()
    with h5py.File(content, "w") as file:
        for number, layer in enumerate(layers):
            _write(file.create_group(f"layer/{number}"), layer)
    check_written(content, str(path))
    write_bytes(path, content.getbuffer())


def net_layers(program: ChipProgram, context: str = "program") -> list[QuantisedLayer]:
    """The layers in the file's layout: arrays by name, the neuron's fields under "neuron"; raises InputError."""
    port, links = chain_of(program, context)
    layers: list[QuantisedLayer] = []
    shape = port.shape
    for depth, original in enumerate(links):
        block = depth == 0 and _is_input_block(port, original)
        chain_layer = original if block or isinstance(original.forward[0], ConvConnection) else _flat(original)
        last, wait = depth == len(links) - 1, depth + 1
        name = f"{context}: {chain_layer.population.name!r}"
        bias = biases(chain_layer.population, name)
        fields = neuron_fields(chain_layer.population, wait, last, program.widths, name)
        if block:
            layers.append(_input_block(port, chain_layer.population, fields, bias, name))
        elif isinstance(chain_layer.population, Delta) or (depth == 0 and port.scale is not None):
            raise InputError(
                f"{name}: encodes real numbers after synapses, but lava-dl does that in an input block, one number a "
                "neuron; put such a layer first"
            )
        else:
            if depth == 0 and len(shape) > 1:
                layers.append({"type": b"input", "shape": np.array(shape)})
            layers += _layer(chain_layer, shape, {"neuron": fields} | _bias(bias, chain_layer.population.shape), name)
        shape = tuple(layers[-1]["shape"])
    return layers


def _flat(chain_layer: ChainLayer) -> ChainLayer:
    """The layer with its neurons flattened, as a .net file stores dense layers."""
    return replace(chain_layer, population=replace(chain_layer.population, shape=(chain_layer.population.size,)))


def _layer(
    chain_layer: ChainLayer, before: tuple[int, ...], neurons: QuantisedLayer, context: str
) -> list[QuantisedLayer]:
    """A layer of synapses, and flattening before it if needed; neurons: their fields and biases."""
    population = chain_layer.population
    combined = kernel_of(chain_layer.forward, context)
    if combined is None:
        flat = [{"type": b"flatten", "shape": np.array([math.prod(before)])}] if len(before) > 1 else []
        return [*flat, _dense(chain_layer, math.prod(before), neurons, context)]
    kernel, geometry = combined
    if chain_layer.recurrent:
        raise InputError(f"{context}: is a recurrent convolution, but in a .net file dense layers alone are recurrent")
    if isinstance(population, Resonator):
        raise InputError(f"{context}: has resonators behind a convolution, but netx gives them dense layers alone")
    if tuple(before) != geometry.input_shape or population.shape != geometry.output_shape:
        raise InputError(
            f"{context}: is a convolution of {geometry.input_shape} behind a dense layer, whose output has no shape in "
            "a .net file; use convolutions first, dense layers behind them"
        )
    layer = {
        "type": b"conv",
        "shape": np.array(geometry.output_shape),
        "inChannels": geometry.input_shape[0],
        "outChannels": geometry.output_shape[0],
        "kernelSize": np.array(kernel.shape[2:]),
        "stride": np.array(geometry.stride),
        "padding": np.array(geometry.padding),
        "dilation": np.array(geometry.dilation),
        "groups": geometry.groups,
        "weight": kernel[..., None],
    }
    return [layer | neurons]


def _dense(chain_layer: ChainLayer, sources: int, neurons: QuantisedLayer, context: str) -> QuantisedLayer:
    population = chain_layer.population
    size = population.size
    layer: QuantisedLayer = {
        "type": b"dense_rec" if chain_layer.recurrent else b"dense",
        "shape": np.array([size]),
        "inFeatures": sources,
        "outFeatures": size,
        **neurons,
    }
    if isinstance(population, Resonator):
        if chain_layer.recurrent:
            raise InputError(f"{context}: has recurrent resonators, which netx has no layer for; leave the loop out")
        for part, port in (("real", "a_real_in"), ("imag", "a_imag_in")):
            matrix = matrix_of([c for c in chain_layer.forward if c.port == port], (size, sources), context)
            if matrix.delays is not None:
                raise InputError(f"{context}: has resonators with delays, which netx ignores; leave them out")
            layer[f"weight/{part}"] = _checked_weights([matrix.weights], context)[0]
        return layer
    forward = matrix_of(chain_layer.forward, (size, sources), context)
    loop = matrix_of(chain_layer.recurrent, (size, size), context)
    if not chain_layer.recurrent:
        (layer["weight"],) = _checked_weights([forward.weights], context)
        layer |= {} if forward.delays is None else {"delay": _delays(forward)}
    elif forward.delays is not None or loop.delays is not None:
        raise InputError(f"{context}: is recurrent and has delays, which netx scales wrongly; leave the delays out")
    else:
        layer["weight"], layer["weight_rec"] = _checked_weights([forward.weights, loop.weights], context)
    return layer


def _delays(matrix: Matrix) -> Integers:
    """One delay per target neuron if its synapses agree, else one per synapse."""
    delays = np.asarray(matrix.delays, np.int32)
    rows = delays.max(axis=1, initial=0)
    agreed = np.all((delays == rows[:, None]) | (matrix.weights == 0))
    return rows if agreed else delays


def _checked_weights(matrices: Sequence[Integers], context: str) -> Sequence[Integers]:
    if not weights_survive(matrices):
        low, high = min(int(m.min()) for m in matrices), max(int(m.max()) for m in matrices)
        raise InputError(
            f"{context}: has weights of {low} to {high} that netx would change (all 0, 255 together with negative "
            "ones, all negative down to a power of 2, odd ones below -127 without positive ones); export the .nir file "
            "instead"
        )
    return matrices


def _bias(values: Integers | None, shape: tuple[int, ...]) -> QuantisedLayer:
    if values is None:
        return {}
    if len(shape) != 3:
        return {"bias": values}
    channels = values.reshape(shape[0], -1)
    if np.all(channels == channels[:, :1]):
        return {"bias": channels[:, 0]}
    return {"bias": in_netx_order(values, shape)}


def _is_input_block(port: InputPort, chain_layer: ChainLayer) -> bool:
    """Whether the first population receives its input one to one, like lava-dl's input blocks."""
    if not isinstance(chain_layer.population, Delta) and port.scale is None:
        return False
    connection = chain_layer.forward[0] if len(chain_layer.forward) == 1 and not chain_layer.recurrent else None
    return (
        isinstance(connection, SparseConnection)
        and port.size == chain_layer.population.size
        and connection.weight_exp == 0
        and connection.longest_delay == 1
        and np.array_equal(connection.weights, np.ones(port.size))
        and np.array_equal(connection.indices, np.arange(port.size))
    )


def _input_block(
    port: InputPort, population: Population, fields: Fields, bias: Integers | None, context: str
) -> QuantisedLayer:
    weight = 1.0 if port.scale is None else port.scale
    if weight != int(weight):
        raise InputError(f"{context}: takes real numbers times {weight}, but a .net file's input weight is whole")
    shape = population.shape if len(population.shape) == 3 else (population.size,)
    layer: QuantisedLayer = {
        "type": b"input",
        "shape": np.array(shape),
        "weight": np.array([[int(weight)]]),
        "neuron": fields,
    }
    if bias is None:
        return layer
    if np.any(bias != bias[0]) or isinstance(population, SigmaDelta):
        raise InputError(f"{context}: takes the input and has several biases, but a .net file's input block has one")
    return layer | {"bias": np.array([[bias[0]]])}


def _write(group: h5py.Group, layer: QuantisedLayer) -> None:
    for name, value in _datasets(layer):
        if name == "type":
            group.create_dataset(name, (1,), "S10", [value])
        else:
            group.create_dataset(name, data=value)


def _datasets(layer: QuantisedLayer) -> Iterable[tuple[str, Any]]:
    for name, value in layer.items():
        if name == "neuron":
            yield from ((f"neuron/{key}", field) for key, field in value.items())
        else:
            yield name, value
