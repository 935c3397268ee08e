"""The emulator against lava-dl's own netx on lava-dl's own networks, in an environment that has it (`make peers`)."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, seed, settings
from net_files import LOIHI2, NETX, needs_networks, write_net
from net_strategies import FAMILIES, net_files
from numpy.typing import NDArray
from places import ROOT, TESTS

from spikeport.exporter.netx.from_net import compile_net
from spikeport.exporter.netx.to_net import write_net as write_program
from spikeport.exporter.neurons import Cuba, CubaLI, CubaLIF, Population
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.simulate import simulate

PEERS = ROOT / ".venv-lava-dl"
# lava-dl's wheel brings networks and what its authors recorded of them
RECORDED = PEERS / "lib" / "python3.10" / "site-packages" / "tests" / "lava" / "lib" / "dl" / "netx" / "gts"

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.skipif(not PEERS.is_dir(), reason="lava-dl's environment is not there; `make peers` makes it"),
]


def netx(cases: Sequence[tuple[Path, NDArray[Any]]], folder: Path) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """What lava-dl's netx sends for each file and x, (time, batch, *outputs), and its last voltages."""
    command: list[Any] = [PEERS / "bin" / "python", TESTS / "lava_dl" / "run_netx.py"]
    for number, (net, x) in enumerate(cases):
        np.save(folder / f"x{number}.npy", x)
        command += [net, folder / f"x{number}.npy", folder / f"out{number}.npy"]
    run = subprocess.run([str(part) for part in command], timeout=1800, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    return [(np.load(folder / f"out{n}.npy"), np.load(folder / f"out{n}.v.npy")) for n in range(len(cases))]


@needs_networks
def test_oxford_equals_netx(tmp_path: Path) -> None:
    net = NETX / "oxford" / "network.net"
    events = np.load(NETX / "oxford" / "input.npy")
    x = np.zeros((2000, 1, 200), np.uint8)
    x[events[:, 2].astype(int), 0, events[:, 0].astype(int)] = 1
    ours = simulate(compile_net(net, LOIHI2), x, steps=len(x)).output
    np.testing.assert_array_equal(ours, netx([(net, x)], tmp_path)[0][0])
    wanted = np.zeros((2000, 200), np.uint8)
    truth = np.load(NETX / "oxford" / "ground_truth.npy")
    wanted[truth[:, 2].astype(int), truth[:, 0].astype(int)] = 1
    print(f"oxford: {np.count_nonzero(ours[:, 0] != wanted)} of {wanted.size} places differ from the ground truth")


@needs_networks
def test_200_samples_of_mnist_equal_netx(tmp_path: Path) -> None:
    net = NETX / "mnist" / "trained_mnist_network.net"
    images = np.load(NETX.parents[1] / "data" / "mnist10k.npz")["x"][-200:].reshape(200, -1)
    rng = np.random.default_rng(0)
    # one after the other in one run, each image as rates over 32 steps
    x = np.concatenate([rng.random((32, 784)) < image / 255 for image in images]).astype(np.uint8)[:, None]
    ours = simulate(compile_net(net, LOIHI2), x, steps=len(x)).output
    np.testing.assert_array_equal(ours, netx([(net, x)], tmp_path)[0][0])
    assert ours.sum() > 1000


def test_delays_of_ntidigits_repeat_what_lava_dl_recorded() -> None:
    folder = RECORDED / "ntidigits"
    x = np.load(folder / "input.npy").T.reshape(3000, 1, 1, 1, 64).astype(np.uint8)
    recorded = np.load(folder / "output.npy")
    ours = simulate(compile_net(folder / "ntidigits.net", LOIHI2), x, steps=3000).output.reshape(3000, -1).T
    # the recording, from training, lacks the step of the last layer's connection
    np.testing.assert_array_equal(ours[:, :-1], recorded[:, 1:])


def test_sigma_delta_pilotnet_repeats_what_lava_dl_recorded() -> None:
    folder = RECORDED / "pilotnet_sdnn"
    x = np.load(folder / "input.npy").transpose(3, 2, 1, 0)[:, None].repeat(10, axis=0)
    ours = simulate(compile_net(folder / "network.net", LOIHI2), x, steps=len(x)).output.reshape(-1)
    recorded = np.load(folder / "output.npy").reshape(-1)
    # what the biases cause comes at once, what the image causes a step later: its axons take one
    np.testing.assert_array_equal(ours[:8], recorded[:8])
    assert ours[9] == recorded[8]


def drawn_files(count: int) -> list[tuple[Any, tuple[int, ...]]]:
    """So many files of each family, the same ones in every run; pooling layers apart, which netx does not load."""
    found: list[tuple[Any, tuple[int, ...]]] = []
    for family in FAMILIES:
        drawn: list[tuple[Any, tuple[int, ...]]] = []

        @seed(1)
        @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate])
        @given(net_files(family, pools=False))
        def collect(case: tuple[Any, tuple[int, ...]]) -> None:
            drawn.append(case)  # noqa: B023 - called before the next family's list is made

        collect()
        found += drawn[:count]
    return found


