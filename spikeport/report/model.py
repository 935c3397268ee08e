"""What summary.json says, read and checked; the report knows nothing else of a run but its raster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from hardware_profiles.errors import InputError, reason
from lava_runtime.costs import Range

from .base import Amount, Count, Energy, Model, Number, Share
from .fidelity import Difference
from .placed import CoreMap


class Bounds(Model):
    """An estimate as summary.json nests it: low, typical, high."""

    low: Amount
    typical: Amount
    high: Amount

    @property
    def range(self) -> Range:
        """The same as a Range."""
        return Range(self.low, self.typical, self.high)


class _Cost(Energy):
    dynamic_j: Bounds
    static_j: Bounds
    latency_s: Amount
    latency_low_s: Amount
    latency_high_s: Amount

    @property
    def latency(self) -> Range:
        """Latency in seconds."""
        return Range(self.latency_low_s, self.latency_s, self.latency_high_s)


class PerInference(_Cost):
    """Mean cost of one inference on the chip."""

    spikes: Amount
    synops: Amount
    neuron_updates: Amount
    messages: Amount
    steps: Count
    silent_j: Bounds | None = None


class Workload(Model):
    """NeuroBench's metrics of the run and the N-DNS challenge's, as far as a page needs them."""

    activation_sparsity: Share
    connection_sparsity: Share | None = None
    footprint_bytes: Amount | None = None
    effective_acs: Amount | None = None
    effective_macs: Amount = 0.0
    dense_synops: Amount | None = None
    power_proxy: Amount | None = None
    power_delay_product: Amount | None = None


class DeviceCost(_Cost):
    """Estimated cost of one inference of the ANN twin on one device at one precision, in a call of `batch`."""

    title: str
    precision: str
    macs: Amount
    bytes: Amount
    batch: Count = 1


class BatchOne(DeviceCost):
    """The cost at batch 1, and at the batch that costs least, where that is another."""

    best_batch: DeviceCost | None = None


class Device(BatchOne):
    """One device: the float32 figures and, where they exist, the int8 ones."""

    int8: BatchOne | None = None


class Rounding(Model):
    """What quantisation did to one layer, relative to the float values; None where a layer has no such parameter."""

    scale: Number | None = None
    weight_error_rms: Number | None = None
    weight_error_max: Number | None = None
    du_error: Number | None = None
    dv_error: Number | None = None
    vth_error: Number | None = None
    bias_error: Number | None = None
    current_bound: Number | None = None
    notes: tuple[str, ...] = ()


class Layer(Energy):
    """One layer's activity and dynamic energy per inference."""

    name: str
    kind: str
    shape: list[Count]
    neurons: Count
    synapses: Count
    cores: Count
    spikes: Amount
    synops: Amount
    neuron_updates: Amount
    messages: Amount
    quantisation: Rounding | None = None


class Node(Model):
    """An input or a population of the network."""

    name: str
    kind: str
    shape: list[Count]
    output: bool = False


class Edge(Model):
    """A bundle of synapses between two nodes."""

    source: str
    target: str
    kind: str
    delay: Count = 1
    synapses: Count = 0
    weight_bits: int | None = None
    weight_exp: int | None = None
    sign_mode: str | None = None


class Network(Model):
    """Nodes and edges, for drawing."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()


class MappedLayer(Model):
    """One population on its cores; fill: the share of the nearest limit that the fullest core uses."""

    name: str
    cores: Count
    neurons_per_core: Count
    limit: str
    fill: Amount


class Mapping(Model):
    """The network on the chip's cores."""

    cores: Count
    cores_per_chip: Count
    chips: Count
    fits: bool
    layers: tuple[MappedLayer, ...] = ()


class Constant(Model):
    """One number of a hardware profile with its source."""

    profile: str
    name: str
    value: Number
    low: Number | None = None
    high: Number | None = None
    unit: str
    source: str
    kind: str
    date: str
    note: str = ""


class Accuracies(Model):
    """Shares of the test samples answered right; None where that network was not run."""

    ann: Share | None = None
    ann_int8: Share | None = None
    float: Share | None = None
    fixed: Share | None = None


class Training(Model):
    """How the network was trained."""

    method: str
    neuron: str
    encoding: str
    epochs: Count
    seed: int


class Summary(Model):
    """summary.json; None where a stage could not run."""

    recipe: str
    dataset: str
    chip: str
    chip_title: str
    test_samples: Count
    steps: Count
    chip_steps: Count
    dt: Amount | None = None
    training: Training | None = None
    python: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    accuracy: Accuracies
    agreement: Share | None = None
    equal_spikes: Share | None = None
    lava_equals_emulator: bool | None = None
    stock_equals_emulator: bool | None = None
    per_inference: PerInference | None = None
    workload: Workload | None = None
    difference: Difference | None = None
    layers: tuple[Layer, ...] = ()
    network: Network = Network()
    mapping: Mapping | None = None
    core_map: CoreMap | None = None
    ann: dict[str, Device] = Field(default_factory=dict)
    constants: tuple[Constant, ...] = ()
    seconds: dict[str, Amount | None] = Field(default_factory=dict)
    commands: tuple[str, ...] = ()


def parse_summary(values: Any, where: str) -> Summary:
    """Check the values of a summary; raises InputError that names `where` and the field."""
    try:
        return Summary.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole file"
        fault = f"{first['msg'][0].lower()}{first['msg'][1:]}"
        raise InputError(f"{where}: field {field}: {fault}; run the recipe again to write it anew") from error


def read_summary(path: Path) -> Summary:
    """Read summary.json; raises InputError if it is missing, truncated or lacks a field."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        why = error.strerror or reason(error)
        raise InputError(f"{path}: cannot be read ({why}); the report needs the folder of a finished run") from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: is truncated or no JSON ({reason(error)}); run the recipe again to write it anew"
        ) from error
    return parse_summary(values, str(path))
