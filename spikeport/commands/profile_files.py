"""Implementation of `spikeport chips`: the profiles of chips and devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from spikeport.common.errors import InputError
from spikeport.console.output import Output, say
from spikeport.console.tables import show_table
from spikeport.console.visible import new_console
from spikeport.hardware_profiles.loader import available, load_profile
from spikeport.hardware_profiles.schema import Quantity, constants
from spikeport.report.units import quantity


def chips(name: str | None, streams: Output) -> None:
    """Print all profiles, or every constant of one profile with its source."""
    if name is None:
        profiles = [load_profile(known) for known in available()]
        table = Table("name", "what it is", "kind")
        for profile in profiles:
            table.add_row(profile.name, profile.title, profile.kind)
        show_table(table, streams.console, prose=(0, 1))
        streams.write_json({"profiles": [{"name": p.name, "title": p.title, "kind": p.kind} for p in profiles]})
        return
    profile = load_profile(name)
    # piped or captured output must not truncate a source
    console = streams.console
    wide = console if console.is_terminal else new_console(stderr=console.stderr, width=400)
    wide.print(f"[bold]{profile.title}[/bold]", highlight=False)
    wide.print(profile.summary, highlight=False)
    table = Table("constant", "value", "range", "kind", "source", "date")
    for key, number in constants(profile):
        table.add_row(key, quantity(number.value, number.unit), _range(number), number.kind, number.source, number.date)
    show_table(table, wide, prose=(0, 1))
    streams.write_json(_profile_dict(profile))


def validate_profile(path: Path, streams: Output) -> None:
    """Check a profile file and summarise it; raises InputError if it is invalid."""
    if path.suffix != ".toml":
        raise InputError(f"{path}: a profile is a TOML file, and its name ends in .toml")
    profile = load_profile(path)
    numbers = constants(profile)
    estimated = sum(number.kind == "estimated" for _, number in numbers)
    say(
        streams.console,
        f"{path}: {profile.title}, a {profile.kind} profile of {len(numbers)} numbers, {estimated} of them estimated, "
        "each with source, kind and date.",
    )
    streams.write_json(_profile_dict(profile))


def _profile_dict(profile: Any) -> dict[str, Any]:
    about = {"name": profile.name, "title": profile.title, "kind": profile.kind, "summary": profile.summary}
    return {**about, "constants": {key: number.model_dump() for key, number in constants(profile)}}


def _range(number: Quantity) -> str:
    if number.low is None and number.high is None:
        return ""
    low, _, high = number.bounds
    return f"{quantity(low, number.unit)} to {quantity(high, number.unit)}"
