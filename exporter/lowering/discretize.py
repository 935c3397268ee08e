"""From seconds to time steps: time constants become decays per step, delays whole numbers of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.exporter.compile_options import Discretize as Discretize

# a delay this near to a whole number of steps, in steps, counts as one
_WHOLE = 1e-3
_MAX_STEPS = 1 << 20


def decay(
    tau: NDArray[Any], dt: float, discretize: Discretize, context: str = "a time constant"
) -> NDArray[np.float64]:
    """The fraction lost in a step: min(dt/tau, 1) by forward Euler, 1 - exp(-dt/tau) exactly.

    tau and dt in seconds. A filter shorter than a step has decayed by the next one, so Euler's fraction ends at 1.
    Raises InputError, naming `context`, for a time constant that is not positive.
    """
    seconds = np.asarray(tau, np.float64)
    if np.any(seconds <= 0):
        raise InputError(f"{context} is {seconds.min()} s, but a time constant is positive")
    fraction: NDArray[np.float64] = (
        -np.expm1(-dt / seconds) if discretize == "exponential" else np.minimum(dt / seconds, 1)
    )
    return fraction


def delay_steps(delay: NDArray[Any], dt: float, context: str = "a delay") -> tuple[NDArray[np.int32], float]:
    """The nearest whole number of steps of each delay (seconds), and the largest distance from it in steps.

    A distance up to a thousandth of a step counts as 0. Raises InputError, naming `context`, for a negative delay.
    """
    exact = np.asarray(delay, np.float64) / dt
    if np.any(exact < 0) or np.any(exact > _MAX_STEPS):
        raise InputError(
            f"{context} spans {np.min(delay)} to {np.max(delay)} s, but a delay is 0 to {_MAX_STEPS} time steps"
        )
    steps = np.rint(exact)
    distance = float(np.max(np.abs(exact - steps), initial=0))
    return steps.astype(np.int32), distance if distance > _WHOLE else 0.0
