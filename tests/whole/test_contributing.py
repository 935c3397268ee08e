"""CONTRIBUTING.md's additions, carried out in a copy of the repository with the files that it lists and no others."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from pages import tracked_copy
from places import ROOT

EXAMPLE = ROOT / "tests" / "example_plugin" / "spikeport_example"
Change = Callable[[str, Path], str]


def listed(section: str) -> list[str]:
    """The files in the table of a section of CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {section}\n(.*?)^## ", text, flags=re.MULTILINE | re.DOTALL)
    assert found is not None, section
    return re.findall(r"^\| `([^`]+)` \|", found[1], flags=re.MULTILINE)


def sections() -> list[str]:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return re.findall(r"^## (Add .*)$", text, flags=re.MULTILINE)


def new(module: str, *changes: tuple[str, str]) -> Change:
    """A file of the example package, with some of its text replaced; it is not there yet."""

    def make(before: str, _: Path) -> str:
        assert not before
        text = (EXAMPLE / module).read_text(encoding="utf-8")
        for old, other in changes:
            assert old in text, old
            text = text.replace(old, other)
        return text

    return make


def after(*pairs: tuple[str, str]) -> Change:
    """Text put in right behind other text that stands there once."""

    def make(before: str, _: Path) -> str:
        for anchor, text in pairs:
            assert before.count(anchor) == 1, anchor
            before = before.replace(anchor, anchor + text)
        return before

    return make


def recipe(before: str, copy: Path) -> str:
    assert not before
    text = (copy / "recipes" / "digits.toml").read_text(encoding="utf-8")
    return text.replace('name = "digits"', 'name = "digits_example_mse"').replace('"bptt"', '"example_mse"')


def page_of_methods(before: str, copy: Path) -> str:
    """What benchmarks/methods.py writes where no run is there."""
    code = "import sys, methods; from pathlib import Path; path = Path(sys.argv[1])\n"
    code += "methods.write_page(path, [], methods.lines_by_mark([], [], methods.page_text(path)))"
    done = python(copy, "-c", code, "docs/methods.md", path="benchmarks")
    assert done.returncode == 0, done.stderr
    written = (copy / "docs" / "methods.md").read_text(encoding="utf-8")
    (copy / "docs" / "methods.md").write_text(before, encoding="utf-8")
    return written


@dataclass(frozen=True)
class Addition:
    """What is done to each file, NAME for `name`; code and tests: what must hold then."""

    section: str
    name: str
    changes: dict[str, Change]
    code: str
    tests: tuple[str, ...]


ADDITIONS = [
    Addition(
        "Add a chip",
        "example_small_chip",
        {"hardware_profiles/data/NAME.toml": new("chip.toml")},
        "from spikeport.hardware_profiles import available, load_chip; load_chip('NAME'); assert 'NAME' in available()",
        ("tests/hardware_profiles/test_profiles.py",),
    ),
    Addition(
        "Add a training method",
        "example_mse",
        {
            "trainer/methods/NAME.py": new("method.py"),
            "trainer/methods/registry.py": after(
                ("from .bptt import Bptt\n", "from .example_mse import MeanSquares\n"),
                ("SewResnet, TsslBp", ", MeanSquares"),
            ),
            "recipes/digits_NAME.toml": recipe,
            "tests/spikeport/run/test_recipes.py": after(("MORE = {\n", '    "digits_example_mse": 0.9,\n')),
            "docs/methods.md": page_of_methods,
        },
        "from spikeport.trainer.methods.registry import get_method; assert get_method('NAME').name == 'NAME'",
        (
            "tests/whole/test_docs_lists.py",
            "tests/spikeport/run/test_recipes.py::test_every_recipe_is_valid_named_like_its_file_and_measured[digits_NAME]",
            "tests/benchmarks/test_methods_benchmark.py::test_every_method_has_a_recipe_for_digits",
            "tests/benchmarks/test_methods_benchmark.py::test_a_page_without_runs_stays_as_it_is",
        ),
    ),
    Addition(
        "Add a neuron",
        "example_floor_lif",
        {
            "exporter/neurons/NAME.py": new(
                "neuron.py",
                ("from spikeport.exporter.neurons import CubaLIF, Integers\n", "from .base import Integers\n"),
                ("from spikeport.exporter.neurons.cuba.cuba import plain_current, plain_voltage\n",
                 "from .cuba.cuba import plain_current, plain_voltage\nfrom .cuba.cuba_lif import CubaLIF\n"),
            ),
            "exporter/neurons/__init__.py": after(
                ("Population, SpikeStep, States, Step, StockProcess\n", "from .example_floor_lif import FloorLIF\n"),
                ("    LIFRefractory,\n    TernaryLIF,\n", "    FloorLIF,\n"),
                ('    "Delta",\n', '    "FloorLIF",\n'),
            ),
            "docs/neurons.md": after(("|---|---|---|---|---|\n", "| - | `example_floor_lif` | u, v | none | - |\n")),
            "docs/chip-file.md": after(("| kind | constants | what it is |\n|---|---|---|\n",
                                        "| `example_floor_lif` | those of `cuba_lif` | v stays at 0 or above |\n")),
        },
        "from spikeport.exporter.neurons import NEURON_MODELS, FloorLIF; assert NEURON_MODELS['NAME'] is FloorLIF",
        (
            "tests/whole/test_docs_lists.py",
            "tests/exporter/neurons/test_neurons.py::test_kernels_equal_plain_steps[NAME]",
            "tests/exporter/neurons/test_neurons.py::test_files_give_every_model_back[NAME]",
            "tests/exporter/neurons/test_neurons.py::test_every_register_has_its_limits[NAME]",
        ),
    ),
    Addition(
        "Add a pass",
        "drop_unit_scales",
        {
            "exporter/lowering/passes/NAME.py": new(
                "graph_pass.py",
                ("from spikeport.exporter.lowering.passes import runs_after\n\n\n", ""),
                ('@runs_after("drop_flatten")\n', "\n\n"),
                ('"""A pass over NIR graphs."""', '"""Pass: remove Scale nodes of ones, which change nothing."""'),
            ),
            "exporter/lowering/passes/__init__.py": after(
                ("from .drop_flatten import drop_flatten\n", "from .drop_unit_scales import drop_unit_scales\n"),
                ('    "drop_flatten": drop_flatten,\n', '    "drop_unit_scales": drop_unit_scales,\n'),
            ),
            "docs/architecture.md": lambda text, _: text.replace(
                "| `drop_dead` |", "| `drop_unit_scales` | removes Scale nodes of ones |\n| `drop_dead` |"
            ),
        },
        "from spikeport.exporter.lowering.passes import PASSES; assert 'NAME' in PASSES",
        (
            "tests/whole/test_docs_lists.py",
            "tests/exporter/lowering/passes/test_passes_meaning.py::test_a_pass_keeps_what_every_neuron_and_output_sends[NAME]",
            "tests/exporter/lowering/test_pass_pipeline.py::test_every_pass_is_listed_with_one_line",
        ),
    ),
    Addition(
        "Add a data set",
        "bars",
        {
            "trainer/data/sets/NAME.py": new(
                "dataset.py",
                ("from spikeport.trainer.data import Dataset, Request",
                 "from spikeport.trainer.data.dataset import Dataset, Request"),
                ("example_bars", "bars"),
            ),
            "trainer/data/__init__.py": after(
                ("from .dataset import Dataset, Request, Samples\n", "from .sets.bars import bars\n"),
                ("_LOADERS: tuple[Loader, ...] = (\n", "    bars,\n"),
            ),
            "docs/training.md": after(("| `dataset` | one sample | comes from |\n|---|---|---|\n",
                                       "| `bars` | 8 pixels | made up |\n")),
        },
        "from spikeport.trainer.data import load_dataset; assert load_dataset('NAME', 0).classes == 2",
        ("tests/whole/test_docs_lists.py",),
    ),
]  # fmt: skip


