"""CIFAR10-DVS: event files as the camera's software writes them, folders and archives of classes."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from spikeport.common.errors import InputError
from spikeport.trainer.data import load_dataset
from spikeport.trainer.data.paths_and_cache import CACHE, DATA
from spikeport.trainer.data.readers.aedat import read_aedat2
from spikeport.trainer.data.sets.cifar10_dvs import ARCHIVES
from spikeport.trainer.data.sets.events import to_spikes

HEADER = b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n# created Wed Jan 20 10:11:12 CST 2016\r\n"
EACH = 10


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA, raising=False)
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))


def recording(events: list[tuple[int, int, int, int]], header: bytes = HEADER) -> bytes:
    """Events (microseconds, X, Y, P) as a DVS128's addresses."""
    words = [((y << 8 | x << 1 | p), t) for t, x, y, p in events]
    return header + np.array(words, ">u4").tobytes()


def write_classes(folder: Path, each: int = EACH) -> None:
    for label, kind in enumerate(ARCHIVES):
        (folder / kind).mkdir(parents=True)
        for n in range(each):
            events = [(1000 + 10 * k, label, n, k % 2) for k in range(32)]
            (folder / kind / f"cifar10_{kind}_{n}.aedat").write_bytes(recording(events))


def test_addresses_become_events(tmp_path: Path) -> None:
    path = tmp_path / "a.aedat"
    drawn = np.random.default_rng(0).integers(0, 128, (50, 2))
    events = [(2**31 + n, int(x), int(y), n % 2) for n, (x, y) in enumerate(drawn)]
    for header in (HEADER, b""):
        path.write_bytes(recording(events, header))
        found = read_aedat2(path)
        # upright: x from the file's Y, y from its X, both turned
        wanted = [(t, 127 - y, 127 - x, 1 - p) for t, x, y, p in events]
        assert [tuple(event) for event in found.tolist()] == wanted
    # an event that marks synchronisation is no pixel
    path.write_bytes(recording(events) + np.array([0x8000, 5, 0x80000000, 6], ">u4").tobytes())
    assert len(read_aedat2(path)) == 50


def test_classes_are_split_by_name_and_cut_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_classes(tmp_path / "CIFAR10DVS")
    data = load_dataset("cifar10_dvs", 0, tmp_path)
    assert data.x_train.shape == (90, 16, 2, 128, 128) and data.steps == 16 and data.classes == 10
    assert data.y_train.tolist() == [label for label in range(10) for _ in range(9)]
    assert data.y_test.tolist() == list(range(10))
    # the last by name: 9
    assert {tuple(place) for place in np.argwhere(data.x_test[3])} == {
        (step, polarity, 127 - 3, 127 - 9) for step in range(16) for polarity in (0, 1)
    }
    file = tmp_path / "CIFAR10DVS" / "cat" / "cifar10_cat_0.aedat"
    np.testing.assert_array_equal(data.x_train[27], to_spikes(read_aedat2(file), 16, None, (2, 128, 128)))
    assert isinstance(data.x_train, np.memmap)
    # a folder of classes is taken as it is, other steps are cut anew
    monkeypatch.setenv(DATA, str(tmp_path))
    assert load_dataset("cifar10_dvs", 0, tmp_path / "CIFAR10DVS", steps=4).x_test.shape == (10, 4, 2, 128, 128)
    np.testing.assert_array_equal(load_dataset("cifar10_dvs", 0).x_test, data.x_test)


def test_archives_fetched_by_hand_are_extracted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    utilities = pytest.importorskip("torchvision.datasets.utils", reason="torchvision is not installed")
    monkeypatch.setattr(utilities, "_urlretrieve", lambda *_, **__: pytest.fail("downloaded"))
    monkeypatch.setattr(utilities, "_get_redirect_url", lambda *_, **__: pytest.fail("downloaded"))
    write_classes(tmp_path / "classes")
    root = tmp_path / "data" / "CIFAR10DVS"
    root.mkdir(parents=True)
    for kind, (number, _) in ARCHIVES.items():
        with zipfile.ZipFile(root / f"{kind}.zip", "w") as archive:
            for file in (tmp_path / "classes" / kind).iterdir():
                archive.write(file, f"{kind}/{file.name}")
        digest = hashlib.md5((root / f"{kind}.zip").read_bytes()).hexdigest()
        monkeypatch.setitem(ARCHIVES, kind, (number, digest))
    assert len(load_dataset("cifar10_dvs", 0, tmp_path / "data").y_train) == 90


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (recording([(0, 1, 1, 1)])[:-3], "ends within an event or has none"),
        (HEADER, "ends within an event or has none"),
        (b"", "ends within an event or has none"),
        (HEADER.replace(b"2.0", b"3.1"), "is AEDAT 3; needed is AEDAT 2.0"),
        (b"#!AER-DAT4.0\r\n" + bytes(8), "is AEDAT 4; needed is AEDAT 2.0"),
        (b"no events in here at all", "holds addresses beyond the 128 x 128 pixels"),
    ],
)
def test_broken_recordings_are_named(content: bytes, sentence: str, tmp_path: Path) -> None:
    write_classes(tmp_path)
    (tmp_path / "dog" / "cifar10_dog_4.aedat").write_bytes(content)
    with pytest.raises(InputError, match=rf"cifar10_dog_4\.aedat: {sentence}"):
        load_dataset("cifar10_dvs", 0, tmp_path)


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="'cifar10_dvs' is downloaded; set the folder"):
        load_dataset("cifar10_dvs", 0)
    write_classes(tmp_path / "few", each=3)
    with pytest.raises(InputError, match=r"airplane: holds 3 recordings, .*needed are equally many, at least 10"):
        load_dataset("cifar10_dvs", 0, tmp_path / "few")
    write_classes(tmp_path / "many")
    (tmp_path / "many" / "frog" / "cifar10_frog_7.aedat").unlink()
    with pytest.raises(InputError, match=r"frog: holds 9 recordings, .*airplane 10; .*remove the folder"):
        load_dataset("cifar10_dvs", 0, tmp_path / "many")
    utilities = pytest.importorskip("torchvision.datasets.utils", reason="torchvision is not installed")

    def refused(*_: object, **__: object) -> None:
        raise OSError("no network here")

    monkeypatch.setattr(utilities, "_get_redirect_url", refused)
    with pytest.raises(InputError, match=r"'cifar10_dvs' cannot be downloaded or read .no network here"):
        load_dataset("cifar10_dvs", 0, tmp_path / "empty")
