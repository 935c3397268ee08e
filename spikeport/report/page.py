"""report.html: one self-contained page, made from the files of a run folder."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hardware_profiles.files import write_text

from . import tables, units
from .charts import Competitor, accuracy_picture, contest_picture, energy_picture
from .model import Summary, read_summary
from .network_picture import network_picture
from .raster import Raster, read_raster
from .raster_picture import caption, raster_picture
from .verdict import verdict

REPORT = "report.html"


def write_report(folder: Path) -> Path:
    """Write report.html from summary.json and raster.npz of a run folder; raises InputError if they cannot be read."""
    summary = read_summary(folder / "summary.json")
    target = folder / REPORT
    write_text(target, render(summary, read_raster(folder / "raster.npz")))
    return target


def render(summary: Summary, raster: Raster | None) -> str:
    """The page as text; the same input gives the same bytes."""
    environment = Environment(
        loader=PackageLoader("spikeport.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        {"si": units.si, "percent": units.percent, "plain": units.plain, "count": units.count, "seconds": units.seconds}
    )
    outputs = [node.name for node in summary.network.nodes if node.output]
    constants, sources = tables.constants(summary)
    return environment.get_template("template.html.j2").render(
        s=summary,
        dt="" if summary.dt is None else units.si(summary.dt, "s").replace(".00", ""),
        verdict=verdict(summary),
        figures=tables.key_figures(summary),
        network=network_picture(summary.network) if summary.network.nodes else None,
        raster=None if raster is None else raster_picture(raster, outputs, summary.steps),
        raster_caption="" if raster is None else caption(raster, outputs, summary.steps),
        accuracy=accuracy_picture(summary.accuracy, summary.test_samples),
        rounding=tables.rounding(summary),
        notes=[
            (layer.name, note) for layer in summary.layers if layer.quantisation for note in layer.quantisation.notes
        ],
        energy=energy_picture(summary.layers) if summary.layers else None,
        layers=tables.layers(summary),
        contest=_contest(summary),
        contest_rows=tables.contest(summary),
        mapping=summary.mapping,
        constants=constants,
        sources=sources,
        stages=tables.stages(summary),
        versions=summary.versions,
    )


def _contest(summary: Summary) -> Markup | None:
    rows = []
    if chip := summary.per_inference:
        rows.append(
            Competitor(
                summary.chip_title, "SNN, chip integers", True, chip.energy, chip.dynamic_j.range, chip.static_j.range
            )
        )
    rows += [
        Competitor(device.title, f"ANN, {e.precision}", False, e.energy, e.dynamic_j.range, e.static_j.range)
        for device, e in tables.entries(summary)
    ]
    return contest_picture(rows) if rows else None
