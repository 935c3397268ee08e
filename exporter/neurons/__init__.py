"""Neuron models by the name they have in files; a new one is one file here and one line below."""

from __future__ import annotations

from .base import Integers, Limits, Population, States, Step, StockProcess
from .cuba import Cuba
from .cuba_li import CubaLI
from .cuba_lif import CubaLIF
from .cuba_lif_soft_reset import CubaLIFSoftReset

NEURON_MODELS: dict[str, type[Population]] = {model.KIND: model for model in (CubaLIF, CubaLIFSoftReset, CubaLI)}

__all__ = [
    "NEURON_MODELS",
    "Cuba",
    "CubaLI",
    "CubaLIF",
    "CubaLIFSoftReset",
    "Integers",
    "Limits",
    "Population",
    "States",
    "Step",
    "StockProcess",
]
