"""Neuron models by their names in files; a new one is one file here and one line below."""

from __future__ import annotations

from spikeport.common.errors import InputError
from spikeport.common.plugins import Registry
from spikeport.exporter.neurons.cuba.atrlif import ATRLIF
from spikeport.exporter.neurons.cuba.cuba import Cuba
from spikeport.exporter.neurons.cuba.cuba_li import CubaLI
from spikeport.exporter.neurons.cuba.cuba_li_reset import CubaLIReset
from spikeport.exporter.neurons.cuba.cuba_lif import CubaLIF
from spikeport.exporter.neurons.cuba.cuba_lif_soft_reset import CubaLIFSoftReset
from spikeport.exporter.neurons.cuba.lif_refractory import LIFRefractory
from spikeport.exporter.neurons.cuba.lif_reset import LIFReset
from spikeport.exporter.neurons.cuba.regular_reset import RegularReset
from spikeport.exporter.neurons.cuba.ternary_lif import TernaryLIF
from spikeport.exporter.neurons.graded.delta import Delta
from spikeport.exporter.neurons.graded.graded_relu_vec import GradedReluVec
from spikeport.exporter.neurons.graded.graded_vec import GradedVec
from spikeport.exporter.neurons.graded.prod_neuron import ProdNeuron
from spikeport.exporter.neurons.graded.sigma import Sigma
from spikeport.exporter.neurons.graded.sigma_delta import SigmaDelta
from spikeport.exporter.neurons.resonate_and_fire.rf import RF
from spikeport.exporter.neurons.resonate_and_fire.rf_iz import RFIZ
from spikeport.exporter.neurons.resonate_and_fire.rf_zero import RFZero
from spikeport.exporter.neurons.xylo.neurons import XyloHidden, XyloOutput

from .base import Integers, Limits, Population, SpikeStep, States, Step, StockProcess

_MODELS: tuple[type[Population], ...] = (
    CubaLIF,
    CubaLIFSoftReset,
    CubaLI,
    CubaLIReset,
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
"""The neurons of this project that compute with Loihi's integers, population by population."""
OTHER_CHIPS: dict[str, type[Population]] = {model.KIND: model for model in (XyloHidden, XyloOutput)}
"""Those of chips with integers of their own (exporter/chip_integers)."""


def _as_neuron(name: str, model: object) -> type[Population]:
    if not (isinstance(model, type) and issubclass(model, Population) and name == model.KIND):
        raise InputError(f"must be a subclass of spikeport.exporter.neurons.Population with KIND = {name!r}")
    return model


ALL_NEURONS: Registry[type[Population]] = Registry("spikeport.neurons", {**NEURON_MODELS, **OTHER_CHIPS}, _as_neuron)
"""The neurons of this project and of installed packages."""

__all__ = [
    "ALL_NEURONS",
    "ATRLIF",
    "NEURON_MODELS",
    "OTHER_CHIPS",
    "RF",
    "RFIZ",
    "Cuba",
    "CubaLI",
    "CubaLIF",
    "CubaLIFSoftReset",
    "CubaLIReset",
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
    "RegularReset",
    "Sigma",
    "SigmaDelta",
    "SpikeStep",
    "States",
    "Step",
    "StockProcess",
    "TernaryLIF",
    "XyloHidden",
    "XyloOutput",
]
