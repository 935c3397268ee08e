"""A recipe that trains in seconds."""

from __future__ import annotations

RECIPE = """
name = "small"
dataset = "digits"
dt = 1e-4
devices = ["server_cpu", "jetson_tx1"]
backends = ["lava"]
[network]
neuron = "cuba_lif"
layers = [{ kind = "dense", size = 24 }]
[training]
epochs = 12
batch_size = 32
steps = 8
learning_rate = 0.02
"""
