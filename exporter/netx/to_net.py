"""A ChipProgram -> a .net file that lava-dl's netx loads, in every integer; from_net.py the other way round.

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
from spikeport.exporter.neurons import Integers, Population, SigmaDelta
from spikeport.exporter.neurons.graded.delta import Delta
from spikeport.exporter.neurons.resonate_and_fire.rf import Resonator
from spikeport.exporter.program.chip_program import ChipProgram, ConvConnection, InputPort, SparseConnection

from .combined_weights import Matrix, kernel_of, matrix_of, survives
from .layer_chain import Link, chain_of
from .neuron_fields import Fields, biases, in_netx_order, neuron_fields

Layer = dict[str, Any]


def write_net(program: ChipProgram, path: str | Path, where: str = "program") -> None:
    """Write a program as .net; raises InputError that names the layer and what a .net file cannot say of it."""
    layers = net_layers(program, where)
    # HDF5 itself does not survive a full disk, so it writes to memory
    content = BytesIO()
    with h5py.File(content, "w") as file:
        for number, layer in enumerate(layers):
            _write(file.create_group(f"layer/{number}"), layer)
    write_bytes(path, content.getbuffer())


def net_layers(program: ChipProgram, where: str = "program") -> list[Layer]:
    """The layers as they stand in the file: arrays by name, the neuron's fields under "neuron"; raises InputError."""
    port, links = chain_of(program, where)
    layers: list[Layer] = []
    shape = port.shape
    for depth, given in enumerate(links):
        block = depth == 0 and _is_input_block(port, given)
        link = given if block or isinstance(given.forward[0], ConvConnection) else _flat(given)
        last, wait = depth == len(links) - 1, depth + 1
        name = f"{where}: {link.population.name!r}"
        bias = biases(link.population, name)
        fields = neuron_fields(link.population, wait, last, program.widths, name)
        if block:
            layers.append(_input_block(port, link.population, fields, bias, name))
        elif isinstance(link.population, Delta) or (depth == 0 and port.scale is not None):
            raise InputError(
                f"{name}: encodes real numbers behind synapses, but lava-dl does that in an input block, one number a "
                "neuron; put such a layer first"
            )
        else:
            if depth == 0 and len(shape) > 1:
                layers.append({"type": b"input", "shape": np.array(shape)})
            layers += _layer(link, shape, {"neuron": fields} | _bias(bias, link.population.shape), name)
        shape = tuple(layers[-1]["shape"])
    return layers


def _flat(link: Link) -> Link:
    """A dense layer's neurons have no axes in a .net file."""
    return replace(link, population=replace(link.population, shape=(link.population.size,)))


