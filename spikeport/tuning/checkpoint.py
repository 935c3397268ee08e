"""The state of a tuning, from which an interrupted one goes on as if it had not been."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spikeport.common.errors import InputError, reason
from spikeport.common.files import remove_unfinished
from spikeport.trainer.tensor_files.check_described import UNUSABLE, check_finite
from spikeport.trainer.tensor_files.tensor_files import read_tensors, write_tensors

_KIND = "tuning"


@dataclass(frozen=True)
class TuneCheckpoint:
    """Where the state is written after every epoch, and whether a tuning goes on from it."""

    path: Path
    resume: bool = False

    def check_start(self) -> None:
        """Raise InputError if a tuning from the start would replace the state of an interrupted one.

        What a killed tuning left half written is removed.
        """
        if not self.resume and self.path.exists():
            raise InputError(
                f"{self.path}: holds the state of an interrupted tuning; --resume goes on with it, and without that "
                "file tuning starts anew"
            )
        remove_unfinished(self.path)

    def remove(self) -> None:
        """Remove the file of a tuning that has ended."""
        self.path.unlink(missing_ok=True)


@dataclass
class TuneState:
    """What has been reached: score of every epoch, the first before training; the best one with its parameters."""

    scores: list[float] = field(default_factory=list)
    best: tuple[float, float] = (0.0, 0.0)
    kept: dict[str, Tensor] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """Finished epochs."""
        return len(self.scores) - 1


def identity_of(settings: dict[str, Any], start: nn.Module, arrays: Iterable[NDArray[Any] | None]) -> dict[str, Any]:
    """Settings, and digests of the parameters before training and of the data, which a checkpoint must match."""
    digest = hashlib.sha256()
    for name, value in start.state_dict().items():
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    data = hashlib.sha256()
    for array in arrays:
        data.update(b"-" if array is None else str((array.dtype, array.shape)).encode())
        # in parts: data may be larger than the memory
        for part in () if array is None else array:
            data.update(np.ascontiguousarray(part).tobytes())
    return {"settings": settings, "data": data.hexdigest(), "weights": digest.hexdigest()}


def store(
    checkpoint: TuneCheckpoint, identity: dict[str, Any], state: TuneState, module: nn.Module,
    optimiser: torch.optim.Optimizer,
) -> None:  # fmt: skip
    """Write the state, all or nothing."""
    content = {
        "identity": identity,
        "scores": state.scores,
        "best": list(state.best),
        "kept": state.kept,
        "module": module.state_dict(),
        "moments": optimiser.state_dict()["state"],
        "rates": [group["lr"] for group in optimiser.param_groups],
    }
    write_tensors(checkpoint.path, _KIND, content)


def restore(
    checkpoint: TuneCheckpoint, identity: dict[str, Any], module: nn.Module, optimiser: torch.optim.Optimizer
) -> TuneState:
    """Read the state into module and optimiser; raises InputError if missing, broken or of another tuning."""
    path = checkpoint.path
    if not path.exists():
        raise InputError(f"{path}: there is no tuning to resume; tune without --resume")
    content = read_tensors(path, _KIND, "remove it to start anew")
    stored = content.get("identity", {})
    other = next((name for name, value in identity.items() if stored.get(name) != value), None)
    if other is not None:
        raise InputError(f"{path}: was made with other {other}; give the same, or remove it to start anew")
    try:
        check_finite(content["module"])
        check_finite(content["kept"])
        module.load_state_dict(content["module"])
        optimiser.load_state_dict({**optimiser.state_dict(), "state": content["moments"]})
        for group, rate in zip(optimiser.param_groups, content["rates"], strict=True):
            group["lr"] = float(rate)
        best, second = content["best"]
        return TuneState([float(score) for score in content["scores"]], (float(best), float(second)), content["kept"])
    except UNUSABLE as error:
        raise InputError(
            f"{path}: is not a usable checkpoint ({reason(error)}); remove it to tune from the start"
        ) from error
