"""The device of a training: chosen by the settings, in no file, and a batch that does not fit ends in a sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spikeport.common.errors import InputError
from spikeport.trainer.ann import AnnTwin
from spikeport.trainer.data import load_dataset
from spikeport.trainer.loop.train_config import TrainConfig, stored_settings
from spikeport.trainer.methods import method as methods
from spikeport.trainer.methods.bptt import Bptt
from spikeport.trainer.network.network_config import LayerConfig, NetworkConfig
from spikeport.trainer.twin_training import twin_training

NETWORK = NetworkConfig((LayerConfig("dense", 8),))
SHORT = TrainConfig(epochs=1, steps=3, batch_size=512)


def test_the_settings_choose_it_and_an_argument_overrules_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "torch_device", lambda name: {"auto": "meta", "cpu": "cpu"}[name])
    assert Bptt(NETWORK, SHORT).device == torch.device("cpu")
    assert Bptt(NETWORK, replace(SHORT, device="auto")).device == torch.device("meta")
    assert Bptt(NETWORK, replace(SHORT, device="auto"), device="cpu").device == torch.device("cpu")
    assert twin_training(replace(SHORT, device="auto")).device == "auto"


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device is cuda, but"):
        Bptt(NETWORK, replace(SHORT, device="cuda"))
    with pytest.raises(InputError, match="device is cuda, but"):
        AnnTwin(NETWORK, replace(SHORT, device="cuda"))
    with pytest.raises(InputError, match="device"):
        replace(SHORT, device="gpu")  # type: ignore[arg-type]


def test_files_do_not_tell_where_they_were_made(tmp_path: Path) -> None:
    assert "device" not in stored_settings(SHORT) and "device" not in stored_settings(replace(SHORT, device="auto"))
    data = load_dataset("digits", 0)
    for device in ("cpu", "auto"):
        Bptt(NETWORK, replace(SHORT, device=device), device="cpu").fit(data).save(tmp_path / device)  # type: ignore[arg-type]
    assert (tmp_path / "cpu").read_bytes() == (tmp_path / "auto").read_bytes()


def test_a_batch_that_does_not_fit_is_told_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(Bptt, "loss", full)
    with pytest.raises(InputError, match=r"accumulate = 6 .*stretch.*batch_size") as told:
        Bptt(NETWORK, replace(SHORT, accumulate=3)).fit(load_dataset("digits", 0), progress=False)
    assert "\n" not in str(told.value)
    monkeypatch.setattr(Bptt, "loss", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Bptt(NETWORK, SHORT).fit(load_dataset("digits", 0), progress=False)
