"""Pruning reaches its share, step by step where there are epochs for it, and says where there are not."""

from __future__ import annotations

import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeport.trainer.loop.pruning import Pruning, PruningWarning, warn_at_once


@given(st.floats(0.01, 0.999), st.integers(1, 30), st.lists(st.integers(1, 40), min_size=1, max_size=4))
def test_the_share_is_reached_by_the_middle_and_no_synapse_is_empty(
    fraction: float, epochs: int, sizes: list[int]
) -> None:
    weights = tuple(torch.randn(size, 1) for size in sizes)
    pruning = Pruning(weights, fraction, epochs)
    zeros, first = [], None
    for epoch in range(epochs):
        pruning.start_epoch(epoch)
        zeros = [int((weight == 0).sum()) for weight in weights]
        first = zeros if first is None else first
        if pruning.is_done(epoch):
            assert zeros == [min(round(fraction * size), size - 1) for size in sizes]
    assert pruning.is_done(epochs - 1)
    assert all(n < size for n, size in zip(zeros, sizes, strict=True))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_at_once(fraction, epochs)
    # the warning is right: with fewer epochs the first one has all of them
    assert bool(caught) == pruning.is_done(0)


@pytest.mark.parametrize(("epochs", "words"), [(1, "in 1 epoch sets"), (2, "in 2 epochs sets")])
def test_pruning_at_once_is_warned_of(epochs: int, words: str) -> None:
    with pytest.warns(PruningWarning, match=rf"pruning 90% of the weights {words} all of them to 0 at once"):
        warn_at_once(0.9, epochs)
