"""The network as a drawing: populations in columns, each in the shape of its neurons, synapses as arrows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from spikeport.report.units import TIMES, plain, plural, power_of_two, shape, short_count
from spikeport.summary import Edge, Network, Node

from .network_glyph import GLYPH, glyph
from .svg import clip, element, number, path, picture, text

_BOX, _GAP, _MARGIN, _LANE = 112.0, 124.0, 8.0, 26.0
_HEIGHT = GLYPH + 56.0
# distance above a node's middle, where straight arrows start and end
_SIDE_OFFSET = 18.0
_ARROWHEAD = element(
    "defs",
    element(
        "marker",
        path("M0 0L8 4L0 8z", "arrowhead"),
        id="arrow", viewBox="0 0 8 8", refX=7, refY=4, markerWidth=6, markerHeight=6, orient="auto",
        markerUnits="userSpaceOnUse",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Box:
    """A node's position: its left edge and the top of its glyph."""

    node: Node
    column: int
    x: float
    y: float

    @property
    def middle(self) -> float:
        """The height at which arrows start and end."""
        return self.y + GLYPH / 2


def columns(network: Network) -> dict[str, int]:
    """Each node's column: one more than its farthest source, ignoring edges that close a loop."""
    incoming: dict[str, list[str]] = defaultdict(list)
    for edge in network.edges:
        incoming[edge.target].append(edge.source)
    column_of: dict[str, int] = {}
    # nodes come in the order of computation, so an edge from a later node (or from itself) closes a loop
    for node in network.nodes:
        column_of[node.name] = max((column_of[s] + 1 for s in incoming[node.name] if s in column_of), default=0)
    return column_of


def lanes(spans: Sequence[tuple[int, int]]) -> list[int]:
    """A lane for each span of columns, so that no two in a lane overlap; the shortest are nearest."""
    occupied: list[list[tuple[int, int]]] = []
    lane_of = [0] * len(spans)
    for index in sorted(range(len(spans)), key=lambda i: (spans[i][1] - spans[i][0], i)):
        low, high = spans[index]
        lane = next((i for i, row in enumerate(occupied) if all(high <= a or low >= b for a, b in row)), len(occupied))
        if lane == len(occupied):
            occupied.append([])
        occupied[lane].append((low, high))
        lane_of[index] = lane
    return lane_of


def network_picture(network: Network) -> Markup:
    """Draw the network."""
    column_of = columns(network)
    pairs: dict[tuple[str, str], list[Edge]] = defaultdict(list)
    for edge in network.edges:
        if edge.source in column_of and edge.target in column_of:
            pairs[edge.source, edge.target].append(edge)
    straight = [pair for pair in pairs if column_of[pair[1]] == column_of[pair[0]] + 1]
    above = [pair for pair in pairs if column_of[pair[1]] > column_of[pair[0]] + 1]
    below = [pair for pair in pairs if column_of[pair[1]] <= column_of[pair[0]]]
    lanes_of: dict[tuple[str, str], int] = {}
    for group in (above, below):
        spans = [(min(column_of[a], column_of[b]), max(column_of[a], column_of[b], column_of[a] + 1)) for a, b in group]
        lanes_of.update(zip(group, lanes(spans), strict=True))
    top = 6 + _LANE * (1 + max(lanes_of[pair] for pair in above)) if above else 6.0
    boxes, inner = _layout(network, column_of, top)
    bottom = top + inner + (_LANE * (1 + max(lanes_of[pair] for pair in below)) + 8 if below else 0)
    drawn = [_arrow(boxes[a], boxes[b], pairs[a, b]) for a, b in straight]
    covered = {n for n, box in boxes.items() if any(b.column == box.column and b.y < box.y for b in boxes.values())}
    for a, b in above:
        rim = top - 10 - _LANE * lanes_of[a, b]
        drawn.append(_over(boxes[a], boxes[b], pairs[a, b], rim, a in covered, b in covered))
    drawn += [_under(boxes[a], boxes[b], pairs[a, b], top + inner + 8 + _LANE * lanes_of[a, b]) for a, b in below]
    width = max(box.x for box in boxes.values()) + _BOX + _MARGIN
    return picture(_label(network), bottom, (_ARROWHEAD, *drawn, *map(_box, boxes.values())), width)


def _layout(network: Network, column_of: dict[str, int], top: float) -> tuple[dict[str, Box], float]:
    stacks: dict[int, list[Node]] = defaultdict(list)
    for node in network.nodes:
        stacks[column_of[node.name]].append(node)
    inner = _HEIGHT * max(len(nodes) for nodes in stacks.values())
    boxes = {}
    for column, nodes in stacks.items():
        y = top + (inner - _HEIGHT * len(nodes)) / 2
        for node in nodes:
            boxes[node.name] = Box(node, column, _MARGIN + column * (_BOX + _GAP), y)
            y += _HEIGHT
    return boxes, inner


