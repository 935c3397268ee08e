"""DEFLATE (RFC 1951) in threads: blocks compressed apart follow each other in one stream that any reader reads."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

# of what is to be compressed; the stream depends on it, not on the number of threads
BLOCK = 1 << 20


class Deflate:
    """A compressor as zlib's, with its two methods; the same bytes whatever the number of threads.

    level: zlib's, 0 to 9. A block begins without knowledge of those before it, which costs less than a thousandth of
    the stream.
    """

    def __init__(self, pool: ThreadPoolExecutor, threads: int, level: int) -> None:
        self._pool, self._waiting, self._level = pool, 2 * threads, level
        self._left = bytearray()
        self._blocks: deque[Future[bytes]] = deque()

    def compress(self, data: bytes | memoryview) -> bytes:
        """Take in so much more; what of the stream is done."""
        self._left += data
        while len(self._left) >= BLOCK:
            self._blocks.append(self._pool.submit(_block, bytes(self._left[:BLOCK]), self._level))
            del self._left[:BLOCK]
        return b"".join(self._done(self._waiting))

    def flush(self) -> bytes:
        """The stream's rest and end."""
        self._blocks.append(self._pool.submit(_block, bytes(self._left), self._level))
        self._left.clear()
        return b"".join(self._done(0)) + _END

    def _done(self, most: int) -> Iterator[bytes]:
        """Blocks in their order, until at most so many wait."""
        while len(self._blocks) > most:
            yield self._blocks.popleft().result()


@contextmanager
def deflating(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads for `Deflate`; they have ended when this does, also by an error."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


# the last block, of nothing
_END = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS).flush()


def _block(data: bytes, level: int) -> bytes:
    """Whole bytes of a stream that goes on; raw, without zlib's head and checksum."""
    stream = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush(zlib.Z_FULL_FLUSH)
