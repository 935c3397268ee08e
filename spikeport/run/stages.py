"""The stages of a run, one function each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.arrays import save_array, save_arrays
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.from_torch import network_to_nir
from spikeport.exporter.nir_graph.nir_file import read_nir, write_nir
from spikeport.exporter.onnx.ann_model import export_onnx, quantise_onnx, run_onnx
from spikeport.exporter.program.chip_file import load_program, save_program
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.cost_model.ann_cost import TwinLayerSize, conv_kind
from spikeport.lava_runtime.diff_report import DiffReport
from spikeport.lava_runtime.diff_spikes import compare_networks
from spikeport.lava_runtime.result import SimulationResult, differences, joined
from spikeport.lava_runtime.simulate import Backend, simulate
from spikeport.summary import Confusion
from spikeport.trainer.ann import AnnTwin
from spikeport.trainer.data import Dataset, load_dataset
from spikeport.trainer.loop.parallel import this_process
from spikeport.trainer.loop.pruning import warn_at_once
from spikeport.trainer.methods.in_integers import phases
from spikeport.trainer.methods.method import Method
from spikeport.trainer.methods.registry import load_trained
from spikeport.trainer.network.inference_layers import TwinLayer
from spikeport.trainer.tasks.registry import Objective, objective_of
from spikeport.trainer.twin_training import twin_network, twin_training

from .claim import checkpoint_of
from .compile_recipe import compile_recipe, options_of
from .measures import answers as answers
from .measures import compare_devices as compare_devices
from .measures import output_of
from .recipe import Recipe
from .run_folder import RunFolder
from .train_recipe import check_network, fit_recipe, has_own_integers

Progress = Callable[[int, int], None]
# test samples on which float and fixed point are compared
_COMPARED = 200
# a field is called float, as in summary.json
Value = float

_FLOAT32_ERROR = 1e-6
# test samples whose every spike is compared at once
_SAMPLES = 256
# bytes of recorded states up to which they are kept for the whole test split
_LARGEST_RECORD = 2 << 30
# samples at once beyond that: the states of all of them are in memory
_PART = 1000


@dataclass(frozen=True)
class Accuracies:
    """The task's metric on the test split, and shares of it on which the trained network and the chip agree.

    float: the network as the trainer computes it, in the chip's integers if it is chip-aware; agreement: share of
    samples with the same answer; equal_spikes: share of samples with the same spikes in every layer; confusion: the
    chip's answers by class, None without classes.
    """

    objective: Objective
    ann: Value
    ann_int8: Value
    float: Value
    fixed: Value
    agreement: Value
    equal_spikes: Value
    confusion: Confusion | None


def dataset_of(recipe: Recipe) -> Dataset:
    """The recipe's data in its fixed split; raises InputError if absent, broken or unfit for the recipe's encoding."""
    training = recipe.training
    data = load_dataset(
        recipe.dataset, training.seed, recipe.data, training.steps, encoding=training.encoding, files=recipe.files
    )
    data.check_encoding(recipe.training.encoding, recipe.training.steps)
    objective_of(training).task.check(data)
    return data


def train_network(
    recipe: Recipe,
    folder: RunFolder,
    data: Dataset,
    resume: bool,
    progress: bool,
    restored: Callable[[], None] | None = None,
) -> Method:
    """Train the spiking network into network.safetensors, written by the first of several processes.

    restored: called once the checkpoint to resume has been read.
    """
    going_on = resume and folder.checkpoint.exists()
    method = fit_recipe(
        recipe, recipe.training, data, folder.path, resume=going_on, progress=progress, restored=restored
    )
    if this_process().first:
        folder.keep(method.save, "network")
    return method


def begin_and_train(
    recipe: Recipe, folder: RunFolder, data: Dataset, resume: bool, on_start: Callable[[], None] | None
) -> Method:
    """Train, with a progress bar; on_start: called before writing, or on resuming once the checkpoint is read."""
    check_network(recipe, data)
    pruning = phases(recipe.training)[0] if has_own_integers(recipe) else recipe.training
    warn_at_once(pruning.pruned, pruning.epochs)
    resuming = resume and checkpoint_of(folder.path) is not None
    if on_start is not None and not resuming:
        on_start()
    return train_network(recipe, folder, data, resuming, progress=True, restored=on_start)


def train_twin(recipe: Recipe, folder: RunFolder, data: Dataset, resume: bool, progress: bool) -> AnnTwin:
    """Train the ANN twin into ann.safetensors, written by the first of several processes.

    resume: go on with a training of the twin that was interrupted, if there is one.
    """
    settings = twin_training(recipe.training, recipe.ann_epochs)
    twin = AnnTwin(twin_network(recipe.network, len(data.y_train)), settings)
    twin.fit(data, folder.path, resume and twin.has_begun(folder.path), progress)
    if this_process().first:
        folder.keep(twin.save, "ann")
    return twin


def export_nir(folder: RunFolder, method: Method | None = None) -> None:
    """network.safetensors -> model.nir."""
    trained = method or load_trained(folder.network)
    write_nir(network_to_nir(trained.spiking_network), folder.nir)


def export_twin(folder: RunFolder, twin: AnnTwin, data: Dataset) -> None:
    """ann.safetensors -> ann.onnx, and ann_int8.onnx calibrated on training data."""
    export_onnx(twin.twin_layers(), data.input_shape, folder.onnx)
    quantise_onnx(folder.onnx, folder.onnx_int8, twin.task.twin_input(data, data.x_train[:512]))


def compile_nir(folder: RunFolder, recipe: Recipe) -> ChipProgram:
    """model.nir -> model.chip, read back from the file."""
    save_program(compile_recipe(recipe, read_nir(folder.nir), str(folder.nir)), folder.chip)
    return load_program(folder.chip)


def encode_test(folder: RunFolder, method: Method, data: Dataset) -> NDArray[np.uint8]:
    """The test split as spikes, stored in test_input.npy."""
    spikes = method.encode(data.x_test)
    save_array(folder.test_input, spikes)
    return spikes


def simulate_test(
    program: ChipProgram, x: NDArray[Any], backend: Backend, progress: Progress | None, limit_seconds: float
) -> SimulationResult:
    """Run the test split to its last answer, with every state recorded where memory has room for them."""
    steps, samples = len(x) + program.pipeline_steps, x.shape[1]
    size = steps * samples * sum(p.size * (1 + 4 * len(p.STATES)) for p in program.populations)
    if size <= _LARGEST_RECORD:
        return simulate(program, x, backend, record="all", limit_seconds=limit_seconds, progress=progress)
    parts = []
    for start in range(0, samples, _PART):
        part = x[:, start : start + _PART]
        parts.append(simulate(program, part, backend, record="spikes", limit_seconds=limit_seconds))
        if progress is not None:
            progress(min(start + _PART, samples), samples)
    return joined(parts)


def measure(
    folder: RunFolder, method: Method, data: Dataset, program: ChipProgram, result: SimulationResult
) -> Accuracies:
    """The task's metric on the test split."""
    objective = method.objective
    task, metric, targets = objective.task, objective.metric, data.y_test
    still = task.twin_input(data, data.x_test)
    floating = method.predict(data.x_test)
    fixed = chip_answers(objective, program, result, method.train_config.steps)
    return Accuracies(
        objective=objective,
        ann=task.twin_score(metric, run_onnx(folder.onnx, still), targets),
        ann_int8=task.twin_score(metric, run_onnx(folder.onnx_int8, still), targets),
        float=metric.measure(floating, targets),
        fixed=metric.measure(fixed, targets),
        agreement=same_answers(floating, fixed),
        equal_spikes=equal_spikes(method, data, program, result),
        confusion=Confusion.of(targets.reshape(-1), fixed.reshape(-1), data.names) if data.has_classes else None,
    )


