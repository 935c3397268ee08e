"""What a recipe may say about training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from hardware_profiles.errors import InputError

from .augment import Augmentation
from .checks import above_zero, at_least
from .options import RECIPE_RULES

LARGEST_LEARNING_RATE = 1e3


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    method: name of the training method; steps: time steps per sample; encoding: see trainer/encoding.py;
    learning_rate falls to 0 along half a cosine; weight_decay: AdamW's; label_smoothing: of the cross entropy;
    norm_epochs: share of the epochs in which batch norm gathers statistics (and weights are not rounded yet), after
    which it is folded; gradient_norm: gradients are clipped to this norm; augment: see trainer/augment.py;
    options: the method's own, see its class.
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
    augment: Augmentation = field(default_factory=Augmentation)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "steps"):
            at_least(name, getattr(self, name), 1)
        for name in ("seed", "weight_decay"):
            at_least(name, getattr(self, name), 0)
        for name in ("learning_rate", "gradient_norm"):
            above_zero(name, getattr(self, name))
        if self.learning_rate > LARGEST_LEARNING_RATE:
            raise InputError(f"learning_rate must be at most {LARGEST_LEARNING_RATE:g}, not {self.learning_rate}")
        if not 0 <= self.label_smoothing < 1:
            raise InputError(f"label_smoothing is a share from 0 to below 1, not {self.label_smoothing}")
        if not 0 <= self.norm_epochs <= 1:
            raise InputError(f"norm_epochs is a share of the epochs, 0 to 1, not {self.norm_epochs}")
