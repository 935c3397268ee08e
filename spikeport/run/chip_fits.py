"""`spikeport fit`: a network on every chip that this project compiles for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spikeport.common.as_arrays import as_arrays
from spikeport.common.errors import InputError
from spikeport.console.output import Done
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import DEFAULTS, CompileOptions
from spikeport.exporter.mapping import core_count
from spikeport.exporter.nir_graph.nir_file import read_nir
from spikeport.exporter.program.chip_program import InputArrays
from spikeport.hardware_profiles.loader import available, load_chip, load_profile
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.lava_runtime.inputs import check_input, load_input, steps_and_samples
from spikeport.network.arguments import graph_or_file
from spikeport.network.graph_loader import with_sample
from spikeport.network.input_files import open_spikes
from spikeport.network.model_files import check_model_file
from spikeport.network.model_task import ModelTask, model_task
from spikeport.network.network import Network, compile_network
from spikeport.results.chip_fits import ChipFit, ChipFits

from .float_output import float_output
from .measures import output_of


def fit(
    model: nir.NIRGraph | str | Path,
    data: InputArrays | str | Path,
    labels: NDArray[Any] | str | Path | None = None,
    *,
    chips: Sequence[str] = (),
    options: CompileOptions = DEFAULTS,
    progress: Done | None = None,
) -> ChipFits:
    """A network on every chip with integers, or those named: fits or why not, answers, energy and latency.

    model: a NIR graph or .nir file. data: (time, samples, *input shape), or a file of it. labels: a class per sample.
    Raises InputError for a model, data or labels that no chip can do anything with.
    """
    source = graph_or_file(model)
    graph, name = (source, "graph") if isinstance(source, nir.NIRGraph) else (_read(source), source.name)
    options = with_sample(options, graph, name)
    # what is wrong with the call or the network itself is no chip's limit
    lower_graph(graph, options, name)
    classes = load_input(labels) if isinstance(labels, (str, os.PathLike)) else labels
    # a chip that is named twice is one
    names = tuple(dict.fromkeys(chips)) or all_chips()
    rows, answer, samples = [], "winner", 0
    for number, chip in enumerate(names):
        profile = load_chip(chip)
        try:
            network = compile_network(graph, chip, options)
            reasons = network.check().reasons
        except InputError as error:
            # another chip may take it
            rows.append(ChipFit(profile.name, profile.title, error.all_sentences))
            continue
        values = open_spikes(Path(data), network.program)[0] if isinstance(data, (str, os.PathLike)) else data
        where = str(data) if isinstance(data, (str, os.PathLike)) else "data"
        values = as_arrays(values, where)
        check_input(network.program, values, where)
        task, samples = model_task(None, network.program), steps_and_samples(values)[1]
        answer = task.words
        cores = core_count(network.program, profile)
        row = ChipFit(profile.name, profile.title, tuple(reasons), cores)
        rows.append(row if reasons else _measured(row, network, graph, options, values, classes, task))
        if progress is not None:
            progress(number + 1, len(names))
    return ChipFits(name, samples, tuple(rows), answer)


def all_chips() -> tuple[str, ...]:
    """The names of all chips that networks are compiled for, those of installed packages included."""
    return tuple(name for name in available() if isinstance(load_profile(name), ChipProfile))


def _read(path: Path) -> nir.NIRGraph:
    check_model_file(path, (".nir",))
    return read_nir(path)


def _measured(
    row: ChipFit,
    network: Network,
    graph: nir.NIRGraph,
    options: CompileOptions,
    x: InputArrays,
    labels: NDArray[Any] | None,
    task: ModelTask,
) -> ChipFit:
    """The row with answers and costs on x."""
    program, (fed, samples) = network.program, steps_and_samples(x)
    run = network.simulate(x)
    output = output_of(program, run.result, fed)
    wanted = float_output(graph, options, program, x, network.name)
    if labels is not None:
        labels = task.check_labels(labels, samples, program.population(program.outputs[0]).size)
    report = run.profile()
    return ChipFit(
        row.chip, row.title, (), row.cores,
        accuracy=None if labels is None else task.score(output, labels),
        agreement=float(np.mean(task.same(output, wanted))),
        energy_j=report.energy_j,
        latency_s=report.latency_s,
    )  # fmt: skip
