"""Schema of profile files: a chip, a chip's costs alone, a device for the ANN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field

from spikeport.common.limits import LARGEST_CORE_BITS, LARGEST_COUNT, MOST_CORES

from .fixed_point import WIDEST
from .fixed_point import WordWidths as FixedPointWidths
from .quantity import Model, Name, Quantity, Section, Text

__all__ = ["ChipCosts", "ChipProfile", "CostProfile", "DeviceProfile", "Quantity", "constants"]


class WordWidths(Section):
    """Widths of the chip's registers in bit, exponents, and the longest delay in steps."""

    UNITS: ClassVar[dict[str, str]] = {"delay_max": "step", "weight_exp_min": "exponent", "weight_exp_max": "exponent"}
    UNIT = "bit"
    WHOLE = True
    SIGNED = frozenset({"weight_exp_min", "weight_exp_max"})
    # a weight has a sign and a digit, a state 6 digits below the threshold's lowest
    LEAST: ClassVar[Mapping[str, int]] = {
        "weight_bits": 2, "vth_bits": 1, "bias_mant_bits": 1, "state_bits": 8,
        "weight_exp_min": WIDEST.weight_exp_min, "weight_exp_max": 0,
    }  # fmt: skip
    MOST: ClassVar[Mapping[str, int]] = {**asdict(WIDEST), "weight_exp_min": 0}

    weight_bits: Quantity
    du_bits: Quantity
    dv_bits: Quantity
    vth_bits: Quantity
    bias_mant_bits: Quantity
    bias_exp_bits: Quantity
    state_bits: Quantity
    weight_exp_min: Quantity
    weight_exp_max: Quantity
    message_bits: Quantity
    delay_max: Quantity

    def fixed_point(self) -> FixedPointWidths:
        """The same widths as the plain integers that the fixed-point functions take."""
        return FixedPointWidths(**{name: int(getattr(self, name)) for name in type(self).model_fields})


class Limits(Section):
    """Capacity of one core, chip and board; None where no figure is published (chips_per_board: one chip).

    The synapses of one axon in one core form a list: synapse_header_bits, then the synapses, in whole words of
    synapse_word_bits; after synapses_per_list synapses a new list starts. delay_slots_per_core: accumulators; a
    compartment uses 2**bits of them, where its longest delay fits in that many bits. compartments_per_soft_reset: of a
    neuron that is reset by subtraction, else 1. image_tile_base: images are cut into tiles whose columns are a power of
    it, or all columns, and whose rows and channels are those of the image divided by a power of it; None: any tile.
    cores_per_router cores share a router; mesh_columns routers form a row.
    """

    UNITS: ClassVar[dict[str, str]] = {
        "compartments_per_core": "compartment",
        "input_axons_per_core": "axon",
        "output_axons_per_core": "axon",
        "synapse_memory_bits_per_core": "bit",
        "cores_per_chip": "core",
        "chips_per_board": "chip",
        "compartment_configs_per_core": "config",
        "threshold_configs_per_core": "config",
        "synapse_configs_per_core": "config",
        "synapse_word_bits": "bit",
        "synapse_header_bits": "bit",
        "synapses_per_list": "synapse",
        "delay_slots_per_core": "slot",
        "layers_per_core": "layer",
        "compartments_per_soft_reset": "compartment",
        "image_tile_base": "1",
        "mesh_columns": "router",
        "cores_per_router": "core",
    }
    WHOLE = True
    POSITIVE = frozenset(UNITS) - {"synapse_header_bits"}
    MOST: ClassVar[Mapping[str, int]] = {
        **dict.fromkeys(UNITS, LARGEST_COUNT),
        **dict.fromkeys(("cores_per_chip", "chips_per_board", "mesh_columns", "cores_per_router"), MOST_CORES),
        "synapse_memory_bits_per_core": LARGEST_CORE_BITS,
    }

    compartments_per_core: Quantity
    input_axons_per_core: Quantity | None = None
    output_axons_per_core: Quantity | None = None
    synapse_memory_bits_per_core: Quantity
    cores_per_chip: Quantity
    chips_per_board: Quantity | None = None
    compartment_configs_per_core: Quantity | None = None
    threshold_configs_per_core: Quantity | None = None
    synapse_configs_per_core: Quantity | None = None
    synapse_word_bits: Quantity | None = None
    synapse_header_bits: Quantity | None = None
    synapses_per_list: Quantity | None = None
    delay_slots_per_core: Quantity | None = None
    layers_per_core: Quantity | None = None
    compartments_per_soft_reset: Quantity | None = None
    image_tile_base: Quantity | None = None
    mesh_columns: Quantity | None = None
    cores_per_router: Quantity | None = None


