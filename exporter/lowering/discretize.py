"""From seconds to time steps: how a time constant becomes the share that decays in a step, and a delay whole steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.exporter.compile_options import Discretize as Discretize

# a delay this near to a whole number of steps, in steps, is meant to be one
_WHOLE = 1e-3
_MOST = 1 << 20


def decay(tau: NDArray[Any], dt: float, discretize: Discretize, what: str = "a time constant") -> NDArray[np.float64]:
    """The share lost in a step: min(dt/tau, 1) by forward Euler, 1 - exp(-dt/tau) exactly.

    tau and dt in seconds. A filter shorter than a step has died away by the next one, so Euler's share ends at 1.
    Raises InputError, naming `what`, for a time constant that is not positive.
    """
    seconds = np.asarray(tau, np.float64)
    if np.any(seconds <= 0):
        raise InputError(f"{what} is {seconds.min()} s, but a time constant is positive")
    share: NDArray[np.float64] = (
        -np.expm1(-dt / seconds) if discretize == "exponential" else np.minimum(dt / seconds, 1)
    )
    return share


def delay_steps(delay: NDArray[Any], dt: float, what: str = "a delay") -> tuple[NDArray[np.int32], float]:
    """The nearest whole number of steps of each delay (seconds), and the largest distance from it in steps.

    A distance up to a thousandth of a step counts as 0. Raises InputError, naming `what`, for a negative delay.
    """
    exact = np.asarray(delay, np.float64) / dt
    if np.any(exact < 0) or np.any(exact > _MOST):
        raise InputError(f"{what} spans {np.min(delay)} to {np.max(delay)} s, but a delay is 0 to {_MOST} time steps")
    steps = np.rint(exact)
    distance = float(np.max(np.abs(exact - steps), initial=0))
    return steps.astype(np.int32), distance if distance > _WHOLE else 0.0
