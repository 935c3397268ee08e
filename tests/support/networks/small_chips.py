"""Chips with small limits, drawn at random."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from spikeport.hardware_profiles import ChipProfile, load_chip


def small_chip(name: str = "loihi2", **limits: int) -> ChipProfile:
    """A chip with some limits of a core made smaller, or given."""
    chip = load_chip(name)
    some = chip.limits.cores_per_chip
    changed: dict[str, Any] = {key: some.model_copy(update={"value": float(value)}) for key, value in limits.items()}
    return chip.model_copy(update={"limits": chip.limits.model_copy(update=changed)})


def _chip(
    name: str, compartments: int, memory: int, axons_in: int, axons_out: int, slots: int, configs: int, layers: int,
    longest: int,
) -> ChipProfile:  # fmt: skip
    return small_chip(
        name, compartments_per_core=compartments, synapse_memory_bits_per_core=memory, input_axons_per_core=axons_in,
        output_axons_per_core=axons_out, delay_slots_per_core=slots, compartment_configs_per_core=configs,
        threshold_configs_per_core=configs, synapse_configs_per_core=8, layers_per_core=layers,
        synapses_per_list=longest,
    )  # fmt: skip


chips = st.builds(
    _chip, st.sampled_from(["loihi1", "loihi2"]), st.integers(1, 50), st.integers(100, 40_000), st.integers(1, 100),
    st.integers(1, 300), st.integers(1, 200), st.integers(1, 50), st.integers(1, 3), st.integers(1, 60),
)  # fmt: skip
