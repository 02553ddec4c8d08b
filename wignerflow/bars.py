"""Bars of work that lasts: on a terminal on standard error, in a notebook a widget, else none."""

from __future__ import annotations

import sys
import time
from typing import Any

QUIET_SECONDS = 1.0  # shorter work shows nothing
UPDATE_SECONDS = 0.5
LINE = ": {postfix} [{elapsed}]"
SHARE = " {percentage:3.0f}% |{bar}| {elapsed}<{remaining}"


def in_notebook() -> bool:
    """Whether the code runs in a notebook, where a widget can be shown."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def seen() -> bool:
    """Whether anybody would see a bar."""
    return in_notebook() or sys.stderr.isatty()


class Steps:
    """A bar of work that is counted: steps of an exact solution, runs of a sweep or certificate.

    It comes up when the work lasts, and ``with`` removes it.
    """

    def __init__(self, what: str, wanted: bool):
        self.what = what
        self.wanted = wanted and seen()
        self.start = self.last = time.perf_counter()
        self.bar: Any = None
        self.part = ""

    def show(self, done: float, total: float, part: str = "") -> None:
        """So much is done, of so much; every ``part`` of the work, in words, has a bar."""
        if not self._due():
            return
        if self.bar is not None and part != self.part:
            self.bar.close()
            self.bar = None
        if self.bar is None:
            self.part = part
            self.bar = new_bar(100, ", ".join(filter(None, (self.what, part))) + SHARE)
        self.bar.n = round(100 * done / total, 1) if total > 0 else 0
        self.bar.refresh()

    def say(self, text: str) -> None:
        """Where work stands whose end is not known."""
        if not self._due():
            return
        if self.bar is None:
            self.bar = new_bar(100, self.what + LINE)
        self.bar.set_postfix_str(text, refresh=False)
        self.bar.refresh()

    def _due(self) -> bool:
        """Whether something is shown now."""
        now = time.perf_counter()
        if not self.wanted or now - self.start < QUIET_SECONDS or now - self.last < UPDATE_SECONDS:
            return False
        self.last = now
        return True

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()


def new_bar(total: int, layout: str) -> Any:
    """A bar of tqdm."""
    options: dict[str, Any] = {"total": total, "leave": False, "bar_format": layout}
    if in_notebook():
        from tqdm import notebook

        if notebook.IProgress is not None:  # else no widgets are installed: a line of text, then
            return notebook.tqdm(**options)
    from tqdm import tqdm

    return tqdm(**options, file=sys.stderr)
