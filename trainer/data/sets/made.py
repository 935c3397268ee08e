"""Data sets that a seeded generator makes: a regression, and a class in each step."""

from __future__ import annotations

import numpy as np

from spikeport.trainer.data.dataset import Dataset, Request

FRIEDMAN_SAMPLES, FRIEDMAN_TEST, FRIEDMAN_FEATURES = 2400, 400, 5
# mean and standard deviation of the function over the unit cube
FRIEDMAN_MEAN, FRIEDMAN_DEVIATION = 14.41, 4.88

SWITCHING_SAMPLES, SWITCHING_TEST = 720, 120
SWITCHING_CLASSES, SWITCHING_CHANNELS, SWITCHING_STEPS = 4, 32, 40
# spikes per step of a channel of the present source, and of all others; the probability of another source per step
_ACTIVE, _QUIET, _SWITCH = 0.4, 0.1, 0.08


def friedman(request: Request) -> Dataset:
    """Friedman's regression problem 1 of five features in [0, 1], without noise: 2000 to train, 400 to test.

    y = 10 sin(pi x0 x1) + 20 (x2 - 0.5)**2 + 10 x3 + 5 x4, less its mean, over its standard deviation.
    Source: Friedman, Multivariate Adaptive Regression Splines, Annals of Statistics 19(1), 1991, section 4.3.
    """
    generator = np.random.default_rng([request.seed, 1])
    x = generator.random((FRIEDMAN_SAMPLES, FRIEDMAN_FEATURES)).astype(np.float32)
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * np.square(x[:, 2] - 0.5) + 10 * x[:, 3] + 5 * x[:, 4]
    values = ((y - FRIEDMAN_MEAN) / FRIEDMAN_DEVIATION).astype(np.float32)[:, None]
    train, test = slice(FRIEDMAN_TEST, None), slice(FRIEDMAN_TEST)
    return Dataset(
        x[train], values[train], x[test], values[test], (FRIEDMAN_FEATURES,), 1, "friedman", targets="values"
    )


def switching(request: Request) -> Dataset:
    """Which of four sources drives 32 noisy channels, in each step: 600 spike trains to train, 120 to test.

    A source, which changes at random, makes its quarter of the channels fire more often than the others; the target is
    the source of the step. request.steps: default 40. One step alone leaves doubt, so memory helps.
    """
    steps = request.steps or SWITCHING_STEPS
    generator = np.random.default_rng([request.seed, 2])
    source = np.empty((SWITCHING_SAMPLES, steps), np.int64)
    source[:, 0] = generator.integers(SWITCHING_CLASSES, size=SWITCHING_SAMPLES)
    for step in range(1, steps):
        switched = generator.random(SWITCHING_SAMPLES) < _SWITCH
        # one of the other sources
        other = (source[:, step - 1] + generator.integers(1, SWITCHING_CLASSES, SWITCHING_SAMPLES)) % SWITCHING_CLASSES
        source[:, step] = np.where(switched, other, source[:, step - 1])
    of_channel = np.arange(SWITCHING_CHANNELS) % SWITCHING_CLASSES
    rate = np.where(source[:, :, None] == of_channel, _ACTIVE, _QUIET)
    x = (generator.random(rate.shape) < rate).astype(np.uint8)
    train, test = slice(SWITCHING_TEST, None), slice(SWITCHING_TEST)
    return Dataset(
        x[train], source[train], x[test], source[test], (SWITCHING_CHANNELS,), SWITCHING_CLASSES, "switching", steps,
        targets="class_per_step",
    )  # fmt: skip
