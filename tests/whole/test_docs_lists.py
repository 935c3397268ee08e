"""Tables of the documents that list what a registry holds: every entry has its row."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from places import ROOT

from spikeport.exporter.lowering.pass_pipeline import describe_passes
from spikeport.exporter.lowering.passes import PASSES
from spikeport.exporter.neurons import NEURON_MODELS
from spikeport.trainer.data import DATASETS
from spikeport.trainer.data.encoding import ENCODERS
from spikeport.trainer.methods.registry import METHODS
from spikeport.trainer.settings.preset import presets
from spikeport.trainer.tasks.registry import TASKS


def first_cells(page: str) -> list[str]:
    """The names in the first two cells of every row of a page's tables, in order."""
    rows = re.findall(r"^\| (.*)$", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("neurons.md", NEURON_MODELS),
        ("chip-file.md", NEURON_MODELS),
        ("training.md", DATASETS),
        ("training.md", ENCODERS),
        ("methods.md", METHODS),
        ("tasks.md", TASKS),
        ("tasks.md", {name for task in TASKS.values() for name in (*task.losses, *task.metrics)}),
        ("networks.md", presets()),
    ],
    ids=["neurons", "neurons in files", "data sets", "encodings", "methods", "tasks", "losses and metrics", "presets"],
)
def test_every_entry_has_its_row(page: str, names: Iterable[str]) -> None:
    assert not set(names) - set(first_cells(page)), page


def test_the_passes_are_listed_in_their_order() -> None:
    assert [name for name in first_cells("architecture.md") if name in describe_passes()] == list(PASSES)
