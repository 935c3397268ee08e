"""The modules that are tuned, in Loihi's integers or a chip's own."""

from spikeport.exporter.trainable.module import ChipModule
from spikeport.exporter.trainable.own_graph import OwnGraph

Tunable = ChipModule | OwnGraph
