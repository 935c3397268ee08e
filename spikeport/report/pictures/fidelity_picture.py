"""Differences between float and fixed point: three small charts with one row per layer."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from spikeport.report.units import count, percent, plain
from spikeport.summary import Difference, LayerFidelity

from .chart_axes import TRACK, Scale, axis, chart, heading, length, logarithmic, track
from .svg import clip, dot, line, rectangle

_ROW, _FOOT = 50.0, 22.0


@dataclass(frozen=True)
class Panel:
    """One of the small charts."""

    title: str
    picture: Markup


def fidelity_panels(difference: Difference) -> list[Panel]:
    """Spikes in float and on the chip, the share that differs, and the first step that differs."""
    return [
        Panel("Spikes per inference", _rates(difference)),
        Panel("Spikes that differ", _differing(difference)),
        Panel("Identical up to step", _identical(difference)),
    ]


def _rates(difference: Difference) -> Markup:
    scale = logarithmic((v for layer in difference.layers for v in (layer.float_spikes, layer.chip_spikes)), "", 3)
    marks, words = [], []
    for index, layer in enumerate(difference.layers):
        y, middle = _ROW * index, _ROW * index + 20 + TRACK / 2
        marks += heading(y + 13, clip(layer.name, 16), "", count(layer.chip_spikes), "")
        # a logarithmic axis cannot show zero
        if layer.float_spikes > 0:
            marks.append(dot(scale.x(layer.float_spikes), middle, 7.5, "ring"))
        if layer.chip_spikes > 0:
            marks.append(dot(scale.x(layer.chip_spikes), middle, 4, "point chip"))
        words.append(f"{layer.name} {count(layer.float_spikes)} in float, {count(layer.chip_spikes)} on the chip")
    return _panel(f"Spikes per inference: {'; '.join(words)}.", difference, marks, scale)


def _differing(difference: Difference) -> Markup:
    least = 1e-6
    shares = [layer.differing_share for layer in difference.layers if layer.differing_share > 0]
    wide = logarithmic([*shares, least, 1e-2], "", 3)
    scale = Scale(wide.first, wide.last, tuple((v, percent(v, max(0, -2 - _exponent(v)))) for v, _ in wide.ticks), True)
    marks, words = [], []
    for index, layer in enumerate(difference.layers):
        y = _ROW * index
        value = percent(layer.differing_share, 4) if layer.differing else "none"
        marks += heading(y + 13, clip(layer.name, 16), "", value, "")
        if layer.differing:
            marks.append(rectangle(0, y + 24, scale.x(layer.differing_share), TRACK - 8, "bar ann", 2))
        words.append(f"{layer.name} {value}")
    return _panel(f"Share of spikes that differ, logarithmic axis: {'; '.join(words)}.", difference, marks, scale)


def _exponent(value: float) -> int:
    return round(float(f"{value:e}".split("e")[1]))


def _identical(difference: Difference) -> Markup:
    last = float(max(1, difference.steps))
    scale = Scale(0.0, last, ((0.0, "0"), (last, plain(difference.steps))))
    marks, words = [], []
    for index, layer in enumerate(difference.layers):
        y, middle = _ROW * index, _ROW * index + 20 + TRACK / 2
        marks += heading(y + 13, clip(layer.name, 16), "", _steps(layer), "")
        end = last if layer.first is None else float(layer.first.step)
        marks.append(rectangle(0, y + 24, length(scale.position(end)), TRACK - 8, "bar chip", 2))
        if layer.first is not None:
            x = scale.x(end)
            marks += [line(x, y + 20, x, y + 20 + TRACK, "first"), dot(x, middle, 4.5, "point ann")]
        words.append(f"{layer.name} {_steps(layer)}")
    return _panel(f"Step up to which no sample differs: {'; '.join(words)}.", difference, marks, scale)


def _steps(layer: LayerFidelity) -> str:
    return "all" if layer.first is None else plain(layer.first.step)


def _panel(label: str, difference: Difference, marks: list[Markup], scale: Scale) -> Markup:
    bands = [(_ROW * i + 20, _ROW * i + 20 + TRACK) for i in range(len(difference.layers))]
    bottom = _ROW * len(difference.layers) - 4
    ground = [track(top) for top, _ in bands]
    return chart(label, bottom + _FOOT, [*ground, *axis(scale, bands, bottom), *marks])
