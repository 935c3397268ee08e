"""ImageNet from archives as the challenge gives them, and images that stay in their files while a network trains."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.io import savemat

from spikeport.common.errors import InputError
from spikeport.run import stages
from spikeport.run.run_folder import RunFolder
from spikeport.run.whole_run import run_recipe
from spikeport.trainer.ann import AnnTwin
from spikeport.trainer.data import Dataset, load_dataset
from spikeport.trainer.data.paths_and_cache import DATA
from spikeport.trainer.data.readers import image_files
from spikeport.trainer.data.readers.image_files import ImageFiles
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.registry import get_method
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig

pytest.importorskip("PIL", reason="Pillow, which torchvision brings, is not installed")

WNIDS = ("n01440764", "n01443537", "n01484850")
# the validation images' numbers of class, counted from 1 as in the challenge's list
TRUTH = (3, 1, 2, 1)
DEVKIT = "ILSVRC2012_devkit_t12"


def jpeg(level: int, width: int = 320, height: int = 256, mode: str = "RGB") -> bytes:
    """A grey level in the middle square of 256 x 256, black beside it."""
    from PIL import Image

    pixels = np.zeros((height, width), np.uint8)
    left, top = (width - 256) // 2, (height - 256) // 2
    pixels[top : top + 256, left : left + 256] = level
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "JPEG", quality=95)
    return file.getvalue()


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def tar(members: dict[str, bytes], mode: str = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            add(archive, name, content)
    return file.getvalue()


def devkit() -> bytes:
    fields = [(name, object) for name in ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children")]
    synsets = [(n + 1, wnid, f"fish {n}, swimmer {n}", "a fish", 0) for n, wnid in enumerate(WNIDS)]
    synsets.append((len(WNIDS) + 1, "n01317541", "animal", "above them", len(WNIDS)))
    meta = io.BytesIO()
    savemat(meta, {"synsets": np.array(synsets, fields)})
    truth = "".join(f"{number}\n" for number in TRUTH).encode()
    data = f"{DEVKIT}/data"
    members = {f"{data}/meta.mat": meta.getvalue(), f"{data}/ILSVRC2012_validation_ground_truth.txt": truth}
    return tar(members, "w:gz")


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the three archives: two training images a class, four to validate."""
    imagenet = pytest.importorskip("torchvision.datasets.imagenet", reason="torchvision is not installed")
    monkeypatch.delenv(DATA, raising=False)
    folder = tmp_path / "data" / "imagenet"
    folder.mkdir(parents=True)
    # of all shapes, and one in shades of grey
    forms = [{"mode": "L"}, {"width": 256, "height": 400}]
    train = {
        f"{wnid}.tar": tar({f"{wnid}_{k}.JPEG": jpeg(80 * n, **form) for k, form in enumerate(forms)})  # type: ignore[arg-type]
        for n, wnid in enumerate(WNIDS)
    }
    val = {f"ILSVRC2012_val_{k + 1:08}.JPEG": jpeg(80 * (number - 1)) for k, number in enumerate(TRUTH)}
    for part, content in (("train", tar(train)), ("val", tar(val)), ("devkit", devkit())):
        name, _ = imagenet.ARCHIVE_META[part]
        (folder / name).write_bytes(content)
        monkeypatch.setitem(imagenet.ARCHIVE_META, part, (name, hashlib.md5(content).hexdigest()))
    return folder


