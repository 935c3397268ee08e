"""Mutated real files, read in children with limits on memory and time: each is read or refused in one sentence."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from fuzz import child, readers, run
from places import ROOT, TESTS

READERS = sorted(readers.READERS)


@pytest.mark.parametrize("name", READERS)
def test_a_few_mutated_files_are_read_or_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    warnings.simplefilter("ignore")
    reader = readers.READERS[name]
    for number in range(25):
        (tmp_path / f"case.{name}").write_bytes(reader.case(number))
        try:
            reader.read(tmp_path / f"case.{name}")
        except readers.InputError as error:
            assert "\n" not in str(error)
    assert [path.name for path in tmp_path.iterdir()] == [f"case.{name}"]


@pytest.mark.slow
def test_mutated_files_are_read_or_refused_within_the_limits() -> None:
    """A share of the cases that python tests/fuzz/run.py runs, in one child, whose start takes longer than they do."""
    shares = {name: cases // 25 for name, cases in run.CASES.items()}
    for name, found in run.fuzz(shares, first=100).items():
        assert not found.faults, "\n".join(f"{name}, case {case}: {fault}" for fault, case in found.faults.items())
        assert found.tried == shares[name]
        # a reader that refuses everything would show nothing
        assert found.ends["read"] and found.ends["refused"] > found.tried // 10


def test_the_cases_are_enough_and_every_reader_has_its_share() -> None:
    assert sum(run.CASES.values()) >= 26_000
    assert sorted(run.CASES) == READERS


def test_a_case_is_the_same_bytes_in_every_process() -> None:
    code = "from fuzz.readers import READERS; import sys; sys.stdout.buffer.write(READERS['npy'].case(3))"
    command = [sys.executable, "-c", code]
    there = subprocess.run(command, cwd=TESTS, capture_output=True, check=True, env={"PYTHONPATH": f"{TESTS}:{ROOT}"})
    assert there.stdout == readers.READERS["npy"].case(3)


def test_faults_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bad(error: BaseException | None) -> readers.Reader:
        def read(_: Path) -> None:
            if error is not None:
                raise error
            while True:
                pass

        return readers.Reader("toml", read, readers.READERS["toml"].seeds, ())

    monkeypatch.setattr(child, "_SECONDS", 0.2)
    import signal

    before = signal.signal(signal.SIGPROF, child._stop)
    try:
        assert child._outcome(bad(None), tmp_path).startswith("more than")
    finally:
        signal.signal(signal.SIGPROF, before)
    assert child._outcome(bad(KeyError("x")), tmp_path).startswith("KeyError")
    assert child._outcome(bad(MemoryError()), tmp_path).startswith("MemoryError")
    assert child._outcome(bad(readers.InputError("x")), tmp_path).startswith("no sentence")
    assert child._outcome(bad(readers.InputError("one clear sentence")), tmp_path) == "refused"
