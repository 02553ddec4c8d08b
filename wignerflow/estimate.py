"""What a calculation needs in time and memory, said before it starts.

Whoever is about to work calls :func:`announce`; whoever asked (``solve``, ``Model.estimate``)
listens. Times are for this machine when it is idle, within a factor of about three; memory is a
lower bound. A :class:`Crew` of threads leaves its work when the time is up.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from . import _check
from .bars import Steps

LONG = 3600.0  # seconds from which a run is warned about
MINUTE = 60.0  # and from which it says on standard error how long it takes


@dataclass(frozen=True)
class Estimate:
    """What a run needs, before it starts.

    Attributes:
        seconds: of wall time, within a factor of about three; compiling left out.
        bytes: of memory, at least.
        what: what takes the time, in words.
    """

    seconds: float
    bytes: float
    what: str = ""

    def __repr__(self) -> str:
        what = f": {self.what}" if self.what else ""
        return f"about {duration(self.seconds)} and {size(self.bytes)}{what}"


class Beyond(ValueError):
    """A run needs more memory than this machine has: ``estimate``."""

    def __init__(self, message: str, estimate: Estimate):
        super().__init__(message)
        self.estimate = estimate

    def __reduce__(self) -> tuple[type[Beyond], tuple[str, Estimate]]:
        return type(self), (self.args[0], self.estimate)  # from worker processes


def duration(seconds: float) -> str:
    """Seconds in a unit that people use."""
    for unit, length in (("years", 3.2e7), ("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.2g} {unit}" if seconds < 1e12 else f"{seconds:.0e} s"
    return f"{seconds:.2g} s"


def size(number: float) -> str:
    """Bytes in a unit that people use."""
    return f"{number / 1e9:.3g} GB" if number >= 1e8 else f"{number / 1e6:.2g} MB"


def machine_memory() -> float:
    """Bytes that this process may use at most: of the machine, its container, its limits."""
    import psutil

    limits = [float(psutil.virtual_memory().total)]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # of control groups 2 and 1
        with contextlib.suppress(OSError, ValueError):
            limits.append(float(Path("/sys/fs/cgroup", name).read_text()))
    if os.name == "posix":
        import resource

        soft = resource.getrlimit(resource.RLIMIT_AS)[0]
        if soft != resource.RLIM_INFINITY:
            limits.append(float(soft))
    return min(limits)


def check_memory(need: float, what: str, remedy: str) -> None:
    """Refuse what the machine cannot hold.

    Raises:
        Beyond: ``what`` needs more than this machine has.
    """
    have = machine_memory()
    if need > have:
        raise Beyond(
            f"{what} needs at least {size(need)} of memory, but this machine allows {size(have)}; "
            f"{remedy}.",
            Estimate(math.inf, need, what),
        )


@dataclass(frozen=True)
class Listener:
    """Who hears estimates, and whether to spend a moment on precise ones.

    ``until``: when work that can be left is left (``time.process_time``, so that what is found does
    not hang on what else the machine does); ``compiles``: whether
    kernels may be compiled for it; ``watch``: is told of every step of a calculation how many are
    done, of how many, and of what part of the work, in words; ``number``: how many of what is
    announced there are; ``lanes``: trajectories per block of kernels, which are part of their text:
    those of a kernel that is there.
    """

    hear: Callable[[Estimate], None]
    precise: bool = False
    until: float = math.inf
    compiles: bool = True
    watch: Callable[[float, float, str], None] | None = None
    number: float = 1.0
    lanes: int | None = None


class TooLong(BaseException):
    """Ends work that whoever listens has no more time for."""


#: Who hears estimates.
LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let ``listener`` hear every estimate made inside; it may raise."""
    token = LISTENER.set(listener)
    try:
        yield
    finally:
        LISTENER.reset(token)


class LongRun(UserWarning):
    """A run takes more than an hour."""


