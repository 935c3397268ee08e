"""xylosim, the vendor's simulator, as a backend: one sample at a time.

It has wheels for Python 3.9 and 3.10 on Linux.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import BackendError
from spikeport.exporter.program.chip_program import ChipProgram, Integers
from spikeport.exporter.xylo.specification import XyloSpecification, specification_of
from spikeport.lava_runtime.result import Record, Recording, SimulationResult, collect

from .emulate import check_counts, events_of, write_block, write_counts


def run_xylosim(
    program: ChipProgram,
    inputs: Mapping[str, NDArray[Any]],
    steps: int,
    record: Record = "spikes",
    progress: Callable[[int, int], None] | None = None,
) -> SimulationResult:
    """Run a program in xylosim; raises InputError, and BackendError if xylosim is not installed."""
    start = time.perf_counter()
    check_counts(inputs)
    layer = VendorLayer(specification_of(program))
    batch = next(iter(inputs.values())).shape[1]
    recordings = {
        p.name: Recording.empty(p, (steps, batch), p.name in program.outputs, record) for p in program.populations
    }
    built = time.perf_counter()
    ports = [inputs[port.name] for port in program.inputs]
    for sample in range(batch):
        one = slice(sample, sample + 1)
        own = {name: recording.of(one) for name, recording in recordings.items()}
        sent, sent_out, kept, kept_out = layer.run(events_of(ports, 0, steps, one)[:, 0])
        write_block(program, own, slice(0, steps), sent, sent_out, kept, kept_out)
        active, active_out = (np.count_nonzero(events, axis=0).astype(np.int32) for events in (sent, sent_out))
        write_counts(program, own, active, active_out)
        if progress is not None:
            progress((sample + 1) * steps, batch * steps)
    seconds = {"build": built - start, "run": time.perf_counter() - built}
    return collect(program, dict(inputs), steps, recordings, seconds, record)


class VendorLayer:
    """xylosim's layer for a network; raises BackendError if the package is not installed."""

    def __init__(self, network: XyloSpecification) -> None:
        try:
            from xylosim import v2
        except ImportError as error:
            raise BackendError(
                'the backend xylosim needs Python 3.10 on Linux and xylosim: pip install "spikeport[xylo]"; '
                "the emulator gives the same integers"
            ) from error
        self._synapse = v2.XyloSynapse
        # the layer points to these objects and does not own them
        self._kept = (
            self._synapses(network.weights_in), self._synapses(network.weights_rec),
            self._synapses(network.weights_out[..., None]),
        )  # fmt: skip
        self._arguments: dict[str, Any] = {
            "synapses_in": self._kept[0],
            "synapses_rec": self._kept[1],
            "synapses_out": self._kept[2],
            "aliases": [[int(n)] if n >= 0 else [] for n in network.aliases],
            "threshold": network.threshold.tolist(),
            "threshold_out": network.threshold_out.tolist(),
            "has_bias": bool(network.bias.any() or network.bias_out.any()),
            "bias": network.bias.tolist(),
            "bias_out": network.bias_out.tolist(),
            "weight_shift_inp": network.weight_shift_in,
            "weight_shift_rec": network.weight_shift_rec,
            "weight_shift_out": network.weight_shift_out,
            "dash_mem": network.dash_mem.tolist(),
            "dash_mem_out": network.dash_mem_out.tolist(),
            "dash_syns": np.stack([network.dash_syn, network.dash_syn_2], axis=1).tolist(),
            "dash_syns_out": network.dash_syn_out[:, None].tolist(),
            "name": "spikeport",
        }
        self._make = v2.XyloLayer

    def layer(self) -> Any:
        """A new layer of xylosim, all states 0; it lives as long as this object."""
        return self._make(**self._arguments)

    def run(self, events: NDArray[np.uint8]) -> tuple[Integers, Integers, Integers, Integers]:
        """From states of 0: sent, sent_out, states and states_out of exporter/xylo/kernels.py, for one sample."""
        # a new layer, because reset_all leaves the events of the last step
        layer = self.layer()
        sent_out = layer.evolve(events.tolist())
        kept = [np.array(rows).T for rows in (layer.rec_i_syn, layer.rec_i_syn2, layer.rec_v_mem)]
        kept_out = [np.array(rows).T for rows in (layer.rec_i_syn_out, layer.rec_v_mem_out)]
        arrays = (layer.rec_recurrent_spikes, sent_out, kept, kept_out)
        sent, out, states, states_out = (np.asarray(values, np.int32) for values in arrays)
        return sent[:, None], out[:, None], states[:, :, None], states_out[:, :, None]

    def _synapses(self, weights: Integers) -> list[list[Any]]:
        """A list of synapses for each source, from weights (sources, targets, synapses)."""
        lists: list[list[Any]] = [[] for _ in weights]
        for synapse in range(weights.shape[2]):
            for source, target in np.argwhere(weights[..., synapse]):
                weight = int(weights[source, target, synapse])
                lists[source].append(self._synapse(int(target), synapse, weight))
        return lists
