"""Trained network -> NIR graph, forward Euler in reverse: du = dt/tau_syn, dv = dt/tau_mem.

    layer without synaptic filter (du = 1):  Affine or Conv2d, weights and bias times 1/dv -> LIF    tau = dt/dv, r = 1
    neither filter nor leak (dv = 0):        Affine or Conv2d -> IF    r = 1
    layer with a filter:                     Linear or Conv2d, weights times 1/(du dv) -> CubaLIF    r = w_in = 1,
                                             the bias, which acts on v, as v_leak = bias/dv

Several synapses may lead to a neuron, including a recurrent one, whose spikes arrive a step later; and a synapse may
sum the spikes of several layers. Gains are part of the weights because several frameworks ignore r and w_in; where
decays differ between neurons, gains are r = 1/dv and w_in = 1/du, so that all weights of a layer keep one scale. Units
are seconds; the time step is the graph's metadata `dt`. Numbers are float32, as other frameworks expect. A neuron
trained in the chip's integers has its integer threshold as metadata `vth`, in integers of another kind than Loihi's
`registers_NAME`; a readout, which sends its voltage and is
I, LI or CubaLI, has `scale` and `shift`. Where the layers' bits differ, each neuron has those of its weights as
`weight_bits`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, naming
from spikeport.exporter.nir_graph.graph_checks import REGISTERS
from spikeport.trainer.network.inference_layers import Geometry, InferenceJoin, InferenceLayer
from spikeport.trainer.network.spiking_network import SpikingNetwork

Floats = NDArray[np.float32]
# whole numbers of spikes are above it, or there is none
ANY_SPIKE = 0.5


@dataclass(frozen=True)
class _Gains:
    """The factor 1/(du dv) of a layer, split between weights, r and w_in."""

    weight: float
    r: NDArray[np.float64]
    w_in: NDArray[np.float64]


def network_to_nir(network: SpikingNetwork) -> nir.NIRGraph:
    """The graph of a trained network in eval mode; raises InputError for what NIR cannot represent."""
    # its file may come from anywhere, with finite numbers that no layer of the chip has
    with naming("the trained network", "train again"):
        layers, joins = network.inference_layers(), network.inference_joins()
        return to_nir(layers, network.input_shape, network.dt, joins, network.payload, network.has_chosen_bits)


def to_nir(
    layers: Sequence[InferenceLayer],
    input_shape: tuple[int, ...],
    dt: float,
    joins: Sequence[InferenceJoin] = (),
    payload: int = 1,
    records_bits: bool = False,
) -> nir.NIRGraph:
    """The graph of layers and joins by name, from "input" to "output"; raises InputError for what NIR cannot represent.

    A layer NAME reads its sources through NAME_pool and NAME_flatten, if it has them, and NAME_synapse. It may also
    have NAME_recurrent, which reads the layer itself, and NAME_shortcut. payload: the largest input integer, by which
    the weights that read the input are divided; if above 1 it is stored in the input's metadata. Learned delays of
    inputs are a node NAME_delay before the synapse; those of synapses make several synapses, NAME_synapse for those
    without a delay and NAME_synapse_K, after NAME_delay_K, for those of K steps. A join is a Threshold without memory:
    "and" is x + a > 1.5, "iand" x - a > 0.5. So is the maximum of spikes, NAME_pool: a sum over the window above 0.5.
    records_bits: also record the bits of the layers' weights where all have the same.
    """
    shapes = {"input": input_shape} | {n.name: n.output_shape for n in layers} | {n.name: n.output_shape for n in joins}
    metadata = {"payload": payload} if payload > 1 else {}
    graph = _Graph(
        {"input": nir.Input(input_type={"input": np.array(input_shape)}, metadata=metadata)}, [], dt, payload
    )
    differ = records_bits or len({layer.weight_bits for layer in layers}) > 1
    for layer in layers:
        _add_layer(graph, layer, shapes, dt)
        if differ:
            graph.nodes[layer.name].metadata["weight_bits"] = layer.weight_bits
    for join in joins:
        _add_join(graph, join)
    graph.add("output", nir.Output(output_type={"output": np.array(layers[-1].output_shape)}), layers[-1].name)
    return nir.NIRGraph(nodes=graph.nodes, edges=graph.edges, metadata={"dt": dt})


@dataclass(frozen=True)
class _Graph:
    """Nodes and edges while they are added; dt in seconds; payload: the largest input integer."""

    nodes: dict[str, nir.NIRNode]
    edges: list[tuple[str, str]]
    dt: float
    payload: int

    def add(self, name: str, node: nir.NIRNode, *reads: str) -> str:
        """Add a node and the edges from what it reads, which may be added later; returns its name."""
        self.nodes[name] = node
        self.edges.extend((read, name) for read in reads)
        return name


def _add_layer(graph: _Graph, layer: InferenceLayer, shapes: Mapping[str, tuple[int, ...]], dt: float) -> None:
    filtered = bool(np.any(layer.current_decay < 1))
    gain = _gains(layer).weight
    bias = None if filtered else (layer.bias * gain).astype(np.float32)
    reads = _add_synapse(graph, "synapse", layer, layer.weight * gain, bias, shapes, layer.delays)
    if layer.shortcut is not None:
        reads += _add_synapse(graph, "shortcut", layer.shortcut, layer.shortcut.weight * gain, None, shapes)
    if layer.recurrent is not None:
        weight = (layer.recurrent * gain).astype(np.float32)
        reads.append(graph.add(f"{layer.name}_recurrent", nir.Linear(weight=weight), layer.name))
    if layer.readout:
        graph.add(layer.name, _integrators(layer, dt), *reads)
        return
    graph.add(layer.name, _cuba_lif(layer, dt) if filtered else _lif(layer, dt), *reads)


def _add_synapse(
    graph: _Graph,
    role: str,
    layer: Geometry,
    weight: NDArray[np.float64],
    bias: Floats | None,
    shapes: Mapping[str, tuple[int, ...]],
    delays: NDArray[np.int64] | None = None,
) -> list[str]:
    """Add pooling, flattening, delays (each if needed) and the synapse; returns the nodes that the neurons read."""
    prefix = layer.name if role == "synapse" else f"{layer.name}_{role}"
    reads, shape = list(layer.sources), shapes[layer.sources[0]]
    if layer.pool > 1:
        shape = (shape[0], shape[1] // layer.pool, shape[2] // layer.pool)
        reads = [_add_pool(graph, f"{prefix}_pool", layer, reads, shape)]
    if layer.flatten_before:
        flatten = nir.Flatten({"input": np.array(shape)}, start_dim=0, end_dim=-1)
        reads = [graph.add(f"{prefix}_flatten", flatten, *reads)]
        shape = (math.prod(shape),)
    weight = weight / graph.payload if "input" in layer.sources else weight
    name, weight_float32 = f"{layer.name}_{role}", weight.astype(np.float32)
    if delays is not None and delays.ndim == 1:
        late = nir.Delay(delay=(delays * graph.dt).astype(np.float32))
        reads = [graph.add(f"{prefix}_delay", late, *reads)] if np.any(delays) else reads
    if delays is None or delays.ndim == 1:
        return [graph.add(name, _synapse(layer, shape, weight_float32, bias), *reads)]
    names = []
    for steps in np.unique(delays).tolist():
        part = _synapse(layer, shape, np.where(delays == steps, weight_float32, 0), bias if steps == 0 else None)
        if steps == 0:
            names.append(graph.add(name, part, *reads))
            continue
        late = nir.Delay(delay=np.full(shape, steps * graph.dt, np.float32))
        delayed = graph.add(f"{prefix}_delay_{steps}", late, *reads)
        names.append(graph.add(f"{name}_{steps}", part, delayed))
    return names


def _add_pool(graph: _Graph, name: str, layer: Geometry, reads: list[str], shape: tuple[int, ...]) -> str:
    """Add pooling with outputs of this shape; returns the node that has them."""
    size, none = np.array([layer.pool, layer.pool]), np.array([0, 0])
    if layer.pool_kind == "average":
        return graph.add(name, nir.AvgPool2d(size, size, none), *reads)
    summed = graph.add(f"{name}_sum", nir.SumPool2d(size, size, none), *reads)
    return graph.add(name, nir.Threshold(np.full(shape, ANY_SPIKE, np.float32)), summed)


def _add_join(graph: _Graph, join: InferenceJoin) -> None:
    a = join.a
    if join.kind == "iand":
        scale = nir.Scale(scale=np.full(join.output_shape, -1, np.float32))
        a = graph.add(f"{join.name}_not", scale, join.a)
    threshold = np.full(join.output_shape, 1.5 if join.kind == "and" else 0.5, np.float32)
    graph.add(join.name, nir.Threshold(threshold=threshold), join.x, a)


def _synapse(layer: Geometry, shape: tuple[int, ...], weight: Floats, bias: Floats | None) -> nir.NIRNode:
    if layer.kind == "conv":
        if weight.shape[2] != weight.shape[3]:
            raise InputError(f"{layer.name}: its kernel is {weight.shape[2:]}, but nir reads square ones only; use one")
        return nir.Conv2d(
            input_shape=(shape[1], shape[2]),
            weight=_ungrouped(weight, layer.groups),
            stride=layer.stride,
            padding=layer.padding,
            dilation=layer.dilation,
            groups=1,
            bias=np.zeros(len(weight), np.float32) if bias is None else bias,
        )
    return nir.Linear(weight=weight) if bias is None else nir.Affine(weight=weight, bias=bias)


def _ungrouped(weight: Floats, groups: int) -> Floats:
    """The kernel over all channels, zero between groups: nir 1.0.8 cannot read a grouped convolution back."""
    out, channels = weight.shape[:2]
    full = np.zeros((out, channels * groups, *weight.shape[2:]), np.float32)
    for group in range(groups):
        rows = slice(group * out // groups, (group + 1) * out // groups)
        full[rows, group * channels : (group + 1) * channels] = weight[rows]
    return full


def _gains(layer: InferenceLayer) -> _Gains:
    if _integrates(layer):
        return _Gains(1.0, np.ones(()), np.ones(()))
    dv, du = _voltage_decay(layer), layer.current_decay
    if np.all(dv == dv.flat[0]) and np.all(du == du.flat[0]):
        return _Gains(float(1 / (dv.flat[0] * du.flat[0])), np.ones(()), np.ones(()))
    return _Gains(1.0, 1 / dv, 1 / du)


def _integrates(layer: InferenceLayer) -> bool:
    """Whether its neurons neither filter nor leak: NIR's IF."""
    return bool(np.all(layer.current_decay == 1) and np.all(layer.voltage_decay == 0))


