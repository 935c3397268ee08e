"""Backpropagation through time with surrogate gradients."""

from __future__ import annotations

from typing import ClassVar

from .method import Method


class Bptt(Method):
    """Surrogate-gradient BPTT: cross entropy of the output spike counts, backpropagated through every step.

    loss = -log softmax(n)[y] with n_k = sum over t of s_k[t] (counts), label smoothing if configured.
    This is the default behaviour of `Method`.
    Source: Neftci, Mostafa & Zenke, Surrogate Gradient Learning in Spiking Neural Networks, IEEE Signal Processing
    Magazine 36(6), 2019.
    """

    name: ClassVar[str] = "bptt"
