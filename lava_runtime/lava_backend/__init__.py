"""The only package that imports lava; `child` starts a process in which everything else here runs."""
