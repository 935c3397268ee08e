"""Cochlea model from sound to spikes: filter bank, hair cells, nerve fibres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.trainer.data.encoding import integrate_drive


@dataclass(frozen=True)
class Cochlea:
    """Converts a recording to spikes (steps, channels).

    rate: samples per second; channels: gammatone filters between `low` and `high` hertz, evenly spaced on the ERB-rate
    scale; step_seconds: length of a time step; steps: total; longer recordings are cut, shorter ones padded with
    silence; range_db: a channel that is this far below the recording's loudest channel and step is silent.
    """

    rate: int = 8000
    channels: int = 64
    low: float = 100.0
    high: float = 3700.0
    step_seconds: float = 0.01
    steps: int = 80
    range_db: float = 40.0

    def centres(self) -> NDArray[np.float64]:
        """Centre frequencies in hertz, rising.

        ERB-rate(f) = 21.4 log10(1 + 0.00437 f). Source: Glasberg & Moore, Hearing Research 47, 1990.
        """
        low, high = (float(21.4 * np.log10(1 + 0.00437 * hertz)) for hertz in (self.low, self.high))
        return np.asarray((10 ** (np.linspace(low, high, self.channels) / 21.4) - 1) / 0.00437)

    def drive(self, sound: NDArray[Any]) -> NDArray[np.float64]:
        """The drive of the fibres, (steps, channels) in [0, 1], for a recording (samples,) of any scale.

        Gammatone filters (scipy.signal.gammatone, order 4), half-wave rectification, mean over each step, level in
        decibels from -range_db (0) to the recording's loudest (1). Source of the filter: Slaney, An efficient
        implementation of the Patterson-Holdsworth auditory filter bank, Apple technical report 35, 1993.
        """
        from scipy.signal import gammatone, lfilter

        length = round(self.rate * self.step_seconds)
        padded = np.zeros(length * self.steps)
        # a recording's scale depends on its microphone; the level is relative to its own loudest moment
        padded[: len(sound)] = sound[: len(padded)]
        energy = np.empty((self.steps, self.channels))
        for channel, centre in enumerate(self.centres()):
            rectified = np.maximum(lfilter(*gammatone(centre, "iir", fs=self.rate), padded), 0)
            energy[:, channel] = rectified.reshape(self.steps, length).mean(axis=1)
        loudest = energy.max()
        if loudest == 0:
            return np.zeros_like(energy)
        with np.errstate(divide="ignore"):
            level = 20 * np.log10(energy / loudest)
        return np.asarray(np.clip(1 + level / self.range_db, 0, 1))

    def spikes(self, sound: NDArray[Any]) -> NDArray[np.uint8]:
        """Spikes (steps, channels) uint8: each fibre integrates its drive and fires at 1 (encoding "integrate")."""
        return integrate_drive(self.drive(sound))
