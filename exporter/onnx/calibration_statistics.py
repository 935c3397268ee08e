"""Answers and ReLU ranges of a ReLU network on sample input, computed with onnxruntime."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from spikeport.common.errors import InputError, reason

from .relu_network import ReluNetwork

RUN_BATCH = 64
# most values per layer and batch from which percentiles are computed
_MAX_VALUES = 1 << 18


@dataclass(frozen=True)
class CalibrationStatistics:
    """On sample input: each ReLU's largest |input|, largest output and a percentile of its outputs above 0.

    By name of the ReLU's output tensor. largest_input, largest_output: of the network.
    """

    sums: dict[str, float]
    outputs: dict[str, float]
    percentiles: dict[str, float]
    largest_input: float
    largest_output: float


def answers(network: ReluNetwork, x: NDArray[np.float32], converted: bool = False) -> NDArray[np.float32]:
    """The output for x (N, *input shape), (N, classes), of the network in the file; raises InputError.

    converted: of the float network that the chip computes, without integers, and with what replaces MaxPool.
    """
    source = network.model if converted else network.original
    parts = [outputs[0] for outputs in _run(network, x, [network.output], source)]
    return np.concatenate(parts).reshape(len(x), -1)


def record(network: ReluNetwork, x: NDArray[np.float32], percentile: float = 99.9) -> CalibrationStatistics:
    """Run x (N, *input shape) and record every ReLU; raises InputError for another shape, no samples, or NaN."""
    names = [name for relu in network.relus for name in (relu.before, relu.after)]
    sums, outputs, active_outputs = dict[str, float](), dict[str, float](), dict[str, list[NDArray[np.float32]]]()
    largest = 0.0
    for answer, *tensors in _run(network, x, [network.output, *names], network.model):
        largest = max(largest, float(np.abs(answer).max()))
        for relu, before, after in zip(network.relus, tensors[::2], tensors[1::2], strict=True):
            name = relu.after
            sums[name] = max(sums.get(name, 0.0), float(np.abs(before).max()))
            outputs[name] = max(outputs.get(name, 0.0), float(after.max()))
            above = after[after > 0]
            active_outputs.setdefault(name, []).append(above[:: max(1, above.size // _MAX_VALUES)])
    percentiles = {
        name: float(np.percentile(np.concatenate(values), percentile)) if any(v.size for v in values) else 1.0
        for name, values in active_outputs.items()
    }
    return CalibrationStatistics(sums, outputs, percentiles, float(np.abs(x).max()), largest)


def check_samples(network: ReluNetwork, x: NDArray[np.generic], context: str) -> NDArray[np.float32]:
    """Samples (N, *input shape) as float32; raises InputError."""
    expected = ", ".join(["N", *map(str, network.shape)])
    if x.dtype.kind not in "biuf" or x.ndim != len(network.shape) + 1 or x.shape[1:] != network.shape or not len(x):
        raise InputError(
            f"{context}: has shape {x.shape}, but {network.context} takes ({expected}), one sample per row"
        )
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise InputError(f"{context}: holds NaN or infinity; give the numbers that the network was trained on")
    largest = np.finfo(np.float32).max
    if not -largest <= x.min(initial=0) <= x.max(initial=0) <= largest:
        raise InputError(f"{context}: holds {x.min():g} to {x.max():g}, more than float32 holds; scale the samples")
    return np.ascontiguousarray(x, np.float32)


def _run(
    network: ReluNetwork, x: NDArray[np.float32], names: list[str], source: onnx.ModelProto
) -> Iterator[list[NDArray[np.float32]]]:  # fmt: skip
    """The tensors of these names, batch after batch; batches have the size that the model demands."""
    model = onnx.ModelProto()
    model.CopyFrom(source)
    existing = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names) if name not in existing)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # fused nodes would have no tensor between them
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        entry = network.entry
        fixed, batch = entry.batch, entry.batch or RUN_BATCH
        for start in range(0, len(x), batch):
            part = x[start : start + batch]
            missing = batch - len(part) if fixed else 0
            padded = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part
            entering = np.ascontiguousarray(padded, np.float32).reshape(entry.fed(len(padded)))
            tensors = session.run(names, {network.input: entering})
            if not entry.batched:
                tensors = [values[None] for values in tensors]
            if not all(np.isfinite(values).all() for values in tensors):
                raise InputError(f"{network.context}: outputs NaN or infinity on the samples; train or export it again")
            yield [values[: len(part)] for values in tensors]
    except InputError:
        raise
    except Exception as error:  # onnxruntime's exceptions have no common public base
        raise InputError(f"{network.context}: onnxruntime cannot run it ({reason(error)}); export it again") from error
