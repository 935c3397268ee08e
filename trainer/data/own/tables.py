"""Tables (.csv): one sample per row, or windows of rows as time series."""

from __future__ import annotations

import csv
import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, nearest, reason
from spikeport.trainer.data.dataset import Dataset, Request
from spikeport.trainer.data.encoding import Images
from spikeport.trainer.data.file_options import FileOptions

from .labels import Labels, check_same_classes, first_of_each, number_classes, split_by_class
from .series import series_spikes


@dataclass(frozen=True)
class Table:
    """Samples of one file: x (N, features) or (N, rows, features), their labels, and the group of each, or ""."""

    x: NDArray[np.float32]
    labels: NDArray[np.str_]
    groups: NDArray[np.str_]


def table(path: Path, request: Request) -> Dataset:
    """A .csv file with a line of names, or a folder with train.csv and test.csv; raises InputError.

    Each feature is scaled to 0 to 1 by its range in the training part; the test part is clipped to that. Rows are
    images of one axis for any encoding; windows of rows are spike trains, see series.py.
    """
    options = request.files
    options.check_for("tables")
    if options.rows and request.encoding not in ("", "spikes"):
        raise InputError(f'{path}: windows of rows become spike trains; use encoding = "spikes"')
    if path.is_dir():
        (x, labels), train, test = _two_files(path, options)
    else:
        rows = read_table(path, options)
        x, labels = rows.x, rows.labels
        train, test = _split(rows, options, request.seed, path)
    classes = number_classes(labels, f"{path}: column {options.label or 'of labels'!r}")
    y = classes.numbers
    check_same_classes(y[train], y[test], classes.names, str(path))
    train, test = train[first_of_each(y[train], options.limit)], test[first_of_each(y[test], options.test_limit)]
    scaled = _scaled(x[train], x[test])
    names, steps = classes.names, None
    x_train: Images
    x_test: Images
    x_train, x_test = scaled
    if options.rows:
        steps = request.steps or options.rows
        x_train, x_test = (series_spikes(part, steps, options.series, str(path)) for part in scaled)
    shape = x_train.shape[1 if steps is None else 2 :]
    return Dataset(x_train, y[train], x_test, y[test], shape, len(names), path.stem, steps, names)


def read_table(path: Path, options: FileOptions) -> Table:
    """The samples of one file; raises InputError that names line and column."""
    names, lines = _lines(path)
    label = options.label or names[-1]
    features = options.columns or tuple(name for name in names if name not in (label, options.group))
    for key, columns in (("label", (label,)), ("columns", features), ("group", (options.group,))):
        for column in columns:
            if column and column not in names:
                raise InputError(f"{path}: has no column {column!r}{nearest(column, names)}; correct files.{key}")
    if label in features:
        raise InputError(f"{path}: column {label!r} is the label and a feature; leave it out of files.columns")
    if not features:
        raise InputError(f"{path}: has no column but the label {label!r}; add features")
    values = _numbers(path, lines, {column: names.index(column) for column in features})
    labels = np.array([line[names.index(label)].strip() for line in lines])
    empty = np.flatnonzero(labels == "")
    if len(empty):
        raise InputError(f"{path}: line {empty[0] + 2} has no label in column {label!r}; fill it in or remove the line")
    group = names.index(options.group) if options.group else None
    groups = np.array(["" if group is None else line[group].strip() for line in lines])
    if not options.rows:
        return Table(values, labels, groups)
    return _windows(values, labels, groups, options, path)


