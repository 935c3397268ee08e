"""Exclusive writing of a run folder; a new run replaces an old one only when it is complete.

DIR/.spikeport.lock   held by the process that writes (common/locks.py)
DIR/.spikeport-new    what `--overwrite` writes, while the old run stays whole; `--overwrite --resume` continues it
DIR/.spikeport-done   the same, complete: its files are replacing the old ones
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path

from spikeport.common.errors import InputError
from spikeport.common.files import make_folder, unfinished, write_bytes
from spikeport.common.locks import locked_folder

from .run_folder import RunFolder

_NEW, _DONE = ".spikeport-new", ".spikeport-done"
# files of a run or a training; nothing else of an old run is removed when a new one is complete
_RUN_FILES = ("recipe.toml", "network.*", "ann.*", "ann_int8.onnx", "checkpoint.*", "ann_checkpoint.*", "ann_search.*",
         "model.nir", "model.chip", "test_input.npy", "result.npz", "raster.npz", "summary.json", "report.html",
         "float_twin", "seeds")  # fmt: skip
_SWEEP_FILES = ("sweep.json", "points", "trained")


@contextmanager
def claimed(folder: RunFolder, resume: bool, overwrite: bool) -> Iterator[RunFolder]:
    """The folder that a run writes to, locked for this process; after success its content is in `folder`.

    It is `folder` itself, or a folder within it if a training there is being replaced. Raises InputError if another
    process writes to `folder`, or if it holds a training and neither resume nor overwrite is set.
    """
    with locked_folder(folder.path):
        remove_unfinished(folder.path)
        remove_unfinished(folder.path / _NEW)
        _move_in(folder)
        _check(folder, resume, overwrite)
        if not (overwrite and holds_training(folder.path)):
            yield folder
            return
        new = RunFolder(folder.path / _NEW)
        if not resume:
            shutil.rmtree(new.path, ignore_errors=True)
        make_folder(new.path)
        started = checkpoint_of(new.path)
        if resume and started is None:
            for path in _files(folder.path, ("checkpoint.*",)):
                if path.is_file():
                    write_bytes(new.path / path.name, path.read_bytes())
        try:
            yield new
        except BaseException:
            # a run that has not started leaves nothing
            if started is None and not (new.recipe.exists() and checkpoint_of(new.path)):
                shutil.rmtree(new.path, ignore_errors=True)
            raise
        new.path.rename(folder.path / _DONE)
        _move_in(folder)


def joined(folder: RunFolder, overwrite: bool) -> RunFolder:
    """The folder whose checkpoint the other processes of a training read; only the first one claims it."""
    new = folder.path / _NEW
    return RunFolder(new) if overwrite and checkpoint_of(new) is not None else folder


def holds_training(folder: Path) -> Path | None:
    """A file showing that a network is or was trained in the folder; None if there is none."""
    return next(_files(folder, ("summary.json", "network.*", "checkpoint.*", "ann.pt", "ann.safetensors")), None)


def checkpoint_of(folder: Path) -> Path | None:
    """The checkpoint in a folder, or None."""
    return next(_files(folder, ("checkpoint.safetensors", "checkpoint.pt")), None)


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed run left half written in its folder, which no other process is writing to."""
    for temporary, name in unfinished(folder):
        if any(fnmatch(name, pattern) for pattern in _RUN_FILES):
            temporary.unlink(missing_ok=True)


def refuse_sweep(folder: Path) -> None:
    """Raise InputError for a folder that holds a sweep: a run would write among its files."""
    for path in _files(folder, _SWEEP_FILES):
        raise InputError(f"{folder}: holds a sweep ({path.name}); choose another --out")


def _check(folder: RunFolder, resume: bool, overwrite: bool) -> None:
    refuse_sweep(folder.path)
    trace = holds_training(folder.path)
    if overwrite or trace is None:
        return
    if folder.finished:
        started = checkpoint_of(folder.path / _NEW) is not None
        more = ", and an unfinished one to replace it: --overwrite --resume continues that one" if started else ""
        raise InputError(
            f"{folder.path}: holds a finished run{more}; choose another --out, or --overwrite to replace it"
        )
    if not resume:
        raise InputError(
            f"{folder.path}: holds a training ({trace.name}); resume it with --resume, replace it with --overwrite, or "
            "choose another --out"
        )
    if checkpoint_of(folder.path) is None:
        raise InputError(
            f"{folder.path}: holds {trace.name}, but no checkpoint to resume from; replace it with --overwrite, or "
            "choose another --out"
        )


def _move_in(folder: RunFolder) -> None:
    """Replace the old run with the complete one; resumes an interrupted replacement."""
    done = folder.path / _DONE
    if not done.is_dir():
        return
    # until the last file has moved, the folder holds no finished run
    folder.summary.unlink(missing_ok=True)
    moving = sorted(done.iterdir(), key=lambda path: path.name == folder.summary.name)
    if not (done / _CLEARED).exists():
        names = {path.name for path in moving}
        for old in _files(folder.path, _RUN_FILES):
            if old.name not in names:
                _remove(old)
        (done / _CLEARED).touch()
    for path in moving:
        if path.name != _CLEARED:
            target = folder.path / path.name
            if target.is_dir():
                _remove(target)
            path.replace(target)
    shutil.rmtree(done)


# in the complete run: marks that old files without a new counterpart are removed
_CLEARED = ".kept"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        with suppress(FileNotFoundError):
            path.unlink()


def _files(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted(folder.glob(pattern))


def new_folder(out: Path | None, name: str, overwrite: bool, resume: bool = False) -> RunFolder:
    """The folder for a run: `out`, or runs/NAME (runs/NAME-2, ... if that holds a run that is not resumed).

    Raises InputError if `out` is a file; its content is checked when the folder is claimed.
    """
    if out is not None:
        folder = RunFolder(out)
        if out.exists() and not out.is_dir():
            raise InputError(f"{out}: is a file; give a folder with --out")
        return folder
    base = Path("runs")
    folder = RunFolder(base / name)
    number = 2
    while not overwrite and (folder.finished or (not resume and holds_training(folder.path) is not None)):
        folder = RunFolder(base / f"{name}-{number}")
        number += 1
    return folder
