"""The recurrences of kernels.py in Triton, forward and backward, one program per BLOCK of columns.

A column is one neuron of one sample, with all its steps: sequences are (T, columns), contiguous, and column c is neuron
c % size, whose constants lie in rows, (constants, size). The step is kernels.py's, operation by operation; compiled
without fused multiply-add (triton_launch.py), results are equal to the last bit. Numbers are declared float64, because
Triton would make float32 of them; last: the place of a sequence's last step.
"""

import triton
import triton.language as tl


@triton.jit
def _columns(columns, BLOCK: tl.constexpr):
    """The program's columns, and which of them exist."""
    column = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    return column, column < columns


@triton.jit
def filter_forward(a, constants, start, u, steps, columns, size, BLOCK: tl.constexpr):
    """u[t] = u[t-1] * keep + a[t], with u[-1] = start."""
    column, inside = _columns(columns, BLOCK)
    keep = tl.load(constants + column % size, mask=inside, other=0.0)
    current = tl.load(start + column, mask=inside, other=0.0)
    place = column
    for _ in range(steps):
        current = current * keep + tl.load(a + place, mask=inside, other=0.0)
        tl.store(u + place, current, mask=inside)
        place += columns


@triton.jit
def filter_backward(gradient, constants, later, out, steps, columns, size, last, BLOCK: tl.constexpr):
    """out[t] = gradient[t] + keep * out[t+1]; later: added to the gradient of the last step."""
    column, inside = _columns(columns, BLOCK)
    keep = tl.load(constants + column % size, mask=inside, other=0.0)
    place = column + last
    error = tl.load(gradient + place, mask=inside, other=0.0) + tl.load(later + column, mask=inside, other=0.0)
    tl.store(out + place, error, mask=inside)
    for _ in range(steps - 1):
        place -= columns
        error = tl.load(gradient + place, mask=inside, other=0.0) + keep * error
        tl.store(out + place, error, mask=inside)


@triton.jit
def fire_forward(v, constants, state, s, steps, columns, size, BLOCK: tl.constexpr):
    """v[t] = w[t-1] * keep + (i[t] + bias); s[t] = v[t] > threshold; w[t] = v[t] where s[t] = 0, else 0.

    v: i, overwritten by v; constants: bias, keep, threshold; state: w[-1], overwritten by w[T-1].
    """
    column, inside = _columns(columns, BLOCK)
    neuron = column % size
    bias = tl.load(constants + neuron, mask=inside, other=0.0)
    keep = tl.load(constants + size + neuron, mask=inside, other=0.0)
    threshold = tl.load(constants + 2 * size + neuron, mask=inside, other=0.0)
    before = tl.load(state + column, mask=inside, other=0.0)
    place = column
    for _ in range(steps):
        voltage = before * keep + (tl.load(v + place, mask=inside, other=0.0) + bias)
        fires = voltage > threshold
        tl.store(v + place, voltage, mask=inside)
        tl.store(s + place, fires.to(s.dtype.element_ty), mask=inside)
        before = tl.where(fires, 0.0, voltage)
        place += columns
    tl.store(state + column, before, mask=inside)


@triton.jit
def fire_backward(
    gradient, v, constants, state, steps, columns, size, last,
    height: tl.float64, factor: tl.float64, rate: tl.float64, SLOPE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """out[t] = g[t] * slope(v[t] - threshold) + (keep * out[t+1] where s[t] = 0), written over v.

    constants: keep and threshold; state: d/dw[T-1]; SLOPE: a name in kernels.SLOPES, with its factor and rate.
    """
    column, inside = _columns(columns, BLOCK)
    neuron = column % size
    keep = tl.load(constants + neuron, mask=inside, other=0.0)
    threshold = tl.load(constants + size + neuron, mask=inside, other=0.0)
    later = tl.load(state + column, mask=inside, other=0.0)
    tall = tl.full((BLOCK,), height, keep.dtype)
    place = column + last
    for _ in range(steps):
        x = tl.load(v + place, mask=inside, other=0.0) - threshold
        given = tl.load(gradient + place, mask=inside, other=0.0) * tall
        error = given * slope(x, factor, rate, SLOPE, BLOCK) + tl.where(x > 0, 0.0, later)
        tl.store(v + place, error, mask=inside)
        later = keep * error
        place -= columns


@triton.jit
def slope(x, factor, rate, SLOPE: tl.constexpr, BLOCK: tl.constexpr):
    """The surrogate's slope at x = v - threshold, as in kernels.py."""
    top = tl.full((BLOCK,), factor, x.dtype)
    inverse = tl.full((BLOCK,), rate, x.dtype)
    if SLOPE == "atan":
        y = x * inverse
        value = _divided(top, y * y + 1)
    elif SLOPE == "fast_sigmoid":
        y = top + tl.abs(x) * inverse
        value = _divided(top, y * y)
    else:
        tl.static_assert(SLOPE == "triangle")
        value = tl.maximum(top - tl.abs(x) * inverse, 0.0)
    return value


@triton.jit
def _divided(x, y):
    """The nearest number to x / y; Triton's own division is so in double precision only."""
    return tl.div_rn(x, y) if x.dtype == tl.float32 else x / y
