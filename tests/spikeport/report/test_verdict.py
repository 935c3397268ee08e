"""The verdict follows from the ranges, and numbers read well."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_runs import Json, Page, _device, _energy, make_summary, page_of

from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.report.pictures.charts import wilson
from spikeport.report.units import count, estimate, percent, si, si_range, significant
from spikeport.report.verdict import Outcome, against, device_comparisons, factor, outcome, verdict
from spikeport.summary import parse_summary


@pytest.fixture
def summary() -> Json:
    return make_summary()


amounts = st.floats(1e-12, 1.0)
ranges = st.lists(amounts, min_size=3, max_size=3).map(sorted).map(lambda v: Estimate(*v))


@given(ranges, ranges)
def test_only_ranges_apart_decide(chip: Estimate, ann: Estimate) -> None:
    found = outcome(chip, ann)
    overlap = max(chip.low, ann.low) <= min(chip.high, ann.high)
    assert (found is Outcome.APART) == overlap
    if found is Outcome.CHIP_LESS:
        assert chip.typical < ann.typical
        assert factor(chip, ann) == ann.low / chip.high > 1
    if found is Outcome.ANN_LESS:
        assert ann.typical < chip.typical
        assert factor(chip, ann) == chip.low / ann.high > 1
    mirrored = {Outcome.CHIP_LESS: Outcome.ANN_LESS, Outcome.ANN_LESS: Outcome.CHIP_LESS, Outcome.APART: Outcome.APART}
    assert outcome(ann, chip) is mirrored[found]


@given(st.lists(st.tuples(ranges, ranges), min_size=1, max_size=4), ranges)
def test_verdict_names_every_device_with_the_outcome_its_ranges_give(
    devices: list[tuple[Estimate, Estimate]], chip: Estimate
) -> None:
    summary = make_summary()
    summary["per_inference"].update(_energy(chip.low, chip.typical, chip.high))
    summary["ann"] = {
        f"d{i}": {
            **_device(f"Device{i}", "float32", (full.low, full.typical, full.high), 1e-3),
            "int8": _device(f"Device{i}", "int8", (small.low, small.typical, small.high), 1e-3),
        }
        for i, (full, small) in enumerate(devices)
    }
    parsed = parse_summary(summary, "s")
    said = verdict(parsed).pays
    phrases = {
        Outcome.CHIP_LESS: "the chip needs less than the ANN on",
        Outcome.APART: "the ranges of chip and ANN overlap on",
        Outcome.ANN_LESS: "the ANN needs less on",
    }
    for duel, (full, small) in zip(device_comparisons(parsed), devices, strict=True):
        both = {outcome(chip, full), outcome(chip, small)}
        # the chip wins on a device only if it wins against both precisions
        assert (duel.outcome is Outcome.CHIP_LESS) == (both == {Outcome.CHIP_LESS})
        assert (duel.outcome is Outcome.ANN_LESS) == (Outcome.ANN_LESS in both)
        clause = re.search(re.escape(phrases[duel.outcome]) + r" [^(]*\(([^)]*)\)", said)
        assert clause is not None
        assert duel.title in clause.group(1)
    for kind, phrase in phrases.items():
        assert (phrase in said) == any(duel.outcome is kind for duel in device_comparisons(parsed))


def test_verdict_in_full(summary: Json) -> None:
    assert verdict(parse_summary(summary, "s")).sentence.replace("\u202f", " ") == (
        "The ANN is more accurate (98.3 % against 97.5 %). "
        "The network fits Intel Loihi 2 on 2 of 128 cores; float and chip integers give the same answer on 99.7 % of "
        "360 test samples, and the batched Lava processes and stock Lava equal the emulator spike by spike; in "
        "estimated energy per inference, the chip needs less than the ANN on 1 of 2 devices (Desktop GPU of 2013), and "
        "the ranges of chip and ANN overlap on 1 of 2 devices (One core of a current server CPU); in estimated "
        "latency, the chip answers sooner than the ANN on 1 of 2 devices (Desktop GPU of 2013), and the ranges overlap "
        "on 1 of 2 devices (One core of a current server CPU)."
    )


def test_what_the_ann_is_better_at_comes_first(summary: Json) -> None:
    summary["accuracy"]["fixed"] = 0.99
    assert verdict(parse_summary(summary, "s")).sentence.startswith("The network fits")
    for device in summary["ann"].values():
        for entry in (device, device["int8"]):
            entry.update(latency_low_s=1e-12, latency_s=1e-11, latency_high_s=1e-10)
    first, second = verdict(parse_summary(summary, "s")).sentence.split(". ")
    assert first == "The ANN is faster on every device (One core of a current server CPU and Desktop GPU of 2013)"
    assert second.startswith("The network fits")
    summary["per_inference"].update(_energy(1.0, 2.0, 3.0))
    summary["accuracy"]["fixed"] = 0.5
    first = verdict(parse_summary(summary, "s")).ann_better.replace("\u202f", " ")
    assert first.startswith("The ANN is more accurate (98.3 % against 50.0 %), faster on every device (")
    assert "), and cheaper on every device (" in first


def test_verdict_says_the_unwelcome(summary: Json) -> None:
    summary["per_inference"].update(_energy(1.0, 2.0, 3.0))
    summary["lava_equals_emulator"], summary["stock_equals_emulator"] = False, None
    summary["mapping"].update(fits=False, cores=300, chips=3)
    said = verdict(parse_summary(summary, "s")).sentence
    assert "does not fit Intel Loihi 2: it needs 300 cores, one chip has 128" in said
    assert "the batched Lava processes differ from the emulator, stock Lava was not run here" in said
    assert "the ANN needs less on every device (" in said
    summary["mapping"]["layers"][0]["fill"] = 1.7
    assert (
        "layer hidden exceeds the limit of synapse memory per core (1.7×)" in verdict(parse_summary(summary, "s")).fits
    )
    page = Page(page_of(summary))
    assert "Does not fit." in page.text
    assert "the ANN needs less, at least" in page.text


@given(ranges, ranges)
def test_least_factor_is_rounded_down(chip: Estimate, ann: Estimate) -> None:
    said = re.search(r"at least ([\d\u202f.]+)×", against(chip, ann))
    found = factor(chip, ann)
    assert (said is None) == (found is None)
    if said is not None and found is not None:
        assert 0.9 * found < float(said.group(1).replace("\u202f", "")) <= found * (1 + 1e-12)


@given(st.floats(0, 1, exclude_max=True, exclude_min=True))
def test_percent_never_claims_all_or_nothing(share: float) -> None:
    assert percent(share) not in ("100.0\u202f%", "0.0\u202f%")


# numbers


def test_numbers_read_well() -> None:
    def said(text: str) -> str:
        return text.replace("\u202f", " ")

    assert said(si(1.234e-6, "J")) == "1.23 µJ"
    assert said(si(999.96e-9, "J")) == "1.00 µJ"
    assert said(si(0.0, "s")) == "0 s"
    assert said(si(30e9, "MAC/s")) == "30.0 GMAC/s"
    assert said(si(5e-19, "J")) == "0.000500 fJ"
    assert said(si_range(0.41e-6, 3.1e-6, "J")) == "0.41–3.1 µJ"
    assert said(si_range(0.9e-9, 3.1e-6, "J")) == "900 pJ – 3.1 µJ"
    assert said(estimate(Estimate(1e-6, 2e-6, 3e-6), "J")) == "2.00 µJ (1.0–3.0 µJ)"
    assert said(significant(1234567.0)) == "1 234 567" or said(significant(1234567.0)) == "1 230 000"
    assert said(significant(-0.0456)) == "−0.0456"
    assert count(3.26) == "3.3"


@given(st.floats(1e-14, 1e11))
def test_si_keeps_three_digits(value: float) -> None:
    number, unit = si(value, "J").split("\u202f")[-2:]
    powers = {"f": -15, "p": -12, "n": -9, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9}
    assert float(number) * 10.0 ** powers[unit[:-1]] == pytest.approx(value, rel=6e-3)
    assert 1 <= float(number) < 1000


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_interval_holds_the_share(samples: int, share: float) -> None:
    low, high = wilson(share, samples)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
