"""Weights rounded so that their errors cancel in v, before training: layer by layer, on the float network's spikes.

Rounding to the nearest integer keeps each weight's error small, but v adds them up. On sample input, the integers q of
a neuron with weights w minimise the mean square of sum_n (q_n - w_n) x_n, x_n: what a unit weight adds to v since the
neuron's last spike, weighted toward steps with v near the threshold. Coordinate descent, as in OPTQ (Frantar et al.,
arXiv:2210.17323, 2022) and AdaRound (Nagel et al., arXiv:2004.10568, 2020); a neuron may also be scaled as a whole, its
threshold with it, to where the integers fit best. Its threshold and bias, which have many more digits than a weight,
take what they can of the rest: the search runs on the products without what these two could mend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation, Floats
from spikeport.exporter.float_network.simulator import simulate_float
from spikeport.exporter.trainable.grids import Grid, doubled_finer_grid, finer_grid
from spikeport.exporter.trainable.module import ChipModule
from spikeport.exporter.trainable.plan import LayerPlan, Plan, scaled_neurons
from spikeport.hardware_profiles.fixed_point import STATE_UNIT, WordWidths

from .rounding_kernels import nearest_sum, traces

_LIMIT, _LARGEST_WORD = WordWidths().state_max, WordWidths().vth_max
# weights of a neuron from which products of all pairs take too long
_LARGEST = 1024
# steps of all samples together
_STEPS = 40_000
_SWEEPS = 50
# thresholds for which v keeps room where it leaks by more than a hundredth per step, and where it does not
_LEAKING, _ADDING, _SLOWEST = 16, 256, 0.01
# thresholds that are tried, as fractions of the one that fills the range of u
_SCALES, _LOWEST, _HIGHEST = 200, 0.25, 0.95
# at most for a threshold, and for the v to which a bias leads, as a share of the threshold
_MENDED = 0.25
# by how much changes of threshold and bias are held back, relative to their products
_STIFFNESS = 1e-3
# distance from the threshold, relative to it, at which a step counts half
_WIDTH = 0.25


def rounded_together(
    plan: Plan, floating: FloatNetwork, inputs: Mapping[str, NDArray[Any]], exponents: int
) -> ChipModule:
    """A module whose parameters are integers of the chip already; floating, inputs: the network and its sample input.

    exponents: of each synapse and sign, at most; each is a connection of its own.
    Weights that share one of the graph's (convolutions, pooling), or more than 1024 of a neuron, are rounded to the
    nearest, each channel at its best scale; sparse matrices, delays that differ and layers that read voltages stay.
    """
    length, samples = next(iter(inputs.values())).shape[:2]
    # in random order: data often come sorted
    chosen = np.random.default_rng(0).permutation(samples)[: max(1, _STEPS // length)]
    few = {n: v[:, chosen].astype(np.int32) for n, v in inputs.items()}
    starts = floating.starts
    together = [name for name, layer in plan.layers.items() if _is_alone(layer)]
    sent = {**few, **(simulate_float(floating, few, length + max(starts.values())).spikes if together else {})}
    own = {name: values[starts.get(name, 0) :][:length] for name, values in sent.items()}
    layers, integers = dict(plan.layers), {}
    highest = plan.chip.word_widths.fixed_point().weight_exp_max
    graded = {p.name for p in plan.network.populations if p.sends == "voltage"}
    largest = {name: max(1.0, float(values.max(initial=0))) for name, values in inputs.items()}
    for name, layer in plan.layers.items():
        if not layer.synapses or not all(_is_stored_whole(c, layer) for c in layer.synapses):
            continue
        if any(c.source in graded for c in layer.synapses):
            continue
        sample = None
        if name in together:
            arriving = np.concatenate([_arriving(c, own[c.source], starts, name) for c in layer.synapses], axis=2)
            sample = _Sample(arriving.astype(np.float64), own[name] != 0)
        layers[name], integers[name] = _rounded(
            layer,
            sample,
            [largest.get(c.source, 1.0) for c in layer.synapses],
            (exponents, layer.weight_bits, highest),
        )
    module = ChipModule(replace(plan, layers=layers))
    for name, values in integers.items():
        unit = float(module.layer(name).scale) / STATE_UNIT
        sources = module.layer(name).sources()
        for synapse, part in zip(sources, _by_synapse(layers[name], values), strict=True):
            synapse.assign(torch.from_numpy(part / unit).reshape(synapse.shape))
    return module


@dataclass(frozen=True)
class _Sample:
    """What arrives at a layer in every step, (T, B, sources), and whether its neurons spike, (T, B, neurons)."""

    arriving: Floats
    spikes: NDArray[np.bool_]


def _is_alone(layer: LayerPlan) -> bool:
    """Whether each weight of the layer is one neuron's."""
    dense = all(c.geometry is None and _is_stored_whole(c, layer) for c in layer.synapses)
    own = all(tie is None or len(np.unique(tie.positions)) == tie.positions.size for tie in layer.ties)
    return bool(layer.synapses) and dense and own and sum(c.weights.shape[1] for c in layer.synapses) <= _LARGEST


