"""A summary for a network that was not trained here: a model file or graph on input, with labels if there are any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.console.output import Done
from spikeport.exporter.program.chip_program import InputArrays
from spikeport.hardware_profiles.loader import load_chip, load_device
from spikeport.lava_runtime.inputs import check_input, slice_samples, steps_and_samples
from spikeport.lava_runtime.partition.optimise import Goal
from spikeport.lava_runtime.result import SimulationResult
from spikeport.lava_runtime.simulate import simulate
from spikeport.network.model_task import ModelTask, model_task
from spikeport.network.network import Network
from spikeport.report.raster import Raster
from spikeport.results.difference import difference_of
from spikeport.summary import Accuracies, Metric, Summary, TaskScores, build
from spikeport.trainer.tasks.metrics import ACCURACY

from .ann_sizes import twin_sizes_of
from .core_map import core_map_of
from .float_output import float_output
from .measures import answers, compare_devices, output_of

# samples of the layer-by-layer comparison, as in a recipe's run
_COMPARED = 200


@dataclass(frozen=True)
class ModelRun:
    """A network on input: its summary, and every spike of one sample for the report's picture."""

    summary: Summary
    raster: Raster


@dataclass(frozen=True)
class Teacher:
    """The ANN that a network was converted from: its .onnx file, and its accuracy if it was measured."""

    path: Path
    accuracy: float | None = None


def run_model(
    network: Network,
    x: InputArrays,
    labels: NDArray[Any] | None,
    devices: Sequence[str],
    data_name: str,
    teacher: Teacher | None = None,
    progress: Done | None = None,
    task_name: str | None = None,
    optimise: Goal | None = None,
) -> ModelRun:
    """Simulate, profile and compare a network on x (time, samples, *shape); raises InputError.

    task_name: what the output answers (network/model_task.py); labels: as that takes them, by default (samples,) class
    numbers; devices: those that the ANN is priced on, which is the teacher or else an ANN of the same layers;
    data_name: the input's name in the report; optimise: what the mapping is chosen for.
    """
    program, chip = network.program, load_chip(network.chip)
    fed, samples = steps_and_samples(x)
    task = model_task(task_name, program)
    if labels is not None:
        labels = task.check_labels(labels, samples, program.population(program.outputs[0]).size)
    result = simulate(program, x, context=data_name)
    fixed = output_of(program, result, fed)
    graph = network.source
    floating = None if graph is None else float_output(graph, network.options, program, x, network.name)
    scored = {
        name: None if labels is None or output is None else task.score(output, labels)
        for name, output in (("float", floating), ("fixed", fixed))
    }
    profile = network.profile(x, optimise=optimise, progress=progress).profile
    difference = None if network.source is None else network.diff(slice_samples(x, 0, _COMPARED), task=task_name).report
    ann = None if teacher is None else teacher.accuracy
    sizes = twin_sizes_of(program, None if teacher is None else teacher.path)
    costs = compare_devices(sizes, devices)
    profiles = [chip, *map(load_device, devices)]
    summary = Summary(
        recipe=Path(network.name).name,
        dataset=data_name,
        chip=chip.name,
        chip_title=chip.title,
        compiled=build.compiled_of(network.chip, network.options),
        **build.environment_of(),
        test_samples=samples,
        steps=fed,
        chip_steps=result.steps,
        dt=program.dt,
        agreement=None if floating is None else float(np.mean(task.same(fixed, floating))),
        accuracy=Accuracies(ann=ann, **scored) if task.metric is ACCURACY else Accuracies(),
        task=_scores_of(task, scored),
        per_inference=build.per_inference_of(profile),
        layers=build.layers_of(program, profile),
        mapping=build.mapping_of(profile.mapping),
        workload=build.workload_of(profile),
        core_map=core_map_of(profile.mapping, profile.timeline, chip),
        difference=None if difference is None else difference_of(difference),
        network=build.network_of(program),
        ann=build.ann_of(costs),
        constants=build.constants_of(profiles),
    )
    winners = answers(program, result, fed)
    classes = labels if task.metric is ACCURACY and labels is not None and labels.ndim == 1 else None
    return ModelRun(summary, _raster(network, x, winners, classes))


def _scores_of(task: ModelTask, scored: Mapping[str, float | None]) -> TaskScores | None:
    """The task's entry in the summary; None for the winner by spikes."""
    if task.name == "spike_count" or task.metric is None:
        return None
    return TaskScores(task=task.name, loss="", metric=Metric.of(task.metric), **scored)


def _raster(network: Network, x: InputArrays, winners: NDArray[np.int64], labels: NDArray[np.int64] | None) -> Raster:
    """Every spike of the first sample that is answered right, or of the first one."""
    right = np.flatnonzero(winners == labels) if labels is not None else np.zeros(0, np.int64)
    sample = int(right[0]) if len(right) else 0
    one = slice_samples(x, sample, sample + 1)
    result: SimulationResult = simulate(network.program, one, record="layers")
    inputs: Mapping[str, NDArray[np.int64]] = check_input(network.program, one)
    entered = np.zeros((result.steps, sum(port.size for port in network.program.inputs)), np.uint8)
    values = np.concatenate([inputs[port.name][:, 0] for port in network.program.inputs], axis=1)
    entered[: len(values)] = values != 0
    layers = {
        p.name: (result.states[f"s/{p.name}"][:, 0].reshape(result.steps, -1) != 0).astype(np.uint8)
        for p in network.program.populations
    }
    label = int(labels[sample]) if labels is not None else int(winners[sample])
    return Raster(sample, label, entered, layers)
