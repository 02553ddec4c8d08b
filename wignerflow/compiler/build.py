"""Kernel text -> a function: lowered, optimised, kept on disk and in memory."""

from __future__ import annotations

import functools
import hashlib
import threading
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

from .._version import __version__
from ..estimate import LISTENER, TooLong, compiling, duration
from . import cache, lower, targets
from .targets import Loaded, Target

ENTRY = "run"
LONGEST = 60.0  # seconds that a kernel may take to compile
PER_CHARACTER = 1.2e-5  # seconds, of its text, at least
MOST = 256  # functions that a process remembers
_LOADING = threading.Lock()  # of two threads with one text, the second finds it in the cache


def _sources() -> list[Path]:
    """The files that make object code of a text."""
    return [*sorted(Path(lower.__file__).parent.glob("*.py")), Path(targets.__file__)]


@functools.cache
def _makers() -> bytes:
    return b"\0".join(file.read_bytes() for file in _sources())


def digest(text: str, target: Target, entry: str = ENTRY) -> str:
    """Of all that object code follows from. Every helper of a kernel is in its text."""
    parts = [
        text, entry, __version__, llvmlite.__version__, ".".join(map(str, llvm.llvm_version_info)),
        target.triple, target.cpu, target.features, str(target.bits),
    ]  # fmt: skip
    out = hashlib.sha256("\0".join(parts).encode())
    out.update(_makers())
    return out.hexdigest()


class TooLarge(ValueError):
    """A kernel would take too long to compile."""


def expected_seconds(ir: str) -> float:
    """What LLVM takes for a module, within a factor of two.

    It grows with the lines, and with the square of the longest function's. Measured on 2,000 to
    63,000 lines: one ensemble, 3 to 70 spins with all couplings, 3 to 16 ensembles, 3 to 12 modes,
    emitters of 3 to 6 levels.
    """
    lines = [function.count("\n") for function in ir.split("\ndefine ")]
    return 0.4 + 1.6e-4 * sum(lines) + 3.5e-9 * max(lines) ** 2


def _allow(seconds: float) -> None:
    if seconds > LONGEST:
        raise TooLarge(
            f"Its kernel would take about {duration(seconds)} to compile, and {LONGEST:g} s are "
            "allowed: every term that is written out is compiled. Gather like subsystems into "
            "arrays (`wf.Spin(count=M)`, `wf.Ensemble(N, count=M)`), their couplings into "
            "`wf.couple(A, K, B)` and their jumps into `wf.Jump(array.sm, rates)`: an array's "
            "terms are compiled once, whatever M is."
        )


def compiled(text: str, target: Target, entry: str = ENTRY) -> bytes:
    """The object file of a text, made anew.

    Raises:
        TooLarge: that would take more than a minute.
    """
    _allow(PER_CHARACTER * len(text))
    with compiling():
        ir = lower.lower(text, entry, target)
        _allow(expected_seconds(ir))
        return targets.object_code(ir, target)


def object_code(text: str, target: Target, entry: str = ENTRY) -> bytes:
    """The object file of a text (of GPUs by NVIDIA assembly), from the cache where it is there."""
    key = digest(text, target, entry)
    code = cache.load(key)
    if code is None:
        listener = LISTENER.get()
        if listener is not None and not listener.compiles:
            raise TooLong
        code = compiled(text, target, entry)
        cache.save(key, code)
    return code


@functools.lru_cache(MOST)
def load(text: str) -> Loaded:
    """The function ``run`` of a text, compiled for this machine, and remembered."""
    with _LOADING:
        return Loaded(object_code(text, targets.host()), ENTRY)
