"""Checkpoints: the finished chunks of a run in an ordinary result file, from which it continues.

``wf.load`` reads the file as a result of the trajectories done so far. Beside the sums it keeps the
identity of the run: everything its bits depend on. A file of another run, a damaged one or one that
is no checkpoint is refused and never overwritten.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import _check, files, store
from .kernels.cpu import Kernel
from .result import Result, load_record
from .run.driver import Prepared
from .run.loop import Every, State

_UNITS = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
_MEANT = "Use the arguments of that run, or another file."


class CheckpointFailed(OSError):
    """A checkpoint could not be written, whatever is wrong: ``result`` holds what is done.

    The file is as it was: the last checkpoint, or what somebody else put in its place.
    """

    result: Result | None = None


class Checkpoint:
    """Where and how often a run is kept; ``solve(checkpoint="run.nc", every=...)`` makes one.

    Args:
        path: the file.
        every: "60s", "5min", "1h", a number of seconds, or "100 chunks".
        mix_targets: continue a run that was begun on another CPU target. The result is then valid,
            but no machine repeats it to the bit.

    Raises:
        ValueError, TypeError: ``every`` is no such time; ``path`` is a folder, lies in none,
            or cannot be written.
    """

    def __init__(self, path: Any, every: Any = None, *, mix_targets: bool = False):
        if not isinstance(path, (str, os.PathLike)):
            _check.fail("checkpoint", "be the path of a file", path, kind=TypeError)
        self.path = Path(path)
        store.check_ending("checkpoint", self.path)
        try:
            self.path.exists()
        except OSError as error:
            _check.fail("checkpoint", f"be the path of a file ({error.strerror})", str(path))
        if self.path.is_dir() or not self.path.name:
            _check.fail("checkpoint", "be the path of a file", f"the folder {str(path)!r}")
        folder = files.real(self.path).parent
        if not folder.is_dir():
            _check.fail("checkpoint", "lie in a folder that exists", str(path))
        if not os.access(folder, os.W_OK | os.X_OK):
            _check.fail("checkpoint", "lie in a folder that can be written", str(path))
        if self.path.exists() and not os.access(self.path, os.W_OK):
            _check.fail("checkpoint", "be a file that can be written", str(path))
        self.every = parse_every(every)
        self.mix_targets = bool(mix_targets)

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.path)!r})"


def parse_every(every: Any, argument: str = "every") -> Every:
    """The interval between checkpoints."""
    must = "be a number of seconds, or text such as '60s', '5min', '1h' or '100 chunks'"
    if every is None:
        return Every()
    if isinstance(every, Every):
        return every
    if isinstance(every, str):
        match = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,12})?)\s*([a-z]+)\s*", every)
        if match and match[2] in _UNITS and float(match[1]) > 0:
            return Every(float(match[1]) * _UNITS[match[2]])
        if match and match[2] in ("chunk", "chunks") and match[1].isdigit() and int(match[1]) > 0:
            return Every(None, int(match[1]))
        _check.fail(argument, must, every)
    return Every(_check.positive(argument, every))


class FileKeeper:
    """Keeps a run in a file.

    Args:
        checkpoint: where.
        build: makes a result of a state, with the statistics so far.
        identity: makes the identity of the run from its kernel, step and CPU target.
        given: the arguments that ``solve`` was given: seed, step and trajectories.

    Nobody else may write the file until ``close``.

    Raises:
        ValueError: another run is writing it, or wrote it since ``found`` was read.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        build: Callable[[State, dict[str, Any]], Result],
        identity: Callable[[Kernel, float, str], dict[str, str]],
        given: Mapping[str, Any],
        ntraj: int,
        found: Found | None,
    ):
        self.checkpoint, self.build, self.identity = checkpoint, build, identity
        self.given, self.ntraj, self.found = given, ntraj, found
        self.every = checkpoint.every
        try:
            self.hold = files.Hold(checkpoint.path)
        except files.Busy as error:
            raise refused(checkpoint.path, str(error.strerror)) from error
        self.seen = None if found is None else found.stamp
        if _stamp(checkpoint.path) != self.seen:
            self.hold.release()
            raise refused(checkpoint.path, "another run has just written it; call again")
        self.stats: dict[str, Any] = {}
        self.own: dict[str, str] = {}
        self.targets: list[str] = []

    def open(self, kernel: Kernel, dt: float, stats: dict[str, Any], target: str) -> State | None:
        """The state to continue from, or None without a file."""
        self.own = self.identity(kernel, dt, target)
        pilot = {
            k: v for k, v in stats.items() if k.startswith(("step_", "pilot_needed", "net_points"))
        }
        self.entry = {
            "identity": self.own,
            "given": dict(self.given),
            "step": dt,
            "pilot": pilot,
        }
        self.stats = stats
        self.targets = [target]
        if self.hold.failure is not None:
            stats["warnings"].append(
                f"The checkpoint could not be locked ({self.hold.failure}): let no other run "
                f"write {str(self.checkpoint.path)!r}."
            )
        if self.found is None:
            return None
        found = self.found
        skip = set()
        if self.checkpoint.mix_targets and found.identity["CPU target"] != target:
            skip = {"CPU target", "compiled program"}
            self.targets = list(dict.fromkeys([*found.targets, target]))
            stats["warnings"].append(
                f"The run was continued on another CPU target ({', '.join(self.targets)}): "
                "its bits cannot be repeated."
            )
        compare(self.checkpoint.path, found.identity, self.own, skip)
        state = found.state
        if state.samples.ntraj > self.ntraj:
            _check.fail(
                "ntraj",
                f"be at least {state.samples.ntraj}, the trajectories that the checkpoint "
                f"{str(self.checkpoint.path)!r} holds",
                self.ntraj,
                "Load that file with wf.load, or use another one.",
            )
        if state.samples.ntraj != state.done * kernel.lanes:
            raise refused(self.checkpoint.path, "its sums do not fit its number of chunks")
        return state

    def save(self, state: State) -> None:
        """Write the state, whole or not at all.

        Raises:
            CheckpointFailed: something is in the way.
        """
        path, result = self.checkpoint.path, None
        entry = {
            **self.entry,
            "done": state.done,
            "clips": state.clips,
            "short": state.short,
            "digests": state.digests,
            "targets": self.targets,
        }
        try:
            result = self.build(state, {**self.stats, "stopped_because": "checkpoint"})
            if _stamp(path) != self.seen:  # someone else wrote there
                found = Found.read(path)
                if found is not None:
                    compare(path, found.identity, self.own, set())
            store.write(path, result.encoded({"checkpoint": entry}))
            self.seen = _stamp(path)
        except Exception as error:
            number = error.errno if isinstance(error, OSError) else None
            cause = os.strerror(number) if number else str(error) or type(error).__name__
            reason = (
                f"{cause}: the checkpoint could not be written, and the run was stopped. What "
                "stood in the file before is intact, and the trajectories done are the `result` of "
                "this error"
            )
            failure = CheckpointFailed(number or errno.EIO, reason, str(path))
            failure.result = result
            raise failure from error

    def close(self) -> None:
        """Let others write the file."""
        self.hold.release()


