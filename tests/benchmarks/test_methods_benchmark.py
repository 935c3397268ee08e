"""The script behind docs/methods.md: real runs of one epoch, its tables, and rows that are not run twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from places import ROOT
from rich.console import Console
from scripts import script

from spikeport.run.recipe import load_recipe
from spikeport.run.run_folder import RunFolder

SCRIPT = script("methods")
PAGE: ModuleType = SCRIPT.sys.modules["methods_page"]
CHIP: ModuleType = SCRIPT.sys.modules["methods_chip"]
RUN = ("bptt", "tssl_bp")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run folders of two methods, an epoch each."""
    recipes, runs = tmp_path_factory.mktemp("recipes"), tmp_path_factory.mktemp("runs")
    for method in RUN:
        path = SCRIPT.Job("digits", method).recipe
        short = SCRIPT.changed(path.read_text(encoding="utf-8"), epochs=1, backends="[]")
        (recipes / path.name).write_text(short, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SCRIPT, "RECIPES", recipes)
        patch.setattr(SCRIPT.sys, "argv", ["methods.py", "--runs", str(runs), "--seeds", "1"])
        SCRIPT.main()
        yield runs


def found(runs: Path) -> list[Any]:
    rows: list[Any] = SCRIPT.rows(SCRIPT.jobs(1), runs)
    return rows


def test_a_row_is_what_the_run_s_summary_says(runs: Path) -> None:
    assert sorted(path.name for path in runs.iterdir()) == [f"digits_{method}_0" for method in RUN]
    lines = {line[0]: line for line in PAGE.table(found(runs), "digits")}
    for method in RUN:
        summary = json.loads((runs / f"digits_{method}_0" / "summary.json").read_text(encoding="utf-8"))
        cells = dict(zip(PAGE.HEADINGS, lines[f"`{method}`"], strict=True))
        assert cells["fixed"] == f"{summary['accuracy']['fixed']:.4f}"
        assert cells["float"] == f"{summary['accuracy']['float']:.4f}"
        assert cells["steps"] == str(summary["steps"])
        assert cells["spikes per inference"] == f"{summary['per_inference']['spikes']:,.0f}"
    assert lines["`soft_lif`"][1] == "not run"
    assert {line[0]: line[1] for line in PAGE.table([], "fsdd")}["`sew_resnet`"].startswith("cannot: ")


def test_what_is_finished_is_not_run_again_and_what_is_not_is(runs: Path) -> None:
    kept, lost = (runs / f"digits_{method}_0" / "summary.json" for method in RUN)
    before, again = kept.stat().st_mtime_ns, json.loads(lost.read_text(encoding="utf-8"))
    lost.unlink()
    SCRIPT.main()
    assert kept.stat().st_mtime_ns == before
    assert json.loads(lost.read_text(encoding="utf-8"))["accuracy"] == again["accuracy"]


def test_a_line_of_which_a_seed_is_missing_is_not_there(runs: Path) -> None:
    assert SCRIPT.rows(SCRIPT.jobs(2), runs) == []
    assert SCRIPT.widths(1, runs) == []


def test_several_seeds_are_one_line_of_mean_and_range(runs: Path) -> None:
    row = found(runs)[0]
    better = {**row.summary, "accuracy": {**row.summary["accuracy"], "fixed": row.fixed + 0.02}}
    (line,) = [
        line for line in PAGE.table([row, replace(row, seed=1, summary=better)], "digits") if line[0] == "`bptt`"
    ]
    assert line[PAGE.HEADINGS.index("fixed")] == f"{row.fixed + 0.01:.4f} ({row.fixed:.4f} to {row.fixed + 0.02:.4f})"


@pytest.mark.parametrize(("fixed", "verdict"), [(0.98, "met"), (0.97, "not met")])
def test_what_is_wanted_is_said_with_its_figure(runs: Path, fixed: float, verdict: str) -> None:
    row = found(runs)[0]
    summary = {**row.summary, "accuracy": {**row.summary["accuracy"], "fixed": fixed, "float": 0.98}}
    rows = [replace(row, method=method, summary=summary) for method in PAGE.METHODS[:4]]
    lines = PAGE.wanted(PAGE.tables(rows), PAGE.run_wanted(rows))
    assert lines[0].startswith(f"- digits, four methods at least 0.98: {verdict} (")
    assert f"{fixed:.4f}" in lines[0]
    assert lines[1].startswith("- digits, all at least 0.96 (4 of 7 were run): met (")
    assert "- FSDD, st_rsbp at least 0.93: not run" in lines
    assert lines[5].endswith("under float, in every run: not run")
    lost, lava = PAGE.run_wanted(every_run(replace(rows[0], summary={**summary, "lava_equals_emulator": True})))
    assert f": {verdict}; the most is {100 * (0.98 - fixed):.2f} (" in lost
    assert lava.endswith("in every run of the three data sets: met")


