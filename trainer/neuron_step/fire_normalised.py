"""Batch norm that gathers statistics, and the neuron after it, as one autograd operation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from . import norm_kernels
from .cpu_arrays import as_numpy, as_rows, run_in_threads
from .fused import supports_surrogate
from .kernels import SLOPES
from .memory_order import channels_last
from .surrogates import Surrogate

Array = NDArray[np.float64]
BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d


def supports_norm(current: Tensor, norm: nn.Module, spike: Surrogate, *constants: Tensor) -> bool:
    """True if the kernels can run these: current (T, B, features), or (T, B, C, H, W) with channels last in memory.

    constants: decay and threshold, one each for the layer and not trained.
    """
    return (
        isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d))
        and norm.training
        and norm.affine
        and norm.track_running_stats
        and norm.momentum is not None
        and current.device.type == "cpu"
        and current.dtype in (torch.float32, torch.float64)
        and (current.dim() == 3 or channels_last(current))
        # torch refuses statistics of one value with a sentence
        and current.numel() > current.shape[2]
        and supports_surrogate(spike)
        and all(c.dim() == 0 and c.dtype == current.dtype and not c.requires_grad for c in constants)
    )


def normalise(current: Tensor, norm: nn.Module | None) -> Tensor:
    """BN of a sequence (T, B, *neurons), with statistics over time and batch; None: the sequence itself."""
    if norm is None:
        return current
    # torch's sums over channels that lie last in memory are of single precision, wrong in the fourth digit
    normalised: Tensor = norm(current.flatten(0, 1).contiguous())
    return normalised.view(current.shape)


def fire_normalised(
    current: Tensor,
    norm: BatchNorm,
    keep: Tensor,
    threshold: Tensor,
    spike: Surrogate,
    width: float,
) -> Tensor:
    """Spikes of neurons that start at v = 0 and whose current is i = BN(x), of the shape of x = current.

    i = gamma (x - mean) / sqrt(variance + eps) + beta, with mean and variance over time, batch and places; then
    dynamics.integrate_and_fire with keep = 1 - voltage_decay. Updates norm's running statistics as norm itself does.
    Source: Ioffe & Szegedy, Batch Normalization, ICML 2015 (arXiv:1502.03167), algorithm 1 and section 3.
    """
    last = channels_last(current)
    x = current.movedim(2, -1) if last else current
    spikes: Tensor
    spikes, mean, variance = _FireNormalised.apply(x, norm.weight, norm.bias, keep, threshold, spike, width, norm.eps)
    _update(norm, mean, variance, x.numel() // x.shape[-1])
    return spikes.movedim(-1, 2) if last else spikes


def _update(norm: BatchNorm, mean: Tensor, variance: Tensor, count: int) -> None:
    """Running statistics; the running variance is without bias."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.momentum is not None
    with torch.no_grad():
        norm.running_mean.lerp_(mean.to(norm.running_mean), norm.momentum)
        norm.running_var.lerp_((variance * (count / (count - 1))).to(norm.running_var), norm.momentum)
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)


class _FireNormalised(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        current: Tensor,
        gamma: Tensor,
        beta: Tensor,
        keep: Tensor,
        threshold: Tensor,
        spike: Surrogate,
        width: float,
        eps: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = as_rows(current, current.shape[-1])
        mean, variance = _statistics(x, current.shape[-1])
        deviation = np.sqrt(variance + eps)
        gain = _double(gamma) / deviation
        constants = _repeated(x, gain, _double(beta) - mean * gain, mean)
        numbers = tuple(constants.dtype.type(value.item()) for value in (keep, threshold))
        s = torch.empty_like(x)
        run_in_threads(norm_kernels.forward, x, (*as_numpy(x), constants, *numbers, *as_numpy(s)))
        ctx.save_for_backward(x)
        ctx.constants = numbers, constants, spike, width, mean, deviation, gain
        statistics = torch.from_numpy(mean), torch.from_numpy(variance)
        ctx.mark_non_differentiable(*statistics)
        ctx.set_materialize_grads(False)
        return s.view(current.shape), *statistics

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        given, _, _ = gradients
        if given is None:
            return (None,) * 8
        (x,) = ctx.saved_tensors
        numbers, constants, spike, width, mean, deviation, gain = ctx.constants
        slopes = as_rows(given, given.shape[-1])
        parameters = SLOPES[spike.name][1]
        out, partial = torch.empty_like(x), np.zeros((2, x.shape[1], x.shape[3]))
        numbers += tuple(map(constants.dtype.type, (spike.height, *parameters(width))))
        arguments = (*as_numpy(slopes, x), constants, *numbers, *as_numpy(out), partial)
        run_in_threads(norm_kernels.BACKWARD[spike.name], x, arguments)
        total, product = _per_channel(partial, len(mean))
        count = x.numel() // len(mean)
        rows = _repeated(x, gain, mean, gain * product / (count * deviation**2), gain * total / count)
        run_in_threads(norm_kernels.through_statistics, x, (*as_numpy(x), rows, *as_numpy(out)))
        to_gamma, to_beta = (torch.from_numpy(value).to(x) for value in (product / deviation, total))
        return out.view(given.shape), to_gamma, to_beta, None, None, None, None, None


def _statistics(x: Tensor, channels: int) -> tuple[Array, Array]:
    """Mean and variance (with bias) of each channel, for x (T, B, R, L)."""
    # near the mean, squares keep their digits
    shift = _double(x[0, 0, 0, :channels])
    partial = np.zeros((2, x.shape[1], x.shape[3]))
    run_in_threads(norm_kernels.sums, x, (*as_numpy(x), _repeated(x, shift)[0], partial))
    first, second = (value / (x.numel() // channels) for value in _per_channel(partial, channels))
    return shift + first, np.maximum(second - first**2, 0)


def _per_channel(partial: Array, channels: int) -> Array:
    """Sums over samples and places, (2, C), of (2, B, L)."""
    return np.asarray(partial.sum(1).reshape(2, -1, channels).sum(1))


def _repeated(x: Tensor, *values: Array) -> NDArray[Any]:
    """Values per channel, each repeated to a row of x (T, B, R, L) and of its type: (values, L)."""
    return np.tile(np.array(values), (1, x.shape[3] // len(values[0]))).astype(x.detach().numpy().dtype)


def _double(value: Tensor) -> Array:
    return np.asarray(value.detach().double().numpy())
