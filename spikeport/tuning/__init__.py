"""Chip-exact fine-tuning of any network, with labels or after its own float network."""
