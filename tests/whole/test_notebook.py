"""The tutorial runs from its first cell to its last, and shows what it promises."""

from __future__ import annotations

import nbformat
from nbclient import NotebookClient
from places import ROOT

TUTORIAL = ROOT / "examples" / "tutorial.ipynb"


def test_the_tutorial_runs() -> None:
    notebook = nbformat.read(TUTORIAL, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "keep the file without outputs"
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}})
    client.execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("text/html" in output.get("data", {}) for output in shown) == 5
    assert not [output for output in shown if output.output_type == "error"]
