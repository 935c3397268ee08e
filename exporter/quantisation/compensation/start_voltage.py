"""The start voltage that keeps a bias from acting before the first input can arrive."""

from __future__ import annotations

import numpy as np

from spikeport.exporter.neurons.cuba.cuba import toward_zero
from spikeport.exporter.program.chip_program import Integers
from spikeport.hardware_profiles.fixed_point import DECAY_UNITY, STATE_UNIT, WordWidths


def start_voltage(
    bias: Integers, dv: Integers, vth: Integers | None, steps: int, widths: WordWidths, final: Integers | None = None
) -> tuple[Integers, bool]:
    """Start values from which `steps` updates by decay and bias alone end exactly at v = `final`, and whether all do.

    The chip adds the bias from its first step, but a layer's first input arrives `steps` steps later; the float network
    has no such wait. Each update v <- toward_zero(v * (4096 - dv) / 4096) + bias is run backwards; every value has a
    predecessor, because the map skips no integer. A value on the way that would itself spike (a large negative bias) is
    clipped to the threshold, and the second result is False. vth is None without a threshold,
    final None for 0.
    """
    keep = (DECAY_UNITY - dv).astype(np.int64)
    limit = np.full(bias.shape, widths.state_max, np.int64)
    highest = limit if vth is None else np.minimum(vth.astype(np.int64) * STATE_UNIT, limit)
    value = np.zeros(bias.shape, np.int64) if final is None else final.astype(np.int64)
    bias_settles = True
    for step in range(steps):
        before_bias = value - bias
        value = np.sign(before_bias) * -((-np.abs(before_bias) * DECAY_UNITY) // keep)
        # v is compared with the threshold after every update, but not at the start; the register bounds both
        first = step == steps - 1
        clipped = np.clip(value, -widths.state_max, limit if first else highest)
        bias_settles = bias_settles and bool(np.array_equal(clipped, value))
        value = clipped
    return value.astype(np.int32), bias_settles


def bias_spikes_early(bias: Integers, dv: Integers, vth: Integers | None, start: Integers, steps: int) -> bool:
    """Whether bias and start voltage alone make a neuron spike, or send a nonzero voltage, within `steps` updates.

    Deep in a pipeline no start voltage can absorb a large bias.
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
