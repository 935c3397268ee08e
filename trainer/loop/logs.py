"""Logs of training: a table (CSV) and, optionally, TensorBoard files."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from spikeport.common.errors import InputError, reason
from spikeport.common.files import make_folder, write_text

from .checkpoint import Checkpoint, Progress
from .train_config import TrainConfig


class Logs:
    """Writes after every epoch, next to the checkpoint: NAME.csv, and with config.tensorboard the folder NAME.board.

    Raises InputError if TensorBoard is requested but not installed.
    """

    def __init__(self, checkpoint: Checkpoint, config: TrainConfig, done: int) -> None:
        self._table = checkpoint.path.with_suffix(".csv")
        self._config = config
        self._board = _board(checkpoint.path.with_suffix(".board"), done) if config.tensorboard else None

    def write(self, progress: Progress) -> None:
        """Write all finished epochs to the table, the last one to TensorBoard."""
        write_text(self._table, _table(progress, self._config))
        if self._board is not None:
            for name, value in _row(progress, self._config, progress.epoch - 1).items():
                if name != "epoch" and value != "":
                    self._board.add_scalar(name, value, progress.epoch)
            self._board.flush()

    def close(self) -> None:
        """Close TensorBoard's files."""
        if self._board is not None:
            self._board.close()


def _row(progress: Progress, config: TrainConfig, epoch: int) -> dict[str, float | str]:
    held_out = progress.held_out[epoch]
    return {
        "epoch": epoch + 1,
        "learning_rate": config.learning_rate * config.schedule.share(epoch, config.epochs),
        "loss": progress.losses[epoch],
        "held_out_loss": "" if math.isnan(held_out) else held_out,
    }


def _table(progress: Progress, config: TrainConfig) -> str:
    # no times: the same seed gives the same file
    rows = [_row(progress, config, epoch) for epoch in range(progress.epoch)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _board(folder: Path, done: int) -> Any:
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError as error:
        raise InputError(
            f"tensorboard = true needs TensorBoard, which is not installed ({reason(error)}); install it with "
            'pip install "spikeport[logs]"'
        ) from error
    make_folder(folder)
    # epochs that a resumed training repeats are shown once
    return SummaryWriter(str(folder), purge_step=done + 1)
