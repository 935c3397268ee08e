"""Encode images as spikes: every encoder takes values in [0, 1] and returns uint8, time first.

All return spikes, 0 or 1, except `direct`, which returns payloads of graded spikes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.trainer.settings.lookup import lookup

Spikes = NDArray[np.uint8]
Images = NDArray[np.floating[Any]] | NDArray[np.uint8]
Encoder = Callable[[Images, int, np.random.Generator], Spikes]


def integrate(images: Images, steps: int, generator: np.random.Generator) -> Spikes:  # noqa: ARG001
    """Evenly spaced spikes: v[t] = v[t-1] + x; a spike where v[t] >= 1, which subtracts 1 from v.

    images: (N, *shape) in [0, 1]; returns (steps, N, *shape). Deterministic: the generator is not used.
    Source: the integrate-and-fire encoder without leak, reset by subtraction (Rueckauer et al., Frontiers in
    Neuroscience 11:682, 2017, section 2.2).
    """
    return integrate_drive(np.broadcast_to(images, (steps, *images.shape)))


def staggered(images: Images, steps: int, generator: np.random.Generator) -> Spikes:
    """As integrate, from uniform random voltages in [0, 1): also evenly spaced, but equal values do not fire together.

    images: (N, *shape) in [0, 1]; returns (steps, N, *shape); the same generator state gives the same spikes.
    """
    return integrate_drive(np.broadcast_to(images, (steps, *images.shape)), generator.random(images.shape))


def integrate_drive(drive: NDArray[np.floating[Any]], start: NDArray[np.float64] | None = None) -> Spikes:
    """Spikes of integrate-and-fire neurons for a drive x[t] >= 0: v[t] = v[t-1] + x[t], a spike subtracts 1 from v.

    drive: (T, ...), at most 1 per step, or spikes are late; start: v[-1], default 0; returns uint8 of its shape.
    """
    spikes = np.zeros(drive.shape, dtype=np.uint8)
    voltage = np.zeros(drive.shape[1:], dtype=np.float64) if start is None else start.copy()
    for step, driven in zip(spikes, drive, strict=True):
        voltage += driven
        np.greater_equal(voltage, 1, out=step, casting="unsafe")
        voltage -= step
    return spikes


def bernoulli(images: Images, steps: int, generator: np.random.Generator) -> Spikes:
    """Independent spikes: P(s[t] = 1) = x in every step.

    images: (N, *shape) in [0, 1]; returns (steps, N, *shape); the same generator state gives the same spikes.
    """
    return np.asarray(generator.random((steps, *images.shape)) < images, dtype=np.uint8)


def poisson(images: Images, steps: int, generator: np.random.Generator) -> Spikes:
    """Spikes of a Poisson process of x events per step; several in one step are one spike: P(s = 1) = 1 - exp(-x).

    images: (N, *shape) in [0, 1]; returns (steps, N, *shape); the same generator state gives the same spikes.
    """
    return bernoulli(np.asarray(-np.expm1(-images)), steps, generator)


def latency(images: Images, steps: int, generator: np.random.Generator) -> Spikes:  # noqa: ARG001
    """One spike per value, earlier for larger ones: at step t = round((1 - x) (steps - 1)); none for x = 0.

    images: (N, *shape) in [0, 1]; returns (steps, N, *shape). Deterministic: the generator is not used.
    """
    times = np.rint((1 - images) * (steps - 1)).astype(np.int64)
    steps_first = np.arange(steps).reshape(-1, *[1] * images.ndim)
    return np.asarray((steps_first == times) & (images > 0), dtype=np.uint8)


def spikes(samples: Images, steps: int, generator: np.random.Generator) -> Spikes:  # noqa: ARG001
    """Samples that are already spike trains, (N, steps, *shape), with time first: (steps, N, *shape).

    Raises InputError if they have another number of steps.
    """
    if samples.ndim < 2 or samples.shape[1] != steps:
        actual = samples.shape[1] if samples.ndim > 1 else "no"
        raise InputError(f"the samples are spike trains of {actual} steps, not {steps}; set steps to that number")
    return np.ascontiguousarray(samples.swapaxes(0, 1).astype(np.uint8))


def direct(images: Images, steps: int, generator: np.random.Generator, payload: int = 15) -> Spikes:  # noqa: ARG001
    """The value itself in every step, as a graded spike: rint(payload * x), the current into the first layer.

    images: (N, *shape) in [0, 1]; payload: the value for x = 1, 1 to 255; returns (steps, N, *shape).
    Deterministic: the generator is not used.
    Source: analog input of Rueckauer et al., Frontiers in Neuroscience 11:682, 2017, section 2.2.
    """
    levels = np.rint(np.asarray(images, dtype=np.float64) * payload).astype(np.uint8)
    return np.repeat(levels[None], steps, axis=0)


ENCODERS: dict[str, Encoder] = {
    e.__name__: e for e in (integrate, staggered, bernoulli, poisson, latency, spikes, direct)
}


def encode(name: str, images: Images, steps: int, generator: np.random.Generator, payload: int = 1) -> Spikes:
    """Spikes (steps, N, *shape) by the encoder of that name; payload: the largest, for "direct".

    Raises InputError for an unknown name, fewer than one step, no samples, or values outside [0, 1] (NaN included).
    """
    encoder = lookup("encoding", name, ENCODERS)
    if len(images) == 0:
        raise InputError("an encoding needs at least one sample")
    if steps < 1:
        raise InputError(f"an encoding needs at least 1 step, not {steps}")
    if not ((images >= 0) & (images <= 1)).all():
        raise InputError("an encoding takes values from 0 to 1; scale the data and remove NaN first")
    if encoder is direct:
        return direct(images, steps, generator, payload)
    return encoder(images, steps, generator)