def _is_stored_whole(connection: FloatConnection, layer: LayerPlan) -> bool:
    """Whether it is a full matrix or kernel whose rows belong to neurons of one threshold each."""
    thresholds = layer.population.threshold.reshape(connection.weights.shape[0], -1)
    own = not isinstance(connection.weights, csr_array) and connection.axonal_delays is None
    return own and bool(np.all(thresholds == thresholds[:, :1])) and len({len(c.weights) for c in layer.synapses}) == 1


def _by_synapse(layer: LayerPlan, values: Floats) -> list[Floats]:
    """Rows of all synapses, cut into those of each."""
    widths = [c.weights.reshape(len(c.weights), -1).shape[1] for c in layer.synapses]
    return np.split(values, np.cumsum(widths)[:-1], axis=1)


def _arriving(connection: FloatConnection, sent: NDArray[Any], starts: Mapping[str, int], target: str) -> NDArray[Any]:
    """What arrives in every step, (T, B, sources)."""
    lag = connection.delay + starts.get(connection.source, 0) - starts[target]
    return np.concatenate([np.zeros_like(sent[:lag]), sent[: len(sent) - lag]])


def _rounded(
    layer: LayerPlan, sample: _Sample | None, largest: Sequence[float], numbers: tuple[int, int, int]
) -> tuple[LayerPlan, Floats]:
    """The layer with its neurons' scales, thresholds and biases, and its integers, (rows, weights of a row).

    sample: None for the nearest integers; largest: what each synapse's source sends at most; numbers: exponents, bits
    of a weight, and the chip's highest exponent.
    """
    population, unit = layer.population, layer.scale / STATE_UNIT
    weights = np.concatenate([c.weights.reshape(len(c.weights), -1) for c in layer.synapses], axis=1) * unit
    repeat = population.size // len(weights)
    sent = np.repeat(largest, [c.weights.reshape(len(c.weights), -1).shape[1] for c in layer.synapses])
    room = (_LIMIT - 2 * STATE_UNIT) / STATE_UNIT * population.current_decay[::repeat]
    spiking = population.sends == "spikes"
    full = _fullest(weights * sent, room, population, unit) if spiking else np.ones(len(weights))
    grids = tuple(
        doubled_finer_grid(part.max(initial=0), -part.min(initial=0), *numbers[1:])
        if layer.doubled
        else finer_grid(part.max(initial=0), -part.min(initial=0), *numbers)
        for part in _by_synapse(layer, weights * full[:, None])
    )
    points, first, last = _points(layer, grids)
    integers, factors = np.empty_like(weights), np.ones(len(weights))
    thresholds, biases = population.threshold.copy(), population.bias.copy()
    for n, row in enumerate(weights):
        products = _nearest(len(row)) if sample is None else _products(layer, n, row / unit, sample)
        word, best = population.threshold[n * repeat] * unit, np.inf
        for factor in _scales(word, full[n]) if spiking else [1.0]:
            q, error = nearest_sum(row * factor, products.own, points, first, last, _SWEEPS)
            if error / factor**2 < best and _reach(q * sent) < room[n]:
                best, integers[n], factors[n] = error / factor**2, q, factor
        if np.isinf(best):
            integers[n] = row
        elif spiking and sample is not None:
            lower, more = products.mended((integers[n] / factors[n] - row) / unit)
            thresholds[n], biases[n] = thresholds[n] * (1 - lower), biases[n] + more
    layer = replace(layer, grids=grids, population=replace(population, threshold=thresholds, bias=biases))
    return scaled_neurons(layer, np.repeat(factors, repeat)), integers


