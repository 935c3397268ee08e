"""spikeport doctor: what works, what is left out, what is broken and how to fix it."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from spikeport import doctor_checks
from spikeport.doctor_checks import Doctor, Finding, run_checks


def test_a_sound_installation_is_healthy() -> None:
    found = {finding.name: finding for finding in run_checks().findings}
    assert found["backend emulator"].state == "works"
    assert found["backend lava"].state == ("works" if sys.version_info[:2] == (3, 10) else "left out")
    assert found["torch"].state == "works"


def test_what_is_missing_comes_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name in ("torch", "nir"):
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    found = {finding.name: finding for finding in doctor_checks._packages()}
    assert found["torch"].state == "left out" and "spikeport[train]" in found["torch"].remedy
    assert found["nir"].state == "broken" and found["nir"].remedy


def test_a_backend_that_fails_is_broken_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> None:
        raise OSError("no shared memory")

    monkeypatch.setattr(doctor_checks, "_try", fails)
    (finding,) = doctor_checks._emulator()
    assert finding.state == "broken" and "no shared memory" in finding.detail


def test_a_cache_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    (finding,) = doctor_checks._kernels()
    assert finding.state == "left out" and "NUMBA_CACHE_DIR" in finding.remedy


def test_the_fix_is_shown() -> None:
    shown = repr(Doctor((Finding("a [b]", "broken", "why", "do this"),)))
    assert "a [b]: do this" in shown and "broken" in shown
    assert not Doctor((Finding("a", "broken", ""),)).healthy and Doctor((Finding("a", "left out", ""),)).healthy


def test_a_gpu_is_found_or_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (finding,) = doctor_checks._gpu()
    assert finding.state == "left out" and "on the CPU" in finding.detail
    about = SimpleNamespace(name="H", total_memory=80_000_000_000)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: about)
    monkeypatch.setattr(doctor_checks, "has_triton", lambda: False)
    (finding,) = doctor_checks._gpu()
    assert "H, 80 GB" in finding.detail and "pip install triton" in finding.remedy
