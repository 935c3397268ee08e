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
from spikeport.console.tables import show_table
from spikeport.exporter.nir_graph.nir_file import write_nir
from spikeport.exporter.onnx.calibration_statistics import answers, check_samples
from spikeport.exporter.onnx.convert import Coding, Converted
from spikeport.exporter.onnx.rate import input_scale, rate_graph
from spikeport.exporter.program.chip_file import save_program
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.simulate import simulate

from .labels import check_labels
from .shown import Shown

Floats = NDArray[np.float64]
_BATCH = 100
_SHOWN = tuple(8 << i for i in range(8))


@dataclass(frozen=True)
class Loss:
    """After `steps` steps: the share of samples with the ANN's answer, and with the right one (None: no labels).

    error: root mean square of the difference between both outputs, as a fraction of the ANN's root mean square; None
    where the ANN's outputs are all 0.
    """

    steps: int
    agreement: float
    accuracy: float | None
    error: float | None


@dataclass(frozen=True, repr=False)
class Conversion(Shown):
    """A converted network with the loss at several lengths.

    accuracy: the ANN's own, None without labels; messages: sent by neurons per sample over all steps; outputs: numbers
    per sample; constant: whether the chip's are the same for all samples, and the ANN's are not; before: the loss of
    the float network that is converted, with steps 0, where it is not the one in the file.
    """

    converted: Converted
    way: Coding
    losses: tuple[Loss, ...]
    samples: int
    accuracy: float | None
    messages: float
    outputs: int
    constant: bool
    before: Loss | None

    @property
    def failure(self) -> str | None:
        """Half a sentence on why the result is useless; None if it is not."""
        last = self.losses[-1]
        if self.constant:
            return "the chip's output is the same for every sample: its neurons are silent, or always active"
        if self.outputs > 1 and last.agreement == 0:
            return "the chip has the ANN's answer on no sample"
        if self.outputs == 1 and last.error is not None and last.error >= 1:
            return f"the chip's output is off by {last.error:.0%} of the ANN's"
        return "the chip has the right class on no sample" if last.accuracy == 0 else None

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
            "before_chip": None if self.before is None else asdict(self.before),
            "output_unit": self.converted.unit,
            "input_scale": self.converted.program.inputs[0].scale,
            "pipeline_steps": self.converted.program.pipeline_steps,
        }

    def show(self, console: Console) -> None:
        """Print the table of losses, and how to encode the input."""
        labelled = self.accuracy is not None
        table = Table("steps", "same answer as the ANN", "error", *(["accuracy"] if labelled else []))
        for loss in self.losses:
            right = [] if loss.accuracy is None else [f"{loss.accuracy:.2%}"]
            # a single output is the largest in any case
            same = "-" if self.outputs == 1 else f"{loss.agreement:.2%}"
            table.add_row(str(loss.steps), same, "-" if loss.error is None else f"{loss.error:.2%}", *right)
        show_table(table, console)
        say(console, "error: root mean square of the difference to the ANN's outputs, as a fraction of theirs")
        if self.accuracy is not None:
            say(console, f"the ANN itself: {self.accuracy:.2%} of {self.samples} samples")
        say(console, f"{self.messages:.0f} messages per sample in {self.losses[-1].steps} steps")
        for note in self.converted.network.notes:
            say(console, note)
        if self.before is not None and self.before.error is not None:
            say(
                console,
                f"of this, before the chip: same answer {self.before.agreement:.2%}, error {self.before.error:.2%}",
            )
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
    check_labels(labels, len(x))
    wanted = answers(converted.network, x).astype(np.float64)
    entering = converted.network.entry.arranged(x)
    lengths = sorted({n for n in _SHOWN if n < steps} | {steps})
    outputs = np.zeros((len(lengths), *wanted.shape))
    total_messages = 0
    for start in range(0, len(x), _BATCH):
        part = slice(start, start + _BATCH)
        outputs[:, part], messages = _outputs_at(converted.program, entering[part], lengths)
        total_messages += messages
        if progress is not None:
            progress(min(start + _BATCH, len(x)), len(x))
    # a rate code's sums grow with the steps
    units = [converted.unit / (n if way == "rate" else 1) for n in lengths]
    losses = tuple(_loss(n, o * u, wanted, labels) for n, o, u in zip(lengths, outputs, units, strict=True))
    own = None if labels is None else float((wanted.argmax(axis=1) == labels).mean())
    before = None
    if converted.network.model is not converted.network.original:
        floats = answers(converted.network, x, converted=True).astype(np.float64)
        before = _loss(0, floats, wanted, labels)
    constant = _same_for_all(outputs[-1]) and not _same_for_all(wanted)
    return Conversion(converted, way, losses, len(x), own, total_messages / len(x), wanted.shape[1], constant, before)


def _loss(steps: int, outputs: Floats, wanted: Floats, labels: NDArray[Any] | None) -> Loss:
    winners = outputs.argmax(axis=1)
    largest = float(np.sqrt(np.square(wanted).mean()))
    error = float(np.sqrt(np.square(outputs - wanted).mean())) / largest if largest else None
    accuracy = None if labels is None else float((winners == labels).mean())
    return Loss(steps, float((winners == wanted.argmax(axis=1)).mean()), accuracy, error)


def _same_for_all(outputs: Floats) -> bool:
    return bool(np.all(outputs == outputs[:1]))


def _outputs_at(program: ChipProgram, x: NDArray[np.float32], lengths: list[int]) -> tuple[Floats, int]:
    """The program's outputs after each length, (lengths, samples, outputs), and the number of messages."""
    behind = program.pipeline_steps
    shown = np.broadcast_to(x, (lengths[-1], *x.shape))
    result = simulate(program, shown)
    at = [behind + n - 1 for n in lengths]
    values = result.output[at].reshape(len(lengths), len(x), -1)
    counts = result.counts()
    return values.astype(np.float64), sum(int(counts[p.name].sum()) for p in program.populations)
