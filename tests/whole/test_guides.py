"""The guides do what they say: every file, every line of Python, every command, in their order.

The tutorial is a first page as well, and tests/whole/test_first_pages.py carries it out.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nir
import numpy as np
import pytest
from command import graph, spikeport
from pages import FIRST_PAGES, GUIDES, steps
from places import ROOT
from programs import spikes

from spikeport.lava_runtime.lava_backend.child import lava_missing

# they train, or start workers
SLOW = ("fewer-spikes", "paper-to-board", "cluster")
ADDRESS = "tcp://10.0.0.1:8786"
# what a page is about is not always that everything is equal or fits
ANSWERS = {"diff": (0, 1)}


@contextmanager
def cluster(wanted: bool) -> Iterator[str]:
    """The address of a dask scheduler with one worker, where a page asks for one."""
    if not wanted:
        yield ADDRESS
        return
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as found:
        yield found.scheduler_address


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=pytest.mark.slow if p.stem in SLOW else ()) for p in GUIDES if p not in FIRST_PAGES],
    ids=lambda p: p.stem,
)
def test_a_guide_does_what_it_says(path: Path, tmp_path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    nir.write(str(tmp_path / "model.nir"), graph())
    np.save(tmp_path / "x.npy", spikes((10, 3, 6), 0.4, 1))
    assert spikeport("compile", "model.nir", "--chip", "loihi2", "-o", "model.chip", cwd=tmp_path).returncode == 0
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    done = 0
    with cluster(ADDRESS in page) as address:
        for kind, text in steps(page):
            if kind.endswith(".toml"):
                (tmp_path / kind).parent.mkdir(exist_ok=True)
                (tmp_path / kind).write_text(text, encoding="utf-8")
            elif kind == "python":
                ran = subprocess.run(
                    [sys.executable, "-c", text], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
                    capture_output=True, text=True, check=False,
                )  # fmt: skip
                assert ran.returncode == 0, ran.stderr
            else:
                command = shlex.split(text.replace(ADDRESS, address))[1:]
                if lava_missing() and {"lava", "stock"} & set(command):
                    continue
                result = spikeport(*command, cwd=tmp_path, limit=550)
                assert result.returncode in ANSWERS.get(command[0], (0,)), f"{text}: {result.stderr}"
                done += 1
    assert done


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    built = subprocess.run(
        [*build, tmp_path / "site"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr[-3000:]
    constants = (tmp_path / "site" / "reference" / "profiles" / "index.html").read_text(encoding="utf-8")
    assert "loihi2" in constants and "Davies" in constants
    classes = (tmp_path / "site" / "reference" / "api" / "index.html").read_text(encoding="utf-8")
    assert "compile_graph" in classes and "ProfileReport" in classes


@pytest.mark.slow
def test_a_link_that_leads_nowhere_stops_the_build(tmp_path: Path) -> None:
    for name in ("docs", ".ci", "mkdocs.yml", "spikeport", "exporter", "lava_runtime", "hardware_profiles", "trainer"):
        (tmp_path / name).symlink_to(ROOT / name) if name != "docs" else shutil.copytree(ROOT / name, tmp_path / name)
    page = tmp_path / "docs" / "tutorial.md"
    page.write_text(page.read_text(encoding="utf-8") + "\n[nowhere](nowhere.md)\n", encoding="utf-8")
    command, environment = [sys.executable, "-m", "mkdocs", "build"], {**os.environ, "PYTHONPATH": str(ROOT)}
    built = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode != 0 and "nowhere.md" in built.stderr
