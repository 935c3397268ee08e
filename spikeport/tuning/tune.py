"""`spikeport tune`: chip-exact fine-tuning of a model, and what it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
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
from spikeport.exporter.trainable.own_graph import OwnGraph
from spikeport.exporter.trainable.plan import make_plan
from spikeport.hardware_profiles.loader import load_chip
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.lava_runtime.inputs import check_input, load_labels
from spikeport.network.graph_loader import with_sample
from spikeport.network.input_files import open_spikes
from spikeport.network.network import Network, compile_network
from spikeport.report.units import si
from spikeport.results.shown import Shown
from spikeport.run.measures import output_of
from spikeport.trainer.tasks.metrics import ACCURACY, SHARES

from .checkpoint import TuneCheckpoint
from .fine_tune import Task, TuneSettings, fine_tune, held_out_samples, score
from .goals import Goal, goal_of
from .layer_bits import choose_layer_bits, with_layer_bits
from .rounding import rounded_together
from .targets import teach
from .tunable import Tunable

# samples whose energy is measured
_PROFILED = 32


@dataclass(frozen=True)
class Measured:
    """A compiled network on the test samples: fractions of one, spikes and joules per inference (joules estimated).

    same_winner: the fraction with the float network's answer: numbers within 1 %, of a network with one output that
    spikes the same count. score: the metric of the labels, None without; accuracy: the score if it is one.
    """

    same_winner: float
    accuracy: float | None
    spikes: float
    energy_j: float
    score: float | None = None


@dataclass(frozen=True, repr=False)
class Tuned(Shown):
    """A tuned network: its graph, its measures before and after, and the score of every epoch on held-out samples.

    metric: of the labels; float_score: of the float network, and float_accuracy if it is one; bits: of each layer's
    weights, where they were chosen.
    """

    graph: nir.NIRGraph
    network: Network
    before: Measured
    after: Measured
    scores: tuple[float, ...]
    float_accuracy: float | None
    samples: int
    read: tuple[Path, ...] = ()
    metric: str = ACCURACY.name
    float_score: float | None = None
    bits: Mapping[str, int] = field(default_factory=dict)

    def save(self, path: str | Path) -> None:
        """Write TUNED.nir; raises InputError if it cannot be written."""
        refuse_inputs(path, self.read)
        write_nir(self.graph, path)

    def to_dict(self) -> dict[str, Any]:
        """before, after, scores, metric, float_score, float_accuracy, samples and the chosen bits."""
        return {
            "before": asdict(self.before),
            "after": asdict(self.after),
            "float_accuracy": self.float_accuracy,
            "scores": list(self.scores),
            "samples": self.samples,
            "metric": self.metric,
            "float_score": self.float_score,
            "weight_bits": dict(self.bits),
        }

    def show(self, console: Console) -> None:
        """Print a table of before and after."""
        metric = self.metric.replace("_", " ")
        table = Table("", "same answer as float", metric, "spikes per inference", "energy per inference (estimate)")
        for name, m in (("before", self.before), ("after", self.after)):
            row = name, f"{m.same_winner:.1%}", self._shown(m.score), f"{m.spikes:,.0f}", si(m.energy_j, "J")
            table.add_row(*row)
        console.print(table)
        if self.bits:
            say(console, "bits per weight: " + ", ".join(f"{name} {bits}" for name, bits in self.bits.items()))
        if self.float_score is not None:
            say(console, f"the float network has {self._shown(self.float_score)} {metric}")
        say(console, f"measured on {self.samples} samples that were not trained on")

    def _shown(self, score: float | None) -> str:
        if score is None:
            return "-"
        return f"{score:.1%}" if self.metric in SHARES else f"{score:.4g}"


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
    task: str | None = None,
    checkpoint: TuneCheckpoint | None = None,
) -> Tuned:
    """Train a network on in the chip's integers; raises InputError.

    data: (T, N, *input shape), as simulate takes it; labels: (N,) classes, or what the task takes; without them the
    float network is the teacher: its output spikes, and the rates of every layer. test, test_labels: what before and
    after are measured on, default a fifth of the data, which is not trained on. task: what labels are, by a name of
    docs/tasks.md, None: the winner's class. checkpoint: where the state is kept after every epoch. The tuned graph
    compiles with the same options.
    """
    settings = settings or TuneSettings()
    if checkpoint is not None:
        checkpoint.check_start()
    if settings.teacher and labels is None:
        raise InputError("the weight of the teacher has no effect without labels, where it is the only target; omit it")
    if task is not None and labels is None:
        raise InputError(f"task {task} says what labels are, but none are given; give them, or omit it")
    if test_labels is not None and test is None:
        raise InputError("labels of a test part are given, but no test part; give it, or omit them")
    graph, context = (read_nir(model), str(model)) if isinstance(model, (str, Path)) else (model, "graph")
    options = with_sample(options, graph, context)
    floating = lower_graph(graph, options, context)
    if len(floating.outputs) != 1:
        raise InputError(f"{context}: has {len(floating.outputs)} outputs, but tuning takes a network with one")
    torch.manual_seed(settings.seed)
    profile, before = load_chip(chip), compile_network(graph, chip, options, context)
    if settings.mean_bits is not None and profile.integers != "loihi":
        raise InputError(f"bits per weight are chosen for Loihi's integers only, not for {profile.name}; omit them")
    goal = goal_of(task, before.program)
    learned = _task(floating, before, goal, data, labels)
    bits: dict[str, int] = {}
    held = held_out_samples(learned.samples, settings)
    if settings.mean_bits is not None:
        trained_on = np.setdiff1d(np.arange(learned.samples), held)
        bits = choose_layer_bits(graph, profile, options, learned, settings, settings.mean_bits, trained_on)
        graph = with_layer_bits(graph, bits)
        before = compile_network(graph, chip, options, context)
    module = _module(graph, profile, options, context)
    if not any(p.requires_grad for p in module.parameters()):
        raise InputError(f"{context}: has no weights to train")
    tested = _subset(learned, held) if test is None else _task(floating, before, goal, test, test_labels)
    first = _measured(before, tested)
    if isinstance(module, ChipModule):
        # a chip's own integers are computed by its emulator, on the CPU
        module = _best_start(module, floating, learned, settings).to(torch_device(settings.device))
    scores = fine_tune(module, learned, settings, progress, checkpoint)
    tuned = module.to_nir()
    after = _measured(compiled := compile_network(tuned, chip, options, context), tested)
    score, metric = None, goal.metric or ACCURACY.name
    if tested.labels is not None:
        score = goal.task.score(tested.teacher.output.astype(np.float64), tested.labels)
    read = tuple(Path(p) for p in (model, data, labels, test, test_labels) if isinstance(p, (str, Path)))
    accuracy = score if metric == ACCURACY.name else None
    return Tuned(tuned, compiled, first, after, tuple(scores), accuracy, tested.samples, read, metric, score, bits)


def _module(graph: nir.NIRGraph, chip: ChipProfile, options: CompileOptions, context: str) -> Tunable:
    if chip.integers != "loihi":
        made = OwnGraph(graph, chip, options, context)
        # what cannot be written is told before the tuning
        made.to_nir()
        return made
    return ChipModule(make_plan(graph, chip, options, context))


def _best_start(module: ChipModule, floating: FloatNetwork, task: Task, settings: TuneSettings) -> ChipModule:
    """The module as compiled, or with weights rounded together, whichever has the better score on held-out samples."""
    held = held_out_samples(task.samples, settings)
    used = np.setdiff1d(np.arange(task.samples), held)
    inputs = {name: values[:, used].reshape(task.steps, len(used), -1) for name, values in task.inputs.items()}
    together = rounded_together(module.plan, floating, inputs, settings.exponents)
    return max((together, module), key=lambda candidate: score(candidate, task, held, settings))


def _task(floating: FloatNetwork, network: Network, goal: Goal, data: Any, labels: Any) -> Task:
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
        values = load_labels(Path(labels)) if isinstance(labels, (str, Path)) else np.asarray(labels)
        named = str(labels) if isinstance(labels, (str, Path)) else "labels"
        known = goal.checked(values, teacher.output.shape[1], teacher.output.shape[2], named)
    return Task(inputs, output, teacher, known, goal)


def _subset(task: Task, selected: NDArray[np.intp]) -> Task:
    teacher = replace(
        task.teacher,
        output=task.teacher.output[:, selected],
        rates={name: values[selected] for name, values in task.teacher.rates.items()},
    )
    inputs = {name: values[:, selected] for name, values in task.inputs.items()}
    return replace(task, inputs=inputs, teacher=teacher, labels=None if task.labels is None else task.labels[selected])


def _measured(network: Network, task: Task) -> Measured:
    x = task.inputs if len(task.inputs) > 1 else next(iter(task.inputs.values()))
    result = network.simulate(x).result
    sent = {name: n for name, n in result.counts().items() if name not in task.inputs}
    few = {name: values[:, :_PROFILED] for name, values in task.inputs.items()}
    profile = network.profile(few if len(few) > 1 else next(iter(few.values())))
    output = output_of(network.program, result, task.steps)
    score = None if task.labels is None else task.goal.task.score(output, task.labels)
    return Measured(
        task.goal.score(output, task.teacher.output.astype(np.float64), None),
        score if task.goal.has_classes else None,
        float(sum(counts.mean() for counts in sent.values())),
        profile.energy_j.typical,
        score,
    )
