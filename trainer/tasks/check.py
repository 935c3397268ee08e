"""Whether task, method, network and the other settings of a training fit each other."""

from __future__ import annotations

from spikeport.common.errors import InputError
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.network.network_config import NetworkConfig

from .registry import Objective, objective_of


def fitting_objective(method: str, own_loss: bool, network: NetworkConfig, training: TrainConfig) -> Objective:
    """The task, loss and metric of these settings; raises InputError for those that do not fit the others.

    own_loss: whether the method replaces the task's loss.
    """
    if (network.payload > 1) != (training.encoding == "direct"):
        raise InputError('payload above 1 and encoding = "direct" belong together; set both or neither')
    objective = objective_of(training)
    name = objective.task.name
    if network.readout == "membrane" and objective.task.readout == "spikes":
        raise InputError(
            f'readout = "membrane" and task {name!r}, which reads spikes, do not fit; leave readout out, or choose a '
            'task that reads voltages, such as "membrane"'
        )
    if objective.counts_spikes:
        return objective
    if own_loss:
        raise InputError(
            f"method {method!r} has a loss of its own, for spike counts; use bptt, surrogate_bn or sew_resnet for task "
            f"{name!r} with loss {objective.loss_name!r}"
        )
    for setting in ("stretch", "label_smoothing"):
        if getattr(training, setting):
            raise InputError(f"{setting} is for the loss ce_count, not for {objective.loss_name}; leave it out")
    return objective
