"""Concat, Resize, Upsample and ConvTranspose: as in onnxruntime, on the chip, and refused where they would differ."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_float import opened, relu_answers
from onnx_graphs import run_onnx
from onnx_models import Model

from spikeport.common.errors import InputError
from spikeport.exporter.onnx.convert import Coding, convert_onnx
from spikeport.hardware_profiles import load_chip
from spikeport.results.conversion import measure

LOIHI2 = load_chip("loihi2")
IMAGES = np.random.default_rng(5).normal(0, 1, (3, 2, 4, 5)).astype(np.float32)


def finished(model: Model, opset: int = 17) -> onnx.ModelProto:
    proto = model.proto()
    proto.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(model.now, 1, [None] * 4))
    proto.opset_import[0].version = opset
    return proto


def assert_equal(proto: onnx.ModelProto, x: Any = IMAGES) -> None:
    wanted = run_onnx(proto, {"x": x})[0]
    found = relu_answers(opened(proto), x)
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, atol=1e-5 * (1 + np.abs(wanted).max()))


def image(relu: bool = True) -> Model:
    model = Model((2, 4, 5), seed=3)
    model.conv(4)
    if relu:
        model.add("Relu")
    return model


TRANSPOSED: list[dict[str, Any]] = [
    {"strides": [2, 2]}, {"strides": [2, 3], "pads": [1, 0, 2, 1]}, {"strides": [3, 2], "output_padding": [2, 1]},
    {"dilations": [2, 1], "strides": [1, 2], "kernel_shape": [3, 2]}, {"auto_pad": "VALID"},
]  # fmt: skip


@pytest.mark.parametrize(("attributes", "group"), [*itertools.product(TRANSPOSED, [1, 2, 4])])
def test_a_transposed_convolution(attributes: dict[str, Any], group: int) -> None:
    model = image()
    rng = np.random.default_rng(1)
    model.add("ConvTranspose", rng.normal(0, 1, (4, 2, 3, 2)), rng.normal(0, 1, 2 * group), group=group, **attributes)
    model.add("Relu")
    assert_equal(finished(model))


@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize(
    "mode", ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"]
)
def test_nearest_neighbours_of_every_mode(mode: str, rounding: str) -> None:
    # an image that is not a whole number of pixels large is on a border in its middle
    whole = mode == "half_pixel_symmetric"
    for sides in ((2.0, 3.0), (1.5, 1.0), (0.5, 2.0 if whole else 2.5)):
        model = image()
        model.weights += [onnx.numpy_helper.from_array(np.float32([1, 1, *sides]), "scales")]
        model.add(
            "Resize", inputs=(model.now, "", "scales"), coordinate_transformation_mode=mode, nearest_mode=rounding
        )
        assert_equal(finished(model, 19))


def test_sizes_axes_and_the_older_upsample() -> None:
    model = image()
    model.weights += [onnx.numpy_helper.from_array(np.array([7, 5]), "sizes")]
    model.add("Resize", inputs=(model.now, "", "", "sizes"), axes=[2, 3])
    assert_equal(finished(model, 18))
    model = image()
    model.add("Upsample", np.array([1, 1, 2.0, 3.0], np.float32), mode="nearest")
    assert_equal(finished(model, 9))


def skipping(upsample: Callable[[Model], None], shape: tuple[int, ...] = (2, 4, 4)) -> Model:
    """A network in the form of a U: a branch at half the size, joined with its input."""
    model = Model(shape, seed=2)
    model.conv(4)
    skip = model.add("Relu")
    model.conv(6, stride=2)
    model.add("Relu")
    upsample(model)
    model.shape = (6, *shape[1:])
    model.batch_norm()
    joined = model.add("Concat", inputs=(model.now, skip, model.now), axis=1)
    model.now, model.shape = joined, (16, *shape[1:])
    model.batch_norm()
    model.conv(3)
    model.add("Relu")
    model.add("Flatten")
    model.shape = (3 * shape[1] * shape[2],)
    model.dense(4)
    return model


def by_resize(model: Model) -> None:
    model.weights += [onnx.numpy_helper.from_array(np.float32([1, 1, 2, 2]), "scales")]
    model.add("Resize", inputs=(model.now, "", "scales"))


def by_transposed_convolution(model: Model) -> None:
    model.add("ConvTranspose", model.rng.normal(0, 0.4, (6, 6, 2, 2)), strides=[2, 2])
    model.add("Relu")


@pytest.mark.parametrize("upsample", [by_resize, by_transposed_convolution])
@pytest.mark.parametrize(("way", "largest"), [("rate", 0.2), ("sigma-delta", 0.03)])
def test_a_network_with_skip_connections_on_the_chip(
    upsample: Callable[[Model], None], way: Coding, largest: float, tmp_path: Path
) -> None:
    x = np.random.default_rng(0).uniform(0, 1, (12, 2, 4, 4)).astype(np.float32)
    model = skipping(upsample)
    assert_equal(model.proto(), x)
    found = measure(convert_onnx(model.save(tmp_path / "m.onnx"), LOIHI2, x, way, 64), way, x, 64)
    assert (found.losses[-1].error or 1) < largest


def test_vectors_are_joined() -> None:
    model = Model((6,), seed=2)
    model.dense(4)
    first = model.add("Relu")
    model.add("Concat", inputs=(first, "x"), axis=-1)
    model.shape = (10,)
    model.dense(3)
    assert_equal(model.proto(), np.random.default_rng(0).normal(0, 1, (4, 6)).astype(np.float32))


def concat(*constants: Any, **attributes: Any) -> Model:
    model = image()
    model.add("Concat", *constants, inputs=(model.now, "x"), **attributes)
    return model


def resized(*constants: Any, inputs: int = 3, **attributes: Any) -> Model:
    model = image()
    names = [""] * (inputs - 1 - len(constants))
    start = len(model.weights)
    model.weights += [
        onnx.numpy_helper.from_array(np.asarray(values), f"r{start + i}") for i, values in enumerate(constants)
    ]
    model.add("Resize", inputs=(model.now, *names, *(f"r{start + i}" for i in range(len(constants)))), **attributes)
    return model


def transposed(weight: Any = None, **attributes: Any) -> Model:
    model = image()
    model.add("ConvTranspose", np.ones((4, 2, 2, 2)) if weight is None else weight, **attributes)
    return model


TWICE = np.float32([1, 1, 2, 2])
REFUSED: list[tuple[Callable[[], Model], str]] = [
    (lambda: concat(axis=2), "joins along axis 2; only channels or features, axis 1"),
    (lambda: concat(np.ones((3, 1, 4, 5)), axis=1), "joins a constant to the network's signal"),
    (lambda: resized(TWICE, mode="linear"), "has mode linear; resize to the nearest neighbour"),
    (lambda: resized(np.float32([1, 2, 2, 2])), "only height and width can change"),
    (lambda: resized(TWICE, coordinate_transformation_mode="tf_crop_and_resize"), "tf_crop_and_resize; use one of"),
    (
        lambda: resized(np.array([1, 4, 8, 8]), inputs=4, keep_aspect_ratio_policy="not_larger"),
        "keeps the aspect ratio",
    ),
    (
        lambda: resized(
            np.float32([1, 1, 1, 0.6]), coordinate_transformation_mode="half_pixel_symmetric", nearest_mode="floor"
        ),
        "has a neighbour that depends on the last digit of the scale 0.6",
    ),
    (lambda: resized(TWICE, antialias=1), "has antialias 1; resize without it"),
    (lambda: resized(np.float32([1, 1, 900, 900])), "more than 33,554,432 weights"),
    (lambda: transposed(output_shape=[9, 11]), "and output_shape (9, 11); give four and two numbers"),
    (lambda: transposed(auto_pad="SAME_UPPER"), "has auto_pad SAME_UPPER"),
    (lambda: transposed(np.ones((3, 2, 2, 2))), "weights (3, 2, 2, 2) and group 1 do not fit an image (4, 4, 5)"),
    (lambda: transposed(pads=[4, 4, 4, 4]), "use smaller pads"),
    (lambda: transposed(kernel_shape=[3, 3]), "give four axes, and kernel_shape as theirs"),
]


@pytest.mark.parametrize(("make", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_what_would_become_another_network_is_refused(make: Callable[[], Model], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        opened(finished(make(), 18))
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
