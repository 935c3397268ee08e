"""Mel frames: the energy of sound in bands that are even in pitch, one frame per time step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.trainer.data.encoding import integrate_drive


@dataclass(frozen=True)
class MelFrames:
    """Converts a recording to spikes (steps, channels).

    rate: samples per second; channels: triangular filters between `low` and `high` hertz, even on the mel scale;
    step_seconds: length of a time step; steps: total; longer recordings are cut, shorter ones padded with silence;
    range_db: a channel that is this far below the recording's loudest channel and step is silent.
    """

    rate: int
    channels: int
    low: float
    high: float
    step_seconds: float
    steps: int
    range_db: float = 40.0

    def filters(self, bins: int) -> NDArray[np.float64]:
        """Weights (channels, bins) of the frequencies 0 to rate / 2: triangles with a peak of 1.

        mel(f) = 2595 log10(1 + f / 700). Source: O'Shaughnessy, Speech communication, 1987.
        """
        low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (self.low, self.high))
        edges = 700 * (10 ** (np.linspace(low, high, self.channels + 2) / 2595) - 1)
        left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
        frequency = np.linspace(0, self.rate / 2, bins)
        rising, falling = (frequency - left) / (centre - left), (right - frequency) / (right - centre)
        return np.asarray(np.maximum(0, np.minimum(rising, falling)))

    def drive(self, sound: NDArray[Any]) -> NDArray[np.float64]:
        """Level of each channel in each step, (steps, channels) in [0, 1], for a recording (samples,) of any scale.

        Power of a Hann window of two steps, at least 32 ms, around the middle of each step; in decibels from -range_db
        (0) to the recording's loudest (1).
        """
        hop = self.rate * self.step_seconds
        width = max(round(2 * hop), round(0.032 * self.rate))
        middles = np.rint((np.arange(self.steps) + 0.5) * hop).astype(np.int64)
        padded = np.zeros(int(middles[-1]) + 2 * width)
        # half a window before the first sample
        kept = sound[: len(padded) - width // 2]
        padded[width // 2 : width // 2 + len(kept)] = kept
        frames = padded[middles[:, None] + np.arange(width)] * np.hanning(width)
        size = 1 << max(9, (width - 1).bit_length())
        power = np.abs(np.fft.rfft(frames, size)) ** 2
        energy = power @ self.filters(power.shape[1]).T
        loudest = energy.max()
        if loudest == 0:
            return np.zeros_like(energy)
        with np.errstate(divide="ignore"):
            level = 10 * np.log10(energy / loudest)
        return np.asarray(np.clip(1 + level / self.range_db, 0, 1))

    def spikes(self, sound: NDArray[Any]) -> NDArray[np.uint8]:
        """Spikes (steps, channels) uint8: each channel integrates its level and fires at 1 (encoding "integrate")."""
        return integrate_drive(self.drive(sound))
