"""The tables and the picture of docs/methods.md, from the run folders of benchmarks/methods.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks import page
from hardware_profiles.files import write_text
from spikeport.recipe import Recipe
from spikeport.report import svg
from trainer.config import LayerConfig

METHODS = ("bptt", "surrogate_bn", "membrane_bp", "st_rsbp", "soft_lif", "sew_resnet", "tssl_bp")
DATASETS = {"digits": "digits", "mnist10k": "MNIST, 8000 training images", "fsdd": "spoken digits (FSDD)"}
# numbers of time steps that are compared, of one dense network a method
SHORT = {"tssl_bp": (5, 50), "surrogate_bn": (10, 50)}
CANNOT = {
    ("fsdd", "sew_resnet"): "cannot: its blocks are convolutions over images, and the channels of a cochlea are none",
}
HEADINGS = ("method", "network", "float", "fixed", "spike for spike", "steps", "spikes an inference", "training")
LARGEST_LOSS = 0.005


@dataclass(frozen=True)
class Row:
    """A finished run: what was run, its recipe, its summary.json."""

    dataset: str
    method: str
    seed: int
    recipe: Recipe
    summary: dict[str, Any]

    @property
    def float(self) -> float:
        """Share of the test part that the trained network answers right."""
        return float(self.summary["accuracy"]["float"])

    @property
    def fixed(self) -> float:
        """The same of the chip's integers."""
        return float(self.summary["accuracy"]["fixed"])

    @property
    def spikes(self) -> float:
        """Spikes of one inference, the input's among them."""
        return float(self.summary["per_inference"]["spikes"])

    @property
    def seconds(self) -> float:
        """Of one core, for training."""
        return float(self.summary["cpu_seconds"]["train"])


def layer(config: LayerConfig) -> str:
    """A layer in a word or two."""
    notes = [f"{config.kernel}x{config.kernel}"] if config.kind == "conv" and config.kernel != 3 else []
    notes += [f"stride {config.stride}"] if config.stride > 1 else []
    notes += ["recurrent"] if config.recurrent else []
    return f"{config.kind} {config.size}" + (f" ({', '.join(notes)})" if notes else "")


def network(recipe: Recipe) -> str:
    """The hidden layers, in a line."""
    return ", ".join(layer(one) + (f" x {one.repeat}" if one.repeat > 1 else "") for one in recipe.network.layers)


def spread(values: Sequence[float], form: Callable[[float], str]) -> str:
    """The mean, and the lowest and the highest of several."""
    several = f" ({form(min(values))} to {form(max(values))})" if len(values) > 1 else ""
    return form(mean(values)) + several


def share(value: float) -> str:
    """Of the test part."""
    return f"{value:.4f}"


def duration(seconds: float) -> str:
    """Rough: it depends on the machine."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def cells(found: Sequence[Row]) -> tuple[str, ...]:
    """What a method did on one data set, over its seeds."""
    first = found[0]
    return (
        network(first.recipe),
        spread([row.float for row in found], share),
        spread([row.fixed for row in found], share),
        share(mean(row.summary["equal_spikes"] for row in found)),
        str(first.recipe.training.steps),
        f"{mean(row.spikes for row in found):,.0f}",
        duration(mean(row.seconds for row in found)),
    )


def table(rows: Sequence[Row], dataset: str) -> list[tuple[str, ...]]:
    """A line a method; one without a run says why."""
    lines = []
    for method in METHODS:
        found = [row for row in rows if (row.dataset, row.method) == (dataset, method)]
        missing = (CANNOT.get((dataset, method), "not run"), *[""] * (len(HEADINGS) - 2))
        lines.append((f"`{method}`", *(cells(found) if found else missing)))
    return lines


def short_table(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Few time steps beside many, of the same network."""
    lines = []
    for method, steps in SHORT.items():
        for count in steps:
            found = [
                r
                for r in rows
                if (r.dataset, r.method) == ("mnist10k_dense", method) and r.recipe.training.steps == count
            ]
            lines.append(
                (f"`{method}`", *(cells(found) if found else (f"{count} steps: not run", *[""] * (len(HEADINGS) - 2))))
            )
    return lines


def means(rows: Sequence[Row], dataset: str) -> dict[str, float]:
    """Fixed-point accuracy by method, the mean over the seeds."""
    by_method = {m: [row.fixed for row in rows if (row.dataset, row.method) == (dataset, m)] for m in METHODS}
    return {method: mean(values) for method, values in by_method.items() if values}


def wanted(rows: Sequence[Row]) -> list[str]:
    """What the methods are held to, each with what was found."""
    digits, mnist, fsdd = (means(rows, dataset) for dataset in DATASETS)
    deep = {method: value for method, value in mnist.items() if method in ("surrogate_bn", "tssl_bp", "sew_resnet")}
    lost = {f"{row.method} on {row.dataset}, seed {row.seed}": row.float - row.fixed for row in rows}
    lines = [
        _reached("digits, four methods at least 0.98", sum(v >= 0.98 for v in digits.values()) >= 4, digits),
        _reached("digits, all at least 0.96", min(digits.values(), default=0) >= 0.96, digits, lowest=True),
        _reached(
            "MNIST, surrogate_bn, tssl_bp or sew_resnet at least 0.985", max(deep.values(), default=0) >= 0.985, deep
        ),
        _reached("MNIST, all at least 0.96", min(mnist.values(), default=0) >= 0.96, mnist, lowest=True),
        _reached(
            "FSDD, st_rsbp at least 0.93",
            fsdd.get("st_rsbp", 0) >= 0.93,
            {k: v for k, v in fsdd.items() if k == "st_rsbp"},
        ),
    ]
    if lost:
        worst = max(lost, key=lambda name: lost[name])
        lines.append(
            f"fixed at most {100 * LARGEST_LOSS:.1f} points under float, in every run: "
            f"{'met' if lost[worst] <= LARGEST_LOSS else 'not met'}; the most is {100 * lost[worst]:.2f} ({worst})"
        )
    return [f"- {line}" for line in lines + _short_wanted(rows)]


