"""numba's `njit` with a cache that ends no command: unwritable, full and damaged ones are worked around.

Kernels are cached next to the code or in the user's cache folder. Where neither can be written, as with a read-only
installation without a home, a private temporary folder takes their place, or each process compiles its own.
"""

from __future__ import annotations

import os
import stat
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

_VARIABLE = "NUMBA_CACHE_DIR"


def njit(cache: bool = False, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """The decorator `numba.njit`; cache: store the compiled code on disk, if possible."""

    def decorate(function: Callable[..., Any]) -> Any:
        compiled = numba.njit(**options)(function)
        if cache:
            # what numba's own cache=True does
            compiled._cache = _cache_of(function) or compiled._cache
        return compiled

    return decorate


class KernelCache(FunctionCache):
    """A kernel's cache on disk; damaged files are rebuilt, and what cannot be written is left out."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled code for a signature, None if there is none that can be read."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            # pickle raises whatever a damaged file makes it do
            self._start_again()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store the compiled code for a signature, if possible."""
        try:
            super().save_overload(sig, data)
        except OSError:
            return
        except Exception:
            self._start_again()
            with suppress(Exception):
                super().save_overload(sig, data)

    def _start_again(self) -> None:
        with suppress(OSError):
            self.flush()


def _cache_of(function: Callable[..., Any]) -> KernelCache | None:
    with suppress(OSError, RuntimeError):
        return KernelCache(function)
    folder = private_folder()
    place = "again by every process" if folder is None else f"into {folder}"
    warnings.warn(
        f"compiled kernels cannot be stored, so they are compiled {place}, which takes a while; set {_VARIABLE} "
        "to a folder that can be written",
        stacklevel=2,
    )
    if folder is None:
        return None
    # for the processes that this one starts, too
    os.environ[_VARIABLE] = numba.config.CACHE_DIR = str(folder)
    with suppress(OSError, RuntimeError):
        return KernelCache(function)
    return None


def private_folder() -> Path | None:
    """A temporary folder of this user that no one else can write to: a cache holds code. None if there can be none."""
    user = os.getuid() if hasattr(os, "getuid") else os.getpid()
    try:
        folder = Path(tempfile.gettempdir()) / f"spikeport-kernels-{user}"
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
        if os.name == "posix" and (status.st_uid != user or status.st_mode & 0o022 or not stat.S_ISDIR(status.st_mode)):
            return Path(tempfile.mkdtemp(prefix="spikeport-kernels-"))
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return None
    return folder
