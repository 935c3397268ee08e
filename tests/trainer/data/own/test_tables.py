"""Tables (.csv): rows and windows of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset, FileOptions, load_dataset

HEAD = "width,height,kind\n"
ROWS = "".join(f"{n},{10 - n},{'cat' if n % 2 else 'dog'}\n" for n in range(10))


def load(path: Path, encoding: str = "integrate", steps: int = 4, **options: Any) -> Dataset:
    return load_dataset("files", 0, path, steps, encoding=encoding, files=FileOptions(**options))


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_rows_are_features_scaled_by_the_training_part(tmp_path: Path) -> None:
    data = load(write(tmp_path / "pets.csv", HEAD + ROWS))
    assert (data.name, data.input_shape, data.class_names, data.steps) == ("pets", (2,), ("cat", "dog"), None)
    assert np.bincount(data.y_train).tolist() == [4, 4] and np.bincount(data.y_test).tolist() == [1, 1]
    assert data.x_train.min() == 0 and data.x_train.max() == 1
    test_widths = data.x_test[:, 0] * 9
    assert ((test_widths.round() % 2 == 1) == (data.y_test == 0)).all()


def test_columns_and_separators_are_as_the_file_has_them(tmp_path: Path) -> None:
    text = (HEAD + ROWS).replace(",", ";")
    data = load(write(tmp_path / "a.csv", text), label="kind", columns=("height",))
    assert data.input_shape == (1,) and len(data.x_train) == 8
    assert load(write(tmp_path / "a.txt", "\ufeff" + text)).input_shape == (2,)


def test_two_files_are_the_two_parts(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", HEAD + ROWS)
    write(tmp_path / "test.csv", HEAD + "20,5,dog\n")
    data = load(tmp_path)
    assert len(data.x_train) == 10 and data.y_test.tolist() == [1]
    # beyond the training part's range
    np.testing.assert_allclose(data.x_test, [[1, 4 / 9]])
    write(tmp_path / "test.csv", HEAD + "20,5,bird\n")
    with pytest.raises(InputError, match="class 'bird' is in the test part only"):
        load(tmp_path)


def series(rows: int = 24) -> str:
    lines = [f"{n % 4},{1 if n < rows // 2 else 0},{'up' if n < rows // 2 else 'down'},{n // 6}" for n in range(rows)]
    return "a,b,label,person\n" + "\n".join(lines)


def test_windows_of_rows_are_spike_trains(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", series())
    data = load(path, "spikes", 8, label="label", columns=("a", "b"), rows=4)
    assert (data.input_shape, data.steps, len(data.x_train), len(data.x_test)) == ((2,), 8, 4, 2)
    up = data.x_train[data.y_train == data.class_names.index("up")]
    assert up[:, :, 1].all() and not data.x_train[data.y_train == 0][:, :, 1].any()
    # each value drives an integrate-and-fire neuron for two steps: 0, 1/3, 2/3 and 1
    assert up[0, :, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    changes = load(path, "spikes", 4, label="label", columns=("a", "b"), rows=4, series="delta")
    assert changes.input_shape == (4,) and changes.x_train[0, :, 0].tolist() == [0, 1, 1, 1]
    assert not changes.x_train[:, :, 1:].any()


def test_groups_stay_in_one_part(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", series())
    data = load(path, "spikes", 3, label="label", rows=3, stride=1, group="person", test=0.5)
    assert data.input_shape == (2,) and len(data.x_train) == len(data.x_test) == 8
    with pytest.raises(InputError, match="windows overlap"):
        load(path, "spikes", 3, label="label", columns=("a", "b"), rows=3, stride=1)
    with pytest.raises(InputError, match='windows of rows become spike trains; use encoding = "spikes"'):
        load(path, "integrate", 3, label="label", rows=3)
    with pytest.raises(InputError, match="set steps = 4 in"):
        load(path, "spikes", 6, label="label", columns=("a", "b"), rows=4)
    with pytest.raises(InputError, match=r"no 20 consecutive rows have one label; set files\.rows lower, at most 12"):
        load(path, "spikes", 20, label="label", columns=("a", "b"), rows=20)


@pytest.mark.parametrize(
    ("text", "message", "options"),
    [
        (HEAD + ROWS + "1,x,cat\n", r"line 12, column 'height' holds 'x', which is not a number", {}),
        (HEAD + "1,nan,cat\n" + ROWS, r"line 2, column 'height' holds nan; fill it in", {}),
        (HEAD + "1,,cat\n" + ROWS, r"line 2, column 'height' holds ''", {}),
        (HEAD + "1,2\n" + ROWS, r"line 2 has 2 cells, but the first has 3", {}),
        (HEAD + "1,2,\n" + ROWS, r"line 2 has no label in column 'kind'", {}),
        (HEAD + ROWS, r"has no column 'knd'; did you mean 'kind'", {"label": "knd"}),
        (HEAD + ROWS, r"column 'kind' is the label and a feature", {"columns": ("kind", "width")}),
        (ROWS.replace("cat", "1").replace("dog", "0"), r"starts with numbers; add a first line", {}),
        (HEAD, "has 1 lines", {}),
        (HEAD + "1,2,cat\n3,4,cat\n", "all labels are cat; give two classes or more", {}),
        (HEAD + ROWS, r"key 'files\.sensor' is for event recordings, but these data are tables", {"sensor": (3,)}),
    ],
)
def test_bad_tables_are_refused_before_training(text: str, message: str, options: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        load(write(tmp_path / "t.csv", text), **options)
