"""Losses of an output (T, B, outputs), spikes or voltages, with snnTorch's names.

T: steps; targets: classes (B,) or (B, T), labels (B, outputs) of 0 and 1, or values (B, outputs) or (B, T, outputs).
Each returns the mean over the samples, a scalar. Source of names and definitions, where not stated otherwise:
snnTorch 1.0, snntorch.functional.loss (Eshraghian et al., Proceedings of the IEEE 111(9), 2023).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, l1_loss, mse_loss, one_hot


def ce_count(output: Tensor, y: Tensor) -> Tensor:
    """Cross entropy of the spike counts n_k = sum over t of s_k[t]: -log softmax(n)[y]."""
    return cross_entropy(output.sum(0), y)


def ce_rate(output: Tensor, y: Tensor) -> Tensor:
    """Cross entropy of the spikes of each step, mean over the steps: the right output should always fire."""
    return torch.stack([cross_entropy(step, y) for step in output.unbind(0)]).mean()


def mse_count(output: Tensor, y: Tensor) -> Tensor:
    """Mean squared difference of the firing rates n_k / T from 1 for the right outputs and 0 for the others.

    y: classes (B,), or labels (B, outputs). snnTorch's mse_count_loss(correct_rate=1, incorrect_rate=0) over T; that of
    lava-dl's SpikeRate with true_rate = 1 and false_rate = 0.
    """
    return mse_loss(output.mean(0), _wanted(y, output))


def ce_temporal(output: Tensor, y: Tensor) -> Tensor:
    """Cross entropy of the negative step of each output's first spike, T where it is silent (T - 1 in snnTorch)."""
    return cross_entropy(-first_spikes(output), y)


def mse_temporal(output: Tensor, y: Tensor) -> Tensor:
    """Mean squared difference of the first spikes' steps, over T: 0 for the right output, 1 for others."""
    return mse_loss(first_spikes(output) / len(output), 1 - _wanted(y, output))


def first_spikes(output: Tensor) -> Tensor:
    """The step of each output's first spike, (B, outputs), T where it is silent.

    t_k = sum over t of the product over t' <= t of (1 - s_k[t']), which counts the steps before it: its derivative
    draws spikes of a silent output closer from every step.
    """
    return (1 - output).cumprod(0).sum(0)


def ce_max_membrane(output: Tensor, y: Tensor) -> Tensor:
    """Cross entropy of each output's largest voltage over the steps."""
    return cross_entropy(output.max(0).values, y)


def ce_membrane(output: Tensor, y: Tensor) -> Tensor:
    """Cross entropy of the voltages in every step, mean over the steps; y: a class in each step, (B, T)."""
    return cross_entropy(output.permute(1, 2, 0), y)


def mse_membrane(output: Tensor, y: Tensor) -> Tensor:
    """Mean squared difference of the voltages from values: of the last step, or of every step for a series."""
    return mse_loss(voltages(output, y), y.to(output.dtype))


def l1_membrane(output: Tensor, y: Tensor) -> Tensor:
    """Mean absolute difference of the voltages from values, as `mse_membrane`."""
    return l1_loss(voltages(output, y), y.to(output.dtype))


def bce_count(output: Tensor, y: Tensor) -> Tensor:
    """Binary cross entropy of labels, sigmoid(n_k - T / 2): more than half the steps fire for a label."""
    return binary_cross_entropy_with_logits(output.sum(0) - len(output) / 2, y.to(output.dtype))


def voltages(output: Tensor, y: Tensor) -> Tensor:
    """What is compared with values: the last step's voltages, or all steps', (B, T, outputs), for a series."""
    return output.transpose(0, 1) if y.dim() == 3 else output[-1]


def _wanted(y: Tensor, output: Tensor) -> Tensor:
    """1 for the right outputs, 0 for the others."""
    return y.to(output.dtype) if y.dim() == 2 else one_hot(y, output.shape[-1]).to(output.dtype)
