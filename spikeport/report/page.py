"""report.html: one self-contained page, made from the files of a run folder."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from spikeport.common.files import write_text
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.lava_runtime.cost_model.validated import MEASURED_ERROR
from spikeport.report.pictures.fidelity_picture import fidelity_panels
from spikeport.report.pictures.network_picture import network_picture
from spikeport.report.pictures.raster_picture import step_pictures
from spikeport.report.pictures.time_picture import time_picture, time_rows
from spikeport.summary import DeviceCost, PerInference, Summary, read_summary

from . import tables, units
from .checks import checks
from .confusion import confusion_rows
from .day import day_table
from .pictures import charts, core_map
from .raster import Raster, read_raster
from .scores import has_interval, seed_rows, seeds_title
from .sparsity import SparsityCurve, read_sparsity, sparsity_picture, sparsity_rows
from .verdict import verdict

REPORT = "report.html"


def write_report(folder: Path, target: Path | None = None) -> Path:
    """Write the page, by default report.html in the folder, from summary.json, raster.npz and sparsity.json in it.

    The last two may be missing. Raises InputError if one cannot be read.
    """
    summary = read_summary(folder / "summary.json")
    target = target or folder / REPORT
    raster, sparsity = read_raster(folder / "raster.npz"), read_sparsity(folder / "sparsity.json")
    write_text(target, render(summary, raster, sparsity))
    return target


def render(summary: Summary, raster: Raster | None, sparsity: SparsityCurve | None = None) -> str:
    """The page as text; the same input gives the same bytes."""
    constants, sources = tables.constants(summary)
    mapping, difference = summary.mapping, summary.difference
    return page_from(
        "report.html.j2",
        s=summary,
        verdict=verdict(summary),
        checks=checks(summary),
        what_ran=tables.what_ran(summary),
        network=network_picture(summary.network) if summary.network.nodes else None,
        steps=None if raster is None else _steps(summary, raster),
        accuracy=charts.accuracy_picture(summary.scores, summary.test_samples, summary.float_twin),
        accuracy_rows=tables.accuracy_rows(summary),
        metric=summary.scores.metric.title,
        has_interval=has_interval(summary.scores.metric),
        seed_rows=seed_rows(summary),
        seeds=seeds_title(summary),
        confusion_rows=confusion_rows(summary.confusion),
        fidelity=[] if difference is None else fidelity_panels(difference),
        fidelity_rows=tables.fidelity(summary),
        rounding=tables.rounding(summary),
        notes=[(layer.name, n) for layer in summary.layers if layer.quantisation for n in layer.quantisation.notes],
        energy=charts.energy_picture(summary.layers) if summary.layers else None,
        layers=tables.layers(summary),
        cost_charts=[
            (name, picture)
            for name, picture in (
                ("Energy", _cost_chart(summary, "energy", "J", lambda cost: cost.energy)),
                ("Latency", _cost_chart(summary, "latency", "s", lambda cost: cost.latency)),
            )
            if picture is not None
        ],
        cost_key=[(charts.key("chip"), "spiking network, on the chip"), (charts.key("ann"), "ANN, on a device")],
        cost_rows=tables.cost_rows(summary),
        day_rows=day_table(summary),
        mapping=mapping,
        meshes=[] if mapping is None else core_map.core_meshes(mapping, summary.core_map),
        limits=[] if summary.core_map is None else core_map.limit_meshes(summary.core_map),
        time=None if summary.core_map is None else time_picture(summary.core_map),
        time_rows=[] if summary.core_map is None else time_rows(summary.core_map),
        heat_key=core_map.heat_key(),
        sparsity=None if sparsity is None else sparsity_picture(sparsity),
        sparsity_rows=[] if sparsity is None else sparsity_rows(sparsity),
        constants=constants,
        sources=sources,
        stages=tables.stages(summary),
        measured_error=MEASURED_ERROR,
    )


def page_from(template: str, **values: Any) -> str:
    """Render a template as a page with our style and our script; the page's policy allows the script by its hash."""
    environment = Environment(
        loader=PackageLoader("spikeport.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        {"si": units.si, "percent": units.percent, "plain": units.plain, "count": units.count, "seconds": units.seconds}
    )
    script = resources.files("spikeport.report").joinpath("templates/page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # the script is our own file: it contains nothing of a run
    return environment.get_template(template).render(script=Markup(script), script_hash=f"sha256-{digest}", **values)


def _steps(summary: Summary, raster: Raster) -> Any:
    outputs = [node.name for node in summary.network.nodes if node.output]
    shapes: Mapping[str, list[int]] = {node.name: node.shape for node in summary.network.nodes}
    inputs = [node for node in summary.network.nodes if node.kind == "input"]
    if len(inputs) == 1:
        shapes = {**shapes, "input": inputs[0].shape}
    classes = () if summary.confusion is None else summary.confusion.classes
    return step_pictures(raster, outputs, summary.steps, shapes, classes)


def _cost_chart(
    summary: Summary, quantity: str, unit: str, cost: Callable[[PerInference | DeviceCost], Estimate]
) -> Markup | None:
    rows = []
    if chip := summary.per_inference:
        rows.append(charts.CostRow(summary.chip_title, "chip integers", True, cost(chip)))
    rows += [
        charts.CostRow(device.title, entry.precision, False, cost(entry)) for device, entry in tables.entries(summary)
    ]
    return charts.cost_picture(quantity, unit, rows) if rows else None
