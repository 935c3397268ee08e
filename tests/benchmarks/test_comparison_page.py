"""docs/comparison.md: what its sentences claim is what the rows say, and the page holds what the script writes."""

from __future__ import annotations

import importlib.util
import re
import sys
from typing import Any

import pytest
from places import ROOT
from report_runs import make_summary

from spikeport.hardware_profiles import DeviceProfile, available, load_profile
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.report.units import short_title
from spikeport.report.verdict import Outcome
from spikeport.results.ann_comparison import ComparisonRow
from spikeport.summary import parse_summary


@pytest.fixture(scope="module")
def page() -> Any:
    spec = importlib.util.spec_from_file_location("comparison_page", ROOT / "benchmarks" / "comparison.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def row(title: str, precision: str, outcome: Outcome, batch: int = 1) -> ComparisonRow:
    one = Estimate(1e-6, 2e-6, 4e-6)
    return ComparisonRow(title, precision, batch, 0.9, 100.0, one, one, 4e-12, outcome, None, None)


def contest(page: Any, chip: str, *rows: ComparisonRow) -> Any:
    return page.Contest("digits", "bptt", chip, parse_summary(make_summary(), "made up"), None, list(rows))


def test_every_cell_has_the_outcome_of_the_ranges_and_its_own_sign(page: Any) -> None:
    lines = list(page.who_wins([contest(page, "loihi2"), contest(page, "loihi1")]))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["", "Digits (8 x 8), bptt on loihi2", "Digits (8 x 8), bptt on loihi1"]
    by_name = {name: (one, two) for name, one, two in cells[2:]}
    # 97.5 against 98.3 % of 360 samples is not two standard errors
    assert all(cell.startswith("🟨 97.5") for cell in by_name["accuracy, SNN / ANN"])
    assert all(cell.startswith("🟩 chip ") for cell in by_name["Desktop GPU of 2013, energy"])
    assert by_name["One core of a current server CPU, latency"] == ("🟨 open", "🟨 open")
    assert len(by_name) == 1 + 2 * 2


def test_in_short_claims_only_what_holds_for_every_network_and_chip(page: Any) -> None:
    less, more, apart = Outcome.CHIP_LESS, Outcome.ANN_LESS, Outcome.APART
    one = contest(page, "loihi2", row("A", "int8", less), row("B", "int8", less), row("C", "int8", apart, 8))
    two = contest(page, "loihi1", row("A", "int8", less), row("B", "int8", more), row("C", "int8", apart, 8))
    said = page.in_short([one, two])
    assert "than A with every network and on both chips; the ANN needs less on B (digits on loihi1); " in said
    assert "In batches no device needs more energy than the chip with every network" in said


def test_the_page_holds_both_chips_and_every_device_of_every_network(page: Any) -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    names = re.findall(r"^### (.+)$", text, flags=re.MULTILINE)
    assert {name.split(",")[0] for name in names} >= {"Digits (8 x 8)", "MNIST", "Spoken digits (FSDD)"}
    for name in names:
        for chip in page.CHIPS:
            assert f"| {name} on {chip} |" in text
            assert f"| {name} | {chip} |" in text
    devices = [one for one in map(load_profile, available()) if isinstance(one, DeviceProfile)]
    for device in devices:
        assert text.count(f"| {device.title}, int8 |") == len(names)
        assert f"| {short_title(device.title)}, latency |" in text
