"""Atomic file writing: readers never see half a file, and only plain files are replaced.

A plain file is replaced by renaming a temporary one from the same folder; it keeps its permissions and, where allowed,
its owner. Other hard links keep the old content. A symbolic link is followed and stays a link. A pipe or device is
written to. Folders, sockets, disks and loops of links are refused.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError
from .overwriting import refuse_protected
from .system_errors import system_reason

# bytes of the target's name in a temporary name; file systems allow 255 in all
_NAME_BYTES = 100
_LONGEST_NAME = 255
_LONGEST_ENDING = 16
# as tempfile.mkstemp names them in `replacing`
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}(?P<ending>\.[^.]*)?")
_OPEN_FILE = re.compile(r"/dev/fd/(?P<own>\d+)|/proc/(?P<process>\d+|self|thread-self)/fd/(?P<other>\d+)")
_MOST_LINKS = 40


@dataclass(frozen=True)
class Target:
    """Where a written file ends up.

    path: with links resolved; plain: whether it is, or will be, a plain file; descriptor: the open file of this
    process that the path refers to, as /dev/stdout does; before: the existing plain file.
    """

    path: Path
    plain: bool
    descriptor: int | None = None
    before: os.stat_result | None = None


def target_of(path: str | Path) -> Target:
    """Where a file written to `path` ends up; raises InputError if it cannot be written."""
    descriptor = _descriptor(path)
    if descriptor is not None:
        return Target(Path(path), False, descriptor)
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        # writing through a dangling link creates its target
        return Target(Path(os.path.realpath(path)), True)
    except OSError as error:
        raise InputError(_cannot_write(path, error)) from error
    if stat.S_ISREG(status.st_mode):
        return Target(Path(os.path.realpath(path)), True, before=status)
    if stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode):
        return Target(Path(path), False)
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a disk"}
    kind = kinds.get(stat.S_IFMT(status.st_mode), "not a file")
    raise InputError(f"{path}: cannot be written (it is {kind}); give the name of a file")


def is_standard_output(path: str | Path) -> bool:
    """Whether the path refers to this process's standard output, as /dev/stdout does."""
    return _descriptor(path) == 1


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path; on success it becomes `path`, or is written to the pipe or device there.

    Raises InputError if the folder cannot be written, the disk is full, `path` cannot be replaced or is a
    protected input (`overwriting.keeping`); the old content then stays.
    """
    refuse_protected(path)
    target = target_of(path)
    try:
        if target.plain:
            target.path.parent.mkdir(parents=True, exist_ok=True)
        name, ending = shortened(target.path.name, _NAME_BYTES), target.path.suffix
        handle, temporary_name = tempfile.mkstemp(
            prefix=f".{name}.",
            suffix=ending if len(os.fsencode(ending)) <= _LONGEST_ENDING else "",
            dir=target.path.parent if target.plain else None,
        )
        os.close(handle)
    except OSError as error:
        raise InputError(_cannot_write(path, error)) from error
    temporary = Path(temporary_name)
    try:
        yield temporary
        _deliver(temporary, path)
    except OSError as error:
        raise InputError(_cannot_write(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def unfinished(folder: Path) -> Iterator[tuple[Path, str]]:
    """Temporary files that killed processes left in a folder, with the names that they were to get, maybe shortened."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = _TEMPORARY.fullmatch(path.name)
        # a name that was cut has lost its ending
        whole = match is not None and len(os.fsencode(match["name"])) < _NAME_BYTES
        if (
            match is not None
            and path.is_file()
            and not (whole and Path(match["name"]).suffix != (match["ending"] or ""))
        ):
            yield path, match["name"]


def remove_unfinished(path: str | Path) -> None:
    """Remove temporary files that killed processes left of this file; no other process may be writing it."""
    target = target_of(path)
    for temporary, name in unfinished(target.path.parent) if target.plain else ():
        if name == shortened(target.path.name, _NAME_BYTES):
            temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes | memoryview) -> None:
    """Write a whole file at once; raises InputError as `replacing` does."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, text: str) -> None:
    """Write a whole text file (UTF-8) at once; raises InputError as `replacing` does."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def make_folder(path: str | Path) -> None:
    """Create a folder and its parents if missing; raises InputError if that fails."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise InputError(f"{path}: is a file; give a folder") from error
    except OSError as error:
        raise InputError(_cannot_write(path, error)) from error


def beside(path: str | Path, prefix: str = "", ending: str = "") -> Path:
    """A sibling of `path`: its name with a prefix and an ending; too long a name is cut and gets a digest."""
    path = Path(path)
    room = _LONGEST_NAME - len(os.fsencode(prefix + ending))
    return path.with_name(prefix + shortened(path.name, room) + ending)


def shortened(name: str, longest: int) -> str:
    """The name, or if it is longer than `longest` bytes, its start with a digest."""
    raw = os.fsencode(name)
    if len(raw) <= longest:
        return name
    digest = hashlib.sha256(raw).hexdigest()[:16]
    # no character is cut in two
    return raw[: longest - len(digest) - 1].decode(errors="ignore") + "-" + digest


def _deliver(temporary: Path, path: str | Path) -> None:
    # checked again: the target may have been created in the meantime
    target = target_of(path)
    if not target.plain:
        _pour(temporary, target)
        return
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    if target.before is None:
        temporary.chmod(0o666 & ~_umask())
    else:
        if hasattr(os, "chown"):
            with suppress(OSError):
                os.chown(temporary, target.before.st_uid, target.before.st_gid)
        temporary.chmod(stat.S_IMODE(target.before.st_mode) & 0o777)
    temporary.replace(target.path)


def _pour(temporary: Path, target: Target) -> None:
    """Copy a whole file into a pipe, a device or an open file."""
    if target.descriptor == 1:
        sys.stdout.flush()
    sink = os.open(target.path, os.O_WRONLY) if target.descriptor is None else os.dup(target.descriptor)
    with os.fdopen(sink, "wb") as into, temporary.open("rb") as content:
        shutil.copyfileobj(content, into)


def _descriptor(path: str | Path) -> int | None:
    """The descriptor of this process that a path refers to, directly or through links."""
    # resolving the whole path would skip the descriptor's number
    current = os.path.abspath(path)  # noqa: PTH100
    for _ in range(_MOST_LINKS):
        match = _OPEN_FILE.fullmatch(current)
        if match is not None:
            number = match["own"] or (match["other"] if match["process"] in _own_names() else None)
            return None if number is None else int(number)
        try:
            current = os.path.normpath(os.path.join(os.path.dirname(current), os.readlink(current)))  # noqa: PTH115, PTH118, PTH120
        except (OSError, ValueError):
            return None
    return None


def _own_names() -> tuple[str, ...]:
    return "self", "thread-self", str(os.getpid())


def _umask() -> int:
    # the mask can be read only by setting it
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cannot_write(path: str | Path, error: OSError) -> str:
    why = system_reason(error)
    advice = {
        errno.ELOOP: "remove the loop of links, or choose another name",
        errno.ENAMETOOLONG: "choose a shorter name",
        errno.EPIPE: "the process that reads it has ended",
        errno.ENOTDIR: "a part of the path is a file; give a folder",
    }.get(error.errno or 0, "free some space or choose another folder with --out or -o")
    return f"{path}: cannot be written ({why}); {advice}"
