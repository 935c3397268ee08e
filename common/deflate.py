"""DEFLATE (RFC 1951) in threads: independently compressed blocks, joined into one standard stream."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

# uncompressed bytes per block; the stream depends on this, not on the number of threads
BLOCK = 1 << 20


class Deflate:
    """A compressor with zlib's interface; its output does not depend on the number of threads.

    level: zlib's, 0 to 9. Blocks share no history, which makes the stream less than a thousandth larger.
    """

    def __init__(self, pool: ThreadPoolExecutor, threads: int, level: int) -> None:
        self._pool, self._waiting, self._level = pool, 2 * threads, level
        self._left = bytearray()
        self._blocks: deque[Future[bytes]] = deque()

    def compress(self, data: bytes | memoryview) -> bytes:
        """Add data; returns the part of the stream that is ready."""
        self._left += data
        while len(self._left) >= BLOCK:
            self._blocks.append(self._pool.submit(_block, bytes(self._left[:BLOCK]), self._level))
            del self._left[:BLOCK]
        return b"".join(self._done(self._waiting))

    def flush(self) -> bytes:
        """The rest of the stream, with its end."""
        self._blocks.append(self._pool.submit(_block, bytes(self._left), self._level))
        self._left.clear()
        return b"".join(self._done(0)) + _END

    def _done(self, most: int) -> Iterator[bytes]:
        """Finished blocks in order, until at most `most` are waiting."""
        while len(self._blocks) > most:
            yield self._blocks.popleft().result()


@contextmanager
def deflating(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads for `Deflate`; they end with the context, also on an error."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


# the last block, which is empty
_END = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS).flush()


def _block(data: bytes, level: int) -> bytes:
    """One block as whole bytes of a raw stream, without zlib's header and checksum."""
    stream = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush(zlib.Z_FULL_FLUSH)
