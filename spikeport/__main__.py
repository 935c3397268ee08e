"""`python -m spikeport` is the same as `spikeport`."""

from spikeport.commands.cli import main

main()
