"""A compiled network and its methods, shared by command line and Python: check, simulate, profile, diff, save."""

from __future__ import annotations

import os
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nir
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spikeport.common.as_arrays import as_arrays
from spikeport.common.errors import InputError
from spikeport.common.overwriting import refuse_inputs
from spikeport.console.output import Done, say
from spikeport.console.tables import show_table
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import DEFAULTS, CompileOptions
from spikeport.exporter.mapping import read_map
from spikeport.exporter.nir_graph.nir_file import read_nir
from spikeport.exporter.program.chip_file import save_program
from spikeport.exporter.program.chip_program import ChipProgram, InputArrays
from spikeport.hardware_profiles.loader import load_chip, load_costs
from spikeport.lava_runtime.diff_report import Answer
from spikeport.lava_runtime.diff_spikes import compare_networks
from spikeport.lava_runtime.doubtful_input import InputWarning, doubts
from spikeport.lava_runtime.inputs import steps_and_samples
from spikeport.lava_runtime.partition.optimise import Goal, mapping_for
from spikeport.lava_runtime.partition.rates import Rates, measured_rates
from spikeport.lava_runtime.profiling.profile import profile_run, profile_simulated
from spikeport.lava_runtime.result import Record, load_result
from spikeport.lava_runtime.simulate import DEFAULT_LIMIT_SECONDS, Backend, simulate
from spikeport.report.units import plural
from spikeport.results.cost import ProfileReport
from spikeport.results.difference import Difference
from spikeport.results.fit import Fit
from spikeport.results.shown import Shown
from spikeport.results.simulation import Simulation

from .arguments import chip_name, path_of
from .graph_loader import compile_nir, open_model
from .input_files import open_spikes
from .model_files import check_model_file
from .model_task import model_task

Spikes = InputArrays | str | Path
"""An array (time, batch, *input shape), a dict of arrays by input name, a file of either (.npy, .npz, .h5), or a
recording of events or sound, an image, or a folder of them."""
_ENDINGS = (".nir", ".net", ".onnx")