def python(copy: Path, *arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """A Python in a copy of the repository."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(copy), str(copy / path)])}
    return subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )


def repository(folder: Path) -> Path:
    """A copy of the files that git tracks, and of those that are new."""
    return tracked_copy(folder, "--cached", "--others", "--exclude-standard")


def carry_out(addition: Addition, files: list[str], copy: Path) -> None:
    """Make the addition's changes to these files."""
    for file in files:
        path = copy / file.replace("NAME", addition.name)
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        changed = addition.changes[file](before, copy)
        assert changed != before, file
        path.write_text(changed, encoding="utf-8")


def faults(addition: Addition, copy: Path) -> str:
    """What does not hold in the copy, "" where all does."""
    code = addition.code.replace("NAME", addition.name)
    tests = [test.replace("NAME", addition.name) for test in addition.tests]
    options = ["-q", "-x", "-p", "no:cacheprovider", "-m", "not slow"]
    for arguments in (["-c", code], ["-m", "pytest", *options, *tests]):
        done = python(copy, *arguments)
        if done.returncode:
            return f"{arguments}\n{done.stdout}{done.stderr}"
    return ""


def test_every_kind_of_addition_has_its_section() -> None:
    assert sections() == [
        "Add a chip", "Add a device", "Add a training method", "Add a neuron", "Add a pass", "Add a data set",
        "Add a section to the report", "Add a compile option", "Add a file format",
    ]  # fmt: skip


@pytest.mark.parametrize("section", sections())
def test_every_file_listed_is_there_or_new(section: str) -> None:
    files = listed(section)
    assert files and len(set(files)) == len(files)
    for file in files:
        assert "NAME" in file or (ROOT / file).is_file(), file
        assert (ROOT / file).parent.is_dir(), file


@pytest.mark.slow
@pytest.mark.parametrize("addition", ADDITIONS, ids=lambda a: a.section)
def test_an_addition_takes_the_files_that_are_listed(addition: Addition, tmp_path: Path) -> None:
    files = listed(addition.section)
    assert set(files) == set(addition.changes), "the list and what the addition takes differ"
    copy = repository(tmp_path)
    carry_out(addition, files, copy)
    assert not (found := faults(addition, copy)), found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("addition", "left_out"),
    [(addition, file) for addition in ADDITIONS for file in addition.changes],
    ids=lambda value: getattr(value, "section", value),
)
def test_an_addition_without_one_of_its_files_fails(addition: Addition, left_out: str, tmp_path: Path) -> None:
    copy = repository(tmp_path)
    try:
        carry_out(addition, [file for file in addition.changes if file != left_out], copy)
    except AssertionError:
        return  # another file is written from this one
    assert faults(addition, copy)
