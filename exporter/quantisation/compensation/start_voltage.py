"""The start voltage that keeps a bias from acting before the first input can arrive."""

from __future__ import annotations

import numpy as np

from spikeport.exporter.neurons.cuba.cuba import toward_zero
from spikeport.exporter.program.chip_program import Integers
from spikeport.hardware_profiles.fixed_point import DECAY_UNITY, STATE_UNIT, WordWidths


def resting_voltage(
    bias: Integers, dv: Integers, vth: Integers | None, steps: int, widths: WordWidths, final: Integers | None = None
) -> tuple[Integers, bool]:
    """Start values from which `steps` updates by decay and bias alone end at v = `final` exactly, and whether all do.

    The chip adds bias from its first step on, but a layer's first input arrives `steps` steps later; the float network
    knows no such wait. Each update v <- toward_zero(v * (4096 - dv) / 4096) + bias is run backwards; every value it
    must hit has a start, because the map skips no integer. Where a value on the way would itself spike (a large
    negative bias) it is held at the threshold, the nearest it can be, and the second value is False. vth is None for
    neurons that do not spike, final None for 0.
    """
    keep = (DECAY_UNITY - dv).astype(np.int64)
    limit = np.full(bias.shape, widths.state_max, np.int64)
    highest = limit if vth is None else np.minimum(vth.astype(np.int64) * STATE_UNIT, limit)
    value = np.zeros(bias.shape, np.int64) if final is None else final.astype(np.int64)
    settled = True
    for step in range(steps):
        wanted = value - bias
        value = np.sign(wanted) * -((-np.abs(wanted) * DECAY_UNITY) // keep)
        # the voltage is compared after every update, the start itself is not; the register bounds both
        first = step == steps - 1
        held = np.clip(value, -widths.state_max, limit if first else highest)
        settled = settled and bool(np.array_equal(held, value))
        value = held
    return value.astype(np.int32), settled


def acts_early(bias: Integers, dv: Integers, vth: Integers | None, start: Integers, steps: int) -> bool:
    """Whether bias and start voltage alone make a neuron spike within `steps` updates, or send a voltage that is not 0.

    So far down a pipeline no start voltage holds a large bias back any more.
    """
    if vth is None:
        return steps > 0 and bool(np.any(start) or np.any(bias))
    highest = vth.astype(np.int64) * STATE_UNIT
    value = start.astype(np.int64)
    for _ in range(steps):
        value = toward_zero(value, DECAY_UNITY - dv) + bias
        if np.any(value > highest):
            return True
    return False
