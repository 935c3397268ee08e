"""An LI readout's integers and their unit, in Simulation and in OUT.npz, at once and in chunks."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
from command import spikeport
from programs import spikes

import spikeport as sp
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.float_network.simulator import simulate_float

X = spikes((20, 4, 6), 0.4, 1)


def readout() -> nir.NIRGraph:
    rng = np.random.default_rng(3)
    constants = {"tau": np.full(3, 0.01), "r": np.full(3, 2.0), "v_leak": np.zeros(3)}
    nodes = {
        "input": nir.Input({"input": np.array([6])}),
        "fc": nir.Linear(rng.normal(size=(3, 6)).astype(np.float32)),
        "li": nir.LI(**constants),
        "output": nir.Output({"output": np.array([3])}),
    }
    edges = [("input", "fc"), ("fc", "li"), ("li", "output")]
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt": 1e-3})


def test_the_values_of_a_readout_are_the_float_networks_voltages() -> None:
    network = sp.compile(readout())
    run = network.simulate(X)
    assert set(run.units) == {"li"} and run.spikes.dtype == np.int32
    lowered = lower_graph(readout())
    expected = simulate_float(lowered, {"input": X.reshape(20, 4, 6).astype(np.int32)}, len(run.spikes)).spikes["li"]
    np.testing.assert_allclose(run.values, expected, atol=0.01 * np.abs(expected).max())


def test_the_unit_is_in_the_file_at_once_and_in_chunks(tmp_path: Path) -> None:
    nir.write(str(tmp_path / "m.nir"), readout())
    np.save(tmp_path / "x.npy", X)
    unit = sp.compile(readout()).simulate(X).units["li"]
    for name, more in (("a.npz", ()), ("b.npz", ("--workers", "2"))):
        command = ("simulate", "m.nir", "--chip", "loihi2", "--input", "x.npy", "-o", name, *more)
        assert spikeport(*command, cwd=tmp_path).returncode == 0
        with np.load(tmp_path / name) as file:
            np.testing.assert_array_equal(file["units/li"], unit)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_spikes_have_no_unit() -> None:
    graph = readout()
    graph.nodes["li"] = nir.IF(r=np.ones(3), v_threshold=np.ones(3))
    run = sp.compile(graph).simulate(X)
    assert run.units == {} and run.values is run.spikes
