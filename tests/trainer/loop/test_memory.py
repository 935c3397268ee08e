"""What a training step frees is there for the next one, without page faults."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource
from spikeport.trainer.loop.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    [bytearray(b"x") * (16 << 20) for _ in range(4)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if {keep}:
    assert keep_freed_memory()
faults()
print(faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc can be asked")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    found = [
        int(subprocess.run([sys.executable, "-c", FAULTS.format(keep=keep)], check=True, capture_output=True).stdout)
        for keep in (False, True)
    ]
    # four arrays of sixteen megabytes are 16384 pages
    assert found[0] > 4000 and found[1] < 100
