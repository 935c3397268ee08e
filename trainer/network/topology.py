"""Which module reads which, and the resulting shapes and sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

import numpy as np
from torch import Tensor, nn

from spikeport.common.errors import InputError

from .blocks import Flatten, Join
from .fold_batch_norm import Synapse
from .geometry import Shape, pooled_shape, synapse_geometry
from .inference_layers import Geometry
from .layer_specs import Planned, PlannedJoin, PlannedLayer
from .pooling import PoolKind

INPUT = "input"
Layer = TypeVar("Layer", bound=nn.Module)


class _Layer(Protocol):
    """A layer of neurons or units: its synapse, the pooling before it, and its shortcut synapse."""

    synapse: Synapse
    pool: int
    pool_kind: PoolKind
    shortcut: Synapse | None


@dataclass(frozen=True)
class _Signal:
    """A module's output: its shape, the modules it is a sum of, and the flattening and pooling done on the way."""

    shape: Shape
    sources: tuple[str, ...]
    flattened: bool = False
    pool: int = 1
    pool_kind: PoolKind = "average"


class Wired(nn.Module):
    """Layers, joins and flattenings by name, ordered so that each reads only earlier ones.

    input_shape: of one sample in one step; reads: which modules a module reads ("input" is the network's input), by
    default the one before it. A Join reads two; a layer with a shortcut reads its input, then the shortcut's.
    Raises InputError if a module does not fit its input, or if there is no layer.
    """

    def __init__(
        self, input_shape: Sequence[int], blocks: Mapping[str, nn.Module], reads: Mapping[str, Sequence[str]] | None
    ) -> None:
        super().__init__()
        self.input_shape = tuple(int(size) for size in input_shape)
        self.layers = nn.ModuleDict(dict(blocks))
        before = [INPUT, *blocks]
        self.reads = {name: tuple((reads or {}).get(name, (before[n],))) for n, name in enumerate(blocks)}
        self._signals = self._trace()
        names = [name for name, block in self.layers.items() if not isinstance(block, (Flatten, Join))]
        self.geometry = [self._geometry(name, _layer(self.layers[name]).synapse, 0) for name in names]
        if not names:
            raise InputError("a network needs at least one spiking layer")

    def evaluate(self, x: Tensor) -> dict[str, Tensor]:
        """The output of every module, by name, for an input (T, B, *input_shape)."""
        values = {INPUT: x}
        for name, block in self.layers.items():
            values[name] = block(*(values[read] for read in self.reads[name]))
        return values

    def shortcut_geometry(self, name: str) -> Geometry | None:
        """Geometry of a layer's shortcut synapse, if it has one."""
        shortcut = _layer(self.layers[name]).shortcut
        return None if shortcut is None else self._geometry(name, shortcut, 1)

    def joined(self, name: str) -> tuple[str, str]:
        """The two modules whose spikes an AND or IAND joins."""
        first, second = (self._signals[read].sources[0] for read in self.reads[name])
        return first, second

    def shape_of(self, name: str) -> Shape:
        """Shape of a module's output."""
        return self._signals[name].shape

    def _geometry(self, name: str, synapse: Synapse, position: int) -> Geometry:
        layer, signal = _layer(self.layers[name]), self._signals[self.reads[name][position]]
        return _read_by(name, synapse, signal, *((layer.pool, layer.pool_kind) if position == 0 else (1, "average")))

    def _trace(self) -> dict[str, _Signal]:
        signals = {INPUT: _Signal(self.input_shape, (INPUT,))}
        for name, block in self.layers.items():
            count = 2 if isinstance(block, Join) or getattr(block, "shortcut", None) is not None else 1
            reads = self.reads[name]
            if len(reads) != count or any(read not in signals for read in reads):
                raise InputError(f"{name} reads {', '.join(reads)}, but must read {count} of the nodes before it")
            signals[name] = _signal(name, block, [signals[read] for read in reads])
        return signals


def assemble(
    parts: Sequence[Planned], make: Callable[[PlannedLayer], Layer], joins_add: bool = False
) -> tuple[dict[str, nn.Module], dict[str, tuple[str, ...]]]:
    """The modules of a plan and what they read; `make` builds a layer from its entry in the plan.

    joins_add: make every join a sum, whatever its kind in the plan.
    """
    blocks: dict[str, nn.Module] = {}
    reads: dict[str, tuple[str, ...]] = {}
    for part in parts:
        reads[part.name] = part.reads
        if isinstance(part, PlannedJoin):
            blocks[part.name] = Join("add" if joins_add else part.kind)
            continue
        if part.flatten_before:
            flatten = part.name.replace("layer", "flatten")
            blocks[flatten] = Flatten(part.pool, part.pool_kind)
            reads[flatten], reads[part.name] = part.reads, (flatten,)
        blocks[part.name] = make(part)
    return blocks, reads


def _layer(module: nn.Module) -> _Layer:
    return cast(_Layer, module)


def _signal(name: str, block: nn.Module, read: Sequence[_Signal]) -> _Signal:
    first = read[0]
    if isinstance(block, Flatten):
        shape = pooled_shape(name, first.shape, block.pool)
        return _Signal((int(np.prod(shape)),), first.sources, True, block.pool, block.pool_kind)
    if isinstance(block, Join):
        return _join(name, block, first, read[1])
    layer = _layer(block)
    shape = _read_by(name, layer.synapse, first, layer.pool, layer.pool_kind).output_shape
    if layer.shortcut is not None:
        skipped = _read_by(name, layer.shortcut, read[1], 1, "average").output_shape
        if skipped != shape:
            raise InputError(f"{name} gives {shape}, but its shortcut {skipped}")
    return _Signal(shape, (name,))


def _join(name: str, join: Join, a: _Signal, x: _Signal) -> _Signal:
    if a.flattened or x.flattened or a.shape != x.shape:
        raise InputError(f"{name} joins shapes {a.shape} and {x.shape}, but both must be the same")
    if join.kind == "add":
        if set(a.sources) & set(x.sources):
            raise InputError(f"{name} adds the spikes of {a.sources[0]} twice; double the weights that read it instead")
        return _Signal(a.shape, a.sources + x.sources)
    if len(a.sources) > 1 or len(x.sources) > 1:
        raise InputError(f"{name} ({join.kind}) joins spike trains, but one of its inputs is a sum of several")
    return _Signal(a.shape, (name,))


def _read_by(name: str, synapse: Synapse, signal: _Signal, pool: int, pool_kind: PoolKind) -> Geometry:
    shape = pooled_shape(name, signal.shape, pool)
    # a Flatten pools in place of its layer
    kind = pool_kind if pool > 1 else signal.pool_kind
    return synapse_geometry(name, synapse, shape, signal.flattened, signal.sources, max(pool, signal.pool), kind)
