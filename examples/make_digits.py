"""Make digits.nir, digits.npy and digits_labels.npy from a finished run of recipes/digits.toml.

    make demo
    .venv/bin/python examples/make_digits.py runs/digits

The same seed gives the same files on one machine with one set of package versions.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from spikeport.common.arrays import save_array
from spikeport.common.files import write_bytes
from spikeport.run.recipe import load_recipe
from spikeport.run.run_folder import RunFolder
from spikeport.run.stages import dataset_of

SAMPLES = 32


def make(run: Path, out: Path) -> None:
    """Write the run's network, its first test samples as spikes, and their classes."""
    folder = RunFolder(run)
    data = dataset_of(load_recipe(folder.recipe))
    write_bytes(out / "digits.nir", folder.nir.read_bytes())
    spikes = np.load(folder.test_input, mmap_mode="r", allow_pickle=False)
    for name, array in (("digits", spikes[:, :SAMPLES]), ("digits_labels", data.y_test[:SAMPLES])):
        save_array(out / f"{name}.npy", array)


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(__file__).resolve().parent)