def _lif(layer: InferenceLayer, dt: float) -> nir.LIF | nir.IF:
    if _integrates(layer):
        return nir.IF(
            r=_per_neuron(1.0, layer),
            v_threshold=_per_neuron(layer.threshold, layer),
            v_reset=_per_neuron(0.0, layer),
            metadata=_metadata(layer),
        )
    return nir.LIF(
        tau=_per_neuron(dt / _voltage_decay(layer), layer),
        r=_per_neuron(_gains(layer).r, layer),
        v_leak=_per_neuron(0.0, layer),
        v_threshold=_per_neuron(layer.threshold, layer),
        v_reset=_per_neuron(0.0, layer),
        metadata=_metadata(layer),
    )


def _cuba_lif(layer: InferenceLayer, dt: float) -> nir.CubaLIF:
    dv = _voltage_decay(layer)
    bias = layer.bias.reshape(-1, 1, 1) if layer.kind == "conv" else layer.bias
    gains = _gains(layer)
    return nir.CubaLIF(
        tau_syn=_per_neuron(dt / layer.current_decay, layer),
        tau_mem=_per_neuron(dt / dv, layer),
        r=_per_neuron(gains.r, layer),
        v_leak=_per_neuron(bias / dv, layer),
        v_threshold=_per_neuron(layer.threshold, layer),
        v_reset=_per_neuron(0.0, layer),
        w_in=_per_neuron(gains.w_in, layer),
        metadata=_metadata(layer),
    )