def _reached(what: str, met: bool, values: dict[str, float], lowest: bool = False) -> str:
    if not values:
        return f"{what}: not run"
    if lowest and len(values) < len(METHODS):
        what += f" ({len(values)} of {len(METHODS)} were run)"
    ends = sorted(values, key=lambda name: values[name], reverse=not lowest)
    shown = ends[:1] if lowest else ends[:4]
    return f"{what}: {'met' if met else 'not met'} ({', '.join(f'{name} {values[name]:.4f}' for name in shown)})"


def _short_wanted(rows: Sequence[Row]) -> list[str]:
    lines = []
    for method, (few, many) in SHORT.items():
        found = {
            row.recipe.training.steps: row.fixed
            for row in rows
            if (row.dataset, row.method) == ("mnist10k_dense", method)
        }
        what = f"{method}, {few} steps within 0.5 points of {many}"
        if few not in found or many not in found:
            lines.append(f"{what}: not run")
            continue
        below = found[many] - found[few]
        lines.append(f"{what}: {'met' if below <= 0.005 else 'not met'} ({found[few]:.4f}, {found[many]:.4f})")
    return lines


STYLE = """text { font: 12px sans-serif; fill: #333 } .axis { stroke: #999 } .grid { stroke: #e5e5e5 }
.m0 { fill: #666 } .m1 { fill: #0072b2 } .m2 { fill: #e69f00 } .m3 { fill: #009e73 } .m4 { fill: #cc3d6b }
.m5 { fill: #56b4e9 } .m6 { fill: #7a4fa3 }"""
LEFT, TOP, PANEL, GAP, HIGH = 44.0, 40.0, 176.0, 64.0, 220.0


def picture(rows: Sequence[Row]) -> str:
    """A panel a data set: share answered wrongly in fixed point over spikes of one inference, a dot a run."""
    parts = []
    for number, (dataset, title) in enumerate(DATASETS.items()):
        parts += _panel([row for row in rows if row.dataset == dataset], title, LEFT + number * (PANEL + GAP))
    edge = LEFT + len(DATASETS) * (PANEL + GAP)
    for number, method in enumerate(METHODS):
        y = TOP + 10 + 20 * number
        parts += [svg.dot(edge, y, 4.5, f"m{number}"), svg.text(edge + 12, y + 4, method)]
    width = edge + 108
    return svg.standalone("Error and spikes of every method", TOP + HIGH + 52, parts, STYLE, width) + "\n"


def _panel(rows: Sequence[Row], title: str, left: float) -> list[svg.Markup]:
    parts = [svg.text(left, TOP - 16, title), svg.line(left, TOP + HIGH, left + PANEL, TOP + HIGH, "axis")]
    if not rows:
        return [*parts, svg.text(left, TOP + HIGH / 2, "not run")]
    ticks = svg.round_ticks(max(100 * (1 - row.fixed) for row in rows), 4)
    spikes = [row.spikes for row in rows]
    low, high = math.floor(math.log10(min(spikes))), math.ceil(math.log10(max(spikes)) + 1e-9)

    def across(value: float) -> float:
        return left + PANEL * (math.log10(value) - low) / (high - low)

    def down(value: float) -> float:
        return TOP + HIGH * (1 - value / ticks[-1])

    for tick in ticks[1:]:
        parts.append(svg.line(left, down(tick), left + PANEL, down(tick), "grid"))
    for tick in ticks:
        parts.append(svg.text(left - 6, down(tick) + 4, f"{tick:g} %", anchor="end"))
    for power in range(low, high + 1):
        parts.append(svg.text(across(10.0**power), TOP + HIGH + 18, f"{10**power:,}", anchor="middle"))
    parts.append(svg.text(left + PANEL / 2, TOP + HIGH + 38, "spikes an inference", anchor="middle"))
    return parts + [
        svg.dot(across(row.spikes), down(100 * (1 - row.fixed)), 4.5, f"m{METHODS.index(row.method)}") for row in rows
    ]


def written(text: str, rows: Sequence[Row], measured: Mapping[str, Sequence[str]], also: Sequence[str]) -> str:
    """The page with what stands between its marks brought up to date; also: further lines of what was wanted."""
    parts: dict[str, Sequence[str]] = {dataset: page.table(HEADINGS, table(rows, dataset)) for dataset in DATASETS}
    parts |= {"steps": page.table(HEADINGS, short_table(rows)), "wanted": [*wanted(rows), *also]}
    return page.written(text, {**parts, **measured})


def write_page(
    path: Path, rows: Sequence[Row], measured: Mapping[str, Sequence[str]] | None = None, also: Sequence[str] = ()
) -> None:
    """Bring the page and the picture beside it up to date; measured: tables by mark that are not made of rows."""
    write_text(path, written(path.read_text(encoding="utf-8"), rows, measured or {}, also))
    write_text(path.parent / "img" / "methods.svg", picture(rows))


def print_rows(rows: Sequence[Row]) -> None:
    """All tables, as the page has them."""
    for dataset, title in DATASETS.items():
        print(f"\n{title}", *page.table(HEADINGS, table(rows, dataset)), sep="\n")
    print("\nFew steps", *page.table(HEADINGS, short_table(rows)), "", *wanted(rows), sep="\n")
