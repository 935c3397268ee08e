"""Sinabs: every cell that its exporter knows, each behind a Linear layer."""

import sinabs.layers as sl
import torch
from sinabs.activation import MembraneReset, MultiSpike, SingleSpike
from sinabs.nir import to_nir

from common import BATCH, HIDDEN, INPUTS, STEPS, failed_cell, save_cell, spikes, weights

TAU = torch.linspace(4.0, 20.0, HIDDEN)
THRESHOLD = torch.linspace(0.8, 1.2, HIDDEN)
ONCE = {"spike_fn": SingleSpike, "min_v_mem": None}
FLAT = {"batch_size": BATCH, "min_v_mem": None}
CELLS = {
    "IAF": lambda: sl.IAF(**ONCE),
    "IAF, MembraneReset": lambda: sl.IAF(reset_fn=MembraneReset(), **ONCE),
    "IAF, MultiSpike": lambda: sl.IAF(spike_fn=MultiSpike, min_v_mem=None),
    "IAF, min_v_mem -1": lambda: sl.IAF(spike_fn=SingleSpike, min_v_mem=-1.0),
    "IAFSqueeze": lambda: sl.IAFSqueeze(spike_fn=SingleSpike, **FLAT),
    "LIF": lambda: sl.LIF(tau_mem=TAU, spike_threshold=THRESHOLD, **ONCE),
    "LIF, one tau": lambda: sl.LIF(tau_mem=10.0, **ONCE),
    "LIF, tau by neuron only": lambda: sl.LIF(tau_mem=TAU, **ONCE),
    "LIF, norm_input False": lambda: sl.LIF(tau_mem=TAU, spike_threshold=THRESHOLD, norm_input=False, **ONCE),
    "LIF, tau_syn": lambda: sl.LIF(tau_mem=TAU, spike_threshold=THRESHOLD, tau_syn=torch.full((HIDDEN,), 5.0), **ONCE),
    "LIFSqueeze": lambda: sl.LIFSqueeze(tau_mem=TAU, spike_threshold=THRESHOLD, spike_fn=SingleSpike, **FLAT),
    "ExpLeak": lambda: sl.ExpLeak(tau_mem=TAU, min_v_mem=None),
    "ExpLeak, norm_input True": lambda: sl.ExpLeak(tau_mem=TAU, min_v_mem=None, norm_input=True),
    "ExpLeakSqueeze": lambda: sl.ExpLeakSqueeze(tau_mem=TAU, **FLAT),
}

x = spikes(INPUTS)
batch_first = torch.from_numpy(x).transpose(0, 1)
for name, make in CELLS.items():
    try:
        flat = "Squeeze" in name
        network = torch.nn.Sequential(torch.nn.Linear(INPUTS, HIDDEN), make())
        integrates = name.startswith("IAF") or "norm_input" in name
        with torch.no_grad():
            network[0].weight.copy_(torch.from_numpy(weights(HIDDEN, INPUTS, 0.5 if integrates else 2.5, 1)))
            network[0].bias.copy_(torch.from_numpy(weights(HIDDEN, 1, 0.05, 2)[:, 0]))
            given = batch_first.reshape(-1, INPUTS) if flat else batch_first
            out = network(given).reshape(BATCH, STEPS, HIDDEN).transpose(0, 1)
        # one step: the exporter takes the time axis for one of the input's
        save_cell(name, to_nir(network, given[: BATCH * 2] if flat else given[:, :1]), x, out)
    except Exception as error:
        failed_cell(name, error)
