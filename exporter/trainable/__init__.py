"""A network that was read, as a torch module that computes in the chip's integers and can be trained."""
