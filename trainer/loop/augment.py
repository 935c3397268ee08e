"""Random augmentation of training samples, from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikeport.common.errors import InputError
from spikeport.trainer.data.encoding import Images, Spikes
from spikeport.trainer.settings.options import RECIPE_RULES


@dataclass(frozen=True)
class Augmentation:
    """Random changes of each training sample; by default none.

    shift: largest shift in pixels, vertically and horizontally (or in channels, for spike trains with one axis);
    crop: smallest share of the sides of a random window, which is scaled to full size (nearest pixel);
    flip: probability of mirroring left to right; noise: standard deviation of noise added to images, which stay in
    [0, 1]; drop: probability that a spike is dropped. Raises InputError for values out of range.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    shift: int = 0
    crop: float = 1.0
    flip: float = 0.0
    noise: float = 0.0
    drop: float = 0.0

    def __post_init__(self) -> None:
        if self.shift < 0 or self.noise < 0:
            raise InputError(f"shift and noise must be at least 0, not {self.shift} and {self.noise}")
        for name, value in (("flip", self.flip), ("drop", self.drop)):
            if not 0 <= value <= 1:
                raise InputError(f"{name} is a probability, 0 to 1, not {value}")
        if not 0 < self.crop <= 1:
            raise InputError(f"crop is a share of an image's sides, above 0 and at most 1, not {self.crop}")

    @property
    def moves(self) -> bool:
        """True if it depends on the positions of a sample's values."""
        return self.shift > 0 or self.crop < 1 or self.flip > 0


def augment(x: Images, input_shape: tuple[int, ...], how: Augmentation, generator: np.random.Generator) -> Images:
    """Samples x, images (N, *input_shape) or spike trains (N, T, *input_shape), each changed in its own way.

    The same generator state gives the same samples; if there is nothing to do, the generator is not used. Values
    shifted in are 0. Raises InputError for a shift, crop or flip of features without positions (a flat image).
    """
    if how.moves:
        trains = x.ndim > 1 + len(input_shape)
        if len(input_shape) not in (1, 3) or (len(input_shape) == 1 and not trains):
            raise InputError(f"shift, crop and flip need images (C, H, W) or channels, not features {input_shape}")
        if len(input_shape) == 1 and (how.crop < 1 or how.flip > 0):
            raise InputError("crop and flip need images (C, H, W); channels can be shifted")
        x = np.asarray([_moved(sample, len(input_shape), how, generator) for sample in x])
    if how.noise > 0 and np.issubdtype(x.dtype, np.floating):
        noisy = x + how.noise * generator.standard_normal(x.shape, np.float32)
        x = np.asarray(np.clip(noisy, 0, 1), dtype=np.float32)
    return x


def drop_spikes(spikes: Spikes, how: Augmentation, generator: np.random.Generator) -> Spikes:
    """Spikes, each dropped with probability `how.drop`; if that is 0, the generator is not used."""
    return spikes * (generator.random(spikes.shape) >= how.drop) if how.drop > 0 else spikes


def _moved(sample: Images, axes: int, how: Augmentation, generator: np.random.Generator) -> Images:
    if axes == 1:
        return _shifted(sample, int(generator.integers(-how.shift, how.shift + 1)), -1)
    if how.crop < 1:
        sample = _cropped(sample, generator.uniform(how.crop, 1), generator)
    if how.shift > 0:
        for axis in (-2, -1):
            sample = _shifted(sample, int(generator.integers(-how.shift, how.shift + 1)), axis)
    if how.flip > 0 and generator.random() < how.flip:
        sample = sample[..., ::-1]
    return sample


def _shifted(sample: Images, by: int, axis: int) -> Images:
    size = sample.shape[axis]
    source = np.arange(size) - by
    inside = (source >= 0) & (source < size)
    moved = np.take(sample, np.clip(source, 0, size - 1), axis=axis)
    return np.asarray(moved * inside.reshape((-1,) + (1,) * (-axis - 1)).astype(sample.dtype))


def _cropped(sample: Images, share: float, generator: np.random.Generator) -> Images:
    for axis in (-2, -1):
        size = sample.shape[axis]
        window = max(1, round(share * size))
        start = int(generator.integers(0, size - window + 1))
        sample = np.asarray(np.take(sample, start + np.arange(size) * window // size, axis=axis))
    return sample
