"""`spikeport sweep`: the table of points."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spikeport.console.output import say
from spikeport.console.tables import show_table
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.report.scores import score
from spikeport.report.units import estimate

from . import Sweep
from .scored import metric_of


def show_sweep(sweep: Sweep, console: Console) -> None:
    """Print one row per point; a star marks the Pareto front."""
    keys = list(sweep.grid.axes)
    metric = metric_of(sweep.rows)
    table = Table(*keys, metric.name.replace("_", " "), "energy (estimate)", "latency (estimate)", "cores", "")
    for number, row in enumerate(sweep.rows):
        named = [escape(str(row["values"][key])) for key in keys]
        if "error" in row:
            table.add_row(*named, "", "", "", "", "none: see below")
            continue
        star = "*" if number in sweep.front else "" if row["fits"] else "does not fit"
        energy, latency = (
            Estimate(*(row[f"{name}_{unit}"] for name in (f"{quantity}_low", quantity, f"{quantity}_high")))
            for quantity, unit in (("energy", "j"), ("latency", "s"))
        )
        costs = estimate(energy, "J"), estimate(latency, "s")
        table.add_row(*named, score(metric, row[metric.name]), *costs, str(row["cores"]), star)
    show_table(table, console)
    for row in sweep.rows:
        if "error" in row:
            point = ", ".join(f"{key}={value}" for key, value in row["values"].items())
            say(console, f"{point}: {row['error']}")
    say(console, f"*: no other point reaches this {metric.name.replace('_', ' ')} with less energy")
