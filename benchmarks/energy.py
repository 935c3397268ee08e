"""How wrong is the energy estimate: measured networks compared with the cost model.

    python benchmarks/energy.py              the table, with every point also estimated without its own publication
    python benchmarks/energy.py --docs       writes the table, its summary and its reasons into docs/energy.md
    python benchmarks/energy.py --fit        the fitted constants again, next to those in the profiles

The cases are rebuilt from their publications in benchmarks/measured, one file each; benchmarks/fitted.toml lists which
constants are based on which points.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.table import Table

from benchmarks import page
from benchmarks.cost_model.cases import Measurement, load_cases, measurements
from benchmarks.cost_model.validation import Checked, check, factor, fit, load_fitted
from spikeport.common.files import write_text
from spikeport.hardware_profiles import constants, load_costs
from spikeport.report.units import quantity

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parent / "docs" / "energy.md"
HEADINGS = ("case", "chip", "what", "measured", "estimate", "range", "ratio", "left out")


def checked() -> list[Checked]:
    """Every measured point, estimated with and without itself."""
    return check(measurements(load_cases(HERE / "measured")), load_fitted(HERE / "fitted.toml"), load_costs)


def row(found: Checked) -> tuple[str, ...]:
    """One line of the table."""
    point, unit = found.measurement.point, found.measurement.point.measured.unit
    case = found.measurement.case
    low, typical, high = (quantity(v, unit) for v in (found.estimate.low, found.estimate.typical, found.estimate.high))
    mark = "" if found.inside else " (outside)"
    left_out = "" if found.left_out is None else f"{found.left_out_ratio:.2f}"
    return (
        f"{case.title} ({case.publication})",
        case.chip,
        point.kind,
        quantity(point.measured.value, unit),
        typical,
        f"{low} to {high}{mark}",
        f"{found.ratio:.2f}",
        left_out,
    )


def summary(points: Sequence[Checked]) -> list[str]:
    """The table in sentences: errors, errors when left out, and how often the measurement is inside the range."""
    chips = {c.measurement.case.chip for c in points}
    by_publication: defaultdict[str, list[float]] = defaultdict(list)
    for c in points:
        by_publication[c.measurement.case.publication].append(factor(c.left_out_ratio))
    factors = [factor(c.ratio) for c in points]
    unseen = [factor(c.left_out_ratio) for c in points]
    inside = sum(c.inside for c in points)
    per_publication = median(median(found) for found in by_publication.values())
    return [
        f"{len(points)} measured points, {len(by_publication)} publications, {len(chips)} chips.",
        f"Within a factor of 2: {sum(f <= 2 for f in factors)} of {len(points)}; median factor {median(factors):.2f}.",
        f"Left out: within a factor of 2.5: {sum(f <= 2.5 for f in unseen)} of {len(points)}; "
        f"median factor {median(unseen):.2f}, median of the publications' medians {per_publication:.2f}.",
        f"Measured value inside the range: {inside} of {len(points)} ({inside / len(points):.0%}).",
    ]


def reasons(points: Sequence[Checked]) -> list[str]:
    """Reasons for the points that miss: by more than a factor of 2, or outside the range."""
    return [
        f"{c.measurement.case.title}, {c.measurement.point.kind}: ratio {c.ratio:.2f}. {c.measurement.point.reason}."
        for c in points
        if factor(c.ratio) > 2 or not c.inside
    ]


def markdown(points: Sequence[Checked]) -> list[str]:
    """The table in Markdown."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    return lines + ["| " + " | ".join(row(c)) + " |" for c in points]


def written(text: str, points: Sequence[Checked]) -> str:
    """docs/energy.md with the text between its marks updated."""
    parts = {
        "summary": [f"- {line}" for line in summary(points)],
        "table": markdown(points),
        "reasons": [f"- {line}" for line in reasons(points)],
    }
    return page.written(text, parts)


def refit() -> list[tuple[str, str, float, float]]:
    """Chip, constant, shipped value and the value that fits the points, for every fitted constant."""
    points = {m.label: m for m in measurements(load_cases(HERE / "measured"))}
    found = []
    for one in load_fitted(HERE / "fitted.toml").fits:
        chip = load_costs(one.chip)
        shipped = dict(constants(chip))
        named: list[Measurement] = [points[label] for label in one.points]
        for name, value in zip(one.constants, fit(one.constants, named, chip), strict=True):
            found.append((one.chip, name, shipped[name].value, value))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", action="store_true", help="bring docs/energy.md up to date")
    parser.add_argument("--fit", action="store_true", help="fit the fitted constants again")
    options = parser.parse_args()
    if options.fit:
        for chip, name, shipped, fitted in refit():
            print(f"{chip:12s} {name:26s} shipped {shipped:.4g}, fitted {fitted:.4g}")
        return
    points = checked()
    if options.docs:
        write_text(DOCUMENT, written(DOCUMENT.read_text(encoding="utf-8"), points))
        return
    table = Table(*HEADINGS)
    for c in points:
        table.add_row(*row(c))
    console = Console(width=190)
    console.print(table)
    for line in (*summary(points), "", "Where it misses:", *reasons(points)):
        console.print(line, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
