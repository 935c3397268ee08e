"""Neurons, passes, chips, data sets and training methods of other installed packages, found by their entry points.

A package lists them in its pyproject.toml, [project.entry-points."spikeport.neurons"] NAME = "module:object". Entry
points are looked up on the first request, and a module is imported when its own name is requested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Generic, TypeVar

from .errors import InputError, reason

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")

GROUPS = {
    "spikeport.neurons": "neuron",
    "spikeport.passes": "pass",
    "spikeport.chips": "chip",
    "spikeport.integers": "chip's integers",
    "spikeport.datasets": "data set",
    "spikeport.methods": "training method",
    "spikeport.tasks": "task",
}


class Registry(Mapping[str, T], Generic[T]):
    """The entries of this project by name, then those of installed packages; shipped: the project's own.

    accept: (name, object) -> entry; raises InputError with a clause that starts with "must" for any other object.
    Every look-up raises InputError for a package whose entry cannot be loaded or whose name is taken.
    """

    def __init__(self, group: str, shipped: Mapping[str, T], accept: Callable[[str, object], T]) -> None:
        self._group = group
        self._shipped = shipped
        self._accept = accept

    @property
    def added(self) -> dict[str, EntryPoint]:
        """The entry points of installed packages by name; raises InputError for a name that is taken."""
        return installed(self._group, self._shipped)

    def __getitem__(self, name: str) -> T:
        added = self.added
        if name in self._shipped:
            return self._shipped[name]
        entry = added[name]
        loaded = load(entry)
        try:
            return self._accept(name, loaded)
        except InputError as error:
            raise InputError(f"{describe(entry)} ({entry.value}) {error}; correct or uninstall the package") from error

    def __contains__(self, name: object) -> bool:
        return name in self._shipped or name in self.added

    def __iter__(self) -> Iterator[str]:
        return iter((*self._shipped, *self.added))

    def __len__(self) -> int:
        return len(list(iter(self)))


def installed(group: str, taken: Mapping[str, object]) -> dict[str, EntryPoint]:
    """The entry points of a group by name, sorted; raises InputError for a name that is taken."""
    by_name: dict[str, EntryPoint] = {}
    for entry in _entries(group):
        other = (
            package_of(by_name[entry.name]) if entry.name in by_name else "spikeport" if entry.name in taken else None
        )
        if other is not None:
            raise InputError(
                f"{describe(entry)} has a name that {other} has already; rename it there or uninstall the package"
            )
        by_name[entry.name] = entry
    return by_name


def load(entry: EntryPoint) -> object:
    """Import the object of an entry point; raises InputError if that fails."""
    try:
        loaded: object = entry.load()
    # another package's code may raise anything
    except Exception as error:
        why = f"{type(error).__name__}: {reason(error)}"
        raise InputError(
            f"{describe(entry)} ({entry.value}) cannot be loaded ({why}); correct or uninstall the package"
        ) from error
    return loaded


def describe(entry: EntryPoint) -> str:
    """An entry point for a message: package, kind and name."""
    return f"package {package_of(entry)!r}: the {GROUPS[entry.group]} {entry.name!r}"


def package_of(entry: EntryPoint) -> str:
    """The name of the package that defines an entry point."""
    return entry.dist.name if entry.dist is not None else "?"


@cache
def _entries(group: str) -> tuple[EntryPoint, ...]:
    # imported here, because it is slower than `import spikeport` may be
    from importlib.metadata import entry_points

    # a package in two folders of sys.path is listed twice
    unique = {(entry.name, entry.value): entry for entry in entry_points(group=group)}
    return tuple(unique[key] for key in sorted(unique))
