"""Who may write a run folder, and how a new run takes an old one's place: when it is complete, not before.

DIR/.spikeport.lock   held by the one process that writes (common/locks.py)
DIR/.spikeport-new    what `--overwrite` writes, while the old run stays whole; `--overwrite --resume` continues it
DIR/.spikeport-done   the same, complete: its files are taking the old ones' places
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spikeport.common.errors import InputError
from spikeport.common.files import make_folder, write_bytes
from spikeport.common.locks import locked_folder

from .run_folder import RunFolder

_NEW, _DONE = ".spikeport-new", ".spikeport-done"
# what a run or a training leaves; of an old one nothing else goes when a new one is complete
_MADE = ("recipe.toml", "network.*", "ann.*", "ann_int8.onnx", "checkpoint.*", "ann_checkpoint.*", "model.nir",
         "model.chip", "test_input.npy", "result.npz", "raster.npz", "summary.json", "report.html")  # fmt: skip
_OF_A_SWEEP = ("sweep.json", "points", "trained")


@contextmanager
def claimed(folder: RunFolder, resume: bool, overwrite: bool) -> Iterator[RunFolder]:
    """The folder that a run writes to, for this process alone; at the end without error it stands as `folder`.

    That is `folder` itself, or another one within it where a training is there that is replaced. Raises InputError for
    a folder that another process writes to, or that holds what neither resume nor overwrite was said for.
    """
    with locked_folder(folder.path):
        _move_in(folder)
        _check(folder, resume, overwrite)
        if not (overwrite and holds_training(folder.path)):
            yield folder
            return
        new = RunFolder(folder.path / _NEW)
        if not resume:
            shutil.rmtree(new.path, ignore_errors=True)
        make_folder(new.path)
        begun = checkpoint_of(new.path)
        if resume and begun is None:
            for path in _found(folder.path, ("checkpoint.*",)):
                if path.is_file():
                    write_bytes(new.path / path.name, path.read_bytes())
        try:
            yield new
        except BaseException:
            # what has not begun leaves nothing
            if begun is None and not (new.recipe.exists() and checkpoint_of(new.path)):
                shutil.rmtree(new.path, ignore_errors=True)
            raise
        new.path.rename(folder.path / _DONE)
        _move_in(folder)


def joined(folder: RunFolder, overwrite: bool) -> RunFolder:
    """The folder whose checkpoint the other processes of a training read; only the first one claims it."""
    new = folder.path / _NEW
    return RunFolder(new) if overwrite and checkpoint_of(new) is not None else folder


def holds_training(folder: Path) -> Path | None:
    """The file by which a folder shows that a network is, or was, trained in it; None if there is none."""
    return next(_found(folder, ("summary.json", "network.*", "checkpoint.*", "ann.pt", "ann.safetensors")), None)


def checkpoint_of(folder: Path) -> Path | None:
    """The checkpoint in a folder, or None."""
    return next(_found(folder, ("checkpoint.safetensors", "checkpoint.pt")), None)


def refuse_sweep(folder: Path) -> None:
    """Raise InputError for a folder that holds a sweep: a run would write among its files."""
    for path in _found(folder, _OF_A_SWEEP):
        raise InputError(f"{folder}: holds a sweep ({path.name}); choose another --out")


def _check(folder: RunFolder, resume: bool, overwrite: bool) -> None:
    refuse_sweep(folder.path)
    held = holds_training(folder.path)
    if overwrite or held is None:
        return
    if folder.finished:
        begun = checkpoint_of(folder.path / _NEW) is not None
        more = ", and one that was to replace it: --overwrite --resume goes on with that" if begun else ""
        raise InputError(
            f"{folder.path}: holds a finished run{more}; choose another --out, or --overwrite to replace it"
        )
    if not resume:
        raise InputError(
            f"{folder.path}: holds a training ({held.name}); go on with it by --resume, replace it by --overwrite, or "
            "choose another --out"
        )
    if checkpoint_of(folder.path) is None:
        raise InputError(
            f"{folder.path}: holds {held.name}, but no checkpoint to go on from; replace it by --overwrite, or choose "
            "another --out"
        )


def _move_in(folder: RunFolder) -> None:
    """Put a complete run in the place of the old one; goes on where that was interrupted."""
    done = folder.path / _DONE
    if not done.is_dir():
        return
    # until the last file has moved, the folder holds no finished run
    folder.summary.unlink(missing_ok=True)
    moving = sorted(done.iterdir(), key=lambda path: path.name == folder.summary.name)
    if not (done / _KEPT).exists():
        names = {path.name for path in moving}
        for old in _found(folder.path, _MADE):
            if old.name not in names:
                _remove(old)
        (done / _KEPT).touch()
    for path in moving:
        if path.name != _KEPT:
            place = folder.path / path.name
            if place.is_dir():
                _remove(place)
            path.replace(place)
    shutil.rmtree(done)


# within the complete run: old files without a new one are removed already
_KEPT = ".kept"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        with suppress(FileNotFoundError):
            path.unlink()


def _found(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted(folder.glob(pattern))


def new_folder(out: Path | None, name: str, overwrite: bool, resume: bool = False) -> RunFolder:
    """The folder for a run: `out`, or runs/NAME (runs/NAME-2, ... if that holds a run that is not to be gone on with).

    Raises InputError if `out` is a file; what `out` holds is checked when the folder is claimed.
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
