"""Exit codes of the command line; 0 is success."""

EXIT_NO = 1
"""The answer is no: the network does not fit, spikes differ, something is broken."""
EXIT_USAGE = 2
"""Wrong input or wrong call."""
EXIT_INTERRUPTED = 130
"""Stopped with Ctrl-C; SIGTERM gives 143, SIGHUP 129."""
