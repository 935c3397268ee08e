"""The fixed-point contract and NIR's equations once more, as plainly as they read: what the code is held against."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.float_network.float_network import FloatNetwork
from spikeport.exporter.neurons import RegularReset
from spikeport.exporter.nir_graph.graph_checks import NEURONS, predecessors, shape_of
from spikeport.exporter.program.chip_program import ChipProgram, Connection, ConvConnection, SparseConnection

Floats = NDArray[np.float64]
STATE_LIMIT = 1 << 23


def wrap(values: Any, bits: int) -> Any:
    """The low `bits` bits as a signed number."""
    half = 1 << (bits - 1)
    return (values + half) % (1 << bits) - half


def toward_zero(state: NDArray[np.int64], decay: NDArray[np.int64]) -> NDArray[np.int64]:
    """state * (4096 - decay) / 4096, rounded toward zero."""
    return np.sign(state) * (np.abs(state) * (4096 - decay) // 4096)


def synapse_list(connection: Connection) -> list[tuple[int, int, int]]:
    """Every synapse as (source element, target element, weight), found by walking over the kernel's places."""
    w = connection.weights
    if isinstance(connection, SparseConnection):
        rows = zip(range(len(connection.indptr) - 1), connection.indptr[:-1], connection.indptr[1:], strict=True)
        return [(int(connection.indices[n]), o, int(w[n])) for o, begin, end in rows for n in range(begin, end)]
    if not isinstance(connection, ConvConnection):
        return [(i, o, int(w[o, i])) for o in range(w.shape[0]) for i in range(w.shape[1])]
    _, height, width = connection.input_shape
    out, rows, columns = connection.output_shape
    found = []
    for o, y, x, c, ky, kx in np.ndindex(out, rows, columns, *w.shape[1:]):
        channel = o // (out // connection.groups) * w.shape[1] + c
        row = y * connection.stride[0] - connection.padding[0] + ky * connection.dilation[0]
        column = x * connection.stride[1] - connection.padding[1] + kx * connection.dilation[1]
        if 0 <= row < height and 0 <= column < width:
            source = (channel * height + row) * width + column
            found.append((source, (o * rows + y) * columns + x, int(w[o, c, ky, kx])))
    return found


def matrix(connection: Connection, program: ChipProgram) -> NDArray[np.int64]:
    """The same as one matrix (target size, source size)."""
    dense = np.zeros((program.source_size(connection.target), program.source_size(connection.source)), np.int64)
    for source, target, weight in synapse_list(connection):
        dense[target, source] += weight
    return dense


def arriving(connection: Connection, weights: NDArray[np.int64], sent: NDArray[np.int64]) -> NDArray[np.int64]:
    """What one connection adds to `a`, 32 bit; a negative exponent shifts right, a convolution keeps 24 bit."""
    total = weights @ sent
    exponent = connection.weight_exp
    total = wrap(total << exponent if exponent >= 0 else total >> -exponent, 32)
    return wrap(total, 24) if isinstance(connection, ConvConnection) else total


