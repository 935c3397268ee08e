"""Memory that a training step frees stays with the process, for the next step to use."""

from __future__ import annotations

import ctypes
import sys

# glibc's malloc.h
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
# the most that mallopt takes
LARGEST_KEPT = 32 << 20


def keep_freed_memory() -> bool:
    """Ask the C library not to hand freed memory back to the system; True where it knows how (glibc).

    Handed back and asked for again, the arrays of every step cost a page fault for each four kilobytes, which took a
    tenth of a step's time. What is larger than 32 MiB goes back all the same. Holds for the whole process from here on,
    of which the largest memory stays about the same.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    options = (TRIM_THRESHOLD, 1 << 30), (TOP_PAD, 64 << 20), (MMAP_THRESHOLD, LARGEST_KEPT)
    answers = [library.mallopt(*option) for option in options]
    return all(answer == 1 for answer in answers)
