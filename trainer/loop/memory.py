"""Memory of a training: freed memory stays with the process for the next step; what does not fit ends in a sentence."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from spikeport.common.accelerator import is_out_of_memory
from spikeport.common.errors import InputError, reason

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


@contextmanager
def batch_that_fits(accumulate: int) -> Iterator[None]:
    """Raise InputError where the memory runs out in a step; accumulate: the number of parts of a batch."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(
            f"a batch does not fit into memory ({reason(error)}); process it in parts (accumulate = {2 * accumulate} "
            "in [training]), keep fewer steps in memory (stretch), or set batch_size lower"
        ) from error