def chip(program: ChipProgram, x: NDArray[Any], steps: int) -> dict[str, NDArray[np.int64]]:
    """One sample through the chip: s/NAME, u/NAME and v/NAME, (steps, size); x is (input steps, *shape)."""
    size = {p.name: p.size for p in program.populations}
    u = {name: np.zeros(n, np.int64) for name, n in size.items()}
    v = {p.name: p.v_initial.astype(np.int64) for p in program.populations}
    weights = [matrix(c, program) for c in program.connections]
    sent: dict[str, list[NDArray[np.int64]]] = {name: [] for name in (program.inputs[0].name, *size)}
    kept: dict[str, list[NDArray[np.int64]]] = {f"{letter}/{name}": [] for letter in "suv" for name in size}
    for step in range(steps):
        for p in program.populations:
            if isinstance(p, RegularReset):
                due = (step + 1 - p.reset_offset) % p.reset_interval == 0
                u[p.name], v[p.name] = (np.where(due, 0, state[p.name]) for state in (u, v))
            a = np.zeros(p.size, np.int64)
            for connection, w in zip(program.connections, weights, strict=True):
                if connection.target == p.name and step >= connection.delay:
                    a = wrap(a + arriving(connection, w, sent[connection.source][step - connection.delay]), 32)
            current = wrap(toward_zero(u[p.name], p.du.astype(np.int64) + 1) + wrap(a << 6, 32), 32)
            # one wrap only: a larger sum leaves 24 bit, as it does in the referee
            current = np.where(current > STATE_LIMIT, current - 2 * STATE_LIMIT,
                               np.where(current <= -STATE_LIMIT, current + 2 * STATE_LIMIT, current))  # fmt: skip
            voltage = wrap(toward_zero(v[p.name], p.dv.astype(np.int64)) + current + p.bias, 32)
            voltage = np.clip(voltage, 1 - STATE_LIMIT, STATE_LIMIT - 1)
            spikes = voltage > p.vth.astype(np.int64) * 64
            u[p.name], v[p.name] = current, np.where(spikes, 0, voltage)
            for letter, values in (("s", spikes.astype(np.int64)), ("u", u[p.name]), ("v", v[p.name])):
                kept[f"{letter}/{p.name}"].append(values)
        for name in size:
            sent[name].append(kept[f"s/{name}"][-1])
        entered = x[step] if step < len(x) else np.zeros_like(x[0])
        sent[program.inputs[0].name].append(entered.reshape(-1).astype(np.int64))
    return {name: np.array(values) for name, values in kept.items()}


def correlate(image: Floats, node: Any, shape: tuple[int, ...], weights: Floats) -> Floats:
    """A convolution's sums for one image, element by element; node has stride, padding, dilation and groups."""
    geometry = ConvConnection(
        "", "", weights, 0, "mixed", 8, 1, image.shape, (weights.shape[0], *shape[1:]),  # type: ignore[arg-type]
        tuple(node.stride), tuple(node.padding), tuple(node.dilation), node.groups,
    )  # fmt: skip
    out = np.zeros(int(np.prod(shape)))
    for o, y, x, c, ky, kx in np.ndindex(*geometry.output_shape, *weights.shape[1:]):
        row = y * geometry.stride[0] - geometry.padding[0] + ky * geometry.dilation[0]
        column = x * geometry.stride[1] - geometry.padding[1] + kx * geometry.dilation[1]
        if 0 <= row < image.shape[1] and 0 <= column < image.shape[2]:
            channel = o // (weights.shape[0] // geometry.groups) * weights.shape[1] + c
            out[(o * shape[1] + y) * shape[2] + x] += weights[o, c, ky, kx] * image[channel, row, column]
    return out


