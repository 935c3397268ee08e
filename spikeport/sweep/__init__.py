"""Accuracy, energy, latency and cores of one recipe over a grid of its keys."""

from .grid import Grid
from .run import Sweep, run_sweep

__all__ = ["Grid", "Sweep", "run_sweep"]
