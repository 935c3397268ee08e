"""The report in the terminal: one short table."""

from __future__ import annotations

from functools import partial

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spikeport.summary import Summary

from . import tables
from .checks import yes_no
from .outside import outside_sentences
from .scores import PLUS_MINUS, score, seeds_title, spread
from .units import DASH, MINUS, NARROW, NOT_RUN, TIMES, estimate, percent, plain, plural, seconds, short_title
from .verdict import against, verdict

# narrow spaces are missing in many terminal fonts
_PLAIN = str.maketrans({NARROW: " "})
_ASCII = str.maketrans({PLUS_MINUS: "+-", DASH: "-", MINUS: "-", TIMES: "x", "µ": "u"})


def print_summary(summary: Summary, console: Console) -> None:
    """Print the verdict and a table."""
    table = Table(
        title=escape_for_console(f"{summary.recipe} on {summary.chip_title}", console),
        title_justify="left",
        show_header=False,
    )
    table.add_column(style="bold")
    table.add_column()
    for index, section in enumerate(_sections(summary)):
        if index:
            table.add_section()
        for name, value in section:
            table.add_row(escape_for_console(name, console), escape_for_console(value, console))
    console.print(table)
    for sentence in (verdict(summary).sentence, *outside_sentences(summary)):
        console.print(escape_for_console(sentence, console))


def _sections(summary: Summary) -> list[list[tuple[str, str]]]:
    scores, chip = summary.scores, summary.per_inference
    name, show = _metric(summary), partial(score, scores.metric)
    answers = [
        (f"{name}, ANN", f"{show(scores.ann)} float32, {show(scores.ann_int8)} int8"),
        (f"{name}, SNN", f"{show(scores.float)} float, {show(scores.fixed)} chip integers"),
        *_float_twin(summary),
        *_seeds(summary),
        (
            "same answer in float and integers",
            f"{percent(summary.agreement)} of {plural(summary.test_samples, 'test sample')}",
        ),
        ("matches Lava", yes_no(summary.lava_equals_emulator)),
        ("matches stock Lava", yes_no(summary.stock_equals_emulator)),
    ]
    energy = [(f"energy, {short_title(summary.chip_title)}", NOT_RUN if chip is None else estimate(chip.energy, "J"))]
    for device, entry in tables.entries(summary):
        comparison = "" if chip is None else f": {against(chip.energy, entry.energy)}"
        name = f"energy, {short_title(device.title)}, {entry.precision}"
        energy.append((name, f"{estimate(entry.energy, 'J')}{comparison}"))
    rest = [
        ("cores", _cores(summary)),
        ("latency", NOT_RUN if chip is None else f"{estimate(chip.latency, 's')} excluding host input and output"),
        *_latencies(summary),
        ("time of this run", seconds(tables.total_seconds(summary))),
    ]
    return [answers, [(name, f"{value}" if value == NOT_RUN else f"estimate {value}") for name, value in energy], rest]


def _latencies(summary: Summary) -> list[tuple[str, str]]:
    chip = summary.per_inference
    if chip is None:
        return []
    return [
        (
            f"latency, {short_title(device.title)}, {entry.precision}",
            f"estimate {estimate(entry.latency, 's')}: {against(chip.latency, entry.latency, 'latency')}",
        )
        for device, entry in tables.entries(summary)
    ]


def _float_twin(summary: Summary) -> list[tuple[str, str]]:
    twin = summary.float_twin
    if twin is None:
        return []
    show = partial(score, summary.scores.metric)
    words = f"{show(twin.trained)} float, {show(twin.compiled)} rounded after"
    return [(f"{_metric(summary)}, trained in float", words)]


def _seeds(summary: Summary) -> list[tuple[str, str]]:
    seeds = summary.seeds
    if seeds is None:
        return []
    return [
        (f"{_metric(summary)}, {seeds_title(summary)}", f"{spread(summary.scores.metric, seeds.fixed)}, chip integers")
    ]


def _metric(summary: Summary) -> str:
    return summary.scores.metric.name.replace("_", " ")


def _cores(summary: Summary) -> str:
    mapping = summary.mapping
    if mapping is None:
        return NOT_RUN
    fits = "fits" if mapping.fits else "does not fit"
    return f"{plain(mapping.cores)} of {plain(mapping.cores_per_chip)}, {fits}"


def escape_for_console(text: str, console: Console) -> str:
    """Text that this console can show, with square brackets escaped."""
    shown = text.translate(_PLAIN)
    if not console.encoding.lower().startswith("utf"):
        shown = shown.translate(_ASCII).encode("ascii", "replace").decode()
    return escape(shown)
