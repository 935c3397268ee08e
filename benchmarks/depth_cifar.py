"""Accuracy at 18 and 50 layers on CIFAR-10, trained for the same epochs and run on the chip.

    python benchmarks/depth_cifar.py --out DIR [--steps 4 10] [--images 10000] [--epochs 8]

The depths are those of ResNet-18 and ResNet-50 (He et al., CVPR 2016, table 1), with an eighth of their channels and a
first convolution of stride 2: stages of 2, 2, 2 and 2 blocks of two 3x3 convolutions, or of 3, 4, 6 and 3 bottleneck
blocks. Ways as in depth.py, by SGD, the last quarter of the epochs in the chip's 8-bit integers. What is there is
resumed, and what is finished is only measured. Prints layers, steps, loss of training, accuracy as trained and on the
chip. SPIKEPORT_DATA: the folder with cifar10/train/CLASS and test/CLASS.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from depth import WAYS, Way
from few_bits import on_chip
from methods_chip import recipe_of, right

from spikeport.common.errors import InputError
from spikeport.common.files import write_text
from spikeport.run import stages
from spikeport.run.recipe import Recipe
from spikeport.run.run_folder import RunFolder
from spikeport.trainer.data import Dataset
from spikeport.trainer.loop.training_loop import DivergedError
from spikeport.trainer.methods.method import Method
from spikeport.trainer.methods.registry import get_method, load_trained

CHANNELS = 8
# layers of the network: blocks of each stage, and whether they are bottlenecks
DEPTHS = {18: ((2, 2, 2, 2), False), 50: ((3, 4, 6, 3), True)}


@dataclass(frozen=True)
class Training:
    """How long, and on how many images; test: images of the test part."""

    images: int
    test: int
    epochs: int
    steps: int


def recipe_text(way: Way, depth: int, training: Training) -> str:
    """The recipe of a network."""
    blocks, bottleneck = DEPTHS[depth]
    stages_of = ", ".join(
        f'{{ kind = "{way.kind}", size = {CHANNELS * 2**number * (4 if bottleneck else 1)}, repeat = {count}, '
        f"stride = {2 if number else 1}, bottleneck = {str(bottleneck).lower()} }}"
        for number, count in enumerate(blocks)
    )
    options = "\n".join(f"{name} = {str(value).lower()}" for name, value in way.options.items())
    return f"""name = "depth"
dataset = "files"
data = "cifar10"
chip = "loihi2"
sums = "graded"
[files]
limit = {training.images}
test_limit = {training.test}
[network]
layers = [{{ kind = "conv", size = {CHANNELS}, stride = 2 }}, {stages_of}]
dv = 0.1
vth = {way.vth}
surrogate = "{way.surrogate}"
surrogate_width = {way.width}
payload = 255
[training]
method = "{way.method}"
task = "membrane"
epochs = {training.epochs}
batch_size = 64
optimizer = "sgd"
learning_rate = {way.learning_rate}
weight_decay = 0.0005
norm_epochs = 0.75
steps = {training.steps}
encoding = "direct"
augment = {{ shift = 4, flip = 0.5 }}
precision = "bf16"
threads = 1
[training.options]
{options}
"""


def trained(recipe: Recipe, data: Dataset, folder: RunFolder) -> Method:
    """The network, from its file or after training it."""
    if folder.network.exists():
        return load_trained(folder.network)
    method = get_method(recipe.training.method)(recipe.network, recipe.training, recipe.dt)
    method.fit(data, folder.path, resume=folder.checkpoint.exists()).save(folder.network)
    return method


def row(way: Way, depth: int, training: Training, out: Path) -> tuple[str, ...]:
    """A row of the table."""
    text = recipe_text(way, depth, training)
    folder = RunFolder(out / f"{way.label.split(' (')[0].replace(' ', '_')}_{depth}_{training.steps}")
    folder.path.mkdir(parents=True, exist_ok=True)
    write_text(folder.recipe, text)
    recipe = recipe_of(text, folder.recipe)
    data = stages.dataset_of(recipe)
    start = way.label, str(depth), str(training.steps)
    try:
        method = trained(recipe, data, folder)
    except DivergedError:
        return *start, "diverges", "", ""
    losses = (folder.path / "checkpoint.csv").read_text(encoding="utf-8").splitlines()
    as_trained, (accuracy, _, _) = right(method, data), on_chip(recipe, method, data)
    return *start, f"{float(losses[-1].split(',')[2]):.2f}", f"{as_trained:.4f}", f"{accuracy:.4f}"


def main() -> int:
    """Train and measure every way at every depth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", nargs="+", type=int, default=[4, 10])
    parser.add_argument("--images", type=int, default=10000)
    parser.add_argument("--test", type=int, default=10000)
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    try:
        for steps in arguments.steps:
            training = Training(arguments.images, arguments.test, arguments.epochs, steps)
            for way in WAYS:
                for depth in DEPTHS:
                    print("  ".join(row(way, depth, training, arguments.out)), flush=True)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
