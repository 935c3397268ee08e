"""The collection of trained networks: those that come with spikeport, and those in a folder of cards."""

from __future__ import annotations

import hashlib
from pathlib import Path

from spikeport.common.errors import InputError, nearest
from spikeport.run.shipped import copy_missing, shipped_folder

from .card import Card, read_card

__all__ = ["cards", "copy_model", "find_card"]

SAMPLES = "_samples.npz"
LABELS = "_labels.npy"
RECIPE = ".toml"


def cards() -> dict[str, Path]:
    """The files of all cards by the network's name, in order."""
    return {path.stem: path for path in sorted(shipped_folder("models").glob("*.json"))}


def find_card(name: str) -> Path:
    """The file of a network's card; raises InputError with the nearest name for an unknown one."""
    known = cards()
    if name in known:
        return known[name]
    hint = nearest(name, list(known)) or f"; the known ones are {', '.join(known)}"
    raise InputError(f"there is no model {name!r}{hint}")


def copy_model(card_file: Path, folder: Path) -> tuple[Card, list[Path]]:
    """Copy a network, its card and its samples into a folder; returns the card and the files written.

    Raises InputError if the network is not the card's, or if a file of that name holds something else.
    """
    card = read_card(card_file)
    source = card_file.with_suffix(".nir")
    files = [source, card_file, *(card_file.with_name(card.name + ending) for ending in (SAMPLES, LABELS, RECIPE))]
    if not source.is_file() or hashlib.sha256(source.read_bytes()).hexdigest() != card.sha256:
        raise InputError(f"{source}: is not the network of {card_file.name}; make it again with `{card.command}`")
    return card, copy_missing([file for file in files if file.is_file()], folder)
