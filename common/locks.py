"""One process at a time writes an output: a lock beside it, which the system releases when its process ends.

The lock is the system's (flock; msvcrt on Windows) on a small file that says who holds it: a process that is killed
leaves the file, but no lock. Where the file system has no locks, the file's process is looked for instead.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import shlex
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import InputError, reason
from .files import beside, make_folder, target_of

# no other program takes such a name
_FOLDER_LOCK = ".spikeport.lock"
_ENDING = ".spikeport.lock"
_LONGEST_COMMAND = 120
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
# where Windows locks a byte: beyond what anybody reads
_WINDOWS_BYTE = 1 << 30
_TRIES, _PAUSE_SECONDS = 20, 0.05


@dataclass(frozen=True)
class Holder:
    """Who holds a lock."""

    process: int
    host: str
    command: str

    def __str__(self) -> str:
        where = "" if self.host == platform.node() else f" on {self.host}"
        return f"process {self.process}{where} ({self.command})"


@contextmanager
def locked_file(path: str | Path, option: str = "-o") -> Iterator[None]:
    """While this lasts, no other process that asks writes the file; pipes and devices are shared.

    Raises InputError that names the process that has it; option: what names the output on the command line.
    """
    target = target_of(path)
    if not target.plain:
        yield
        return
    with _locked(beside(target.path, ".", _ENDING), path, option):
        yield


@contextmanager
def locked_folder(path: str | Path, option: str = "--out") -> Iterator[None]:
    """The same for a folder, which is made if it is not there, and removed again if nothing comes into it."""
    with _locked(Path(path) / _FOLDER_LOCK, path, option):
        yield


@contextmanager
def _locked(file: Path, output: str | Path, option: str) -> Iterator[None]:
    made = [folder for folder in (file.parent, *file.parent.parents) if not folder.exists()]
    make_folder(file.parent)
    handle = _take(file, output, option)
    try:
        yield
    finally:
        _release(handle, file)
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()


def _take(file: Path, output: str | Path, option: str) -> int:
    """The open file with the lock on it; raises InputError."""
    while True:
        try:
            # in a folder that others write to, too, a link there would be a trap
            handle = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise InputError(f"{file}: is a link; remove it, or choose another {option}") from error
            why = error.strerror or reason(error)
            raise InputError(f"{output}: cannot be written ({why}); choose another {option}") from error
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_nlink > 1:
            os.close(handle)
            raise InputError(f"{file}: is no lock of {output}; remove it, or choose another {option}")
        taken = _lock(handle)
        holder = None if taken else _holder(file)
        if taken is False or (taken is None and _runs(holder)):
            os.close(handle)
            holder = _named(file) if taken is False else holder
            by = str(holder) if holder is not None else "another process"
            raise InputError(f"{output}: {by} is writing there; wait until it ends, or choose another {option}")
        if _still(handle, file):
            break
        # the one that had it removed the file after we had opened it
        os.close(handle)
    note = json.dumps(asdict(Holder(os.getpid(), platform.node(), _command())))
    # a full disk keeps the note out, not the lock
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        os.write(handle, note.encode())
    return handle


def _lock(handle: int) -> bool | None:
    """Whether the lock was free and is ours now; None where the file system has none."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, _WINDOWS_BYTE, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return None if error.errno in _NO_LOCKS else False
    return True


def _release(handle: int, file: Path) -> None:
    # removed while it is held, so that nobody takes a lock on a file that is about to go; Windows removes no open file
    if os.name == "nt":
        os.close(handle)
    with contextlib.suppress(OSError):
        file.unlink()
    if os.name != "nt":
        os.close(handle)


def _still(handle: int, file: Path) -> bool:
    """Whether the file is the one that was opened."""
    try:
        return os.path.samestat(os.fstat(handle), file.stat())
    except OSError:
        return False


def _named(file: Path) -> Holder | None:
    """Who holds a lock that is taken: it may be writing its name just now, over that of one that is gone."""
    holder = None
    for _ in range(_TRIES):
        holder = _holder(file)
        if holder is not None and (holder.process == os.getpid() or _runs(holder)):
            return holder
        time.sleep(_PAUSE_SECONDS)
    return holder


def _holder(file: Path) -> Holder | None:
    try:
        found = Holder(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return found if isinstance(found.process, int) and found.process > 0 else None


def _runs(holder: Holder | None) -> bool:
    """Whether the process may still run: on another host nobody can tell."""
    if holder is None or holder.process == os.getpid():
        return False
    if holder.host != platform.node():
        return True
    if os.name == "nt":
        return False
    try:
        os.kill(holder.process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _command() -> str:
    first, *others = sys.argv or [""]
    name = Path(first).name
    # python -m spikeport
    text = shlex.join(["spikeport" if name in ("__main__.py", "cli.py") else name, *others])
    return text if len(text) <= _LONGEST_COMMAND else f"{text[:_LONGEST_COMMAND]} ..."
