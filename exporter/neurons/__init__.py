"""Neuron models by the name they have in files; a new one is one file here and one line below."""

from __future__ import annotations

from spikeport.common.errors import InputError
from spikeport.common.plugins import Registry

from .atrlif import ATRLIF
from .base import Integers, Limits, Population, SpikeStep, States, Step, StockProcess
from .cuba import Cuba
from .cuba_li import CubaLI
from .cuba_lif import CubaLIF
from .cuba_lif_soft_reset import CubaLIFSoftReset
from .delta import Delta
from .graded_relu_vec import GradedReluVec
from .graded_vec import GradedVec
from .lif_refractory import LIFRefractory
from .lif_reset import LIFReset
from .prod_neuron import ProdNeuron
from .rf import RF
from .rf_iz import RFIZ
from .rf_zero import RFZero
from .sigma import Sigma
from .sigma_delta import SigmaDelta
from .ternary_lif import TernaryLIF

_MODELS: tuple[type[Population], ...] = (
    CubaLIF,
    CubaLIFSoftReset,
    CubaLI,
    LIFReset,
    LIFRefractory,
    TernaryLIF,
    ATRLIF,
    Sigma,
    Delta,
    SigmaDelta,
    RF,
    RFIZ,
    RFZero,
    GradedVec,
    GradedReluVec,
    ProdNeuron,
)
NEURON_MODELS: dict[str, type[Population]] = {model.KIND: model for model in _MODELS}
"""The neurons of this project."""


def _as_neuron(name: str, found: object) -> type[Population]:
    if not (isinstance(found, type) and issubclass(found, Population) and name == found.KIND):
        raise InputError(f"must be a subclass of spikeport.exporter.neurons.Population with KIND = {name!r}")
    return found


ALL_NEURONS: Registry[type[Population]] = Registry("spikeport.neurons", NEURON_MODELS, _as_neuron)
"""Those and the ones of installed packages."""

__all__ = [
    "ALL_NEURONS",
    "ATRLIF",
    "NEURON_MODELS",
    "RF",
    "RFIZ",
    "Cuba",
    "CubaLI",
    "CubaLIF",
    "CubaLIFSoftReset",
    "Delta",
    "GradedReluVec",
    "GradedVec",
    "Integers",
    "LIFRefractory",
    "LIFReset",
    "Limits",
    "Population",
    "ProdNeuron",
    "RFZero",
    "Sigma",
    "SigmaDelta",
    "SpikeStep",
    "States",
    "Step",
    "StockProcess",
    "TernaryLIF",
]
