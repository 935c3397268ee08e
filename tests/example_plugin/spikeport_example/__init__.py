"""One neuron, one pass, one chip, one data set and one training method."""

from __future__ import annotations

from pathlib import Path

CHIP = Path(__file__).parent / "chip.toml"
