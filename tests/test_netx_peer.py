"""The emulator against lava-dl's own netx on lava-dl's own networks, in an environment that has it (`make peers`)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_netx import LOIHI2, NETX, needs_networks

from exporter.netx.from_net import compile_net
from lava_runtime.simulate import simulate

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / ".venv-lava-dl"
# lava-dl's wheel brings networks and what its authors recorded of them
RECORDED = PEERS / "lib" / "python3.10" / "site-packages" / "tests" / "lava" / "lib" / "dl" / "netx" / "gts"

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.skipif(not PEERS.is_dir(), reason="lava-dl's environment is not there; `make peers` makes it"),
]


def netx(net: Path, x: NDArray[Any], folder: Path) -> NDArray[Any]:
    """What lava-dl's netx sends for x, (time, batch, outputs)."""
    np.save(folder / "x.npy", x)
    command = [PEERS / "bin" / "python", HERE / "lava_dl" / "run_netx.py", net, folder / "x.npy", folder / "out.npy"]
    subprocess.run([str(part) for part in command], check=True, timeout=900, capture_output=True)
    found: NDArray[Any] = np.load(folder / "out.npy")
    return found


@needs_networks
def test_oxford_equals_netx(tmp_path: Path) -> None:
    net = NETX / "oxford" / "network.net"
    events = np.load(NETX / "oxford" / "input.npy")
    x = np.zeros((2000, 1, 200), np.uint8)
    x[events[:, 2].astype(int), 0, events[:, 0].astype(int)] = 1
    ours = simulate(compile_net(net, LOIHI2), x).output
    np.testing.assert_array_equal(ours, netx(net, x, tmp_path))
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
    ours = simulate(compile_net(net, LOIHI2), x).output
    np.testing.assert_array_equal(ours, netx(net, x, tmp_path))
    assert ours.sum() > 1000


def test_delays_of_ntidigits_repeat_what_lava_dl_recorded() -> None:
    folder = RECORDED / "ntidigits"
    x = np.load(folder / "input.npy").T.reshape(3000, 1, 1, 1, 64).astype(np.uint8)
    recorded = np.load(folder / "output.npy")
    ours = simulate(compile_net(folder / "ntidigits.net", LOIHI2), x).output.reshape(3000, -1).T
    # the recording, from training, lacks the step of the last layer's connection
    np.testing.assert_array_equal(ours[:, :-1], recorded[:, 1:])


def test_sigma_delta_pilotnet_repeats_what_lava_dl_recorded() -> None:
    folder = RECORDED / "pilotnet_sdnn"
    x = np.load(folder / "input.npy").transpose(3, 2, 1, 0)[:, None].repeat(10, axis=0)
    ours = simulate(compile_net(folder / "network.net", LOIHI2), x).output.reshape(-1)
    recorded = np.load(folder / "output.npy").reshape(-1)
    # what the biases cause comes at once, what the image causes a step later: its axons take one
    np.testing.assert_array_equal(ours[:8], recorded[:8])
    assert ours[9] == recorded[8]