def test_archives_are_extracted_and_images_read_when_asked_for(archives: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_dataset("imagenet", 0, archives)
    assert data.classes == 3 and data.input_shape == (3, 224, 224) and data.steps is None
    assert data.y_train.tolist() == [0, 0, 1, 1, 2, 2] and sorted(data.y_test.tolist()) == [0, 0, 1, 2]
    assert isinstance(data.x_train, ImageFiles) and data.x_train.shape == (6, 3, 224, 224)
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        read = x[np.arange(len(y))]
        assert read.dtype == np.float32 and read.shape == x.shape
        np.testing.assert_allclose(read, np.broadcast_to((y * 80 / 255)[:, None, None, None], x.shape), atol=0.02)
    np.testing.assert_array_equal(data.x_train[1:3], data.x_train[np.array([1, 2])])
    np.testing.assert_array_equal(data.x_train[4], data.x_train[:][4])
    # what is extracted is taken as it is
    for archive in archives.glob("*.tar*"):
        archive.unlink()
    monkeypatch.setenv(DATA, str(archives.parent))
    assert load_dataset("imagenet", 0).y_test.tolist() == data.y_test.tolist()


def test_archives_that_are_absent_or_broken_and_folders_half_extracted_are_refused(archives: Path) -> None:
    whole = (archives / "ILSVRC2012_img_val.tar").read_bytes()
    (archives / "ILSVRC2012_img_val.tar").write_bytes(whole[:-100])
    sentence = r"imagenet: data set 'imagenet' cannot be read .*img_val\.tar.*it is not downloaded.*image-net\.org"
    with pytest.raises(InputError, match=sentence):
        load_dataset("imagenet", 0, archives)
    with pytest.raises(InputError, match="nowhere: does not exist"):
        load_dataset("imagenet", 0, archives / "nowhere")
    (archives / "ILSVRC2012_img_val.tar").write_bytes(whole)
    load_dataset("imagenet", 0, archives)
    (archives / "train" / "n01440764.tar").touch()
    with pytest.raises(
        InputError, match=r"train: holds 3 of 3 classes or archives still to extract; remove the folder"
    ):
        load_dataset("imagenet", 0, archives)
    (archives / "train" / "n01440764.tar").unlink()
    for image in (archives / "train" / "n01484850").iterdir():
        image.unlink()
    (archives / "train" / "n01484850").rmdir()
    with pytest.raises(InputError, match="train: holds 2 of 3 classes"):
        load_dataset("imagenet", 0, archives)


@pytest.mark.parametrize("content", [jpeg(80)[:1000], b"no image", b""])
def test_a_broken_image_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.JPEG").write_bytes(jpeg(80))
    (tmp_path / "b.JPEG").write_bytes(content)
    images = ImageFiles((str(tmp_path / "a.JPEG"), str(tmp_path / "b.JPEG")), 8)
    with pytest.raises(InputError, match=r"b\.JPEG: is not a whole image"):
        images[:]


def small(folder: Path, lazily: bool) -> Dataset:
    """Twelve images of 6 x 6 in two classes, in files or in memory."""
    for n in range(12):
        (folder / f"{n}.JPEG").write_bytes(jpeg(60 + 120 * (n % 2) + n))
    images = ImageFiles(tuple(str(folder / f"{n}.JPEG") for n in range(12)), 6)
    x = images if lazily else images[:]
    y = np.arange(12) % 2
    return Dataset(x, y, x, y, (3, 6, 6), 2, "made")


def test_a_network_and_its_twin_learn_from_files_what_they_learn_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most: list[int] = []
    read = ImageFiles.__getitem__
    monkeypatch.setattr(ImageFiles, "__getitem__", lambda self, index: most.append(len(r := read(self, index))) or r)
    network = NetworkConfig(layers=(LayerConfig("conv", 4),))
    training = TrainConfig(epochs=2, batch_size=4, steps=4, held_out=0.25, encoding="staggered")
    found = []
    for lazily in (True, False):
        data = small(tmp_path, lazily)
        most.clear()
        method = get_method("bptt")(network, training).fit(data, progress=False)
        twin = AnnTwin(network, training).fit(data, progress=False)
        assert not lazily or max(most) <= 4
        counts, logits = method.predict_counts(data.x_test), twin.predict_logits(data.x_test)
        np.testing.assert_array_equal(counts.argmax(1), method.predict(data.x_test))
        found.append((counts, logits, method.spiking_network.state_dict()))
    (counts, logits, weights), (counts_there, logits_there, weights_there) = found
    np.testing.assert_array_equal(counts, counts_there)
    np.testing.assert_array_equal(logits, logits_there)
    assert all((weights[name] == weights_there[name]).all() for name in weights)


def test_more_images_at_once_than_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = small(tmp_path, True)
    data.check_test_fits()
    monkeypatch.setattr(image_files, "MOST_AT_ONCE", 11 * 4 * 108)
    assert len(data.x_test[:11]) == 11
    method = get_method("bptt")(NetworkConfig(), TrainConfig(steps=4))
    for whole in (data.check_test_fits, lambda: data.still(data.x_test), lambda: method.encode(data.x_test)):
        with pytest.raises(InputError, match="12 images at once are 0 GiB, but these data are read batch by batch"):
            whole()


def test_a_run_of_more_test_images_than_fit_is_refused_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('name = "mine"\npreset = "sew_resnet18_imagenet"\n')
    data = small(tmp_path, True)
    monkeypatch.setattr(stages, "dataset_of", lambda _: data)
    monkeypatch.setattr(stages, "train_network", lambda *_, **__: pytest.fail("trained"))
    monkeypatch.setattr(image_files, "MOST_AT_ONCE", 1000)
    with pytest.raises(InputError, match=r"12 images at once .*train with `spikeport train`"):
        run_recipe(path, RunFolder(tmp_path / "run"), False, Console(quiet=True))
