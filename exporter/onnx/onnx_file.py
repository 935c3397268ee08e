"""Read an untrusted ONNX file: with limits, from its own folder only, executing nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import external_data_helper

from spikeport.common.errors import InputError, naming, reason

# protobuf's own limit, also applied to external data
LARGEST_BYTES = 1 << 31

# characters of the name of a file of weights, with its folders
_LONGEST_LOCATION = 1024


def read_onnx(path: str | Path) -> onnx.ModelProto:
    """The model with its weights in memory; raises InputError for a missing, truncated or foreign file.

    Weights in separate files are read only if those are in the model's folder.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"{path}: no such file; give the path of an .onnx file")
    if file.stat().st_size > LARGEST_BYTES:
        raise InputError(f"{path}: is larger than 2 GiB, more than an ONNX file can be; export the network again")
    try:
        model = onnx.load_model(str(file), load_external_data=False)
    except Exception as error:  # protobuf's errors have no common base with onnx's
        raise InputError(f"{path}: is truncated or not an ONNX model ({reason(error)}); export it again") from error
    with naming(str(path), "export it again"):
        _check_external_data(model, file)
    try:
        external_data_helper.load_external_data_for_model(model, str(file.parent))
        onnx.checker.check_model(_with_shapes(model))
    except Exception as error:
        raise InputError(f"{path}: is not a valid ONNX model ({reason(error)}); export it again") from error
    return model


def _with_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model, as the checker wants it: some shape of each output, which exporters leave out if unknown."""
    without = [i for i, value in enumerate(model.graph.output) if _lacks_shape(value)]
    if not without:
        return model
    shaped = onnx.ModelProto()
    shaped.CopyFrom(model)
    for index in without:
        shaped.graph.output[index].type.tensor_type.shape.SetInParent()
    return shaped


def _lacks_shape(value: onnx.ValueInfoProto) -> bool:
    return value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape")


def _check_external_data(model: onnx.ModelProto, path: Path) -> None:
    folder = path.parent.resolve()
    total = 0
    for tensor in _tensors(model.graph):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        if len(location) > _LONGEST_LOCATION or not location.isprintable():
            raise InputError(
                f"{path}: the weights {tensor.name!r} are in a file whose name cannot be one "
                f"({location[:40]!r}); save the model with its weights next to it"
            )
        target = folder / location
        if not location or Path(location).is_absolute() or not target.resolve().is_relative_to(folder):
            raise InputError(
                f"{path}: the weights {tensor.name!r} are in {location!r}, outside the model's folder; save the model "
                "with its weights next to it"
            )
        if not _is_file(target):
            raise InputError(
                f"{path}: the weights {tensor.name!r} are in {location!r}, which does not exist; copy it there"
            )
        total += target.stat().st_size if not entries.get("length", "").isdigit() else int(entries["length"])
        if total > LARGEST_BYTES:
            raise InputError(f"{path}: its weights are more than 2 GiB, more than can be read; use a smaller network")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that cannot be read
        return False


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Every tensor of a graph: initialisers, and those in attributes of its nodes."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _tensors(inner)
