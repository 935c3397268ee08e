"""Formats numbers: SI prefixes, ranges, shares, counts."""

from __future__ import annotations

import math

from spikeport.lava_runtime.cost_model.estimate import Estimate

NARROW = "\N{NARROW NO-BREAK SPACE}"
DASH = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
MINUS = "\N{MINUS SIGN}"
NOT_RUN = "not run here"
NONE = DASH

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_COUNTED = ("axon", "compartment", "config", "core", "step")
_SCALED = ("J", "s", "W", "Hz")
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def significant(value: float, digits: int = 3) -> str:
    """A number rounded to `digits` significant digits, without an exponent."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    text = f"{rounded:,.{decimals}f}".replace(",", NARROW)
    return text.replace("-", MINUS)


def counted(number: int, noun: str) -> str:
    """A number of things: "1 core", "2 cores"."""
    return f"{number:,} {noun}" + "s" * (number != 1)


def si(value: float, unit: str, digits: int = 3) -> str:
    """A number with its unit and the SI prefix that fits: 1.23 µJ."""
    exponent = _exponent(value, digits)
    return f"{significant(value / 10.0**exponent, digits)}{NARROW}{_PREFIXES[exponent]}{unit}"


def si_range(low: float, high: float, unit: str, digits: int = 2) -> str:
    """A range, with one prefix if both ends share it: 0.4–3.1 µJ, 410 nJ – 3.1 mJ."""
    if low == high:
        return si(low, unit, digits)
    top = _exponent(high, digits)
    if low == 0 or low >= high / 100:
        scale = 10.0**top
        first, last = significant(low / scale, digits), significant(high / scale, digits)
        return f"{first}{DASH}{last}{NARROW}{_PREFIXES[top]}{unit}"
    return f"{si(low, unit, digits)} {DASH} {si(high, unit, digits)}"


def estimate(value: Estimate, unit: str) -> str:
    """Typical value and range: 1.23 µJ (0.4–3.1 µJ)."""
    return f"{si(value.typical, unit)} ({si_range(value.low, value.high, unit)})"


def quantity(value: float, unit: str) -> str:
    """A constant of a profile: prefixes for physical units, plain digits for counts."""
    if unit in _SCALED or unit.endswith("/s"):
        return si(value, unit)
    if unit == "exponent":
        return plain(value)
    return f"{plain(value)}{NARROW}{unit}{'s' if unit in _COUNTED and value != 1 else ''}"


def plain(value: float) -> str:
    """Plain digits, thousands separated: 8 192."""
    if value == int(value):
        return f"{int(value):,}".replace(",", NARROW).replace("-", MINUS)
    return significant(value, 3)


def count(value: float) -> str:
    """A mean count: whole from ten, else with one decimal."""
    if value >= 10 or value == int(value):
        return plain(round(value))
    return f"{value:.1f}"


def short_count(value: int) -> str:
    """A whole number in three digits and a prefix: 8.19 k, 1.05 M."""
    return plain(value) if value < 1000 else si(value, "")


def percent(share: float | None, decimals: int = 1) -> str:
    """A share of one as a percentage; never rounds up to 100 % or down to 0 %."""
    if share is None:
        return NOT_RUN
    text = f"{100 * share:.{decimals}f}"
    step = 10.0**-decimals
    if share < 1 and float(text) == 100:
        text = f"{100 - step:.{decimals}f}"
    if share > 0 and float(text) == 0:
        return f"<{NARROW}{step:g}{NARROW}%"
    return f"{text}{NARROW}%"


def seconds(value: float | None) -> str:
    """Wall-clock time of a stage."""
    if value is None:
        return NOT_RUN
    if value >= 120:
        return f"{int(value // 60)}{NARROW}min {int(value % 60)}{NARROW}s"
    return f"{value:.1f}{NARROW}s" if value >= 0.05 else f"<{NARROW}0.1{NARROW}s"


def shape(sizes: list[int]) -> str:
    """1 × 8 × 8."""
    return f" {TIMES} ".join(plain(size) for size in sizes)


def power_of_two(exponent: int) -> str:
    """2⁻³."""
    return f"2{str(exponent).translate(_SUPERSCRIPT)}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """1 core, 3 cores."""
    return f"{plain(number)} {one if number == 1 else many or one + 's'}"


def short_title(title: str) -> str:
    """A title without the part in brackets."""
    return title.split(" (")[0]


def _exponent(value: float, digits: int) -> int:
    if value == 0:
        return 0
    # rounding first: 999.96 nJ is 1.00 µJ
    size = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    return min(max(3 * (size // 3), min(_PREFIXES)), max(_PREFIXES))
