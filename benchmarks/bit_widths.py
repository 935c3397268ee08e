"""A recipe at several bits per weight, from one training with batch norm: only the epochs with rounded weights differ.

    python benchmarks/bit_widths.py RECIPE --out DIR [--bits 8 4 0]
    python benchmarks/trained.py DIR/4

Until batch norm is folded, no weight is rounded, so trainings that differ in bits are the same; this one is kept and
each of the bits goes on from it, 0 in floating point. What is there is resumed. DIR/BITS is a run for trained.py.
SPIKEPORT_DATA: where the data are.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from methods import changed
from methods_chip import recipe_of, right

from spikeport.run import stages
from spikeport.run.recipe import Recipe
from spikeport.run.run_folder import RunFolder
from spikeport.trainer.data import Dataset
from spikeport.trainer.methods.method import Method
from spikeport.trainer.methods.registry import get_method, load_trained
from spikeport.trainer.network.network_config import stored_network
from spikeport.trainer.network.spiking_network import SpikingNetwork
from spikeport.trainer.tensor_files.tensor_files import read_tensors, write_tensors


def main() -> None:
    """Train what is not there yet, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bits", nargs="+", type=int, default=[8, 4, 0])
    options = parser.parse_args()
    text = options.recipe.read_text(encoding="utf-8")
    common = options.out / "batch_norm.safetensors"
    for bits in options.bits:
        written = changed(text, chip_aware=bits)
        recipe = recipe_of(written, options.recipe)
        data = stages.dataset_of(recipe)
        folder = RunFolder(options.out / str(bits))
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.recipe.write_text(written, encoding="utf-8")
        if not folder.network.exists():
            finished(recipe, data, folder, common).save(folder.network)
        method = load_trained(folder.network)
        print(f"{bits or 'floating point'}: accuracy as trained {right(method, data):.4f}", flush=True)


def finished(recipe: Recipe, data: Dataset, folder: RunFolder, common: Path) -> Method:
    """The recipe, trained from the common checkpoint on, which the first of all trainings writes."""
    training = recipe.training
    method = get_method(training.method)(recipe.network, training, recipe.dt)
    first = math.ceil(training.norm_epochs * training.epochs)
    begin = method.begin_epoch

    def begin_epoch(network: SpikingNetwork, epoch: int) -> None:
        if epoch == first and not common.exists():
            shutil.copy(folder.checkpoint, common)
        begin(network, epoch)

    method.begin_epoch = begin_epoch  # type: ignore[method-assign]
    if common.exists() and not folder.checkpoint.exists():
        content = read_tensors(common, "checkpoint")
        content["identity"]["network"] = stored_network(method.network_config)
        write_tensors(folder.checkpoint, "checkpoint", content)
    return method.fit(data, folder.path, resume=folder.checkpoint.exists())


if __name__ == "__main__":
    main()
