"""What the module of a chip's own integers offers beside forward() and program(), or a sentence where it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import FloatNetwork


def events_of_layers(own: nn.Module, x: Tensor, network: FloatNetwork) -> dict[str, Tensor]:
    """Events of the network's layers by name, in its order; of a family without `run` those of the output only."""
    run: Callable[[Tensor], Mapping[str, Tensor]] | None = getattr(own, "run", None)
    if run is None:
        return {network.outputs[0]: own(x)}
    sent = run(x)
    return {p.name: sent[p.name] for p in network.populations if p.name in sent}


def network_by(own: nn.Module, method: str, chip: str, otherwise: str) -> FloatNetwork:
    """What a method without arguments of the family's module gives; raises InputError where there is none."""
    found: Callable[[], FloatNetwork] | None = getattr(own, method, None)
    if found is None:
        raise InputError(f"the module of {chip}'s integers has no {method}(); {otherwise}, or extend it")
    return found()
