"""A synapse that multiplies only by the inputs that fired: for few spikes cheaper than the matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import sparse_kernels

# share of spikes below which the kernels are faster than the matrix product (measured by benchmarks/train.py), for WIDE
# outputs or more; proportionally lower for fewer
FEW = 0.15
WIDE = 256
# rows in which spikes are counted
COUNTED = 100


def is_faster(spikes: Tensor, weight: Tensor) -> bool:
    """True if the sparse kernels support these spikes (R, in) and weights (out, in) and few enough inputs fired.

    In training only: predictions must not depend on how many spikes the other samples of the batch have, not even in
    the rounding of a sum.
    """
    return (
        torch.is_grad_enabled()
        and spikes.device.type == "cpu"
        and weight.dtype == spikes.dtype
        and spikes.dtype in (torch.float32, torch.float64)
        # threads of BLAS share a product, the kernels do not
        and torch.get_num_threads() == 1
        and not torch.is_autocast_enabled("cpu")
        and _share(spikes) < FEW * min(1, weight.shape[0] / WIDE)
    )


def _share(spikes: Tensor) -> float:
    # a sample of the rows is enough; counting all costs a tenth of the product
    rows = spikes.detach().numpy()[:: max(1, len(spikes) // COUNTED)]
    # as bool: NumPy counts these three times as fast
    return float(np.count_nonzero(rows.astype(bool)) / max(1, rows.size))


def sparse_linear(spikes: Tensor, weight: Tensor) -> Tensor:
    """spikes @ weight.T for spikes (R, in) and weights (out, in), summed over nonzero spikes, in another order."""
    summed: Tensor = _SparseLinear.apply(spikes, weight)
    return summed


class _SparseLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.listed = listed = _listed(spikes.detach().contiguous().numpy())
        summed = spikes.new_empty(len(spikes), len(weight))
        sparse_kernels.product(*listed, weight.detach().t().contiguous().numpy(), summed.numpy())
        return summed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        (weight,) = ctx.saved_tensors
        (gradient,) = gradients
        to_spikes = gradient @ weight if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return to_spikes, None
        to_weight = weight.new_zeros(weight.shape[1], weight.shape[0])
        sparse_kernels.add_transposed_product(*ctx.listed, gradient.contiguous().numpy(), to_weight.numpy())
        return to_spikes, to_weight.t()


def _listed(matrix: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """starts, columns and values of a matrix; see sparse_kernels.py."""
    starts = np.empty(len(matrix) + 1, np.int64)
    columns, values = np.empty(matrix.size, np.int32), np.empty(matrix.size, matrix.dtype)
    count = sparse_kernels.list_entries(matrix, starts, columns, values)
    # copies: only the entries are kept for the backward pass
    return starts, columns[:count].copy(), values[:count].copy()
