"""ONNX networks of ReLUs -> spiking networks: rate-coded, or sigma-delta."""
