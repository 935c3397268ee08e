"""Penalties that keep weights small."""

from __future__ import annotations

from torch import Tensor


def exponential_penalty(weight: Tensor, beta: float) -> Tensor:
    """1/2 sum over neurons i of exp(beta (sum over j of w_ij**2 - 1)): near 0 below norm 1, steep above it.

    weight: (neurons, ...). Source: Lee, Delbruck & Pfeiffer, Frontiers in Neuroscience 10:508, 2016, equation (13) of
    arXiv:1608.08782v1 (without its factor lambda).
    """
    return 0.5 * (beta * (weight.flatten(1).square().sum(1) - 1)).exp().sum()
