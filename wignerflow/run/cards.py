"""Chunks on the GPUs of a cluster's workers: the same bits as on those of one machine.

A worker process takes the cards that it sees and no other process has taken, one for each of its
threads, so that a card serves one process. Workers without one stand idle: a chunk on a GPU is
another set of trajectories than on a CPU, and its bits are others. Workers may die, and others
join, as on CPUs.
"""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import llvmlite

from .. import _check
from .._version import __version__
from ..kernels.cpu import Chunks
from ..kernels.cuda import CudaKernel
from .cluster import FETCH, TRIES, Cluster, ClusterError, Line, light
from .pool import PoolLost

ABSENCE = 30.0  # seconds that a run waits for workers with GPUs to come back


class CardsLost(ClusterError, PoolLost):
    """No worker with a GPU is left."""


# ---------------------------------------------------------------- on a worker


def _visible() -> tuple[str, dict[str, int], dict[str, str], int]:
    """Why a worker has no card, or ""; its cards' numbers by identity; facts; threads of a card."""
    from ..kernels.card import driver_version, identity, unavailable
    from ..kernels.cuda import cuda_target, devices, resident

    why = unavailable()
    if why is not None:
        return why, {}, {}, 0
    facts = {
        "GPU": cuda_target(),
        "NVIDIA driver": driver_version(),
        "wignerflow": __version__,
        "llvmlite": llvmlite.__version__,
    }
    return "", {identity(k): k for k in devices()}, facts, resident()


def _room(numbers: list[int]) -> float:
    from ..kernels.card import free_memory

    return min(free_memory(k) for k in numbers)


_busy: set[int] = set()
_turn = threading.Condition()


def _simulate(
    kernel: CudaKernel, cards: dict[str, list[int]], *arguments: Any
) -> tuple[Chunks, dict[str, str]]:
    """Run on one of the cards of this worker, when one is free."""
    from distributed import get_worker

    from ..kernels.card import use

    mine = cards[get_worker().address]
    with _turn:
        _turn.wait_for(lambda: set(mine) - _busy)
        number = min(set(mine) - _busy)
        _busy.add(number)
    try:
        use(number)
        return light(kernel, *arguments), _visible()[2]
    finally:
        with _turn:
            _busy.discard(number)
            _turn.notify_all()


# ---------------------------------------------------------------- here


def shared_out(visible: dict[str, dict[str, int]], threads: dict[str, int]) -> dict[str, list[int]]:
    """Numbers of the cards of each worker: in turns, each takes the next that nobody has.

    Args:
        visible: by address of a worker, the numbers of the cards it sees, by identity.
        threads: by address, as many as a worker can serve.
    """
    out: dict[str, list[int]] = {address: [] for address in sorted(visible)}
    taken: set[str] = set()
    while True:
        before = len(taken)
        for address, numbers in out.items():
            free = [card for card in visible[address] if card not in taken]
            if free and len(numbers) < threads.get(address, 0):
                taken.add(free[0])
                numbers.append(visible[address][free[0]])
        if len(taken) == before:
            return {address: numbers for address, numbers in out.items() if numbers}


@dataclass(frozen=True)
class Crew:
    """Workers that have cards.

    Attributes:
        cards: by address, the numbers of its cards.
        facts: what bits depend on, of all of them.
        resident: threads that a card holds.
        asked: addresses of all workers that were asked.
        why: why those without cards have none.
    """

    cards: dict[str, list[int]]
    facts: dict[str, str]
    resident: int
    asked: frozenset[str]
    why: str

    @property
    def count(self) -> int:
        """Number of cards."""
        return sum(map(len, self.cards.values()))


def find(line: Line) -> Crew:
    """Ask every worker that is there for its cards.

    Raises:
        ClusterError: the workers' cards, drivers or versions differ.
        TimeoutError: one does not answer.
    """
    threads = dict(line.ask(line.client.nthreads))
    if not threads:
        return Crew({}, {}, 0, frozenset(), "there is no worker")
    answers = line.ask(line.client.run, _visible, on_error="return", limit=FETCH)
    whys, visible = [], {}
    facts: dict[str, str] = {}
    resident = 0
    for address, answer in sorted(answers.items()):
        if isinstance(answer, BaseException):
            answer = f"{type(answer).__name__}: {answer}"[:300], {}, {}, 0
        why, cards, found, held = answer
        if why:
            whys.append(why)
            continue
        facts, resident, visible[address] = facts or found, resident or held, cards
        for what, value in facts.items():
            if found[what] != value:
                raise ClusterError(
                    f"The workers with GPUs differ in {what}: {value!r} and {found[what]!r}, so "
                    "the result would depend on who ran what. Use workers of one kind "
                    "(CUDA_VISIBLE_DEVICES hides cards from a worker)."
                )
    crew = shared_out(visible, threads)
    return Crew(crew, facts, resident, frozenset(answers), "; ".join(dict.fromkeys(whys)))


