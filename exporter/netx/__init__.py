"""lava-dl's network exchange files (.net, HDF5), already in integers: read into a ChipProgram and written from one."""
