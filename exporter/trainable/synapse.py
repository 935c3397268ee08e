"""Synapses of a trainable network: weights rounded to the chip's integers, with straight-through gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, linear

from spikeport.exporter.float_network.float_network import ConvGeometry, FloatConnection, Floats
from spikeport.trainer.neuron_step.sparse_synapse import is_faster, sparse_linear

from .grids import Grid, Level
from .ties import Tie, carries_bias, pooled_by

# stored weights of the largest sparse matrix that is computed as a full one
_FULL = 1 << 22


class ChipSynapse(nn.Module):
    """One connection: `weight` has the shape of the graph's weights that it follows from (ties.py).

    Without such a tie it has the shape of the connection's matrix or kernel, or (stored,) where the matrix is sparse.

    In units of the synaptic input a that one spike causes, weights are whole numbers on the connection's grid. Rounding
    passes gradients straight through (Bengio, Leonard & Courville, arXiv:1308.3432, 2013).
    """

    delays: Tensor | None
    positions: Tensor | None
    factors: Tensor | None
    rows: Tensor
    columns: Tensor

    def __init__(self, connection: FloatConnection, grid: Grid, tie: Tie | None, lag: int) -> None:
        super().__init__()
        self.source, self.target, self.synapse = connection.source, connection.target, connection.synapse
        self.geometry: ConvGeometry | None = connection.geometry
        self.delay, self.lag, self.grid = connection.delay, lag, grid
        self.shape = tuple(connection.weights.shape)
        weights: Any = connection.weights
        self.sparse = isinstance(weights, csr_array)
        if self.sparse:
            rows = np.repeat(np.arange(self.shape[0]), np.diff(weights.indptr))
            self.register_buffer("rows", torch.from_numpy(rows), persistent=False)
            self.register_buffer("columns", torch.from_numpy(weights.indices.astype(np.int64)), persistent=False)
            weights = weights.data
        self.tied = tie is not None
        self.pool = pooled_by(tie, connection.geometry)
        moved = tie is not None and not tie.plain
        positions, factors = (
            (torch.from_numpy(a) for a in (tie.positions, tie.factors)) if tie and moved else (None, None)
        )
        self.register_buffer("positions", positions, persistent=False)
        self.register_buffer("factors", None if factors is None else factors.float(), persistent=False)
        if tie is not None:
            weights = tie.shared
        self.weight = nn.Parameter(torch.from_numpy(np.ascontiguousarray(weights)).float())
        late = connection.axonal_delays
        self.register_buffer(
            "delays", None if late is None else torch.from_numpy(late.astype(np.int64)), persistent=False
        )

    @property
    def carries_bias(self) -> bool:
        """Whether its source was added for a bias (exporter/lowering/bias_axons.py)."""
        return carries_bias(self.source)

    def float_weights(self) -> Tensor:
        """The weights as the connection has them, not rounded, in the network's units."""
        if self.positions is None or self.factors is None:
            return self.weight.reshape(-1) if self.sparse else self.weight.view(self.shape)
        return self.weight.reshape(-1)[self.positions] * self.factors

    def assign(self, values: Tensor) -> None:
        """Set the weights that `float_weights` returns; each follows from a weight of its own."""
        with torch.no_grad():
            if self.positions is None or self.factors is None:
                self.weight.copy_(values.reshape(self.weight.shape))
            else:
                self.weight.view(-1)[self.positions.reshape(-1)] = (values / self.factors).reshape(-1).to(self.weight)

    @property
    def one_by_one(self) -> bool:
        """Whether each weight of the connection follows from a weight of its own."""
        return self.positions is None or len(torch.unique(self.positions)) == self.positions.numel()

    def words(self, factor: float) -> Tensor:
        """The weights in units of a, whole numbers; factor: units of a for one of the network's."""
        weight = self.float_weights()
        with torch.no_grad():
            whole = _on_grid(weight * factor, self.grid)
        return whole + (weight - weight.detach()) * factor

    def largest(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """Sums of the positive and of the |negative| words of every row, (targets,) or (channels,)."""
        positive, total = words.detach().clamp(min=0), words.detach()
        if self.sparse:
            zero = torch.zeros(self.shape[0], dtype=total.dtype, device=total.device)
            sums = [zero.index_add(0, self.rows, values) for values in (positive, total)]
        else:
            sums = [values.flatten(1).sum(1) for values in (positive, total)]
        return sums[0], sums[0] - sums[1]

    def matrix(self, words: Tensor) -> Tensor:
        """The words as a matrix or a kernel."""
        if not self.sparse:
            return words
        return torch.zeros(self.shape, dtype=words.dtype, device=words.device).index_put(
            (self.rows, self.columns), words
        )

    def connect(self, words: Tensor, sent: Tensor) -> Tensor:
        """Synaptic input (T, B, targets) of what arrives, (T, B, sources); words: as `matrix` returns them."""
        rows = sent.flatten(0, 1)
        if self.geometry is not None:
            shape = self.geometry
            images = rows.view(-1, *shape.input_shape)
            stride, padding = shape.stride, shape.padding
            if self.pool > 1:
                # one weight of every block, on sums of pixels
                images = avg_pool2d(images, self.pool, divisor_override=1)
                words = words[:, :, :: self.pool, :: self.pool]
                stride = (stride[0] // self.pool, stride[1] // self.pool)
                padding = (padding[0] // self.pool, padding[1] // self.pool)
            summed = conv2d(images, words, None, stride, padding, shape.dilation, shape.groups).flatten(1)
        elif is_faster(rows, words):
            summed = sparse_linear(rows, words)
        else:
            summed = linear(rows, words)
        if summed.device.type != "cpu":
            # a GPU's algorithms may round sums; the chip's are whole
            summed = summed + (summed.detach().round() - summed.detach())
        return summed.view(*sent.shape[:2], -1)

    def arriving(self, sent: Tensor, lag: int) -> Tensor:
        """What arrives in every step of what was sent in every step, (T, B, sources): `lag` steps later, or more."""
        if self.delays is None:
            return _later(sent, lag)
        late = torch.zeros_like(sent)
        for beyond in torch.unique(self.delays).tolist():
            late = late + _later(sent, lag + beyond) * (self.delays == beyond)
        return late

    def values(self, words: Tensor, factor: float) -> Floats | csr_array:
        """Rounded weights in the network's units, as FloatConnection stores them."""
        exact: Floats = words.detach().cpu().double().numpy() / factor
        if not self.sparse:
            return exact
        ends = self.rows.cpu().numpy(), self.columns.cpu().numpy()
        return csr_array((exact, ends), shape=self.shape)


def _on_grid(exact: Tensor, grid: Grid) -> Tensor:
    """The nearest points of a grid."""
    if grid.step is not None:
        low, high = -grid.negative[-1][1], grid.positive[-1][1]
        rounded = exact.div(grid.step).round_().mul_(grid.step).clamp_(low, high)
        if grid.alone is not None and not torch.any(rounded > 0):
            rounded.clamp_(min=-grid.alone)
        return rounded
    return torch.where(exact > 0, _on_levels(exact, grid.positive), -_on_levels(-exact, grid.negative))


def _on_levels(exact: Tensor, levels: Sequence[Level]) -> Tensor:
    """The nearest points for the positive ones, whichever level has them."""
    nearest: Tensor | None = None
    for step, end in reversed(levels):
        rounded = (exact / step).round_().mul_(step).clamp_(0, end)
        if nearest is not None:
            rounded = torch.where((rounded - exact).abs() <= (nearest - exact).abs(), rounded, nearest)
        nearest = rounded
    assert nearest is not None
    return nearest


def _later(sent: Tensor, lag: int) -> Tensor:
    if lag == 0:
        return sent
    steps = len(sent)
    silent = sent.new_zeros((min(lag, steps), *sent.shape[1:]))
    return torch.cat([silent, sent[: max(steps - lag, 0)]])


def too_large(connection: FloatConnection) -> bool:
    """Whether a sparse matrix is too large to be computed as a full one."""
    return isinstance(connection.weights, csr_array) and math.prod(connection.weights.shape) > 64 * _FULL
