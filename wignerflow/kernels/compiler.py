"""Kernel text -> a function: lowered, optimised, kept on disk and in memory."""

from __future__ import annotations

import functools
import hashlib
import threading
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

from .._version import __version__
from . import cache, lower, targets
from .targets import Loaded, Target

ENTRY = "run"
_loaded: dict[str, Loaded] = {}
_locks: dict[str, threading.Lock] = {}


@functools.cache
def _makers() -> bytes:
    """The sources that make object code of a text."""
    return b"\0".join(Path(m.__file__ or "").read_bytes() for m in (lower, targets))


def digest(text: str, target: Target) -> str:
    """Of all that object code follows from. Every helper of a kernel is in its text."""
    parts = [
        text, __version__, llvmlite.__version__, ".".join(map(str, llvm.llvm_version_info)),
        target.triple, target.cpu, target.features, str(target.bits),
    ]  # fmt: skip
    out = hashlib.sha256("\0".join(parts).encode())
    out.update(_makers())
    return out.hexdigest()


def object_code(text: str, target: Target) -> bytes:
    """The object file of a text, from the cache where it is there."""
    key = digest(text, target)
    code = cache.load(key)
    if code is None:
        code = targets.object_code(lower.lower(text, ENTRY, target.width, target.pointer), target)
        cache.save(key, code)
    return code


def load(text: str) -> Loaded:
    """The function ``run`` of a text, compiled for this machine once in a process."""
    target = targets.host()
    key = digest(text, target)
    with _locks.setdefault(key, threading.Lock()):
        if key not in _loaded:
            _loaded[key] = Loaded(object_code(text, target), ENTRY)
    return _loaded[key]
