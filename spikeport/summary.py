"""summary.json: what a run found, in plain values."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Any

from exporter.mapping import Core, LimitName, Mapping, synapse_count
from exporter.program import ChipProgram, ConvConnection
from hardware_profiles.schema import ChipProfile, constants
from lava_runtime.ann_cost import DeviceCost
from lava_runtime.costs import Range
from lava_runtime.profile import LayerProfile, Profile

if TYPE_CHECKING:
    from trainer.config import NetworkConfig
    from trainer.train_config import TrainConfig

_PACKAGES = ("torch", "nir", "lava-nc", "numba", "numpy", "onnxruntime")


def profile_parts(program: ChipProgram, profile: Profile) -> dict[str, Any]:
    """per_inference, layers and mapping: what `spikeport profile --json` writes, too."""
    return {
        "per_inference": _per_inference(profile),
        "layers": [_layer(program, layer) for layer in profile.layers],
        "mapping": mapping_parts(profile.mapping),
        "workload": asdict(profile.workload),
    }


def mapping_parts(mapping: Mapping) -> dict[str, Any]:
    """Cores in all and by layer, and the limit that is nearest."""
    return {
        "cores": mapping.cores,
        "cores_per_chip": mapping.cores_per_chip,
        "chips": mapping.chips,
        "chips_per_board": mapping.board.chips,
        "fits": mapping.fits,
        "layers": [
            {
                "name": layer.name,
                "cores": layer.cores,
                "neurons_per_core": layer.neurons_per_core,
                "limit": layer.limit,
                "fill": layer.fill[layer.limit],
            }
            for layer in mapping.layers
        ],
    }


def core_parts(core: Core, fill: Dictionary[LimitName, float]) -> dict[str, Any]:
    """One core: where it lies, what it holds, and the share of each limit that it uses."""
    return {
        "number": core.number,
        "chip": core.chip,
        "x": core.x,
        "y": core.y,
        "slices": [asdict(part) for part in core.slices],
        "fill": dict(fill),
    }


def network_parts(program: ChipProgram) -> dict[str, Any]:
    """Nodes and edges, for drawing."""
    nodes = [{"name": p.name, "kind": "input", "shape": list(p.shape), "output": False} for p in program.inputs]
    nodes += [
        {"name": p.name, "kind": "population", "shape": list(p.shape), "output": p.name in program.outputs}
        for p in program.populations
    ]
    edges = [
        {
            "source": c.source,
            "target": c.target,
            "kind": "conv" if isinstance(c, ConvConnection) else "dense",
            "delay": c.delay,
            "synapses": synapse_count(c, program),
            "weight_bits": c.weight_bits,
            "weight_exp": c.weight_exp,
            "sign_mode": c.sign_mode,
        }
        for c in program.connections
    ]
    return {"nodes": nodes, "edges": edges}


def ann_parts(costs: Sequence[DeviceCost]) -> dict[str, Any]:
    """By device: the float32 figures at batch 1, the int8 ones under `int8`, the best batch of each in `best_batch`."""
    found: dict[str, Any] = {}
    for cost in costs:
        values = _device_cost(cost)
        device = found.setdefault(cost.device, {})
        place = device if cost.precision == "float32" else device.setdefault("int8", {})
        if cost.batch == 1:
            place.update(values)
        else:
            place["best_batch"] = values
    return found


def _device_cost(cost: DeviceCost) -> dict[str, Any]:
    return {
        "title": cost.title,
        "precision": cost.precision,
        "batch": cost.batch,
        "macs": cost.macs,
        "bytes": cost.bytes,
        **_spread("energy", "j", cost.energy),
        "dynamic_j": asdict(cost.dynamic),
        "static_j": asdict(cost.static),
        **_spread("latency", "s", cost.latency),
    }


def constants_parts(profiles: Sequence[Any]) -> list[dict[str, Any]]:
    """Every constant of the profiles used, with its source; word widths and limits only of chips."""
    return [
        {"profile": profile.name, "name": name, **quantity.model_dump()}
        for profile in profiles
        for name, quantity in constants(profile)
    ]


def training_parts(network: NetworkConfig, training: TrainConfig) -> dict[str, Any]:
    """How the network was trained, as far as a reader of the report asks."""
    return {
        "method": training.method,
        "neuron": network.neuron,
        "encoding": training.encoding,
        "epochs": training.epochs,
        "seed": training.seed,
    }


def environment_parts(chip: ChipProfile) -> dict[str, Any]:
    """Python, package versions and the chip's title."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "chip": chip.name,
        "chip_title": chip.title,
        "python": platform.python_version(),
        "platform": sys.platform,
        "versions": versions,
    }


def _per_inference(profile: Profile) -> dict[str, Any]:
    return {
        **{what: profile.total(what) for what in ("spikes", "synops", "neuron_updates", "messages")},
        **_spread("energy", "j", profile.energy),
        "dynamic_j": asdict(profile.dynamic),
        "static_j": asdict(profile.static),
        **_spread("latency", "s", profile.latency),
        "silent_j": asdict(profile.silent),
        "host_latency_s": asdict(profile.host_latency),
        "steps": profile.steps,
    }


def _layer(program: ChipProgram, layer: LayerProfile) -> dict[str, Any]:
    is_input = layer.name in {port.name for port in program.inputs}
    report = program.quantisation.get(layer.name)
    return {
        "name": layer.name,
        "kind": "input" if is_input else "cuba_lif",
        "shape": list(program.source_shape(layer.name)),
        "neurons": layer.neurons,
        "synapses": layer.synapses,
        "cores": layer.cores,
        "spikes": layer.spikes,
        "synops": layer.synops,
        "neuron_updates": layer.neuron_updates,
        "messages": layer.messages,
        **_spread("energy", "j", layer.energy),
        "quantisation": None if report is None else {**asdict(report), "notes": list(report.notes)},
    }


def _spread(name: str, unit: str, value: Range) -> dict[str, float]:
    return {f"{name}_{unit}": value.typical, f"{name}_low_{unit}": value.low, f"{name}_high_{unit}": value.high}
