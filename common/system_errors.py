"""What the operating system refuses, in one sentence with a remedy."""

from __future__ import annotations

import errno
import os
import re

from .errors import reason

_REMEDIES = {
    errno.ENOSPC: "free some space there, or write to another disk with -o, --out or TMPDIR",
    errno.EDQUOT: "free some of your quota, or write to another disk with -o, --out or TMPDIR",
    errno.EROFS: "write to another folder with -o, --out or TMPDIR",
    errno.EACCES: "change its permissions, or choose another",
    errno.EPERM: "change its permissions, or choose another",
    errno.EMFILE: "raise the limit of open files (`ulimit -n 4096`), or use fewer --workers",
    errno.ENFILE: "close other programs, or use fewer --workers",
    errno.EAGAIN: "raise the limit of processes (`ulimit -u`), or use fewer --workers",
    errno.ENOMEM: "close other programs, or use fewer --workers",
    errno.ENOENT: "it is missing, or was removed during the run; check the path, or run it again",
    errno.ENOTDIR: "a part of the path is a file; check the path",
    errno.EISDIR: "give the name of a file",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "remove the loop of links",
    errno.EIO: "check the disk",
    errno.ESTALE: "mount the file system again",
}


# numpy's tofile raises this on a full disk, without an error number
_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")


def is_refusal(error: BaseException) -> bool:
    """Whether the operating system refused something that a person can change."""
    return isinstance(error, OSError) and _number(error) in _REMEDIES


def system_reason(error: OSError) -> str:
    """Why the operating system refused, in its own words."""
    number = _number(error)
    return error.strerror or (reason(error) if number is None else os.strerror(number))


def system_sentence(error: OSError, subject: str = "") -> str:
    """The sentence for a refusal; subject: what could not be done, if the error names no file."""
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes))]
    subject = " and ".join(names) or subject or "the operating system"
    remedy = _REMEDIES.get(_number(error) or 0, "run it again, or on another disk or machine")
    return f"{subject}: {system_reason(error)}; {remedy}"


def _number(error: OSError) -> int | None:
    if error.errno is None and _SHORT_WRITE.search(str(error)):
        return errno.ENOSPC
    return error.errno
