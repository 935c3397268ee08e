"""Unmodified networks of four frameworks, in the frameworks' own environment; each one's lines of docs/torch.md."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from places import ROOT
from torch import nn

from spikeport.common.errors import InputError
from spikeport.exporter.trainable.frameworks import FRAMEWORKS, _plain, framework_of
from spikeport.exporter.trainable.load_into import load_into
from spikeport.exporter.trainable.module import module_of
from spikeport.hardware_profiles.loader import load_chip

PEERS = Path(os.environ.get("SPIKEPORT_FRAMEWORKS", ROOT / ".venv-frameworks"))
peers = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.skipif(not PEERS.is_dir(), reason="the frameworks' environment is not there; `make peers` makes it"),
]


def there(*arguments: str, folder: Path) -> str:
    """What a program prints in the frameworks' environment."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [str(PEERS / "bin" / "python"), *arguments]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=500)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("framework", [pytest.param(name, marks=peers) for name in FRAMEWORKS])
def test_its_modules_are_exact_learn_and_take_their_weights_back(framework: str, tmp_path: Path) -> None:
    printed = there(str(ROOT / "tests" / "frameworks" / "modules_.py"), framework, folder=tmp_path)
    lines = [line.split() for line in printed.splitlines()]
    assert len(lines) >= 2
    for name, places, exact, before, after, back in lines:
        assert float(places) == 1, name
        assert exact == "True", name
        assert float(after) < float(before), name
        assert float(back) > 0.999, name


@pytest.mark.parametrize("number", [pytest.param(n, marks=peers) for n in range(4)])
def test_the_lines_of_the_page_run_there(number: int, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "torch.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```py\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    there("-W", "ignore", "-c", blocks[number], folder=tmp_path)


def test_a_network_without_a_framework_is_one_sentence() -> None:
    with pytest.raises(InputError, match="has no neurons of snnTorch, SpikingJelly, Norse or Sinabs"):
        framework_of(nn.Sequential(nn.Linear(3, 4), nn.ReLU()))


def test_a_layer_that_its_framework_does_not_export_is_named() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.Softmax())
    graph = nir.NIRGraph(nodes={}, edges=[], type_check=False)
    graph.nodes = {"0": nir.Linear(weight=np.eye(3)), "1": None}
    with pytest.raises(InputError, match=r"layer '1' \(Softmax\) cannot be deployed"):
        _plain(graph, network)


def pooled() -> nir.NIRGraph:
    """A pooling that lowering folds into the convolution after it, and a matrix."""
    rng = np.random.default_rng(0)
    return nir.NIRGraph(
        nodes={
            "input": nir.Input(input_type={"input": np.array([2, 8, 8])}),
            "pool": nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
            "conv": nir.Conv2d((4, 4), rng.normal(0, 1, (3, 2, 3, 3)), 1, 0, 1, 1, rng.normal(0, 0.1, 3)),
            "if1": nir.IF(r=np.ones((3, 2, 2)), v_threshold=np.ones((3, 2, 2))),
            "flat": nir.Flatten({"input": np.array([3, 2, 2])}, 0, -1),
            "fc": nir.Affine(weight=rng.normal(0, 1, (5, 12)), bias=rng.normal(0, 0.1, 5)),
            "if2": nir.IF(r=np.ones(5), v_threshold=np.ones(5)),
            "output": nir.Output(output_type={"output": np.array([5])}),
        },
        edges=[
            ("input", "pool"), ("pool", "conv"), ("conv", "if1"), ("if1", "flat"), ("flat", "fc"), ("fc", "if2"),
            ("if2", "output"),
        ],
        metadata={"dt": 1e-3},
    )  # fmt: skip


def test_weights_behind_a_pooling_keep_their_shape_and_go_back() -> None:
    module = module_of(pooled(), load_chip("loihi2"))
    assert module.layer("if1").sources()[0].weight.shape == (3, 2, 3, 3)
    assert module.layer("if1").sources()[0].pool == 2
    network = nn.ModuleDict({"conv": nn.Conv2d(2, 3, 3), "fc": nn.Linear(12, 5)})
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.25
    load_into(module, network)
    graph = pooled()
    for name in ("conv", "fc"):
        layer = network[name]
        for field in ("weight", "bias"):
            wanted = np.asarray(getattr(graph.nodes[name], field)) + 0.25
            np.testing.assert_allclose(getattr(layer, field).detach().numpy(), wanted, atol=1e-6)


def test_a_network_without_a_layer_of_that_name_stays_as_it_is() -> None:
    module = module_of(pooled(), load_chip("loihi2"))
    network = nn.ModuleDict({"conv": nn.Conv2d(2, 3, 3), "other": nn.Linear(12, 5)})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(InputError, match="no layer of the network is called 'fc'"):
        load_into(module, network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
