"""`spikeport import`: a ReLU network as spiking neurons, and the accuracy lost per number of steps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from spikeport.common.errors import InputError
from spikeport.console.output import Done, say
from spikeport.exporter.nir_graph.nir_file import write_nir
from spikeport.exporter.onnx.calibration_statistics import answers, check_samples
from spikeport.exporter.onnx.convert import Coding, Converted
from spikeport.exporter.onnx.rate import input_scale, rate_graph
from spikeport.exporter.program.chip_file import save_program
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.simulate import simulate

from .shown import Shown

_BATCH = 100
_SHOWN = (8, 16, 32, 64)


@dataclass(frozen=True)
class Loss:
    """After `steps` steps: the share of samples with the ANN's answer, and with the right one (None: no labels)."""

    steps: int
    agreement: float
    accuracy: float | None


@dataclass(frozen=True, repr=False)
class Conversion(Shown):
    """A converted network with the loss at several lengths.

    accuracy: the ANN's own, None without labels; messages: sent by neurons per sample over all steps.
    """

    converted: Converted
    way: Coding
    losses: tuple[Loss, ...]
    samples: int
    accuracy: float | None
    messages: float

    def save(self, path: Path) -> None:
        """Write MODEL.chip or MODEL.nir; raises InputError like check_ending."""
        check_ending(path, self.way)
        if path.suffix == ".chip":
            save_program(self.converted.program, path)
        else:
            write_nir(rate_graph(self.converted.network, self.converted.statistics), path)

    def to_dict(self) -> dict[str, Any]:
        """The network, its conversion mode, and the losses."""
        return {
            "network": self.converted.network.context,
            "chip": self.converted.program.chip,
            "as": self.way,
            "samples": self.samples,
            "ann_accuracy": self.accuracy,
            "messages": self.messages,
            "losses": [asdict(loss) for loss in self.losses],
            "input_scale": self.converted.program.inputs[0].scale,
            "pipeline_steps": self.converted.program.pipeline_steps,
        }

    def show(self, console: Console) -> None:
        """Print the table of losses, and how to encode the input."""
        labelled = self.accuracy is not None
        table = Table("steps", "same answer as the ANN", *(["accuracy"] if labelled else []))
        for loss in self.losses:
            right = [] if loss.accuracy is None else [f"{loss.accuracy:.2%}"]
            table.add_row(str(loss.steps), f"{loss.agreement:.2%}", *right)
        console.print(table)
        if self.accuracy is not None:
            say(console, f"the ANN itself: {self.accuracy:.2%} of {self.samples} samples")
        say(console, f"{self.messages:.0f} messages per sample in {self.losses[-1].steps} steps")
        for note in self.converted.network.notes:
            say(console, note)
        program = self.converted.program
        say(
            console,
            "the sample is the input at every step; its answer is the largest value of the last step, "
            f"{program.pipeline_steps} steps after the input",
        )
        if self.way == "rate":
            say(console, f"as .nir its input is whole numbers: rint({input_scale(self.converted.statistics):.6g} * x)")


def check_ending(path: Path, way: Coding) -> None:
    """Raises InputError for a file that cannot hold a network of this conversion mode."""
    if path.suffix not in (".chip", ".nir"):
        raise InputError(f"{path}: {path.suffix or 'no ending'} cannot be written; give -o a .chip or .nir file")
    if path.suffix == ".nir" and way == "sigma-delta":
        raise InputError(f"{path}: NIR has no sigma-delta neurons; write a .chip file, or convert --as rate")


def measure(
    converted: Converted,
    way: Coding,
    samples: NDArray[Any],
    steps: int,
    labels: NDArray[Any] | None = None,
    progress: Done | None = None,
    context: str = "samples",
) -> Conversion:
    """Run samples (N, *input shape) for `steps` steps on the chip's integers; compare answers at several lengths.

    labels: (N,) class numbers. Raises InputError.
    """
    x = check_samples(converted.network, samples, context)
    if steps < 1:
        raise InputError(f"{steps} steps: a sample needs at least one")
    if labels is not None and (labels.shape != (len(x),) or labels.dtype.kind not in "iu"):
        raise InputError(
            f"labels have shape {labels.shape} and type {labels.dtype}, but must be {len(x)} class numbers"
        )
    ann_answers = answers(converted.network, x).argmax(axis=1)
    x = converted.network.entry.arranged(x)
    lengths = sorted({n for n in _SHOWN if n < steps} | {steps})
    winners = np.zeros((len(lengths), len(x)), np.int64)
    total_messages = 0
    for start in range(0, len(x), _BATCH):
        part = slice(start, start + _BATCH)
        winners[:, part], messages = _answers_at(converted.program, x[part], lengths)
        total_messages += messages
        if progress is not None:
            progress(min(start + _BATCH, len(x)), len(x))
    right = None if labels is None else (winners == labels).mean(axis=1)
    losses = tuple(
        Loss(n, float((winners[i] == ann_answers).mean()), None if right is None else float(right[i]))
        for i, n in enumerate(lengths)
    )
    own = None if labels is None else float((ann_answers == labels).mean())
    return Conversion(converted, way, losses, len(x), own, total_messages / len(x))


def _answers_at(program: ChipProgram, x: NDArray[np.float32], lengths: list[int]) -> tuple[NDArray[np.int64], int]:
    """The class with the largest value after each length, (lengths, samples), and the number of messages."""
    behind = program.pipeline_steps
    shown = np.broadcast_to(x, (lengths[-1], *x.shape))
    result = simulate(program, shown)
    at = [behind + n - 1 for n in lengths]
    values = result.output[at].reshape(len(lengths), len(x), -1)
    counts = result.counts()
    return values.argmax(axis=2), sum(int(counts[p.name].sum()) for p in program.populations)
