"""Threads whose work is left when the time is up: pilots, derivatives, quantum jumps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
U = TypeVar("U")
POLL = 0.1  # seconds between looks at the clock


class Stopping(Protocol):
    """A kernel, as far as it matters here."""

    def stop(self) -> None:
        """Leave what is under way."""


class Crew:
    """Threads whose work is left as soon as the clock or Ctrl-C says so.

    Args:
        threads: how many.
        watch: looks at the clock; may give up by raising.
    """

    def __init__(self, threads: int, watch: Callable[[], Any]):
        self.watch = watch
        self.pool = ThreadPoolExecutor(threads)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *error: Any) -> None:
        self.pool.shutdown(cancel_futures=True)

    def map(
        self, call: Callable[[T], U], items: Iterable[T], kernels: Iterable[Stopping]
    ) -> list[U]:
        """What ``call`` makes of all items; see ``stream``."""
        return list(self.stream(call, items, kernels))

    def stream(
        self, call: Callable[[T], U], items: Iterable[T], kernels: Iterable[Stopping]
    ) -> Iterator[U]:
        """What ``call`` makes of the items, in order, each as soon as it is done.

        ``call`` runs ``kernels``, which are stopped for good where that is left before its end.
        """
        tasks = [self.pool.submit(call, item) for item in items]
        try:
            for task in tasks:
                while not wait([task], POLL).done:
                    self.watch()
                yield task.result()
        except BaseException:
            for task in tasks:
                task.cancel()
            for kernel in kernels:
                kernel.stop()
            raise
