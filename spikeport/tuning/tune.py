"""`spikeport tune`: chip-exact fine-tuning of a model, and what it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from spikeport.common.accelerator import torch_device
from spikeport.common.as_arrays import as_arrays
from spikeport.common.errors import InputError
from spikeport.common.overwriting import refuse_inputs
from spikeport.console.output import Done, say
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import DEFAULTS, CompileOptions
from spikeport.exporter.float_network.float_network import FloatNetwork
from spikeport.exporter.nir_graph.nir_file import read_nir, write_nir
from spikeport.exporter.program.chip_program import InputArrays
from spikeport.exporter.trainable.module import ChipModule
from spikeport.exporter.trainable.plan import make_plan
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.inputs import check_input, load_input
from spikeport.network.graph_loader import with_sample
from spikeport.network.input_files import open_spikes
from spikeport.network.model_task import model_task
from spikeport.network.network import Network, compile_network
from spikeport.report.units import si
from spikeport.results.shown import Shown
from spikeport.run.measures import output_of

from .fine_tune import Task, TuneSettings, fine_tune, held_out_samples, score
from .rounding import rounded_together
from .targets import check_labels, teach

# samples whose energy is measured
_PROFILED = 32


@dataclass(frozen=True)
class Measured:
    """A compiled network on the test samples: fractions of one, spikes and joules per inference (joules estimated).

    same_winner: of a network with one output, the same spike count, or last voltage within 1 %. accuracy: None without
    labels.
    """

    same_winner: float
    accuracy: float | None
    spikes: float
    energy_j: float


@dataclass(frozen=True, repr=False)
class Tuned(Shown):
    """A tuned network: its graph, its measures before and after, and the score of every epoch on held-out samples."""

    graph: nir.NIRGraph
    network: Network
    before: Measured
    after: Measured
    scores: tuple[float, ...]
    float_accuracy: float | None
    samples: int
    read: tuple[Path, ...] = ()

    def save(self, path: str | Path) -> None:
        """Write TUNED.nir; raises InputError if it cannot be written."""
        refuse_inputs(path, self.read)
        write_nir(self.graph, path)

    def to_dict(self) -> dict[str, Any]:
        """before, after, epochs, float_accuracy and samples."""
        return {
            "before": asdict(self.before),
            "after": asdict(self.after),
            "float_accuracy": self.float_accuracy,
            "scores": list(self.scores),
            "samples": self.samples,
        }

    def show(self, console: Console) -> None:
        """Print a table of before and after."""
        table = Table("", "same answer as float", "accuracy", "spikes per inference", "energy per inference (estimate)")
        for name, m in (("before", self.before), ("after", self.after)):
            accuracy = "-" if m.accuracy is None else f"{m.accuracy:.1%}"
            table.add_row(name, f"{m.same_winner:.1%}", accuracy, f"{m.spikes:,.0f}", si(m.energy_j, "J"))
        console.print(table)
        if self.float_accuracy is not None:
            say(console, f"the float network has {self.float_accuracy:.1%} accuracy")
        say(console, f"measured on {self.samples} samples that were not trained on")


def tune(
    model: nir.NIRGraph | str | Path,
    data: InputArrays | str | Path,
    labels: NDArray[Any] | str | Path | None = None,
    chip: str = "loihi2",
    *,
    test: InputArrays | str | Path | None = None,
    test_labels: NDArray[Any] | str | Path | None = None,
    options: CompileOptions = DEFAULTS,
    settings: TuneSettings | None = None,
    progress: Done | None = None,
) -> Tuned:
    """Train a network on in the chip's integers; raises InputError.

    data: (T, N, *input shape), as simulate takes it; labels: (N,) classes; without them the float network is the
    teacher: its output spikes, and the rates of every layer. test, test_labels: what before and after are measured on,
    default a fifth of the data, which is not trained on. The tuned graph compiles with the same options.
    """
    settings = settings or TuneSettings()
    if settings.teacher and labels is None:
        raise InputError("the weight of the teacher has no effect without labels, where it is the only target; omit it")
    if test_labels is not None and test is None:
        raise InputError("labels of a test part are given, but no test part; give it, or omit them")
    graph, context = (read_nir(model), str(model)) if isinstance(model, (str, Path)) else (model, "graph")
    options = with_sample(options, graph, context)
    floating = lower_graph(graph, options, context)
    if len(floating.outputs) != 1:
        raise InputError(f"{context}: has {len(floating.outputs)} outputs, but tuning takes a network with one")
    torch.manual_seed(settings.seed)
    plan = make_plan(graph, load_chip(chip), options, context)
    module = ChipModule(plan)
    if not list(module.parameters()):
        raise InputError(f"{context}: has no weights to train")
    before = compile_network(graph, chip, options)
    task = _task(floating, before, data, labels)
    if test is None:
        held = held_out_samples(task.samples, settings)
        tested = _subset(task, held)
    else:
        tested = _task(floating, before, test, test_labels)
    first = _measured(before, tested)
    module = _best_start(module, floating, task, settings).to(torch_device(settings.device))
    scores = fine_tune(module, task, settings, progress)
    tuned = module.to_nir()
    network = compile_network(tuned, chip, options)
    accuracy = None if tested.labels is None else float(np.mean(tested.teacher.winners == tested.labels))
    read = tuple(Path(p) for p in (model, data, labels, test, test_labels) if isinstance(p, (str, Path)))
    return Tuned(tuned, network, first, _measured(network, tested), tuple(scores), accuracy, tested.samples, read)


def _best_start(module: ChipModule, floating: FloatNetwork, task: Task, settings: TuneSettings) -> ChipModule:
    """The module as compiled, or with weights rounded together, whichever has the better score on held-out samples."""
    held = held_out_samples(task.samples, settings)
    used = np.setdiff1d(np.arange(task.samples), held)
    inputs = {name: values[:, used].reshape(task.steps, len(used), -1) for name, values in task.inputs.items()}
    together = rounded_together(module.plan, floating, inputs, settings.exponents)
    return max((together, module), key=lambda candidate: score(candidate, task, held, settings))


def _task(floating: FloatNetwork, network: Network, data: Any, labels: Any) -> Task:
    where = str(data) if isinstance(data, (str, Path)) else "data"
    arrays = open_spikes(Path(data), network.program)[0] if isinstance(data, (str, Path)) else as_arrays(data, where)
    inputs: Mapping[str, NDArray[Any]] = {
        port.name: (arrays[port.name] if isinstance(arrays, Mapping) else arrays) for port in network.program.inputs
    }
    check_input(network.program, arrays, where)
    if not any(np.any(values) for values in inputs.values()):
        raise InputError(f"{where}: holds only zeros, which drive no neuron; give typical input")
    flat = {name: values.reshape(*values.shape[:2], -1) for name, values in inputs.items()}
    output = floating.outputs[0]
    teacher = teach(floating, flat, output)
    known = None
    if labels is not None:
        values = load_input(Path(labels)) if isinstance(labels, (str, Path)) else np.asarray(labels)
        classes = teacher.output.shape[2]
        named = str(labels) if isinstance(labels, (str, Path)) else "labels"
        known = check_labels(values, teacher.output.shape[1], classes, named)
    return Task(inputs, output, teacher, known)


def _subset(task: Task, selected: NDArray[np.intp]) -> Task:
    teacher = replace(
        task.teacher,
        output=task.teacher.output[:, selected],
        rates={name: values[selected] for name, values in task.teacher.rates.items()},
    )
    inputs = {name: values[:, selected] for name, values in task.inputs.items()}
    return Task(inputs, task.output, teacher, None if task.labels is None else task.labels[selected])


def _measured(network: Network, task: Task) -> Measured:
    x = task.inputs if len(task.inputs) > 1 else next(iter(task.inputs.values()))
    result = network.simulate(x).result
    winners = result.winners()
    sent = {name: n for name, n in result.counts().items() if name not in task.inputs}
    few = {name: values[:, :_PROFILED] for name, values in task.inputs.items()}
    profile = network.profile(few if len(few) > 1 else next(iter(few.values())))
    same = winners == task.teacher.winners
    if task.teacher.output.shape[2] == 1:
        # a single output always wins
        same = model_task(None, network.program).same(
            output_of(network.program, result, task.steps), task.teacher.output.astype(np.float64)
        )
    return Measured(
        float(np.mean(same)),
        None if task.labels is None else float(np.mean(winners == task.labels)),
        float(sum(counts.mean() for counts in sent.values())),
        profile.energy_j.typical,
    )
