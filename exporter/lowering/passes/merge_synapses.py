"""Pass: consecutive synapses merge into one, such as batch normalisation after a convolution.

    W2 (W1 x + b1) + b2  =  (W2 W1) x + (W2 b1 + b2)

Two matrices always merge; two convolutions if one of them is 1x1 (but not a padded one after a biased 1x1: the padding
has no bias); a convolution and a diagonal matrix if that is uniform within each channel. Others stay, and lowering
makes a matrix of them.
"""

from __future__ import annotations

import nir
import numpy as np

from spikeport.exporter.float_network.float_network import Floats
from spikeport.exporter.nir_graph.graph_checks import SYNAPSES, bias_of, pair
from spikeport.exporter.nir_graph.shapes import Shape, output_shapes

from .rewrite import Rewrite, without_bias


def merge_synapses(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph with fewer synapses that read synapses."""
    rewrite, shapes = Rewrite(graph), output_shapes(graph)
    for name in graph.nodes:
        # a merged synapse may read a synapse again: merge each into those after it, whatever the order
        node = rewrite.nodes[name]
        if isinstance(node, SYNAPSES) and name in shapes:
            for target in [t for t in rewrite.after(name) if isinstance(rewrite.nodes[t], SYNAPSES) and t != name]:
                _merge(rewrite, name, target, shapes)
            if not rewrite.after(name):
                rewrite.remove(name)
    return rewrite.graph()


def _merge(rewrite: Rewrite, name: str, target: str, shapes: dict[str, Shape]) -> None:
    """Merge a synapse into the one after it; if that also reads others, into a parallel copy without bias."""
    first, second, alone = rewrite.nodes[name], rewrite.nodes[target], rewrite.before(target) == [name]
    merged = _composed(first, second if alone else without_bias(second), shapes[name])
    if merged is None:
        return
    into = target
    if alone:
        rewrite.nodes[target] = merged
    else:
        into = rewrite.add(f"{target}.{name}", merged)
        rewrite.edges += [(into, successor) for successor in rewrite.after(target)]
        if target in shapes:
            shapes[into] = shapes[target]
    rewrite.edges.remove((name, target))
    rewrite.edges += [(source, into) for source in rewrite.before(name)]


def _composed(first: nir.NIRNode, second: nir.NIRNode, middle: Shape) -> nir.NIRNode | None:
    """second(first(x)) as one node, None if there is none; middle: the output shape of the first."""
    weight = np.asarray(second.weight, np.float64)
    if isinstance(second, nir.Conv2d):
        return _conv_after(first, second) if isinstance(first, nir.Conv2d) else None
    if weight.ndim != 2 or weight.shape[1] != int(np.prod(middle)):
        return None
    bias = weight @ bias_of(first, middle) + bias_of(second, (len(weight),))
    if not isinstance(first, nir.Conv2d):
        return nir.Affine(weight @ np.asarray(first.weight, np.float64), bias) if np.ndim(first.weight) == 2 else None
    return _normalised(first, weight, bias_of(second, (len(weight),)))


def _normalised(conv: nir.Conv2d, weight: Floats, bias: Floats) -> nir.Conv2d | None:
    """A diagonal matrix after a convolution, such as batch normalisation: one factor and one bias per channel."""
    scale = np.diagonal(weight)
    if weight.shape[0] != weight.shape[1] or np.count_nonzero(weight) != np.count_nonzero(scale):
        return None
    factors, biases = (values.reshape(len(conv.weight), -1) for values in (scale, bias))
    if np.any(factors != factors[:, :1]) or np.any(biases != biases[:, :1]):
        return None
    kernel = np.asarray(conv.weight, np.float64) * factors[:, :1, None, None]
    merged = np.asarray(conv.bias, np.float64) * factors[:, 0] + biases[:, 0]
    return _like(conv, kernel, int(conv.groups), merged, pair(conv.stride))


def _conv_after(first: nir.Conv2d, second: nir.Conv2d) -> nir.Conv2d | None:
    if isinstance(first.padding, str) or isinstance(second.padding, str):
        return None
    k1, k2 = (_ungrouped(conv) for conv in (first, second))
    b1, b2 = (np.asarray(conv.bias, np.float64) for conv in (first, second))
    if k1 is None or k2 is None or k2.shape[1] != len(k1):
        return None
    bias = np.einsum("omyx,m->o", k2, b1) + b2
    stride = tuple(a * b for a, b in zip(pair(first.stride), pair(second.stride), strict=True))
    groups = max(int(first.groups), int(second.groups))
    if k2.shape[2:] == (1, 1) and pair(second.padding) == (0, 0):
        kernel, groups = _grouped(np.einsum("om,mcyx->ocyx", k2[:, :, 0, 0], k1), groups)
        return _like(first, kernel, groups, bias, (stride[0], stride[1]))
    bare = pair(second.padding) == (0, 0) or not np.any(b1)
    if k1.shape[2:] == (1, 1) and pair(first.padding) == (0, 0) and pair(first.stride) == (1, 1) and bare:
        kernel, groups = _grouped(np.einsum("omyx,mc->ocyx", k2, k1[:, :, 0, 0]), groups)
        return _like(second, kernel, groups, bias, (stride[0], stride[1]), first.input_shape)
    return None


def _like(
    conv: nir.Conv2d, kernel: Floats, groups: int, bias: Floats, stride: tuple[int, int], shape: object = None
) -> nir.Conv2d:
    """A convolution with another kernel, bias and stride."""
    grouped: nir.Conv2d = nir.Conv2d(
        conv.input_shape if shape is None else shape,
        kernel,
        stride,
        pair(conv.padding),
        pair(conv.dilation),
        groups,
        bias,
    )
    return grouped


def _grouped(kernel: Floats, groups: int) -> tuple[Floats, int]:
    """The kernel in groups again if none reads another one's channels, else unchanged."""
    if len(kernel) % groups or kernel.shape[1] % groups:
        return kernel, 1
    parts = kernel.reshape(groups, len(kernel) // groups, groups, kernel.shape[1] // groups, *kernel.shape[2:])
    own = np.stack([parts[g, :, g] for g in range(groups)]).reshape(len(kernel), -1, *kernel.shape[2:])
    return (own, groups) if np.count_nonzero(own) == np.count_nonzero(kernel) else (kernel, 1)


def _ungrouped(conv: nir.Conv2d) -> Floats | None:
    """The kernel over all channels, zero between groups."""
    weight, groups = np.asarray(conv.weight, np.float64), int(conv.groups)
    if weight.ndim != 4 or groups < 1 or len(weight) % groups:
        return None
    out, channels = len(weight) // groups, weight.shape[1]
    full = np.zeros((len(weight), channels * groups, *weight.shape[2:]))
    for group in range(groups):
        rows = slice(group * out, (group + 1) * out)
        full[rows, group * channels : (group + 1) * channels] = weight[rows]
    return full