def _layer(link: Link, before: tuple[int, ...], neurons: Layer, where: str) -> list[Layer]:
    """A layer of synapses, and the flattening before it where that is needed; neurons: their fields and biases."""
    population = link.population
    found = kernel_of(link.forward, where)
    if found is None:
        flat = [{"type": b"flatten", "shape": np.array([math.prod(before)])}] if len(before) > 1 else []
        return [*flat, _dense(link, math.prod(before), neurons, where)]
    kernel, geometry = found
    if link.recurrent:
        raise InputError(f"{where}: is a recurrent convolution, but in a .net file dense layers alone are recurrent")
    if isinstance(population, Resonator):
        raise InputError(f"{where}: has resonators behind a convolution, but netx gives them dense layers alone")
    if tuple(before) != geometry.input_shape or population.shape != geometry.output_shape:
        raise InputError(
            f"{where}: is a convolution of {geometry.input_shape} behind a dense layer, whose output has no shape in a "
            ".net file; use convolutions first, dense layers behind them"
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


def _dense(link: Link, sources: int, neurons: Layer, where: str) -> Layer:
    population = link.population
    size = population.size
    layer: Layer = {
        "type": b"dense_rec" if link.recurrent else b"dense",
        "shape": np.array([size]),
        "inFeatures": sources,
        "outFeatures": size,
        **neurons,
    }
    if isinstance(population, Resonator):
        if link.recurrent:
            raise InputError(f"{where}: has recurrent resonators, which netx has no layer for; leave the loop out")
        for part, port in (("real", "a_real_in"), ("imag", "a_imag_in")):
            held = matrix_of([c for c in link.forward if c.port == port], (size, sources), where)
            if held.delays is not None:
                raise InputError(f"{where}: has resonators with delays, which netx leaves out; leave them out, too")
            layer[f"weight/{part}"] = _kept([held.weights], where)[0]
        return layer
    forward = matrix_of(link.forward, (size, sources), where)
    loop = matrix_of(link.recurrent, (size, size), where)
    if not link.recurrent:
        (layer["weight"],) = _kept([forward.weights], where)
        layer |= {} if forward.delays is None else {"delay": _delays(forward)}
    elif forward.delays is not None or loop.delays is not None:
        raise InputError(f"{where}: is recurrent and has delays, which netx scales wrongly; leave the delays out")
    else:
        layer["weight"], layer["weight_rec"] = _kept([forward.weights, loop.weights], where)
    return layer


def _delays(matrix: Matrix) -> Integers:
    """One delay a target neuron where its synapses agree, else one a synapse."""
    delays = np.asarray(matrix.delays, np.int32)
    rows = delays.max(axis=1, initial=0)
    agreed = np.all((delays == rows[:, None]) | (matrix.weights == 0))
    return rows if agreed else delays


def _kept(matrices: Sequence[Integers], where: str) -> Sequence[Integers]:
    if not survives(matrices):
        low, high = min(int(m.min()) for m in matrices), max(int(m.max()) for m in matrices)
        raise InputError(
            f"{where}: has weights of {low} to {high} that netx would change (all 0, 255 beside negative ones, all "
            "negative down to a power of 2, odd ones below -127 without positive ones); export the .nir file instead"
        )
    return matrices


def _bias(values: Integers | None, shape: tuple[int, ...]) -> Layer:
    if values is None:
        return {}
    if len(shape) != 3:
        return {"bias": values}
    channels = values.reshape(shape[0], -1)
    if np.all(channels == channels[:, :1]):
        return {"bias": channels[:, 0]}
    return {"bias": in_netx_order(values, shape)}


def _is_input_block(port: InputPort, link: Link) -> bool:
    """Whether the first population is fed element by element, as lava-dl's input blocks are."""
    if not isinstance(link.population, Delta) and port.scale is None:
        return False
    held = link.forward[0] if len(link.forward) == 1 and not link.recurrent else None
    return (
        isinstance(held, SparseConnection)
        and port.size == link.population.size
        and held.weight_exp == 0
        and held.longest_delay == 1
        and np.array_equal(held.weights, np.ones(port.size))
        and np.array_equal(held.indices, np.arange(port.size))
    )


def _input_block(port: InputPort, population: Population, fields: Fields, bias: Integers | None, where: str) -> Layer:
    weight = 1.0 if port.scale is None else port.scale
    if weight != int(weight):
        raise InputError(f"{where}: takes real numbers times {weight}, but a .net file's input weight is whole")
    shape = population.shape if len(population.shape) == 3 else (population.size,)
    layer: Layer = {"type": b"input", "shape": np.array(shape), "weight": np.array([[int(weight)]]), "neuron": fields}
    if bias is None:
        return layer
    if np.any(bias != bias[0]) or isinstance(population, SigmaDelta):
        raise InputError(f"{where}: takes the input and has several biases, but a .net file's input block has one")
    return layer | {"bias": np.array([[bias[0]]])}


def _write(group: h5py.Group, layer: Layer) -> None:
    for name, value in _datasets(layer):
        if name == "type":
            group.create_dataset(name, (1,), "S10", [value])
        else:
            group.create_dataset(name, data=value)


def _datasets(layer: Layer) -> Iterable[tuple[str, Any]]:
    for name, value in layer.items():
        if name == "neuron":
            yield from ((f"neuron/{key}", field) for key, field in value.items())
        else:
            yield name, value
