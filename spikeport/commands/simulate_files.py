"""Implementation of `spikeport simulate`: a network on an input file, at once or in chunks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spikeport.common.errors import InputError
from spikeport.common.locks import locked_file
from spikeport.console.output import Done, Output, progress, say
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.program.chip_program import InputArrays
from spikeport.lava_runtime.inputs import steps_and_samples
from spikeport.lava_runtime.nir_data import ENDINGS
from spikeport.lava_runtime.workers import simulate_to_file
from spikeport.network.input_files import open_spikes
from spikeport.network.network import Network, open_network
from spikeport.results.simulation import run_sentence, show_missing, simulation_dict


@dataclass(frozen=True)
class HowToRun:
    """Simulation settings of the command line; steps: of the chip or of recordings, None: until every answer is out."""

    backend: Any
    steps: int | None
    record: Any
    time_limit: float
    workers: int | None = None
    cluster: str | None = None
    device: str = "cpu"


def simulate_file(
    model: Path, x: Path, output: Path, chip: str | None, options: CompileOptions, how: HowToRun, streams: Output
) -> None:
    """Run a model on spikes from a file into OUT.npz, at once or in chunks by worker processes."""
    if how.workers is not None and how.cluster is not None:
        raise InputError("--workers and --cluster: give either --workers or --cluster, which has workers of its own")
    if how.device == "cuda" and (how.workers is not None or how.cluster is not None):
        raise InputError("--device cuda: computes in this process; leave out --workers and --cluster")
    network = open_network(model, chip, options)
    values, steps = open_spikes(x, network.program, how.steps)
    how = replace(how, steps=steps)
    with progress(f"{how.backend}: {steps_and_samples(values)[1]} samples", streams.console) as done:
        if how.workers is None and how.cluster is None:
            with locked_file(output):
                simulation = network.simulate(
                    values, backend=how.backend, steps=how.steps, record=how.record, limit_seconds=how.time_limit,
                    progress=done, where=str(x), device=how.device,
                )  # fmt: skip
                simulation.save(output)
            run = simulation.to_dict()
        else:
            values, _ = network.read_input(values, str(x))
            run = _simulate_in_chunks(network, values, x, output, how, done)
    sentence = run_sentence(run["samples"], steps_and_samples(values)[0], run["steps"], run["output_spikes"])
    say(streams.console, f"{output}: {sentence}")
    show_missing(run["missing_steps"], run["steps"], streams.console)
    streams.write_json({**run, "written": str(output)})


def _simulate_in_chunks(
    network: Network, values: InputArrays, x: Path, output: Path, how: HowToRun, done: Done
) -> dict[str, Any]:
    if output.suffix in ENDINGS:
        raise InputError(f"{output}: --workers and --cluster write .npz; name such a file with -o, or leave them out")
    program = network.program
    written = simulate_to_file(
        program, values, output, how.backend, how.steps, how.record, how.time_limit, done, str(x), how.workers or 1,
        how.cluster,
    )  # fmt: skip
    missing = max(0, steps_and_samples(values)[0] + program.pipeline_steps - written.steps)
    return simulation_dict(how.backend, written.samples, written.steps, missing, written.output_spikes, written.means)
