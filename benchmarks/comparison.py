"""Trained networks on loihi2 and loihi1 compared with their ANN twins on every device: docs/comparison.md.

    python benchmarks/comparison.py [RUN ...]          print the page's tables
    python benchmarks/comparison.py [RUN ...] --docs   write them into docs/comparison.md

RUN is the folder of a finished run, or a recipe, which is run into runs/comparison/NAME unless that run is finished; by
default the recipes of the page. Networks are compiled for both chips from the run's model.nir; the test split runs in
the emulator. Data sets are in the folder SPIKEPORT_DATA.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console

from benchmarks.page import update
from spikeport.exporter.nir_graph.nir_file import read_nir
from spikeport.hardware_profiles.loader import available, load_chip, load_profile
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.lava_runtime.inputs import load_input
from spikeport.lava_runtime.profiling.profile import Profile, profile_run
from spikeport.lava_runtime.simulate import simulate
from spikeport.report.units import NARROW, estimate, percent, plain, short_title, si, significant
from spikeport.report.verdict import DeviceComparison, Outcome, Quantity, device_comparisons
from spikeport.results.ann_comparison import ComparisonRow, comparison_rows
from spikeport.results.comparison_table import break_even_label
from spikeport.run import stages
from spikeport.run.compile_recipe import compile_recipe
from spikeport.run.measures import DEFAULT_DEVICES
from spikeport.run.recipe import load_recipe
from spikeport.run.run_folder import RunFolder
from spikeport.run.whole_run import run_recipe
from spikeport.summary import Summary, build, read_summary
from spikeport.trainer.ann import AnnTwin

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "comparison.md"
CHIPS = ("loihi2", "loihi1")
QUANTITIES: tuple[Quantity, ...] = ("energy", "latency")
RECIPES = ("digits", "mnist10k_tssl_bp", "fsdd_surrogate_bn")
DATA = {"digits": "Digits (8 x 8)", "mnist10k": "MNIST, 10,000 images", "fsdd": "Spoken digits (FSDD)"}


@dataclass(frozen=True)
class Contest:
    """One network on one chip, compared with its twin on every device."""

    dataset: str
    method: str
    chip: str
    found: Summary
    profile: Profile
    rows: list[ComparisonRow]

    @property
    def name(self) -> str:
        """Data set and method."""
        return f"{DATA.get(self.dataset, self.dataset)}, {self.method}"


def folder_of(run: Path) -> RunFolder:
    """A finished run; a recipe is run first if necessary."""
    if run.suffix != ".toml":
        return RunFolder(run)
    folder = RunFolder(ROOT / "runs" / "comparison" / run.stem)
    if not folder.finished:
        folder.path.mkdir(parents=True, exist_ok=True)
        run_recipe(run, folder, resume=True, console=Console(stderr=True))
    return folder


def contests(folder: RunFolder) -> list[Contest]:
    """The run's network on both chips."""
    recipe = load_recipe(folder.recipe)
    labels, x = stages.dataset_of(recipe).y_test, np.asarray(load_input(folder.test_input))
    twin, graph = AnnTwin.load(folder.twin), read_nir(folder.nir)
    sizes = stages.twin_sizes(twin.twin_layers(), twin.network.input_shape)
    others = [name for name in available() if load_profile(name).kind == "device" and name not in DEFAULT_DEVICES]
    devices = [*DEFAULT_DEVICES, *others]
    ann = build.ann_of(stages.compare_devices(sizes, devices))
    known, found = read_summary(folder.summary), []
    for name in CHIPS:
        chip = load_chip(name)
        program = compile_recipe(recipe.model_copy(update={"chip": name}), graph, str(folder.nir))
        result = simulate(program, x, record="layers")
        profile = profile_run(program, result, chip, x)
        fixed = float(np.mean(stages.answers(program, result, len(x)) == labels))
        parsed = known.model_copy(
            update={
                "chip": chip.name,
                "chip_title": chip.title,
                "ann": ann,
                "accuracy": known.accuracy.model_copy(update={"fixed": fixed}),
                "per_inference": build.per_inference_of(profile),
                "layers": build.layers_of(program, profile),
                "mapping": build.mapping_of(profile.mapping),
                "workload": build.workload_of(profile),
            }
        )
        found.append(Contest(recipe.dataset, recipe.training.method, name, parsed, profile, comparison_rows(parsed)))
    return found


def in_short(all_contests: Sequence[Contest]) -> str:
    """Devices that the chip beats with every network on every chip, and devices that beat it with some."""
    parts = []
    for batched in (False, True):
        found = [(c, row) for c in all_contests for row in c.rows if (row.batch > 1) == batched]
        titles = list(dict.fromkeys(short_title(row.title) for _, row in found))
        outcomes = {t: {row.outcome for _, row in found if short_title(row.title) == t} for t in titles}
        always = [t for t in titles if outcomes[t] == {Outcome.CHIP_LESS}]
        beaten = {
            t: dict.fromkeys(
                f"{c.dataset} on {c.chip}"
                for c, r in found
                if short_title(r.title) == t and r.outcome is Outcome.ANN_LESS
            )
            for t in titles
        }
        lost = [
            t if len(where) == len(all_contests) > 1 else f"{t} ({_listed(list(where))})"
            for t, where in beaten.items()
            if where
        ]
        when = "In batches" if batched else "At batch 1"
        winner = (
            f"the chip needs less energy than {_listed(always)}"
            if always
            else "no device needs more energy than the chip"
        )
        parts.append(
            f"{when} {winner} with every network and on both chips; the ANN needs less on "
            f"{_listed(lost) if lost else 'no device'}; elsewhere the ranges of some network overlap."
        )
    return " ".join(parts)


