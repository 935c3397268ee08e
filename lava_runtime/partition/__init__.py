"""Partitions chosen by the cost model: which neurons share a core, for the least time or energy of a step."""
