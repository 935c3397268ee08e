"""The ANN twin's cost against figures worked out by hand."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from spikeport.hardware_profiles import DeviceProfile, available, load_device, load_profile
from spikeport.lava_runtime.cost_model.ann_cost import (
    PRECISIONS,
    LayerKind,
    TwinLayerSize,
    best_batch,
    conv_kind,
    device_cost,
)

LAYERS = (TwinLayerSize(macs=784 * 100, parameters=784 * 100 + 100, inputs=784, outputs=100),
          TwinLayerSize(macs=1000, parameters=1010, inputs=100, outputs=10))  # fmt: skip


def device(**numbers: float) -> DeviceProfile:
    """A device whose typical numbers are given and whose low and high are half and twice as much.

    Optional numbers that are not given are absent.
    """
    real = load_device("server_cpu")
    sections: dict[str, Any] = {}
    for section in ("energy", "power", "time"):
        model = getattr(real, section)
        sections[section] = model.model_copy(update={
            name: getattr(model, name).model_copy(update={"value": v, "low": v / 2, "high": v * 2})
            for name, v in numbers.items() if name in type(model).model_fields
        } | {
            name: None
            for name, field in type(model).model_fields.items() if name not in numbers and not field.is_required()
        })  # fmt: skip
    return real.model_copy(update=sections)


BOUND_BY_BYTES = device(
    mac_float32=4.0, mac_int8=1.0, memory_byte=3.0, idle=5.0, active=7.0, macs_per_second_float32=1e6,
    macs_per_second_int8=4e6, bytes_per_second=1e5, overhead=0.5,
)  # fmt: skip
BOUND_BY_MACS = device(
    mac_float32=4.0, mac_int8=1.0, memory_byte=3.0, idle=5.0, active=7.0, macs_per_second_float32=1e3,
    macs_per_second_int8=4e3, bytes_per_second=1e9, overhead=0.5,
)  # fmt: skip


def test_a_device_bound_by_memory() -> None:
    cost = device_cost(LAYERS, BOUND_BY_BYTES, "float32")
    # 78,400 + 1,000 multiply-accumulates; (78,500 + 784 + 100 + 1,010 + 100 + 10) numbers of 4 bytes
    assert (cost.macs, cost.bytes) == (79_400, 322_016)
    assert cost.latency.typical == pytest.approx(0.5 + 3.22016)
    assert cost.dynamic.typical == pytest.approx(79_400 * 4 + 322_016 * 3 + 3.72016 * 7)
    assert cost.static.typical == pytest.approx(3.72016 * 5)
    assert cost.energy.typical == pytest.approx(cost.dynamic.typical + cost.static.typical)
    # fastest where rates are high and overhead is low
    assert cost.latency.low == pytest.approx(0.25 + 3.22016 / 2)
    assert cost.latency.high == pytest.approx(1.0 + 3.22016 * 2)
    assert cost.dynamic.low == pytest.approx(79_400 * 2 + 322_016 * 1.5 + (0.25 + 1.61008) * 3.5)


def test_a_device_bound_by_arithmetic_in_int8() -> None:
    cost = device_cost(LAYERS, BOUND_BY_MACS, "int8")
    assert (cost.macs, cost.bytes) == (79_400, 80_504)
    assert cost.latency.typical == pytest.approx(0.5 + 79.4 / 4)
    assert cost.dynamic.typical == pytest.approx(79_400 + 80_504 * 3 + (0.5 + 19.85) * 7)


def test_a_batch_shares_the_call_and_the_weights() -> None:
    cost = device_cost(LAYERS, BOUND_BY_BYTES, "float32", 10)
    moved = 4 * (78_500 + 1_010 + 10 * (784 + 100 + 100 + 10))
    assert cost.latency.typical == pytest.approx(0.5 + moved / 1e5)
    assert cost.seconds.typical == pytest.approx(cost.latency.typical / 10)
    assert cost.dynamic.typical == pytest.approx(79_400 * 4 + moved / 10 * 3 + cost.seconds.typical * 7)
    assert cost.static.typical == pytest.approx(cost.seconds.typical * 5)
    best = best_batch(LAYERS, BOUND_BY_BYTES, "float32")
    assert best.batch > 1
    assert best.energy.typical < device_cost(LAYERS, BOUND_BY_BYTES, "float32").energy.typical
    assert best.energy.typical <= 1.02 * device_cost(LAYERS, BOUND_BY_BYTES, "float32", 1024).energy.typical


def test_each_kind_of_layer_has_its_rate_and_each_layer_its_overhead() -> None:
    sizes = [TwinLayerSize(6000, 0, 0, 0, kind) for kind in get_args(LayerKind)]
    rates = {
        f"{prefix}macs_per_second_{p}": rate * (1 if p == "float32" else 2)
        for p in PRECISIONS
        for prefix, rate in (("", 1e3), ("conv_", 3e3), ("depthwise_", 2e3))
    }
    one = device(**rates, bytes_per_second=1e9, overhead=0.5, layer_overhead=0.25)
    assert device_cost(sizes, one, "float32").latency.typical == pytest.approx(0.5 + 3 * 0.25 + 6 + 2 + 3)
    assert device_cost(sizes, one, "int8").latency.typical == pytest.approx(0.5 + 3 * 0.25 + 3 + 1 + 1.5)
    # without rates of their own all are as dense ones
    dense = device(macs_per_second_float32=1e3, bytes_per_second=1e9, overhead=0.5)
    assert device_cost(sizes, dense, "float32").latency.typical == pytest.approx(0.5 + 18)


def test_weights_beyond_the_cache_come_from_memory() -> None:
    one = device(
        macs_per_second_float32=1e9, bytes_per_second=1e3, cache_bytes_per_second=1e4, cache_bytes=4e3, overhead=0.5
    )
    small = device_cost([TwinLayerSize(1, 1000, 50, 50)], one, "float32")
    assert small.latency.typical == pytest.approx(0.5 + 4400 / 1e4)
    # half of 8,000 bytes stay in the cache, a quarter of them if it is half as large, all if it is twice as large
    large = device_cost([TwinLayerSize(1, 2000, 50, 50)], one, "float32")
    assert large.latency.typical == pytest.approx(0.5 + 4 + 0.4 + 0.04)
    assert large.latency.high == pytest.approx(1.0 + 2 * (6 + 0.2 + 0.04))
    assert large.latency.low == pytest.approx(0.25 + (0.8 + 0.04) / 2)


@pytest.mark.parametrize(("weights", "kind"), [((8, 3, 3, 3), "conv"), ((8, 1, 3, 3), "depthwise")])
def test_a_convolution_that_sums_over_no_channels_is_depthwise(weights: tuple[int, ...], kind: str) -> None:
    assert conv_kind(weights) == kind


def test_every_shipped_device_gives_ranges_in_order() -> None:
    names = [name for name in available() if isinstance(load_profile(name), DeviceProfile)]
    assert len(names) >= 2
    for name in names:
        for precision in PRECISIONS:
            cost = device_cost(LAYERS, load_device(name), precision)
            for what in (cost.latency, cost.dynamic, cost.static, cost.energy):
                assert 0 < what.low <= what.typical <= what.high
