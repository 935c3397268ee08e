"""A ReLU network rate-coded: what a ReLU puts out is how often its integrate-and-fire neurons spike.

v <- v + W x + b;   s <- v > threshold;   v <- v - threshold where s;   v starts at threshold / 2

Threshold balancing: each layer's threshold is a high percentile of what its ReLUs put out on sample input, so that the
most active neurons spike in nearly every step and the rest keep their proportion. The input enters as it is, a payload
in every step; the answer is the voltage of neurons without a threshold, which add up the last layer's currents.

Source: Rueckauer, Lungu, Hu, Pfeiffer & Liu 2017, Frontiers in Neuroscience 11:682, sections 2.2 (reset by
subtraction) and 2.3 (robust normalisation); start at half the threshold: Bu, Ding, Yu & Huang 2022, arXiv 2202.01440.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import CompileOptions, Precision
from spikeport.exporter.mapping import map_program
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.quantisation.quantise import quantise
from spikeport.hardware_profiles.schema import ChipProfile

from .calibration_statistics import CalibrationStatistics
from .relu_network import DT, ReluNetwork

# what enters is rounded to so many levels, which leave the first layer's weights their digits in a 24-bit current
INPUT_LEVELS = 127
# samples of the calibration by whose spikes the integers are chosen
_SAMPLES = 32


def input_scale(activity: CalibrationStatistics) -> float:
    """The whole number that stands for 1 at the network's input, or a fraction where inputs are large."""
    return INPUT_LEVELS / (activity.largest_input or 1.0)


def rate_graph(network: ReluNetwork, activity: CalibrationStatistics, dt: float = DT) -> nir.NIRGraph:
    """The NIR graph; what enters is rint(input_scale * x) in every step. Raises InputError."""
    thresholds = {name: max(value, 1e-6) for name, value in activity.percentiles.items()}
    return network.to_nir(thresholds, 1 / input_scale(activity), dt)


def compile_rate(
    network: ReluNetwork,
    activity: CalibrationStatistics,
    chip: ChipProfile,
    x: NDArray[np.float32],
    steps: int = 32,
    *,
    precision: Precision = "normal",
) -> ChipProgram:
    """The program, calibrated on samples x (N, *input shape) shown for `steps` steps; raises InputError."""
    lowered = lower_graph(rate_graph(network, activity), CompileOptions(reset="subtract"), network.where)
    scale = input_scale(activity)
    held = replace(lowered, inputs=tuple(replace(port, scale=scale) for port in lowered.inputs))
    widths = chip.word_widths.fixed_point()
    shown: NDArray[Any] = np.broadcast_to(np.rint(scale * x[:_SAMPLES]), (steps, *x[:_SAMPLES].shape))
    return quantise(
        held,
        chip.name,
        widths,
        CompileOptions(precision=precision, calibration=shown),
        fits=lambda program: map_program(program, chip).fits,
    )
