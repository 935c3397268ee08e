"""Tables and figure of docs/methods.md, from the run folders of benchmarks/methods.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks import page
from spikeport.common.files import write_text
from spikeport.report.pictures import svg
from spikeport.run.recipe import Recipe
from spikeport.trainer.methods.registry import METHODS as _METHODS
from spikeport.trainer.network.layer_specs import layers_in_words

ROOT = Path(__file__).resolve().parent.parent
DATASETS = {"digits": "digits", "mnist10k": "MNIST, 8000 training images", "fsdd": "spoken digits (FSDD)"}
METHODS = tuple(_METHODS)
# numbers of time steps compared, for one dense network per method
SHORT = {"tssl_bp": (5, 50), "surrogate_bn": (10, 50)}
CANNOT = {
    ("fsdd", "sew_resnet"): "cannot: its blocks are convolutions over images, and cochlea channels are not an image",
}
HEADINGS = ("method", "network", "float", "fixed", "spike for spike", "steps", "spikes per inference", "training")
FIXED, COUNT = HEADINGS.index("fixed"), HEADINGS.index("steps")
LARGEST_LOSS = 0.005

Line = tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A finished run: data set, method, seed, recipe, summary.json."""

    dataset: str
    method: str
    seed: int
    recipe: Recipe
    summary: dict[str, Any]

    @property
    def name(self) -> str:
        """Method, data set and seed."""
        return f"{self.method} on {self.dataset}, seed {self.seed}"

    @property
    def float(self) -> float:
        """Test accuracy of the trained network."""
        return float(self.summary["accuracy"]["float"])

    @property
    def fixed(self) -> float:
        """The same of the chip's integers."""
        return float(self.summary["accuracy"]["fixed"])

    @property
    def spikes(self) -> float:
        """Spikes of one inference, the input's included."""
        return float(self.summary["per_inference"]["spikes"])

    @property
    def seconds(self) -> float:
        """Of one core, for training."""
        return float(self.summary["cpu_seconds"]["train"])


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
    """Results of a method on one data set, over its seeds."""
    first = found[0]
    return (
        layers_in_words(first.recipe.network.layers),
        spread([row.float for row in found], share),
        spread([row.fixed for row in found], share),
        share(mean(row.summary["equal_spikes"] for row in found)),
        str(first.recipe.training.steps),
        f"{mean(row.spikes for row in found):,.0f}",
        duration(mean(row.seconds for row in found)),
    )


def recipe_path(dataset: str, method: str) -> Path:
    """The recipe of a run; BPTT on digits is the demo's."""
    plain = (dataset, method) == ("digits", "bptt")
    return ROOT / "recipes" / ("digits.toml" if plain else f"{dataset}_{method}.toml")


def table(rows: Sequence[Row], dataset: str, standing: Sequence[Line] = ()) -> list[Line]:
    """One row per method; one without a run is the page's present row, or the reason why there is none."""
    kept = {line[0]: line for line in standing}
    lines = []
    for method in METHODS:
        name, found = f"`{method}`", [row for row in rows if (row.dataset, row.method) == (dataset, method)]
        if found:
            lines.append((name, *cells(found)))
        elif (dataset, method) in CANNOT:
            lines.append(_missing(name, CANNOT[dataset, method]))
        elif not recipe_path(dataset, method).exists():
            lines.append(_missing(name, "no recipe"))
        else:
            lines.append(kept.get(name, _missing(name, "not run")))
    return lines


def short_table(rows: Sequence[Row], standing: Sequence[Line] = ()) -> list[Line]:
    """Few time steps next to many, of the same network; without a run the page's present row."""
    kept = {(line[0], line[COUNT]): line for line in standing}
    lines = []
    for method, steps in SHORT.items():
        for count in steps:
            name = f"`{method}`"
            found = [
                row
                for row in rows
                if (row.dataset, row.method, row.recipe.training.steps) == ("mnist10k_dense", method, count)
            ]
            missing = kept.get((name, str(count)), _missing(name, f"{count} steps: not run"))
            lines.append((name, *cells(found)) if found else missing)
    return lines


def _missing(name: str, reason: str) -> Line:
    return name, reason, *[""] * (len(HEADINGS) - 2)


def tables(rows: Sequence[Row], text: str = "") -> dict[str, list[Line]]:
    """Every table of rows by its mark; text: the page, whose rows stay if there is no run."""
    found = {dataset: table(rows, dataset, page.standing_table(text, dataset)) for dataset in DATASETS}
    return found | {"steps": short_table(rows, page.standing_table(text, "steps"))}


def means(lines: Sequence[Line]) -> dict[str, float]:
    """Fixed-point accuracy by method, the mean over the seeds, as in a table."""
    return {line[0].strip("`"): float(line[FIXED].split()[0]) for line in lines if line[FIXED]}


