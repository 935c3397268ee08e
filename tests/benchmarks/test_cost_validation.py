"""Measured cases against figures worked out by hand, the fit of constants, and estimates without a publication."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT

from benchmarks.cost_model.cases import Case, Measurement, estimate, load_cases, measurements, predicted_step
from benchmarks.cost_model.fitted import Fitted
from benchmarks.cost_model.validation import Checked, check, factor, fit, spread, with_constants
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
            "scope": {"of": "chip", "x86": kind != "dynamic energy"},
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


# base, three cores and one x86 processor of loihi1
STATIC = 47.13e-3 + 3 * 0.4975e-3 + 23.34e-3


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
    assert energy.typical == pytest.approx(dynamic + STATIC * 2 * step)
    power = estimate(Measurement(case("a_1", 1.0, 1e6, "power", step_seconds=number(1e-3, "s")), "one"), chip)
    assert power.typical == pytest.approx(dynamic / 2e-3 + STATIC)
    static = estimate(Measurement(case("a_1", 1.0, 1e6, "static power"), "one"), chip)
    assert static.typical == pytest.approx(STATIC)
    lower = case("a_1", 1.0, 1e6, supply_factor=number(0.81, "1"))
    assert estimate(Measurement(lower, "one"), chip).typical == pytest.approx(0.81 * dynamic)


def test_a_core_that_is_not_described_has_an_equal_share_of_the_work() -> None:
    chip = load_costs("loihi1")
    setting = {"host_messages": number(30.0, "1/step"), "cores": number(4.0, "core")}
    described = case("a_1", 1.0, 1e3, "step time", **setting)
    equal = predicted_step(described.model_copy(update={"core": None}), chip)
    host = 30 * chip.time.host_message.value if chip.time.host_message else 0.0
    # 1,000 synaptic operations in two steps on four cores, a quarter of the host's messages
    assert equal.typical == pytest.approx(1e-6 + 125 * 3.8e-9 + 7.5 * 16e-9 + host)
    # at most five times of it
    assert chip.time.host_message is not None
    assert equal.high - 1.8e-6 - 30 * chip.time.host_message.bounds[2] == pytest.approx(
        5 * (125 * 4.75e-9 + 7.5 * 20e-9)
    )


def test_an_energy_takes_the_predicted_time_even_where_the_source_gives_one() -> None:
    chip = load_costs("loihi1")
    free = Measurement(case("a_1", 1.0, 1e6, "energy"), "one")
    timed = Measurement(case("a_1", 1.0, 1e6, "energy", step_seconds=number(1e-3, "s")), "one")
    assert estimate(timed, chip) == estimate(free, chip)


@pytest.mark.parametrize(
    ("scope", "static"),
    [
        ({"of": "chip", "x86": False}, 47.13e-3 + 3 * 0.4975e-3),
        ({"of": "cores", "x86": False}, 3 * 0.4975e-3),
        ({"of": "cores", "x86": True}, 3 * 0.4975e-3 + 23.34e-3),
    ],
)
def test_a_scope_says_what_static_power_contains(scope: dict[str, object], static: float) -> None:
    whole = case("a_1", 1.0, 1e6, "static power").model_dump()
    one = Case.model_validate({**whole, "scope": scope})
    assert estimate(Measurement(one, "one"), load_costs("loihi1")).typical == pytest.approx(static)


def test_x86_processors_are_part_of_a_dynamic_energy_only_in_their_scope() -> None:
    chip, step = load_costs("loihi1"), 1e-6 + 100 * 3.8e-9 + 10 * 16e-9
    half = case("a_1", 1.0, 1e6, host_processors=number(0.5, "1")).model_dump()
    with_x86, without = (
        estimate(Measurement(Case.model_validate({**half, "scope": {"of": "cores", "x86": x86}}), "one"), chip)
        for x86 in (True, False)
    )
    assert with_x86.typical - without.typical == pytest.approx(0.5 * 23.34e-3 * 2 * step)


def test_what_the_authors_subtracted_is_subtracted() -> None:
    one = case("a_1", 1.0, 1e6, "power", step_seconds=number(1e-3, "s"))
    point = one.points["one"].model_copy(update={"baseline": Quantity.model_validate(number(0.03, "W"))})
    less = one.model_copy(update={"points": {"one": point}})
    chip = load_costs("loihi1")
    whole, net = (estimate(Measurement(c, "one"), chip).typical for c in (one, less))
    assert whole - net == pytest.approx(0.03)


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


def fitted(points: list[str], without: list[list[float]]) -> Fitted:
    one = {"chip": "loihi1", "constants": ["energy.synop"], "points": points, "without": without, "reason": "test"}
    return Fitted.model_validate({"fits": [one]})


def left_out(found: Fitted, points: list[Measurement]) -> dict[str, float | None]:
    checked = check(points, found, load_costs)
    return {c.measurement.label: None if c.left_out is None else c.left_out.typical for c in checked}


def test_a_point_is_left_out_with_all_of_its_publication() -> None:
    _, points = chip_and_points(a_1=10e-6, a_2=10e-6, b_1=40e-6, c_1=7e-6)
    found = left_out(fitted(["a_1.one", "a_2.one", "b_1.one"], []), points)
    assert found["a_1.one"] == pytest.approx(40e-6)
    assert found["a_2.one"] == pytest.approx(40e-6)
    assert found["b_1.one"] == pytest.approx(10e-6)
    assert found["c_1.one"] == pytest.approx(1e6 * 35.5e-12)


def test_a_point_that_no_constant_is_fitted_to_is_left_out_with_its_publication_too() -> None:
    _, points = chip_and_points(a_1=10e-6, a_2=90e-6, b_1=40e-6)
    assert left_out(fitted(["a_1.one", "b_1.one"], []), points)["a_2.one"] == pytest.approx(40e-6)


def test_where_nothing_remains_it_is_not_possible_and_not_counted() -> None:
    _, points = chip_and_points(a_1=10e-6, a_2=40e-6)
    checked = check(points, fitted(["a_1.one", "a_2.one"], []), load_costs)
    assert [(c.left_out, c.counted, c.left_out_ratio) for c in checked] == [(None, None, None)] * 2
    step = [Measurement(case("a_1", 1e-6, 1e6, "static power"), "one")]
    alone = check(step, fitted(["a_1.one"], []), load_costs)
    assert alone[0].left_out is not None, "static power does not depend on the constant that is missing"


def test_the_values_without_a_publication_are_used_with_their_range() -> None:
    _, points = chip_and_points(a_1=10e-6)
    (found,) = check(points, fitted(["a_1.one"], [[1e-12, 2e-12, 8e-12]]), load_costs)
    assert found.left_out is not None
    ends = (found.left_out.low, found.left_out.typical, found.left_out.high)
    assert ends == pytest.approx((1e-6, 2e-6, 8e-6))


def boards(**powers: float) -> list[dict[str, object]]:
    return [{"publication": name, "power": number(watts, "W")} for name, watts in powers.items()]


def test_a_board_is_left_out_of_the_median_and_of_its_range() -> None:
    one = {"chip": "loihi1", "constant": "power.static_per_core", "boards": boards(a=1e-3, b=3e-3, c=5e-3)}
    found = Fitted.model_validate({"medians": [one]})
    scoped = {"scope": {"of": "cores", "x86": False}}
    made = [case(name, 1.0, 0.0, "static power").model_dump() for name in ("a_1", "d_1", "c_1")]
    points = [Measurement(Case.model_validate({**one_case, **scoped}), "one") for one_case in made]
    a, d, c = check(points, found, load_costs)
    assert a.left_out is not None and d.left_out is not None and c.left_out is not None
    assert a.left_out.typical == pytest.approx(3 * 4e-3)
    assert (a.left_out.low, a.left_out.high) == pytest.approx((3 * 4e-3 / 1.5, 3 * 4e-3 * 1.5))
    assert (c.left_out.low, c.left_out.typical, c.left_out.high) == pytest.approx((3e-3, 6e-3, 9e-3))
    assert d.left_out == d.estimate
    assert spread([1.0, 2.0, 9.0]) == (1.0, 2.0, 9.0)


def test_the_last_board_leaves_nothing_behind() -> None:
    one = {"chip": "loihi1", "constant": "power.static_per_chip", "boards": boards(a=0.1)}
    points = [Measurement(case("a_1", 1.0, 0.0, "static power"), "one")]
    assert left_out(Fitted.model_validate({"medians": [one]}), points) == {"a_1.one": None}


def test_a_choice_is_undone_for_the_publication_that_decided_it() -> None:
    one = {"chip": "loihi1", "constants": ["energy.synop"], "publication": "a", "scale": 0.5, "reason": "test"}
    points = [Measurement(case(name, 1.0, 1e6), "one") for name in ("a_1", "b_1")]
    a, b = check(points, Fitted.model_validate({"choices": [one]}), load_costs)
    low, typical, high = (1e6 * bound for bound in load_costs("loihi1").energy.synop.bounds)
    assert a.left_out is not None and b.left_out == b.estimate
    assert (a.left_out.low, a.left_out.typical, a.left_out.high) == pytest.approx((low / 2, typical / 2, high))


def test_a_constant_that_the_publication_measured_is_not_used() -> None:
    one = {"chip": "loihi1", "constants": ["energy.synop"], "publication": "a", "reason": "test"}
    points = [Measurement(case(name, 1.0, 1e6), "one") for name in ("a_1", "b_1")]
    without = {**one, "without": [[1e-12, 1e-12, 1e-12]]}
    assert left_out(Fitted.model_validate({"origins": [one]}), points)["a_1.one"] is None
    found = left_out(Fitted.model_validate({"origins": [without]}), points)
    assert found == pytest.approx({"a_1.one": 1e-6, "b_1.one": 1e6 * 35.5e-12})


def test_a_board_takes_the_constants_of_its_chip_and_its_own_medians() -> None:
    medians = [{"chip": chip, "constant": "power.static_per_chip", "boards": boards(a=0.1)} for chip in ("x", "x_y")]
    found = Fitted.model_validate({"medians": medians})
    assert [m.chip for m in found.of("x_y").medians] == ["x_y"]
    assert [m.chip for m in found.of("x_z").medians] == ["x"]
    assert found.of("xy").medians == []


def earlier(now: float, before: float) -> Checked:
    """A point of 35.5 uJ whose description was changed after its ratio had been seen."""
    new, old = (case("a_1", 35.5e-6, synops) for synops in (now * 1e6, before * 1e6))
    (found,) = check([Measurement(new, "one")], Fitted(), load_costs, {"a_1": old})
    return found


def test_a_changed_case_counts_with_the_worse_of_its_two_ratios() -> None:
    assert earlier(1.1, 0.2).left_out_ratio == pytest.approx(0.2)
    assert earlier(0.3, 1.2).left_out_ratio == pytest.approx(0.3)
    assert earlier(1.0, 1.0).left_out_ratio == pytest.approx(1.0)


@given(st.floats(1e-6, 1e6))
def test_a_factor_counts_both_ways(ratio: float) -> None:
    assert factor(ratio) == pytest.approx(factor(1 / ratio))
    assert math.log(factor(ratio)) == pytest.approx(abs(math.log(ratio)))
