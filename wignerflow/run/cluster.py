"""Chunks on the workers of a dask.distributed cluster: the same bits as on threads.

The source of a kernel and its tables travel once, as the result of a task that any worker can
repeat; each worker compiles for its own CPU, and the scheduler, which sees bytes, does not. Workers
may die, and others may join. All must have the same CPU target and versions, or the bits would
depend on who ran what; a stranger is refused by name.
"""

from __future__ import annotations

import contextlib
import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import llvmlite
import numpy as np

from .. import _check
from .._version import __version__
from ..compiler.targets import GENERIC
from ..kernels.cpu import Chunks, CpuKernel, Kernel, cpu_target
from .pool import PoolLost, portions

SILENCE = 10.0  # seconds without an answer after which a scheduler is gone
FETCH = 30.0  # seconds for the sums of one task to travel
TRIES = 5  # of one task; each outlives some deaths of workers by itself


class ClusterError(RuntimeError):
    """The cluster cannot run these trajectories."""


def check_client(client: Any) -> Any:
    """Refuse what is no synchronous dask.distributed client."""
    methods = ("submit", "run", "nthreads", "scheduler_info")
    if not all(callable(getattr(client, m, None)) for m in methods):
        hint = "Make one: `from dask.distributed import Client; client = Client(cluster)`."
        _check.fail("client", "be a dask.distributed Client", client, hint, TypeError)
    if getattr(client, "asynchronous", False):
        _check.fail("client", "be synchronous", client)
    return client


def facts() -> dict[str, str]:
    """What the bits of a chunk depend on beside its kernel."""
    return {
        "CPU target": cpu_target(),
        "wignerflow": __version__,
        "llvmlite": llvmlite.__version__,
    }


def light(
    kernel: Kernel, first: int, sizes: list[int], ntraj: int, seed: int, keep: bool
) -> Chunks:
    """Sums of portions of chunks, without what follows from the others."""
    out = portions(kernel, first, sizes, ntraj, seed, keep)
    if np.all(out.count == kernel.lanes * np.array(sizes)[:, None]):
        out.batch_count = np.zeros((0, 0, 32), np.int64)
    return out


def _simulate(kernel: CpuKernel, *arguments: Any) -> tuple[Chunks, dict[str, str]]:
    return light(kernel, *arguments), facts()


class SchedulerLost(ClusterError, PoolLost):
    """The scheduler of the cluster does not answer."""


class Line:
    """Calls of a client, none of which waits for longer than a limit of our own.

    A scheduler that is killed leaves calls that never return. Each therefore runs in a thread of
    its own, and a ping once a second says whether anybody is there.
    """

    def __init__(self, client: Any, deadline: float | None):
        self.client, self.deadline = client, deadline
        self.workers: dict[str, int] = {}  # threads by address
        self.heard = time.perf_counter()
        self.pinged, self.asking = 0.0, False

    def _ping(self) -> None:
        try:
            self.workers = dict(self.client.nthreads())
            self.heard = time.perf_counter()
        except Exception:  # it shows in ``heard``
            pass
        finally:
            self.asking = False

    def check(self) -> None:
        """Raise once nobody has answered for ``SILENCE`` seconds."""
        now = time.perf_counter()
        if now - self.pinged > 1 and not self.asking:
            self.pinged, self.asking = now, True
            threading.Thread(target=self._ping, daemon=True).start()
        closed = getattr(self.client, "status", "running") == "closed"
        if closed or now - self.heard > SILENCE:
            raise SchedulerLost(
                "The cluster's scheduler is gone: it did not answer for "
                f"{now - self.heard:.0f} s. Call again with a new cluster; a run with a "
                "`checkpoint` continues where it was."
            )

    def _answers(self) -> bool:
        """Whether somebody answers from now on."""
        begin = time.perf_counter()
        try:
            while self.heard < begin:
                self.check()
                time.sleep(0.02)
        except SchedulerLost:
            return False
        return True

    def ask(
        self,
        call: Callable[..., Any],
        *arguments: Any,
        limit: float | None = None,
        lost: Callable[[], bool] = lambda: False,
        **keywords: Any,
    ) -> Any:
        """The value of a call, or its error; gives up when the scheduler is gone.

        Raises:
            TimeoutError: it did not return for ``limit`` seconds, or ``lost`` says that it will not
                soon.
        """
        begin = time.perf_counter()
        answer: list[Any] = []

        def work() -> None:
            try:
                answer.append((call(*arguments, **keywords), None))
            except BaseException as error:
                answer.append((None, error))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        while not answer:
            thread.join(0.2)
            if not answer:
                self.check()
                over = limit is not None and time.perf_counter() - begin > limit
                if over or (not answer and lost()):
                    waited = time.perf_counter() - begin
                    raise TimeoutError(f"The cluster did not answer within {waited:.0f} s.")
        value, error = answer[0]
        # of a worker, if the scheduler is there
        if (
            isinstance(error, OSError)
            and not isinstance(error, TimeoutError)
            and not self._answers()
        ):
            raise SchedulerLost(f"The cluster's scheduler is gone: {error}.") from error
        if error is not None:
            raise error
        return value

    def done(self, future: Any, seconds: float | None) -> bool:
        """Whether a future is done within ``seconds`` (None: before the deadline)."""
        end = self.deadline if seconds is None else time.perf_counter() + seconds
        while not future.done():
            self.check()
            if end is not None and time.perf_counter() > end:
                return False
            time.sleep(0.01)
        return True