@dataclass(frozen=True)
class _Products:
    """Mean products of what a neuron's weights are multiplied by, without what its threshold and bias could mend.

    own: (weights, weights); shared: of weights with threshold and bias, (weights, 2); free: of those two;
    largest_bias: at most added or taken.
    """

    own: Floats
    shared: Floats
    free: Floats
    largest_bias: float

    def mended(self, errors: Floats) -> tuple[float, float]:
        """By which share to lower the threshold, and what to add to the bias, for these errors of the weights."""
        lower, more = -np.linalg.solve(self.free, self.shared.T @ errors)
        if abs(more) > self.largest_bias:
            more = np.sign(more) * self.largest_bias
            lower = -(self.shared[:, 0] @ errors + self.free[0, 1] * more) / self.free[0, 0]
        return float(np.clip(lower, -_MENDED, _MENDED)), float(more)


def _nearest(weights: int) -> _Products:
    """Those with which every weight gets its nearest integer."""
    return _Products(np.eye(weights), np.zeros((weights, 2)), np.eye(2), 0.0)


def _products(layer: LayerPlan, n: int, weights: Floats, sample: _Sample) -> _Products:
    population = layer.population
    spiking, zero = population.sends == "spikes", population.reset == "zero"
    decay, threshold = float(population.voltage_decay[n]), float(population.threshold[n])
    moved = traces(
        sample.arriving, weights, 1 - population.current_decay[n], 1 - decay, threshold,
        0.0 if zero or not spiking else float(population.subtracted[n]), sample.spikes[:, :, n] & spiking, _WIDTH,
    )  # fmt: skip
    products: Floats = (moved.T @ moved).astype(np.float64) / len(moved)
    size = len(weights)
    own, shared, free = products[:size, :size], products[:size, size:], products[size:, size:]
    own = own + np.eye(size) * (1e-4 * np.trace(own) / size + 1e-9)
    free = free + np.diag(_STIFFNESS * np.diag(free) + 1e-12)
    if spiking:
        own = own - shared @ np.linalg.solve(free, shared.T)
    # a neuron without input stays far from its threshold
    largest = _MENDED * threshold * max(decay, 1 / len(sample.spikes)) if spiking else 0.0
    return _Products((own + own.T) / 2, shared, free, largest)


def _reach(weights: Floats) -> Floats:
    """The largest |sum| of some of the weights of a row, (rows,)."""
    reach: Floats = np.maximum(np.maximum(weights, 0).sum(axis=-1), np.maximum(-weights, 0).sum(axis=-1))
    return reach


def _fullest(weights: Floats, room: Floats, population: FloatPopulation, unit: float) -> Floats:
    """The factors with which the largest input fills u, as far as v still has room for many thresholds, (rows,)."""
    sums = _reach(weights)
    depth = _LEAKING if np.all(population.voltage_decay > _SLOWEST) else _ADDING
    words = population.threshold.reshape(len(weights), -1)[:, 0] * unit
    highest = np.maximum(1.0, min(_LIMIT / STATE_UNIT / depth, _LARGEST_WORD) / words)
    return np.minimum(np.where(sums > 0, room / np.maximum(sums, 1e-9), 1.0), highest)


def _scales(word: float, full: float) -> Floats:
    """Factors of a threshold, given in words of its register, that leave it a whole number."""
    words = np.unique(np.linspace(word * full * _LOWEST, word * full * _HIGHEST, _SCALES).round())
    return np.asarray(words[words >= 1] / word) if np.any(words >= 1) else np.ones(1)


def _points(layer: LayerPlan, layer_grids: Sequence[Grid]) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """The grids of all synapses one after the other, and where each weight's begins and ends."""
    grids = [_points_of(grid) for grid in layer_grids]
    widths = [c.weights.reshape(len(c.weights), -1).shape[1] for c in layer.synapses]
    edges = np.cumsum([0, *(len(grid) for grid in grids)])
    return np.concatenate(grids), np.repeat(edges[:-1], widths), np.repeat(edges[1:], widths)


def _points_of(grid: Grid) -> Floats:
    up, down = (
        np.concatenate([np.arange(0, end + step / 2, step) for step, end in levels])
        for levels in (grid.positive, grid.negative)
    )
    points: Floats = np.unique(np.concatenate([up, -down]))
    return points
