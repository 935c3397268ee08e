"""What limits the time of a step: which core or link, and by which of its loads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from spikeport.hardware_profiles.schema import ChipCosts

from .pricing import ACTIVE, INACTIVE, load_of, seconds
from .timeline import BARRIER, Timeline

BoundKind = Literal["memory", "compute", "traffic", "link", "floor"]
_WORDS: dict[BoundKind, str] = {
    "memory": "memory-bound, by reading synapses",
    "compute": "compute-bound, by updating neurons",
    "traffic": "traffic-bound, by sending and receiving messages",
    "link": "bound by the messages on it",
    "floor": "floor-bound: the shortest possible step takes longer than its work",
}


@dataclass(frozen=True)
class Bound:
    """The core or link that ends most steps; kind as in the floorline model (arXiv 2511.21549).

    memory, compute, traffic: the largest load of the core; link: a link; floor: the shortest step takes longer than the
    core. core: its index in the placement, None for a link; link: x, y of the routers it joins; layers: on the
    core; share: of steps that it ends; seconds: its loads in a mean step, by kind.
    """

    kind: BoundKind
    core: int | None
    link: tuple[int, int, int, int] | None
    layers: tuple[str, ...]
    share: float
    seconds: dict[str, float]

    @property
    def sentence(self) -> str:
        """The bound in words."""
        if self.link is not None:
            x, y, to_x, to_y = self.link
            unit = f"link from router ({x}, {y}) to ({to_x}, {to_y})"
        else:
            unit = f"core {self.core} ({' + '.join(self.layers)})"
        return f"{unit} ends {self.share:.0%} of the steps: {_WORDS[self.kind]}"


def bound_of(line: Timeline, chip: ChipCosts) -> Bound:
    """The core or link that ends most steps of a run, and the load that takes it longest."""
    floor = float(line.shares[BARRIER].mean())
    if line.slowest_link.max(initial=0) > line.slowest.max(initial=0):
        number = int(np.argmax(line.slowest_link))
        messages = float(line.carried[:, number].mean())
        load = {"link": messages * (chip.time.link.value if chip.time.link else 0.0)}
        x, y, to_x, to_y = line.ends[number].tolist()
        share = float(line.slowest_link[number])
        return Bound(_kind(load, floor), None, (x, y, to_x, to_y), (), share, {**load, "floor": floor})
    core = int(np.argmax(line.slowest))
    parts = line.placement.core_of == core
    price = {name: factor.typical for name, factor in seconds(chip).items()}
    counted = {name: float(values[:, parts].sum(axis=1).mean()) for name, values in line.exact.items()}
    active = float(line.active[1][:, parts].sum(axis=1).mean())
    updates = active * price[ACTIVE] + (float(line.placement.sizes[parts].sum()) - active) * price[INACTIVE]
    load = {"memory": 0.0, "compute": updates, "traffic": 0.0}
    for name, count in counted.items():
        load[load_of(name)] += count * price[name]
    layers = tuple(dict.fromkeys(part.layer for part in line.placement.parts if part.core == core))
    serial = chip.time.serial.value if chip.time.serial else 0.0
    return Bound(_kind(load, floor, serial), core, None, layers, float(line.slowest[core]), {**load, "floor": floor})


def _kind(load: dict[str, float], floor: float, serial: float = 0.0) -> BoundKind:
    largest = max(load, key=lambda name: load[name])
    busy = load[largest] + serial * (sum(load.values()) - load[largest])
    return "floor" if floor >= busy else largest  # type: ignore[return-value]