class Cluster:
    """A pool of Dask workers.

    Args:
        client: of the cluster.
        kernel, chunks: what to run.
        deadline: until when a first worker must have answered (``time.perf_counter``).
    """

    task_seconds = 0.5
    task_bytes = 2**24
    device = "cpu"
    least, most = 1, 2**62

    def __init__(self, client: Any, kernel: CpuKernel, chunks: int, deadline: float | None = None):
        self.client = check_client(client)
        self.line = Line(client, deadline)
        self.facts: dict[str, str] = self._retry(facts)
        self.target = self.facts["CPU target"]
        name = f"wignerflow-kernel-{kernel.digest[:32]}"
        self.kernel = self.line.ask(client.submit, pickle.loads, pickle.dumps(kernel), key=name)

    def _retry(self, call: Callable[[], Any]) -> Any:
        for attempt in range(TRIES):
            future = self.line.ask(self.client.submit, call, pure=False)
            if not self.line.done(future, None):
                raise TimeoutError("No worker of the cluster answered within the timeout.")
            try:
                return self.line.ask(future.result, timeout=FETCH)
            except Exception as error:
                if not _lost(error) or attempt == TRIES - 1:
                    raise
        raise AssertionError

    @property
    def workers(self) -> int:
        """Threads of all workers; looked up once a second."""
        self.line.check()
        return max(1, sum(self.line.workers.values()))

    def submit(self, first: int, sizes: list[int], ntraj: int, seed: int, keep: bool) -> list[Any]:
        arguments = (first, sizes, ntraj, seed, keep)
        return [self._start(arguments), arguments, 1]

    def _start(self, arguments: tuple[Any, ...]) -> Any:
        return self.line.ask(self.client.submit, _simulate, self.kernel, *arguments, pure=False)

    def wait(self, task: list[Any], seconds: float) -> Chunks | None:
        """Sums of a task; one that was lost with its worker is started again."""
        future, arguments, tries = task
        try:
            if not self.line.done(future, seconds):
                return None
            out, found = self.line.ask(future.result, timeout=FETCH, lost=lambda: not future.done())
        except PoolLost:
            raise
        except Exception as error:
            if isinstance(error, TimeoutError):  # not done, or done and lost before it was fetched
                return None
            if not _lost(error) or tries >= TRIES:
                if _lost(error):
                    message = (
                        f"Chunks from {arguments[0]} on were lost with their workers {tries} times."
                    )
                    raise ClusterError(message) from error
                raise
            if self.kernel.status in ("cancelled", "error", "lost"):
                self.line.ask(self.kernel.retry)
            task[0], task[2] = self._start(arguments), tries + 1
            return None
        for what, value in self.facts.items():
            if found[what] != value:
                raise ClusterError(
                    f"The workers differ in {what}: {value!r} and {found[what]!r}, so the result "
                    f"would depend on who ran what. Use workers of one kind (with {GENERIC} in the "
                    "environment of all, any CPU of one architecture is of one kind)."
                )
        if out.batch_count.size == 0 and out.count.size:
            out.batch_count = np.repeat(out.count[:, :, None] // 32, 32, axis=2)
        return out

    def close(self, tasks: list[Any]) -> None:
        """Cancel what is still waiting, and forget the kernel."""
        futures = [task[0] for task in tasks]
        with contextlib.suppress(Exception):  # the cluster may be gone
            if futures:
                self.line.ask(self.client.cancel, futures)
            self.line.ask(self.kernel.release)


def _lost(error: BaseException) -> bool:
    """Whether an error says that a worker, not the work, failed."""
    from concurrent.futures import CancelledError

    from distributed import CancelledError as DaskCancelled
    from distributed.comm import CommClosedError
    from distributed.scheduler import KilledWorker

    return isinstance(error, (KilledWorker, CommClosedError, CancelledError, DaskCancelled))
