"""Joins the components of a network that share nothing: Lava runs only what is connected to the process it starts from.

One process receives a message of one population of each component and discards it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from spikeport.exporter.program.chip_program import ChipProgram


def representatives(program: ChipProgram) -> list[str]:
    """The smallest population of each component; an input that feeds nothing is left out, it computes nothing."""
    place = {node.name: index for index, node in enumerate(program.nodes)}
    rows = [place[c.source] for c in program.connections]
    columns = [place[c.target] for c in program.connections]
    edges = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(place), len(place)))
    _, component = connected_components(edges, directed=False)
    smallest: dict[int, str] = {}
    for population in sorted(program.populations, key=lambda p: p.size):
        smallest.setdefault(int(component[place[population.name]]), population.name)
    return list(smallest.values())


class Joint(AbstractProcess):
    """Receives from each given port; ports in0, in1, ..."""

    def __init__(self, ports: Sequence[OutPort], payloads: Sequence[bool]) -> None:
        super().__init__(name="joint", count=len(ports))
        self.payloads = list(payloads)
        for number, port in enumerate(ports):
            setattr(self, f"in{number}", InPort(shape=port.shape))
        self._post_init()
        for number, port in enumerate(ports):
            port.connect(getattr(self, f"in{number}"))

    def model(self) -> type[PyLoihiProcessModel]:
        """The process model with one in-port per component."""
        ports = {
            f"in{number}": LavaPyType(PyInPort.VEC_DENSE, np.int32 if flag else np.uint8)
            for number, flag in enumerate(self.payloads)
        }
        model = type("ConnectedJointModel", (_JointModel,), {**ports, "__annotations__": dict.fromkeys(ports, Any)})
        return implements(proc=Joint, protocol=LoihiProtocol)(requires(CPU)(model))  # type: ignore[no-any-return]


class _JointModel(PyLoihiProcessModel):
    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._count: int = proc_params["count"]

    def run_spk(self) -> None:
        """Receive and discard."""
        for number in range(self._count):
            getattr(self, f"in{number}").recv()
