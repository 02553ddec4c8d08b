"""Files that are there whole or not at all, and that one run at a time writes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

#: Seconds after which a draft that nobody locked is one of a killed process.
ABANDONED = 3600.0
_LONGEST = 180  # bytes of a name; longer ones leave no room for what is added


class Busy(OSError):
    """Another process or thread holds the lock of a file."""


def real(path: str | os.PathLike[str]) -> Path:
    """The file itself: symbolic links are followed, so that they survive."""
    return Path(os.path.realpath(path))


def _beside(target: Path, ending: str) -> Path:
    name = target.name
    if len(os.fsencode(name)) > _LONGEST:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return target.with_name(f".{name}.{ending}")


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A new file to write, which then takes the place of ``path``: synced, renamed, synced.

    A symbolic link stays one, and a file that is replaced keeps its permissions and, where that is
    allowed, its owner.

    Raises:
        OSError: nothing is left behind, and what stood there stays.
    """
    target = real(path)
    before = _replaceable(target)
    clean(target, ABANDONED)
    draft = _beside(target, f"{secrets.token_hex(6)}.tmp{target.suffix}")
    try:
        yield draft
        if before is not None:
            with contextlib.suppress(OSError, AttributeError):  # another user's; not on Windows
                os.chown(draft, before.st_uid, before.st_gid)
            draft.chmod(stat.S_IMODE(before.st_mode))
        with open(draft, "rb") as f:
            os.fsync(f.fileno())
        os.replace(draft, target)
        _sync_folder(target.parent)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def write_atomic(
    path: str | os.PathLike[str],
    write: Callable[[Path], Any],
    reason: str = "; nothing was written",
) -> None:
    """Call ``write`` with a new file beside ``path``, then rename: whole or not at all.

    Raises:
        OSError: the file cannot be written; what stood there before is untouched.
    """
    try:
        with replacing(path) as draft:
            write(draft)
    except OSError as error:
        message = f"{error.strerror or error}{reason}"
        raise OSError(error.errno, message, str(path)) from error


def _replaceable(target: Path) -> os.stat_result | None:
    """What stands at ``target``; None: nothing."""
    try:
        info = os.stat(target)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(info.st_mode):
        kind = errno.EISDIR if stat.S_ISDIR(info.st_mode) else errno.EINVAL
        raise OSError(kind, "it is no regular file", str(target))
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    return info


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the system can."""
    with contextlib.suppress(OSError):  # some file systems and systems cannot
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def clean(path: str | os.PathLike[str], age: float = 0.0) -> None:
    """Delete drafts of ``path`` that are older than ``age`` seconds: their writers were killed."""
    target = real(path)
    ours = re.compile(
        re.escape(_beside(target, "").name) + r"[0-9a-f]{12}\.tmp" + re.escape(target.suffix)
    )
    with contextlib.suppress(OSError):
        for file in os.scandir(target.parent):
            if not ours.fullmatch(file.name):
                continue
            with contextlib.suppress(OSError):
                if time.time() - file.stat(follow_symlinks=False).st_mtime >= age:
                    os.unlink(file.path)


class Hold:
    """The lock of ``path``: of this run, until ``release`` or the end of the process.

    ``failure`` is why the file system has no lock, if so; the run is then on its own.

    Raises:
        Busy: somebody else has it.
    """

    def __init__(self, path: str | os.PathLike[str]):
        from filelock import FileLock, Timeout

        target = real(path)
        self.lock = FileLock(_beside(target, "lock"), timeout=0, thread_local=False)
        self.failure: str | None = None
        try:
            self.lock.acquire()
        except Timeout:
            raise Busy(
                errno.EBUSY,
                "another run is writing it, until which it holds the lock "
                f"{self.lock.lock_file!r} (where no run is going on, delete that file)",
                str(path),
            ) from None
        except (OSError, NotImplementedError) as error:
            self.failure = getattr(error, "strerror", None) or str(error)
            return
        clean(target)

    def release(self) -> None:
        """Let others write. The lock file goes first: who waits for it then makes a new one."""
        if self.failure is None:
            with contextlib.suppress(OSError):
                os.unlink(self.lock.lock_file)
            self.lock.release()
