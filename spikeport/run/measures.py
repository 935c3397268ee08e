"""Answers of a run and costs of its ANN, without what training needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.loader import load_device
from spikeport.lava_runtime.cost_model.ann_cost import PRECISIONS, DeviceCost, TwinLayerSize, best_batch, device_cost
from spikeport.lava_runtime.result import SimulationResult

DEFAULT_DEVICES = ("microcontroller", "gap9", "jetson_orin_nano", "server_cpu")
"""Devices that the ANN is priced on."""


def answers(program: ChipProgram, result: SimulationResult, steps: int) -> NDArray[np.int64]:
    """Winners over the steps that answer the input's `steps` steps, without earlier outputs of the pipeline."""
    counts = result.output_counts(_window(program, steps))
    return np.asarray(counts.argmax(axis=1), dtype=np.int64)


def output_of(program: ChipProgram, result: SimulationResult, steps: int) -> NDArray[np.float64]:
    """The first output in those steps, (steps, N, outputs): spikes, or a readout's voltages in the network's units."""
    output = result.output[_window(program, steps)]
    values = output.reshape(*output.shape[:2], -1).astype(np.float64)
    unit = program.output_units.get(program.outputs[0])
    return values if unit is None else values * unit


def _window(program: ChipProgram, steps: int) -> slice:
    # an output without connections is silent from the first step
    start = program.latency.get(program.outputs[0], 0)
    return slice(start, start + steps)


def compare_devices(sizes: Sequence[TwinLayerSize], devices: Sequence[str]) -> list[DeviceCost]:
    """Estimated cost of the twin on every device, in float32 and int8, at batch 1 and the best batch."""
    costs = []
    for name in devices:
        device = load_device(name)
        for precision in PRECISIONS:
            costs.append(device_cost(sizes, device, precision))
            best = best_batch(sizes, device, precision)
            costs += [best] if best.batch > 1 else []
    return costs
