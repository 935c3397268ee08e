"""Signals that ask the command to end: SIGTERM and SIGHUP clean up as Ctrl-C does."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass, field
from types import FrameType

_NAMES = ("SIGTERM", "SIGHUP")


@dataclass
class EndSignals:
    """The signals that have asked for the end; a second one does not interrupt the clean-up."""

    received: list[int] = field(default_factory=list)

    def install(self) -> None:
        """Raise KeyboardInterrupt on each signal, unless it is ignored, as SIGHUP is by nohup."""
        for number in self._numbers():
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, self._end)
        if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
            signal.signal(signal.SIGINT, self._interrupt)

    @property
    def status(self) -> int:
        """The exit code: 128 and the signal's number, that of Ctrl-C if none was received."""
        return 128 + (self.received[0] if self.received else signal.SIGINT)

    def _end(self, number: int, _: FrameType | None) -> None:
        self.received.append(number)
        for other in self._numbers():
            signal.signal(other, signal.SIG_IGN)
        self._interrupt(number, None)

    @staticmethod
    def _interrupt(_number: int, _: FrameType | None) -> None:
        # a library's object that was interrupted while it was made fails in its destructor, which Python would print
        sys.unraisablehook = lambda _: None
        raise KeyboardInterrupt

    @staticmethod
    def _numbers() -> list[signal.Signals]:
        # Windows has no SIGHUP
        return [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
