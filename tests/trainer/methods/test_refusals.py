"""Files of trained networks whose values do not fit together."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small_training import fit, made

from spikeport.common.errors import InputError
from spikeport.exporter.from_torch import network_to_nir
from spikeport.trainer.data import Dataset
from spikeport.trainer.methods.registry import load_trained
from spikeport.trainer.tensor_files.tensor_files import read_tensors, write_tensors


@pytest.fixture(scope="module")
def data() -> Dataset:
    return made()


@pytest.mark.parametrize("change", [
    {"network": {"layers": [{"kind": "dense", "size": 12, "repeat": 10**9}]}}, {"classes": 10**9}, {"classes": 2**62},
    {"network": {"layers": [{"kind": "dense", "size": 10**7}]}}, {"input_shape": [10**9]}, {"input_shape": [-1]},
    {"network": {"layers": [{"kind": "dense", "size": 12, "recurrent": True}] * 3}}, {"dt": math.nan}, {"dt": "1"},
    {"network": {"layers": [{"kind": "conv", "size": 8, "kernel": 2**40}]}}, {"state": []}, {"state": {"x": 1}},
    {"input_shape": None}, {"network": []}, {"training": {"epochs": 0}},
])  # fmt: skip
def test_a_file_that_describes_more_than_it_holds(data: Dataset, tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "network.safetensors"
    fit(data).save(path)
    write_tensors(path, "network", {**read_tensors(path, "network"), **change})
    with pytest.raises(InputError, match="not a usable network file"):
        load_trained(path)


@pytest.mark.parametrize("change", [
    {"losses": "abcd"}, {"losses": [1]}, {"steps": -1}, {"steps": 10**9}, {"total": None}, {"samples": 5},
    {"best": "x"}, {"best_state": {"x": torch.ones(2)}}, {"model": {}}, {"held_out": []},
    {"optimizer": {"state": {9: {}}}},
    {"optimizer": {"state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.ones(1), "exp_avg_sq": torch.ones(1)}}}},
    {"optimizer": None}, *(
        {"optimizer": {"state": {1: {"step": step, "exp_avg": first, "exp_avg_sq": torch.zeros(12)}}}}
        for step, first in ((torch.tensor(-1.0), torch.zeros(12)), (torch.tensor(math.nan), torch.zeros(12)),
                            (torch.tensor(1.0), torch.zeros(12, dtype=torch.bool)))
    ),
])  # fmt: skip
def test_a_checkpoint_that_does_not_fit_together(data: Dataset, tmp_path: Path, change: dict[str, Any]) -> None:
    fit(data, folder=tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    write_tensors(path, "checkpoint", {**read_tensors(path, "checkpoint"), **change})
    with pytest.raises(InputError, match="not a usable checkpoint"):
        fit(data, folder=tmp_path, resume=True)


@pytest.mark.parametrize("kind", ["network", "checkpoint"])
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_weights_that_are_not_finite(data: Dataset, tmp_path: Path, kind: str, number: float) -> None:
    fit(data, folder=tmp_path).save(tmp_path / "network.safetensors")
    path = tmp_path / f"{kind}.safetensors"
    content = read_tensors(path, kind)
    content["state" if kind == "network" else "model"]["layers.layer2.neuron.vth"].fill_(number)
    write_tensors(path, kind, content)
    with pytest.raises(InputError, match="vth holds numbers that are not finite"):
        load_trained(path) if kind == "network" else fit(data, folder=tmp_path, resume=True)


def test_finite_numbers_that_no_layer_can_have(data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    fit(data).save(path)
    content = read_tensors(path, "network")
    content["state"]["layers.layer2.neuron.vth"].fill_(-1.0)
    write_tensors(path, "network", content)
    with pytest.raises(InputError, match="the trained network holds numbers that do not fit together"):
        network_to_nir(load_trained(path).spiking_network)
