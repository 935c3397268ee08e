"""Input and output beside .npy: one array a port, and NIR's own data files."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest
from command import graph, refused, spikeport
from programs import dense, spikes

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.input_files import open_input
from spikeport.lava_runtime.nir_data import read_spikes, write_result
from spikeport.lava_runtime.simulate import simulate


def write(path: Path, data: object, name: str = "input") -> Path:
    nir.write_data(str(path), nir.NIRGraphData({name: nir.NIRNodeData({"spikes": data})}))
    return path


def test_random_spikes_are_the_same_at_every_call() -> None:
    program = dense((6, 4), 1)
    first, second = (open_input(Path("random:0.25"), program) for _ in range(2))
    assert isinstance(first, np.ndarray) and isinstance(second, np.ndarray)
    np.testing.assert_array_equal(first, second)
    assert first.shape == (32, 4, 6) and 0.15 < first.mean() < 0.35
    for rate in ("2", "x", "nan", ""):
        with pytest.raises(InputError, match="random:0"):
            open_input(Path(f"random:{rate}"), program)


def test_a_grid_and_its_events_are_the_same_input(tmp_path: Path) -> None:
    x = spikes((10, 3, 6), 0.4, 1).astype(bool)
    grid = nir.TimeGriddedData(np.swapaxes(x, 0, 1), 1e-3)
    for data in (grid, grid.to_event(60), grid.to_event(60, 0.5e-3)):
        found = read_spikes(write(tmp_path / "x.h5", data), 1e-3)["input"]
        np.testing.assert_array_equal(found, x)


def test_values_of_events_add_up(tmp_path: Path) -> None:
    places = np.array([[2, 2, 0, -1]]), np.array([[0.0, 0.5e-3, 3e-3, np.inf]])
    data = nir.ValuedEventData(*places, 3, 4e-3, np.array([[5.0, -2.0, 7.0, 0.0]]))
    found = read_spikes(write(tmp_path / "x.h5", data), 1e-3)["input"]
    assert found.shape == (4, 1, 3)
    assert (found[0, 0, 2], found[3, 0, 0], np.count_nonzero(found)) == (3, 7, 2)


def test_a_result_is_read_back(tmp_path: Path) -> None:
    program = dense((6, 8, 4), 1)
    result = simulate(program, spikes((10, 3, 6), 0.4, 1), record="all")
    write_result(result, program.dt, tmp_path / "out.h5")
    data = nir.read_data(str(tmp_path / "out.h5"))
    name = program.outputs[0]
    assert set(data.nodes[name].observables) == {"spikes", "u", "v"}
    np.testing.assert_array_equal(np.swapaxes(data.nodes[name].observables["spikes"].data, 0, 1), result.output)
    np.testing.assert_array_equal(np.swapaxes(data.nodes[name].observables["v"].data, 0, 1), result.states[f"v/{name}"])


def test_the_commands_take_nirs_data(tmp_path: Path) -> None:
    nir.write(str(tmp_path / "model.nir"), graph())
    x = spikes((10, 3, 6), 0.4, 1)
    np.save(tmp_path / "x.npy", x)
    write(tmp_path / "x.h5", nir.TimeGriddedData(np.swapaxes(x.astype(bool), 0, 1), 1e-3), "input")
    for name in ("npy", "h5"):
        common = ["model.nir", "--chip", "loihi2", "--input", f"x.{name}"]
        result = spikeport("simulate", *common, "-o", f"{name}.npz", cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    arrays = [np.load(tmp_path / f"{name}.npz")["spikes"] for name in ("npy", "h5")]
    np.testing.assert_array_equal(*arrays)
    assert spikeport("simulate", *common, "-o", "out.h5", cwd=tmp_path).returncode == 0
    found = nir.read_data(str(tmp_path / "out.h5")).nodes["lif"].observables["spikes"].data
    np.testing.assert_array_equal(np.swapaxes(found, 0, 1), arrays[0])
    write(tmp_path / "x.h5", nir.TimeGriddedData(np.swapaxes(x.astype(bool), 0, 1), 1e-2), "input")
    refused(spikeport("simulate", *common, "-o", "o.npz", cwd=tmp_path), "x.h5", "0.001 s", "0.01 s")


def two_inputs() -> nir.NIRGraph:
    net = graph()
    net.nodes["more"] = nir.Input({"input": np.array([2])})
    net.nodes["wide"] = nir.Linear(np.full((4, 2), 0.7))
    net.edges += [("more", "wide"), ("wide", "lif")]
    return net


def test_several_inputs_are_fed_by_name(tmp_path: Path) -> None:
    program = compile_graph(two_inputs(), load_chip("loihi2"))
    x = {"input": spikes((10, 3, 6), 0.4, 1), "more": spikes((10, 3, 2), 0.4, 2)}
    np.savez(tmp_path / "x.npz", **x)
    given = open_input(tmp_path / "x.npz", program)
    result = simulate(program, given)
    alone = simulate(program, {**x, "more": np.zeros_like(x["more"])})
    assert result.output.sum() > alone.output.sum() > 0
    assert set(result.counts()) == {"input", "more", "lif"}


def test_input_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    program = compile_graph(two_inputs(), load_chip("loihi2"))
    np.savez(tmp_path / "x.npz", input=np.zeros((5, 1, 6), np.uint8))
    with pytest.raises(InputError, match="no array for input 'more'"):
        open_input(tmp_path / "x.npz", program)
    with pytest.raises(InputError, match=r"several inputs \(input, more\).*npz"):
        simulate(program, np.zeros((5, 1, 6), np.uint8))
    with pytest.raises(InputError, match="different numbers of time steps"):
        simulate(program, {"input": np.zeros((5, 1, 6), np.uint8), "more": np.zeros((4, 1, 2), np.uint8)})
    for name in ("x.npz", "x.h5"):
        (tmp_path / name).write_bytes(b"not an archive")
        with pytest.raises(InputError, match=name):
            open_input(tmp_path / name, program)
    late = nir.EventData(np.array([[7]]), np.array([[0.0]]), 3, 4e-3)
    with pytest.raises(InputError, match="events beyond its 3 neurons"):
        read_spikes(write(tmp_path / "late.h5", late), 1e-3)