def float_network(network: FloatNetwork, x: NDArray[Any]) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Spikes and (v - threshold) / threshold: forward spikes arrive at once, recurrent ones a step on."""
    sizes = {p.name: p.size for p in network.populations}
    u, v = ({name: np.zeros(n) for name, n in sizes.items()} for _ in range(2))
    last = {name: np.zeros(n) for name, n in sizes.items()}
    kept: dict[str, list[Floats]] = {name: [] for name in sizes}
    distance: dict[str, list[Floats]] = {name: [] for name in sizes}
    for values in x:
        now = {network.inputs[0].name: values.reshape(-1).astype(float)}
        for p in network.populations:
            a = np.zeros(p.size)
            for c in network.connections:
                if c.target == p.name:
                    sent = last[p.name] if c.source == p.name else now[c.source]
                    a += c.weights @ sent if c.geometry is None else correlate(
                        sent.reshape(c.geometry.input_shape), c.geometry, c.geometry.output_shape, c.weights
                    )  # fmt: skip
            u[p.name] = u[p.name] * (1 - p.current_decay) + a
            voltage = v[p.name] * (1 - p.voltage_decay) + u[p.name] + p.bias
            spikes = voltage > p.threshold
            v[p.name] = np.where(spikes, 0, voltage)
            now[p.name] = last[p.name] = spikes.astype(float)
            kept[p.name].append(now[p.name])
            distance[p.name].append((voltage - p.threshold) / p.threshold)
    return ({n: np.array(k) for n, k in kept.items()}, {n: np.array(d) for n, d in distance.items()})


def nir_euler(graph: nir.NIRGraph, dt: float, x: NDArray[Any]) -> tuple[dict[str, Floats], float]:
    """Spikes of every neuron node by forward Euler on NIR's own equations, and how near v came to a threshold."""
    neurons = [name for name, node in graph.nodes.items() if isinstance(node, NEURONS)]
    port = next(name for name, node in graph.nodes.items() if isinstance(node, nir.Input))
    current, v, last = ({n: np.zeros(shape_of(graph.nodes[n])) for n in neurons} for _ in range(3))
    kept: dict[str, list[Floats]] = {n: [] for n in neurons}
    nearest = np.inf
    for values in x:
        now: dict[str, Floats] = {port: values.astype(float)}
        for name in neurons:
            node = graph.nodes[name]
            read = {**now, name: last[name]}
            total = np.zeros(shape_of(node))
            for synapse in predecessors(graph, name):
                total += _signal(graph, synapse, read).reshape(total.shape)
            drive = total
            if isinstance(node, nir.CubaLIF):
                current[name] += dt / node.tau_syn * (node.w_in * total - current[name])
                drive = current[name]
            if isinstance(node, nir.IF):
                # one step of v += r I, which the frameworks that export it mean
                v[name] += node.r * drive
            else:
                tau = node.tau if isinstance(node, nir.LIF) else node.tau_mem
                v[name] += dt / tau * (node.v_leak - v[name] + node.r * drive)
            nearest = min(nearest, float(np.abs(v[name] / node.v_threshold - 1).min()))
            spikes = v[name] > node.v_threshold
            v[name][spikes] = 0
            now[name] = last[name] = spikes.astype(float)
            kept[name].append(now[name].reshape(-1))
    return {name: np.array(values) for name, values in kept.items()}, nearest


def _signal(graph: nir.NIRGraph, name: str, now: dict[str, Floats]) -> Any:
    """What a node puts out in this step."""
    if name in now:
        return now[name]
    node = graph.nodes[name]
    sent: Any = sum(_signal(graph, source, now) for source in predecessors(graph, name))
    if isinstance(node, nir.Flatten):
        return sent.reshape(-1)
    if isinstance(node, nir.Scale):
        return (sent.reshape(-1) * node.scale.reshape(-1)).reshape(sent.shape)
    if isinstance(node, nir.Conv2d):
        return _convolved(sent, node)
    if isinstance(node, (nir.SumPool2d, nir.AvgPool2d)):
        return _pooled(sent, node)
    return node.weight @ sent.reshape(-1) + (node.bias if isinstance(node, nir.Affine) else 0)


def _convolved(sent: Floats, node: Any) -> Floats:
    height, width = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(
            sent.shape[1:], node.weight.shape[2:], node.stride, node.padding, node.dilation, strict=True
        )
    )
    shape = (node.weight.shape[0], height, width)
    return correlate(sent, node, shape, node.weight).reshape(shape) + node.bias[:, None, None]


def _pooled(sent: Floats, node: Any) -> Floats:
    padded = np.pad(sent, [(0, 0), *((int(p), int(p)) for p in node.padding)])
    (ky, kx), (sy, sx) = node.kernel_size, node.stride
    rows, columns = (padded.shape[1] - ky) // sy + 1, (padded.shape[2] - kx) // sx + 1
    out = np.zeros((len(sent), rows, columns))
    for y, x in np.ndindex(rows, columns):
        out[:, y, x] = padded[:, y * sy : y * sy + ky, x * sx : x * sx + kx].sum(axis=(1, 2))
    return out / (ky * kx) if isinstance(node, nir.AvgPool2d) else out
