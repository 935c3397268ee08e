"""Files sorted by class: CLASS/FILE, train/CLASS/FILE and test/CLASS/FILE, or classes in the files' names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spikeport.common.errors import InputError
from spikeport.common.file_kinds import FileKind, file_kind
from spikeport.trainer.data.file_options import FileOptions

from .labels import Labels, check_same_classes, first_of_each, number_classes, split_by_class

_TRAIN = ("train", "training")
_TEST = ("test", "testing", "val", "valid", "validation")
# what lies next to recordings and is none
_NOTES = frozenset(
    {".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".toml", ".yaml", ".yml", ".html", ".pdf", ".py", ".ini", ".db"}
)


# bytes
NMNIST_EVENT = 5


@dataclass(frozen=True)
class ClassFiles:
    """Files of both parts with their labels, and the classes' names."""

    train: tuple[Path, ...]
    y_train: Labels
    test: tuple[Path, ...]
    y_test: Labels
    names: tuple[str, ...]


def find_class_files(root: Path, options: FileOptions, seed: int) -> ClassFiles:
    """The samples below a folder, in the order of their names; raises InputError for a folder without classes.

    Classes are the names of the folders, in sorted order, or what label_pattern finds in the files' names. Without the
    folders train and test, and without test_pattern, the split is drawn from the seed.
    """
    root = _without_wrappers(root)
    train_root, test_root = _part(root, _TRAIN), _part(root, _TEST)
    if train_root is not None and test_root is not None:
        train, test = _labelled(train_root, options), _labelled(test_root, options)
        samples, is_test = [*train, *test], np.arange(len(train) + len(test)) >= len(train)
    else:
        samples = _labelled(train_root or root, options)
        is_test = np.array([_matches(options.test_pattern, file) for file, _ in samples], bool)
    files = np.array([file for file, _ in samples], object)
    classes = number_classes(np.array([name for _, name in samples]), f"{root}")
    labels, names = classes.numbers, classes.names
    if is_test.any() and not is_test.all():
        train_index, test_index = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    elif options.test_pattern:
        count = "every file" if is_test.all() else "no file"
        raise InputError(f"{root}: test_pattern {options.test_pattern!r} matches the name of {count}; correct it")
    else:
        train_index, test_index = split_by_class(labels, options.test, seed, names)
    check_same_classes(labels[train_index], labels[test_index], names, str(root))
    train_index = train_index[first_of_each(labels[train_index], options.limit)]
    test_index = test_index[first_of_each(labels[test_index], options.test_limit)]
    return ClassFiles(
        tuple(files[train_index]), labels[train_index], tuple(files[test_index]), labels[test_index], names
    )


def first_sample(root: Path) -> Path | None:
    """The first file below a folder that may be a sample."""
    return next((file for file in sorted(root.rglob("*")) if is_sample(file)), None)


def check_kinds(files: tuple[Path, ...], kinds: frozenset[FileKind], wanted: str) -> None:
    """Raise InputError for the first file that is of none of these kinds; wanted: what they are called."""
    for file in files:
        kind = file_kind(file)
        refuse_incomplete(file, kind)
        if kind not in kinds:
            raise InputError(f"{file}: is {kind.value} among {wanted}; repair or remove it")


def refuse_incomplete(file: Path, kind: FileKind) -> None:
    """Raise InputError for a file that was not fetched, or a .bin that ends within an event."""
    if kind is FileKind.LFS_POINTER:
        raise InputError(f"{file}: is {kind.value}; fetch it with `git lfs pull`")
    if kind is FileKind.UNKNOWN and file.suffix.lower() == ".bin" and file.stat().st_size % NMNIST_EVENT:
        raise InputError(
            f"{file}: has {file.stat().st_size} bytes, but an N-MNIST event has {NMNIST_EVENT}: it ends within one; "
            "fetch it again"
        )


def _labelled(root: Path, options: FileOptions) -> list[tuple[Path, str]]:
    if options.label_pattern:
        return _by_name(root, options)
    samples = []
    for folder in sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        files = _samples(folder, options)
        if not files and not options.only_pattern:
            raise InputError(f"{folder}: this class has no files; add some, or remove the folder")
        samples += [(file, folder.name) for file in files]
    if not samples:
        raise InputError(
            f"{root}: has no folders of classes; sort the files as CLASS/FILE, or set label_pattern in [files] to a "
            "regular expression for their names"
        )
    return samples


def _samples(folder: Path, options: FileOptions) -> list[Path]:
    """The files that may be samples and match only_pattern."""
    files = (file for file in folder.rglob("*") if is_sample(file))
    return sorted(file for file in files if not options.only_pattern or _matches(options.only_pattern, file))


def _by_name(root: Path, options: FileOptions) -> list[tuple[Path, str]]:
    files, pattern = _samples(root, options), options.label_pattern
    if not files and options.only_pattern:
        raise InputError(f"{root}: only_pattern {options.only_pattern!r} matches no file's name; correct it")
    matches = [(file, re.search(pattern, file.name)) for file in files]
    without = next((file for file, match in matches if match is None or not match[1]), None)
    if without is not None or not files:
        culprit = without or root
        raise InputError(f"{culprit}: label_pattern {pattern!r} finds no class in a name there; correct the pattern")
    return [(file, match[1]) for file, match in matches if match is not None]


def _matches(pattern: str, file: Path) -> bool:
    return bool(pattern) and re.search(pattern, file.name) is not None


def is_sample(file: Path) -> bool:
    """Whether a file may be a sample: neither hidden nor notes."""
    return not file.name.startswith(".") and file.suffix.lower() not in _NOTES and file.is_file()


def _without_wrappers(root: Path) -> Path:
    """Descend through folders that hold a single folder, as archives often have at their top."""
    entries = [entry for entry in root.iterdir() if not entry.name.startswith(".") and not _is_note(entry)]
    if len(entries) == 1 and entries[0].is_dir() and entries[0].name.lower() not in _TRAIN:
        return _without_wrappers(entries[0])
    return root


def _is_note(entry: Path) -> bool:
    return entry.is_file() and entry.suffix.lower() in _NOTES


def _part(root: Path, names: tuple[str, ...]) -> Path | None:
    folders = {entry.name.lower(): entry for entry in root.iterdir() if entry.is_dir()}
    return next((folders[name] for name in names if name in folders), None)