def float_difference(folder: RunFolder, recipe: Recipe, program: ChipProgram, x: NDArray[Any]) -> DiffReport:
    """Compare model.nir in floating point with the program on the first test samples, layer by layer."""
    network = lower_graph(read_nir(folder.nir), options_of(recipe), str(folder.nir))
    return compare_networks(network, program, x[:, :_COMPARED], str(folder.test_input))


def chip_answers(objective: Objective, program: ChipProgram, result: SimulationResult, steps: int) -> NDArray[Any]:
    """The task's answers from what the chip sent, (N, ...)."""
    if objective.task.name == "spike_count":
        return answers(program, result, steps)
    return objective.task.answer(output_of(program, result, steps))


def same_answers(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Share of samples with the same answer, up to the rounding of float32 where it is a real number."""
    same = np.isclose(first, second, rtol=_FLOAT32_ERROR) if first.dtype.kind == "f" else first == second
    return float(same.reshape(len(same), -1).all(axis=1).mean())


def equal_spikes(method: Method, data: Dataset, program: ChipProgram, result: SimulationResult) -> float:
    """Share of test samples whose spikes are the same in training and on chip, in every layer and step."""
    x = method.encode(data.x_test)
    identical = 0
    for start in range(0, x.shape[1], _SAMPLES):
        part = slice(start, start + _SAMPLES)
        equal, sent = np.ones(x[:, part].shape[1], bool), spikes_of_layers(program, x, result, part)
        for name, spikes in method.run(x[:, part]).items():
            first, states = program.latency.get(name, 0), sent.get(name)
            # the compiler leaves out a layer that can never fire
            chip_spikes = np.zeros_like(spikes) if states is None else states[first : first + len(x)]
            equal &= (chip_spikes.reshape(spikes.shape) == spikes).reshape(len(x), len(equal), -1).all(axis=(0, 2))
        identical += int(equal.sum())
    return identical / x.shape[1]


def spikes_of_layers(
    program: ChipProgram, x: NDArray[Any], result: SimulationResult, part: slice
) -> dict[str, NDArray[Any]]:
    """What every layer sent for some of the samples, (steps, samples, *shape): as recorded, or simulated again."""
    states = {name: values[:, part] for name, values in result.states.items()}
    states = states or dict(simulate(program, x[:, part], record="layers", steps=result.steps).states)
    return {name[2:]: values for name, values in states.items() if name.startswith("s/")}


def equal_to(result: SimulationResult, other: SimulationResult) -> bool:
    """Whether two backends gave the same spikes, counts and states."""
    return not differences(result, other) and not differences(other, result)


def write_raster(
    folder: RunFolder, program: ChipProgram, x: NDArray[Any], result: SimulationResult, data: Dataset
) -> None:
    """Store every spike of the first correctly answered test sample (or the first one) in raster.npz."""
    right = np.flatnonzero(answers(program, result, len(x)) == data.y_test)
    sample = int(right[0]) if len(right) else 0
    inputs = np.zeros((result.steps, x[0, 0].size), np.uint8)
    inputs[: len(x)] = x[:, sample].reshape(len(x), -1)[: result.steps]
    arrays: dict[str, Any] = {"sample": np.int64(sample), "label": np.int64(data.y_test[sample]), "input": inputs}
    for name, spikes in spikes_of_layers(program, x, result, slice(sample, sample + 1)).items():
        arrays[f"s/{name}"] = spikes.reshape(result.steps, -1)
    image = data.x_test[sample]
    side = int(np.sqrt(image.size))
    if data.steps is None and side * side == image.size:
        arrays["image"] = image.reshape(side, side).astype(np.float32)
    save_arrays(folder.raster, arrays)


def twin_sizes(layers: Sequence[TwinLayer], input_shape: tuple[int, ...]) -> list[TwinLayerSize]:
    """Multiply-accumulates, parameters and activations of every layer; every term of a sum counts as input."""
    sizes_of = {"input": int(np.prod(input_shape))}
    sizes = []
    for layer in layers:
        outputs = int(np.prod(layer.output_shape))
        positions = outputs // layer.weight.shape[0]
        synapses = [
            (layer, layer.weight),
            *([] if layer.shortcut is None else [(layer.shortcut, layer.shortcut.weight)]),
        ]
        # padding counts: a device also multiplies those zeros
        macs = sum(positions * weight.size for _, weight in synapses)
        parameters = sum(weight.size for _, weight in synapses) + layer.bias.size
        inputs = sum(sizes_of[source] for synapse, _ in synapses for source in synapse.sources)
        kind = "dense" if layer.kind == "dense" else conv_kind(layer.weight.shape)
        sizes.append(TwinLayerSize(macs, parameters, inputs, outputs, kind))
        sizes_of[layer.name] = outputs
    return sizes