@dataclass(frozen=True, repr=False)
class Network(Shown):
    """A network compiled for one chip.

    name: used in errors; chip: the profile, by name or path; source: the graph it was compiled from, if known; options:
    the compile options; read: the files it was made from, which no result overwrites.
    """

    program: ChipProgram
    name: str
    chip: str
    source: nir.NIRGraph | None = None
    options: CompileOptions = DEFAULTS
    read: tuple[Path, ...] = ()

    def check(
        self,
        chip: str | Path | None = None,
        by_hand: str | Path | None = None,
        *,
        optimise: Goal | None = None,
        x: Spikes | None = None,
    ) -> Fit:
        """Check what fits the chip (default: the one it was compiled for), core by core.

        by_hand: a file with the neurons of each core. optimise: choose cores for the least "time" or "energy" of a step
        by the cost model, or for the fewest "cores"; x: input whose spikes it counts with, default a tenth of all.
        """
        profile = load_chip(self.chip if chip is None else chip_name(chip))
        if optimise is not None:
            if by_hand is not None:
                raise InputError(f"{by_hand}: is a mapping made by hand; leave it out to have one optimised")
            rates = None if x is None else self._rates(x)
            return Fit.for_goal(Path(self.name).name, self.program, profile, optimise, rates, self._read(x))
        if x is not None:
            raise InputError("input is used to optimise the mapping; say what for: time, energy or cores")
        mapping = None if by_hand is None else Path(by_hand)
        return Fit.of(Path(self.name).name, self.program, profile, mapping, self._read(by_hand))

    def simulate(
        self,
        x: Spikes,
        *,
        backend: Backend = "emulator",
        steps: int | None = None,
        record: Record = "spikes",
        limit_seconds: float = DEFAULT_LIMIT_SECONDS,
        progress: Done | None = None,
        where: str = "input",
        device: str = "cpu",
    ) -> Simulation:
        """Run on x (time, batch, *input shape) of 0/1 spikes or payloads; raises InputError and BackendError.

        steps: time steps of the chip, default until every answer is out; of a recording, the steps it is divided into;
        record: "layers" records every layer's spikes, "all" also every state; limit_seconds: time limit of a Lava run;
        where: the name of x in errors. device: where the emulator computes, "cpu", "cuda" (a GPU) or "auto".
        """
        read = self._read(x)
        if isinstance(x, (str, os.PathLike)):
            where = str(x)
            x, steps = open_spikes(Path(x), self.program, steps)
        values, where = self.read_input(x, where)
        result = simulate(self.program, values, backend, steps, record, limit_seconds, progress, where, device=device)
        return Simulation(self.program, result, backend, steps_and_samples(values)[0], self.chip, values, read)

    def profile(
        self,
        x: Spikes,
        *,
        run: str | Path | None = None,
        costs: str | tuple[str, ...] = (),
        by_hand: str | Path | None = None,
        optimise: Goal | None = None,
        progress: Done | None = None,
    ) -> ProfileReport:
        """The cost of one inference, from a recorded run on x (OUT.npz) or else simulated in the emulator.

        costs: profiles that also price the events; by_hand: a file with the neurons of each core; optimise: cores
        chosen by the cost model for the least "time" or "energy" at the rates of x. Raises InputError.
        """
        names = (costs,) if isinstance(costs, str) else costs
        others = tuple(load_costs(name) for name in names)
        chip = load_chip(self.chip)
        mapping = None if by_hand is None else read_map(Path(by_hand), self.program, chip)
        if mapping is not None and not mapping.fits:
            raise InputError(f"{by_hand}: {mapping.reasons()[0]}")
        if mapping is not None and optimise is not None:
            raise InputError(f"{by_hand}: is a mapping made by hand; leave it out to have one optimised")
        values, where = self.read_input(x)
        if optimise is not None:
            known = simulate(self.program, values, context=where) if run is None else load_result(run, self.program)
            mapping = mapping_for(self.program, chip, optimise, known.neuron_counts, known.steps)
        if run is None:
            profile = profile_simulated(self.program, values, chip, where, progress, mapping)
        else:
            profile = profile_run(self.program, load_result(run, self.program), chip, values, mapping)
        return ProfileReport(self.program, profile, chip, others, self._read(x, run, by_hand))

    def diff(self, x: Spikes, *, task: str | None = None, progress: Done | None = None) -> Difference:
        """Compare float and fixed point on x, layer by layer; raises InputError if the graph is unknown.

        task: what counts as the same answer (docs/tasks.md); None: the winner, or the only output's count or value.
        """
        if self.source is None:
            raise InputError(f"{self.name}: holds the chip's integers only; compile the graph it was made from")
        values, where = self.read_input(x)
        network = lower_graph(self.source, self.options, self.name)
        asked = model_task(task, self.program)
        answer = Answer(asked.same, asked.words)
        report = compare_networks(network, self.program, values, where, progress, answer)
        return Difference(report, self._read(x))

    def save(self, path: str | Path) -> None:
        """Write the program, MODEL.chip; raises InputError if it cannot be written or is an input of the network."""
        file = path_of("path", path)
        refuse_inputs(file, self.read)
        if file.suffix in (".npz", ".npy", ".nir", ".net", ".onnx", ".json", ".toml", ".html"):
            raise InputError(f"{file}: a compiled network is a .chip file; give a name that ends in .chip")
        save_program(self.program, file)

    def to_dict(self) -> dict[str, Any]:
        """Chip, time step, ports, and the rounding errors of every layer."""
        program = self.program
        return {
            "network": self.name,
            "chip": program.chip,
            "dt": program.dt,
            "pipeline_steps": program.pipeline_steps,
            "inputs": {port.name: list(port.shape) for port in program.inputs},
            "outputs": {name: list(program.source_shape(name)) for name in program.outputs},
            "layers": [
                {
                    "name": p.name,
                    "kind": p.KIND,
                    "shape": list(p.shape),
                    "quantisation": asdict(program.quantisation[p.name]) if p.name in program.quantisation else None,
                }
                for p in program.populations
            ],
        }

    def show(self, console: Console) -> None:
        """Print the rounding errors of every layer."""
        columns = ("layer", "neurons", "weight error rms", "largest", "du", "dv", "vth", "largest u")
        table = Table(*columns, title=escape(f"{self.name} for {self.program.chip}"))
        for population in self.program.populations:
            report = self.program.quantisation.get(population.name)
            errors = [] if report is None else [
                report.weight_error_rms, report.weight_error_max, report.du_error, report.dv_error, report.vth_error
            ]  # fmt: skip
            bound = [] if report is None else [f"{report.current_bound:.0%}"]
            table.add_row(escape(population.name), str(population.size), *(f"{e:.2%}" for e in errors), *bound)
        show_table(table, console)
        for name, report in self.program.quantisation.items():
            for note in report.notes:
                say(console, f"{name}: {note}")
        say(console, f"answers lag the input by {plural(self.program.pipeline_steps, 'step')}")

    def _rates(self, x: Spikes) -> Rates:
        """Spikes per step of every element, in the emulator."""
        values, where = self.read_input(x)
        result = simulate(self.program, values, context=where)
        return measured_rates(self.program, result.neuron_counts, result.steps)

    def _read(self, *more: object) -> tuple[Path, ...]:
        """The files of the network, and those that a result was made from."""
        return (*self.read, *(Path(path) for path in more if isinstance(path, (str, Path))))

    def read_input(self, x: Spikes, where: str = "input") -> tuple[InputArrays, str]:
        """The arrays of an input and its name in errors; warns of doubtful values. Raises InputError."""
        if isinstance(x, (str, os.PathLike)):
            values, where = open_spikes(Path(x), self.program)[0], str(x)
        else:
            values = as_arrays(x, where)
        for doubt in doubts(self.program, values, where):
            warnings.warn(doubt, InputWarning, stacklevel=3)
        return values, where


def compile_network(
    model: Path | nir.NIRGraph, chip: str, options: CompileOptions = DEFAULTS, context: str = "graph"
) -> Network:
    """Compile a graph, which messages call `context`, a .nir, .net or .onnx file; raises InputError."""
    if isinstance(model, Path):
        check_model_file(model, _ENDINGS)
    if isinstance(model, Path) and model.suffix in (".net", ".onnx"):
        return Network(
            open_model(model, chip, options), str(model), chip, read=_files(model, chip, options.calibration)
        )
    graph, context = (read_nir(model), str(model)) if isinstance(model, Path) else (model, context)
    read = _files(model, chip, options.calibration)
    return Network(compile_nir(graph, chip, options, context), context, chip, graph, options, read)


def open_network(path: Path, chip: str | None = None, options: CompileOptions = DEFAULTS) -> Network:
    """A .chip file unchanged, or a .nir, .net or .onnx file compiled for `chip`; raises InputError."""
    if path.suffix == ".nir" and chip is not None:
        return compile_network(path, chip, options)
    program = open_model(path, chip, options)
    return Network(program, str(path), chip or program.chip, read=_files(path, chip, options.calibration))


def _files(*sources: object) -> tuple[Path, ...]:
    """The sources that are paths, including profiles given by path."""
    return tuple(Path(p) for p in sources if isinstance(p, Path) or (isinstance(p, str) and p.endswith(".toml")))
