"""Norse: every cell that its exporter knows, each behind a Linear layer."""

import norse.torch as norse
import torch
from norse.torch.utils.export_nir import to_nir

from common import HIDDEN, INPUTS, failed_cell, save_cell, spikes, weights

DT = 1e-3


def each(low: float, high: float) -> torch.Tensor:
    """A value per neuron."""
    return torch.linspace(low, high, HIDDEN)


TAU, SYN, THRESHOLD, LEAK = 1 / each(0.004, 0.02), 1 / each(0.002, 0.01), each(0.2, 0.4), each(-0.1, 0.1)
BOX = {"tau_mem_inv": TAU, "v_th": THRESHOLD, "v_reset": torch.zeros(HIDDEN)}
LIF = {"tau_syn_inv": SYN, **BOX}
CELLS = {
    "LIFCell": lambda: norse.LIFCell(norse.LIFParameters(v_leak=torch.zeros(HIDDEN), **LIF), dt=DT),
    "LIFCell, v_leak": lambda: norse.LIFCell(norse.LIFParameters(v_leak=LEAK, **LIF), dt=DT),
    "LIFCell, its defaults": lambda: norse.LIFCell(dt=DT),
    "LIFBoxCell": lambda: norse.LIFBoxCell(norse.LIFBoxParameters(v_leak=torch.zeros(HIDDEN), **BOX), dt=DT),
    "LIFBoxCell, v_leak": lambda: norse.LIFBoxCell(norse.LIFBoxParameters(v_leak=LEAK, **BOX), dt=DT),
    "LIBoxCell": lambda: norse.LIBoxCell(norse.LIBoxParameters(tau_mem_inv=TAU, v_leak=LEAK), dt=DT),
    "IAFCell": lambda: norse.IAFCell(norse.IAFParameters(v_th=5 * THRESHOLD, v_reset=torch.zeros(HIDDEN)), dt=DT),
}

x = spikes(INPUTS)
for name, make in CELLS.items():
    try:
        network = norse.SequentialState(torch.nn.Linear(INPUTS, HIDDEN), make())
        scale = {"IAFCell": 0.5, "LIFCell, its defaults": 2.0}.get(name, 1.0)
        out, state = [], None
        with torch.no_grad():
            network[0].weight.copy_(torch.from_numpy(weights(HIDDEN, INPUTS, scale, 1)))
            network[0].bias.copy_(torch.from_numpy(weights(HIDDEN, 1, 0.05, 2)[:, 0]))
            for step in torch.from_numpy(x):
                sent, state = network(step, state)
                out.append(sent)
        save_cell(name, to_nir(network, torch.from_numpy(x[0, 0]), dt=DT), x, torch.stack(out))
    except Exception as error:
        failed_cell(name, error)
