"""TI46: NIST SPHERE files named and laid out as on the disc."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from spikeport.common.errors import InputError
from spikeport.trainer.data import load_dataset
from spikeport.trainer.data.paths_and_cache import CACHE, DATA
from spikeport.trainer.data.readers.cochlea import Cochlea
from spikeport.trainer.data.readers.recordings import read_recording

RATE = 12500


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA, raising=False)
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))


def tone(hertz: float, seconds: float = 0.2) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)).astype(np.int16)


def sphere(sound: np.ndarray, order: str = "01", rate: int = RATE) -> bytes:
    """A NIST SPHERE file of one channel: 1024 bytes of text, then 16-bit samples in that order of bytes."""
    fields = (
        f"sample_rate -i {rate}",
        "channel_count -i 1",
        f"sample_count -i {len(sound)}",
        "sample_n_bytes -i 2",
        f"sample_byte_format -s2 {order}",
        "sample_sig_bits -i 16",
    )
    header = "\n".join(("NIST_1A", "   1024", *fields, "end_head", ""))
    samples = sound.astype("<i2" if order == "01" else ">i2").tobytes()
    return header.encode().ljust(1024, b"\0") + samples


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    """Two letters and a digit by two speakers, names in capitals where the drive shows them so."""
    pytest.importorskip("soundfile", reason="soundfile is not installed")
    folder = tmp_path / "data" / "ti46"
    for part, code in (("ti_alpha", "0a"), ("ti_alpha", "0c"), ("ti20", "07")):
        for speaker in ("f1", "m8"):
            for split, session in (("train", "se"), ("test", "s1"), ("test", "s8")):
                place = folder / part / split / speaker
                place.mkdir(parents=True, exist_ok=True)
                name = f"{code}{speaker}{session}t0.wav"
                hertz = {"0a": 400, "0c": 2000, "07": 1000}[code] + (0 if speaker == "f1" else 50)
                content = sphere(tone(hertz), "01" if session == "se" else "10")
                (place / (name.upper() if speaker == "m8" else name)).write_bytes(content)
    (folder / "readme.txt").write_text("TI46")
    return folder


def test_the_enrolment_session_is_trained_on_and_the_others_are_tested(
    disc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_dataset("ti46_alpha", 0, disc)
    assert data.x_train.shape == (4, 100, 78) and data.x_test.shape == (8, 100, 78) and data.steps == 100
    assert data.classes == 26 and sorted(data.y_train.tolist()) == [0, 0, 2, 2]
    assert np.bincount(data.y_test).tolist() == [4, 0, 4]
    ear = Cochlea(RATE, 78, high=5800.0, steps=100, step_seconds=0.01)
    wanted = {hertz: ear.spikes(tone(hertz)) for hertz in (400, 450, 2000, 2050)}
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        for train, label in zip(x, y, strict=True):
            heard = [hertz for hertz, spikes in wanted.items() if (spikes == train).all()]
            assert len(heard) == 1 and (heard[0] < 1000) == (label == 0)
    monkeypatch.setenv(DATA, str(disc.parent))
    digits = load_dataset("ti46_digits", 0, steps=50)
    assert digits.x_test.shape == (4, 50, 78) and digits.classes == 10 and set(digits.y_train) == {7}


def test_files_converted_to_riff_are_heard_alike(disc: Path) -> None:
    sphere_there = load_dataset("ti46_alpha", 0, disc)
    for file in (path for path in disc.rglob("*") if path.suffix.lower() == ".wav"):
        wavfile.write(file, RATE, read_recording(file, RATE).astype(np.int16))
    np.testing.assert_array_equal(load_dataset("ti46_alpha", 0, disc).x_test, sphere_there.x_test)


def test_broken_recordings_are_named(disc: Path) -> None:
    file = disc / "ti_alpha" / "test" / "f1" / "0af1s1t0.wav"
    whole = sphere(tone(400))
    packed = whole.replace(b"end_head\n", b"sample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n")
    for content in (
        b"",
        whole[:500],
        whole[:-2],
        whole[:1024],
        packed,
        b"no sound",
        whole.replace(b"sample_c", b"sample_k"),
    ):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"0af1s1t0\.wav: is not a whole wav file"):
            load_dataset("ti46_alpha", 0, disc)
    file.write_bytes(sphere(tone(400), rate=16000))
    with pytest.raises(InputError, match="has 16000 Hz and 1 channels; needed are 12500 Hz and 1"):
        load_dataset("ti46_alpha", 0, disc)


def test_what_is_absent_is_said(disc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"'ti46_alpha' does not come with the project.*SPIKEPORT_DATA"):
        load_dataset("ti46_alpha", 0)
    with pytest.raises(InputError, match="nowhere: does not exist"):
        load_dataset("ti46_digits", 0, tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds 2 training and 0 test recordings of 'ti46_digits'.*LDC93S9"):
        load_dataset("ti46_digits", 0, disc / "ti20" / "train")
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(InputError, match=r"is read by soundfile, which is not installed.*spikeport\[data\]"):
        load_dataset("ti46_alpha", 0, disc)
