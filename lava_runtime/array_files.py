"""What a file given as an array is where it is none, and the step that makes one of it."""

from __future__ import annotations

from pathlib import Path

from spikeport.common.file_kinds import EVENTS, IMAGES, SOUNDS, FileKind, file_kind

_MODEL = "it is a model, which is given before the options; give an array of spikes or samples"
_TORCH = "save its tensor with numpy.save('x.npy', tensor.numpy())"
_TABLE = "save its numbers with numpy.save, in the shape that the network takes"
_REMEDIES: dict[FileKind, str] = {
    **dict.fromkeys((FileKind.NIR, FileKind.CHIP, FileKind.NET, FileKind.ONNX, FileKind.TORCH_SCRIPT), _MODEL),
    **dict.fromkeys((FileKind.TORCH_EXPORT, FileKind.KERAS, FileKind.KERAS_HDF5, FileKind.TFLITE), _MODEL),
    **dict.fromkeys((FileKind.TORCH, FileKind.PICKLE), _TORCH),
    FileKind.TENSORFLOW: _MODEL,
    **dict.fromkeys((FileKind.CSV, FileKind.TEXT, FileKind.JSON, FileKind.PARQUET, FileKind.MATLAB), _TABLE),
    **dict.fromkeys((*EVENTS, *IMAGES, *SOUNDS, FileKind.SOUND), "save arrays made of it with numpy.save"),
    FileKind.NPZ: "give it a name that ends in .npz, or save its one array with numpy.save",
    FileKind.NIR_DATA: "give it a name that ends in .h5",
    FileKind.HDF5: "save its array with numpy.save, or spikes by node with nir.write_data",
    FileKind.SAFETENSORS: "save its tensor with numpy.save",
    FileKind.LFS_POINTER: "fetch the file with `git lfs pull`",
    FileKind.HTML: "download the file itself",
    FileKind.EMPTY: "save it again with numpy.save",
    **dict.fromkeys((FileKind.ZIP, FileKind.ARCHIVE), "unpack it and give the array inside"),
    **dict.fromkeys((FileKind.PYTHON, FileKind.TOML), "give an array, saved with numpy.save"),
}


def other_kind(path: str | Path, *expected: FileKind) -> str | None:
    """The sentence for a file that is recognised as something else than an array file, None for any other.

    expected: kinds that are left to their reader, which knows more about damage.
    """
    kind = file_kind(Path(path))
    if kind in expected or kind not in _REMEDIES:
        return None
    named = kind.value if "," in kind.value else f"{kind.value}, not an array"
    return f"{path}: is {named}; {_REMEDIES[kind]}"
