"""An ONNX file and sample input -> a program for a chip, rate-coded or sigma-delta."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from spikeport.exporter.compile_options import Precision
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.schema import ChipProfile

from .calibration_statistics import CalibrationStatistics, check_samples, record
from .max_pool import Replacement
from .rate import compile_rate
from .readout import unit_of
from .relu_network import ReluNetwork, open_network
from .sigma_delta import compile_sigma_delta

Coding = Literal["rate", "sigma-delta"]


@dataclass(frozen=True)
class Converted:
    """A converted network, its statistics on sample input, and its program.

    unit: the ANN's output that 1 at the program's output represents; in a rate code, 1 per step.
    """

    network: ReluNetwork
    statistics: CalibrationStatistics
    program: ChipProgram
    unit: float


def convert_onnx(
    path: str | Path,
    chip: ChipProfile,
    samples: NDArray[Any],
    coding: Coding = "rate",
    steps: int = 32,
    *,
    precision: Precision = "normal",
    replace_maxpool: Replacement | None = None,
    context: str = "samples",
    output: str | None = None,
) -> Converted:
    """Convert a ReLU network; raises InputError that names the faulty node, or what is wrong with the samples.

    samples: sample input (N, *input shape), as the network was trained on; steps: how long a sample will be shown, for
    which rate coding is calibrated; replace_maxpool: by an average, which is another network; context: the samples'
    name in errors; output: the one to convert of several, default the first.
    """
    network = open_network(path, replace_maxpool, output=output)
    x = check_samples(network, samples, context)
    statistics = record(network, x)
    if coding == "rate":
        program = compile_rate(network, statistics, chip, x, steps, precision=precision)
        return Converted(network, statistics, program, unit_of(program))
    return Converted(network, statistics, *compile_sigma_delta(network, statistics, chip))