def wanted(found: Mapping[str, Sequence[Line]], each: Sequence[str]) -> list[str]:
    """The targets, each with the tables' result; each: the lines of `run_wanted`."""
    digits, mnist, fsdd = (means(found[dataset]) for dataset in DATASETS)
    deep = {method: value for method, value in mnist.items() if method in ("surrogate_bn", "tssl_bp", "sew_resnet")}
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
    return [*(f"- {line}" for line in lines), *each, *(f"- {line}" for line in _short_wanted(found["steps"]))]


LOST = f"- fixed at most {100 * LARGEST_LOSS:.1f} points under float, in every run"
LAVA = "- Lava's processes equal the emulator in every state of every sample, in every run of the three data sets"


def run_wanted(rows: Sequence[Row], text: str = "") -> list[str]:
    """Targets for every single run; the page's present lines stay if runs are missing."""
    if missing(rows):
        stands = page.standing(text, "wanted")
        return [next((line for line in stands if line.startswith(what)), f"{what}: not run") for what in (LOST, LAVA)]
    lost = {row.name: row.float - row.fixed for row in rows}
    worst = max(lost, key=lambda name: lost[name])
    equal = {row.name: row.summary["lava_equals_emulator"] for row in rows if row.dataset in DATASETS}
    return [
        f"{LOST}: {'met' if lost[worst] <= LARGEST_LOSS else 'not met'}; the most is {100 * lost[worst]:.2f} ({worst})",
        f"{LAVA}: {_in_lava(equal)}",
    ]


def _in_lava(equal: Mapping[str, bool | None]) -> str:
    if set(equal.values()) == {None}:
        return "not run"
    left_out = ", ".join(name for name, value in equal.items() if value is None)
    unlike = ", ".join(name for name, value in equal.items() if value is False)
    verdict = f"not met ({unlike})" if unlike else "met"
    return verdict + (f"; not run in Lava: {left_out}" if left_out else "")


def missing(rows: Sequence[Row]) -> list[str]:
    """The rows of the tables that have no run."""
    lines = [(dataset, line) for dataset, found in tables(rows).items() for line in found]
    return [f"{dataset} {line[0]}" for dataset, line in lines if line[1].endswith("not run")]


def _reached(what: str, met: bool, values: dict[str, float], lowest: bool = False) -> str:
    if not values:
        return f"{what}: not run"
    if lowest and len(values) < len(METHODS):
        what += f" ({len(values)} of {len(METHODS)} were run)"
    ends = sorted(values, key=lambda name: values[name], reverse=not lowest)
    shown = ends[:1] if lowest else ends[:4]
    return f"{what}: {'met' if met else 'not met'} ({', '.join(f'{name} {values[name]:.4f}' for name in shown)})"


def _short_wanted(found: Sequence[Line]) -> list[str]:
    fixed = {(line[0].strip("`"), line[COUNT]): float(line[FIXED].split()[0]) for line in found if line[FIXED]}
    lines = []
    for method, (few, many) in SHORT.items():
        what = f"{method}, {few} steps within 0.5 points of {many}"
        values = [fixed[method, str(count)] for count in (few, many) if (method, str(count)) in fixed]
        if len(values) < 2:
            lines.append(f"{what}: not run")
            continue
        met = "met" if values[1] - values[0] <= 0.005 else "not met"
        lines.append(f"{what}: {met} ({values[0]:.4f}, {values[1]:.4f})")
    return lines


COLOURS = ("#666", "#0072b2", "#e69f00", "#009e73", "#cc3d6b", "#56b4e9", "#7a4fa3", "#8c564b", "#b5a900", "#000")
STYLE = "\n".join(
    (
        "text { font: 12px sans-serif; fill: #333 } .axis { stroke: #999 } .grid { stroke: #e5e5e5 }",
        *(f".m{number} {{ fill: {COLOURS[number % len(COLOURS)]} }}" for number in range(len(METHODS))),
    )
)
LEFT, TOP, PANEL, GAP, HIGH = 44.0, 40.0, 176.0, 64.0, 220.0


def picture(rows: Sequence[Row]) -> str:
    """One panel per data set: test error in fixed point against spikes per inference, one dot per run."""
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
    parts.append(svg.text(left + PANEL / 2, TOP + HIGH + 38, "spikes per inference", anchor="middle"))
    return parts + [
        svg.dot(across(row.spikes), down(100 * (1 - row.fixed)), 4.5, f"m{METHODS.index(row.method)}") for row in rows
    ]


def write_page(path: Path, rows: Sequence[Row], parts: Mapping[str, Sequence[str]]) -> None:
    """Update the page, lines by mark, and its figure if every one of its runs is available."""
    page.update(path, parts)
    if not missing(rows):
        write_text(path.parent / "img" / "methods.svg", picture(rows))
