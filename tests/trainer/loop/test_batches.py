"""Batches for a device: the same in the same order, one ahead of the step that uses them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from spikeport.trainer.loop.batches import Batch, on_device


def numbered(count: int, made: list[int]) -> Iterator[Batch]:
    for number in range(count):
        made.append(number)
        yield torch.zeros(2, number + 1), torch.zeros(number + 1)


@pytest.mark.parametrize(("device", "ahead"), [("cpu", 0), ("meta", 1)])
def test_the_same_batches_in_order_and_at_most_one_ahead(device: str, ahead: int) -> None:
    made: list[int] = []
    for number, (x, y) in enumerate(on_device(numbered(5, made), torch.device(device))):
        assert x.shape == (2, number + 1) and y.shape == (number + 1,)
        assert x.device.type == y.device.type == device
        assert number + 1 <= len(made) <= number + 1 + ahead
    assert made == [0, 1, 2, 3, 4]


def test_an_error_on_the_way_is_raised() -> None:
    def broken() -> Iterator[Batch]:
        yield torch.zeros(1), torch.zeros(1)
        raise ValueError("a sample is broken")

    batches = on_device(broken(), torch.device("meta"))
    next(batches)
    with pytest.raises(ValueError, match="a sample is broken"):
        next(batches)
