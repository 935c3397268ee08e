"""Folders of images by class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from own_data import write_images
from PIL import Image

from spikeport.common.errors import InputError
from spikeport.run.recipe import load_recipe
from spikeport.trainer.data import Dataset, FileOptions, load_dataset
from spikeport.trainer.data.paths_and_cache import CACHE


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path_factory.mktemp("cache")))


def load(folder: Path, **options: object) -> Dataset:
    return load_dataset("files", 0, folder, 4, encoding="integrate", files=FileOptions(**options))  # type: ignore[arg-type]


def test_images_are_split_by_class_and_named_by_their_folders(tmp_path: Path) -> None:
    data = load(write_images(tmp_path / "pictures"), test=0.4)
    assert (data.input_shape, data.class_names, data.name) == ((1, 8, 6), ("dark", "light"), "pictures")
    assert (np.bincount(data.y_train).tolist(), np.bincount(data.y_test).tolist()) == ([3, 3], [2, 2])
    means = data.x_train[:].mean(axis=(1, 2, 3))
    assert (means[data.y_train == 0] < 0.5).all() and (means[data.y_train == 1] > 0.5).all()
    assert data.x_train[:].dtype == np.float32 and data.x_train[np.array([4, 0])].shape == (2, 1, 8, 6)
    again = load(tmp_path / "pictures", test=0.4)
    np.testing.assert_array_equal(data.x_test[:], again.x_test[:])


def test_pixels_and_labels_are_those_of_torchvision(tmp_path: Path) -> None:
    ImageFolder = pytest.importorskip("torchvision.datasets").ImageFolder
    for part in ("train", "test"):
        write_images(tmp_path / part, mode="RGB", each=3)
    data = load(tmp_path)
    reference = ImageFolder(str(tmp_path / "train"))
    assert list(data.class_names) == reference.classes
    pixels = np.stack([np.asarray(image).transpose(2, 0, 1) for image, _ in reference])
    np.testing.assert_array_equal(data.x_train[:], pixels.astype(np.float32) / np.float32(255))
    assert data.y_train.tolist() == [label for _, label in reference]


def test_sizes_and_colours_are_as_asked(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a", mode="RGB")
    assert load(folder, size=(4, 5)).input_shape == (3, 4, 5)
    assert load(folder, colour=False).input_shape == (1, 8, 6)
    Image.fromarray(np.full((8, 6), 40000, np.uint16)).save(folder / "dark" / "deep.png")
    deep = load(folder, test_pattern="^[01]", colour=False)
    # the last image of the first class; 16 bits are scaled, not cut
    np.testing.assert_allclose(deep.x_train[int((deep.y_train == 0).sum()) - 1], 40000 / 65535, atol=1 / 255)


def test_limits_take_the_first_of_each_class(tmp_path: Path) -> None:
    for part in ("train", "test"):
        write_images(tmp_path / "top" / part)
    data = load(tmp_path, limit=4, test_limit=3)
    assert data.y_train.tolist() == [0, 0, 1, 1] and data.y_test.tolist() == [0, 0, 1]
    np.testing.assert_array_equal(data.x_train[:], load(tmp_path).x_train[np.array([0, 1, 5, 6])])


def test_bad_folders_are_refused_before_training(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "pictures")
    with pytest.raises(InputError, match=r"key 'files\.sensor' is for event recordings, but these data are images"):
        load(folder, sensor=(3, 3))
    Image.new("L", (7, 7)).save(folder / "light" / "odd.png")
    with pytest.raises(InputError, match=r"odd\.png: is an image of 7 x 7 pixels, but .* has 8 x 6; set size = "):
        load(folder)
    whole = (folder / "light" / "0.png").read_bytes()
    (folder / "light" / "odd.png").write_bytes(whole[:60])
    with pytest.raises(InputError, match=r"odd\.png: is not a whole image"):
        load(folder)
    (folder / "light" / "odd.png").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match=r"odd\.png: is a Git LFS pointer.*git lfs pull"):
        load(folder)
    (folder / "light" / "odd.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"odd\.png: is empty among images"):
        load(folder)
    (folder / "light" / "odd.png").unlink()
    (folder / "grey").mkdir()
    with pytest.raises(InputError, match="grey: this class has no files"):
        load(folder)
    (folder / "grey" / "notes.txt").write_text("none yet")
    with pytest.raises(InputError, match="grey: this class has no files"):
        load(folder)
    Image.new("L", (6, 8)).save(folder / "grey" / "only.png")
    with pytest.raises(InputError, match="class 'grey' has one sample"):
        load(folder)


def test_a_class_of_the_test_part_only_is_refused(tmp_path: Path) -> None:
    for part in ("train", "test"):
        write_images(tmp_path / part)
    (tmp_path / "train" / "light").rename(tmp_path / "train" / "lite")
    with pytest.raises(InputError, match="class 'light' is in the test part only"):
        load(tmp_path)


def test_other_paths_name_what_they_are(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "data.npz")
    with pytest.raises(InputError, match=r"data\.npz: is a PyTorch file; data are arrays"):
        load(tmp_path / "data.npz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: has no files"):
        load(tmp_path / "empty")
    with pytest.raises(InputError, match='needs data = "PATH"'):
        load_dataset("files", 0)
    with pytest.raises(InputError, match="nowhere: does not exist"):
        load(tmp_path / "nowhere")
    image = next(write_images(tmp_path / "pictures").rglob("*.png"))
    with pytest.raises(InputError, match="is an image, one sample; give a folder of them by class"):
        load(image)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test": 0.0}, "test is a share"),
        ({"limit": -1}, "limit must be at least 0"),
        ({"window": 0.0}, "window must be above 0"),
        ({"low": 300.0, "high": 200.0}, "high must be above low"),
        ({"size": (3,)}, r"size must be \[height, width\]"),
        ({"sensor": (0, 3)}, "sensor must be"),
        ({"label_pattern": "("}, "is not a regular expression"),
        ({"label_pattern": "x"}, "has no group"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FileOptions(**options)  # type: ignore[arg-type]


def test_a_recipe_checks_its_table_of_files(tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    text = 'name = "r"\ndataset = "files"\n[files]\nsize = [4, 4]\n[network]\nlayers = []\n'
    recipe.write_text(text)
    assert load_recipe(recipe).files == FileOptions(size=(4, 4))
    for changed, message in (
        (text.replace("size", "sise"), r"key 'files\.sise' is unknown; did you mean 'size'"),
        (text.replace('"files"', '"digits"'), "key 'files': data set 'digits' does not use it"),
        (text.replace("[4, 4]", "4"), r"key 'files\.size'"),
        (text.replace("size = [4, 4]", 'polarity = "off"'), r"key 'files\.polarity'"),
        (text.replace("size = [4, 4]", "test = 2.0"), "test is a share"),
    ):
        recipe.write_text(changed)
        with pytest.raises(InputError, match=message):
            load_recipe(recipe)
