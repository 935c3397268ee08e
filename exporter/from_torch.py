"""Trained network -> NIR graph, forward Euler in reverse: du = dt/tau_syn, dv = dt/tau_mem.

    layer without synaptic filter (du = 1):  Affine or Conv2d, weights and bias times 1/dv -> LIF    tau = dt/dv, r = 1
    layer with one:                          Linear or Conv2d, weights times 1/(du dv) -> CubaLIF    r = w_in = 1,
                                             the bias, which acts on v, as v_leak = bias/dv

Gains stand in the weights because several frameworks leave r and w_in unread; where decays differ from neuron to neuron
they stand in r = 1/dv and w_in = 1/du, so that all weights of a layer keep one scale. Units are seconds; the time step
stands in the graph's metadata as `dt`. Numbers are float32, as other frameworks expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from hardware_profiles.errors import InputError
from trainer.effective import EffectiveLayer

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class _Gains:
    """Where the factor 1/(du dv) of a layer stands."""

    weight: float
    r: NDArray[np.float64]
    w_in: NDArray[np.float64]


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
        nodes[f"{layer.name}_synapse"] = _synapse(layer, shape, filtered)
        nodes[layer.name] = _cuba_lif(layer, dt) if filtered else _lif(layer, dt)
        chain += [f"{layer.name}_synapse", layer.name]
        shape = layer.output_shape
    nodes["output"] = nir.Output(output_type={"output": np.array(shape)})
    chain.append("output")
    edges = list(pairwise(chain))
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt": dt})


def _synapse(layer: EffectiveLayer, shape: tuple[int, ...], filtered: bool) -> nir.NIRNode:
    gain = _gains(layer).weight
    weight = (layer.weight * gain).astype(np.float32)
    bias = (layer.bias * gain * (not filtered)).astype(np.float32)
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
            bias=bias,
        )
    return nir.Linear(weight=weight) if filtered else nir.Affine(weight=weight, bias=bias)


def _ungrouped(weight: Floats, groups: int) -> Floats:
    """The kernel over all channels, zero between groups: nir 1.0.8 cannot read a grouped convolution back."""
    out, channels = weight.shape[:2]
    whole = np.zeros((out, channels * groups, *weight.shape[2:]), np.float32)
    for group in range(groups):
        rows = slice(group * out // groups, (group + 1) * out // groups)
        whole[rows, group * channels : (group + 1) * channels] = weight[rows]
    return whole


def _gains(layer: EffectiveLayer) -> _Gains:
    dv, du = _voltage_decay(layer), layer.du
    if np.all(dv == dv.flat[0]) and np.all(du == du.flat[0]):
        return _Gains(float(1 / (dv.flat[0] * du.flat[0])), np.ones(()), np.ones(()))
    return _Gains(1.0, 1 / dv, 1 / du)


def _lif(layer: EffectiveLayer, dt: float) -> nir.LIF:
    return nir.LIF(
        tau=_each(dt / _voltage_decay(layer), layer),
        r=_each(_gains(layer).r, layer),
        v_leak=_each(0.0, layer),
        v_threshold=_each(layer.vth, layer),
        v_reset=_each(0.0, layer),
    )


def _cuba_lif(layer: EffectiveLayer, dt: float) -> nir.CubaLIF:
    dv = _voltage_decay(layer)
    bias = layer.bias.reshape(-1, 1, 1) if layer.kind == "conv" else layer.bias
    gains = _gains(layer)
    return nir.CubaLIF(
        tau_syn=_each(dt / layer.du, layer),
        tau_mem=_each(dt / dv, layer),
        r=_each(gains.r, layer),
        v_leak=_each(bias / dv, layer),
        v_threshold=_each(layer.vth, layer),
        v_reset=_each(0.0, layer),
        w_in=_each(gains.w_in, layer),
    )


def _voltage_decay(layer: EffectiveLayer) -> NDArray[np.float64]:
    if np.any(layer.dv <= 0):
        raise InputError(f"{layer.name}: dv is 0, a time constant without end that LIF cannot say; train with dv > 0")
    return layer.dv


def _each(values: Any, layer: EffectiveLayer) -> Floats:
    return np.broadcast_to(np.asarray(values, np.float32), layer.output_shape).copy()
