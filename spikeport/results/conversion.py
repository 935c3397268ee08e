"""`spikeport import`: a ReLU network as spiking neurons, and what that costs, by the steps that a sample is shown."""

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
    """After so many steps of a sample: the share of samples answered as the ANN does, and rightly (None: no labels)."""

    steps: int
    agreement: float
    accuracy: float | None


@dataclass(frozen=True, repr=False)
class Conversion(Shown):
    """A converted network with the loss at several lengths.

    accuracy: the ANN's own, None without labels; messages: of the neurons, a sample in all the steps.
    """

    converted: Converted
    way: Coding
    losses: tuple[Loss, ...]
    samples: int
    accuracy: float | None
    messages: float

    def save(self, path: Path) -> None:
        """Write MODEL.chip or MODEL.nir; raises InputError as check_ending does."""
        check_ending(path, self.way)
        if path.suffix == ".chip":
            save_program(self.converted.program, path)
        else:
            write_nir(rate_graph(self.converted.network, self.converted.statistics), path)

    def parts(self) -> dict[str, Any]:
        """The network, how it was converted, and the losses."""
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
        """The table of losses, and how to feed the network."""
        labelled = self.accuracy is not None
        table = Table("steps", "same answer as the ANN", *(["right"] if labelled else []))
        for loss in self.losses:
            right = [] if loss.accuracy is None else [f"{loss.accuracy:.2%}"]
            table.add_row(str(loss.steps), f"{loss.agreement:.2%}", *right)
        console.print(table)
        if self.accuracy is not None:
            say(console, f"the ANN itself: {self.accuracy:.2%} of {self.samples} samples")
        say(console, f"{self.messages:.0f} messages a sample in {self.losses[-1].steps} steps")
        for note in self.converted.network.notes:
            say(console, note)
        program = self.converted.program
        say(
            console,
            "a sample enters as it is in every step; its answer is the largest value of the last step, "
            f"{program.pipeline_steps} steps behind the input",
        )
        if self.way == "rate":
            say(console, f"as .nir it takes whole numbers: rint({input_scale(self.converted.statistics):.6g} * x)")


def check_ending(path: Path, way: Coding) -> None:
    """Raises InputError for a file that cannot hold a network converted that way."""
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
    where: str = "samples",
) -> Conversion:
    """Run samples (N, *input shape) for `steps` steps on the chip's integers and look at the answers on the way.

    labels: (N,) class numbers. Raises InputError.
    """
    x = check_samples(converted.network, samples, where)
    if steps < 1:
        raise InputError(f"{steps} steps: a sample is shown for at least one")
    if labels is not None and (labels.shape != (len(x),) or labels.dtype.kind not in "iu"):
        raise InputError(f"labels have shape {labels.shape} and type {labels.dtype}, but {len(x)} class numbers fit")
    wanted = answers(converted.network, x).argmax(axis=1)
    lengths = sorted({n for n in _SHOWN if n < steps} | {steps})
    found = np.zeros((len(lengths), len(x)), np.int64)
    sent = 0
    for start in range(0, len(x), _BATCH):
        part = slice(start, start + _BATCH)
        found[:, part], messages = _answers_at(converted.program, x[part], lengths)
        sent += messages
        if progress is not None:
            progress(min(start + _BATCH, len(x)), len(x))
    right = None if labels is None else (found == labels).mean(axis=1)
    losses = tuple(
        Loss(n, float((found[i] == wanted).mean()), None if right is None else float(right[i]))
        for i, n in enumerate(lengths)
    )
    own = None if labels is None else float((wanted == labels).mean())
    return Conversion(converted, way, losses, len(x), own, sent / len(x))


def _answers_at(program: ChipProgram, x: NDArray[np.float32], lengths: list[int]) -> tuple[NDArray[np.int64], int]:
    """The class with the largest value after each length, (lengths, samples), and how many messages were sent."""
    behind = program.pipeline_steps
    shown = np.broadcast_to(x, (lengths[-1], *x.shape))
    result = simulate(program, shown)
    at = [behind + n - 1 for n in lengths]
    values = result.output[at].reshape(len(lengths), len(x), -1)
    counts = result.counts()
    return values.argmax(axis=2), sum(int(counts[p.name].sum()) for p in program.populations)
