"""The chip's rounding in Triton, shared by the kernels of training and of the emulator."""

import triton
import triton.language as tl


@triton.jit
def decayed(x, word):
    """toward_zero(x word / 4096), exact in 32 bits: |x| = 4096 h + l, so |x| word / 4096 = h word + l word / 4096."""
    size = tl.abs(x)
    kept = (size >> 12) * word + (((size & 4095) * word) >> 12)
    return tl.where(x < 0, -kept, kept)
