"""Data sets from Python: arrays, PyTorch's Dataset and DataLoader, and names for recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import spikeport as sp
from spikeport.common.errors import InputError
from spikeport.run.recipe import load_recipe
from spikeport.run.stages import dataset_of
from spikeport.trainer.data import Request, load_dataset

X = np.random.default_rng(0).random((12, 6))
Y = np.arange(12) % 3


def test_arrays_become_a_data_set() -> None:
    data = sp.dataset_from_arrays(X, Y, class_names=("a", "b", "c"), test=0.25)
    assert (data.input_shape, data.class_names, len(data.x_train), len(data.x_test)) == ((6,), ("a", "b", "c"), 9, 3)
    data = sp.dataset_from_arrays((X * 255).astype(np.uint8), Y, X[:3].astype(np.uint8), Y[:3], name="mine")
    np.testing.assert_allclose(data.x_train[:], X, atol=1 / 255)
    trains = sp.dataset_from_arrays(X.reshape(12, 3, 2) > 0.5, Y, spikes=True)
    assert trains.steps == 3 and trains.input_shape == (2,)
    with pytest.raises(InputError, match="mine: x_test and y_test belong together"):
        sp.dataset_from_arrays(X, Y, X, name="mine")
    with pytest.raises(InputError, match="mine: x holds NaN or infinity in sample 0"):
        sp.dataset_from_arrays(np.full_like(X, np.nan), Y, name="mine")


@pytest.mark.parametrize("loader", [False, True])
def test_torch_data_become_a_data_set(loader: bool) -> None:
    train: Any = TensorDataset(torch.from_numpy(X).float(), torch.from_numpy(Y))
    train.classes = ["a", "b", "c"]
    test: Any = TensorDataset(torch.from_numpy(X[:3]).float(), torch.from_numpy(Y[:3]))
    parts = [DataLoader(part, batch_size=5) if loader else part for part in (train, test)]
    data = sp.dataset_from_torch(*parts, name="mine")
    np.testing.assert_allclose(data.x_train[:], X, atol=1e-7)
    assert data.y_train.tolist() == Y.tolist() and data.class_names == ("a", "b", "c") and len(data.x_test) == 3


def test_ragged_and_unlabelled_torch_data_are_refused() -> None:
    pairs: Any = [(np.zeros(3), 0), (np.zeros(4), 1)]
    with pytest.raises(InputError, match=r"torch: training part: sample 1 has shape \(4,\), the first \(3,\)"):
        sp.dataset_from_torch(pairs, pairs)
    singles: Any = [np.zeros(3)]
    with pytest.raises(InputError, match=r"gives ndarray; samples are pairs \(sample, label\)"):
        sp.dataset_from_torch(singles, singles)


def test_a_recipe_names_a_registered_data_set(tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text('name = "r"\ndataset = "my_arrays"\n[network]\nlayers = [{ kind = "dense", size = 4 }]\n')
    with pytest.raises(InputError, match="unknown data set 'my_arrays'"):
        load_recipe(recipe)
    data = sp.dataset_from_arrays(X, Y)
    sp.register_dataset("my_arrays", data)
    assert dataset_of(load_recipe(recipe)) is data
    asked: list[Request] = []
    sp.register_dataset("my_arrays", lambda request: asked.append(request) or data)  # type: ignore[func-returns-value]
    load_dataset("my_arrays", 3, "here", 5)
    assert asked[0].path == Path("here") and (asked[0].seed, asked[0].steps) == (3, 5)
    with pytest.raises(InputError, match="there is a data set 'digits' already"):
        sp.register_dataset("digits", data)
    with pytest.raises(InputError, match="must be a Dataset or a function"):
        sp.register_dataset("mine", 3)  # type: ignore[arg-type]
