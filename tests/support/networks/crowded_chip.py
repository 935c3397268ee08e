"""A chip with so few compartments per core that small networks fill several."""

from __future__ import annotations

from spikeport.hardware_profiles import load_chip
from spikeport.hardware_profiles.schema import ChipProfile


def crowded(compartments: int, **others: int) -> ChipProfile:
    """Loihi 1 with so few compartments a core that small networks take several cores; others: more of its limits."""
    chip = load_chip("loihi1")
    one = chip.limits.compartments_per_core
    changed = {name: one.model_copy(update={"value": n}) for name, n in others.items()}
    changed["compartments_per_core"] = one.model_copy(update={"value": compartments})
    return chip.model_copy(update={"limits": chip.limits.model_copy(update=changed)})
