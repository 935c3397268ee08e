"""A synapse that multiplies only by what fired: for spikes that are few, less than the matrix product costs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import kernels

# share of spikes below which the kernels win over the matrix product (benchmarks/train.py measures it)
FEW = 0.1


def pays(spikes: Tensor, weight: Tensor) -> bool:
    """Whether kernels know these spikes (R, in) and weights (out, in), and so few fired that they win.

    In training only: what is predicted shall not depend on how many spikes others of the batch have, not even in the
    rounding of a sum.
    """
    return (
        torch.is_grad_enabled()
        and spikes.device.type == "cpu"
        and weight.dtype == spikes.dtype
        and spikes.dtype in (torch.float32, torch.float64)
        # threads of BLAS share a product, the kernels do not
        and torch.get_num_threads() == 1
        and not torch.is_autocast_cpu_enabled()
        and weight.shape[0] >= 64
        and _share(spikes) < FEW
    )


def _share(spikes: Tensor) -> float:
    # every 16th row says it well enough; counting all costs a tenth of the product
    some = spikes.detach()[:: 16 if len(spikes) >= 256 else 1]
    return int(torch.count_nonzero(some)) / max(1, some.numel())


def sparse_linear(spikes: Tensor, weight: Tensor) -> Tensor:
    """spikes @ weight.T for spikes (R, in) and weights (out, in): sums over what is not 0, in another order."""
    summed: Tensor = _SparseLinear.apply(spikes, weight)  # type: ignore[no-untyped-call]
    return summed


class _SparseLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(spikes, weight)
        summed = spikes.new_empty(len(spikes), len(weight))
        rows = spikes.detach().contiguous().numpy()
        kernels.gather_weights(rows, weight.detach().t().contiguous().numpy(), summed.numpy())
        return summed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        spikes, weight = ctx.saved_tensors
        (gradient,) = gradients
        to_spikes = gradient @ weight if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return to_spikes, None
        to_weight = weight.new_zeros(weight.shape[1], weight.shape[0])
        kernels.gather_gradients(spikes.contiguous().numpy(), gradient.contiguous().numpy(), to_weight.numpy())
        return to_spikes, to_weight.t()
