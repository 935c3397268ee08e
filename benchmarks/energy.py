"""How wrong is the energy estimate: measured networks compared with the cost model.

    python benchmarks/energy.py              the table; every point is estimated without its publication and with it
    python benchmarks/energy.py --docs       writes the table, its summary and its reasons into docs/energy.md
    python benchmarks/energy.py --fit        the fitted constants again, next to those in the profiles

The cases are rebuilt from their publications in benchmarks/measured, one file each: before/ holds descriptions as they
were before a ratio was seen, unseen/ the cases that were set aside before the model was changed. benchmarks/fitted.toml
lists which constants are based on which publications.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.table import Table

from benchmarks import page
from benchmarks.cost_model.cases import Measurement, load_cases, measurements
from benchmarks.cost_model.fitted import Fitted, load_fitted
from benchmarks.cost_model.validation import Checked, check, factor, fit, width, with_constants
from spikeport.common.files import write_text
from spikeport.hardware_profiles import constants, load_costs
from spikeport.hardware_profiles.schema import ChipCosts
from spikeport.report.units import quantity

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parent / "docs" / "energy.md"
HEADINGS = ("case", "chip", "scope", "what", "measured", "left out", "range", "ratio", "all constants")
SET_ASIDE = "unseen"


def checked(folder: str = "", load: Callable[[str], ChipCosts] = load_costs) -> list[Checked]:
    """Every measured point but identities, estimated with and without its publication; load: a chip by its name."""
    seen, before = (load_cases(HERE / "measured" / name) for name in ("", "before"))
    own = load_cases(HERE / "measured" / folder) if folder else seen
    points = check(measurements(own), fitted(), load, {case.name: case for case in before}, measurements(seen))
    return [c for c in points if not c.measurement.point.identity]


def identities() -> list[Measurement]:
    """Points that are constants of their chip."""
    return [m for m in measurements(load_cases(HERE / "measured")) if m.point.identity]


def fitted() -> Fitted:
    """Which constants are based on which publications."""
    return load_fitted(HERE / "fitted.toml")


def counted(points: Sequence[Checked]) -> list[Checked]:
    """Those that can be estimated without their publication."""
    return [c for c in points if c.counted is not None]


def row(checked: Checked) -> tuple[str, ...]:
    """One line of the table."""
    point, unit = checked.measurement.point, checked.measurement.point.measured.unit
    case, used = checked.measurement.case, checked.counted or checked.estimate
    low, high = (quantity(v, unit) for v in (used.low, used.high))
    return (
        f"{case.title} ({case.publication})" + (" *" if case.changed else ""),
        case.chip,
        scope(checked.measurement),
        point.kind,
        quantity(point.measured.value, unit),
        "not possible" if checked.counted is None else quantity(used.typical, unit),
        f"{low} to {high}" + ("" if checked.inside else " (outside)"),
        "" if checked.left_out_ratio is None else f"{checked.left_out_ratio:.2f}",
        f"{checked.ratio:.2f}",
    )


def scope(measurement: Measurement) -> str:
    """What a measurement contains, in words."""
    one = measurement.point.scope or measurement.case.scope
    return one.of + (", x86" if one.x86 else "")


def summary(points: Sequence[Checked]) -> list[str]:
    """The table in sentences: left-out errors first, ranges with their width, and what all constants give."""
    left = counted(points)
    errors = [factor(c.left_out_ratio or 0) for c in left]
    inside = sum(c.inside for c in left)
    chips = {c.measurement.case.chip for c in points}
    publications = {c.measurement.case.publication for c in points}
    per_publication = median(median(found) for found in by_publication(left).values())
    all_constants = [factor(c.ratio) for c in points]
    near, widths = sum(f <= 2 for f in errors), [width(c.counted) for c in left if c.counted]
    return [
        f"Left out by publication: median factor {median(errors):.2f}, within a factor of 2 "
        f"{near} of {len(left)} ({near / len(left):.0%}), median of the publications' medians {per_publication:.2f}.",
        f"Measured value inside the left-out range: {inside} of {len(left)} ({inside / len(left):.0%}), at a median "
        f"width of {median(widths):.1f} (high divided by low).",
        f"{len(points)} measured points, {len(publications)} publications, {len(chips)} chips and boards; "
        f"{len(points) - len(left)} of the points are not possible without their publication and are not counted.",
        f"With all constants: within a factor of 2 {sum(f <= 2 for f in all_constants)} of {len(points)}; median "
        f"factor {median(all_constants):.2f}. These figures flatter: constants are based on some of the points.",
    ]


def by_publication(points: Sequence[Checked]) -> dict[str, list[float]]:
    """Left-out factors of the counted points of each publication."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for c in counted(points):
        found[c.measurement.case.publication].append(factor(c.left_out_ratio or 0))
    return dict(sorted(found.items()))


def publications(points: Sequence[Checked]) -> list[str]:
    """Left-out errors by publication, in Markdown."""
    lines = ["| publication | points | median factor | largest |", "|---|---|---|---|"]
    found = by_publication(points).items()
    return lines + [f"| {name} | {len(f)} | {median(f):.2f} | {max(f):.2f} |" for name, f in found]


