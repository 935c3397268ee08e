"""Max pooling of spikes is the maximum, stays it while the rest is trained, and of currents is refused."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import nir
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import max_pool2d

from spikeport.common.errors import InputError
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.trainable.frameworks import _copy, _with_max_pools
from spikeport.exporter.trainable.load_into import load_into
from spikeport.exporter.trainable.module import module_of
from spikeport.exporter.trainable.spiking_max_pool import averaged_max_pools
from spikeport.hardware_profiles.loader import load_chip


def exported(pool: nn.Module, *, of_spikes: bool = True) -> tuple[nir.NIRGraph, nn.Sequential]:
    """A network, and what an exporter makes of it that knows average pooling."""
    rng, size = np.random.default_rng(0), 6
    network = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.Identity(), pool)
    pools = averaged_max_pools(network)
    neurons = nir.IF(r=np.ones((4, size, size)), v_threshold=np.ones((4, size, size)))
    average = nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    inner: dict[str, Any] = {"1": neurons, "2": average} if of_spikes else {"2": average, "1": neurons}
    nodes = {
        "input": nir.Input({"input": np.array([1, 8, 8])}),
        "0": nir.Conv2d((8, 8), rng.normal(0, 1, (4, 1, 3, 3)), 1, 0, 1, 1, np.zeros(4)),
        **inner,
        "output": nir.Output({"output": np.array([4, 3, 3])}),
    }
    graph = nir.NIRGraph(nodes, [*pairwise(nodes)], metadata={"dt": 1e-3}, type_check=False)
    return _with_max_pools(graph, pools, network), network


@pytest.mark.parametrize("reset", ["zero", "subtract", "subtract_after_decay"])
@pytest.mark.parametrize("sizes", [(2, 2, 0), (3, 2, 1), (3, 1, 0)])
def test_it_is_the_maximum_before_and_after_training(reset: str, sizes: tuple[int, int, int]) -> None:
    graph, network = exported(nn.MaxPool2d(*sizes))
    graph.nodes["output"] = nir.Output({"output": np.array([4, *[(6 + 2 * sizes[2] - sizes[0]) // sizes[1] + 1] * 2])})
    options = CompileOptions(reset=reset)  # type: ignore[arg-type]
    module = module_of(graph, load_chip("loihi2"), options)
    x = torch.from_numpy(np.random.default_rng(1).binomial(1, 0.4, (10, 3, 1, 8, 8)))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(2):
        sent = module.run(x)
        wanted = max_pool2d(sent["1"].flatten(0, 1), *sizes).view(sent["2"].shape)
        assert 0.05 < float(wanted.mean()) < 0.95
        assert torch.equal(sent["2"], wanted)
        again = module_of(module.to_nir(), load_chip("loihi2"), options)
        assert torch.equal(again(x), wanted)
        optimizer.zero_grad()
        sent["2"].mean().backward()
        optimizer.step()
    before = network[0].weight.clone()
    load_into(module, network)
    assert not torch.equal(network[0].weight, before)


def test_of_currents_or_with_a_dilation_it_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"'2' \(MaxPool2d\) takes the maximum of currents, which a chip cannot"):
        exported(nn.MaxPool2d(2), of_spikes=False)
    with pytest.raises(InputError, match=r"'2' \(MaxPool2d\) has a dilation"):
        exported(nn.MaxPool2d(2, dilation=2))


def test_a_network_that_has_just_run_is_copied() -> None:
    network = nn.Sequential(nn.Linear(3, 2))
    network[0].mem = network(torch.ones(1, 3))
    copied = _copy(network)
    assert torch.equal(copied[0].mem, network[0].mem) and not copied[0].mem.requires_grad
    assert copied[0].weight is not network[0].weight
