"""Devices of the ANN: what was measured on them, and how near the profiles come."""

from __future__ import annotations

import pytest

from benchmarks.cost_model.ann_networks import NETWORKS, sizes_of
from benchmarks.cost_model.device_cases import compared, load_device_cases
from spikeport.hardware_profiles import DeviceProfile, available, load_profile
from spikeport.run.measures import DEFAULT_DEVICES

CASES = load_device_cases()


@pytest.mark.parametrize("device", sorted({origin.device for origin in CASES}))
def test_every_measured_number_is_near_its_estimate_and_inside(device: str) -> None:
    points = [point for origin in CASES if origin.device == device for point in compared(origin)]
    missed = [(p.case.network, p.case.precision, p.quantity, p.ratio, p.inside) for p in points if not p.kept]
    assert len(points) >= 2 and not missed


def test_every_device_has_measured_cases_and_every_default_one_several_networks() -> None:
    networks: dict[str, set[str]] = {}
    for origin in CASES:
        networks.setdefault(origin.device, set()).update(case.network for case in origin.case)
    assert set(networks) == {name for name in available() if isinstance(load_profile(name), DeviceProfile)}
    assert all(len(networks[name]) >= 4 for name in DEFAULT_DEVICES)


@pytest.mark.parametrize(
    ("network", "macs", "parameters"),
    # the benchmark's and the authors' own counts, rounded
    [("resnet8", 12.5e6, 78e3), ("ds_cnn", 2.66e6, 22.6e3), ("mobilenet_v1_025_96", 7.49e6, 211e3),
     ("auto_encoder", 264e3, 266e3), ("mobilenet_v1", 569e6, 4.2e6), ("mobilenet_v2", 300e6, 3.49e6),
     ("resnet18", 1.814e9, 11.68e6), ("alexnet", 724e6, 61e6), ("yolov8n", 4.37e9, 3.15e6), ("vgg16", 15.5e9, 138e6)],
)  # fmt: skip
def test_networks_have_their_published_size(network: str, macs: float, parameters: float) -> None:
    sizes = sizes_of(network)
    assert sum(size.macs for size in sizes) == pytest.approx(macs, rel=0.01)
    assert sum(size.parameters for size in sizes) == pytest.approx(parameters, rel=0.01)


def test_cases_name_networks_that_exist() -> None:
    assert {case.network for origin in CASES for case in origin.case} <= set(NETWORKS)
