"""Bits of each layer: the allocation itself, and a training that chooses them by rounding noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from chip_exact import assert_equal_spikes, compiled
from hypothesis import given
from hypothesis import strategies as st

from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.bptt import Bptt
from spikeport.trainer.network.bit_allocation import allocate
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, read_network, stored_network

COSTS = st.lists(st.lists(st.floats(-1, 10), min_size=6, max_size=6), min_size=1, max_size=4)
NETWORK = NetworkConfig((LayerConfig(size=40), LayerConfig(size=12, recurrent=True)), chip_aware=8, mean_bits=3.5)
TRAINING = TrainConfig(epochs=4, batch_size=16, steps=6, norm_epochs=0.5, seed=3, threads=1)


def made() -> Dataset:
    """Two classes of 12 features."""
    x, y = np.random.default_rng(0).random((64, 12)).astype(np.float32), np.arange(64) % 2
    return Dataset(x, y, x[:10], y[:10], (12,), 2, "made")


@given(COSTS, st.lists(st.integers(1, 1000), min_size=4, max_size=4), st.floats(2, 8))
def test_an_allocation_keeps_the_average(costs: list[list[float]], sizes: list[int], mean: float) -> None:
    names = [f"l{n}" for n in range(len(costs))]
    size = dict(zip(names, sizes, strict=False))
    table = {name: dict(zip(range(2, 8), row, strict=True)) for name, row in zip(names, costs, strict=True)}
    bits = allocate(table, size, dict.fromkeys(names, 8), mean)
    assert all(2 <= b <= 8 for b in bits.values())
    rest = mean * sum(size[n] for n in names) - sum(bits[n] * size[n] for n in names)
    assert rest >= 0
    # none could have one bit more
    assert all(bits[n] == 8 or size[n] > rest for n in names)


def test_a_sensitive_layer_keeps_its_bits_and_a_fixed_one_limits_the_average() -> None:
    table = {"a": dict.fromkeys(range(2, 8), 0.0), "b": {b: 8.0 - b for b in range(2, 8)}}
    assert allocate(table, {"a": 10, "b": 10}, {"a": 8, "b": 8}, 5.0) == {"a": 2, "b": 8}
    with pytest.raises(InputError, match="cannot be reached"):
        allocate({"a": table["a"], "b": {}}, {"a": 10, "b": 10}, {"a": 8, "b": 8}, 4.0)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_training_chooses_bits_that_reach_the_chip_and_a_file(batch_norm: bool, tmp_path: Path) -> None:
    method = Bptt(replace(NETWORK, batch_norm=batch_norm), TRAINING).fit(made(), progress=False)
    network = method.spiking_network
    bits = {name: block.chip.weight_bits for name, block in network.spiking_blocks() if block.chip is not None}
    sizes = {"layer1": 12 * 40, "layer2": 40 * 12 + 12 * 12, "layer3": 12 * 2}
    assert sum(bits[name] * size for name, size in sizes.items()) <= 3.5 * sum(sizes.values())
    assert len(set(bits.values())) > 1
    x = (np.random.default_rng(0).random((12, 8, 12)) < 0.4).astype(np.uint8)
    assert assert_equal_spikes(network.eval(), x, tmp_path) > 0
    assert {c.target: c.weight_bits for c in compiled(network, tmp_path).connections} == bits
    method.save(tmp_path / "network.safetensors")
    again = Bptt.load(tmp_path / "network.safetensors").spiking_network
    assert {n: b.chip.weight_bits for n, b in again.spiking_blocks() if b.chip is not None} == bits
    assert torch.equal(again(torch.from_numpy(x)), network(torch.from_numpy(x)))


def test_bits_that_are_the_same_for_all_layers_reach_the_chip_too(tmp_path: Path) -> None:
    method = Bptt(replace(NETWORK, mean_bits=2.0), TRAINING).fit(made(), progress=False)
    assert {c.weight_bits for c in compiled(method.spiking_network.eval(), tmp_path).connections} == {2}


def test_a_training_that_goes_on_keeps_its_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopping(Bptt):
        name = "bptt"
        left = 10**9

        def loss(self, network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            Stopping.left -= 1
            if Stopping.left < 0:
                raise KeyboardInterrupt
            return super().loss(network, x, y)  # type: ignore[arg-type]

    training = replace(TRAINING, checkpoint_seconds=0)
    whole = Stopping(NETWORK, training).fit(made(), progress=False).spiking_network.state_dict()
    # in the third epoch of four steps each, after bits were chosen and weights moved
    monkeypatch.setattr(Stopping, "left", 10)
    with pytest.raises(KeyboardInterrupt):
        Stopping(NETWORK, training).fit(made(), tmp_path, progress=False)
    monkeypatch.setattr(Stopping, "left", 10**9)
    resumed = Stopping(NETWORK, training).fit(made(), tmp_path, resume=True, progress=False).spiking_network
    assert all(torch.equal(value, whole[name]) for name, value in resumed.state_dict().items())


def test_settings_are_checked_and_stored_only_where_they_are_given() -> None:
    assert read_network(stored_network(NETWORK)) == NETWORK
    assert "mean_bits" not in stored_network(NetworkConfig())
    for changes, words in (
        ({"mean_bits": 1.0}, "mean_bits is 2 to 8"),
        ({"mean_bits": 5.0, "chip_aware": 4}, "mean_bits is 2 to 4"),
        ({"mean_bits": 4.0, "chip_aware": None}, "no effect in floating point"),
        ({"mean_bits": 4.0, "layers": (LayerConfig(weight_bits=4),)}, "leave out weight_bits"),
    ):
        with pytest.raises(InputError, match=words):
            NetworkConfig(**changes)  # type: ignore[arg-type]
    for training in (replace(TRAINING, norm_epochs=1.0), replace(TRAINING, epochs=2, norm_epochs=0.6)):
        with pytest.raises(InputError, match="or lower norm_epochs"):
            Bptt(NETWORK, training)
