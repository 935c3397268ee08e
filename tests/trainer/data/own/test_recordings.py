"""Recordings and images as the input of a trained network, on the command line and in Python."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest
from command import refused, spikeport
from own_data import events, write_events, write_images, write_sounds
from programs import dense

import spikeport as sp
from spikeport.common.errors import InputError
from spikeport.exporter.program.chip_file import save_program
from spikeport.trainer.data import FileOptions, load_dataset
from spikeport.trainer.data.encoding import integrate
from spikeport.trainer.data.own.recordings import read_recordings
from spikeport.trainer.data.paths_and_cache import CACHE
from spikeport.trainer.data.readers.cochlea import Cochlea
from spikeport.trainer.data.readers.recordings import read_sound
from spikeport.tuning.fine_tune import TuneSettings


def test_a_folder_of_events_is_binned_as_in_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    folder = write_events(tmp_path / "moves")
    data = load_dataset("files", 0, folder, 4, encoding="spikes", files=FileOptions(test_pattern="^0"))
    spikes = read_recordings(folder, (2, 34, 34), 1e-3, 4)
    assert spikes.shape == (4, 6, 2, 34, 34)
    # in the order of names: 0.bin, the test part, is the first of each class
    np.testing.assert_array_equal(spikes[:, [0, 3]].swapaxes(0, 1), data.x_test)
    small = read_recordings(folder, (1, 17, 17), 1e-3, 4)
    assert small.shape == (4, 6, 1, 17, 17)
    # in steps of dt from the recording's start, until the longest ends: 1 to 2 ms
    timed = read_recordings(folder, (2, 34, 34), 5e-4, None)
    assert timed.shape[0] == 4 and not timed[:2].any() and timed[2:].any()


def test_arrays_of_events_take_the_size_of_the_input(tmp_path: Path) -> None:
    np.save(tmp_path / "e.npy", events())
    assert read_recordings(tmp_path / "e.npy", (2, 10, 10), 1e-3, 3).shape == (3, 1, 2, 10, 10)
    with pytest.raises(InputError, match=r"outside a sensor of 5 x 5 pixels \(by the network's input\)"):
        read_recordings(tmp_path / "e.npy", (2, 5, 5), 1e-3, 3)


def test_sound_and_images_take_the_shape_of_the_input(tmp_path: Path) -> None:
    sounds = write_sounds(tmp_path / "tones")
    spikes = read_recordings(sounds, (16,), 0.01, None)
    assert spikes.shape == (10, 6, 16)
    expected = Cochlea(8000, 16, steps=10).spikes(read_sound(sounds / "high" / "0.wav")[1])
    np.testing.assert_array_equal(spikes[:, 0], expected)
    images = write_images(tmp_path / "pictures")
    spikes = read_recordings(images / "dark" / "0.png", (1, 4, 3), 1e-3, 8)
    assert (
        spikes.shape == (8, 1, 1, 4, 3)
        and spikes.dtype == integrate(np.zeros((1, 1)), 1, np.random.default_rng()).dtype
    )
    with pytest.raises(InputError, match="an image has no time; give the number of its steps"):
        read_recordings(images, (1, 4, 3), 1e-3, None)


def test_what_does_not_fit_the_input_is_refused(tmp_path: Path) -> None:
    folder = write_events(tmp_path / "moves")
    with pytest.raises(InputError, match="sensor of 34 x 34 pixels, but the network's input has 8 x 8"):
        read_recordings(folder, (2, 8, 8), 1e-3, 4)
    with pytest.raises(InputError, match=r"events have \(1 or 2, height, width\)"):
        read_recordings(folder, (3, 34, 34), 1e-3, 4)
    with pytest.raises(InputError, match="give fewer with --steps"):
        read_recordings(folder, (2, 34, 34), 1e-9, None)
    np.save(folder / "left" / "x.npy", np.ones(3))
    with pytest.raises(InputError, match=r"x\.npy: is a \.npy array among event recordings"):
        read_recordings(folder, (2, 34, 34), 1e-3, 4)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="has no recordings"):
        read_recordings(tmp_path / "none", (2, 34, 34), 1e-3, 4)


def test_simulate_takes_a_recording(tmp_path: Path) -> None:
    save_program(dense((16, 4), 1), tmp_path / "m.chip")
    sounds = write_sounds(tmp_path / "tones")
    command = ("simulate", tmp_path / "m.chip", "--input", sounds / "low" / "0.wav", "--steps", "12", "-o")
    result = spikeport(*command, tmp_path / "out.npz")
    assert result.returncode == 0, result.stderr
    # every answer to 12 steps of input
    assert "run for 13 steps" in result.stdout
    (sounds / "low" / "0.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    refused(spikeport(*command, tmp_path / "out.npz"), "0.wav", "wav file")


@pytest.mark.slow
def test_tune_takes_a_folder_of_recordings(tmp_path: Path) -> None:
    one = np.ones(4)
    weight = np.random.default_rng(0).normal(0, 0.5, (4, 16))
    lif = nir.LIF(tau=0.02 * one, r=20 * one, v_leak=0 * one, v_threshold=one, v_reset=0 * one)
    nodes = {
        "input": nir.Input({"input": np.array([16])}),
        "fc": nir.Affine(weight, np.zeros(4)),
        "lif": lif,
        "output": nir.Output({"output": np.array([4])}),
    }
    graph = nir.NIRGraph(nodes, [("input", "fc"), ("fc", "lif"), ("lif", "output")], metadata={"dt": 1e-2})
    tuned = sp.tune(graph, write_sounds(tmp_path / "tones", each=5), settings=TuneSettings(epochs=1))
    assert tuned.samples == 2 and tuned.after.spikes > 0
