"""Training: spiking neurons, surrogate gradients, chip-aware training, data, and the ANN twin."""
