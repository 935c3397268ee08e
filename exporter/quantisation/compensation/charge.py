"""Weight correction for rounded decays: keeps the total charge of a spike and how far it moves a voltage."""

from __future__ import annotations

from spikeport.exporter.float_network.float_network import FloatPopulation, Floats
from spikeport.exporter.program.chip_program import Integers
from spikeport.hardware_profiles.fixed_point import decay_from_du


def weight_factors(population: FloatPopulation, du: Integers, leak: Floats, rows: int) -> Floats:
    """The factor for each row of weights, (rows,): a spike's total charge is weight / decay.

    leak: see compensation/leak.py; weights absorb it where v is sent, thresholds elsewhere. A row that several neurons
    share (a convolution's channel) uses their mean.
    """
    factors = decay_from_du(du) / population.current_decay
    if population.sends == "voltage":
        factors = factors / leak
    shared: Floats = factors.reshape(rows, -1).mean(axis=1)
    return shared
