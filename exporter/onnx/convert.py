"""An ONNX file and sample input -> a program for a chip, either way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from spikeport.exporter.compile_options import Precision
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.schema import ChipProfile

from .calibration_statistics import CalibrationStatistics, check_samples, record
from .rate import compile_rate
from .relu_network import ReluNetwork, open_network
from .sigma_delta import compile_sigma_delta

Way = Literal["rate", "sigma-delta"]


@dataclass(frozen=True)
class Converted:
    """The network that was read, what it did on sample input, and the program made of it."""

    network: ReluNetwork
    activity: CalibrationStatistics
    program: ChipProgram


def convert_onnx(
    path: str | Path,
    chip: ChipProfile,
    samples: NDArray[Any],
    way: Way = "rate",
    steps: int = 32,
    *,
    precision: Precision = "normal",
    where: str = "samples",
) -> Converted:
    """Convert a ReLU network; raises InputError that names the node at fault, or what is wrong with the samples.

    samples: sample input (N, *input shape), as the network was trained on; steps: how long a sample will be shown,
    which rate coding is calibrated for; where: what errors call the samples.
    """
    network = open_network(path)
    x = check_samples(network, samples, where)
    activity = record(network, x)
    if way == "rate":
        program = compile_rate(network, activity, chip, x, steps, precision=precision)
    else:
        program = compile_sigma_delta(network, activity, chip)
    return Converted(network, activity, program)