def _integrators(layer: InferenceLayer, dt: float) -> nir.I | nir.LI | nir.CubaLI:
    """Neurons that send their voltage, with the scale of training as metadata."""
    metadata = {} if layer.chip_scale is None else {"scale": layer.chip_scale, "shift": 0}
    r = _per_neuron(1.0 if _integrates(layer) else _gains(layer).r, layer)
    if _integrates(layer):
        return nir.I(r=r, metadata=metadata)
    dv = _voltage_decay(layer)
    common = {"r": r, "metadata": metadata}
    tau = _per_neuron(dt / dv, layer)
    if not np.any(layer.current_decay < 1):
        return nir.LI(tau=tau, v_leak=_per_neuron(0.0, layer), **common)
    return nir.CubaLI(
        tau_mem=tau,
        tau_syn=_per_neuron(dt / layer.current_decay, layer),
        v_leak=_per_neuron(layer.bias / dv, layer),
        w_in=_per_neuron(_gains(layer).w_in, layer),
        **common,
    )


def _voltage_decay(layer: InferenceLayer) -> NDArray[np.float64]:
    if np.any(layer.voltage_decay <= 0):
        raise InputError(
            f"{layer.name}: dv is 0, an infinite time constant, which LIF cannot represent; train with dv > 0"
        )
    return layer.voltage_decay


def _metadata(layer: InferenceLayer) -> dict[str, Any]:
    """The chip's word for the largest threshold, or its registers, so that the compiler uses the scale of training."""
    registers = {REGISTERS + name: values for name, values in layer.registers.items()}
    return registers if layer.chip_vth is None else {"vth": layer.chip_vth}


def _per_neuron(values: Any, layer: InferenceLayer) -> Floats:
    return np.broadcast_to(np.asarray(values, np.float32), layer.output_shape).copy()