def entering(shape: tuple[int, ...], real: bool, rng: np.random.Generator) -> NDArray[Any]:
    """Two samples of 24 steps: spikes, or whole payloads that change now and then."""
    if not real:
        return (rng.random((24, 2, *shape)) < 0.5).astype(np.uint8)
    held: NDArray[Any] = np.repeat(rng.integers(-20, 60, (6, 2, *shape)), 4, axis=0).astype(np.int32)
    return held


def fires_early(program: ChipProgram, population: Population) -> bool:
    """Whether a bias alone makes a layer spike in netx before the step of its first input, in which it is set to 0."""
    if not isinstance(population, CubaLIF):
        return False
    v = np.zeros(population.size, np.int64)
    for _ in range(program.latency[population.name]):
        v = (v * (4096 - population.dv) >> 12) + population.bias
        if np.any(v > population.vth << 6):
            return True
    return False


def test_what_is_written_runs_in_netx_with_equal_spikes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cases, expected = [], []
    for number, (layers, shape) in enumerate(drawn_files(12)):
        program = compile_net(write_net(tmp_path / f"drawn{number}.net", layers), LOIHI2)
        if any(c.longest_delay > 1 for c in program.connections) and any(
            fires_early(program, p) for p in program.populations[:-1]
        ):
            continue  # a spike from before the reset arrives after it
        block = program.inputs[0].scale is not None
        x = entering(shape, block, rng)
        write_program(program, tmp_path / f"written{number}.net")
        entered = x / program.inputs[0].scale if block else x
        result = simulate(program, entered, steps=len(x) + block, record="all")
        last = program.populations[-1]
        spikes = result.states[f"s/{last.name}"]
        voltages = result.states[f"v/{last.name}"][-1] if isinstance(last, Cuba) else None
        cases.append((tmp_path / f"written{number}.net", x))
        # the step of the layer's first input, in which netx sets it to 0: a bias may have made it spike there before
        start = program.latency[last.name] if isinstance(last, Cuba) else 0
        assert not np.any(spikes[:start])
        expected.append((last, spikes, voltages, start))
    fired = 0
    for (last, spikes, voltages, start), (sent, v) in zip(expected, netx(cases, tmp_path), strict=True):
        if voltages is not None:
            np.testing.assert_array_equal(voltages.reshape(v.shape), v)
        if not isinstance(last, CubaLI):
            np.testing.assert_array_equal(spikes.reshape(sent.shape)[start:], sent[start:])
            fired += bool(np.any(sent))
    assert fired > len(cases) / 2 and len(cases) >= 40


def test_the_board_s_script_answers_as_the_emulator_without_a_board(tmp_path: Path) -> None:
    layers, shape = next(case for case in drawn_files(8) if case[0][0]["type"] == b"dense")
    program = compile_net(write_net(tmp_path / "m.net", layers), LOIHI2)
    x = entering(shape, False, np.random.default_rng(1))[:, 0]
    np.save(tmp_path / "x.npy", x)
    script = ROOT / "examples" / "loihi_board.py"
    command = [PEERS / "bin" / "python", script, *(tmp_path / name for name in ("m.net", "x.npy", "out.npy"))]
    subprocess.run([str(part) for part in command], check=True, timeout=900, capture_output=True)
    np.testing.assert_array_equal(
        simulate(program, x[:, None], steps=len(x)).output[:, 0], np.load(tmp_path / "out.npy")
    )
