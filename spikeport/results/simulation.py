"""`spikeport simulate`: the output of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spikeport.common.overwriting import refuse_inputs
from spikeport.console.output import say
from spikeport.console.tables import show_table
from spikeport.exporter.program.chip_program import ChipProgram, InputArrays
from spikeport.hardware_profiles.loader import load_chip, load_costs
from spikeport.lava_runtime.nir_data import ENDINGS, write_result
from spikeport.lava_runtime.partition.optimise import Goal, mapping_for
from spikeport.lava_runtime.profiling.profile import profile_run
from spikeport.lava_runtime.result import SimulationResult
from spikeport.report.units import plural

from .cost import ProfileReport
from .shown import Shown


@dataclass(frozen=True, repr=False)
class Simulation(Shown):
    """A run of a program; step t of every array is step t of the chip.

    input_steps: time steps of the input; profile_name: the chip's profile, by name or path; inputs: the input; read:
    the files it was made from.
    """

    program: ChipProgram
    result: SimulationResult
    backend: str
    input_steps: int
    profile_name: str
    inputs: InputArrays | None = None
    read: tuple[Path, ...] = ()

    @property
    def spikes(self) -> NDArray[Any]:
        """The first output's spikes, (steps, samples, *shape)."""
        return self.result.output

    @property
    def counts(self) -> dict[str, NDArray[np.int64]]:
        """Spikes of each input and layer, per sample."""
        return self.result.counts()

    @property
    def winners(self) -> NDArray[np.int64]:
        """The output neuron with the most spikes, per sample (the first of equals)."""
        return self.result.winners()

    @property
    def states(self) -> Mapping[str, NDArray[Any]]:
        """s/LAYER, u/LAYER, v/LAYER if record="all", each (steps, samples, *shape)."""
        return self.result.states

    @property
    def units(self) -> dict[str, NDArray[np.float64]]:
        """Output -> value of one of its integers in the network's units, where an output sends its voltage (LI)."""
        return self.program.output_units

    @property
    def values(self) -> NDArray[Any]:
        """The first output in the network's units: spikes as they are, an LI readout's voltages."""
        unit = self.units.get(self.program.outputs[0])
        return self.spikes if unit is None else self.spikes * unit

    @property
    def missing_steps(self) -> int:
        """Steps missing at the end of the run for the last answers."""
        return max(0, self.input_steps + self.program.pipeline_steps - self.result.steps)

    def profile(self, *, costs: str | tuple[str, ...] = (), optimise: Goal | None = None) -> ProfileReport:
        """The cost of one inference; costs: profiles that also price the events. Raises InputError.

        optimise: cores chosen by the cost model for the least "time" or "energy" of this run. Steps are resolved if
        record was "layers" or "all".
        """
        names = (costs,) if isinstance(costs, str) else costs
        others = tuple(load_costs(name) for name in names)
        chip = load_chip(self.profile_name)
        mapping = mapping_for(self.program, chip, optimise, self.result.neuron_counts, self.result.steps)
        profile = profile_run(self.program, self.result, chip, self.inputs, mapping)
        return ProfileReport(self.program, profile, chip, others, self.read)

    def save(self, path: str | Path) -> None:
        """Write OUT.npz, or NIR's data if the name ends in .h5 or .hdf5; raises InputError."""
        refuse_inputs(path, self.read)
        if Path(path).suffix in ENDINGS:
            write_result(self.result, self.program.dt, path)
        else:
            self.result.save(path, self.program.output_units)

    def to_dict(self) -> dict[str, Any]:
        """Samples, steps and mean spikes per layer."""
        return simulation_dict(
            self.backend, self.result.batch, self.result.steps, self.missing_steps, self._output_spikes,
            {name: float(values.mean()) for name, values in self.counts.items()},
        )  # fmt: skip

    def show(self, console: Console) -> None:
        """Print spikes per layer, and whether answers are missing."""
        table = Table("layer", "neurons", "spikes per sample")
        for name, values in self.counts.items():
            table.add_row(escape(name), str(self.program.source_size(name)), f"{values.mean():,.1f}")
        show_table(table, console)
        sentence = run_sentence(self.result.batch, self.input_steps, self.result.steps, self._output_spikes)
        say(console, f"{self.backend}: {sentence}")
        show_missing(self.missing_steps, self.result.steps, console)

    @property
    def _output_spikes(self) -> int:
        return int(self.counts[self.program.outputs[0]].sum())


def simulation_dict(
    backend: str, samples: int, steps: int, missing_steps: int, output_spikes: int, spikes: Mapping[str, float]
) -> dict[str, Any]:
    """A run in plain values; spikes: layer -> mean per sample."""
    return {
        "backend": backend,
        "samples": samples,
        "steps": steps,
        "missing_steps": missing_steps,
        "output_spikes": output_spikes,
        "spikes": dict(spikes),
    }


def run_sentence(samples: int, input_steps: int, steps: int, output_spikes: int) -> str:
    """A run in one line; it shows which axis of the input was read as time."""
    given = f"{plural(samples, 'sample')} of {plural(input_steps, 'step')}"
    return f"{given}, run for {plural(steps, 'step')}, {plural(output_spikes, 'output spike')}"


def show_missing(missing: int, steps: int, console: Console) -> None:
    """Print how to get the answers that a run was too short for."""
    if missing:
        say(
            console,
            f"answers to the input's last {missing} steps are not out yet; --steps {steps + missing} shows them",
        )