def who_wins(all_contests: Sequence[Contest]) -> Iterable[str]:
    """One row per device, one column per network and chip: energy and latency at batch 1, accuracy in the first row.

    Each at the precision that is least favourable to the chip; accuracy is apart at two standard errors.
    """
    heads = [f"{contest.name} on {contest.chip}" for contest in all_contests]
    yield _line("", *heads)
    yield "|" + "---|" * (len(heads) + 1)
    yield _line("accuracy, SNN / ANN", *map(_accuracy_cell, all_contests))
    costs = {
        quantity: [{d.device: d for d in device_comparisons(c.found, quantity)} for c in all_contests]
        for quantity in QUANTITIES
    }
    for name, device in all_contests[0].found.ann.items():
        for quantity in QUANTITIES:
            yield _line(f"{short_title(device.title)}, {quantity}", *(_cell(one[name]) for one in costs[quantity]))


def _cell(one: DeviceComparison) -> str:
    times = "" if one.factor is None else f" {significant(one.factor, 2)}x"
    return f"{_SQUARES[one.outcome]} {_WINNERS[one.outcome]}{times}"


def _accuracy_cell(contest: Contest) -> str:
    accuracy = contest.found.accuracy
    ours, ann = accuracy.fixed or 0.0, max(accuracy.ann or 0.0, accuracy.ann_int8 or 0.0)
    error = ((ours * (1 - ours) + ann * (1 - ann)) / contest.found.test_samples) ** 0.5
    apart = abs(ours - ann) > 2 * error
    result = Outcome.APART if not apart else Outcome.CHIP_LESS if ours > ann else Outcome.ANN_LESS
    return f"{_SQUARES[result]} {percent(ours)} / {percent(ann)}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def overview(all_contests: Sequence[Contest]) -> Iterable[str]:
    """One row per network and chip."""
    yield (
        "| network | chip | accuracy, SNN / ANN | cores | energy | latency | energy x delay | inferences per second, "
        "pipelined | activation sparsity |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for c in all_contests:
        one, accuracy, workload = c.profile, c.found.accuracy, c.found.workload
        sparsity = "" if workload is None else percent(workload.activation_sparsity, 2)
        answers = f"{percent(accuracy.fixed)} / {percent(accuracy.ann)}"
        costs = _costs(one.energy, one.latency, one.energy.typical * one.latency.typical)
        rate = plain(round(one.pipelined.typical))
        yield _line(c.name, c.chip, answers, str(one.mapping.cores), *costs, rate, sparsity)


def tables(all_contests: Sequence[Contest]) -> Iterable[str]:
    """The twin of every network on every device, compared with each chip."""
    for name in dict.fromkeys(contest.name for contest in all_contests):
        some = [contest for contest in all_contests if contest.name == name]
        accuracy = some[0].found.accuracy
        yield f"### {name}"
        yield ""
        yield (
            f"Accuracy of the ANN: {percent(accuracy.ann)} in float32, {percent(accuracy.ann_int8)} in int8; of the "
            f"SNN: {percent(accuracy.fixed)} on chip integers, {plain(some[0].found.test_samples)} test samples."
        )
        yield ""
        heads = [head for c in some for head in (f"vs. {c.chip}", f"break-even on {c.chip}")]
        yield _line("where", "energy", "latency", "energy x delay", *heads)
        yield "|" + "---|" * (4 + len(heads))
        for c in some:
            one = c.profile
            costs = _costs(one.energy, one.latency, one.energy.typical * one.latency.typical)
            yield _line(f"**{c.found.chip_title}**", *costs, *([""] * len(heads)))
        for same_device in zip(*(c.rows for c in some), strict=True):
            row = same_device[0]
            judged = [cell for r in same_device for cell in (_WORDS[r.outcome], break_even_label(r))]
            yield _line(row.name, *_costs(row.energy, row.latency, row.energy_delay), *judged)
        yield ""


_SQUARES = {Outcome.CHIP_LESS: "🟩", Outcome.APART: "🟨", Outcome.ANN_LESS: "🟥"}
_WINNERS = {Outcome.CHIP_LESS: "chip", Outcome.APART: "open", Outcome.ANN_LESS: "ANN"}
_WORDS = {
    Outcome.CHIP_LESS: "the chip needs less", Outcome.ANN_LESS: "the ANN needs less",
    Outcome.APART: "ranges overlap", None: "",
}  # fmt: skip


def _costs(energy: Estimate, latency: Estimate, product: float) -> tuple[str, str, str]:
    return estimate(energy, "J"), estimate(latency, "s"), si(product, "J s")


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    recipes = [ROOT / "recipes" / f"{name}.toml" for name in RECIPES]
    parser.add_argument("runs", type=Path, nargs="*", default=recipes, metavar="RUN")
    parser.add_argument("--docs", action="store_true", help="write docs/comparison.md")
    args = parser.parse_args()
    found = [contest for run in args.runs for contest in contests(folder_of(run))]
    sections = {
        "winners": list(who_wins(found)),
        "short": [in_short(found)],
        "overview": list(overview(found)),
        "tables": list(tables(found)),
    }
    if args.docs:
        parts = {name: ["\n".join(lines).rstrip().replace(NARROW, " ")] for name, lines in sections.items()}
        update(PAGE, parts)
        return
    for lines in sections.values():
        print("\n".join(lines).replace(NARROW, " "), end="\n\n")


if __name__ == "__main__":
    main()
