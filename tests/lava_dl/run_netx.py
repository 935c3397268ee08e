"""Runs a .net file by lava-dl's own netx, sample by sample, in an environment that has lava-dl.

    python tests/lava_dl/run_netx.py NET X.npy OUT.npy

X.npy: (time, batch, inputs); OUT.npy: what the last layer sends, (time, batch, outputs). A run a sample.
"""

import sys

import numpy as np
from lava.lib.dl import netx
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc import io


def run(path, x):
    """One sample through a fresh network, (time, outputs) for (time, inputs)."""
    network = netx.hdf5.Network(net_config=path)
    source = io.source.RingBuffer(data=x.T.reshape(*network.inp.shape, len(x)))
    sink = io.sink.RingBuffer(shape=network.out.shape, buffer=len(x))
    source.s_out.connect(network.inp)
    network.out.connect(sink.a_in)
    network.run(condition=RunSteps(num_steps=len(x)), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    sent = sink.data.get().reshape(-1, len(x)).T
    network.stop()
    return sent


if __name__ == "__main__":
    path, inputs, output = sys.argv[1:4]
    values = np.load(inputs)
    np.save(output, np.stack([run(path, values[:, b].copy()) for b in range(values.shape[1])], axis=1))