def sharpness(points: Sequence[Checked], what: str, of: Callable[[Measurement], str]) -> list[str]:
    """Left-out errors, how often the range contains the measurement and how wide it is, by `of`, in Markdown."""
    lines = [f"| {what} | points | median factor | within 2 | inside | median width |", "|---|---|---|---|---|---|"]
    groups: defaultdict[str, list[Checked]] = defaultdict(list)
    for c in counted(points):
        groups[of(c.measurement)].append(c)
    for name, found in sorted(groups.items()):
        errors = [factor(c.left_out_ratio or 0) for c in found]
        widths = median(width(c.counted) for c in found if c.counted)
        near, inside = sum(error <= 2 for error in errors), sum(c.inside for c in found)
        lines.append(f"| {name} | {len(found)} | {median(errors):.2f} | {near} | {inside} | {widths:.1f} |")
    return lines


def by_chip(points: Sequence[Checked]) -> list[str]:
    """`sharpness` by chip or board."""
    return sharpness(points, "chip", lambda m: m.case.chip)


def by_kind(points: Sequence[Checked]) -> list[str]:
    """`sharpness` by what was measured."""
    return sharpness(points, "what", lambda m: m.point.kind)


def together(points: Sequence[Checked], unseen: Sequence[Checked]) -> str:
    """How often estimates are within 2 if the points that were set aside count like the others, and without rest."""
    sets = [counted([*points, *unseen]), [c for c in counted(points) if c.measurement.point.kind != "static power"]]
    near = [sum(factor(c.left_out_ratio or 0) <= 2 for c in found) for found in sets]
    both, moving = (f"{n} of {len(found)} ({n / len(found):.0%})" for n, found in zip(near, sets, strict=True))
    return (
        f"Within a factor of 2 together with the points that were set aside: {both}; without powers at rest, which are "
        f"the easiest: {moving}."
    )


def compositions(points: Sequence[Checked]) -> list[str]:
    """Left-out step times if a core's loads take turns and if they overlap, in Markdown."""
    lines = ["| case | chip | take turns | overlap | the chip's constant |", "|---|---|---|---|---|"]
    turns, overlap = (
        {c.measurement.label: c for folder in ("", SET_ASIDE) for c in checked(folder, _composed(share))}
        for share in (1.0, 0.0)
    )
    for c in points:
        if c.measurement.point.kind == "step time" and c.measurement.case.core is not None:
            pair = [both[c.measurement.label].left_out_ratio or 0.0 for both in (turns, overlap)]
            shipped = load_costs(c.measurement.case.chip).time.serial
            used = "overlap" if shipped is None or shipped.value == 0 else "take turns"
            title = f"{c.measurement.case.title} ({c.measurement.case.publication})"
            lines.append(f"| {title} | {c.measurement.case.chip} | {pair[0]:.2f} | {pair[1]:.2f} | {used} |")
    return lines


def _composed(share: float) -> Callable[[str], ChipCosts]:
    """Profiles in which a core's smaller loads add this share of theirs."""

    def load(name: str) -> ChipCosts:
        chip = load_costs(name)
        return chip if chip.time.serial is None else with_constants(chip, {"time.serial": share})

    return load


def misses(checked: Checked) -> bool:
    """Whether the point misses by more than a factor of 2, left out or not, or lies outside the range."""
    return factor(checked.left_out_ratio or checked.ratio) > 2 or factor(checked.ratio) > 2 or not checked.inside


def reasons(points: Sequence[Checked]) -> list[str]:
    """Reasons for the points that miss."""
    lines = []
    for c in filter(misses, points):
        left = "not possible left out" if c.left_out_ratio is None else f"ratio {c.left_out_ratio:.2f} left out"
        title = f"{c.measurement.case.title}, {c.measurement.point.kind}"
        lines.append(f"{title}: {left}, {c.ratio:.2f} with all constants. {c.measurement.point.reason}.")
    return lines


def changes(points: Sequence[Checked]) -> list[str]:
    """What was changed in cases after their ratio had been seen."""
    cases = {c.measurement.case.name: c.measurement.case for c in points}
    return [f"{case.title} ({case.publication}): {case.changed}." for case in cases.values() if case.changed]


def markdown(points: Sequence[Checked]) -> list[str]:
    """The table in Markdown."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    return lines + ["| " + " | ".join(row(c)) + " |" for c in points]


def written(text: str, points: Sequence[Checked], unseen: Sequence[Checked]) -> str:
    """docs/energy.md with the text between its marks updated."""
    parts = {
        "summary": [f"- {line}" for line in (*summary(points), together(points, unseen))],
        "table": markdown(points),
        "unseen": markdown(unseen),
        "publications": publications(points),
        "sharpness": by_chip(points),
        "kinds": by_kind(points),
        "composition": compositions([*points, *unseen]),
        "changes": [f"- {line}" for line in changes(points)],
        "reasons": [f"- {line}" for line in reasons([*points, *unseen])],
    }
    return page.written(text, parts)


def refit() -> list[tuple[str, str, float, float]]:
    """Chip, constant, shipped value and the value that fits the points, for every fitted constant."""
    points = {m.label: m for m in measurements(load_cases(HERE / "measured"))}
    found = []
    for one in fitted().fits:
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
    points, unseen = checked(), checked(SET_ASIDE)
    if options.docs:
        write_text(DOCUMENT, written(DOCUMENT.read_text(encoding="utf-8"), points, unseen))
        return
    console = Console(width=210)
    for title, some in (("seen while the model was changed", points), ("set aside before it was", unseen)):
        table = Table(*HEADINGS, title=title)
        for c in some:
            table.add_row(*row(c))
        console.print(table)
    for line in (
        *summary(points),
        together(points, unseen),
        "",
        "Where it misses:",
        *reasons(points),
        "",
        *publications(points),
        *by_chip(points),
        *by_kind(points),
    ):
        console.print(line, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
