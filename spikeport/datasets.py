"""The user's own data from Python, for recipes of the same process."""

from __future__ import annotations

from spikeport.trainer.data import register_dataset
from spikeport.trainer.data.from_python import from_arrays as dataset_from_arrays
from spikeport.trainer.data.from_python import from_torch as dataset_from_torch

__all__ = ["dataset_from_arrays", "dataset_from_torch", "register_dataset"]
