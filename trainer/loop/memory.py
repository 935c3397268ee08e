"""Keep memory freed by a training step in the process, for the next step."""

from __future__ import annotations

import ctypes
import sys

# glibc's malloc.h
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
# the largest value that mallopt accepts
LARGEST_KEPT = 32 << 20


def keep_freed_memory() -> bool:
    """Ask the C library not to return freed memory to the system; True if it supports that (glibc).

    Otherwise the arrays of every step cost one page fault per 4 KiB, measured as a tenth of a step's time. Blocks above
    32 MiB are still returned. This applies to the whole process from here on; its peak memory stays about the same.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    options = (TRIM_THRESHOLD, 1 << 30), (TOP_PAD, 64 << 20), (MMAP_THRESHOLD, LARGEST_KEPT)
    results = [library.mallopt(*option) for option in options]
    return all(result == 1 for result in results)
