"""lava-dl's network exchange files (.net, HDF5), in integers already: read into a ChipProgram."""
