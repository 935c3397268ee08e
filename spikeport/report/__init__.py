"""The report of a run: one page and one terminal table, made from summary.json and raster.npz only."""

from .page import write_report
from .terminal import print_summary

__all__ = ["print_summary", "write_report"]
