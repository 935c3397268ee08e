"""Results of the commands: NumPy arrays, shown on a terminal and in a notebook, written as plain values."""
