import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from spikeport.trainer.network.exact_convolution import exact_convolution


def whole(low: int, high: int, shape: tuple[int, ...], seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high + 1, shape, generator=generator).float().requires_grad_()


@given(st.integers(0, 2**31), st.sampled_from([1, 2]), st.sampled_from([0, 1]), st.sampled_from([1, 2]))
def test_sums_are_exact_and_gradients_those_of_16_bit(seed: int, stride: int, padding: int, groups: int) -> None:
    images, weight = whole(0, 255, (3, 4, 7, 5), seed), whole(-254, 254, (6, 4 // groups, 3, 3), seed + 1)
    settings = (None, (stride, stride), (padding, padding), (1, 1), groups)
    wanted = nn.functional.conv2d(images.double(), weight.double(), *settings)
    with torch.autocast("cpu", torch.bfloat16):
        convolve = exact_convolution("cpu")
        half = nn.functional.conv2d(images, weight, *settings)
    summed = convolve(images, weight, *settings)
    assert torch.equal(summed.double(), wanted)
    slopes = torch.randn(summed.shape, generator=torch.Generator().manual_seed(seed))
    ours = torch.autograd.grad((summed * slopes).sum(), [images, weight])
    theirs = torch.autograd.grad((half.float() * slopes).sum(), [images, weight])
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine, other, rtol=2e-2, atol=2e-2 * float(other.abs().max()))


def test_only_what_is_asked_for_gets_gradients() -> None:
    images, weight = whole(0, 1, (2, 3, 5, 5), 0).detach(), whole(-3, 3, (4, 3, 3, 3), 1)
    with torch.autocast("cpu", torch.bfloat16):
        summed = exact_convolution("cpu")(images, weight, None, (1, 1), (1, 1), (1, 1), 1)
    summed.sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert images.grad is None


@pytest.mark.parametrize("type_", [torch.float32, torch.float64])
def test_without_autocast_it_is_torch_s(type_: torch.dtype) -> None:
    images, weight = whole(0, 1, (2, 3, 5, 5), 0).to(type_), whole(-3, 3, (4, 3, 3, 3), 1).to(type_)
    settings = (None, (1, 1), (1, 1), (1, 1), 1)
    assert torch.equal(
        exact_convolution("cpu")(images, weight, *settings), nn.functional.conv2d(images, weight, *settings)
    )
