"""Runs .net files by lava-dl's own netx, sample by sample, in an environment that has lava-dl.

    python tests/lava_dl/run_netx.py NET X.npy OUT.npy [NET X.npy OUT.npy ...]

X.npy: (time, batch, *inputs); OUT.npy: what the last layer sends, (time, batch, *outputs). A run a sample. OUT.v.npy
beside it: the last layer's voltages after the last step, (batch, *outputs), where it has any.
"""

import sys
from pathlib import Path

import h5py
import numpy as np
from lava.lib.dl import netx
from lava.lib.dl.netx.blocks.models import AbstractPyBlockModel
from lava.lib.dl.netx.blocks.process import RecurrentDense
from lava.magma.core.decorator import implements
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc import io

# every layer is set to 0 once, in the step of its first input, so that biases wait for it as they do in training
NEVER_AGAIN = 1 << 20


@implements(proc=RecurrentDense, protocol=LoihiProtocol)
class PyRecurrentDenseModel(AbstractPyBlockModel):
    """netx builds recurrent layers, but lava-dl 0.6.0 forgot to say what runs them: what runs all its blocks."""


def input_block(path):
    """Whether the first layer has neurons, and the bias that netx leaves to whoever feeds them."""
    with h5py.File(path, "r") as file:
        first = file["layer/0"]
        fed = "neuron" in first and first["type"][0] == b"input"
        return fed, int(first["bias"][()].item()) if fed and "bias" in first else 0


def run(path, x):
    """One sample through a fresh network, ((time, *outputs), voltages) for (time, *inputs)."""
    fed, bias = input_block(path)
    network = netx.hdf5.Network(net_config=path, reset_interval=NEVER_AGAIN, reset_offset=1)
    first = network.layers[0].neuron
    if fed:
        # an axon takes a step on the chip; what is fed by hand waits for it
        x = np.concatenate([np.zeros_like(x[:1]), x])
    if bias:
        first.bias_mant.init = np.full(first.a_in.shape, bias)
    # netx has the axes of images the other way round
    shape = first.a_in.shape if fed else network.inp.shape
    turned = x.T if len(shape) == x.ndim - 1 else x.reshape(len(x), -1).T
    source = io.source.RingBuffer(data=turned.reshape(*shape, len(x)))
    sink = io.sink.RingBuffer(shape=network.out.shape, buffer=len(x))
    source.s_out.connect(first.a_in if fed else network.inp)
    network.out.connect(sink.a_in)
    network.run(condition=RunSteps(num_steps=len(x)), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    sent = sink.data.get().T
    neuron = network.layers[-1].neuron
    voltages = neuron.v.get().T if hasattr(neuron, "v") else np.zeros(0)
    network.stop()
    return sent, voltages


def main(net, inputs, output):
    """All samples of one file."""
    values = np.load(inputs)
    found = [run(net, values[:, b].copy()) for b in range(values.shape[1])]
    np.save(output, np.stack([sent for sent, _ in found], axis=1))
    np.save(Path(output).with_suffix(".v.npy"), np.stack([voltages for _, voltages in found]))


if __name__ == "__main__":
    for first in range(1, len(sys.argv), 3):
        main(*sys.argv[first : first + 3])
