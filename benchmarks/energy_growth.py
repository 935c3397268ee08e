"""How cost grows with the width of a layer: the model next to one constant times synaptic operations.

    python benchmarks/energy_growth.py           the table
    python benchmarks/energy_growth.py --docs    writes it into docs/energy.md, and docs/img/energy_growth.svg

A dense layer of n neurons with n inputs on loihi1, ten steps, 10 % of inputs and neurons spiking per step; n from 128
to 2048. The constant is KerasSpiking's for Loihi: (23.6 + 3.5) pJ per synaptic operation and 81 pJ per neuron update.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import page
from spikeport.common.files import write_text
from spikeport.exporter.program.chip_program import ChipProgram, CubaLIF, DenseConnection, InputPort
from spikeport.hardware_profiles import load_chip
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.lava_runtime.profiling.profile import Profile, profile_run
from spikeport.lava_runtime.result import SimulationResult
from spikeport.report.units import si

DOCS = Path(__file__).resolve().parent.parent / "docs"
WIDTHS = tuple(128 * 2**n for n in range(5))
STEPS, RATE, BATCH = 10, 0.1, 8
SYNOP, UPDATE = 27.1e-12, 81e-12


@dataclass(frozen=True)
class Size:
    """One width: the model's profile, and the estimate from one constant."""

    width: int
    profile: Profile
    constant: float


def measure(width: int) -> Size:
    """Profile spikes drawn at the rate; nothing needs to run, because cost depends on counts only."""
    rng = np.random.default_rng(width)
    none = np.zeros(width, np.int32)
    layer = CubaLIF("layer", (width,), du=none, dv=none, vth=none + 1000, bias_mant=none, bias_exp=none, v_initial=none)
    weights = np.ones((width, width), np.int32)
    link = DenseConnection("in", "layer", weights, 0, "excitatory", 8, 1)
    program = ChipProgram("loihi1", WordWidths(), 1e-3, (InputPort("in", (width,)),), (layer,), (link,), ("layer",))
    drawn = {name: rng.binomial(STEPS, RATE, (BATCH, width)).astype(np.int32) for name in ("in", "layer")}
    result = SimulationResult({"layer": np.zeros((STEPS, BATCH, width), np.uint8)}, drawn, STEPS)
    profile = profile_run(program, result, load_chip("loihi1"))
    return Size(width, profile, profile.total("synops") * SYNOP + width * STEPS * UPDATE)


def rows(sizes: list[Size]) -> list[tuple[str, ...]]:
    """The table: one row per width."""
    return [
        (
            str(size.width),
            str(size.profile.mapping.cores),
            f"{size.profile.total('synops'):,.0f}",
            si(size.profile.latency.typical, "s"),
            si(size.profile.dynamic.typical, "J"),
            si(size.profile.static.typical, "J"),
            si(size.profile.energy.typical, "J"),
            si(size.constant, "J"),
            f"{size.profile.energy.typical / size.constant:.1f}",
        )
        for size in sizes
    ]


HEADINGS = ("neurons", "cores", "synops", "latency", "dynamic", "static", "together", "one constant", "factor")


def written(text: str, sizes: list[Size]) -> str:
    """docs/energy.md with the table between its marks updated."""
    return page.written(text, {"growth": page.table(HEADINGS, rows(sizes))})


def picture(sizes: list[Size]) -> str:
    """Energy by width, both axes logarithmic: the model with its range, its dynamic share, and the one constant."""
    width, height, left, bottom = 640, 360, 70, 40
    low, high = -8.0, -3.0

    def x(n: int) -> float:
        return left + (np.log2(n) - 7) / 4 * (width - left - 150)

    def y(joules: float) -> float:
        return height - bottom - (np.log10(joules) - low) / (high - low) * (height - bottom - 20)

    def line(values: list[float]) -> str:
        return " ".join(f"{x(s.width):.1f},{y(v):.1f}" for s, v in zip(sizes, values, strict=True))

    energy = [s.profile.energy for s in sizes]
    band = line([e.high for e in energy]) + " " + " ".join(reversed(line([e.low for e in energy]).split(" ")))
    curves = (
        ("together", "#1a5fb4", [e.typical for e in energy]),
        ("dynamic", "#26a269", [s.profile.dynamic.typical for s in sizes]),
        ("one constant", "#c01c28", [s.constant for s in sizes]),
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<polygon points="{band}" fill="#1a5fb4" fill-opacity="0.12"/>',
    ]
    for power in range(int(low), int(high) + 1):
        at = y(10.0**power)
        parts.append(f'<path d="M{left} {at:.1f}H{width - 150}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{si(10.0**power, "J", 1)}</text>')
    for size in sizes:
        parts.append(f'<text x="{x(size.width):.1f}" y="{height - 20}" text-anchor="middle">{size.width}</text>')
    parts.append(f'<text x="{left}" y="{height - 4}">neurons in the layer (and inputs)</text>')
    for name, colour, values in curves:
        parts.append(f'<polyline points="{line(values)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{width - 140}" y="{y(values[-1]) + 4:.1f}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    """Print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", action="store_true", help="write docs/energy.md and the picture")
    options = parser.parse_args()
    sizes = [measure(width) for width in WIDTHS]
    if options.docs:
        document = DOCS / "energy.md"
        write_text(document, written(document.read_text(encoding="utf-8"), sizes))
        write_text(DOCS / "img" / "energy_growth.svg", picture(sizes))
        return
    print(*page.table(HEADINGS, rows(sizes)), sep="\n")


if __name__ == "__main__":
    main()
