"""Look up a name in a registry, with a helpful message if it is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from spikeport.common.errors import InputError, nearest

Entry = TypeVar("Entry")


def lookup(kind: str, name: str, entries: Mapping[str, Entry]) -> Entry:
    """The entry of that name; raises InputError that suggests the nearest known one."""
    if name not in entries:
        known = ", ".join(sorted(entries))
        raise InputError(f"unknown {kind} {name!r}{nearest(name, entries)} (known: {known})")
    return entries[name]