def crew_of(client: Any, device: str, deadline: float | None) -> tuple[Crew | None, str]:
    """The workers with cards, or None where "auto" takes the CPUs, and why.

    Raises:
        ValueError: "cuda" is asked for and no worker has a card.
        TimeoutError: there is no worker before the deadline.
    """
    line = Line(client, deadline)
    while not line.ask(client.nthreads):
        if deadline is not None and time.perf_counter() > deadline:
            raise TimeoutError("No worker of the cluster answered within the timeout.")
        time.sleep(0.2)
    crew = find(line)
    if crew.cards:
        return crew, ""
    why = f"no worker of the cluster has a GPU to run on: {crew.why}"
    if device == "cuda":
        must = "be 'cpu' or 'auto' with this `client`"
        _check.fail("device", must, device, f"{why[:1].upper()}{why[1:]}.")
    return None, why


class Cards(Cluster):
    """A pool of GPUs of Dask workers.

    Args:
        client, kernel, chunks, deadline: as for ``Cluster``; the kernel is not compiled here.
        crew: the workers with cards.
    """

    def __init__(
        self,
        client: Any,
        kernel: CudaKernel,
        chunks: int,
        deadline: float | None = None,
        *,
        crew: Crew,
    ):
        self.client, self.line = client, Line(client, deadline)
        self.source, self.crew, self.facts = pickle.dumps(kernel), crew, crew.facts
        self.line.workers = dict.fromkeys(crew.asked, 1)  # until the first answer to a ping
        self.target = crew.facts["GPU"]
        card = self.target.removeprefix("cuda ")
        some = f"{len(crew.cards)} of {len(crew.asked)} workers"
        self.device = f"{card} x {crew.count} on {some}"
        rooms = []
        for address, numbers in crew.cards.items():
            where: dict[str, Any] = {"workers": [address], "on_error": "return", "limit": FETCH}
            room = self.line.ask(client.run, _room, numbers, **where).get(address)
            if isinstance(room, (int, float)):  # else it has died, as others will see
                rooms.append(room)
        if not rooms:
            raise CardsLost("No worker with a GPU is left in the cluster.")
        self.most = kernel.fitting(min(rooms))
        wanted = -(-crew.resident // (kernel.lanes * kernel.shape.threads))
        self.least = max(1, min(wanted, self.most, -(-chunks // crew.count)))
        self.missed = 0.0
        self.allowed: dict[str, set[str]] = {}  # by key of a task, the workers that may run it
        self._send()

    def _send(self) -> None:
        """Let the crew have the kernel."""
        self.kernel = self._submit(pickle.loads, self.source)

    def _submit(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Start a call on one of the workers with cards."""
        only: dict[str, Any] = {"workers": list(self.crew.cards), "allow_other_workers": False}
        return self.line.ask(self.client.submit, call, *arguments, pure=False, **only)

    @property
    def workers(self) -> int:
        """Cards of all workers."""
        self.line.check()
        return max(1, self.crew.count)

    def _start(self, arguments: tuple[Any, ...]) -> Any:
        cards = self.crew.cards
        task = self._submit(_simulate, self.kernel, cards, *arguments)
        self.allowed[task.key] = set(cards)
        return task

    def wait(self, task: list[Any], seconds: float) -> Chunks | None:
        """Sums of a task; one whose workers are gone is started again where others are."""
        self.line.check()
        present = set(self.line.workers)
        if present != self.crew.asked:
            self._muster()
        if not self.allowed[task[0].key] & present and not task[0].done():
            if not self.crew.cards:
                self.missed = self.missed or time.perf_counter()
                if time.perf_counter() - self.missed > ABSENCE:
                    raise CardsLost("No worker with a GPU is left in the cluster.")
                time.sleep(min(seconds, 0.2))
                return None
            if task[2] >= TRIES:
                message = f"Chunks from {task[1][0]} on were lost with their workers {TRIES} times."
                raise ClusterError(message)
            self.line.ask(task[0].cancel)
            task[0], task[2] = self._start(task[1]), task[2] + 1
        out = super().wait(task, seconds)
        if out is not None:
            del self.allowed[task[0].key]
        return out

    def _muster(self) -> None:
        """Look who is there, after workers came or went."""
        crew = find(self.line)
        old, self.crew = self.crew, crew
        for what, value in crew.facts.items():
            if self.facts[what] != value:
                raise ClusterError(
                    f"New workers differ in {what}: {self.facts[what]!r} and {value!r}, so the "
                    "result would depend on who ran what. Use workers of one kind."
                )
        self.line.workers = dict.fromkeys(crew.asked, 1)
        if crew.cards:
            self.missed = 0.0
            if set(crew.cards) != set(old.cards):
                self._send()