class Found:
    """What stands in a checkpoint, and the file's ``stamp`` when it was read."""

    stamp: tuple[int, int, int] | None = None

    def __init__(self, path: Path, result: Result, entry: Mapping[str, Any]):
        try:
            self.identity = {str(k): str(v) for k, v in entry["identity"].items()}
            self.identity["CPU target"]
            self.given: dict[str, Any] = dict(entry["given"])
            self.step = _check.positive("step", entry["step"])
            self.pilot: dict[str, Any] = dict(entry["pilot"])
            self.targets = [str(t) for t in entry["targets"]]
            short = np.array(entry["short"], float)
            done = _check.integer("done", entry["done"], 1)
            if result.samples is None or short.shape != result.times.shape:
                raise ValueError("it holds no sums")
            digests = {str(k): str(v) for k, v in entry["digests"].items()}
            clips = _check.real("clips", entry["clips"])
            self.state = State(result.samples, done, clips, short, digests)
            self.seed = _check.integer("seed", result.seed, 0)
            self.step_error = dict(result.step_error)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise refused(path, f"it is a damaged checkpoint ({error})") from error

    def known_step(self) -> Prepared | None:
        """Step and pilot, if the run chose its step itself."""
        if self.given.get("dt") is not None:
            return None
        return Prepared(self.step, stats=dict(self.pilot), errors=self.step_error)

    @staticmethod
    def read(path: Path) -> Found | None:
        """The checkpoint at ``path``; None if there is no file.

        Raises:
            ValueError: there is a file, but no undamaged checkpoint.
        """
        stamp = _stamp(path)
        try:
            result, record = load_record(path)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise refused(path, str(error).rstrip(".")) from error
        entry = record.get("checkpoint")
        if not isinstance(entry, dict):
            raise refused(path, "it is a result, not a checkpoint")
        found = Found(path, result, entry)
        found.stamp = stamp
        return found


def refused(path: Path, why: str) -> ValueError:
    """The error for a file that is not continued."""
    return ValueError(
        f"Argument `checkpoint` must name a checkpoint of this run or a new file, but was "
        f"{str(path)!r}: {why}. The file was left as it is. {_MEANT}"
    )


def compare(path: Path, theirs: Mapping[str, str], own: Mapping[str, str], skip: set[str]) -> None:
    """Raise unless two identities are equal, naming the first difference."""
    for what, value in own.items():
        other = theirs.get(what)
        if other != value and what not in skip:
            shown = "" if _opaque(value) else f", {other} there and {value} here"
            article = "other" if what in ("observables", "times") else "another"
            why = f"it belongs to a run with {article} {what}{shown}"
            if what == "CPU target":
                why += (
                    " (wf.Checkpoint(..., mix_targets=True) allows it, and gives up repeatability)"
                )
            raise refused(path, why)


def _opaque(value: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        info = os.stat(path)
    except FileNotFoundError:
        return None
    return info.st_ino, info.st_mtime_ns, info.st_size
