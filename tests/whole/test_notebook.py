"""The notebooks run from their first cell to their last, and show what they promise."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from places import ROOT

from spikeport.trainer.data.paths_and_cache import CACHE

TUTORIAL = ROOT / "examples" / "tutorial.ipynb"


def test_the_tutorial_runs() -> None:
    notebook = nbformat.read(TUTORIAL, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "keep the file without outputs"
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}})
    client.execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("text/html" in output.get("data", {}) for output in shown) == 5
    assert not [output for output in shown if output.output_type == "error"]


@pytest.mark.slow
def test_the_notebook_on_own_data_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    notebook = nbformat.read(ROOT / "examples" / "your_own_data.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "keep the file without outputs"
    resources = {"metadata": {"path": str(ROOT)}}
    NotebookClient(notebook, timeout=500, kernel_name="python3", resources=resources).execute()
    shown = "".join(str(output) for cell in notebook.cells for output in cell.get("outputs", []))
    assert "does not state the size of its sensor" in shown and "classes 0 1 2 3 4 5 6 7 8 9" in shown
