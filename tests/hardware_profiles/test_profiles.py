"""Profiles: what ships is complete and ordered, and what is wrong is refused in one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spikeport.hardware_profiles import (
    ChipProfile,
    DeviceProfile,
    InputError,
    Quantity,
    available,
    constants,
    load_chip,
    load_costs,
    load_device,
    load_profile,
)
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.hardware_profiles.loader import DATA

SYNOP = re.compile(r"\[energy\.synop\]\n(?:.+\n)+")


def shipped(name: str) -> str:
    return (DATA / f"{name}.toml").read_text(encoding="utf-8")


def own(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def with_synop(text: str, old: str, new: str) -> str:
    """The file with one change inside the table energy.synop; fails if there was nothing to change."""
    table = SYNOP.search(text)
    assert table is not None
    changed, count = re.subn(old, new, table.group(0), flags=re.MULTILINE)
    assert count == 1
    return text.replace(table.group(0), changed)


def refusal(folder: Path, text: str) -> str:
    """The sentence with which a file is refused: one line that begins with the file's name."""
    path = own(folder, text)
    with pytest.raises(InputError) as caught:
        load_profile(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ")
    assert "\n" not in sentence
    return sentence


# --- what ships


def test_the_issue_s_profiles_ship() -> None:
    assert available() == sorted(available())
    assert {"loihi1", "loihi2"} <= set(available())
    assert sum(isinstance(load_profile(name), DeviceProfile) for name in available()) >= 3


@pytest.mark.parametrize("name", available())
def test_shipped_profile_is_ordered_and_sourced(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    table = constants(profile)
    assert len({dotted for dotted, _ in table}) == len(table) >= 9
    for dotted, quantity in table:
        low, value, high = quantity.bounds
        assert low <= value <= high, dotted
        assert quantity.source and quantity.kind and quantity.date, dotted
        if dotted.startswith(("energy.", "power.", "time.")):
            assert quantity.low is not None and quantity.high is not None, dotted


@pytest.mark.parametrize("name", available())
def test_vendor_is_said_only_of_the_vendor_s_own_words(name: str) -> None:
    for dotted, quantity in constants(load_profile(name)):
        if quantity.kind == "vendor":
            assert not quantity.source.startswith(("WikiChip", "repository nengo/nengo-loihi, hardware")), dotted


@pytest.mark.parametrize("name", ["loihi1", "loihi2"])
def test_chip_widths_are_those_of_the_fixed_point_contract(name: str) -> None:
    widths = load_chip(name).word_widths.fixed_point()
    contract = WordWidths(message_bits=widths.message_bits)
    assert widths == contract


def test_loihi1_limits_are_the_published_ones() -> None:
    limits = load_chip("loihi1").limits
    assert int(limits.compartments_per_core) == 1024
    assert limits.input_axons_per_core is not None and int(limits.input_axons_per_core) == 4096
    assert limits.output_axons_per_core is not None and int(limits.output_axons_per_core) == 4096
    assert int(limits.synapse_memory_bits_per_core) == 16384 * 64
    assert int(limits.cores_per_chip) == 128


def test_loihi1_ranges_hold_the_published_energies() -> None:
    energy = load_chip("loihi1").energy
    published = {
        "synop": [23.6e-12, 35.5e-12, 33.6e-12, 24.0e-12],
        "neuron_update_inactive": [52e-12, 51.2e-12],
        "neuron_update_active": [81e-12, 72.8e-12],
        "synop_sparse": [33.6e-12, 23.6e-12],
        "synop_conv": [24.0e-12, 23.6e-12],
        "spike": [69.3e-12],
        "message": [1.7e-12, 111e-12],
        "hop": [3.0e-12, 4.0e-12, 4.2e-12],
    }
    for name, figures in published.items():
        low, _, high = getattr(energy, name).bounds
        assert all(low <= figure <= high for figure in figures), name


def test_loihi2_says_that_its_energies_are_estimates() -> None:
    for dotted, quantity in constants(load_chip("loihi2")):
        if dotted.startswith("energy."):
            assert quantity.kind == "estimated", dotted


def test_static_power_of_loihi1_is_that_of_its_boards() -> None:
    power = load_chip("loihi1").power
    assert power.host_per_chip is not None
    core, host = power.static_per_core.value, power.host_per_chip.value
    # two probes of a Nahuku board, in watts, with 1,760 and 72 cores on; the keyword spotter's logs
    assert core == pytest.approx(((1.72167 - 0.91991) / (1760 - 72) + (0.0962 - 0.0297) / 128) / 2, rel=0.005)
    # 3.34 W leakage with every core of 32 chips in use; 0.43 mJ less 0.12 mJ over 2.75 ms with 72 cores and one x86
    pohoiki, nahuku = 3.34 / 32 - 128 * core, (0.43e-3 - 0.12e-3) / 2.75e-3 - 72 * core - host
    assert power.static_per_chip.value == pytest.approx((pohoiki + nahuku) / 2, rel=0.005)
    low, _, high = power.static_per_chip.bounds
    assert (low, high) == pytest.approx((0.0277, 0.0962 - 4 * core), rel=0.005)


def test_a_board_has_a_static_power_of_its_own() -> None:
    own, chip = load_chip("loihi2_oheo_gulch").power, load_chip("loihi2").power
    assert own.static_per_chip.value == pytest.approx(0.232, rel=0.001)
    assert own.static_per_chip.value > 1.3 * chip.static_per_chip.value
    assert own.static_per_core == chip.static_per_core


def test_a_profile_extends_another(tmp_path: Path) -> None:
    number = SYNOP.search(shipped("loihi1"))
    assert number is not None
    text = 'extends = "loihi1"\nname = "mine"\n\n' + number.group(0).replace("35.5e-12", "30.0e-12")
    mine, base = load_chip(own(tmp_path, text)), load_chip("loihi1")
    assert mine.energy.synop.value == pytest.approx(30e-12)
    assert mine.energy.synop.source == base.energy.synop.source
    assert (mine.name, mine.title, mine.limits, mine.time) == ("mine", base.title, base.limits, base.time)
    assert mine.energy.hop == base.energy.hop


def test_extending_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert "extends = 'loihi7' is not a shipped profile; did you mean" in refusal(tmp_path, 'extends = "loihi7"\n')


def test_costs_alone_are_read_but_are_no_chip(tmp_path: Path) -> None:
    sections = re.search(r"\[energy\.synop\][\s\S]*", shipped("loihi1"))
    assert sections is not None
    head = 'kind = "costs"\nname = "mine"\ntitle = "Mine"\nsummary = "Mine."\n\n'
    path = own(tmp_path, head + sections.group(0))
    assert load_costs(path).energy == load_chip("loihi1").energy
    with pytest.raises(InputError, match=r"the costs of a chip alone, not a chip; choose one of .*loihi1, loihi2"):
        load_chip(path)
    with pytest.raises(InputError, match="describes a device for the ANN, not a chip"):
        load_costs("server_cpu")


@pytest.mark.parametrize(
    ("name", "joules", "seconds"), [("desktop_gpu", 29.8e-3, 1 / 770.4), ("jetson_tx1", 5.6e-3, 1 / 419)]
)
def test_device_gives_back_the_measured_keyword_spotter(name: str, joules: float, seconds: float) -> None:
    device, macs = load_device(name), 390 * 256 + 256 * 256 + 256 * 29
    work = max(macs / device.time.macs_per_second_float32.value, 4 * macs / device.time.bytes_per_second.value)
    time = device.time.overhead.value + work
    operations = macs * device.energy.mac_float32.value + 4 * macs * device.energy.memory_byte.value
    assert time == pytest.approx(seconds, rel=0.01)
    assert operations + time * device.power.active.value == pytest.approx(joules, rel=0.05)


def test_constants_have_dotted_names_in_the_order_of_the_schema() -> None:
    names = [dotted for dotted, _ in constants(load_profile("loihi1"))]
    assert names[0] == "word_widths.weight_bits"
    assert names.index("energy.synop") < names.index("power.static_per_chip") < names.index("time.step_minimum")


def test_a_profile_is_frozen() -> None:
    profile = load_chip("loihi1")
    with pytest.raises(ValidationError):
        profile.name = "other"


# --- finding a profile


def test_unknown_name_names_the_nearest_and_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"no profile 'loihi3'; did you mean 'loihi[12]'") as caught:
        load_profile("loihi3")
    assert all(name in str(caught.value) for name in available())


def test_user_file_by_path(tmp_path: Path) -> None:
    text = shipped("loihi1").replace('name = "loihi1"', 'name = "my_chip"')
    for path in (own(tmp_path, text), str(own(tmp_path, text))):
        profile = load_profile(path)
        assert isinstance(profile, ChipProfile)
        assert profile.name == "my_chip"


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.toml: no such file"):
        load_profile(tmp_path / "nowhere.toml")


def test_wrong_kind_of_profile_is_refused() -> None:
    with pytest.raises(InputError, match=r"not a chip; choose one of .*loihi1, loihi2"):
        load_chip("jetson_tx1")
    with pytest.raises(InputError, match=r"not a device.*jetson_tx1"):
        load_device("loihi1")


# --- refusing a file


@pytest.mark.parametrize("key", ["source", "kind", "date", "value", "unit"])
def test_a_number_without_its_origin_is_refused(tmp_path: Path, key: str) -> None:
    sentence = refusal(tmp_path, with_synop(shipped("loihi1"), rf"^{key} = .*\n", ""))
    assert f"energy.synop has no {key};" in sentence


@pytest.mark.parametrize("name", ["loihi1", "loihi2"])
def test_an_empty_source_is_refused(tmp_path: Path, name: str) -> None:
    sentence = refusal(tmp_path, with_synop(shipped(name), r"^source = .*$", 'source = "  "'))
    assert "energy.synop.source" in sentence


def test_a_bare_number_is_refused(tmp_path: Path) -> None:
    text = SYNOP.sub("", shipped("loihi1")).replace(
        "[energy.neuron_update_inactive]", "[energy]\nsynop = 1e-12\n\n[energy.neuron_update_inactive]"
    )
    assert "energy.synop = 1e-12 is a bare number without a source; write it as a table" in refusal(tmp_path, text)


def test_a_number_in_an_unknown_place_is_refused(tmp_path: Path) -> None:
    assert "wattage is an unknown key" in refusal(tmp_path, "wattage = 3.0\n" + shipped("loihi1"))


def test_a_missing_heading_is_named(tmp_path: Path) -> None:
    text = shipped("loihi1").replace('name = "loihi1"\n', "")
    assert 'name is missing; write name = "..." at the top' in refusal(tmp_path, text)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    assert "energy.synop is missing; add the table [energy.synop]" in refusal(
        tmp_path, SYNOP.sub("", shipped("loihi1"))
    )


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("[energy.synop]", "[energy.sinop]", "energy.sinop is an unknown key; did you mean 'synop'?"),
        ("[limits.", "[limit.", "limit is an unknown key; did you mean 'limits'?"),
    ],
)
def test_a_typo_names_the_nearest_key(tmp_path: Path, old: str, new: str, hint: str) -> None:
    assert hint in refusal(tmp_path, shipped("loihi1").replace(old, new))


