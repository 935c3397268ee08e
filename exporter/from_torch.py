"""Trained network -> NIR graph, forward Euler in reverse: du = dt/tau_syn, dv = dt/tau_mem, every gain 1.

    layer without synaptic filter (du = 1):  Affine or Conv2d with bias -> LIF      tau = dt/dv, r = 1/dv
    layer with one:                          Linear or Conv2d -> CubaLIF            tau_syn = dt/du, w_in = 1/du,
                                             the bias, which acts on v, as v_leak = bias/dv

Units are seconds; the time step stands in the graph's metadata as `dt`. Numbers are float32, as other frameworks expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from hardware_profiles.errors import InputError
from trainer.effective import EffectiveLayer

Floats = NDArray[np.float32]


def to_nir(layers: Sequence[EffectiveLayer], input_shape: tuple[int, ...], dt: float) -> nir.NIRGraph:
    """The graph input -> synapse -> neuron -> ... -> output; raises InputError for a layer NIR cannot say."""
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(input_type={"input": np.array(input_shape)})}
    chain = ["input"]
    shape = input_shape
    for layer in layers:
        if layer.flatten_before:
            nodes[f"{layer.name}_flatten"] = nir.Flatten({"input": np.array(shape)}, start_dim=0, end_dim=-1)
            chain.append(f"{layer.name}_flatten")
        filtered = bool(np.any(layer.du < 1))
        nodes[f"{layer.name}_synapse"] = _synapse(layer, shape, with_bias=not filtered)
        nodes[layer.name] = _cuba_lif(layer, dt) if filtered else _lif(layer, dt)
        chain += [f"{layer.name}_synapse", layer.name]
        shape = layer.output_shape
    nodes["output"] = nir.Output(output_type={"output": np.array(shape)})
    chain.append("output")
    edges = list(zip(chain, chain[1:], strict=False))
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt": dt})


def _synapse(layer: EffectiveLayer, shape: tuple[int, ...], with_bias: bool) -> nir.NIRNode:
    weight = layer.weight.astype(np.float32)
    bias = (layer.bias if with_bias else np.zeros_like(layer.bias)).astype(np.float32)
    if layer.kind == "conv":
        return nir.Conv2d(
            input_shape=(shape[1], shape[2]),
            weight=weight,
            stride=layer.stride,
            padding=layer.padding,
            dilation=layer.dilation,
            groups=layer.groups,
            bias=bias,
        )
    return nir.Affine(weight=weight, bias=bias) if with_bias else nir.Linear(weight=weight)


def _lif(layer: EffectiveLayer, dt: float) -> nir.LIF:
    dv = _voltage_decay(layer)
    return nir.LIF(
        tau=_each(dt / dv, layer),
        r=_each(1 / dv, layer),
        v_leak=_each(0.0, layer),
        v_threshold=_each(layer.vth, layer),
        v_reset=_each(0.0, layer),
    )


def _cuba_lif(layer: EffectiveLayer, dt: float) -> nir.CubaLIF:
    dv = _voltage_decay(layer)
    bias = layer.bias.reshape(-1, 1, 1) if layer.kind == "conv" else layer.bias
    return nir.CubaLIF(
        tau_syn=_each(dt / layer.du, layer),
        tau_mem=_each(dt / dv, layer),
        r=_each(1 / dv, layer),
        v_leak=_each(bias / dv, layer),
        v_threshold=_each(layer.vth, layer),
        v_reset=_each(0.0, layer),
        w_in=_each(1 / layer.du, layer),
    )


def _voltage_decay(layer: EffectiveLayer) -> NDArray[np.float64]:
    if np.any(layer.dv <= 0):
        raise InputError(f"{layer.name}: dv is 0, a time constant without end that LIF cannot say; train with dv > 0")
    return layer.dv


def _each(values: Any, layer: EffectiveLayer) -> Floats:
    return np.broadcast_to(np.asarray(values, np.float32), layer.output_shape).copy()
