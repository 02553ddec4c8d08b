"""Chunks on every visible GPU, one worker thread each."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import _check
from ..kernels.cpu import CpuKernel
from .loop import Request
from .pool import Threads

if TYPE_CHECKING:
    from ..kernels.cuda import CudaKernel

DEVICES = ("cpu", "cuda", "auto")


_DEFAULT: ContextVar[str] = ContextVar("device", default="cpu")


def _known(device: str) -> str:
    if device in ("gpu", "GPU", "CUDA"):
        _check.fail("device", "be one of 'cpu', 'cuda', 'auto'", device, "GPUs are 'cuda'.")
    return _check.one_of("device", device, DEVICES)


def default_device() -> str:
    """The device where none is given: "cpu", unless :func:`using_device` says otherwise."""
    return _DEFAULT.get()


@contextlib.contextmanager
def using_device(device: str) -> Iterator[None]:
    """Make a device the default, for code that does not ask for one."""
    token = _DEFAULT.set(_known(device))
    try:
        yield
    finally:
        _DEFAULT.reset(token)


def choose_device(device: str, samples: bool) -> tuple[str, str | None]:
    """The device to take, "cpu" or "cuda"; and where "auto" takes the CPU, why.

    Args:
        device: "cpu", "cuda" or "auto".
        samples: whether the method runs phase-space trajectories.

    Raises:
        ValueError: "cuda" is asked for and cannot be had.
    """
    _known(device)
    if device == "cpu":
        return "cpu", None
    if not samples:
        if device == "cuda":
            must = "be 'cpu' or 'auto' for a method without phase-space trajectories"
            _check.fail("device", must, device)
        return "cpu", "the method runs no phase-space trajectories"
    from ..kernels.card import unavailable

    reason = unavailable()
    if reason is None:
        return "cuda", None
    if device == "cuda":
        why = f"{reason[:1].upper()}{reason[1:]}."
        _check.fail("device", "be 'cpu' or 'auto' on this machine", device, why)
    return "cpu", reason


def place(
    request: Request,
    device: str,
    samples: bool,
    client: Any = None,
    deadline: float | None = None,
) -> str | None:
    """Let a request run on "cpu", "cuda" or "auto"; why "auto" took the CPU, or None.

    Args:
        request: what to run.
        device: where.
        samples: whether the method runs phase-space trajectories.
        client: of the cluster whose workers run it; None: this machine.
        deadline: until when a first worker must have answered (``time.perf_counter``).
    """
    request.pool, request.kernel = None, CpuKernel
    crew = None
    if client is None or device == "cpu" or not samples:
        where, why = choose_device(device, samples)
    else:
        from .cards import crew_of

        crew, why = crew_of(client, _known(device), deadline)
        where = "cpu" if crew is None else "cuda"
    if where == "cuda" and request.initial is not None:
        if device == "cuda":
            _check.fail("device", "be 'cpu' or 'auto' with `start`", device)
        where, why = "cpu", "a run that starts from kept samples does"
    if where == "cuda":
        from ..kernels.cuda import CudaKernel

        request.pool, request.kernel = Gpus, CudaKernel
        if crew is not None:
            from .cards import Cards

            request.pool = partial(Cards, client, deadline=deadline, crew=crew)
            request.kernel = partial(CudaKernel, ready=False)
    elif client is not None:
        from .cluster import Cluster

        request.pool = partial(Cluster, client, deadline=deadline)
    return why if where == "cpu" else None


class Gpus(Threads):
    """A pool of GPUs: a thread for each, which talks to no other."""

    def __init__(self, kernel: CudaKernel, chunks: int):
        from ..kernels.card import free_memory
        from ..kernels.cuda import devices, resident

        found = devices()[: max(1, chunks)]
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in found:
            self._free.put(number)
        super().__init__(kernel, len(found), initializer=self._bind)
        self.target = kernel.target
        self.device = f"{kernel.target.removeprefix('cuda ')} x {len(found)}"
        self.most = min(kernel.fitting(free_memory(k)) for k in found)
        wanted = -(-resident() // (kernel.lanes * kernel.shape.threads))
        self.least = max(1, min(wanted, self.most, -(-chunks // len(found))))

    def _bind(self) -> None:
        from ..kernels.card import use

        use(self._free.get())
