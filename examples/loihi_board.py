"""Runs a .net file on a Loihi 2 board, or without --board in Lava's simulation of one; needs lava-dl (Python 3.10).

    spikeport export runs/digits -o digits.net
    python examples/loihi_board.py digits.net x.npy out.npy [--board]

X.npy: spikes (time, *inputs), one sample; OUT.npy: what the last layer sends, (time, *outputs). A layer answers as many
steps behind the input as it has layers before it, itself included.

Untested: the lines of --board. There was no board to run them on; they need Intel's lava-loihi package and its drivers
beside lava-dl, and follow the published scripts of others who run netx there. All else is run by the tests.
"""

import argparse

import numpy as np
from lava.lib.dl import netx
from lava.lib.dl.netx.blocks.models import AbstractPyBlockModel
from lava.lib.dl.netx.blocks.process import RecurrentDense
from lava.magma.core.decorator import implements
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2HwCfg, Loihi2SimCfg
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc import io

# each layer is set to 0 once, in the step of its first input, so that its bias waits for it as it did in training
NEVER_AGAIN = 1 << 20


@implements(proc=RecurrentDense, protocol=LoihiProtocol)
class RecurrentDenseModel(AbstractPyBlockModel):
    """What lava-dl 0.6.0 left out: it builds recurrent layers and has no model of them."""


def main() -> None:
    """Run one sample."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("net", "x", "out"):
        parser.add_argument(name)
    parser.add_argument("--board", action="store_true", help="run on hardware (untested)")
    arguments = parser.parse_args()

    x = np.load(arguments.x)
    network = netx.hdf5.Network(net_config=arguments.net, reset_interval=NEVER_AGAIN, reset_offset=1)
    print(network)
    # Lava's time is the last axis, and netx has the axes of images the other way round
    data = x.T if x.ndim - 1 == len(network.inp.shape) else x.reshape(len(x), -1).T
    source = io.source.RingBuffer(data=data.reshape(*network.inp.shape, len(x)))
    sink = io.sink.RingBuffer(shape=network.out.shape, buffer=len(x))

    if arguments.board:
        from lava.proc import embedded_io as eio
        from lava.utils.loihi import use_slurm_host

        use_slurm_host()  # on Intel's research cloud; on a board of your own say where it is instead
        image = len(network.inp.shape) == 3
        enter = (eio.spike.PyToN3ConvAdapter if image else eio.spike.PyToNxAdapter)(shape=network.inp.shape)
        leave = eio.spike.NxToPyAdapter(shape=network.out.shape)
        source.s_out.connect(enter.inp)
        enter.out.connect(network.inp)
        network.out.connect(leave.inp)
        leave.out.connect(sink.a_in)
        configuration = Loihi2HwCfg()
    else:
        source.s_out.connect(network.inp)
        network.out.connect(sink.a_in)
        configuration = Loihi2SimCfg(select_tag="fixed_pt")

    network.run(condition=RunSteps(num_steps=len(x)), run_cfg=configuration)
    np.save(arguments.out, sink.data.get().T)
    network.stop()


if __name__ == "__main__":
    main()
