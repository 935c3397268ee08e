"""`spikeport check`: the use of a chip's cores by a network."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spikeport.common.errors import InputError
from spikeport.common.overwriting import refuse_inputs
from spikeport.console.output import say
from spikeport.console.tables import show_table
from spikeport.exporter.mapping import Core, Flow, LimitName, Mapping, map_program, one_each, read_map, write_map
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.lava_runtime.partition.optimise import Goal, Optimised, optimise
from spikeport.lava_runtime.partition.rates import ASSUMED, Rates, assumed_rates
from spikeport.report.units import si
from spikeport.summary.build import mapping_of

from .cores import group_cores, numbers
from .shown import Shown

# a limit of which every core uses less than a tenth gets no column
_SHOWN = 0.1


@dataclass(frozen=True, repr=False)
class Fit(Shown):
    """A network on a chip's cores, layer by layer; neurons: of each layer; read: the files it was made from.

    optimised: the cost model's choice and its gain; assumed: the rate that it takes for every neuron, None if measured.
    """

    network: str
    chip: str
    mapping: Mapping
    neurons: NDArray[np.int64]

    axons: Flow
    read: tuple[Path, ...] = ()
    optimised: Optimised | None = None
    assumed: float | None = None

    @classmethod
    def of(
        cls,
        name: str,
        program: ChipProgram,
        chip: ChipProfile,
        by_hand: Path | None = None,
        read: tuple[Path, ...] = (),
    ) -> Fit:
        """Map a program to a chip's cores; by_hand: a mapping file, see `spikeport.exporter.mapping.read_map`."""
        mapping = map_program(program, chip) if by_hand is None else read_map(by_hand, program, chip)
        return cls._of(name, program, chip, mapping, read)

    @classmethod
    def for_goal(
        cls,
        name: str,
        program: ChipProgram,
        chip: ChipProfile,
        goal: Goal,
        rates: Rates | None = None,
        read: tuple[Path, ...] = (),
    ) -> Fit:
        """The mapping that the cost model chooses for a goal, at measured or assumed rates; raises InputError."""
        optimised = optimise(program, chip, goal, assumed_rates(program) if rates is None else rates)
        mapping = map_program(program, chip) if optimised is None else optimised.mapping
        if optimised is None and mapping.fits and goal != "cores":
            raise InputError(
                f"{name}: its layers share cores on {chip.name} (layers_per_core), and only cores of one layer are "
                "optimised; leave it to the default mapping"
            )
        fit = cls._of(name, program, chip, mapping, read)
        return replace(fit, optimised=optimised, assumed=ASSUMED if rates is None else None)

    @classmethod
    def _of(cls, name: str, program: ChipProgram, chip: ChipProfile, mapping: Mapping, read: tuple[Path, ...]) -> Fit:
        sizes = [program.population(layer.name).size for layer in mapping.layers]
        return cls(name, chip.title, mapping, np.array(sizes, np.int64), one_each(program, mapping), read)

    @property
    def fits(self) -> bool:
        """Whether the whole network fits the board."""
        return self.mapping.fits

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, in the order of every array."""
        return tuple(layer.name for layer in self.mapping.layers)

    @property
    def cores(self) -> NDArray[np.int64]:
        """Cores of each layer."""
        return np.array([layer.cores for layer in self.mapping.layers], np.int64)

    @property
    def fill(self) -> Dictionary[str, NDArray[np.float64]]:
        """Limit -> share used by the fullest core of each layer."""
        names = self.mapping.layers[0].fill if self.mapping.layers else {}
        return {name: np.array([layer.fill[name] for layer in self.mapping.layers]) for name in names}

    @property
    def reasons(self) -> tuple[str, ...]:
        """What does not fit, one sentence each."""
        return tuple(self.mapping.reasons())

    def write(self, path: Path) -> None:
        """Write the mapping as a file that `spikeport check --map` takes, .toml or .json."""
        refuse_inputs(path, self.read)
        write_map(self.mapping, path)

    def to_dict(self) -> dict[str, Any]:
        """The mapping as in summary.json, every core, message hops, and what does not fit."""
        cores = zip(self.mapping.placed, self.mapping.fills, strict=True)
        return {
            **mapping_of(self.mapping).to_dict(),
            "placed": [_core_dict(core, fill) for core, fill in cores],
            "axons": {"messages": self.axons.messages, "hops": self.axons.hops, "chip_hops": self.axons.chip_hops},
            "network": self.network,
            "chip": self.chip,
            "reasons": self.reasons,
            **({} if self.optimised is None else {"optimised": self._optimised_dict(self.optimised)}),
        }

    def _optimised_dict(self, optimised: Optimised) -> dict[str, Any]:
        """The goal, and typical seconds and joules of a mean step on the fewest cores and on these."""
        both = {"fewest_cores": optimised.before, "chosen": optimised.after}
        costs = {name: {"step_s": cost.seconds, "step_j": cost.joules} for name, cost in both.items()}
        return {"goal": optimised.goal, "assumed_rate": self.assumed, **costs}

    def show(self, console: Console) -> None:
        """Print a table of the cores (equal ones in one line), message hops, what does not fit, and the verdict."""
        groups = group_cores(self.mapping)
        shares = {name: max(group.fill.get(name, 0.0) for group in groups) for name in self.mapping.fills[0]}
        limits = [name for name, share in shares.items() if share >= _SHOWN]
        title = escape(f"{self.network} on {self.chip}")
        table = Table("cores", "numbers", "neurons", *(name.replace(" ", "\n") for name in limits), title=title)
        for group in groups:
            filled = [f"{group.fill[name]:.0%}" if name in group.fill else "" for name in limits]
            # quotes, because a layer may be called 1
            contents = ", ".join(f"{neurons} of '{escape(layer)}'" for layer, neurons in group.holds)
            table.add_row(str(len(group.numbers)), numbers(group.numbers), contents, *filled)
        show_table(table, console, prose=(0, 1, 2))
        flowing, links = self.axons, ""
        if self.mapping.chips > 1:
            links = f", {flowing.chip_hops / max(flowing.messages, 1):.2g} of them to another chip"
        hops = f"each takes {flowing.hops / max(flowing.messages, 1):.2g} hops between routers on average"
        say(console, f"one spike per neuron: {flowing.messages:,.0f} messages; {hops}{links}")
        for sentence in self.reasons:
            say(console, sentence)
        if self.optimised is not None:
            _say_optimised(self.optimised, self.assumed, console)
        verdict = "fits" if self.fits else "does not fit"
        board = self.mapping.board
        chips = f" on {self.mapping.chips} of {board.chips} chips" if board.chips > 1 else ""
        say(console, f"{verdict}: {self.mapping.cores} of {board.capacity} cores{chips}")


def _say_optimised(optimised: Optimised, assumed: float | None, console: Console) -> None:
    before, after = optimised.before, optimised.after
    basis = "measured rates" if assumed is None else f"{assumed:g} spikes per neuron and step, an assumption"
    times = f"{si(before.seconds, 's')} to {si(after.seconds, 's')}"
    joules = f"{si(before.joules, 'J')} to {si(after.joules, 'J')}"
    say(console, f"optimised for {optimised.goal}, at {basis}: from the fewest cores to these, a step goes")
    say(console, f"from {times} and from {joules} (estimates); its slowest core is one of {after.slowest!r}")


def _core_dict(core: Core, fill: Dictionary[LimitName, float]) -> dict[str, Any]:
    """One core: its position, its neurons, and the share of each limit that it uses."""
    return {
        "number": core.number,
        "chip": core.chip,
        "x": core.x,
        "y": core.y,
        "slices": [asdict(part) for part in core.slices],
        "fill": dict(fill),
    }
