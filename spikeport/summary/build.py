"""Builds summary.json from the results of a run."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Any

import spikeport.exporter.mapping as mapped
from spikeport.exporter.program.chip_program import ChipProgram, Connection, ConvConnection, SparseConnection
from spikeport.hardware_profiles.schema import constants
from spikeport.lava_runtime.cost_model import ann_cost
from spikeport.lava_runtime.profiling.profile import LayerProfile, Profile

from .base import Bounds, spread
from .model import (
    BatchOne,
    Compiled,
    Constant,
    Device,
    DeviceCost,
    Edge,
    Layer,
    MappedLayer,
    Mapping,
    Network,
    Node,
    PerInference,
    Rounding,
    Training,
    Workload,
)

if TYPE_CHECKING:
    from spikeport.exporter.compile_options import CompileOptions
    from spikeport.trainer.loop.train_config import TrainConfig
    from spikeport.trainer.network.network_config import NetworkConfig

_PACKAGES = ("torch", "nir", "lava-nc", "numba", "numpy", "onnxruntime")


def per_inference_of(profile: Profile) -> PerInference:
    """Mean cost of one inference."""
    return PerInference(
        **{field: profile.total(field) for field in ("spikes", "synops", "neuron_updates", "messages")},
        **spread("energy", "j", profile.energy),
        dynamic_j=Bounds.of(profile.dynamic),
        static_j=Bounds.of(profile.static),
        **spread("latency", "s", profile.latency),
        silent_j=Bounds.of(profile.silent),
        host_latency_s=Bounds.of(profile.host_latency),
        steps=profile.steps,
        outside_validation=list(profile.outside_validation),
    )


def layers_of(program: ChipProgram, profile: Profile) -> tuple[Layer, ...]:
    """Activity and energy of every input and population."""
    return tuple(_layer(program, layer) for layer in profile.layers)


def _layer(program: ChipProgram, layer: LayerProfile) -> Layer:
    is_input = layer.name in {port.name for port in program.inputs}
    report = program.quantisation.get(layer.name)
    return Layer(
        name=layer.name,
        kind="input" if is_input else program.population(layer.name).KIND,
        shape=list(program.source_shape(layer.name)),
        neurons=layer.neurons,
        synapses=layer.synapses,
        cores=layer.cores,
        spikes=layer.spikes,
        synops=layer.synops,
        neuron_updates=layer.neuron_updates,
        messages=layer.messages,
        **spread("energy", "j", layer.energy),
        quantisation=None if report is None else Rounding(**asdict(report)),
    )


def mapping_of(mapping: mapped.Mapping) -> Mapping:
    """Cores in total and by layer, and the nearest limit of each layer."""
    return Mapping(
        cores=mapping.cores,
        cores_per_chip=mapping.cores_per_chip,
        chips=mapping.chips,
        chips_per_board=mapping.board.chips,
        fits=mapping.fits,
        layers=tuple(
            MappedLayer(
                name=layer.name,
                cores=layer.cores,
                neurons_per_core=layer.neurons_per_core,
                limit=layer.limit,
                fill=layer.fill[layer.limit],
            )
            for layer in mapping.layers
        ),
    )


def workload_of(profile: Profile) -> Workload:
    """NeuroBench's metrics."""
    return Workload(**asdict(profile.workload))


def profile_dict(program: ChipProgram, profile: Profile) -> dict[str, Any]:
    """per_inference, layers, mapping and workload in plain values, as `spikeport profile --json` writes them."""
    return {
        "per_inference": per_inference_of(profile).to_dict(),
        "layers": [layer.to_dict() for layer in layers_of(program, profile)],
        "mapping": mapping_of(profile.mapping).to_dict(),
        "workload": workload_of(profile).to_dict(),
    }


def network_of(program: ChipProgram) -> Network:
    """Nodes and edges, for drawing."""
    inputs = [Node(name=port.name, kind="input", shape=list(port.shape)) for port in program.inputs]
    populations = [
        Node(name=p.name, kind="population", shape=list(p.shape), output=p.name in program.outputs)
        for p in program.populations
    ]
    edges = [
        Edge(
            source=c.source,
            target=c.target,
            kind=_kind(c),
            delay=c.delay,
            synapses=mapped.synapse_count(c, program),
            weight_bits=c.weight_bits,
            weight_exp=c.weight_exp,
            sign_mode=c.sign_mode,
        )
        for c in program.connections
    ]
    return Network(nodes=(*inputs, *populations), edges=tuple(edges))


def _kind(connection: Connection) -> str:
    if isinstance(connection, ConvConnection):
        return "conv"
    return "sparse" if isinstance(connection, SparseConnection) else "dense"


def ann_of(costs: Sequence[ann_cost.DeviceCost]) -> dict[str, Device]:
    """By device: the float32 figures at batch 1, the int8 ones under `int8`, the best batch of each in `best_batch`."""
    devices: dict[str, Device] = {}
    for name in dict.fromkeys(cost.device for cost in costs):
        by_precision = {
            precision: [cost for cost in costs if (cost.device, cost.precision) == (name, precision)]
            for precision in ann_cost.PRECISIONS
        }
        int8 = by_precision["int8"]
        devices[name] = Device(**_batches(by_precision["float32"]), int8=BatchOne(**_batches(int8)) if int8 else None)
    return devices


def _batches(costs: Sequence[ann_cost.DeviceCost]) -> dict[str, Any]:
    """The fields of the cost at batch 1, and at the best batch if it differs."""
    one = next(cost for cost in costs if cost.batch == 1)
    best = next((cost for cost in costs if cost.batch > 1), None)
    return {
        **_device_cost(one),
        "best_batch": None if best is None else DeviceCost(**_device_cost(best)),
        "sleep_w": None if one.sleep is None else Bounds.of(one.sleep),
    }


def _device_cost(cost: ann_cost.DeviceCost) -> dict[str, Any]:
    return {
        "title": cost.title,
        "precision": cost.precision,
        "batch": cost.batch,
        "macs": cost.macs,
        "bytes": cost.bytes,
        **spread("energy", "j", cost.energy),
        "dynamic_j": Bounds.of(cost.dynamic),
        "static_j": Bounds.of(cost.static),
        **spread("latency", "s", cost.latency),
    }


def constants_of(profiles: Sequence[Any]) -> tuple[Constant, ...]:
    """Every constant of the profiles used, with its source; word widths and limits only of chips."""
    return tuple(
        Constant(profile=profile.name, name=name, **quantity.model_dump())
        for profile in profiles
        for name, quantity in constants(profile)
    )


def training_of(network: NetworkConfig, training: TrainConfig) -> Training:
    """How the network was trained, for the report."""
    # the only part of a summary that needs torch
    from spikeport.trainer.loop.threads import threads_used

    return Training(
        method=training.method,
        neuron=network.neuron,
        encoding=training.encoding,
        epochs=training.epochs,
        seed=training.seed,
        threads=threads_used(training.threads),
    )


def compiled_of(profile: str, options: CompileOptions) -> Compiled:
    """How the network was compiled; profile: the chip's."""
    return Compiled(profile=profile, weight_bits=options.weight_bits, precision=options.precision, sums=options.sums)


def environment_of() -> Dictionary[str, Any]:
    """The summary's fields python, platform and versions."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "platform": sys.platform, "versions": versions}
