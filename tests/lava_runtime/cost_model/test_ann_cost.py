"""The ANN twin's cost against figures worked out by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from spikeport.hardware_profiles import DeviceProfile, available, load_device, load_profile
from spikeport.lava_runtime.cost_model.ann_cost import PRECISIONS, Precision, TwinLayerSize, best_batch, device_cost

LAYERS = (TwinLayerSize(macs=784 * 100, parameters=784 * 100 + 100, inputs=784, outputs=100),
          TwinLayerSize(macs=1000, parameters=1010, inputs=100, outputs=10))  # fmt: skip


def device(**numbers: float) -> DeviceProfile:
    """A device whose typical numbers are given and whose low and high are half and twice as much."""
    real = load_device("server_cpu")
    sections: dict[str, Any] = {}
    for section in ("energy", "power", "time"):
        model = getattr(real, section)
        sections[section] = model.model_copy(update={
            name: getattr(model, name).model_copy(update={"value": v, "low": v / 2, "high": v * 2})
            for name, v in numbers.items() if name in type(model).model_fields
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


KEYWORDS = tuple(TwinLayerSize(a * b, a * b + b, a, b) for a, b in ((390, 256), (256, 256), (256, 29)))
AUTO_ENCODER = tuple(
    TwinLayerSize(a * b, a * b + b, a, b) for a, b in pairwise((640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640))
)


@pytest.mark.parametrize(
    ("name", "layers", "precision", "batch", "joules", "rate"),
    [
        # repository abr/power_benchmarks, logs/running: watts running / inferences a second
        ("desktop_gpu", KEYWORDS, "float32", 1, 37.83 / 770.4, 770.4),
        ("desktop_gpu", KEYWORDS, "float32", 64, 41.25 / 36150, 36150),
        ("jetson_tx1", KEYWORDS, "float32", 1, 4.98 / 419, 419),
        ("jetson_tx1", KEYWORDS, "float32", 64, 4.36 / 16976, 16976),
        ("usb_accelerator", KEYWORDS, "float32", 1, 1.431 / 464.6, 464.6),
        # repository mlcommons/tiny_results_v1.0, NUCLEO_L4R5ZI, ad
        ("microcontroller", AUTO_ENCODER, "int8", 1, 323e-6, 131.95),
    ],
)
def test_devices_give_back_what_was_measured(
    name: str, layers: tuple[TwinLayerSize, ...], precision: Precision, batch: int, joules: float, rate: float
) -> None:
    cost = device_cost(layers, load_device(name), precision, batch)
    assert cost.energy.typical == pytest.approx(joules, rel=0.3)
    assert 1 / cost.seconds.typical == pytest.approx(rate, rel=0.2)
    assert cost.energy.low <= joules <= cost.energy.high


def test_every_shipped_device_gives_ranges_in_order() -> None:
    names = [name for name in available() if isinstance(load_profile(name), DeviceProfile)]
    assert len(names) >= 2
    for name in names:
        for precision in PRECISIONS:
            cost = device_cost(LAYERS, load_device(name), precision)
            for what in (cost.latency, cost.dynamic, cost.static, cost.energy):
                assert 0 < what.low <= what.typical <= what.high