class ChipEnergy(Section):
    """Joules per event; a missing optional value falls back as stated.

    synop: one weight read and added, dense format; synop_sparse, synop_conv: in those formats, else as synop.
    spike: what a spike costs at its source; message: each copy that leaves for a core, else contained in spike.
    hop: a message from one router to the next; chip_hop: from one chip to the next, else nothing.
    host_message: a spike that a processor outside the cores injects or reads, else nothing.
    step: what closing a time step costs, whatever the network does in it, else nothing.
    """

    UNIT = "J"
    RANGED = True

    synop: Quantity
    synop_sparse: Quantity | None = None
    synop_conv: Quantity | None = None
    neuron_update_inactive: Quantity
    neuron_update_active: Quantity
    spike: Quantity
    message: Quantity | None = None
    hop: Quantity
    chip_hop: Quantity | None = None
    host_message: Quantity | None = None
    step: Quantity | None = None


class ChipPower(Section):
    """Watts drawn while a network is loaded, regardless of activity.

    chips * (static_per_chip + host_per_chip + clock_per_hertz * time.clock) + cores in use * static_per_core;
    static_per_chip: the base, cores that are not in use included; host_per_chip: the processors outside the cores and
    their clock, where a source lists them separately, else 0.
    """

    UNITS: ClassVar[dict[str, str]] = {"clock_per_hertz": "W/Hz"}
    UNIT = "W"
    RANGED = True

    static_per_core: Quantity
    static_per_chip: Quantity
    host_per_chip: Quantity | None = None
    clock_per_hertz: Quantity | None = None


class ChipTime(Section):
    """Seconds: the shortest step (its barrier), and the work of one core per event.

    serial: what a core's smaller loads add to its largest (memory, compute, traffic): 0 if all overlap, 1 if they take
    turns. link: a message occupies a link between two routers, in one direction; hop: it takes to the next router.
    A missing optional value falls back: synop_sparse, synop_conv to synop, neuron_update_active to neuron_update;
    spike, message, message_in, serial, link, host_message to nothing. clock: cycles per second of a clocked chip.
    """

    UNITS: ClassVar[dict[str, str]] = {"clock": "Hz", "serial": "1"}
    MOST: ClassVar[Mapping[str, int]] = {"serial": 1}
    UNIT = "s"
    RANGED = True

    step_minimum: Quantity
    synop: Quantity
    synop_sparse: Quantity | None = None
    synop_conv: Quantity | None = None
    neuron_update: Quantity
    neuron_update_active: Quantity | None = None
    spike: Quantity | None = None
    message: Quantity | None = None
    message_in: Quantity | None = None
    serial: Quantity | None = None
    hop: Quantity
    link: Quantity | None = None
    host_message: Quantity | None = None
    clock: Quantity | None = None


class Validated(Section):
    """What the measured networks of a chip span: estimates outside of it rest on no measurement.

    cores: in use; activity: spikes a neuron and step; step_time: seconds of a step.
    """

    UNITS: ClassVar[dict[str, str]] = {"cores": "core", "activity": "1/step", "step_time": "s"}
    RANGED = True

    cores: Quantity
    activity: Quantity
    step_time: Quantity


class DeviceEnergy(Section):
    """Joules per multiply-accumulate and per byte moved, over and above the device's power draw."""

    UNIT = "J"
    RANGED = True

    mac_float32: Quantity
    mac_int8: Quantity
    memory_byte: Quantity


class DevicePower(Section):
    """Watts: `idle` always; `active` in addition while an inference runs, without its operations.

    sleep: between two inferences, in place of `idle`, where a source states it and the device may sleep then.
    """

    UNIT = "W"
    RANGED = True

    idle: Quantity
    active: Quantity
    sleep: Quantity | None = None


