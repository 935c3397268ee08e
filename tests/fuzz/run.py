"""Fuzzes the readers: python tests/fuzz/run.py [READER ...] [--cases N] [--first N]

Each case is a mutated real file, read in a child process that may take 2 GB above what it starts with and 5 s of
processor time; a case must be read or refused in one sentence, and nothing may appear outside the case's own files.
"""

from __future__ import annotations

import argparse
import json
import select
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_CHILD = Path(__file__).resolve().parent / "child.py"
# of the clock on the wall, on a machine that may be busy with other things
_SILENT_SECONDS = 45.0
# until the first case: imports, seeds and kernels
_START_SECONDS = 300.0
# how many cases of each make 26,000
CASES = {
    "nir": 2500, "net": 3000, "chip": 2500, "h5": 1500, "onnx": 1500, "toml": 3000, "npy": 3000, "npz": 3000,
    "safetensors": 2500, "pt": 1500, "json": 2000,
}  # fmt: skip
SECRET = b"secret" * 100


@dataclass
class Found:
    """How many cases were tried, how they ended, and the first case of each fault."""

    tried: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    faults: dict[str, int] = field(default_factory=dict)

    def add(self, number: int, outcome: str) -> None:
        """Count a case."""
        self.tried += 1
        if outcome in ("read", "refused"):
            self.ends[outcome] += 1
        else:
            self.ends["fault"] += 1
            self.faults.setdefault(outcome, number)


def fuzz(readers: Mapping[str, int], first: int = 0) -> dict[str, Found]:
    """Run this many cases of each reader in one child, or in another one after a case that ends it."""
    found = {reader: Found() for reader in readers}
    left = {reader: (first, first + cases) for reader, cases in readers.items()}
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name) / "in"
        folder.mkdir()
        (folder / "secret.h5").write_bytes(SECRET)
        while left:
            before = dict(left)
            _child(left, folder, found)
            if left == before:
                raise RuntimeError(f"{next(iter(left))}: the child ends before case {next(iter(left.values()))[0]}")
        own = {folder, folder / "secret.h5", *(folder / f"{part}.{r}" for r in readers for part in ("case", "seed"))}
        for path in {*Path(name).iterdir(), *folder.iterdir()} - own:
            next(iter(found.values())).faults[f"wrote {path.name}"] = first
    return found


def _child(left: dict[str, tuple[int, int]], folder: Path, found: Mapping[str, Found]) -> None:
    """Run cases until the child ends; what is left is taken out of `left`."""
    jobs = [f"{reader}:{number}:{last}" for reader, (number, last) in left.items()]
    process = subprocess.Popen(
        [sys.executable, str(_CHILD), str(folder), *jobs], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    running: tuple[str, int] | None = None
    patience = _START_SECONDS
    try:
        while True:
            ready, _, _ = select.select([process.stdout], [], [], patience)
            line = process.stdout.readline() if ready else b""
            if not line:
                break
            patience = _SILENT_SECONDS
            reader, case, outcome = json.loads(line)
            running = (reader, case) if outcome is None else None
            if outcome is not None:
                _add(reader, case, outcome, left, found)
    finally:
        process.kill()
        process.wait()
    if running is not None:
        fault = f"the process ended with status {process.returncode}" if ready else "hangs"
        _add(*running, fault, left, found)


def _add(reader: str, case: int, outcome: str, left: dict[str, tuple[int, int]], found: Mapping[str, Found]) -> None:
    found[reader].add(case, outcome)
    left[reader] = case + 1, left[reader][1]
    if left[reader][0] == left[reader][1]:
        del left[reader]


def main() -> int:
    """Print a line a reader; 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*", default=[], metavar="READER")
    parser.add_argument("--cases", type=int, help="of each reader; default 26,000 in all")
    parser.add_argument("--first", type=int, default=0)
    chosen = parser.parse_args()
    faulty = False
    for reader in chosen.readers or CASES:
        found = fuzz({reader: chosen.cases or CASES[reader]}, chosen.first)[reader]
        print(f"{reader}: {found.tried} cases, {dict(found.ends)}", flush=True)
        for fault, case in found.faults.items():
            faulty = True
            print(f"  case {case}: {fault}", flush=True)
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
