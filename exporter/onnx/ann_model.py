"""The ANN twin as ONNX: build, quantise and run it with onnxruntime.

Operators (opset 17): Flatten, Gemm (y = x W^T + b), Conv, Relu, Sum, Add and AveragePool. Input "input"
(N, *input_shape), output "logits" (N, classes), both float32; N is free.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from spikeport.common.errors import InputError, reason
from spikeport.common.files import replacing
from spikeport.trainer.network.inference_layers import Geometry, TwinLayer

OPSET = 17
# the first with opset 17, so that older runtimes can also read the file
IR_VERSION = 8
INPUT, OUTPUT = "input", "logits"
RUN_BATCH = 512

Samples = NDArray[np.floating[Any]]


def export_onnx(twin_layers: Sequence[TwinLayer], input_shape: Sequence[int], path: str | Path) -> None:
    """Write the twin's layers as a float32 ONNX model; raises InputError without layers or if it cannot be written."""
    if not twin_layers:
        raise InputError(f"{path}: an ONNX model needs at least one layer")
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    values = {INPUT: INPUT}
    for layer in twin_layers:
        result = OUTPUT if layer is twin_layers[-1] else f"{layer.name}_output"
        nodes += _layer_nodes(layer, values, result)
        weights += [
            numpy_helper.from_array(layer.weight.astype(np.float32), f"{layer.name}_weight"),
            numpy_helper.from_array(layer.bias.astype(np.float32), f"{layer.name}_bias"),
        ]
        if layer.shortcut is not None:
            weights.append(
                numpy_helper.from_array(layer.shortcut.weight.astype(np.float32), f"{layer.name}_skip_weight")
            )
        values[layer.name] = result
    graph = helper.make_graph(
        nodes,
        "ann_twin",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", *(int(size) for size in input_shape)])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", *twin_layers[-1].output_shape])],
        weights,
    )
    model = helper.make_model(
        graph,
        producer_name="spikeport",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def quantise_onnx(float_path: str | Path, int8_path: str | Path, calibration_x: Samples) -> None:
    """Quantise to int8 with onnxruntime's static quantiser: QDQ, weights per channel, ranges from calibration data.

    calibration_x: training samples (N, *input_shape). Raises InputError for a model that cannot be read, samples of
    another shape, none, or not finite.
    Source: onnxruntime documentation, Quantize ONNX models, "Static quantization".
    """
    samples = _checked(calibration_x, _open(float_path), float_path)
    if len(samples) == 0 or not np.isfinite(samples).all():
        raise InputError(f"{float_path}: calibration needs at least one sample and finite values")
    with tempfile.TemporaryDirectory() as folder:
        # the quantiser writes files next to its input
        prepared, quantised = Path(folder, "prepared.onnx"), Path(folder, "quantised.onnx")
        quant_pre_process(Path(float_path), prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantised,
            _Calibration(samples),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
        with replacing(int8_path) as temporary:
            temporary.write_bytes(quantised.read_bytes())


def run_onnx(path: str | Path, x: Samples) -> NDArray[np.float32]:
    """Logits (N, classes) for samples x (N, *input_shape), on one CPU thread, the same on every run.

    Raises InputError for a model that cannot be read (missing, truncated) or samples of another shape.
    """
    session = _open(path)
    samples = _checked(x, session, path)
    parts = [
        session.run([OUTPUT], {INPUT: samples[start : start + RUN_BATCH]})[0]
        for start in range(0, len(samples), RUN_BATCH)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, session.get_outputs()[0].shape[1]), dtype=np.float32)


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Pass the quantiser one batch of samples after another."""

    def __init__(self, samples: NDArray[np.float32]) -> None:
        self._batches: Iterator[NDArray[np.float32]] = iter(np.array_split(samples, -(-len(samples) // RUN_BATCH)))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def _layer_nodes(layer: TwinLayer, values: Mapping[str, str], result: str) -> list[onnx.NodeProto]:
    name = layer.name
    value, nodes = _read(layer, name, values)
    summed = f"{name}_sum" if layer.relu else result
    main = summed if layer.shortcut is None else f"{name}_main"
    nodes.append(_synapse(layer, name, layer.weight, [value, f"{name}_weight", f"{name}_bias"], main))
    if layer.shortcut is not None:
        skip = f"{name}_skip"
        value, read = _read(layer.shortcut, skip, values)
        inputs = [value, f"{skip}_weight"]
        nodes += [*read, _synapse(layer.shortcut, skip, layer.shortcut.weight, inputs, f"{skip}_sum")]
        nodes.append(helper.make_node("Add", [main, f"{skip}_sum"], [summed], f"{name}_join"))
    if layer.relu:
        nodes.append(helper.make_node("Relu", [summed], [result], f"{name}_relu"))
    return nodes


def _read(layer: Geometry, name: str, values: Mapping[str, str]) -> tuple[str, list[onnx.NodeProto]]:
    """A synapse's input: its sources added, pooled, flattened. Returns the value's name and the nodes."""
    nodes: list[onnx.NodeProto] = []
    value, *others = (values[source] for source in layer.sources)
    if others:
        nodes.append(helper.make_node("Sum", [value, *others], [f"{name}_in"], f"{name}_add"))
        value = f"{name}_in"
    if layer.pool > 1:
        sides = [layer.pool, layer.pool]
        pooled = f"{name}_pooled"
        nodes.append(
            helper.make_node(
                "MaxPool" if layer.pool_kind == "max" else "AveragePool",
                [value],
                [pooled],
                f"{name}_pool",
                kernel_shape=sides,
                strides=sides,
            )
        )
        value = pooled
    if layer.flatten_before:
        nodes.append(helper.make_node("Flatten", [value], [f"{name}_flat"], f"{name}_flatten", axis=1))
        value = f"{name}_flat"
    return value, nodes


def _synapse(layer: Geometry, name: str, weight: NDArray[Any], inputs: Sequence[str], result: str) -> onnx.NodeProto:
    if layer.kind == "dense":
        return helper.make_node("Gemm", inputs, [result], name, transB=1)
    top, left = layer.padding
    return helper.make_node(
        "Conv",
        inputs,
        [result],
        name,
        strides=layer.stride,
        pads=(top, left, top, left),
        dilations=layer.dilation,
        group=layer.groups,
        kernel_shape=weight.shape[2:],
    )


def _open(path: str | Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    # fused, int8 products of 32 samples and more come out wrong in onnxruntime 1.23 on processors with AMX tiles
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    try:
        model = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or reason(error)})") from error
    try:
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    # onnxruntime's exceptions have no common public base
    except Exception as error:
        raise InputError(f"{path}: is truncated or not an ONNX model; export it again") from error
    if [value.name for value in (*session.get_inputs(), *session.get_outputs())] != [INPUT, OUTPUT]:
        raise InputError(f"{path}: is not an ONNX model of an ANN twin (one input {INPUT!r}, one output {OUTPUT!r})")
    return session


def _checked(x: Samples, session: ort.InferenceSession, path: str | Path) -> NDArray[np.float32]:
    shape = tuple(session.get_inputs()[0].shape[1:])
    if x.shape[1:] != shape:
        raise InputError(f"{path}: takes samples of shape {shape}, not {x.shape[1:]}")
    return np.ascontiguousarray(x, dtype=np.float32)