class DeviceTime(Section):
    """Sustained rates (operations or bytes per second), and seconds of overhead per call and per layer.

    macs_per_second_*: of matrices times vectors; conv_*: of convolutions, depthwise_*: of convolutions of each channel
    alone, else as macs_per_second_*. cache_bytes: weights that stay where cache_bytes_per_second holds, else all come
    at bytes_per_second. layer_overhead: of each layer with weights, else nothing.
    """

    UNITS: ClassVar[dict[str, str]] = {
        "macs_per_second_float32": "MAC/s",
        "macs_per_second_int8": "MAC/s",
        "conv_macs_per_second_float32": "MAC/s",
        "conv_macs_per_second_int8": "MAC/s",
        "depthwise_macs_per_second_float32": "MAC/s",
        "depthwise_macs_per_second_int8": "MAC/s",
        "bytes_per_second": "byte/s",
        "cache_bytes_per_second": "byte/s",
        "cache_bytes": "byte",
    }
    UNIT = "s"
    RANGED = True
    POSITIVE = frozenset(UNITS)

    macs_per_second_float32: Quantity
    macs_per_second_int8: Quantity
    conv_macs_per_second_float32: Quantity | None = None
    conv_macs_per_second_int8: Quantity | None = None
    depthwise_macs_per_second_float32: Quantity | None = None
    depthwise_macs_per_second_int8: Quantity | None = None
    bytes_per_second: Quantity
    cache_bytes_per_second: Quantity | None = None
    cache_bytes: Quantity | None = None
    overhead: Quantity
    layer_overhead: Quantity | None = None

    def rate(self, kind: str, precision: str) -> Quantity:
        """MAC/s of a kind of layer (dense, conv, depthwise) at a precision (float32, int8)."""
        own: Quantity | None = None if kind == "dense" else getattr(self, f"{kind}_macs_per_second_{precision}")
        dense: Quantity = getattr(self, f"macs_per_second_{precision}")
        return dense if own is None else own


class ChipProfile(Model):
    """A chip that networks are compiled for: word widths, limits and costs, each number with its source.

    integers: what computes with them: "loihi", or a family of the entry point group spikeport.integers, whose rules
    choose, check and run the integers. rules: numbers that only this family knows, by its own names.
    """

    kind: Literal["chip"]
    name: Name
    title: Text
    summary: Text
    integers: Name = "loihi"
    word_widths: WordWidths
    rules: dict[Name, Quantity] = Field(default_factory=dict)
    limits: Limits
    energy: ChipEnergy
    power: ChipPower
    time: ChipTime
    validated: Validated | None = None


class CostProfile(Model):
    """A chip with known costs only: counted events can be priced, but nothing is compiled for it."""

    kind: Literal["costs"]
    name: Name
    title: Text
    summary: Text
    energy: ChipEnergy
    power: ChipPower
    time: ChipTime
    validated: Validated | None = None


ChipCosts = ChipProfile | CostProfile


class DeviceProfile(Model):
    """A conventional device for the ANN: energy, power and time at batch 1, each number with its source.

    One inference takes overhead + the sum over the layers of max(macs / rate, bytes / bytes_per_second) and costs
    macs * mac + bytes * memory_byte + time * active, plus time * idle as the static share
    (lava_runtime/cost_model/ann_cost.py).
    """

    kind: Literal["device"]
    name: Name
    title: Text
    summary: Text
    energy: DeviceEnergy
    power: DevicePower
    time: DeviceTime


def constants(profile: ChipCosts | DeviceProfile) -> list[tuple[str, Quantity]]:
    """Every quantity of a profile with its dotted name, in the order of the schema."""
    return list(_walk(profile, ""))


def _walk(model: BaseModel, prefix: str) -> list[tuple[str, Quantity]]:
    quantities: list[tuple[str, Quantity]] = []
    for field in type(model).model_fields:
        value: Any = getattr(model, field)
        if isinstance(value, Quantity):
            quantities.append((prefix + field, value))
        elif isinstance(value, BaseModel):
            quantities.extend(_walk(value, f"{prefix}{field}."))
        elif isinstance(value, dict):
            quantities.extend((f"{prefix}{field}.{name}", quantity) for name, quantity in value.items())
    return quantities
