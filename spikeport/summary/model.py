"""The schema of summary.json: a run writes it, the report, `compare` and `open_run` read it."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from spikeport.exporter.compile_options import DEFAULTS, CompileOptions, Precision, Sums

from .base import Amount, Bounds, Cost, Count, Energy, Model, Number, Share
from .confusion import Confusion
from .core_map import CoreMap
from .difference import Difference
from .task import Metric, Scores, Seeds, TaskScores

VERSION = 1
"""Version of the schema. In version 0, every population is called cuba_lif and sparse synapses are called dense."""


class PerInference(Cost):
    """Mean cost of one inference on the chip."""

    spikes: Amount
    synops: Amount
    neuron_updates: Amount
    messages: Amount
    steps: Count
    silent_j: Bounds | None = None
    host_latency_s: Bounds | None = None
    outside_validation: list[str] = Field(default_factory=list)


class Workload(Model):
    """NeuroBench's metrics of the run and the N-DNS challenge's."""

    activation_sparsity: Share
    connection_sparsity: Share | None = None
    footprint_bytes: Amount | None = None
    effective_acs: Amount | None = None
    effective_macs: Amount = 0.0
    dense_synops: Amount | None = None
    neuron_updates: Amount | None = None
    power_proxy: Amount | None = None
    power_delay_product: Amount | None = None


class DeviceCost(Cost):
    """Estimated cost of one inference of the ANN twin on one device at one precision, in a batch of `batch`."""

    title: str
    precision: str
    macs: Count
    bytes: Amount
    batch: Count = 1


class BatchOne(DeviceCost):
    """The cost at batch 1, and at the cheapest batch if that differs; sleep_w: between inferences, where published."""

    best_batch: DeviceCost | None = None
    sleep_w: Bounds | None = None

    @model_serializer(mode="wrap")
    def _without_absent(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A device that was not run at another batch or precision omits that field in the file."""
        values: dict[str, Any] = dump(self)
        return {name: value for name, value in values.items() if value is not None}


class Device(BatchOne):
    """One device: the float32 figures and, where they exist, the int8 ones."""

    int8: BatchOne | None = None


class Rounding(Model):
    """What quantisation did to one layer, relative to the float values; None if a layer has no such parameter."""

    scale: Number | None = None
    weight_error_rms: Number | None = None
    weight_error_max: Number | None = None
    du_error: Number | None = None
    dv_error: Number | None = None
    vth_error: Number | None = None
    bias_error: Number | None = None
    current_bound: Number | None = None
    notes: tuple[str, ...] = ()
    voltage_bound: Number | None = None
    bound_basis: str | None = None
    interval: Number | None = None


class Layer(Energy):
    """One layer's activity and dynamic energy per inference; kind: "input", or the neuron model's name."""

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
    """A bundle of synapses between two nodes; kind: "dense", "sparse" or "conv"."""

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
    chips_per_board: Count = 1
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
    """Accuracies on the test samples; None if that network was not run."""

    ann: Share | None = None
    ann_int8: Share | None = None
    float: Share | None = None
    fixed: Share | None = None


class FloatTwin(Model):
    """The same network trained in floating point: the metric as trained, and rounded to the chip's integers."""

    trained: Number
    compiled: Number


class Training(Model):
    """How the network was trained; threads: of torch, on whose number the weights depend; None in older files."""

    method: str
    neuron: str
    encoding: str
    epochs: Count
    seed: int
    threads: Count | None = None


class Compiled(Model):
    """How the network was compiled; profile: the chip's, by name or path, as in the recipe."""

    profile: str
    weight_bits: Count | None = None
    precision: Precision = DEFAULTS.precision
    sums: Sums = DEFAULTS.sums

    @property
    def options(self) -> CompileOptions:
        """As CompileOptions."""
        return CompileOptions(weight_bits=self.weight_bits, precision=self.precision, sums=self.sums)


class Summary(Model):
    """summary.json; None if a stage could not run; task: None for the winner's spike count."""

    version: Count = VERSION
    recipe: str
    dataset: str
    chip: str
    chip_title: str
    test_samples: Count
    steps: Count
    chip_steps: Count
    dt: Amount | None = None
    training: Training | None = None
    compiled: Compiled | None = None
    python: str = ""
    platform: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    accuracy: Accuracies
    task: TaskScores | None = None
    float_twin: FloatTwin | None = None
    seeds: Seeds | None = None
    confusion: Confusion | None = None
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
    cpu_seconds: dict[str, Amount | None] = Field(default_factory=dict)
    commands: tuple[str, ...] = ()

    @property
    def scores(self) -> Scores:
        """The task's metric of the four networks, by default the accuracy."""
        values = self.accuracy if self.task is None else self.task
        metric = Metric() if self.task is None else self.task.metric
        return Scores(metric, values.ann, values.ann_int8, values.float, values.fixed)