def _lines(path: Path) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the cells of all other lines; raises InputError for ragged lines."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            sample = file.read(1 << 16)
            file.seek(0)
            first = sample.partition("\n")[0]
            delimiter = max(",;\t", key=first.count)
            lines = [line for line in csv.reader(file, delimiter=delimiter) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as .csv ({reason(error)}); save it as UTF-8") from error
    if len(lines) < 2:
        raise InputError(f"{path}: has {len(lines)} lines; needed are a line of names and samples")
    names = [name.strip() for name in lines[0]]
    if all(_is_number(name) for name in names):
        raise InputError(f"{path}: starts with numbers; add a first line with the names of the columns")
    if len(set(names)) < len(names):
        raise InputError(f"{path}: has two columns {next(n for n in names if names.count(n) > 1)!r}; rename one")
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(names):
            raise InputError(f"{path}: line {number} has {len(line)} cells, but the first has {len(names)}; correct it")
    return names, lines[1:]


def _numbers(path: Path, lines: list[list[str]], columns: dict[str, int]) -> NDArray[np.float32]:
    values = np.empty((len(lines), len(columns)), np.float32)
    for place, (name, column) in enumerate(columns.items()):
        cells = [line[column] for line in lines]
        try:
            values[:, place] = np.array(cells, np.float64)
        except ValueError:
            wrong = next(n for n, cell in enumerate(cells) if not _is_number(cell))
            raise InputError(
                f"{path}: line {wrong + 2}, column {name!r} holds {cells[wrong]!r}, which is not a number; correct it, "
                "or list the features in files.columns"
            ) from None
        wrong_values = np.flatnonzero(~np.isfinite(values[:, place]))
        if len(wrong_values):
            raise InputError(
                f"{path}: line {wrong_values[0] + 2}, column {name!r} holds {cells[wrong_values[0]]}; fill it in or "
                "remove the line"
            )
    return values


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _windows(
    values: NDArray[np.float32], labels: NDArray[np.str_], groups: NDArray[np.str_], options: FileOptions, path: Path
) -> Table:
    """Windows of consecutive rows with one label and group."""
    changes = (labels[1:] != labels[:-1]) | (groups[1:] != groups[:-1])
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1, [len(labels)]])
    stride = options.stride or options.rows
    begin = [
        first for start, stop in itertools.pairwise(starts) for first in range(start, stop - options.rows + 1, stride)
    ]
    if not begin:
        raise InputError(
            f"{path}: no {options.rows} consecutive rows have one label; set files.rows lower, at most "
            f"{int(np.diff(starts).max())}"
        )
    rows = np.array(begin)[:, None] + np.arange(options.rows)
    return Table(values[rows], labels[begin], groups[begin])


def _split(rows: Table, options: FileOptions, seed: int, path: Path) -> tuple[Labels, Labels]:
    if options.group:
        names = np.unique(rows.groups)
        if len(names) < 2:
            raise InputError(f"{path}: column {options.group!r} has one value; the parts need a group each")
        count = min(max(1, round(options.test * len(names))), len(names) - 1)
        chosen = np.random.default_rng(seed).permutation(names)[:count]
        test = np.isin(rows.groups, chosen)
        return np.flatnonzero(~test), np.flatnonzero(test)
    if options.rows and 0 < options.stride < options.rows:
        raise InputError(
            f"{path}: windows overlap, so that both parts would hold the same rows; set group to a column whose values "
            "stay in one part, or stride = 0"
        )
    classes = number_classes(rows.labels, str(path))
    return split_by_class(classes.numbers, options.test, seed, classes.names)


def _two_files(
    folder: Path, options: FileOptions
) -> tuple[tuple[NDArray[np.float32], NDArray[np.str_]], Labels, Labels]:
    first = folder / "train.csv"
    label = options.label or _lines(first)[0][-1]
    named = replace(options, label=label)
    train, test = (read_table(folder / name, named) for name in ("train.csv", "test.csv"))
    if train.x.shape[1:] != test.x.shape[1:]:
        raise InputError(f"{folder}: train.csv and test.csv have different columns; make them the same")
    count = len(train.labels)
    both = np.concatenate([train.x, test.x]), np.concatenate([train.labels, test.labels])
    return both, np.arange(count), np.arange(count, len(both[1]))


def _scaled(train: NDArray[np.float32], test: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both parts with each feature, the last axis, from 0 to 1 over the training part."""
    axes = tuple(range(train.ndim - 1))
    low, high = train.min(axis=axes), train.max(axis=axes)
    span = np.where(high > low, high - low, 1)
    first, second = (np.clip((part - low) / span, 0, 1).astype(np.float32) for part in (train, test))
    return first, second
