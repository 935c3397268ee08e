"""Hypothesis strategy for the layers of .net files: every layer and neuron kind that lava-dl writes, in chains."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import seeds

Layers = list[dict[str, Any]]
FAMILIES = ("cuba", "input block", "resonators", "sigma-delta")


class Draw:
    """A file as it grows, layer by layer."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw, self.rng = draw, np.random.default_rng(draw(seeds))
        self.layers: Layers = []
        self.shape: tuple[int, ...] = ()

    def one_of(self, *values: Any) -> Any:
        return self.draw(st.sampled_from(values))

    def weights(self, *shape: int) -> NDArray[np.float64]:
        """Weights of one sign or of both, with zeros among them, never all zero; those of mixed sign even or small."""
        signs, largest = (
            self.one_of((1,), (1, 1, 1, -1), (1, 1, 1, 0, -1), (1, 1, -1), (1, -1), (-1,)),
            self.one_of(7, 60, 120),
        )
        values = self.rng.integers(1, largest, shape) * self.rng.choice(signs, shape)
        values.flat[0] = values.flat[0] or 5
        return values.astype(float)

    def cuba(self, size: int) -> dict[str, Any]:
        return {
            "type": b"CUBA",
            "iDecay": int(self.rng.integers(200, 4097)),
            "vDecay": int(self.rng.integers(0, 2000)),
            "vThMant": int(self.rng.integers(20, 200)) if self.one_of(True, True, False) else self._each(size, 20, 200),
            "refDelay": 1,
        }

    def resonator(self) -> dict[str, Any]:
        return {
            "type": self.one_of(b"RF", b"RF_PHASE"),
            "sinDecay": int(self.rng.integers(300, 2000)),
            "cosDecay": int(self.rng.integers(-3000, 3500)),
            "vThMant": int(self.rng.integers(5, 40)),
        }

    def sigma_delta(self) -> dict[str, Any]:
        return {"type": b"SDNN", "vThMant": int(self.rng.integers(0, 3)), "activation": b"relu"}

    def bias(self, size: int) -> dict[str, Any]:
        if self.one_of(True, False):
            return {}
        return {"bias": self.rng.integers(-30, 30, size).astype(float)}

    def _each(self, size: int, low: int, high: int) -> NDArray[np.int64]:
        return self.rng.integers(low, high, size)

    def add(self, **layer: Any) -> None:
        self.layers.append(layer)

    def convolution(self, neuron: dict[str, Any], pool: bool) -> None:
        channels, height, width = self.shape
        kernel = tuple(int(self.rng.integers(1, min(3, n) + 1)) for n in (height, width))
        stride = self.one_of((1, 1), (2, 1), (1, 2))
        padding = self.one_of((0, 0), (1, 0), (0, 1))
        groups = channels if pool else self.one_of(1, channels)
        out = channels if pool else groups * int(self.rng.integers(1, 3))
        size = [(n + 2 * p - k) // s + 1 for n, p, k, s in zip(self.shape[1:], padding, kernel, stride, strict=True)]
        self.shape = (out, *size)
        per = 1 if pool else channels // groups
        weights = self.weights(1 if pool else out, per, *kernel)[..., None]
        self.add(
            type=b"pool" if pool else b"conv", shape=np.array(self.shape), weight=weights, stride=np.array(stride),
            padding=np.array(padding), dilation=np.array((1, 1)), groups=groups, neuron=neuron, **self.bias(out),
        )  # fmt: skip

    def flatten(self) -> None:
        if len(self.shape) > 1:
            self.shape = (math.prod(self.shape),)
            self.add(type=b"flatten", shape=np.array(self.shape))

    def dense(self, neuron: dict[str, Any] | None, size: int, **others: Any) -> None:
        self.flatten()
        (before,) = self.shape
        self.shape = (size,)
        held = {} if neuron is None else {"neuron": neuron}
        self.add(type=b"dense", shape=np.array([size]), weight=self.weights(size, before), **held, **others)

    def recurrent(self, neuron: dict[str, Any], size: int, **others: Any) -> None:
        self.dense(neuron, size, **others)
        self.layers[-1] |= {"type": b"dense_rec", "weight_rec": self.weights(size, size)}

    def delays(self, size: int) -> dict[str, Any]:
        before = math.prod(self.shape)
        forms = {"none": (), "target": (size,), "source": (before,), "synapse": (size, before)}
        form = forms[self.one_of(*forms)]
        return {"delay": self.rng.integers(0, 9, form).astype(float)} if form else {}


@st.composite
def net_files(draw: st.DrawFn, family: str | None = None, pools: bool = True) -> tuple[Layers, tuple[int, ...]]:
    """Layers, and the shape of the input that they take; pools: whether pooling layers are among them."""
    d = Draw(draw)
    family = family or d.one_of(*FAMILIES)
    image = family != "resonators" and d.one_of(True, False)
    d.shape = (int(d.rng.integers(1, 3)), 4, 5) if image else (int(d.rng.integers(2, 7)),)
    entered = d.shape
    if family in ("input block", "sigma-delta"):
        neuron = d.sigma_delta() if family == "sigma-delta" else {**d.cuba(1), "vThMant": 90}
        bias = {"bias": np.array([[3.0]])} if family == "input block" and d.one_of(True, False) else {}
        d.add(type=b"input", shape=np.array(d.shape), weight=np.array([[d.one_of(1.0, 36.0)]]), neuron=neuron, **bias)
    elif image:
        d.add(type=b"input", shape=np.array(d.shape))
    for _ in range(draw(st.integers(1, 3))):
        size = int(d.rng.integers(2, 7))
        if family == "resonators":
            d.dense(d.resonator(), size)
            real = d.layers[-1].pop("weight")
            d.layers[-1] |= {"weight/real": real, "weight/imag": d.weights(*real.shape)}
        elif family == "sigma-delta":
            if len(d.shape) == 3 and d.one_of(True, False):
                d.convolution(d.sigma_delta(), pools and d.one_of(True, False))
            else:
                d.dense(d.sigma_delta(), size, **d.bias(size))
        elif len(d.shape) == 3 and d.one_of(True, True, False):
            d.convolution({**d.cuba(1), "vThMant": int(d.rng.integers(20, 200))}, pools and d.one_of(True, False))
        elif d.one_of(True, False):
            d.recurrent(d.cuba(size), size, **d.bias(size))
        else:
            d.dense(d.cuba(size), size, **d.delays(size), **d.bias(size))
    if family == "sigma-delta" and d.one_of(True, False):
        d.dense({**d.sigma_delta(), "sigma_output": True}, 3)
    elif family == "cuba" and d.one_of(True, False, False):
        d.dense(None, 3)
    return d.layers, entered
