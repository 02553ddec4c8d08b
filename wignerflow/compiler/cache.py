"""Compiled kernels on disk: object code and a checksum, in a folder that nobody else writes.

The checksum guards against damage, the folder against people. A file is read only where the folder
and the file belong to the user or to root and nobody else can write them; with
``WIGNERFLOW_CACHE_SHARED=1`` also elsewhere, which lets everybody who can write there run code as
this user. Nothing read from the cache is Python: no pickle, no byte code. Whatever is wrong with a
file or the folder, the kernel is compiled anew and stays in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import time
import warnings
from pathlib import Path

MAGIC = b"wignerflow kernel 1\n"
OLD = 3600.0  # seconds after which an unfinished file belongs to a process that was killed
LARGEST = 2**28  # bytes of a file; kernels have a thousandth of that
SHARED = "WIGNERFLOW_CACHE_SHARED"

_said: set[str] = set()


def cache_directory() -> Path:
    """Where kernels are kept: ``WIGNERFLOW_CACHE_DIR``, else the user's cache directory."""
    chosen = os.environ.get("WIGNERFLOW_CACHE_DIR", "").strip()
    try:
        if chosen:
            return Path(chosen).expanduser()
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # a user without a home, as in containers
        user = os.getuid() if hasattr(os, "getuid") else 0
        base = Path(tempfile.gettempdir()) / f"cache-{user}"
    return Path(base) / "wignerflow"


def shared() -> bool:
    """Whether a folder that others can write may be used."""
    return os.environ.get(SHARED, "") not in ("", "0")


def distrust(about: os.stat_result) -> str | None:
    """Why a file or folder could have been changed by somebody else; None where it could not."""
    if shared() or not hasattr(os, "geteuid"):
        return None
    if about.st_uid not in (os.geteuid(), 0):
        return f"belongs to the user with number {about.st_uid}"
    if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "can be written by others"
    return None


def problem(folder: Path) -> str | None:
    """Why kernels are not read from a folder, and what to do; None where they are."""
    try:
        about = folder.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"cannot be opened ({error.strerror}): set WIGNERFLOW_CACHE_DIR to another folder"
    if not stat.S_ISDIR(about.st_mode):
        return "is not a folder: set WIGNERFLOW_CACHE_DIR to another"
    why = distrust(about)
    if why is None:
        return None
    return (
        f"{why}, who could let you run any code: `chmod 700` it, set WIGNERFLOW_CACHE_DIR to a "
        f"folder of your own, or set {SHARED}=1 if you trust all who can write there"
    )


def _say(what: str) -> None:
    """Warn, once in a process."""
    if what not in _said:
        _said.add(what)
        warnings.warn(what, UserWarning, stacklevel=2)


def _folder() -> Path | None:
    """The folder to use."""
    folder = cache_directory()
    why = problem(folder)
    if why is not None:
        _say(f"Compiled kernels are kept in memory only: the folder {folder} {why}.")
        return None
    return folder


def _sealed(key: str, code: bytes) -> bytes:
    return MAGIC + hashlib.sha256(key.encode() + code).digest() + code


def _at_once(path: str, flags: int) -> int:
    """Open a file without waiting, as a pipe that nobody writes would have it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def load(key: str) -> bytes | None:
    """The object code kept under a key; None where there is none that can be trusted."""
    folder = _folder()
    if folder is None:
        return None
    path = folder / f"{key}.kernel"
    try:
        with open(path, "rb", opener=_at_once) as file:
            about = os.fstat(file.fileno())
            why = distrust(about)
            plain = stat.S_ISREG(about.st_mode) and about.st_size <= LARGEST
            content = file.read() if plain and not why else b""
    except OSError:
        return None
    if why:
        _say(f"A compiled kernel is not used, because the file {why}: {path}.")
        return None
    code = content[len(MAGIC) + 32 :]
    if code and content == _sealed(key, code):
        return code
    _say(f"A compiled kernel was damaged and is compiled anew: {path}.")
    with contextlib.suppress(OSError):
        path.unlink()
    return None


def save(key: str, code: bytes) -> bool:
    """Keep object code under a key; False where the folder cannot be written."""
    folder = _folder()
    if folder is None:
        return False
    temporary = ""
    try:
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f"{key}.", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(_sealed(key, code))
        os.replace(temporary, folder / f"{key}.kernel")
        temporary = ""
    except OSError:
        return False
    finally:  # Ctrl-C leaves nothing, either
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
    _clean(folder)
    return True


def _clean(folder: Path) -> None:
    """Remove what processes that were killed left behind."""
    with contextlib.suppress(OSError):
        for path in folder.glob("*.tmp"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > OLD:
                    path.unlink()
