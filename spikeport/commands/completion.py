"""Completion of option values in a shell: profiles, frameworks, recipes. A fault gives no values, never a traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Complete = Callable[[str], list[str]]
"""From what is typed so far to the values that start with it."""


def chips(incomplete: str) -> list[str]:
    """Chips by name, or profile files in the folder."""
    return _starting(incomplete, lambda: _profiles("chip"))


def costs(incomplete: str) -> list[str]:
    """Profiles that price events, after the last comma."""
    return _listed(incomplete, lambda: (*_profiles("chip"), *_profiles("costs")))


def devices(incomplete: str) -> list[str]:
    """Devices for the ANN, after the last comma."""
    return _listed(incomplete, lambda: _profiles("device"))


def profiles(incomplete: str) -> list[str]:
    """All profiles by name."""
    from spikeport.hardware_profiles.loader import available

    return _starting(incomplete, available)


def frameworks(incomplete: str) -> list[str]:
    """Frameworks whose conventions are known."""

    def known() -> Iterable[str]:
        from spikeport.exporter.lowering.dialects import DIALECTS

        return DIALECTS

    return _starting(incomplete, known)


def recipes(incomplete: str) -> list[str]:
    """Shipped recipes by name."""

    def known() -> Iterable[str]:
        from spikeport.run.shipped import recipe_names

        return recipe_names()

    return _starting(incomplete, known)


def models(incomplete: str) -> list[str]:
    """Trained networks by name."""

    def known() -> Iterable[str]:
        from spikeport.zoo.collection import cards

        return cards()

    return _starting(incomplete, known)


def _profiles(kind: str) -> list[str]:
    from spikeport.hardware_profiles.loader import available, load_profile

    return [name for name in available() if load_profile(name).kind == kind]


def _starting(incomplete: str, known: Callable[[], Iterable[str]]) -> list[str]:
    try:
        return [name for name in known() if name.startswith(incomplete)]
    except Exception:  # a broken profile or package must not break the shell's prompt
        return []


def _listed(incomplete: str, known: Callable[[], Iterable[str]]) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    return [before + comma + name for name in _starting(last, known)]
