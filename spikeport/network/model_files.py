"""What a file given as a model is, and what to do with it where it is not one."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from spikeport.common.errors import InputError, nearest_file
from spikeport.common.file_kinds import EVENTS, IMAGES, SOUNDS, FileKind, file_kind

_TORCH = "export the module as NIR (docs/frameworks.md) or with torch.onnx.export, and give that file"
_KERAS = "convert it to ONNX (tf2onnx, or model.export(..., format='onnx')) and give that file"
_DATA = "it is data: --input takes it"
_REMEDIES: dict[FileKind, str] = {
    FileKind.RUN_FOLDER: "give its model.nir or model.chip",
    **dict.fromkeys((FileKind.TORCH, FileKind.TORCH_SCRIPT, FileKind.TORCH_EXPORT, FileKind.PICKLE), _TORCH),
    FileKind.SAFETENSORS: "give its run's model.nir (`spikeport export DIR -o m.nir`), or export the module as NIR",
    **dict.fromkeys(
        (FileKind.KERAS, FileKind.KERAS_HDF5, FileKind.TFLITE, FileKind.TENSORFLOW, FileKind.SAVED_MODEL), _KERAS
    ),
    **dict.fromkeys((FileKind.NPY, FileKind.NPZ, FileKind.NIR_DATA, *EVENTS, *IMAGES, *SOUNDS), _DATA),
    FileKind.LFS_POINTER: "fetch the file with `git lfs pull`",
    FileKind.HTML: "download the file itself",
    FileKind.TOML: "a recipe is for `spikeport run`, a profile for --chip",
    FileKind.EMPTY: "write it again",
}
_ENDINGS = {FileKind.NIR: ".nir", FileKind.CHIP: ".chip", FileKind.NET: ".net", FileKind.ONNX: ".onnx"}


def check_model_file(path: Path, endings: Collection[str]) -> None:
    """Raise InputError for a missing file, and for one that is recognised as something else than its ending names.

    endings: those that the command takes. A damaged model is left to its reader, which knows more about it.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file{nearest_file(path)}; give the path of a {_listed(endings)} file")
    kind = file_kind(path)
    ending = _ENDINGS.get(kind)
    if ending is not None and ending != path.suffix:
        where = "give it a name with that ending" if ending in endings else f"give a {_listed(endings)} file"
        raise InputError(f"{path}: is {kind.value}, which ends in {ending}; {where}")
    if ending is None and kind in _REMEDIES:
        sentence = kind.value if "," in kind.value else f"{kind.value}, not a model"
        raise InputError(f"{path}: is {sentence}; {_REMEDIES[kind]}")
    if path.suffix not in endings:
        named = kind.value if kind is not FileKind.UNKNOWN else path.suffix or "a file without an ending"
        raise InputError(f"{path}: is {named}; give a {_listed(endings)} file")


def check_onnx_file(path: Path) -> None:
    """Raise InputError for a file that is recognised as something else than ONNX, whatever its name."""
    if path.exists() and file_kind(path) not in (FileKind.ONNX, FileKind.UNKNOWN):
        check_model_file(path, (".onnx",))


def _listed(endings: Collection[str]) -> str:
    *others, last = endings
    return f"{', '.join(others)} or {last}" if others else last
