"""The report of a run, or of two: a page and a terminal table, made from summary.json and raster.npz."""

from .page import write_report
from .run_comparison_page import print_pair, read_pair, write_pair
from .terminal import print_summary

__all__ = ["print_pair", "print_summary", "read_pair", "write_pair", "write_report"]
