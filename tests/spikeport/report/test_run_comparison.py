"""Two runs side by side: every difference is shown, none is made up, and bad folders are one sentence."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest
from command import refused, spikeport
from hypothesis import given
from hypothesis import strategies as st
from report_runs import Json, Page, _energy, make_folder, make_summary

from spikeport.common.errors import InputError
from spikeport.report import read_pair, write_pair, write_report
from spikeport.report.run_comparison import Group, groups, sentence, times
from spikeport.report.run_comparison_page import Pair, render_pair
from spikeport.summary import parse_summary

RECIPE = """name = "digits"
dataset = "digits"
[network]
layers = [{ kind = "dense", size = 128 }]
batch_norm = true
[training]
epochs = 30
"""


def pair_of(first: Json, second: Json, recipes: tuple[dict[str, str], dict[str, str]] = ({}, {})) -> Pair:
    a, b = parse_summary(first, "a"), parse_summary(second, "b")
    return Pair(a, b, tuple(groups(a, b, recipes)))


def differing(found: tuple[Group, ...]) -> dict[str, tuple[str, str, str]]:
    rows = [row for group in found for row in group.rows if row.differs]
    return {row.name: tuple(t.replace("\u202f", " ") for t in (row.first, row.second, row.change)) for row in rows}  # type: ignore[misc]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    summary = make_summary()
    first = make_folder(tmp_path / "a", summary)
    other = copy.deepcopy(summary)
    other["recipe"] = "wide"
    other["accuracy"]["fixed"] = 0.98
    other["mapping"]["cores"] = 5
    other["per_inference"].update(spikes=1624.8, **_energy(0.44e-6, 6.8e-6, 104e-6))
    second = make_folder(tmp_path / "b", other)
    (first / "recipe.toml").write_text(RECIPE)
    (second / "recipe.toml").write_text(RECIPE.replace("128", "256").replace("[training]", "dv = 0.2\n[training]"))
    return first, second


def test_what_differs_stands_first_with_its_change(folders: tuple[Path, Path], tmp_path: Path) -> None:
    pair = read_pair(*folders)
    assert differing(pair.groups) == {
        "network.layers 1": ("kind dense, size 128", "kind dense, size 256", ""),
        "network.dv": ("–", "0.2", ""),
        "Accuracy, chip integers": ("97.5 %", "98.0 %", "+0.50 points"),
        "Energy": ("3.40 µJ (220 nJ – 52 µJ)", "6.80 µJ (440 nJ – 100 µJ)", "2.00×"),
        "Spikes": ("812", "1 625", "2.00×"),
        "Cores": ("2", "5", "2.50×"),
    }
    text = write_pair(pair, tmp_path / "both.html").read_text(encoding="utf-8")
    page = Page(text)
    assert text.index('id="differs"') < text.index('id="accuracy"') < text.index('id="same"')
    assert len(page.attributes("caption")) == len(page.attributes("table"))
    assert all(a.get("scope") in ("row", "col") for a in page.attributes("th"))
    assert page.attributes("script") == [{}]
    assert "http://" not in text and "https://" not in text
    assert text == write_pair(pair, tmp_path / "again.html").read_text(encoding="utf-8")


def test_the_sentence_says_no_more_than_the_numbers(folders: tuple[Path, Path]) -> None:
    said = read_pair(*folders).sentence.replace("\u202f", " ")
    assert said == (
        "B reaches 98.0 % accuracy on chip integers, A 97.5 %, a difference within the uncertainty of tests of this "
        "size; by estimate B needs 2.0× the energy of A, with the chip's constants at their low, typical and high "
        "values."
    )


def test_runs_alike_differ_in_nothing() -> None:
    pair = pair_of(make_summary(), make_summary(), ({"name": "x"}, {"name": "x"}))
    assert differing(pair.groups) == {}
    assert "the same in both" in Page(render_pair(pair)).text
    assert "both need the same energy" in pair.sentence


def test_chips_that_differ_are_judged_by_their_ranges() -> None:
    first, second = make_summary(), make_summary()
    second.update(chip="loihi1", chip_title="Intel Loihi 1")
    assert "cannot be distinguished" in sentence(parse_summary(first, "a"), parse_summary(second, "b"))
    second["per_inference"].update(_energy(1e-3, 2e-3, 3e-3))
    assert "by estimate B needs more energy than A" in sentence(parse_summary(first, "a"), parse_summary(second, "b"))


@pytest.mark.parametrize("name", ["per_inference", "mapping", "agreement", "difference"])
def test_what_one_run_lacks_breaks_nothing(name: str) -> None:
    lacking = make_summary()
    lacking[name] = None
    lacking["accuracy"] = {"ann": None, "ann_int8": None, "float": None, "fixed": None}
    for first, second in ((lacking, make_summary()), (make_summary(), lacking), (lacking, lacking)):
        text = Page(render_pair(pair_of(first, second))).text
        assert {"None", "nan", "inf"}.isdisjoint(re.split(r"\W+", text))


def test_foreign_text_stays_text() -> None:
    evil = "<script>alert(1)</script>"
    bad = make_summary()
    bad.update(recipe=evil, chip_title=evil, dataset=evil)
    page = Page(render_pair(pair_of(bad, make_summary(), ({evil: evil}, {}))))
    assert page.attributes("script") == [{}]
    assert page.text.count(evil) > 3


@given(st.floats(1e-12, 1e12), st.floats(1e-12, 1e12))
def test_factors_are_those_of_the_numbers(first: float, second: float) -> None:
    said = times(first, second).replace("\u202f", "")
    if first == second:
        assert said == ""
    else:
        assert float(said.removesuffix("×")) == pytest.approx(second / first, rel=6e-3)


def test_a_broken_recipe_is_one_sentence(folders: tuple[Path, Path]) -> None:
    (folders[1] / "recipe.toml").write_text("[network")
    with pytest.raises(InputError, match=r"recipe\.toml: is not a complete recipe"):
        read_pair(*folders)
    (folders[1] / "recipe.toml").unlink()
    assert read_pair(*folders).groups[0].rows[0].second == "–"


def test_the_command_writes_one_page_or_the_other(folders: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = folders
    fresh = write_report(first).read_bytes()
    (first / "report.html").unlink()
    assert spikeport("report", first).returncode == 0
    assert (first / "report.html").read_bytes() == fresh
    both = spikeport("report", first, second, "-o", tmp_path / "both.html", "--json", tmp_path / "both.json")
    assert both.returncode == 0, both.stderr
    assert "2.00×" in both.stdout and "network.dv" in both.stdout
    found = json.loads((tmp_path / "both.json").read_text())
    assert {row["name"] for row in found["rows"] if row["differs"]} >= {"Energy", "network.dv"}
    assert (tmp_path / "both.html").exists()
    assert spikeport("report", first, second).returncode == 0
    assert (first / "beside-b.html").read_bytes() == (tmp_path / "both.html").read_bytes()
    refused(spikeport("report", first, tmp_path), "summary.json")
    refused(spikeport("report", first, "-o", tmp_path / "x.pdf"), ".html")
