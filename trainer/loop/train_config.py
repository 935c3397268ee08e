"""A recipe's training settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from spikeport.common.accelerator import DEVICE_NAMES, DeviceName
from spikeport.common.errors import InputError
from spikeport.common.limits import MOST_STEPS, MOST_THREADS
from spikeport.trainer.settings.checks import above_zero, at_least, known, within
from spikeport.trainer.settings.options import RECIPE_RULES

from .augment import Augmentation
from .schedule import Schedule
from .spike_penalty import Sparsity
from .time_inheritance import TimeInheritance

LARGEST_LEARNING_RATE = 1e3
# of scikit-learn's splits
LARGEST_SEED = 2**32 - 1

Precision = Literal["float32", "bf16"]
OptimizerName = Literal["adamw", "adam", "sgd"]
OPTIMIZERS: tuple[OptimizerName, ...] = ("adamw", "adam", "sgd")

_MOMENTUM = 0.9
# settings that files of earlier versions lack: at their defaults they are not stored, so that files stay the same
_LATER = ("optimizer", "momentum", "gradient_value", "task", "loss", "metric", "pruned", "inherit")
# where it was computed is no property of a network: it is resumed and run on any device
_NOT_STORED = ("device",)


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    method: name of the training method; steps: time steps per sample; encoding: see trainer/data/encoding.py;
    optimizer: "adamw", "adam" or "sgd", with momentum (sgd only), see optimizers.py; learning_rate: the highest;
    weight_decay: of the optimizer; label_smoothing: of the cross entropy;
    norm_epochs: share of the epochs in which batch norm gathers statistics (and weights are not rounded yet); then it
    is folded; gradient_norm, gradient_value: gradients are scaled down to this common norm, then each entry is clipped
    to this size, 0: not; augment, schedule, sparsity, inherit: see augment.py,
    schedule.py, spike_penalty.py and time_inheritance.py in trainer/loop; options: the method's own, see its class.
    held_out: share of the training part that is not trained on but evaluated after each epoch; patience: stop after
    this many epochs without a lower held-out (or training) loss and keep the weights with the lowest; 0: never.
    precision: "bf16" multiplies matrices in 16 bit; accumulate: number of parts of a batch, processed one by one;
    stretch, truncate: see trainer/loop/gradient_checkpointing.py; checkpoint_seconds: longest time between checkpoints
    (checked after each step); tensorboard: also write TensorBoard files. threads: of torch; 0: as many as it is set to,
    so that the weights depend on the machine. pruned: share of every synapse's weights that end as 0, see pruning.py in
    trainer/loop. task, loss, metric: what the output is trained for, by name, "" for the
    task's own loss and metric, see trainer/tasks. device: where torch computes, "cpu", "cuda" (a GPU) or "auto".
    """

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    method: str = "bptt"
    epochs: int = 40
    batch_size: int = 64
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    label_smoothing: float = 0.0
    norm_epochs: float = 0.6
    gradient_norm: float = 1.0
    seed: int = 0
    steps: int = 16
    encoding: str = "integrate"
    held_out: float = 0.0
    patience: int = 0
    precision: Precision = "float32"
    accumulate: int = 1
    stretch: int = 0
    truncate: bool = False
    checkpoint_seconds: float = 60.0
    tensorboard: bool = False
    threads: int = 0
    optimizer: OptimizerName = "adamw"
    momentum: float = _MOMENTUM
    gradient_value: float = 0.0
    task: str = "spike_count"
    loss: str = ""
    metric: str = ""
    pruned: float = 0.0
    device: DeviceName = "cpu"
    schedule: Schedule = field(default_factory=Schedule)
    sparsity: Sparsity = field(default_factory=Sparsity)
    augment: Augmentation = field(default_factory=Augmentation)
    inherit: TimeInheritance = field(default_factory=TimeInheritance)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "steps", "accumulate"):
            within(name, getattr(self, name), 1, MOST_STEPS)
        for name in ("patience", "stretch"):
            within(name, getattr(self, name), 0, MOST_STEPS)
        within("threads", self.threads, 0, MOST_THREADS)
        for name in ("seed", "weight_decay", "checkpoint_seconds", "gradient_norm", "gradient_value"):
            at_least(name, getattr(self, name), 0)
        if self.seed > LARGEST_SEED:
            raise InputError(f"seed must be at most {LARGEST_SEED}, not {self.seed}")
        above_zero("learning_rate", self.learning_rate)
        known("optimizer", self.optimizer, OPTIMIZERS)
        if not 0 <= self.momentum < 1:
            raise InputError(f"momentum is the share of the last step that is kept, 0 to below 1, not {self.momentum}")
        if self.momentum != _MOMENTUM and self.optimizer != "sgd":
            raise InputError(f'momentum is a setting of optimizer = "sgd", not of "{self.optimizer}"; leave it out')
        if self.learning_rate > LARGEST_LEARNING_RATE:
            raise InputError(f"learning_rate must be at most {LARGEST_LEARNING_RATE:g}, not {self.learning_rate}")
        if not 0 <= self.label_smoothing < 1:
            raise InputError(f"label_smoothing is a share from 0 to below 1, not {self.label_smoothing}")
        if not 0 <= self.pruned < 1:
            raise InputError(f"pruned is a share of every synapse's weights from 0 to below 1, not {self.pruned}")
        if not 0 <= self.held_out < 1:
            raise InputError(f"held_out is a share of the training part from 0 to below 1, not {self.held_out}")
        self.inherit.check(self.steps, self.encoding)
        known("precision", self.precision, ("float32", "bf16"))
        known("device", self.device, DEVICE_NAMES)
        if not 0 <= self.norm_epochs <= 1:
            raise InputError(f"norm_epochs is a share of the epochs, 0 to 1, not {self.norm_epochs}")


def stored_settings(training: TrainConfig) -> dict[str, Any]:
    """The settings in plain values, as files of networks and checkpoints hold them."""
    defaults = asdict(TrainConfig())
    values = asdict(training)
    stored = (name for name in values if name not in _NOT_STORED)
    return {name: values[name] for name in stored if name not in _LATER or values[name] != defaults[name]}