def test_a_typo_inside_a_number_names_the_nearest_key(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, with_synop(shipped("loihi1"), "^source =", "sorce ="))
    assert "energy.synop.sorce is an unknown key; did you mean 'source'?" in sentence


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("^low = .*$", "low = 1.0", "low 1 is above value"),
        ("^high = .*$", "high = 1e-15", "high 1e-15 is below value"),
        ("^value = .*$", "value = nan", "finite"),
        ("^high = .*$", "high = inf", "finite"),
        ("^low = .*$", "low = -1e-12", "-1e-12 is negative"),
        ("^low = .*\n", "", "the range is missing"),
        ("^value = .*$", "value = true", "energy.synop.value = True is refused"),
        ("^value = .*$", 'value = "23"', "energy.synop.value = '23' is refused"),
        ("^unit = .*$", 'unit = "pJ"', "unit 'pJ' is not 'J'"),
        ("^kind = .*$", 'kind = "guessed"', "energy.synop.kind = 'guessed' is refused"),
        ("^date = .*$", 'date = "lately"', "'lately' is not a date"),
        ("^date = .*$", 'date = "2018-13"', "'2018-13' is not a date"),
    ],
)
def test_a_wrong_number_is_refused(tmp_path: Path, old: str, new: str, why: str) -> None:
    sentence = refusal(tmp_path, with_synop(shipped("loihi1"), old, new))
    assert "energy.synop" in sentence
    assert why in sentence


