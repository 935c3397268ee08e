"""ONNX networks as onnxruntime's own tools quantise them."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


@dataclass(frozen=True)
class Mode:
    """How a network is quantised; format: QDQ, QOperator or dynamic."""

    format: str
    activations: str = "QInt8"
    weights: str = "QInt8"
    per_channel: bool = False


class _Samples(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, x: NDArray[Any]) -> None:
        self._samples: Iterator[NDArray[Any]] = iter([x])

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        x = next(self._samples, None)
        return None if x is None else {"x": x}


def quantise(model: onnx.ModelProto, x: NDArray[Any], mode: Mode) -> onnx.ModelProto:
    """The network in integers; x: samples that set the ranges of its signals."""
    logging.disable(logging.WARNING)
    try:
        with tempfile.TemporaryDirectory() as folder:
            float_path, prepared, written = (Path(folder, f"{name}.onnx") for name in ("float", "prepared", "written"))
            onnx.save(model, str(float_path))
            quant_pre_process(float_path, prepared, skip_symbolic_shape=True)
            weights = QuantType[mode.weights]
            if mode.format == "dynamic":
                quantize_dynamic(prepared, written, weight_type=weights, per_channel=mode.per_channel)
            else:
                # onnxruntime's products of uint8 and int8 saturate at 16 bits on processors without VNNI: 7 bits do not
                mixed = (mode.activations, mode.weights) == ("QUInt8", "QInt8")
                quantize_static(
                    prepared, written, _Samples(x), quant_format=QuantFormat[mode.format], weight_type=weights,
                    activation_type=QuantType[mode.activations], per_channel=mode.per_channel, reduce_range=mixed,
                )  # fmt: skip
            return onnx.load(str(written))
    finally:
        logging.disable(logging.NOTSET)


def integers_of(model: onnx.ModelProto) -> list[NDArray[np.int64]]:
    """Its 8-bit matrices, as they are stored, minus their zero points."""
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    found = []
    for name, values in stored.items():
        if values.dtype.itemsize == 1 and values.ndim == 2:
            zero = stored.get(name.replace("_quantized", "_zero_point"), np.zeros((), np.int8))
            found.append(values.astype(np.int64) - zero.astype(np.int64))
    return found
