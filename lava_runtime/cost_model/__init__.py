"""Cost of counted events on a chip, in joules and seconds: pure functions from counts and constants to ranges."""
