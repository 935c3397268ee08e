"""Measured cases against figures worked out by hand, the fit of constants, and estimates without a publication."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT

from benchmarks.cost_model.cases import Case, Measurement, estimate, load_cases, measurements, predicted_step
from benchmarks.cost_model.validation import Fitted, check, factor, fit, with_constants
from spikeport.hardware_profiles import InputError, Quantity, load_costs
from spikeport.hardware_profiles.schema import ChipCosts


def number(value: float, unit: str, low: float | None = None, high: float | None = None) -> dict[str, object]:
    """A quantity as a file says it."""
    found: dict[str, object] = {"value": value, "unit": unit, "source": "here", "kind": "estimated", "date": "2026"}
    return found | ({} if low is None else {"low": low, "high": high})


def case(
    name: str, measured: float, synops_: float, kind: str = "dynamic energy", **setting: dict[str, object]
) -> Case:
    """A case on loihi1 of `synops_` dense synaptic operations in two steps."""
    units = {"step time": "s", "power": "W", "static power": "W"}
    point = {"kind": kind, "measured": number(measured, units.get(kind, "J"))}
    return Case.model_validate(
        {
            "name": name,
            "title": name,
            "chip": "loihi1",
            "publication": name.split("_")[0],
            "description": "made up",
            "setting": {
                "steps": number(2.0, "step/inference"),
                "chips": number(1.0, "chip"),
                "cores": number(3.0, "core"),
                **setting,
            },
            "counts": {"synops_dense": number(synops_, "1/inference")},
            "core": {"synops_dense": number(100.0, "1/step"), "received": number(10.0, "1/step")},
            "points": {"one": point},
        }
    )


# --- cases


def test_what_is_estimated_for_each_kind_of_point() -> None:
    chip = load_costs("loihi1")
    dynamic = 1e6 * 35.5e-12
    assert estimate(Measurement(case("a_1", 1.0, 1e6), "one"), chip).typical == pytest.approx(dynamic)
    step = 1e-6 + 100 * 3.8e-9 + 10 * 16e-9
    assert predicted_step(case("a_1", 1.0, 1e6), chip).typical == pytest.approx(step)
    timed = case("a_1", 1.0, 1e6, "step time", step_seconds=number(1e-3, "s"))
    assert estimate(Measurement(timed, "one"), chip).typical == pytest.approx(step)
    alone = case("a_1", 1.0, 1e6, "step time", host_seconds=number(4e-4, "s/inference"))
    assert estimate(Measurement(alone, "one"), chip).typical == pytest.approx(step + 4e-4 / 2)
    energy = estimate(Measurement(case("a_1", 1.0, 1e6, "energy"), "one"), chip)
    assert energy.typical == pytest.approx(dynamic + 0.1127 * 2 * step)
    power = estimate(Measurement(case("a_1", 1.0, 1e6, "power", step_seconds=number(1e-3, "s")), "one"), chip)
    assert power.typical == pytest.approx(dynamic / 2e-3 + 0.1127)
    static = estimate(Measurement(case("a_1", 1.0, 1e6, "static power"), "one"), chip)
    assert static.typical == pytest.approx(0.1127)
    lower = case("a_1", 1.0, 1e6, supply_factor=number(0.81, "1"))
    assert estimate(Measurement(lower, "one"), chip).typical == pytest.approx(0.81 * dynamic)


def test_what_the_authors_subtracted_is_subtracted() -> None:
    one = case("a_1", 1.0, 1e6, "energy", step_seconds=number(1e-3, "s"))
    point = one.points["one"].model_copy(update={"baseline": Quantity.model_validate(number(0.03, "W"))})
    less = one.model_copy(update={"points": {"one": point}})
    chip = load_costs("loihi1")
    whole, net = (estimate(Measurement(c, "one"), chip).typical for c in (one, less))
    assert whole - net == pytest.approx(0.03 * 2e-3)


def test_a_point_with_the_wrong_unit_or_no_source_is_refused(tmp_path: Path) -> None:
    text = (ROOT / "benchmarks/measured/yao_gesture.toml").read_text(encoding="utf-8")
    (tmp_path / "bad.toml").write_text(text.replace('unit = "W"', 'unit = "J"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"bad\.toml: .*power has the unit W, not J"):
        load_cases(tmp_path)
    (tmp_path / "bad.toml").write_text(text.replace("[counts.synops_conv]", "[counts.synops]"), encoding="utf-8")
    with pytest.raises(InputError, match=r"counts\.synops is an unknown key; did you mean"):
        load_cases(tmp_path)


# --- fitting, and leaving out


def chip_and_points(**measured: float) -> tuple[ChipCosts, list[Measurement]]:
    return load_costs("loihi1"), measurements(case(name, value, 1e6) for name, value in measured.items())


def test_one_constant_fits_to_the_geometric_mean() -> None:
    chip, points = chip_and_points(a_1=40e-6, b_1=10e-6)
    assert fit(["energy.synop"], points, chip) == pytest.approx([20e-12], rel=1e-6)
    with pytest.raises(ValueError, match="1 points do not fix 2 constants"):
        fit(["energy.synop", "energy.hop"], points[:1], chip)


def test_a_changed_constant_keeps_the_width_of_its_range() -> None:
    chip = load_costs("loihi1")
    moved = with_constants(chip, {"energy.synop": 71e-12})
    assert moved.energy.synop.bounds == pytest.approx([2 * b for b in chip.energy.synop.bounds])
    assert moved.energy.hop == chip.energy.hop
    with pytest.raises(ValueError, match=r"loihi1 has no constant energy\.chip_hop"):
        with_constants(chip, {"energy.chip_hop": 1.0})


def fitted(points: list[str], without: float) -> Fitted:
    one = {"chip": "loihi1", "constants": ["energy.synop"], "points": points, "without": [without], "reason": "test"}
    return Fitted.model_validate({"fits": [one], "medians": []})


def left_out(found: Fitted, points: list[Measurement]) -> dict[str, float | None]:
    checked = check(points, found, load_costs)
    return {c.measurement.label: None if c.left_out is None else c.left_out.typical for c in checked}


def test_a_point_is_left_out_with_all_of_its_publication() -> None:
    _, points = chip_and_points(a_1=10e-6, a_2=10e-6, b_1=40e-6, c_1=7e-6)
    found = left_out(fitted(["a_1.one", "a_2.one", "b_1.one"], 1e-12), points)
    assert found["a_1.one"] == pytest.approx(40e-6)
    assert found["b_1.one"] == pytest.approx(10e-6)
    assert found["c_1.one"] is None


def test_a_publication_alone_leaves_out_the_point_and_a_point_alone_falls_back() -> None:
    _, points = chip_and_points(a_1=10e-6, a_2=40e-6)
    assert left_out(fitted(["a_1.one", "a_2.one"], 1e-12), points) == pytest.approx(
        {"a_1.one": 40e-6, "a_2.one": 10e-6}
    )
    assert left_out(fitted(["a_1.one"], 1e-12), points)["a_1.one"] == pytest.approx(1e6 * 1e-12)


def test_a_board_is_left_out_of_the_median() -> None:
    boards = [{"publication": p, "power": number(w, "W")} for p, w in (("a", 0.1), ("b", 0.2), ("c", 0.3))]
    one = {"chip": "loihi1", "constants": ["power.static_per_chip", "power.host_per_chip"], "boards": boards}
    found = Fitted.model_validate({"fits": [], "medians": [one]})
    points = [Measurement(case(name, 1.0, 0.0, "static power"), "one") for name in ("a_1", "d_1")]
    seen = left_out(found, points)
    assert seen["a_1.one"] == pytest.approx(0.1127 * 0.25 / 0.2)
    assert seen["d_1.one"] is None


def test_a_choice_is_undone_for_the_publication_that_decided_it() -> None:
    one = {"chip": "loihi1", "constants": ["energy.synop"], "publication": "a", "scale": 0.5, "reason": "test"}
    found = Fitted.model_validate({"fits": [], "medians": [], "choices": [one]})
    points = [Measurement(case(name, 1.0, 1e6), "one") for name in ("a_1", "b_1")]
    seen = left_out(found, points)
    assert seen["a_1.one"] == pytest.approx(1e6 * 35.5e-12 / 2)
    assert seen["b_1.one"] is None


@given(st.floats(1e-6, 1e6))
def test_a_factor_counts_both_ways(ratio: float) -> None:
    assert factor(ratio) == pytest.approx(factor(1 / ratio))
    assert math.log(factor(ratio)) == pytest.approx(abs(math.log(ratio)))