def _box(box: Box) -> Markup:
    node, x, y = box.node, box.x + _BOX / 2, box.y + GLYPH
    role = "input" if node.kind == "input" else "output" if node.output else "hidden"
    neurons = math.prod(node.shape)
    size = plural(neurons, "channel") if role == "input" else plural(neurons, "neuron")
    return element(
        "g",
        glyph(node.shape, x, box.middle, f"node {role}"),
        text(x, y + 14, clip(node.name, 14), "strong", "middle"),
        text(x, y + 30, clip(shape(node.shape), 16) if len(node.shape) > 1 else size, "soft small", "middle"),
        class_="population",
    )


def _arrow(source: Box, target: Box, edges: list[Edge]) -> Markup:
    upper, lower = _edge_words(edges)
    x0, x1, bend = source.x + _BOX + 2, target.x - 2, _GAP / 2
    y0, y1 = source.middle, target.middle
    d = f"M{number(x0)} {number(y0)}C{number(x0 + bend)} {number(y0)} {number(x1 - bend)} {number(y1)}"
    d += f" {number(x1)} {number(y1)}"
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    labels = [text(x, y - 10, upper, "small", "middle"), text(x, y + 19, lower, "small soft", "middle")]
    if delay := _delay_words(edges):
        labels.append(text(x, y + 34, delay, "small delay", "middle"))
    return element("g", _line(d, edges), *labels)


def _over(source: Box, target: Box, edges: list[Edge], rim: float, from_side: bool, to_side: bool) -> Markup:
    # a shortcut over several columns; from and to the side of nodes that have another node above
    x0, x1 = source.x + _BOX * 0.62, target.x + _BOX * 0.38
    y0, y1 = source.y - 2, target.y - 2
    start, end = "", ""
    if from_side:
        x0, y0 = source.x + _BOX + 8, source.middle - _SIDE_OFFSET
        start = (
            f"M{number(x0 - 26)} {number(y0)}H{number(x0 - 8)}Q{number(x0)} {number(y0)} {number(x0)} {number(y0 - 8)}"
        )
    if to_side:
        x1, y1 = target.x - 10, target.middle - _SIDE_OFFSET
        end = f"V{number(y1 - 8)}Q{number(x1)} {number(y1)} {number(x1 + 8)} {number(y1)}H{number(x1 + 28)}"
    return _round(x0, y0, x1, y1, rim, edges, -5, start, end)


def _under(source: Box, target: Box, edges: list[Edge], rim: float) -> Markup:
    # a loop, below the names
    x0, x1 = source.x + _BOX * 0.7, target.x + _BOX * 0.3
    return _round(x0, source.y + GLYPH + 38, x1, target.y + GLYPH + 38, rim, edges, 15)


def _round(
    x0: float, y0: float, x1: float, y1: float, rim: float, edges: list[Edge], shift: float,
    start: str = "", end: str = "",
) -> Markup:  # fmt: skip
    turn = 12.0 if x1 > x0 else -12.0
    d = (
        f"{start or f'M{number(x0)} {number(y0)}'}V{number(rim + (8 if rim < y0 else -8))}Q{number(x0)} {number(rim)} "
        f"{number(x0 + turn)} {number(rim)}H{number(x1 - turn)}Q{number(x1)} {number(rim)} {number(x1)} "
        f"{number(rim + (8 if rim < y1 else -8))}{end or f'V{number(y1)}'}"
    )
    words = ", ".join(part for part in (*_edge_words(edges), _delay_words(edges)) if part)
    return element("g", _line(d, edges), text((x0 + x1) / 2, rim + shift, words, "small", "middle"))


def _line(d: str, edges: list[Edge]) -> Markup:
    # line width grows with the number of synapses, by decades
    synapses = sum(edge.synapses for edge in edges)
    width = 1 + 0.5 * math.log10(max(1, synapses) / 100) if synapses > 100 else 1.0
    return element("path", d=d, class_="edge", marker_end="url(#arrow)", stroke_width=min(3.5, width))


def _edge_words(edges: list[Edge]) -> tuple[str, str]:
    kinds = list(dict.fromkeys(edge.kind for edge in edges))
    synapses = sum(edge.synapses for edge in edges)
    bundles = f"{len(edges)} {TIMES} " if len(edges) > 1 else ""
    upper = f"{bundles}{'/'.join(kinds)}, {short_count(synapses)}"
    first, words = edges[0], []
    if first.weight_bits is not None:
        exponents = sorted({edge.weight_exp or 0 for edge in edges}, reverse=True)
        factor = "" if exponents == [0] else f" {TIMES} {'/'.join(power_of_two(e) for e in exponents)}"
        words.append(f"{first.weight_bits} bit{factor}")
    if first.sign_mode and len(edges) == 1:
        words.append(first.sign_mode)
    return upper, ", ".join(words)


def _delay_words(edges: list[Edge]) -> str:
    delays = sorted({edge.delay for edge in edges})
    # every connection of the chip takes one step
    return "" if delays == [1] else f"delay {'/'.join(plain(delay) for delay in delays)} steps"


def _label(network: Network) -> str:
    names = [f"{node.name} ({plain(math.prod(node.shape))})" for node in network.nodes]
    edges = [
        f"{edge.source} to {edge.target}, {edge.kind}, {plural(edge.synapses, 'synapse')}" for edge in network.edges
    ]
    return f"Network drawing. Nodes: {', '.join(names)}. Connections: {'; '.join(edges) or 'none'}."
