"""Read and write NIR files; every fault is named in one sentence.

Files that nir itself rejects are read with a NirWarning if their meaning is clear: shapes that differ but have the same
size, convolutions that nir's types do not know, edges that use another name for a node.
"""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np

from spikeport.common.errors import InputError, nearest_file, reason
from spikeport.common.files import write_bytes
from spikeport.common.hdf5 import check_self_contained, check_written

from .graph_checks import check_edges
from .nir_repair import drop_additions, rename_dangling, untyped
from .normal_graph import normal_content, normal_graph
from .shapes import misfit


class NirWarning(UserWarning):
    """A NIR file contains something that nir rejects; the message states how it was read."""


def write_nir(graph: nir.NIRGraph, path: str | Path) -> None:
    """Write a graph; the file appears only when it is complete. Raises InputError if it cannot be written."""
    # HDF5 itself cannot handle a full disk, so it writes to memory
    content = BytesIO()
    nir.write(content, normal_graph(graph, str(path)))
    check_written(content, str(path))
    write_bytes(path, content.getbuffer())


def read_nir(path: str | Path) -> nir.NIRGraph:
    """Read a graph and check it; raises InputError for a truncated file, a missing node, NaN or a wrong shape."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file{nearest_file(path)}; give the path of a .nir file")
    try:
        with h5py.File(path, "r") as file:
            _check_file(file, str(path))
            content = nir.serialization.hdf2dict(file["node"])
        graph = _build(content, str(path))
    except InputError:
        raise
    except OSError as error:
        raise InputError(
            f"{path}: is no whole HDF5 file ({reason(error)}); copy it again, or write it again with nir.write"
        ) from error
    except Exception as error:  # nir raises bare AssertionError, KeyError, ValueError and more
        raise InputError(
            f"{path}: nir {nir.version} cannot build its graph ({type(error).__name__}: {reason(error)}); if nir.read "
            "can, report the file as a fault of spikeport"
        ) from error
    return check_graph(graph, str(path))


def _build(content: dict[str, Any], path: str) -> nir.NIRGraph:
    """The graph of a file's content, typed by nir if possible, else untyped if its shapes fit."""
    if content.get("type") != "NIRGraph":
        raise InputError(
            f"{path}: holds a single {content.get('type')} node; wrap it in a NIRGraph with input and output"
        )
    for sentence in rename_dangling(content):
        warnings.warn(f"{path}: {sentence}", NirWarning, stacklevel=4)
    content = normal_content(content, path)
    plain = check_graph(nir.dict2NIRNode(untyped(content)), path)
    typed = nir.dict2NIRNode(untyped(content))
    try:
        typed.infer_types()
        typed.check_types()
    except Exception as error:  # nir raises ValueError, AssertionError, NotImplementedError and more
        fault = misfit(plain)
        if fault is not None:
            raise InputError(f"{path}: {fault}; export the network with sample data of the right shape") from error
        warnings.warn(f"{path}: nir refuses it ({reason(error)}), but all shapes fit: read", NirWarning, stacklevel=4)
        return plain
    for sentence in drop_additions(typed, plain):
        warnings.warn(f"{path}: {sentence}", NirWarning, stacklevel=4)
    typed._update_input_output_types()
    return typed


def check_graph(graph: nir.NIRGraph, context: str = "graph") -> nir.NIRGraph:
    """The graph with its fields in their normal form (normal_graph.py).

    Raises InputError that names the culprit if an edge names no node, or a number is not finite or of a wrong kind.
    """
    check_edges(graph, context)
    return normal_graph(graph, context)


def time_step(graph: nir.NIRGraph, dt: float | None, context: str = "graph") -> float:
    """The time step in seconds: `dt` if given, else the graph's metadata; raises InputError if neither has one."""
    if dt is None:
        stated = graph.metadata.get("dt")
        if stated is None:
            raise InputError(
                f"{context}: does not state its time step; give it with --dt SECONDS, in Python dt=SECONDS"
            )
        try:
            dt = float(np.asarray(stated))
        except (TypeError, ValueError):
            raise InputError(
                f"{context}: the time step is {stated!r}, but must be one number; give --dt SECONDS"
            ) from None
    if not np.isfinite(dt) or dt <= 0:
        raise InputError(
            f"{context}: the time step is {dt}, but must be a positive number of seconds; give --dt SECONDS"
        )
    return dt


def _check_file(file: h5py.File, path: str) -> None:
    """Reject what nir itself reads unchecked: links out of the file, huge arrays, edges to missing nodes."""
    # NIR 0.1 writes no version
    if "node" not in file:
        raise InputError(f"{path}: is not a NIR file (it has no 'node'); write it with nir.write")
    check_self_contained(file, path)
