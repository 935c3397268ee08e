"""Spoken digits through 16 channels, for Xylo Audio 2 and for Loihi 2: one recipe, with the chip exchanged.

    python benchmarks/spoken_digits.py OUT [--seeds 0,1]

Runs recipes/fsdd_two_chips.toml for both chips from every seed into OUT/CHIP-SEED, where it is not there yet, and
prints a table. SPIKEPORT_DATA names the folder with FSDD (docs/training.md). The float network is the recipe's float
twin: the same network and settings, trained in floating point throughout; it is trained once for both chips. The last
epoch counts, not the best. `spikeport report OUT/CHIP-SEED OUT/OTHER-SEED` shows two of them beside each other.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import spikeport as sp
from spikeport.report.units import percent, si, si_range
from spikeport.run.shipped import find_recipe
from spikeport.summary import Summary

CHIPS = ("xylo_audio2", "loihi2")
"""The first one's run trains the float network as well."""


def recipe_for(chip: str, seed: int, folder: Path) -> Path:
    """The recipe for a chip and a seed, as a file in the folder."""
    text = find_recipe("fsdd_two_chips").read_text(encoding="utf-8")
    for before, after in (
        ('chip = "xylo_audio2"', f'chip = "{chip}"'),
        ("float_twin = true", f"float_twin = {str(chip == CHIPS[0]).lower()}"),
        ("[training]\n", f"[training]\nseed = {seed}\n"),
    ):
        assert before in text
        text = text.replace(before, after)
    path = folder / f"{chip}-{seed}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def summary_of(chip: str, seed: int, folder: Path) -> Summary:
    """The run's summary; it is trained where it is not there."""
    out = folder / f"{chip}-{seed}"
    if not (out / "summary.json").exists():
        sp.run_recipe(recipe_for(chip, seed, folder), out)
    return sp.open_run(out).summary


def row(name: str, accuracy: float | None, equal: float | None, cost: Any) -> str:
    """A row of the table; cost: a summary's, of the chip or of a device."""
    cells = name, percent(accuracy or 0), "" if equal is None else percent(equal)
    energy = f"{si(cost.energy_j, 'J')} ({si_range(cost.energy_low_j, cost.energy_high_j, 'J')})"
    return f"| {' | '.join(cells)} | {energy} | {1e3 * cost.latency_s:.3g} ms |"


def main() -> None:
    """Train what is missing and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", default="0,1")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    print("| | accuracy | recordings with equal spikes | energy per inference | latency |")
    print("|---|---:|---:|---:|---:|")
    for seed in map(int, options.seeds.split(",")):
        found = {chip: summary_of(chip, seed, options.out) for chip in CHIPS}
        twin = found[CHIPS[0]].float_twin
        print(f"| floating point, seed {seed} | {percent(twin.trained if twin else 0)} | | | |")
        for chip, summary in found.items():
            cells = summary.accuracy.fixed, summary.equal_spikes, summary.per_inference
            print(row(f"{chip}, seed {seed}", *cells), flush=True)
        first = found[CHIPS[0]]
        for name, device in first.ann.items():
            if device.int8 is not None:
                print(row(f"ANN on {name}, int8, seed {seed}", first.accuracy.ann_int8, None, device.int8))


if __name__ == "__main__":
    main()
