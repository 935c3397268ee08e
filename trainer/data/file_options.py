"""How the user's own files are read: the table [files] of a recipe."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

from spikeport.common.errors import InputError
from spikeport.common.limits import LARGEST_LAYER, LARGEST_SIDE
from spikeport.trainer.settings.checks import known, within
from spikeport.trainer.settings.options import RECIPE_RULES

from .targets import TARGET_WORDS, Targets

Polarity = Literal["separate", "merged"]
Sound = Literal["cochlea", "mel"]
Series = Literal["rate", "delta"]

# keys that only some kinds of data use
_KEYS = {
    "images": ("size", "colour", "only_pattern", "label_pattern", "test_pattern"),
    "event recordings": (
        *("size", "sensor", "polarity", "window", "time_unit"),
        *("only_pattern", "label_pattern", "test_pattern"),
    ),
    "sound recordings": ("sound", "channels", "low", "high", "window", "only_pattern", "label_pattern", "test_pattern"),
    "tables": ("label", "columns", "rows", "stride", "group", "series"),
    "arrays": ("rescale", "series", "targets"),
}
_FOR_ALL = ("test", "limit", "test_limit")


@dataclass(frozen=True)
class FileOptions:
    """How files are read; each key has an effect on some kinds of data only, others refuse it.

    All: test: share of the samples in the test part, if the data have no split; limit, test_limit: most samples of each
    part, evenly by class, 0: all.
    Files by class, by regular expressions for their names: only_pattern: other files are left out; label_pattern: its
    first group is the class, instead of the folder; test_pattern: files that it matches are the test part.
    Images: size: (height, width) to scale to; colour: three channels or one, by default as the files are.
    Events: sensor: (height, width) or (channels,), needed if the files do not state it; size: pixels to scale to;
    polarity: two channels or one; window: seconds per step, from the recording's start, by default each recording is
    divided evenly; time_unit: seconds per unit of time in .npy, .npz and HDF5 files.
    Sound: sound: the front end; channels: filters between low and high hertz; window: seconds per step, default 0.01.
    Tables: label: its column, by default the last; columns: the features, by default all others; rows: rows per
    sample of a time series, stride rows apart; group: a column, rows of one value stay together in a sample and a part.
    Series of real numbers: series: "rate" integrates each value into spikes, "delta" sends its changes up and down.
    Arrays: rescale: scale each feature to 0 to 1 by the training part's range; targets: what y holds (targets.py).
    Raises InputError for values out of range.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    test: float = 0.2
    limit: int = 0
    test_limit: int = 0
    only_pattern: str = ""
    label_pattern: str = ""
    test_pattern: str = ""
    size: tuple[int, ...] | None = None
    colour: bool | None = None
    sensor: tuple[int, ...] | None = None
    polarity: Polarity = "separate"
    window: float | None = None
    time_unit: float = 1e-6
    sound: Sound = "cochlea"
    channels: int = 64
    low: float = 100.0
    high: float | None = None
    label: str = ""
    columns: tuple[str, ...] = ()
    rows: int = 0
    stride: int = 0
    group: str = ""
    series: Series = "rate"
    rescale: bool = False
    targets: Targets = "class"

    def __post_init__(self) -> None:
        if not 0 < self.test < 1:
            raise InputError(f"test is a share of the samples above 0 and below 1, not {self.test}")
        for name in ("limit", "test_limit", "rows", "stride"):
            within(name, getattr(self, name), 0, LARGEST_LAYER)
        for name in ("window", "time_unit", "channels", "low", "high"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise InputError(f"{name} must be above 0, not {value}")
        within("channels", self.channels, 1, LARGEST_SIDE)
        if self.high is not None and self.high <= self.low:
            raise InputError(f"high must be above low = {self.low:g}, not {self.high:g}")
        for name, lengths in (("size", (2,)), ("sensor", (1, 2))):
            value = getattr(self, name)
            if value is not None and (len(value) not in lengths or min(value) < 1 or max(value) > LARGEST_SIDE):
                form = "[height, width]" if name == "size" else "[height, width] or [channels]"
                raise InputError(f"{name} must be {form} in pixels, not {list(value)}")
        known("targets", self.targets, tuple(TARGET_WORDS))
        for name in ("only_pattern", "label_pattern", "test_pattern"):
            _check_pattern(name, getattr(self, name), groups=name == "label_pattern")

    def check_for(self, kind: str) -> None:
        """Raise InputError if a key is set that has no effect on this kind of data."""
        usable = (*_FOR_ALL, *_KEYS[kind])
        for option in fields(self):
            if option.name not in usable and getattr(self, option.name) != option.default:
                users = " and ".join(other for other, keys in _KEYS.items() if option.name in keys)
                raise InputError(f"key 'files.{option.name}' is for {users}, but these data are {kind}; remove it")


def _check_pattern(name: str, pattern: str, groups: bool) -> None:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"{name} {pattern!r} is not a regular expression ({error}); correct it") from error
    if pattern and groups and not compiled.groups:
        raise InputError(f"{name} {pattern!r} has no group; put the part that names the class in parentheses")
