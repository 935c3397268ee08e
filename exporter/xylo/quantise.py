"""Rounds a float network to a Xylo chip's integers: shifts, scales, weights and thresholds chosen together.

Decays are fitted first (decays.py). Then thresholds and the shifts of the weight matrices: with each, every neuron has
its best scale (rounding.py), and those are taken at which its spikes are nearest to the float network's (search.py,
trial.py). Last, the thresholds of each population are corrected by a factor, where that brings the spikes nearer.
A network that was trained in these integers keeps those of its training (registers.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.float_network import FloatNetwork, FloatPopulation
from spikeport.exporter.neurons.xylo.neurons import XyloHidden, XyloOutput
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.schema import ChipProfile

from .before_rounding import check_network
from .bias_neurons import with_bias_neurons
from .float_block import float_block
from .layout import Layout, layout_of
from .program import assemble
from .registers import round_as_trained
from .rounded_network import RoundedNetwork
from .rounding import FloatBlock, RoundedBlock, Words, own_reset
from .search import best_rounding
from .trial import Trial, make_trial, try_block


def quantise_xylo(network: FloatNetwork, chip: ChipProfile, options: CompileOptions) -> ChipProgram:
    """A lowered network in the chip's integers; raises InputError for what it does not have."""
    return assemble(network, round_xylo(network, chip, options), chip)


def round_xylo(network: FloatNetwork, chip: ChipProfile, options: CompileOptions) -> RoundedNetwork:
    """A lowered network rounded; raises InputError."""
    if not network.populations:
        raise InputError("holds no neurons; add an IF, LIF or CubaLIF node")
    if options.sums == "graded" or options.precision == "high":
        raise InputError(
            f"{chip.title} has one weight per synapse and no relays; leave out --precision high and --sums graded"
        )
    return _as_trained(network, chip, options) or _searched(network, chip, options)


def _as_trained(network: FloatNetwork, chip: ChipProfile, options: CompileOptions) -> RoundedNetwork | None:
    """The network in the integers of its training; None if it was not trained in them."""
    if not all(p.registers for p in network.populations):
        return None
    layout = _checked_layout(network, chip)
    return round_as_trained(layout, _floats(network, layout, chip), words_of(chip, options), _shifts(chip))


def _floats(network: FloatNetwork, layout: Layout, chip: ChipProfile) -> dict[str, FloatBlock]:
    return {kind: float_block(network, layout, kind, _longest(chip)) for kind in ("hidden", "outputs")}


def _checked_layout(network: FloatNetwork, chip: ChipProfile) -> Layout:
    layout = layout_of(network)
    check_network(network, layout, chip, _longest(chip))
    return layout


def _longest(chip: ChipProfile) -> int:
    """The largest dash."""
    widths = chip.word_widths.fixed_point()
    return int((1 << min(widths.du_bits, widths.dv_bits)) - 1)


def _shifts(chip: ChipProfile) -> range:
    widths = chip.word_widths.fixed_point()
    return range(widths.weight_exp_min, widths.weight_exp_max + 1)


def _searched(network: FloatNetwork, chip: ChipProfile, options: CompileOptions) -> RoundedNetwork:
    """The network at the shifts and scales at which its spikes are nearest to the float network's."""
    given, network = network, with_bias_neurons(network, int(chip.rules["fan_out"]))
    layout = _checked_layout(network, chip)
    words, shifts = words_of(chip, options), _shifts(chip)
    trial = make_trial(given, options)
    floats = _floats(network, layout, chip)
    hidden = [p.name for p in layout.hidden]
    heard = {"hidden": [*(port.name for port in layout.inputs), *hidden], "outputs": hidden}
    most = {"hidden": XyloHidden.MOST_EVENTS, "outputs": XyloOutput.MOST_EVENTS}
    rounded: dict[str, RoundedBlock] = {}
    for kind, block in floats.items():
        events = trial.arriving(heard[kind])
        error = partial(_error, getattr(layout, kind), events, most[kind], trial)
        parts = list(layout.places[kind].values())
        floats[kind], rounded[kind] = best_rounding(block, parts, shifts, words, error)
    return RoundedNetwork(layout, floats, rounded, trial.basis)


def _error(
    populations: Sequence[FloatPopulation],
    events: NDArray[np.uint8],
    most: int,
    trial: Trial,
    block: FloatBlock,
    rounded: RoundedBlock,
) -> float:
    sent = try_block(rounded, own_reset(block, rounded), block.decays, events, most)
    return trial.error(populations, sent)


def words_of(chip: ChipProfile, options: CompileOptions) -> Words:
    """The largest integers of the registers; raises InputError for a number of weight bits that the chip lacks."""
    widths = chip.word_widths.fixed_point()
    bits = widths.weight_bits if options.weight_bits is None else options.weight_bits
    if not 2 <= bits <= widths.weight_bits:
        raise InputError(f"weights of {bits} bit: {chip.title} stores 2 to {widths.weight_bits} bit")
    return Words((1 << (bits - 1)) - 1, (1 << widths.vth_bits) - 1, (1 << (widths.bias_mant_bits - 1)) - 1)
