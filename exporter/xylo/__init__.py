"""Xylo chips: a network as one reservoir of hidden neurons and one readout, its limits, its rounding, its file."""
