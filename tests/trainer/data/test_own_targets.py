"""The user's own arrays with targets that are not one class per sample, from Python and from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport as sp
from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset, FileOptions, load_dataset
from spikeport.trainer.data.targets import Targets

GENERATOR = np.random.default_rng(0)
X = GENERATOR.random((20, 6)).astype(np.float32)
TRAINS = (GENERATOR.random((20, 5, 6)) < 0.3).astype(np.uint8)
TARGETS: dict[Targets, np.ndarray[Any, Any]] = {
    "values": GENERATOR.normal(size=(20, 2)), "labels": GENERATOR.random((20, 3)) < 0.5,
    "series": GENERATOR.normal(size=(20, 5, 2)), "class_per_step": GENERATOR.integers(3, size=(20, 5)),
}  # fmt: skip


@pytest.mark.parametrize("kind", TARGETS)
def test_arrays_keep_their_targets_in_both_layouts(kind: Targets, tmp_path: Path) -> None:
    y, spikes = TARGETS[kind], kind in ("series", "class_per_step")
    x = TRAINS if spikes else X
    data = sp.dataset_from_arrays(x[:15], y[:15], x[15:], y[15:], spikes=spikes, targets=kind)
    np.testing.assert_allclose(data.y_train, y[:15], rtol=1e-6)
    assert (data.targets, data.classes) == (kind, 3 if kind in ("labels", "class_per_step") else 2)
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    options = FileOptions(test=0.25, targets=kind)
    loaded = load_dataset(
        "files", 1, tmp_path / "mine.npz", 5 if spikes else None, encoding="spikes" if spikes else "", files=options
    )
    assert (len(loaded.y_train), len(loaded.y_test)) == (15, 5)
    both = np.concatenate([loaded.y_train, loaded.y_test])
    assert {row.tobytes() for row in both} == {row.tobytes() for row in y.astype(both.dtype)}


def test_one_value_per_sample_needs_no_second_axis() -> None:
    assert sp.dataset_from_arrays(X, X[:, 0], targets="values").y_train.shape == (16, 1)


@pytest.mark.parametrize(
    ("x", "y", "kind", "message"),
    [
        (X, np.where(np.arange(20) == 3, np.nan, 1.0), "values", "is NaN or infinite; repair or remove it"),
        (X, np.array(["a"] * 20), "values", "y: holds <U1, but real values per sample are numbers"),
        (
            X,
            TARGETS["class_per_step"],
            "class_per_step",
            "targets are a class in each step, but its samples have no st",
        ),
        (X, TARGETS["labels"] * 2, "labels", "labels are 0 or 1 each, not 2"),
        (X[:1], np.ones(1), "values", "1 samples cannot be split"),
    ],
)
def test_targets_that_do_not_fit_are_refused(x: Any, y: Any, kind: Targets, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sp.dataset_from_arrays(x, y, targets=kind)


def test_an_unknown_kind_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown targets 'value'; did you mean 'values'"):
        FileOptions(targets="value")  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
def test_labels_of_any_type_become_real_numbers_as_losses_take_them(dtype: type) -> None:
    y = TARGETS["labels"].astype(dtype)
    data = sp.dataset_from_arrays(X[:15], y[:15], X[15:], y[15:], targets="labels")
    assert (data.y_train.dtype, data.y_test.dtype) == (np.float32, np.float32)
    given = Dataset(X, y.tolist(), X, y.tolist(), (6,), 3, "lists", targets="labels")  # type: ignore[arg-type]
    np.testing.assert_array_equal(given.y_test, y)
    with pytest.raises(InputError, match="targets of type object"):
        Dataset(X, y.astype(object), X, y, (6,), 3, "objects", targets="labels")
