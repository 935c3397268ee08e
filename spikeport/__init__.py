"""From a trained spiking network to a neuromorphic chip: the front door to trainer, exporter and lava_runtime."""

__version__ = "0.1.0"
