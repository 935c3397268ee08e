"""Output locks: one process at a time writes an output, and the lock ends with its process.

A small file next to the output carries a system lock (flock; msvcrt on Windows) and records its holder: a killed
process leaves the file, but no lock. On a file system without locks, the recorded process is looked up instead.
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
from .files import beside, make_folder, remove_unfinished, target_of

# no other program uses such a name
_FOLDER_LOCK = ".spikeport.lock"
_ENDING = ".spikeport.lock"
_LONGEST_COMMAND = 120
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
# offset of the byte that Windows locks: beyond all content
_WINDOWS_BYTE = 1 << 30
_TRIES, _PAUSE_SECONDS = 20, 0.05


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock."""

    process: int
    host: str
    command: str

    def __str__(self) -> str:
        suffix = "" if self.host == platform.node() else f" on {self.host}"
        return f"process {self.process}{suffix} ({self.command})"


@contextmanager
def locked_file(path: str | Path, option: str = "-o") -> Iterator[None]:
    """Lock a file against other processes of spikeport while the context lasts; pipes and devices are not locked.

    What a killed process left of it is removed.
    Raises InputError that names the holder; option: the command-line option of the output.
    """
    target = target_of(path)
    if not target.plain:
        yield
        return
    with _locked(beside(target.path, ".", _ENDING), path, option):
        remove_unfinished(path)
        yield


@contextmanager
def locked_folder(path: str | Path, option: str = "--out") -> Iterator[None]:
    """The same for a folder, which is created if missing, and removed again if it stays empty."""
    with _locked(Path(path) / _FOLDER_LOCK, path, option):
        yield


@contextmanager
def _locked(file: Path, output: str | Path, option: str) -> Iterator[None]:
    created = [folder for folder in (file.parent, *file.parent.parents) if not folder.exists()]
    make_folder(file.parent)
    handle = _acquire(file, output, option)
    try:
        yield
    finally:
        _release(handle, file)
        with contextlib.suppress(OSError):
            for folder in created:
                folder.rmdir()


def _acquire(file: Path, output: str | Path, option: str) -> int:
    """Open and lock the file; raises InputError."""
    while True:
        try:
            # in a folder that others can write to, a link would be a trap
            handle = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise InputError(f"{file}: is a link; remove it, or choose another {option}") from error
            why = error.strerror or reason(error)
            raise InputError(f"{output}: cannot be written ({why}); choose another {option}") from error
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            os.close(handle)
            raise InputError(f"{file}: is not a lock of {output}; remove it, or choose another {option}")
        locked = _lock(handle)
        holder = None if locked else _holder(file)
        if locked is False or (locked is None and _runs(holder)):
            os.close(handle)
            holder = _current_holder(file) if locked is False else holder
            by = str(holder) if holder is not None else "another process"
            raise InputError(f"{output}: {by} is writing there; wait until it ends, or choose another {option}")
        if _still(handle, file):
            break
        # the previous holder removed the file after it was opened here
        os.close(handle)
    note = json.dumps(asdict(Holder(os.getpid(), platform.node(), _command())))
    # on a full disk the note is missing, but the lock holds
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        os.write(handle, note.encode())
    return handle


def _lock(handle: int) -> bool | None:
    """Whether the lock was acquired; None where the file system has no locks."""
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
    # removed while locked, so that no process locks a file that is about to vanish; Windows removes no open file
    if os.name == "nt":
        os.close(handle)
    with contextlib.suppress(OSError):
        file.unlink()
    if os.name != "nt":
        os.close(handle)


def _still(handle: int, file: Path) -> bool:
    """Whether the path still names the opened file."""
    try:
        return os.path.samestat(os.fstat(handle), file.stat())
    except OSError:
        return False


def _current_holder(file: Path) -> Holder | None:
    """The holder of a lock; tried repeatedly, because it may just be replacing the note of a previous holder."""
    holder = None
    for _ in range(_TRIES):
        holder = _holder(file)
        if holder is not None and (holder.process == os.getpid() or _runs(holder)):
            return holder
        time.sleep(_PAUSE_SECONDS)
    return holder


def _holder(file: Path) -> Holder | None:
    try:
        holder = Holder(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return holder if isinstance(holder.process, int) and holder.process > 0 else None


def _runs(holder: Holder | None) -> bool:
    """Whether the process may still run, which is unknown and assumed on another host."""
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