def test_a_broken_count_is_refused(tmp_path: Path) -> None:
    assert "whole number" in refusal(tmp_path, shipped("loihi1").replace("value = 1024", "value = 1024.5"))


def test_a_rate_of_zero_is_refused(tmp_path: Path) -> None:
    text = re.sub(r"(\[time\.bytes_per_second\]\nvalue = .*\nlow = ).*", r"\g<1>0.0", shipped("server_cpu"))
    assert "time.bytes_per_second: zero is not a rate" in refusal(tmp_path, text)


@pytest.mark.parametrize("line", ['kind = "board"\n', ""])
def test_an_unknown_kind_of_file_is_refused(tmp_path: Path, line: str) -> None:
    assert 'write kind = "chip", kind = "costs" or kind = "device"' in refusal(
        tmp_path, shipped("loihi1").replace('kind = "chip"\n', line)
    )


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        load_profile(path)


def test_truncated_toml_is_refused(tmp_path: Path) -> None:
    text = shipped("loihi1")
    assert "not complete TOML" in refusal(tmp_path, text[: text.index("table 2")])


# --- properties


@given(cut=st.integers(min_value=0, max_value=len(shipped("server_cpu")) - 1))
def test_every_truncation_is_refused_or_harmless(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = own(tmp_path_factory.mktemp("cut"), shipped("server_cpu")[:cut])
    try:
        profile = load_profile(path)
    except InputError as error:
        assert "\n" not in str(error)
    else:  # only the last note or line end was lost
        assert [q.value for _, q in constants(profile)] == [q.value for _, q in constants(load_profile("server_cpu"))]


_NUMBERS = st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(10**9), 10**9)


@given(value=_NUMBERS, low=st.none() | _NUMBERS, high=st.none() | _NUMBERS)
def test_a_quantity_is_finite_and_ordered_or_refused(value: float, low: float | None, high: float | None) -> None:
    try:
        quantity = Quantity(value=value, low=low, high=high, unit="J", source="s", kind="measured", date="2018")
    except ValidationError:
        numbers = [n for n in (low, value, high) if n is not None]
        finite = all(abs(n) < float("inf") for n in numbers)
        assert not (finite and numbers == sorted(numbers))
    else:
        bounds = quantity.bounds
        assert list(bounds) == sorted(bounds)
        assert all(abs(n) < float("inf") for n in bounds)