@contextlib.contextmanager
def watching(
    name: str,
    *,
    told: bool = True,
    shown: bool | None = None,
    timeout: float | None = None,
    upto: str = "",
    advice: str = "Ask for less.",
    clock: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Warn before work of more than an hour; tell on standard error of work of minutes.

    Whoever calls for work that may be long puts it in here; inside another call of this, the outer
    one warns.

    Args:
        name: of the work, for its bar.
        told: whether there is a word about minutes.
        shown: whether there is a bar; None: where there is a word.
        timeout: seconds after which the work ends anyway.
        upto: "up to " where it may end before.
        advice: what else to do, in a sentence.
        clock: is called now and then, and may give up.
    """
    outer = LISTENER.get()
    limit = math.inf if timeout is None else timeout
    if outer is not None:
        hear = outer.hear
        capped = replace(outer, hear=lambda e: hear(replace(e, seconds=min(e.seconds, limit))))
        with listening(capped):
            yield
        return
    begin, said = time.perf_counter(), list[float]()

    def listen(estimate: Estimate) -> None:
        so_far = time.perf_counter() - begin
        whole = replace(estimate, seconds=so_far + estimate.seconds)
        if limit < LONG or LONG in said:
            return
        if whole.seconds > LONG:
            said.append(LONG)
            _check.warn(f"This run takes {upto}{whole!r}. {advice}", LongRun)
        elif whole.seconds > MINUTE and told and not said:
            said.append(MINUTE)
            print(f"wignerflow: this takes {whole!r}", file=sys.stderr, flush=True)

    def watch(done: float, total: float, part: str) -> None:
        clock()
        if bar is not None:
            bar.show(done, total, part)

    wanted = told if shown is None else shown
    with (
        Steps(name, True) if wanted else contextlib.nullcontext() as bar,
        listening(Listener(listen, watch=watch)),
    ):
        yield


@contextlib.contextmanager
def within(until: float, compiles: bool, lanes: int | None = None) -> Iterator[None]:
    """Leave what is announced to take, or takes, longer; ``compiles``: kernels may be compiled.

    ``lanes``: per block of the kernels.
    """

    def hear(estimate: Estimate) -> None:
        if time.process_time() + estimate.seconds > until:
            raise TooLong

    listener = Listener(hear, until=until, compiles=compiles, lanes=lanes)
    with listening(listener), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def repeated(number: float) -> Iterator[None]:
    """Let every estimate made inside be that of so many alike."""
    listener = LISTENER.get()
    if listener is None:
        yield
        return
    hear = listener.hear

    def more(estimate: Estimate) -> None:
        hear(replace(estimate, seconds=number * estimate.seconds))

    with listening(replace(listener, hear=more, number=number * listener.number)):
        yield


def announce(seconds: float, need: float, what: str, remedy: str) -> None:
    """Say what the work that follows needs.

    Raises:
        Beyond: more memory than this machine has.
    """
    check_memory(need, what[:1].upper() + what[1:], remedy)
    listener = LISTENER.get()
    if listener is not None:
        listener.hear(Estimate(seconds, need, what))


_COMPILING: ContextVar[Callable[[], contextlib.AbstractContextManager[None]]] = ContextVar(
    "compiling", default=contextlib.nullcontext
)


@contextlib.contextmanager
def showing_compilation(
    show: Callable[[], contextlib.AbstractContextManager[None]],
) -> Iterator[None]:
    """Let every compilation inside run within ``show()``."""
    token = _COMPILING.set(show)
    try:
        yield
    finally:
        _COMPILING.reset(token)


def compiling() -> contextlib.AbstractContextManager[None]:
    """What a compilation runs in, so that who waits for it sees why."""
    return _COMPILING.get()()


def check_time(done: float = 0.0, total: float = 0.0) -> None:
    """Leave work for which whoever listens has no more time, and say how far it has come.

    Raises:
        TooLong: the time is up.
    """
    listener = LISTENER.get()
    if listener is None:
        return
    if listener.until < math.inf and time.process_time() > listener.until:
        raise TooLong
    tell(done, total)


def tell(done: float, total: float) -> None:
    """Say how far the work has come."""
    listener = LISTENER.get()
    if listener is not None and listener.watch is not None:
        listener.watch(done, total, "")


@contextlib.contextmanager
def part(what: str, number: int = 0, of: int = 1) -> Iterator[None]:
    """Let what is done inside count as part ``number`` of so many alike, called ``what``."""
    listener = LISTENER.get()
    watch = None if listener is None else listener.watch
    if listener is None or watch is None:
        yield
        return
    outer = watch

    def share(done: float, total: float, inner: str) -> None:
        done = done / total if total > 0 else 0.0
        outer(number + done, of, ", ".join(filter(None, (what, inner))))

    with listening(replace(listener, watch=share)):
        yield


def out_of_time(start: float, timeout: float | None, done: str) -> None:
    """Give up a run of which nothing is finished.

    Args:
        start: when its clock began (``time.perf_counter``).
        timeout: seconds that it has; None: any.
        done: what the time went into.

    Raises:
        TimeoutError: the time is up.
    """
    spent = time.perf_counter() - start
    if timeout is not None and spent > timeout:
        raise TimeoutError(
            f"No trajectory was finished within the timeout of {timeout:g} s: {spent:.3g} s went "
            f"into {done}."
        )


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


def together(
    call: Callable[[T], U],
    items: Iterable[T],
    kernels: Iterable[Stopping],
    threads: int,
    watch: Callable[[], Any],
) -> list[U]:
    """What ``call`` makes of all items, by a crew of their own."""
    with Crew(threads, watch) as crew:
        return crew.map(call, items, kernels)
