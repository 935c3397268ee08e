"""Messages on the links of the mesh: what a spike of each part of a core puts on each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from spikeport.exporter.mapping import routes

from .fan_out import FanOut, UniformFanOut
from .placement import Placement

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# hops of all routes between parts; of more, links are not followed, because their table would take gigabytes
MOST_HOPS = 20_000_000


@dataclass(frozen=True)
class LinkTraffic:
    """Part p puts messages[k] on link links[k] with every spike, for k from indptr[p] to indptr[p + 1].

    Exact where all elements of a part reach the same cores, else the mean over its elements (a convolution). ends: the
    routers that each link joins, (links, 4), see `routes`; longest: links of the longest route.
    """

    indptr: Integers
    links: Integers
    messages: Floats
    ends: Integers
    longest: int

    @classmethod
    def of(cls, fan_outs: Sequence[FanOut], placement: Placement) -> LinkTraffic:
        """The links between all parts that exchange messages; none if there are too many routes."""
        parts = len(placement.parts)
        rows, columns, messages = (np.concatenate(column) for column in zip(*_pairs(fan_outs, placement), strict=True))
        sent = coo_array((messages, (rows, columns)), shape=(parts, parts)).tocsr().tocoo()
        hops = placement.hops(sent.row, sent.col)[0].sum()
        if hops > MOST_HOPS:
            return cls(np.zeros(parts + 1, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros((0, 4), np.int64), 0)
        taken = routes(placement.board, placement.positions[sent.row], placement.positions[sent.col])
        source, each = np.repeat(sent.row, taken.lengths), np.repeat(sent.data, taken.lengths)
        table = coo_array((each, (source, taken.links)), shape=(parts, len(taken.ends))).tocsr()
        return cls(
            table.indptr.astype(np.int64), table.indices.astype(np.int64), table.data.astype(np.float64), taken.ends,
            int(taken.lengths.max(initial=0)),
        )  # fmt: skip

    @property
    def count(self) -> int:
        """Number of links."""
        return len(self.ends)


def _pairs(fan_outs: Sequence[FanOut], placement: Placement) -> Iterator[tuple[Integers, Integers, Floats]]:
    """Source parts, target parts, and messages of one spike between them, connection by connection."""
    yield np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    for fan_out in fan_outs:
        if isinstance(fan_out, UniformFanOut):
            own, targets = placement.of(fan_out.source), fan_out.targets
            rows, columns = np.meshgrid(
                np.arange(own.start, own.stop), np.arange(targets.start, targets.stop), indexing="ij"
            )
            yield rows.reshape(-1), columns.reshape(-1), np.ones(rows.size)
        else:
            slots = placement.slots[fan_out.source]
            rows = np.repeat(slots, np.diff(fan_out.indptr))
            elements = np.bincount(slots, minlength=len(placement.parts))
            yield rows, fan_out.targets, 1.0 / elements[rows]
