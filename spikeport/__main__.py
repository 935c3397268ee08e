"""`python -m spikeport` is `spikeport`."""

from .cli import main

main()
