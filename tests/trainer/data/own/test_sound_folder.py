"""Folders of sound recordings by class, through the cochlea and as mel frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_data import tone, write_sounds
from scipy.io import wavfile

from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset, FileOptions, load_dataset
from spikeport.trainer.data.paths_and_cache import CACHE
from spikeport.trainer.data.readers.cochlea import Cochlea
from spikeport.trainer.data.readers.mel import MelFrames
from spikeport.trainer.data.readers.recordings import read_sound


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path_factory.mktemp("cache")))


def load(folder: Path, steps: int = 10, **options: Any) -> Dataset:
    return load_dataset("files", 0, folder, steps, encoding="spikes", files=FileOptions(**options))


def test_recordings_go_through_the_cochlea(tmp_path: Path) -> None:
    folder = write_sounds(tmp_path / "tones")
    data = load(folder, channels=16)
    assert (data.input_shape, data.steps, data.class_names) == ((16,), 10, ("high", "low"))
    expected = Cochlea(8000, 16, steps=10).spikes(tone(2000))
    assert any(np.array_equal(sample, expected) for sample in (*data.x_train, *data.x_test))
    low, high = (data.x_train[data.y_train == y].mean(axis=(0, 1)).argmax() for y in (1, 0))
    assert low < high


def test_mel_frames_find_a_tone_and_are_silent_after_it() -> None:
    mel = MelFrames(8000, 20, 100.0, 3700.0, 0.01, 20)
    spikes = mel.spikes(tone(1000))
    peaks = mel.filters(257).argmax(axis=1) * 4000 / 256
    assert abs(peaks[spikes.sum(axis=0).argmax()] - 1000) < 150
    assert spikes[:9].any() and not spikes[13:].any() and not mel.spikes(np.zeros(9)).any()
    np.testing.assert_array_equal(spikes, mel.spikes(tone(1000) / 50))


@pytest.mark.slow  # librosa takes seconds to import
def test_mel_filters_are_those_of_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    mine = MelFrames(8000, 20, 100.0, 3700.0, 0.01, 20).filters(257)
    theirs = librosa.filters.mel(sr=8000, n_fft=512, n_mels=20, fmin=100, fmax=3700, htk=True, norm=None)
    np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_classes_and_test_part_may_be_in_the_names(tmp_path: Path) -> None:
    for digit in (0, 1):
        for take in range(3):
            wavfile.write(tmp_path / f"{digit}_ann_{take}.wav", 8000, tone(300 + 900 * digit))
    data = load(tmp_path, label_pattern=r"^(\d)_", test_pattern=r"_0\.wav$", sound="mel")
    assert data.y_train.tolist() == [0, 0, 1, 1] and data.y_test.tolist() == [0, 1]
    with pytest.raises(InputError, match="test_pattern 'x' matches the name of no file"):
        load(tmp_path, label_pattern=r"^(\d)_", test_pattern="x")
    with pytest.raises(InputError, match="finds no class in a name there"):
        load(tmp_path, label_pattern="_z(.*)")
    with pytest.raises(InputError, match="has no folders of classes"):
        load(tmp_path)


def test_files_of_other_names_are_left_out(tmp_path: Path) -> None:
    for digit in range(3):
        for take in range(2):
            wavfile.write(tmp_path / f"{digit}_ann_{take}.wav", 8000, tone(300 + 900 * digit))
    names = {"label_pattern": r"^(\d)_", "test_pattern": r"_0\.wav$"}
    data = load(tmp_path, only_pattern=r"^[02]_", **names)
    assert data.names == ("0", "2") and data.y_train.tolist() == data.y_test.tolist() == [0, 1]
    with pytest.raises(InputError, match="only_pattern 'x' matches no file's name"):
        load(tmp_path, only_pattern="x", **names)


def test_stereo_flac_and_eight_bits_are_read(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    sound = tone(500) / 32768
    soundfile.write(tmp_path / "a.flac", np.stack([sound, np.zeros_like(sound)], axis=1), 8000)
    rate, mono = read_sound(tmp_path / "a.flac")
    assert rate == 8000
    np.testing.assert_allclose(mono, sound / 2, atol=1e-4)
    wavfile.write(tmp_path / "b.wav", 8000, (sound * 127 + 128).astype(np.uint8))
    assert abs(read_sound(tmp_path / "b.wav")[1].mean()) < 1
    whole = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"a\.flac: is not a whole flac file"):
        read_sound(tmp_path / "a.flac")


def test_bad_recordings_are_refused_before_training(tmp_path: Path) -> None:
    folder = write_sounds(tmp_path / "tones")
    odd = folder / "low" / "odd.wav"
    wavfile.write(odd, 16000, tone(300, rate=16000))
    with pytest.raises(InputError, match=r"odd\.wav: has 16000 samples per second, but 0\.wav has 8000; resample"):
        load(folder)
    wavfile.write(odd, 8000, np.full(99, np.nan, np.float32))
    with pytest.raises(InputError, match=r"odd\.wav: sample 0 is not a number"):
        load(folder)
    wavfile.write(odd, 8000, tone(300))
    odd.write_bytes(odd.read_bytes()[:200])
    with pytest.raises(InputError, match=r"odd\.wav: is not a whole wav file"):
        load(folder)
    odd.write_bytes(b"RIFF")
    with pytest.raises(InputError, match=r"odd\.wav: is .* among sound recordings"):
        load(folder)
    odd.unlink()
    with pytest.raises(InputError, match="filters from 100 to 9000 Hz must lie between"):
        load(folder, high=9000.0)
    with pytest.raises(InputError, match="shorter than a sample"):
        load(folder, window=1e-6)
