"""The number of torch's threads: a setting of the training, and of nothing else in the process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_training import NETWORK, TRAINING, made

from spikeport.common.errors import InputError
from spikeport.summary.build import training_of
from spikeport.trainer.ann import AnnTwin
from spikeport.trainer.loop.threads import torch_threads
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.bptt import Bptt
from spikeport.trainer.network.spiking_network import SpikingNetwork


class Looking(Bptt):
    """Records the number of threads in every epoch."""

    def begin_epoch(self, network: SpikingNetwork, epoch: int) -> None:
        self.seen = torch.get_num_threads()
        super().begin_epoch(network, epoch)


@pytest.mark.parametrize(("number", "used"), [(3, 3), (0, 2)])
def test_a_training_computes_with_the_threads_of_its_setting(number: int, used: int) -> None:
    training = replace(TRAINING, epochs=1, threads=number)
    with torch_threads(2):
        method = Looking(NETWORK, training)
        method.fit(made(), progress=False)
        assert method.seen == used
        assert torch.get_num_threads() == 2
        assert training_of(NETWORK, training).threads == used
        assert AnnTwin(NETWORK, training).fit(made(), progress=False).train_config.threads == number


def test_the_setting_is_part_of_what_a_checkpoint_must_match(tmp_path: Path) -> None:
    one = replace(TRAINING, epochs=1, threads=1)
    Bptt(NETWORK, one).fit(made(), tmp_path, progress=False)
    Bptt(NETWORK, one).fit(made(), tmp_path, resume=True, progress=False)
    with pytest.raises(InputError, match="threads"):
        Bptt(NETWORK, replace(one, threads=2)).fit(made(), tmp_path, resume=True, progress=False)
    with pytest.raises(InputError, match="threads must be at least 0"):
        TrainConfig(threads=-1)
