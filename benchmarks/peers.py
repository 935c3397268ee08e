"""The same network in brian2-loihi and in nengo-loihi's emulator: integers of Loihi, as far as they can represent it.

They need an environment of their own, because they require other versions of numpy:

    python -m venv peers && peers/bin/pip install "numpy<1.24" "setuptools<70" brian2-loihi nengo-loihi scipy
    python benchmarks/simulate.py --peers peers/bin/python

Both get the integer weights, thresholds and decays of the program. brian2-loihi uses the current's decay without the
1 that the chip adds, so it receives that decay; it has no 24-bit registers; an input spike arrives in the step in which
it is sent, a step earlier than on the chip. nengo-loihi's emulator adds up in one array for all layers; its lower limit
of v is set to the register's. Neither has batches: one sample runs as many steps as the others run samples and steps.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

MOST_SYNAPSES = 3_000_000


@dataclass
class PeerResult:
    """Rates (steps per second) and build seconds, one per round; remark: whether the spikes equal the emulator's."""

    rates: list[float] = field(default_factory=list)
    builds: list[float] = field(default_factory=list)
    remark: str = ""


def run_peers(python: str, program: Any, few: Any, rounds: int) -> dict[str, PeerResult | str]:
    """Both peers on all samples in sequence; a sentence if one cannot run the network."""
    from spikeport.lava_runtime.simulate import simulate

    size = sum(np.count_nonzero(c.weights) * _uses(c) for c in program.connections)
    if size > MOST_SYNAPSES:
        return dict.fromkeys(PEERS, f"it would store {size:,.0f} synapses one by one")
    # (steps, samples, ...) -> (samples * steps, 1, ...)
    x = np.moveaxis(few, 1, 0).reshape(-1, 1, *few.shape[2:])
    wanted = simulate(program, x, record="all")
    results: dict[str, PeerResult | str] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "job.npz", **_arrays(program, x))
        for peer in PEERS:
            command = [python, __file__, peer, str(folder / "job.npz"), str(folder / "spikes.npz"), str(rounds)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                last = [line for line in done.stderr.splitlines() if line.strip()][-1:] or ["no message"]
                results[peer] = f"it ended with: {last[0]}"
                continue
            report = json.loads(done.stdout.splitlines()[-1])
            found = PeerResult([len(x) / s for s in report["run"]], report["build"])
            with np.load(folder / "spikes.npz") as spikes:
                same = [
                    np.array_equal(spikes[p.name], wanted.states[f"s/{p.name}"].reshape(len(x), -1))
                    for p in program.populations
                ]
            found.remark = f"{report['version']}, spikes equal in {sum(same)} of {len(same)} layers"
            results[peer] = found
    return results


def _uses(connection: Any) -> int:
    """How many synapses share a weight."""
    return int(np.prod(connection.output_shape[1:])) if hasattr(connection, "output_shape") else 1


def _arrays(program: Any, x: Any) -> dict[str, Any]:
    """A peer's input: constants per layer, and every connection's synapses as source, target, weight."""
    from scipy.sparse import coo_array, vstack

    from spikeport.lava_runtime.emulator.synapses import delivery_parts
    from spikeport.lava_runtime.kernels.spike_events import SpikeEvents

    arrays: dict[str, Any] = {
        "x": x.reshape(len(x), -1).astype(np.uint8),
        "names": [p.name for p in program.populations],
    }
    for p in program.populations:
        arrays |= {f"{p.name}/{key}": getattr(p, key) for key in ("du", "dv", "vth")}
    ends = []
    for index, c in enumerate(program.connections):
        size, target = program.source_size(c.source), program.source_size(c.target)
        (part,) = delivery_parts(c, size, False)
        rows = []
        for first in range(0, size, 256):
            number = min(256, size - first)
            one = SpikeEvents.empty(number, size, graded=False)
            one.index[:number], one.begin[:] = np.arange(first, first + number), np.arange(number + 1)
            arriving = np.zeros((number, target), np.int32)
            part.deliver(one, arriving)
            rows.append(coo_array(arriving))
        whole = coo_array(vstack(rows))
        arrays |= {f"{index}/source": whole.row, f"{index}/target": whole.col, f"{index}/weight": whole.data}
        ends.append((c.source, c.target))
    return arrays | {"ends": ends}


class Brian:
    """brian2-loihi: one group per layer, its parameters one number per group."""

    def __init__(self, job: Any) -> None:
        import brian2
        import brian2_loihi as loihi

        self.version = f"brian2-loihi {_version('brian2-loihi')}, brian2 {brian2.__version__}"
        x, self._steps, self._names = job["x"], len(job["x"]), job["names"]
        times, indices = np.nonzero(x)
        groups = {"input": loihi.LoihiSpikeGeneratorGroup(x.shape[1], indices, times)}
        for name in self._names:
            du, dv, vth = (int(job[f"{name}/{key}"][0]) for key in ("du", "dv", "vth"))
            groups[name] = loihi.LoihiNeuronGroup(
                len(job[f"{name}/vth"]), threshold_v_mant=vth, decay_v=dv, decay_I=du + 1
            )
        synapses = []
        for index, (source, target) in enumerate(job["ends"]):
            made = loihi.LoihiSynapses(groups[source], groups[target], sign_mode=1)
            made.connect(i=job[f"{index}/source"], j=job[f"{index}/target"])
            made.w = job[f"{index}/weight"].astype(int)
            synapses.append(made)
        self._monitors = {name: loihi.LoihiSpikeMonitor(groups[name]) for name in self._names}
        self._groups = groups
        self._network = loihi.LoihiNetwork(*groups.values(), *synapses, *self._monitors.values())
        self._network.store()
        # the first run compiles
        self._network.run(1)

    def run(self) -> None:
        """All steps from the start."""
        self._network.run(self._steps)

    def restart(self) -> None:
        """Back to the start."""
        self._network.restore()

    def spikes(self) -> dict[str, Any]:
        """Spikes of every layer, (steps, size), at the chip's steps."""
        found = {}
        for name, monitor in self._monitors.items():
            made = np.zeros((self._steps + 1, len(self._groups[name])), np.uint8)
            made[np.asarray(monitor.t, dtype=int) + 1, np.asarray(monitor.i)] = 1
            found[name] = made[:-1]
        return found


class Nengo:
    """nengo-loihi's emulator: one block per layer."""

    def __init__(self, job: Any) -> None:
        import nengo
        from nengo_loihi.block import Axon, LoihiBlock, Synapse
        from nengo_loihi.builder import Model
        from nengo_loihi.builder.discretize import discretize_model
        from nengo_loihi.emulator import EmulatorInterface
        from nengo_loihi.inputs import SpikeInput
        from nengo_loihi.probe import LoihiProbe

        self.version = f"nengo-loihi {_version('nengo-loihi')}, nengo {nengo.__version__}"
        self._interface, self._names, x = EmulatorInterface, job["names"], job["x"]
        self._steps = len(x)
        model = Model()
        given = SpikeInput(x.shape[1])
        for step, values in enumerate(x, start=1):
            given.add_spikes(step, np.flatnonzero(values), permanent=True)
        model.add_input(given)
        blocks, sources = {}, {"input": given}
        for name in self._names:
            blocks[name] = LoihiBlock(len(job[f"{name}/vth"]), label=name)
            blocks[name].compartment.configure_relu()
            blocks[name].compartment.configure_filter(0.005)
            model.add_block(blocks[name])
        sources |= blocks
        synapses, self._probes = [], {}
        for index, (source, target) in enumerate(job["ends"]):
            size = x.shape[1] if source == "input" else blocks[source].n_neurons
            synapse, axon = Synapse(size), Axon(size)
            synapse.set_weights(np.ones((size, 1)))
            blocks[target].add_synapse(synapse)
            axon.target = synapse
            sources[source].add_axon(axon)
            synapses.append((index, synapse, size))
        for name in self._names:
            self._probes[name] = LoihiProbe(target=blocks[name], key="spiked")
            model.add_probe(self._probes[name])
        discretize_model(model)
        # the integers themselves, instead of the discretised placeholders
        for name, block in blocks.items():
            compartment = block.compartment
            compartment.decay_u, compartment.decay_v = job[f"{name}/du"], job[f"{name}/dv"]
            compartment.vth, compartment.vmin = job[f"{name}/vth"] << 6, 1 - (1 << 23)
            compartment.vmax = (1 << 23) - 1
        for index, synapse, size in synapses:
            begin = np.searchsorted(job[f"{index}/source"], np.arange(size + 1))
            weight, target = (job[f"{index}/{key}"] for key in ("weight", "target"))
            synapse.weights = [(weight[a:b] << 6)[None].astype(np.int32) for a, b in pairwise(begin)]
            synapse.indices = [target[a:b][None].astype(np.int32) for a, b in pairwise(begin)]
        self._model = model
        self.restart()

    def run(self) -> None:
        """All steps from the start."""
        self._emulator.run_steps(self._steps)

    def restart(self) -> None:
        """Back to the start."""
        self._emulator = self._interface(self._model, seed=0)

    def spikes(self) -> dict[str, Any]:
        """Spikes of every layer, (steps, size), at the chip's steps."""
        return {
            name: (np.asarray(self._emulator.collect_probe_output(self._probes[name])) > 0).astype(np.uint8)
            for name in self._names
        }


PEERS: dict[str, Callable[[Any], Any]] = {"brian2-loihi": Brian, "nengo-loihi emulator": Nengo}


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def main(peer: str, job: str, spikes: str, rounds: int) -> None:
    """Run one peer, in its own interpreter."""
    with np.load(job) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["names"], arrays["ends"] = arrays["names"].tolist(), arrays["ends"].tolist()
    begin = time.perf_counter()
    made = PEERS[peer](arrays)
    build, runs = time.perf_counter() - begin, []
    for _ in range(rounds):
        made.restart()
        begin = time.perf_counter()
        made.run()
        runs.append(time.perf_counter() - begin)
    np.savez(spikes, **made.spikes())
    print(json.dumps({"version": made.version, "build": [build], "run": runs}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
