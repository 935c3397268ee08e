"""Sizes of the ANN that a network on a chip is compared with: its teacher's, or those of an ANN of the same layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spikeport.common.errors import InputError, reason
from spikeport.exporter.mapping import synapse_count
from spikeport.exporter.program.chip_program import ChipProgram, Connection, ConvConnection
from spikeport.lava_runtime.cost_model.ann_cost import LayerKind, TwinLayerSize, conv_kind


def twin_sizes_of(program: ChipProgram, onnx_file: Path | None = None) -> list[TwinLayerSize]:
    """The layers of an .onnx file, or one layer per population with the same synapses; raises InputError."""
    return _program_sizes(program) if onnx_file is None else onnx_sizes(onnx_file)


def _program_sizes(program: ChipProgram) -> list[TwinLayerSize]:
    sizes = []
    for population in program.populations:
        incoming = program.into(population.name)
        if incoming:
            sizes.append(
                TwinLayerSize(
                    macs=sum(synapse_count(c, program) for c in incoming),
                    parameters=sum(int(np.asarray(c.weights).size) for c in incoming) + population.size,
                    inputs=sum(program.source_size(c.source) for c in incoming),
                    outputs=population.size,
                    kind=_kind(incoming[0]),
                )
            )
    return sizes


def _kind(connection: Connection) -> LayerKind:
    if isinstance(connection, ConvConnection):
        return conv_kind(np.asarray(connection.weights).shape)
    return "dense"


def onnx_sizes(path: Path) -> list[TwinLayerSize]:
    """Multiply-accumulates, parameters and activations of each Conv, Gemm and MatMul, for one sample.

    Raises InputError for a file whose shapes cannot be told.
    """
    from spikeport.exporter.onnx.onnx_file import read_onnx

    model = read_onnx(path)
    try:
        return _sizes(model)
    except Exception as error:  # onnx raises its own InferenceError, and what does not fit raises others
        raise InputError(
            f"{path}: its layers cannot be counted ({reason(error)}); export it with fixed shapes"
        ) from error


def _sizes(model: object) -> list[TwinLayerSize]:
    import onnx

    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    values = {v.name: v for v in (*graph.input, *graph.output, *graph.value_info)}
    weights = {w.name: tuple(w.dims) for w in graph.initializer}

    def elements(name: str) -> int:
        # the first axis is the batch, whatever its length
        dims = [d.dim_value for d in values[name].type.tensor_type.shape.dim][1:]
        if not all(dims):
            raise ValueError(f"{name} has an axis of unknown length")
        return int(np.prod(dims, dtype=np.int64))

    sizes = []
    for node in graph.node:
        constants = [weights[name] for name in node.input if name in weights]
        if node.op_type in ("Conv", "Gemm", "MatMul") and constants:
            kernel, outputs = int(np.prod(constants[0])), elements(node.output[0])
            positions = outputs // constants[0][0] if node.op_type == "Conv" else 1
            parameters = sum(int(np.prod(shape)) for shape in constants)
            kind = conv_kind(constants[0]) if node.op_type == "Conv" else "dense"
            sizes.append(TwinLayerSize(positions * kernel, parameters, elements(node.input[0]), outputs, kind))
    if not sizes:
        raise ValueError("it has no Conv, Gemm or MatMul with constant weights")
    return sizes
