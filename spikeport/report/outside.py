"""In what respect a run lies outside the networks that its chip's estimates were held against."""

from __future__ import annotations

from spikeport.summary import Summary


def outside_sentences(summary: Summary) -> list[str]:
    """One sentence per quantity; none without an estimate, or inside."""
    cost = summary.per_inference
    found = [] if cost is None else cost.outside_validation
    return [f"{summary.chip_title}: outside of what was measured on this chip: {sentence}." for sentence in found]
