"""What the verbs find: results as NumPy arrays, shown on a terminal and in a notebook, written as plain values."""
