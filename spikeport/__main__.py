"""`python -m spikeport` is `spikeport`."""

from spikeport.commands.cli import main

main()
