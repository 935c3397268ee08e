"""Runs cases in this process, under a memory limit: python child.py FOLDER READER:FIRST:LAST ..."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import traceback
import warnings
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
SUPPORT = [TESTS / "support" / folder for folder in ("", "networks", "referees", "runs")]
sys.path[:0] = map(str, [TESTS.parent, TESTS, *SUPPORT])

from fuzz.readers import READERS, InputError, Reader  # noqa: E402

_GIGABYTES_ABOVE = 2
_SECONDS = 5


class TooLong(BaseException):
    """A case took more processor time than it may."""


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + (_GIGABYTES_ABOVE << 30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _stop(*_: object) -> None:
    raise TooLong


def _outcome(reader: Reader, path: Path) -> str:
    """read, refused, or what went wrong and where."""
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        reader.read(path)
    except InputError as error:
        text = str(error)
        return "refused" if "\n" not in text.strip() and 10 < len(text) < 1500 else f"no sentence: {text[:200]!r}"
    except TooLong:
        return f"more than {_SECONDS} s: {_place(sys.exc_info()[2])}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:100]} at {_place(error.__traceback__)}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return "read"


def _place(trace: object) -> str:
    frames = [f for f in traceback.extract_tb(trace) if "fuzz" not in f.filename]  # type: ignore[arg-type]
    return " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames[-4:]))


def main(folder: Path, jobs: list[str]) -> None:
    """Say the reader and number of each case before it runs and how it ended after it, a line of JSON each.

    jobs: NAME:FIRST:LAST of each reader. All kernels are compiled before the memory is limited.
    """
    os.chdir(folder)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, _stop)
    parts = [job.split(":") for job in jobs]
    for name, _first, _last in parts:
        for seed in READERS[name].seeds():
            path = folder / f"seed.{name}"
            path.write_bytes(seed)
            _outcome(READERS[name], path)
    _limit_memory()
    for name, first, last in parts:
        for number in range(int(first), int(last)):
            path = folder / f"case.{name}"
            path.write_bytes(READERS[name].case(number))
            print(json.dumps([name, number, None]), flush=True)
            print(json.dumps([name, number, _outcome(READERS[name], path)]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