@pytest.mark.parametrize(
    ("first", "others", "verdict"),
    [
        (False, True, "not met (bptt on digits, seed 0)"),
        (None, True, "met; not run in Lava: bptt on digits, seed 0"),
        (None, None, "not run"),
    ],
)
def test_what_lava_says_is_told_run_by_run(runs: Path, first: bool | None, others: bool | None, verdict: str) -> None:
    row = found(runs)[0]
    summaries = [{**row.summary, "lava_equals_emulator": value} for value in (first, others)]
    rows = every_run(replace(row, summary=summaries[1]))
    assert PAGE.run_wanted([replace(rows[0], summary=summaries[0]), *rows[1:]])[1] == f"{PAGE.LAVA}: {verdict}"


def every_run(row: Any) -> list[Any]:
    """A run of each line of every table, with the figures of this one."""

    def in_steps(count: int) -> Any:
        return row.recipe.model_copy(update={"training": replace(row.recipe.training, steps=count)})

    pairs = [(d, m) for d in PAGE.DATASETS for m in PAGE.METHODS if (d, m) not in PAGE.CANNOT]
    short = [(method, count) for method, counts in PAGE.SHORT.items() for count in counts]
    return [replace(row, dataset=dataset, method=method) for dataset, method in pairs] + [
        replace(row, dataset="mnist10k_dense", method=method, recipe=in_steps(count)) for method, count in short
    ]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A copy of the page and its picture."""
    (tmp_path / "img").mkdir()
    for name in ("methods.md", "img/methods.svg"):
        shutil.copy(ROOT / "docs" / name, tmp_path / name)
    return tmp_path / "methods.md"


def lines_by_mark(page: Path, rows: list[Any], narrow: list[Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = SCRIPT.lines_by_mark(rows, narrow, SCRIPT.page_text(page))
    return found


def test_a_page_without_runs_stays_as_it_is(page: Path) -> None:
    PAGE.write_page(page, [], lines_by_mark(page, [], []))
    for name in ("methods.md", "img/methods.svg"):
        assert (page.parent / name).read_bytes() == (ROOT / "docs" / name).read_bytes()


def test_a_measured_table_of_its_own_replaces_nothing_else(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SCRIPT, "step_table", lambda rounds: ["| layers |", "| --- |", "| 1 ms |"])
    monkeypatch.setattr(
        SCRIPT.sys, "argv", ["methods.py", "--step-time", "--out", str(page), "--runs", str(page.parent / "none")]
    )
    before = page.read_text(encoding="utf-8")
    SCRIPT.main()
    after = page.read_text(encoding="utf-8")
    assert SCRIPT.page.standing(after, "step time") == ["| layers |", "| --- |", "| 1 ms |"]
    cut = [text.replace("\n".join(SCRIPT.page.standing(text, "step time")), "") for text in (before, after)]
    assert cut[0] == cut[1]


def test_rows_are_replaced_where_their_runs_are_there(runs: Path, page: Path) -> None:
    before = page.read_text(encoding="utf-8")
    width = [CHIP.Width("bptt", 0, bits, 0.5) for bits in CHIP.WIDTHS]
    PAGE.write_page(page, found(runs), lines_by_mark(page, found(runs), width))
    after = page.read_text(encoding="utf-8")
    old, new = (text.splitlines() for text in (before, after))
    changed = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
    table = {line[0]: line for line in PAGE.table(found(runs), "digits")}
    rows = [b for _, b in changed if b.startswith("|")]
    assert rows == ["| " + " | ".join(table[f"`{m}`"]) + " |" for m in RUN] + [
        "| `bptt` | 0.5000 | 0.5000 | 0.5000 | +0.00 points |"
    ]
    # what is wanted is what the page now says, of the rows that stand, too
    verdicts = [line for line in new if line.startswith("- digits, all at least 0.96: ")]
    worst = min(RUN, key=lambda m: float(table[f"`{m}`"][PAGE.FIXED]))
    assert verdicts[0].endswith(f"({worst} {table[f'`{worst}`'][PAGE.FIXED]})")
    assert all(a.startswith(("|", "- ")) for a, _ in changed)


def test_the_picture_is_drawn_where_all_of_its_runs_are_there(runs: Path, page: Path) -> None:
    rows = every_run(found(runs)[0])
    assert PAGE.missing(rows) == [] and PAGE.missing(rows[1:]) == ["digits `bptt`"]
    assert PAGE.missing(rows[:-1]) == ["steps `surrogate_bn`"]
    PAGE.write_page(page, rows[1:], {})
    assert (page.parent / "img" / "methods.svg").read_bytes() == (ROOT / "docs" / "img" / "methods.svg").read_bytes()
    PAGE.write_page(page, rows, {})
    drawn = (page.parent / "img" / "methods.svg").read_text(encoding="utf-8")
    shown = [row for row in rows if row.dataset in PAGE.DATASETS]
    assert drawn.count("<circle") == len(shown) + len(PAGE.METHODS)


def test_widths_are_compared_over_the_seeds_that_all_have() -> None:
    right = {0: [0.99, 0.98], 8: [0.98, 0.98], 4: [0.97, 0.97, 0.10]}
    found = [
        CHIP.Width("bptt", seed, bits, value) for bits, values in right.items() for seed, value in enumerate(values)
    ]
    lines = CHIP.width_table(found)
    cells = ("0.9850 (0.9800 to 0.9900)", "0.9800 (0.9800 to 0.9800)", "0.9700 (0.9700 to 0.9700)", "+1.50 points")
    assert lines == [("`bptt`", *cells)]
    assert CHIP.width_wanted(lines).endswith("mean of the seeds (1 of 7 were run): not met; the most is 1.50 (bptt)")
    assert CHIP.width_wanted([]).endswith("not run")


def test_a_width_is_trained_and_its_network_answers(runs: Path) -> None:
    job = SCRIPT.Job("digits", "bptt", 0, bits=4)
    folder = RunFolder(runs / job.name)
    assert CHIP.width("bptt", 0, 4, folder) is None
    SCRIPT.run(job, folder, Console(quiet=True))
    try:
        assert load_recipe(folder.recipe).network.chip_aware == 4 and not folder.finished
        found = CHIP.width("bptt", 0, 4, folder)
        assert found is not None and 0.5 < found.right <= 1
    finally:
        shutil.rmtree(folder.path)


def test_what_is_held_out_is_not_the_test_part(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = CHIP.recipe_of(
        SCRIPT.changed((ROOT / "recipes" / "digits.toml").read_text(encoding="utf-8"), epochs=1), Path("digits.toml")
    )
    whole, seen = CHIP.dataset_of(recipe), {}
    monkeypatch.setattr(CHIP, "right", lambda method, data: seen.update(data=data) or 0.5)
    assert CHIP.held_out_share(recipe) == 0.5
    held = {row.tobytes() for row in seen["data"].x_test}
    assert len(seen["data"].x_test) == round(0.2 * len(whole.x_train)) and held <= {r.tobytes() for r in whole.x_train}
    assert not held & {row.tobytes() for row in seen["data"].x_train} & {row.tobytes() for row in whole.x_test}


def test_a_step_in_integers_and_its_rounding_are_timed() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CHIP, "SIZES", (20, 16, 16, 4))
        patch.setattr(CHIP, "BATCH", 4)
        *_, plain, recurrent = CHIP.step_table(1)
    assert plain.startswith("| 20-16-16-4 |") and "recurrent" in recurrent and float(plain.split(" | ")[3]) > 0


@pytest.mark.parametrize("method", PAGE.METHODS)
def test_every_method_has_a_recipe_for_digits(method: str) -> None:
    recipe = load_recipe(PAGE.recipe_path("digits", method))
    assert recipe.training.method == method and recipe.dataset in ("digits", "digits_image")


@pytest.mark.parametrize("dataset", PAGE.DATASETS)
@pytest.mark.parametrize("method", PAGE.METHODS)
def test_a_pair_with_a_reason_has_no_recipe(dataset: str, method: str) -> None:
    assert not (PAGE.recipe_path(dataset, method).exists() and (dataset, method) in PAGE.CANNOT)


def test_a_pair_without_a_recipe_is_shown_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PAGE, "METHODS", (*PAGE.METHODS, "new"))
    assert PAGE.table([], "fsdd")[-1][:2] == ("`new`", "no recipe")
