"""The network as a drawing: populations in columns, synapses as arrows."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from markupsafe import Markup

from .model import Edge, Network, Node
from .svg import WIDTH, clip, element, number, path, picture, rectangle, text
from .units import TIMES, plain, plural, power_of_two, shape

_BOX, _GAP, _MARGIN = 116.0, 126.0, 10.0
_ARROWHEAD = element(
    "defs",
    element(
        "marker",
        path("M0 0L8 4L0 8z", "arrowhead"),
        id="arrow", viewBox="0 0 8 8", refX=7, refY=4, markerWidth=7, markerHeight=7, orient="auto",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Box:
    """A node's place."""

    node: Node
    column: int
    x: float
    y: float
    height: float

    @property
    def right(self) -> float:
        """Where its outgoing arrows start."""
        return self.x + _BOX


def columns(network: Network) -> dict[str, int]:
    """Each node's column: one more than its farthest source, edges that close a loop left aside."""
    incoming: dict[str, list[str]] = defaultdict(list)
    for edge in network.edges:
        incoming[edge.target].append(edge.source)
    found: dict[str, int] = {}
    # nodes come in the order of computation, so an edge from a later node (or from itself) closes a loop
    for node in network.nodes:
        found[node.name] = max((found[s] + 1 for s in incoming[node.name] if s in found), default=0)
    return found


def network_picture(network: Network) -> Markup:
    """Draw the network."""
    boxes, height = _place(network)
    width = max(box.right for box in boxes.values()) + _MARGIN
    offset = max(0.0, (WIDTH - width) / 2)
    pairs: dict[tuple[str, str], list[Edge]] = defaultdict(list)
    for edge in network.edges:
        if edge.source in boxes and edge.target in boxes:
            pairs[edge.source, edge.target].append(edge)
    drawn = [_arrow(boxes[source], boxes[target], edges, height) for (source, target), edges in pairs.items()]
    moved = element("g", *drawn, *(_box(box) for box in boxes.values()), transform=f"translate({number(offset)} 0)")
    return picture(_label(network), height, (_ARROWHEAD, moved), max(WIDTH, width))


def _place(network: Network) -> tuple[dict[str, Box], float]:
    column_of = columns(network)
    stacks: dict[int, list[Node]] = defaultdict(list)
    for node in network.nodes:
        stacks[column_of[node.name]].append(node)
    heights = {column: sum(_height(n) for n in nodes) + 26 * (len(nodes) - 1) for column, nodes in stacks.items()}
    loops = any(column_of.get(e.source, 0) != column_of.get(e.target, 0) - 1 for e in network.edges)
    inner = max(heights.values())
    padding = 58.0 if loops else 14.0
    boxes = {}
    for column, nodes in stacks.items():
        y = padding + (inner - heights[column]) / 2
        for node in nodes:
            boxes[node.name] = Box(node, column, _MARGIN + column * (_BOX + _GAP), y, _height(node))
            y += _height(node) + 26
    return boxes, inner + 2 * padding


def _height(node: Node) -> float:
    return min(150.0, 66 + 8 * math.log2(1 + math.prod(node.shape)))


def _box(box: Box) -> Markup:
    node, middle, x = box.node, box.y + box.height / 2, box.x + _BOX / 2
    role = "input" if node.kind == "input" else "output" if node.output else "hidden"
    neurons = math.prod(node.shape)
    what = plural(neurons, "channel") if role == "input" else plural(neurons, "neuron")
    return element(
        "g",
        rectangle(box.x, box.y, _BOX, box.height, f"node {role}", 8),
        text(x, middle - 14, clip(node.name, 13), "strong", "middle"),
        text(x, middle + 5, what, None, "middle"),
        text(x, middle + 22, clip(shape(node.shape), 16) if len(node.shape) > 1 else role, "soft", "middle"),
    )


def _arrow(source: Box, target: Box, edges: list[Edge], height: float) -> Markup:
    upper, lower = _edge_words(edges)
    y0, y1 = source.y + source.height / 2, target.y + target.height / 2
    if target.column == source.column + 1:
        x0, x1, bend = source.right + 2, target.x - 3, _GAP / 2
        d = f"M{number(x0)} {number(y0)}C{number(x0 + bend)} {number(y0)} {number(x1 - bend)} {number(y1)}"
        d += f" {number(x1)} {number(y1)}"
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        labels = (text(x, y - 10, upper, "small", "middle"), text(x, y + 20, lower, "small soft", "middle"))
        return element("g", path(d, "edge", "url(#arrow)"), *labels)
    # a loop runs below the boxes, a shortcut over several columns above them
    forward = target.column > source.column
    x0, x1 = source.x + _BOX * 0.7, target.x + _BOX * 0.3
    rim = 20.0 if forward else height - 20
    start = source.y - 2 if forward else source.y + source.height + 2
    end = target.y - 3 if forward else target.y + target.height + 3
    points = (x0, start, x0, rim, x1, rim, x1, end)
    d = "M{} {}C{} {} {} {} {} {}".format(*map(number, points))
    label = text((x0 + x1) / 2, rim - 8 if forward else rim + 14, f"{upper}, {lower}", "small", "middle")
    return element("g", path(d, "edge", "url(#arrow)"), label)


def _edge_words(edges: list[Edge]) -> tuple[str, str]:
    kinds = list(dict.fromkeys(edge.kind for edge in edges))
    synapses = sum(edge.synapses for edge in edges)
    bundles = f"{len(edges)} {TIMES} " if len(edges) > 1 else ""
    upper = f"{bundles}{'/'.join(kinds)}, {plain(synapses)} syn."
    first, words = edges[0], []
    if first.weight_bits is not None:
        exponents = sorted({edge.weight_exp or 0 for edge in edges}, reverse=True)
        factor = "" if exponents == [0] else f" {TIMES} {'/'.join(power_of_two(e) for e in exponents)}"
        words.append(f"{first.weight_bits} bit{factor}")
    if first.sign_mode and len(edges) == 1:
        words.append(first.sign_mode)
    delays = sorted({edge.delay for edge in edges})
    # one step is what every connection of the chip takes
    if delays != [1]:
        words.append(f"delay {'/'.join(str(delay) for delay in delays)}")
    return upper, ", ".join(words)


def _label(network: Network) -> str:
    names = [f"{node.name} ({plain(math.prod(node.shape))})" for node in network.nodes]
    edges = [
        f"{edge.source} to {edge.target}, {edge.kind}, {plural(edge.synapses, 'synapse')}" for edge in network.edges
    ]
    return f"Network drawing. Nodes: {', '.join(names)}. Connections: {'; '.join(edges) or 'none'}."
