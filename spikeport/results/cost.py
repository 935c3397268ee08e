"""`spikeport profile`: the cost of one inference."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
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
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.schema import ChipCosts, ChipProfile
from spikeport.lava_runtime.cost_model.energy import dynamic_energy, static_power
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.lava_runtime.profiling.bound import bound_of
from spikeport.lava_runtime.profiling.profile import Profile
from spikeport.lava_runtime.profiling.trace import write_trace
from spikeport.lava_runtime.profiling.views import views
from spikeport.report.units import counted, estimate, si
from spikeport.summary.build import profile_dict

from .shown import Shown


@dataclass(frozen=True, repr=False)
class ProfileReport(Shown):
    """Counts (exact) and estimates of one inference, means over the samples.

    others: profiles that also price the events; read: the files it was made from.
    """

    program: ChipProgram
    profile: Profile
    chip: ChipProfile
    others: tuple[ChipCosts, ...] = ()
    read: tuple[Path, ...] = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of inputs and layers, in the order of every array."""
        return tuple(layer.name for layer in self.profile.layers)

    @property
    def spikes(self) -> NDArray[np.float64]:
        """Spikes of each layer."""
        return self._per_layer("spikes")

    @property
    def synops(self) -> NDArray[np.float64]:
        """Synaptic operations of each layer."""
        return self._per_layer("synops")

    @property
    def neuron_updates(self) -> NDArray[np.float64]:
        """Neuron updates of each layer."""
        return self._per_layer("neuron_updates")

    @property
    def energy_j(self) -> Estimate:
        """Energy of one inference in joules, dynamic and static: low, typical, high (an estimate)."""
        return self.profile.energy

    @property
    def latency_s(self) -> Estimate:
        """Seconds that one inference takes: low, typical, high (an estimate)."""
        return self.profile.latency

    @property
    def layer_energy_j(self) -> NDArray[np.float64]:
        """Dynamic energy of each layer in joules, (layers, 3): low, typical, high (estimates)."""
        return np.array([(e.low, e.typical, e.high) for e in (layer.energy for layer in self.profile.layers)])

    def to_dict(self) -> dict[str, Any]:
        """per_inference, layers, mapping and workload, as in summary.json, and views: the same by step and core."""
        return {**self._dict, "views": views(self.profile, self.chip)}

    def save_trace(self, path: str | Path) -> None:
        """Write a timeline of steps and cores for Perfetto or chrome://tracing; raises InputError."""
        refuse_inputs(path, self.read)
        write_trace(self.profile, self.chip, path)

    def show(self, console: Console) -> None:
        """Print a table of the layers, energy and latency of one inference, and its price on other profiles."""
        _show(self.program, self._dict, self.profile, self.chip, console)
        if self.others:
            _show_others(self, console)

    @cached_property
    def _dict(self) -> dict[str, Any]:
        return profile_dict(self.program, self.profile)

    def _per_layer(self, field: str) -> NDArray[np.float64]:
        return np.array([getattr(layer, field) for layer in self.profile.layers], np.float64)


def _show(program: ChipProgram, values: dict[str, Any], profile: Profile, chip: ChipProfile, console: Console) -> None:
    table = Table("layer", "neurons", "spikes", "synops", "updates", "messages", "dynamic energy (estimate)")
    for layer in values["layers"]:
        counts = [f"{layer[key]:,.1f}" for key in ("spikes", "synops", "neuron_updates", "messages")]
        table.add_row(escape(layer["name"]), str(layer["neurons"]), *counts, _spread(layer, "energy", "j", "J"))
    show_table(table, console)
    one = values["per_inference"]
    samples, cores = counted(profile.samples, "sample"), counted(values["mapping"]["cores"], "core")
    say(console, f"mean of {samples} on {program.chip}, {cores}; estimates:")
    for reason in profile.mapping.reasons():
        say(console, f"  it does not fit, so these assume as many cores and chips as needed: {reason}")
    say(console, f"  energy per inference {_spread(one, 'energy', 'j', 'J')}")
    dynamic, static = (si(one[key]["typical"], "J") for key in ("dynamic_j", "static_j"))
    say(console, f"  of which dynamic {dynamic}, static {static}")
    for sentence in profile.outside_validation:
        say(console, f"  outside of what was measured on this chip: {sentence}")
    latency, steps = _spread(one, "latency", "s", "s"), counted(one["steps"], "step")
    say(console, f"  latency {latency} for {steps}, input and output excluded")
    busiest = max(profile.timeline.shares, key=lambda name: profile.timeline.shares[name].sum())
    say(console, f"  of which most is spent on {busiest.replace('_', ' ')}")
    say(console, f"  {bound_of(profile.timeline, chip).sentence}")
    sequential, piped = (rate.typical for rate in (profile.unpipelined, profile.pipelined))
    say(console, f"  {sequential:,.3g} inferences per second one after the other, {piped:,.3g} pipelined")
    host, work = one["host_latency_s"]["typical"], values["workload"]
    effective = work["effective_acs"] + work["effective_macs"]
    if host > 0:
        say(console, f"  if the host sends the input spikes, about {si(host, 's')} more")
    say(
        console,
        f"workload: activation sparsity {work['activation_sparsity']:.2%}, connection sparsity "
        f"{work['connection_sparsity']:.2%}, {effective:,.0f} effective of {work['dense_synops']:,.0f} "
        f"dense operations, power proxy {work['power_proxy'] / 1e6:.3g} M-Ops/s",
    )


def _show_others(report: ProfileReport, console: Console) -> None:
    table = Table("the same events priced on", "dynamic energy (estimate)", "idle power per chip")
    for chip in report.others:
        rest = static_power(chip, 1, 1)
        table.add_row(
            chip.title, estimate(dynamic_energy(report.profile.events, chip.energy), "J"), estimate(rest, "W")
        )
    show_table(table, console)
    say(console, "These figures do not include the mapping and the latency on these chips.")


def _spread(row: dict[str, Any], name: str, suffix: str, unit: str) -> str:
    low, typical, high = (row[f"{name}{bound}_{suffix}"] for bound in ("_low", "", "_high"))
    return estimate(Estimate(low, typical, high), unit)
