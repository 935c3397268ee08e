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
from dataclasses import dataclass, field
from pathlib import Path

_CHILD = Path(__file__).resolve().parent / "child.py"
# of the clock on the wall, on a machine that may be busy with other things
_SILENT_SECONDS = 45.0
# until the first case: imports, seeds and kernels
_START_SECONDS = 300.0
# how many cases of each make 24,000
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


def fuzz(reader: str, cases: int, first: int = 0) -> Found:
    """Run cases of a reader, in another child where one ends."""
    found, number = Found(), first
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name) / "in"
        folder.mkdir()
        (folder / "secret.h5").write_bytes(SECRET)
        while number < first + cases:
            number = _child(reader, number, first + cases, folder, found)
        for path in (*Path(name).iterdir(), *folder.iterdir()):
            if path not in (folder, folder / "secret.h5", folder / f"case.{reader}", folder / f"seed.{reader}"):
                found.faults[f"wrote {path.name}"] = first
    return found


def _child(reader: str, number: int, last: int, folder: Path, found: Found) -> int:
    """Run cases until the child ends; the number of the next one."""
    command = [sys.executable, str(_CHILD), reader, str(number), str(last), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    running, patience = None, _START_SECONDS
    try:
        while True:
            ready, _, _ = select.select([process.stdout], [], [], patience)
            if not ready:
                found.add(number if running is None else running, "hangs")
                return (number if running is None else running) + 1
            line = process.stdout.readline()
            if not line:
                break
            patience = _SILENT_SECONDS
            case, outcome = json.loads(line)
            if outcome is None:
                running = case
            else:
                found.add(case, outcome)
                running, number = None, case + 1
    finally:
        process.kill()
        process.wait()
    if running is not None:
        found.add(running, f"the process ended with status {process.returncode}")
        return running + 1
    if number < last:
        raise RuntimeError(f"{reader}: the child did not start")
    return number


def main() -> int:
    """Print a line a reader; 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*", default=[], metavar="READER")
    parser.add_argument("--cases", type=int, help="of each reader; default 24,000 in all")
    parser.add_argument("--first", type=int, default=0)
    chosen = parser.parse_args()
    faulty = False
    for reader in chosen.readers or CASES:
        found = fuzz(reader, chosen.cases or CASES[reader], chosen.first)
        print(f"{reader}: {found.tried} cases, {dict(found.ends)}", flush=True)
        for fault, case in found.faults.items():
            faulty = True
            print(f"  case {case}: {fault}", flush=True)
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
