"""A rate-coded ReLU network: a ReLU's output is the rate at which its integrate-and-fire neuron spikes.

v <- v + W x + b;   s <- v > threshold;   v <- v - threshold where s;   v starts at threshold / 2

Threshold balancing: each layer's threshold is a high percentile of its ReLUs' outputs on sample input, so that the most
active neurons spike in nearly every step and the others in proportion. The input enters directly, as a payload in every
step; the answer is the sum of the last layer's currents (readout.py).

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
from spikeport.exporter.mapping import cores_by_layer, map_program
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.quantisation.quantise import quantise
from spikeport.hardware_profiles.schema import ChipProfile

from .calibration_statistics import CalibrationStatistics
from .readout import with_sums, without_memory
from .relu_network import DT, ReluNetwork
from .weight_grid import aligned_thresholds

# the input is rounded to this many levels, which leaves enough digits of a 24-bit current for the first layer's weights
INPUT_LEVELS = 127
# calibration samples whose spikes determine the integers
_SAMPLES = 32


def input_scale(statistics: CalibrationStatistics) -> float:
    """The number that represents 1 at the network's input; below 1 for large inputs."""
    return INPUT_LEVELS / (statistics.largest_input or 1.0)


def rate_graph(network: ReluNetwork, statistics: CalibrationStatistics, dt: float = DT) -> nir.NIRGraph:
    """The NIR graph; its input, of network.entry.network_shape, is rint(input_scale * x) in every step.

    Raises InputError.
    """
    thresholds = {name: max(value, 1e-6) for name, value in statistics.percentiles.items()}
    unit = 1 / input_scale(statistics)
    return network.to_nir(aligned_thresholds(network, thresholds, unit), unit, dt)


def compile_rate(
    network: ReluNetwork,
    statistics: CalibrationStatistics,
    chip: ChipProfile,
    x: NDArray[np.float32],
    steps: int = 32,
    *,
    precision: Precision = "normal",
) -> ChipProgram:
    """The program, calibrated on samples x (N, *input shape) shown for `steps` steps; raises InputError."""
    lowered = lower_graph(rate_graph(network, statistics), CompileOptions(reset="subtract"), network.context)
    scale = input_scale(statistics)
    shape = network.entry.sample_shape
    inputs = tuple(replace(port, scale=scale, shape=shape) for port in lowered.inputs)
    payloads = {port.name: INPUT_LEVELS for port in lowered.inputs}
    with_scale = replace(without_memory(lowered), inputs=inputs, payloads=payloads)
    widths = chip.word_widths.fixed_point()
    samples = network.entry.arranged(x[:_SAMPLES])
    shown: NDArray[Any] = np.broadcast_to(np.rint(scale * samples), (steps, *samples.shape))

    def finished(program: ChipProgram) -> ChipProgram:
        return with_sums(program, steps, statistics.largest_output, network.context)

    program = quantise(
        with_scale,
        chip.name,
        widths,
        CompileOptions(precision=precision, calibration=shown),
        fits=lambda program: map_program(finished(program), chip).fits,
        cores=lambda program: cores_by_layer(finished(program), chip),
    )
    return finished(program)
