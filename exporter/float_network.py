"""The chip's normal form of a network, still in floating point: what is left to do is to round it.

One time step of population p, with decays as fractions lost a step:

    u <- u * (1 - current_decay) + sum of weights over arriving spikes
    v <- v * (1 - voltage_decay) + u + bias;   s <- v > threshold;   v[s] <- 0
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .program import InputPort

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ConvGeometry:
    """Shapes and strides of a convolution, (channels, height, width) and (height, width)."""

    input_shape: tuple[int, int, int]
    output_shape: tuple[int, int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


@dataclass(frozen=True)
class FloatPopulation:
    """Neurons with one constant an element, each array of shape (size,)."""

    name: str
    shape: tuple[int, ...]
    current_decay: Floats
    voltage_decay: Floats
    threshold: Floats
    bias: Floats

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class FloatConnection:
    """Weights (target size, source size), or a kernel (out channels, in channels / groups, height, width)."""

    source: str
    target: str
    weights: Floats
    geometry: ConvGeometry | None
    delay: int


@dataclass(frozen=True)
class FloatNetwork:
    """Inputs, populations and connections with their delays; outputs name populations."""

    dt: float
    inputs: tuple[InputPort, ...]
    populations: tuple[FloatPopulation, ...]
    connections: tuple[FloatConnection, ...]
    outputs: tuple[str, ...]
