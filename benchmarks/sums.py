"""Cost of SEW's sums on the chip: one connection per summed layer, or one per sum (exporter/lowering/graded_sums.py).

    python benchmarks/sums.py [--page docs/networks.md]

A convolution and 2 to 16 SEW blocks (ADD) of 8 channels on 8 x 8 pixels, untrained except for random batch norms that
make all layers fire, 16 steps of 10 samples that fire at 40 %. Both are compiled for Loihi 2, run and profiled; every
layer must have the same spikes in both. Energies are the profiler's estimates. Half a minute.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import page
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import spikeport
from spikeport.exporter.from_torch import network_to_nir
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network
from spikeport.trainer.network.spiking_network import SpikingNetwork

SHAPE, STEPS, SAMPLES, RATE, BLOCKS = (1, 8, 8), 16, 10, 0.4, (2, 4, 8, 16)
HEADINGS = ("blocks", "`sums`", "weights stored", "cores", "spikes", "synops", "energy per inference (estimate)")


def made(blocks: int) -> SpikingNetwork:
    """A network with that many blocks."""
    torch.manual_seed(0)
    layers = (LayerConfig("conv", 8), LayerConfig("sew", 8, repeat=blocks))
    network = build_network(NetworkConfig(layers, output_pool=4), SHAPE, 10)
    for _, block in network.spiking_blocks():
        if block.norm is not None:
            nn.init.normal_(block.norm.weight, 1.5, 0.3)
            nn.init.normal_(block.norm.bias, 0.3, 0.3)
    return network.eval()


def lines(blocks: int) -> Iterator[tuple[str, ...]]:
    """The network with and without relays."""
    graph = network_to_nir(made(blocks))
    x = (np.random.default_rng(0).random((STEPS, SAMPLES, *SHAPE)) < RATE).astype(np.uint8)
    layers: list[dict[str, Any]] = []
    for sums in ("synapses", "graded"):
        network = spikeport.compile(graph, "loihi2", sums=sums)  # type: ignore[arg-type]
        program, run, report = network.program, network.simulate(x, record="layers"), network.profile(x)
        layers.append(
            {
                p.name: run.result.states[f"s/{p.name}"][program.latency[p.name] :][:STEPS]
                for p in program.populations
                if not p.GRADED
            }
        )
        stored = sum(connection.weights.size for connection in program.connections)
        energy = report.energy_j
        yield (
            str(blocks),
            f"`{sums}`",
            f"{stored:,}",
            str(len(network.check().mapping.placed)),
            f"{report.spikes.sum():,.0f}",
            f"{report.synops.sum():,.0f}",
            f"{1e6 * energy.typical:.0f} uJ ({1e6 * energy.low:.0f} to {1e6 * energy.high:.0f})",
        )
    for name, spikes in layers[0].items():
        np.testing.assert_array_equal(spikes, layers[1][name], err_msg=f"{blocks} blocks, {name}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="a page whose table is updated")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = page.table(HEADINGS, (line for blocks in BLOCKS for line in lines(blocks)))
    print(*found, sep="\n")
    if arguments.page:
        page.update(arguments.page, {"sums": found})


if __name__ == "__main__":
    main()
