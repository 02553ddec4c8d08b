"""Ctrl-C and SIGTERM as wishes, so that no sum is ever cut in half."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any


class Interrupts:
    """While it is ``armed``, the first Ctrl-C is noted in ``wanted``; the second raises.

    Before, when nothing is done yet that could be lost, the first one raises too. With
    ``terminate``, SIGTERM (which queues send before they kill) is noted too, and sent again on
    leaving, when what was done is safe. In other threads than the main one nothing changes.
    """

    def __init__(self, *, terminate: bool = False):
        self.wanted = False
        self.insisted = False
        self.armed = False
        self._terminated = False
        self._signals = [signal.SIGINT, signal.SIGTERM] if terminate else [signal.SIGINT]
        self._before: dict[signal.Signals, Any] = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            self._terminated = True
        elif self.wanted:
            self.insisted = True
        if not self.armed or self.insisted:
            raise KeyboardInterrupt
        self.wanted = True

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in self._signals:
                # None: set by other code than Python's; ignored: to be left so (nohup)
                if signal.getsignal(number) not in (None, signal.SIG_IGN):
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._terminated:
            os.kill(os.getpid(), signal.SIGTERM)
