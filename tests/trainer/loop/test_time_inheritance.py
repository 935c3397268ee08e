"""Fewer time steps first: which epochs have how many, that a seed and a file say it all, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikeport.common.errors import InputError
from spikeport.trainer.data import load_dataset
from spikeport.trainer.loop.time_inheritance import TimeInheritance
from spikeport.trainer.loop.train_config import TrainConfig, stored_settings
from spikeport.trainer.methods.bptt import Bptt
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig

FEWER = TrainConfig(epochs=4, steps=6, encoding="direct", inherit=TimeInheritance(steps=2, epochs=0.6))
NETWORK = NetworkConfig((LayerConfig(size=16),), payload=16)


def test_the_first_epochs_have_fewer_steps_and_everything_else_has_all() -> None:
    data = load_dataset("digits", 0)
    method = Bptt(NETWORK, FEWER)
    lengths = [next(method.batches(data, epoch))[0].shape[0] for epoch in range(4)]
    assert lengths == [2, 2, 2, 6]
    assert method.encode(data.x_test[:3]).shape[0] == 6


def test_the_same_samples_come_in_the_same_order() -> None:
    data = load_dataset("digits", 0)
    fewer, all_steps = (
        next(Bptt(NETWORK, how).batches(data, 0)) for how in (FEWER, replace(FEWER, inherit=TimeInheritance()))
    )
    np.testing.assert_array_equal(fewer[1], all_steps[1])
    np.testing.assert_array_equal(fewer[0], all_steps[0][:2])


def test_it_learns_and_is_stored(tmp_path: Path) -> None:
    data = load_dataset("digits", 0)
    method = Bptt(NETWORK, replace(FEWER, epochs=8, learning_rate=0.02)).fit(data, progress=False)
    assert (method.predict(data.x_test) == data.y_test).mean() > 0.85
    method.save(tmp_path / "n.safetensors")
    assert Bptt.load(tmp_path / "n.safetensors").train_config.inherit == FEWER.inherit


def test_without_it_files_are_as_before() -> None:
    assert "inherit" not in stored_settings(TrainConfig())
    assert stored_settings(FEWER)["inherit"] == {"steps": 2, "epochs": 0.6}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"steps": 3}, "both steps"),
        ({"epochs": 0.5}, "both steps"),
        ({"steps": 2, "epochs": 1.0}, "share of the epochs"),
        ({"steps": -1, "epochs": 0.5}, "inherit steps"),
    ],
)
def test_half_a_setting_is_refused(wrong: dict[str, float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        TimeInheritance(**wrong)  # type: ignore[arg-type]


def test_more_steps_first_and_recordings_are_refused() -> None:
    with pytest.raises(InputError, match="at most steps = 6"):
        replace(FEWER, inherit=TimeInheritance(steps=7, epochs=0.5))
    with pytest.raises(InputError, match="recordings"):
        replace(FEWER, encoding="spikes")
