"""NVIDIA cards: memory, modules and launches, by the driver's own Python bindings (cuda-bindings).

Every thread works on the card it has chosen with ``use``; the first one otherwise.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiler.targets import pack

OLDEST_DRIVER = 11080  # CUDA 11.8, which takes assembly of version 7.8
OLDEST_CARD = (7, 0)
UPDATE = "update the NVIDIA driver (see docs/gpu.md)"

_chosen = threading.local()


class DriverError(RuntimeError):
    """The driver refused a call."""


def _driver() -> Any:
    from cuda.bindings import driver

    return driver


def _call(name: str, *arguments: Any) -> Any:
    """A function of the driver; what it returns.

    Raises:
        DriverError: it failed; the message names the error.
    """
    error, *out = getattr(_driver(), name)(*arguments)
    if int(error) != 0:
        raise DriverError(f"{name}: {getattr(error, 'name', error)}")
    return out[0] if len(out) == 1 else tuple(out)


def unavailable() -> str | None:
    """Why there is no card to run on, and what to do; None where there is one."""
    try:
        found = importlib.util.find_spec("cuda.bindings")
    except ModuleNotFoundError:
        found = None
    if found is None:
        return "the package cuda-bindings is not installed; run `pip install 'wignerflow[gpu]'`"
    try:
        _call("cuInit", 0)
        version, count = _call("cuDriverGetVersion"), _call("cuDeviceGetCount")
    except (DriverError, RuntimeError, OSError, ImportError) as error:
        what = str(error).strip().splitlines()
        return "no NVIDIA driver or GPU was found" + (f" ({what[0]})" if what else "")
    if version < OLDEST_DRIVER:
        return f"the NVIDIA driver supports CUDA {_dotted(version)}, and 11.8 is needed; {UPDATE}"
    if count == 0:
        return "no NVIDIA GPU is visible (CUDA_VISIBLE_DEVICES may hide it)"
    if about(0).capability < OLDEST_CARD:
        return f"the GPU ({about(0).name}) is of a generation before Volta, which is not supported"
    return None


def driver_version() -> str:
    """The newest CUDA that the driver supports."""
    return _dotted(_call("cuDriverGetVersion"))


def _dotted(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


@dataclass(frozen=True)
class About:
    """What a card is."""

    name: str
    capability: tuple[int, int]
    multiprocessors: int
    threads: int  # that each of those holds at the same time
    clock: float  # Hz


@functools.cache
def about(number: int) -> About:
    """Facts on a card."""
    device = _call("cuDeviceGet", number)
    kinds = _driver().CUdevice_attribute

    def fact(name: str) -> int:
        kind = getattr(kinds, f"CU_DEVICE_ATTRIBUTE_{name}")
        return int(_call("cuDeviceGetAttribute", kind, device))

    name = _call("cuDeviceGetName", 256, device)
    return About(
        name.split(b"\0")[0].decode(),
        (fact("COMPUTE_CAPABILITY_MAJOR"), fact("COMPUTE_CAPABILITY_MINOR")),
        fact("MULTIPROCESSOR_COUNT"),
        fact("MAX_THREADS_PER_MULTIPROCESSOR"),
        1e3 * fact("CLOCK_RATE"),
    )


def count() -> int:
    """Number of visible cards."""
    return int(_call("cuDeviceGetCount"))


def identity(number: int) -> str:
    """What tells a card, or a part of one, from all others, in whatever process."""
    return bytes(_call("cuDeviceGetUuid_v2", _call("cuDeviceGet", number)).bytes).hex()


@functools.cache
def _context(number: int) -> Any:
    return _call("cuDevicePrimaryCtxRetain", _call("cuDeviceGet", number))


def use(number: int) -> None:
    """Let this thread work on a card."""
    _call("cuInit", 0)
    _call("cuCtxSetCurrent", _context(number))
    _chosen.number = number


def current() -> int:
    """The card of this thread."""
    if not hasattr(_chosen, "number"):
        use(0)
    return int(_chosen.number)


def free_memory(number: int) -> float:
    """Free bytes of a card."""
    before = current()
    use(number)
    free, _ = _call("cuMemGetInfo")
    use(before)
    return float(free)


class Memory:
    """An array in the memory of this thread's card; freed with the object."""

    def __init__(self, shape: tuple[int, ...], dtype: Any):
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.number = current()
        self.address = int(_call("cuMemAlloc", max(1, self.nbytes)))

    @property
    def nbytes(self) -> int:
        """Its size."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    @staticmethod
    def of(array: NDArray[Any]) -> Memory:
        """A copy of an array."""
        array = np.ascontiguousarray(array)
        out = Memory(array.shape, array.dtype)
        if array.nbytes:
            _call("cuMemcpyHtoD", out.address, array.ctypes.data, array.nbytes)
        return out

    def copy(self) -> NDArray[Any]:
        """What stands in it, after all launches."""
        out: NDArray[Any] = np.empty(self.shape, self.dtype)
        if out.nbytes:
            _call("cuMemcpyDtoH", out.ctypes.data, self.address, out.nbytes)
        return out

    def __del__(self) -> None:
        if hasattr(self, "address"):
            with contextlib.suppress(Exception):  # the driver may be gone when Python ends
                before = current()
                use(self.number)
                _call("cuMemFree", self.address)
                use(before)


class Function:
    """A kernel of assembly, loaded on every card that launches it."""

    def __init__(self, code: bytes, name: str):
        self.code, self.name = code, name
        self._loaded: dict[int, tuple[Any, Any]] = {}

    def load(self) -> None:
        """Translate it for this thread's card."""
        number = current()
        if number not in self._loaded:
            module = _call("cuModuleLoadData", self.code + b"\0")
            function = _call("cuModuleGetFunction", module, self.name.encode())
            self._loaded[number] = module, function

    def launch(
        self, grid: tuple[int, int, int], block: tuple[int, int], arguments: Sequence[Any]
    ) -> None:
        """Run it over a grid of blocks of threads; arguments as for the function on a CPU."""
        self.load()
        words = pack(arguments)
        places = words.ctypes.data + 8 * np.arange(words.size, dtype=np.uint64)
        _, function = self._loaded[current()]
        _call("cuLaunchKernel", function, *grid, *block, 1, 0, 0, int(places.ctypes.data), 0)


@functools.cache
def function(code: bytes, name: str) -> Function:
    """The one of this process with that assembly: the driver translates it once."""
    return Function(code, name)
