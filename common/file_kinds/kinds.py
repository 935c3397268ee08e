"""The kinds of files and folders that are recognised."""

from __future__ import annotations

from enum import Enum


class FileKind(Enum):
    """What a path holds; the value completes the sentence "'FILE' is ..."."""

    # folders
    RUN_FOLDER = "the folder of a spikeport run"
    SAVED_MODEL = "a TensorFlow SavedModel folder"
    IMAGE_FOLDER = "a folder of images"
    EVENT_FOLDER = "a folder of event recordings"
    SOUND_FOLDER = "a folder of sound recordings"
    FOLDER = "a folder"
    # networks
    NIR = "a NIR file"
    CHIP = "a compiled .chip file"
    NET = "a lava-dl .net file"
    ONNX = "an ONNX file"
    SAFETENSORS = "a safetensors file"
    TORCH = "a PyTorch file"
    TORCH_SCRIPT = "a TorchScript file"
    TORCH_EXPORT = "a torch.export file"
    KERAS_HDF5 = "a Keras HDF5 file"
    KERAS = "a Keras file"
    TFLITE = "a TensorFlow Lite file"
    TENSORFLOW = "a TensorFlow graph"
    # arrays
    NPY = "a .npy array"
    NPZ = "an .npz archive of arrays"
    NIR_DATA = "an HDF5 file of NIR's data"
    HDF5 = "an HDF5 file"
    MATLAB = "a MATLAB file"
    PARQUET = "a Parquet table"
    # event recordings
    EVENTS_NPY = "a .npy array of events"
    EVENTS_NPZ = "an .npz archive of events"
    EVENTS_HDF5 = "an HDF5 file of events"
    AEDAT2 = "an AEDAT 2.0 recording"
    AEDAT3 = "an AEDAT 3 recording"
    AEDAT4 = "an AEDAT 4.0 recording"
    NMNIST = "an N-MNIST recording"
    PROPHESEE_DAT = "a Prophesee .dat recording"
    EVT2 = "a Prophesee EVT 2.0 recording"
    EVT21 = "a Prophesee EVT 2.1 recording"
    EVT3 = "a Prophesee EVT 3.0 recording"
    # sound and images
    WAV = "a .wav recording"
    FLAC = "a .flac recording"
    SPHERE = "a NIST SPHERE recording"
    SOUND = "a compressed sound recording"
    IMAGE = "an image"
    # text
    CSV = "a .csv table"
    TOML = "a TOML file"
    JSON = "a JSON file"
    PYTHON = "Python source"
    LFS_POINTER = "a Git LFS pointer, not the file itself"
    HTML = "a web page, not the file itself"
    TEXT = "a text file"
    # others
    PICKLE = "a Python pickle"
    ARCHIVE = "a packed archive"
    ZIP = "a zip archive"
    EMPTY = "empty"
    UNKNOWN = "a file of an unknown kind"


IMAGES = frozenset({FileKind.IMAGE})
SOUNDS = frozenset({FileKind.WAV, FileKind.FLAC, FileKind.SPHERE})
EVENTS = frozenset(
    {
        *(FileKind.EVENTS_NPY, FileKind.EVENTS_NPZ, FileKind.EVENTS_HDF5, FileKind.NMNIST),
        *(FileKind.AEDAT2, FileKind.AEDAT3, FileKind.AEDAT4),
        *(FileKind.PROPHESEE_DAT, FileKind.EVT2, FileKind.EVT21, FileKind.EVT3),
    }
)
EVENT_FIELDS = ("x", "y", "p", "t")
