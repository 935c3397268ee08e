"""A Xylo network's constants as its kernel reads them (kernels.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.exporter.program.chip_program import Integers

from .specification import XyloSpecification

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Kernel:
    """A network's constants as the kernel reads them; two: whether any hidden neuron uses its second synapse."""

    w_in: Floats
    two: bool
    rec_starts: NDArray[np.int64]
    rec_targets: Integers
    rec_weights: Floats
    w_out: Floats
    hidden: Floats
    output: Floats
    aliases: Integers

    @classmethod
    def of(cls, network: XyloSpecification) -> Kernel:
        """Weights shifted, those between hidden neurons as lists by source."""
        w_1, w_2 = network.weights_rec[..., 0], network.weights_rec[..., 1]
        reached = csr_array((w_1 != 0) | (w_2 != 0))
        reached.sort_indices()
        sources = np.repeat(np.arange(network.hidden), np.diff(reached.indptr))
        stored = np.stack([w[sources, reached.indices] for w in (w_1, w_2)]) << network.weight_shift_rec
        w_in = np.moveaxis(network.weights_in, 2, 0) << network.weight_shift_in
        hidden = (network.dash_syn, network.dash_syn_2, network.dash_mem), (network.threshold, network.bias)
        output = (network.dash_syn_out, network.dash_mem_out), (network.threshold_out, network.bias_out)
        return cls(
            np.ascontiguousarray(w_in, np.float32),
            bool(network.weights_in[..., 1].any() or stored[1].any()),
            reached.indptr.astype(np.int64),
            reached.indices.astype(np.int32),
            np.ascontiguousarray(stored, np.float32),
            np.ascontiguousarray(network.weights_out << network.weight_shift_out, np.float32),
            constant_rows(*hidden),
            constant_rows(*output),
            network.aliases.astype(np.int32),
        )

    def start(self, samples: int) -> tuple[NDArray[Any], ...]:
        """States of a batch, all 0: i_1, i_2, v, the events of the last step, i_out, v_out."""
        hidden, outputs = self.hidden.shape[1], self.output.shape[1]
        i_1, i_2, v = (np.zeros((samples, hidden), np.float32) for _ in range(3))
        i_out, v_out = (np.zeros((samples, outputs), np.float32) for _ in range(2))
        return i_1, i_2, v, np.zeros((samples, hidden), np.int32), i_out, v_out


def constant_rows(dashes: tuple[Integers, ...], others: tuple[Integers, ...]) -> Floats:
    """The rows of a kernel's constants: 2**-dash, then the others."""
    rows: Floats = np.stack([*np.exp2(-np.stack(dashes).astype(np.float64)), *others]).astype(np.float32)
    return rows
