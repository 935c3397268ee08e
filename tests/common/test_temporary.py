"""Temporary folders are gone at the end, whatever ends the command."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from spikeport.common.temporary import temporary_folder


def test_an_interruption_during_the_removal_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tempfile.TemporaryDirectory, "_rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt), temporary_folder() as folder:
        (folder / "log").touch()
    assert list(tmp_path.iterdir()) == []
