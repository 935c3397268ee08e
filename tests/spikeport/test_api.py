"""The Python API: the verbs of the command line on graphs, files and arrays, and what they show."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import nir
import numpy as np
import pytest
from command import graph, spikeport
from places import ROOT
from programs import spikes

import spikeport as sp

X = spikes((10, 3, 6), 0.4, 1)


@pytest.fixture(scope="module")
def network() -> sp.Network:
    return sp.compile(graph(), chip="loihi2")


def test_the_whole_way_in_one_line() -> None:
    found = sp.compile(graph(), chip="loihi2").simulate(X).profile()
    assert found.energy_j.low < found.energy_j.typical < found.energy_j.high
    assert found.layers == ("input", "lif") and found.spikes.shape == (2,)
    assert found.layer_energy_j.shape == (2, 3)


def test_a_path_is_as_good_as_a_graph(tmp_path: Path, network: sp.Network) -> None:
    nir.write(str(tmp_path / "m.nir"), graph())
    np.save(tmp_path / "x.npy", X)
    for path in (tmp_path / "m.nir", str(tmp_path / "m.nir")):
        found = sp.compile(path).simulate(tmp_path / "x.npy")
        np.testing.assert_array_equal(found.spikes, network.simulate(X).spikes)


def test_every_answer_comes_out(network: sp.Network) -> None:
    found = network.simulate(X, record="all")
    assert found.spikes.shape == (11, 3, 4) and found.missing_steps == 0
    assert set(found.states) == {"s/lif", "u/lif", "v/lif"}
    assert found.winners.shape == (3,) and found.counts["input"].tolist() == X.sum(axis=(0, 2)).tolist()
    assert network.simulate(X, steps=10).missing_steps == 1


def test_what_is_saved_is_what_was_compiled(tmp_path: Path, network: sp.Network) -> None:
    network.save(tmp_path / "m.chip")
    again = sp.load(tmp_path / "m.chip")
    np.testing.assert_array_equal(again.simulate(X).spikes, network.simulate(X).spikes)
    with pytest.raises(sp.InputError, match="integers only"):
        again.diff(X)
    with pytest.raises(sp.InputError, match=r"spikeport\.compile"):
        sp.load(tmp_path / "m.nir")


def test_check_and_diff_are_arrays(network: sp.Network) -> None:
    fit = network.check()
    assert fit.fits and fit.cores.tolist() == [1] and set(fit.fill) >= {"compartments"} and fit.reasons == ()
    difference = network.diff(X)
    assert difference.differing.shape == difference.u_peak.shape == (1,)
    assert difference.equal == (difference.differing.max() == 0)


def test_command_line_and_python_find_the_same(tmp_path: Path, network: sp.Network) -> None:
    nir.write(str(tmp_path / "m.nir"), graph())
    np.save(tmp_path / "x.npy", X)
    shown = spikeport("profile", "m.nir", "--chip", "loihi2", "--input", "x.npy", "--json", cwd=tmp_path)
    assert json.loads(shown.stdout)["per_inference"] == network.profile(X).parts()["per_inference"]


@pytest.mark.parametrize("verb", ["check", "simulate", "profile", "diff", "itself"])
def test_results_show_themselves(network: sp.Network, verb: str) -> None:
    found = network if verb == "itself" else network.check() if verb == "check" else getattr(network, verb)(X)
    assert "lif" in repr(found) and "\x1b" not in repr(found)
    page = found._repr_html_()
    assert page.startswith("<pre") and "lif" in page
    json.dumps(found.parts())


def test_a_layer_s_name_is_no_markup() -> None:
    named = graph()
    nodes = {("[r]<b>" if name == "lif" else name): node for name, node in named.nodes.items()}
    edges = [tuple("[r]<b>" if end == "lif" else end for end in edge) for edge in named.edges]
    fit = sp.compile(nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt": 1e-3})).check()
    assert "[r]<b>" in repr(fit) and "<b>" not in fit._repr_html_()


def test_the_version_is_said_in_one_place() -> None:
    assert spikeport("--version").stdout.strip() == sp.__version__ == metadata.version("spikeport")


def test_profiles_and_unknown_names() -> None:
    assert sp.chips()["loihi2"].name == "loihi2"
    with pytest.raises(sp.InputError, match="loihi2"):
        sp.compile(graph(), chip="loihi3")
    with pytest.raises(AttributeError, match="compiel"):
        sp.compiel  # noqa: B018
    assert "compile" in dir(sp)


def test_importing_loads_nothing_that_is_large() -> None:
    code = "import sys, spikeport; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"numpy", "torch", "nir", "rich", "numba", "h5py"} & set(loaded.split())


def test_the_verbs_of_networks_need_no_torch(tmp_path: Path) -> None:
    nir.write(str(tmp_path / "m.nir"), graph())
    code = (
        "import sys; sys.modules['torch'] = sys.modules['sklearn'] = sys.modules['onnx'] = None\n"
        "import numpy as np, spikeport as sp\n"
        "network = sp.compile('m.nir'); x = np.ones((5, 2, 6), np.uint8)\n"
        "network.check(); network.diff(x); print(network.simulate(x).profile().energy_j.typical)"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
