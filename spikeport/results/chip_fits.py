"""`spikeport fit`: which chips a network fits, and what it does there."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spikeport.console.output import say
from spikeport.console.tables import show_table
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.report.units import estimate, percent

from .shown import Shown


@dataclass(frozen=True)
class ChipFit:
    """A network on one chip.

    reasons: a sentence for each limit that is broken and known, with what would fit; none if it fits. cores: None where
    it could not be compiled. accuracy: None without labels; agreement: share of the samples with the float network's
    answer. Energy and latency of one inference are estimates. All None where it does not fit.
    """

    chip: str
    title: str
    reasons: tuple[str, ...] = ()
    cores: int | None = None
    accuracy: float | None = None
    agreement: float | None = None
    energy_j: Estimate | None = None
    latency_s: Estimate | None = None

    @property
    def fits(self) -> bool:
        """Whether the whole network fits the chip."""
        return not self.reasons

    @property
    def reason(self) -> str:
        """The first of the reasons; "" if it fits."""
        return self.reasons[0] if self.reasons else ""

    def to_dict(self) -> dict[str, Any]:
        """All of it, whether it fits, and the first reason."""
        return {"fits": self.fits, "reason": self.reason, **asdict(self), "reasons": list(self.reasons)}


@dataclass(frozen=True, repr=False)
class ChipFits(Shown):
    """A network on several chips; answer: what counts as the float network's answer."""

    network: str
    samples: int
    chips: tuple[ChipFit, ...]
    answer: str

    @property
    def fits(self) -> bool:
        """Whether it fits any of them."""
        return any(chip.fits for chip in self.chips)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary per chip."""
        return {
            "network": self.network,
            "samples": self.samples,
            "answer": self.answer,
            "chips": [chip.to_dict() for chip in self.chips],
        }

    def show(self, console: Console) -> None:
        """Print a row per chip, and what would make the network fit where it does not."""
        columns = ("chip", "fits", "accuracy", f"same {self.answer} as float", "cores", "energy", "latency")
        table = Table(*columns, title=escape(f"{self.network}, one inference, estimates"))
        for chip in self.chips:
            energy, latency = (
                "" if value is None else estimate(value, unit)
                for value, unit in ((chip.energy_j, "J"), (chip.latency_s, "s"))
            )
            cores = "" if chip.cores is None else str(chip.cores)
            shares = ("" if s is None else percent(s) for s in (chip.accuracy, chip.agreement))
            table.add_row(escape(chip.chip), "yes" if chip.fits else "no", *shares, cores, energy, latency)
        show_table(table, console, prose=(0,))
        for chip in self.chips:
            for reason in chip.reasons:
                say(console, f"{chip.chip}: {reason}")
