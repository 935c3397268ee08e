"""`spikeport simulate`: what a network answered."""

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
from spikeport.exporter.program.chip_program import ChipProgram, InputArrays
from spikeport.hardware_profiles.loader import load_chip, load_costs
from spikeport.lava_runtime.nir_data import ENDINGS, write_result
from spikeport.lava_runtime.profiling.profile import profile_run
from spikeport.lava_runtime.result import SimulationResult

from .cost import ProfileReport
from .shown import Shown


@dataclass(frozen=True, repr=False)
class Simulation(Shown):
    """A run of a program; step t of every array is step t of the chip.

    input_steps: time steps of what entered; profile_name: the chip's profile, by name or path; inputs: what entered;
    read: the files it was made from.
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
        """Spikes of each input and layer, a sample."""
        return self.result.counts()

    @property
    def winners(self) -> NDArray[np.int64]:
        """The output neuron with the most spikes, a sample (the first of equals)."""
        return self.result.winners()

    @property
    def states(self) -> Mapping[str, NDArray[Any]]:
        """s/LAYER, u/LAYER, v/LAYER where record="all", each (steps, samples, *shape)."""
        return self.result.states

    @property
    def missing_steps(self) -> int:
        """Steps by which the run was too short for the answers to the last of the input."""
        return max(0, self.input_steps + self.program.pipeline_steps - self.result.steps)

    def profile(self, *, costs: tuple[str, ...] = ()) -> ProfileReport:
        """What one inference costs; costs: profiles whose constants price the same events. Raises InputError.

        Steps are told apart where record was "layers" or "all".
        """
        others = tuple(load_costs(name) for name in costs)
        chip = load_chip(self.profile_name)
        found = profile_run(self.program, self.result, chip, self.inputs)
        return ProfileReport(self.program, found, chip, others, self.read)

    def save(self, path: str | Path) -> None:
        """Write OUT.npz, or NIR's data where the name ends in .h5 or .hdf5; raises InputError."""
        refuse_inputs(path, self.read)
        if Path(path).suffix in ENDINGS:
            write_result(self.result, self.program.dt, path)
        else:
            self.result.save(path)

    def parts(self) -> dict[str, Any]:
        """Samples, steps and mean spikes a layer."""
        return simulation_parts(
            self.backend, self.result.batch, self.result.steps, self.missing_steps, self._output_spikes,
            {name: float(values.mean()) for name, values in self.counts.items()},
        )  # fmt: skip

    def show(self, console: Console) -> None:
        """Spikes a layer, and whether answers are missing."""
        table = Table("layer", "neurons", "spikes a sample")
        for name, values in self.counts.items():
            table.add_row(escape(name), str(self.program.source_size(name)), f"{values.mean():,.1f}")
        console.print(table)
        say(console, f"{self.backend}: {said(self.result.batch, self.result.steps, self._output_spikes)}")
        show_missing(self.missing_steps, self.result.steps, console)

    @property
    def _output_spikes(self) -> int:
        return int(self.counts[self.program.outputs[0]].sum())


def simulation_parts(
    backend: str, samples: int, steps: int, missing_steps: int, output_spikes: int, spikes: Mapping[str, float]
) -> dict[str, Any]:
    """A run in plain values; spikes: layer -> mean a sample."""
    return {
        "backend": backend,
        "samples": samples,
        "steps": steps,
        "missing_steps": missing_steps,
        "output_spikes": output_spikes,
        "spikes": dict(spikes),
    }


def said(samples: int, steps: int, output_spikes: int) -> str:
    """A run in one line."""
    return f"{samples} samples, {steps} steps, {output_spikes} output spikes"


def show_missing(missing: int, steps: int, console: Console) -> None:
    """Say how to see the answers that a run was too short for."""
    if missing:
        say(
            console,
            f"answers to the input's last {missing} steps are still on their way; --steps {steps + missing} shows them",
        )
