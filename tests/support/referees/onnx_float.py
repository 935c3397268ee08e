"""A converted ReLU network in floating point: its NIR graph with ReLUs in the place of neurons, in torch's float64."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import nir
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch.nn import functional

from spikeport.exporter.onnx.relu_network import ReluNetwork, open_network


def opened(proto: onnx.ModelProto) -> ReluNetwork:
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(proto, str(Path(folder) / "m.onnx"))
        return open_network(Path(folder) / "m.onnx")


def as_the_end(network: ReluNetwork, found: NDArray[Any]) -> NDArray[Any]:
    """What was computed, after the softmax, sigmoid or argmax that was left out."""
    flat = found.reshape(len(found), -1)
    for note in network.notes:
        kind = note.removeprefix(f"{network.context}: ").split(" ")[0]
        if kind in ("Softmax", "LogSoftmax"):
            flat = flat - flat.max(axis=1, keepdims=True)
            logs = flat - np.log(np.exp(flat).sum(axis=1, keepdims=True))
            flat = logs if kind == "LogSoftmax" else np.exp(logs)
        elif kind == "Sigmoid":
            flat = 1 / (1 + np.exp(-(flat[:, 1:] if "-z and z" in note else flat)))
        elif kind == "ArgMax":
            flat = flat.argmax(axis=1)[:, None]
    return flat.reshape(found.shape) if flat.size == found.size else flat


def as_samples(network: ReluNetwork, x: NDArray[Any]) -> NDArray[Any]:
    """The model's input as samples (N, *shape): all of it is one sample where the model has no batch."""
    return x if network.entry.batched else x.reshape(1, *network.shape)


def relu_answers(network: ReluNetwork, x: NDArray[Any], thresholds: dict[str, float] | None = None) -> NDArray[Any]:
    """What reaches the graph's output for x (N, *input shape), a neuron putting out min(ReLU, ceiling) / threshold."""
    graph = network.to_nir(thresholds or {})
    ceilings = {relu.node: relu.ceiling for relu in network.relus}
    sources: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for source, target in graph.edges:
        sources[target].append(source)
    found: dict[str, torch.Tensor] = {}

    def value(name: str) -> torch.Tensor:
        if name not in found:
            node = graph.nodes[name]
            if isinstance(node, nir.Input):
                entry = network.entry
                arranged = entry.arranged(np.asarray(x)).reshape(len(x), *entry.network_shape)
                found[name] = torch.from_numpy(np.asarray(arranged, np.float64))
            else:
                parts = [value(source) for source in sources[name]]
                # a matrix puts out one axis, also where it stands for an image
                shape = max((part.shape for part in parts), key=len)
                shape = (shape[0], *node.v_threshold.shape) if isinstance(node, nir.IF) else shape
                parts = [part.reshape(shape) for part in parts]
                found[name] = _put_out(node, torch.stack(parts).sum(0), ceilings.get(name))
        return found[name]

    (end,) = (name for name, node in graph.nodes.items() if isinstance(node, nir.Output))
    return value(end).numpy()


def _put_out(node: nir.NIRNode, arriving: torch.Tensor, ceiling: float | None) -> torch.Tensor:
    held = {
        key: torch.from_numpy(np.array(v, np.float64)) for key, v in vars(node).items() if key in ("weight", "bias")
    }
    if isinstance(node, nir.Affine):
        return functional.linear(arriving, held["weight"], held["bias"])
    if isinstance(node, nir.Conv2d):
        geometry = (node.stride, node.padding, node.dilation, node.groups)
        return functional.conv2d(arriving, held["weight"], held["bias"], *geometry)
    if isinstance(node, nir.AvgPool2d):
        return functional.avg_pool2d(arriving, tuple(node.kernel_size.tolist()), tuple(node.stride.tolist()))
    if isinstance(node, nir.Flatten):
        return arriving.flatten(1)
    if isinstance(node, nir.Scale):
        scale = torch.from_numpy(np.asarray(node.scale))
        return arriving.reshape(len(arriving), *scale.shape) * scale
    if isinstance(node, nir.IF):
        assert ceiling is not None
        return arriving.clamp(0, ceiling) / torch.from_numpy(node.v_threshold)
    assert isinstance(node, (nir.I, nir.Output)), node
    return arriving.reshape(len(arriving), *node.r.shape) if isinstance(node, nir.I) else arriving
