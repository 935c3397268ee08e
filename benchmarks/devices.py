"""How wrong are the estimates of the ANN's devices: measured networks next to what the profiles estimate.

    python benchmarks/devices.py [DEVICE ...]    the tables
    python benchmarks/devices.py --docs          write them into docs/devices.md

The cases are in benchmarks/measured_devices, one file per source.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import page
from benchmarks.cost_model.device_cases import BOUNDS, Compared, compared, load_device_cases
from spikeport.report.units import NARROW, si

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "devices.md"
HEADINGS = ("device", "network", "precision", "batch", "what", "measured", "estimate", "range", "ratio")


def row(one: Compared) -> tuple[str, ...]:
    """One line of the table."""
    unit = "s" if one.quantity == "latency" else "J"
    low, typical, high, measured = (
        si(value, unit) for value in (one.estimate.low, one.estimate.typical, one.estimate.high, one.measured)
    )
    mark = "" if one.inside else " (outside)"
    cells = (
        one.origin.device, one.case.network, one.case.precision, str(one.case.batch), one.quantity, measured, typical,
        f"{low} to {high}{mark}", f"{one.ratio:.2f}",
    )  # fmt: skip
    return tuple(cell.replace(NARROW, " ") for cell in cells)


def summary(points: Sequence[Compared]) -> Iterable[str]:
    """One line per device: how many points, the median and the worst factor, how many inside the range."""
    for device in dict.fromkeys(point.origin.device for point in points):
        own = [point for point in points if point.origin.device == device]
        energies = sum(point.quantity == "energy" for point in own)
        yield (
            f"- `{device}`: {len(own)} points ({energies} of energy), median factor "
            f"{median(p.factor for p in own):.2f}, worst {max(p.factor for p in own):.2f} (bound "
            f"{BOUNDS.get(device, 2.0):g}), inside the range {sum(p.inside for p in own)} of {len(own)}."
        )


def sources() -> Iterable[tuple[str, ...]]:
    """One line per file of cases."""
    for origin in load_device_cases():
        yield origin.device, origin.source, origin.kind, origin.date, origin.scope


def main() -> None:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("devices", nargs="*", metavar="DEVICE")
    parser.add_argument("--docs", action="store_true", help="write docs/devices.md")
    args = parser.parse_args()
    points = [
        point
        for origin in load_device_cases()
        if not args.devices or origin.device in args.devices
        for point in compared(origin)
    ]
    parts = {
        "summary": list(summary(points)),
        "table": page.table(HEADINGS, map(row, points)),
        "sources": page.table(("device", "source", "kind", "date", "scope"), sources()),
    }
    if args.docs:
        page.update(DOCUMENT, parts)
        return
    print("\n\n".join("\n".join(lines) for lines in parts.values()))


if __name__ == "__main__":
    main()
