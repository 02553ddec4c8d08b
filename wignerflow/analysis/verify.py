"""``wignerflow verify``: run a part of a saved result again, from the file alone, and compare."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..result import Result, load
from ..solving.provenance import versions


@dataclass(frozen=True)
class Verification:
    """Outcome of :func:`verify`; true if nothing speaks against the file.

    Attributes:
        agrees: whether what was compared agrees.
        exact: whether bits were compared (else means, within their sampling errors).
        ntraj: trajectories run again.
        total: trajectories of the file.
        reason: one sentence.
    """

    agrees: bool
    exact: bool
    ntraj: int
    total: int
    reason: str

    def __bool__(self) -> bool:
        return self.agrees

    def __str__(self) -> str:
        return f"{'verified' if self.agrees else 'DIFFERS'}: {self.reason}"


def verify(
    source: str | os.PathLike[str] | Result,
    *,
    chunks: int = 16,
    whole: bool = False,
    threads: int | None = None,
) -> Verification:
    """Run the first chunks of a result again, from its provenance, and compare.

    On the CPU target and versions of the file the sums must be equal to the bit: results keep
    digests of their sums after 1, 4, 16, ... chunks of 32 or 128 trajectories. Elsewhere
    rounding differs, and means are compared within their standard errors.

    Args:
        source: a file that :meth:`wignerflow.Result.save` wrote, or a result.
        chunks: at most so many chunks.
        whole: run all of it.
        threads: worker threads.

    Raises:
        ValueError: the file is no undamaged result, or cannot be run again (merged, or with a part
            that has no plain form).
    """
    result = source if isinstance(source, Result) else load(source)
    limit = _check.integer("chunks", chunks, 1)
    lanes = result.stats.get("lanes")
    digests = result.stats.get("digests")
    marks: list[int] = []
    if result.ntraj and isinstance(digests, dict) and isinstance(lanes, int):
        marks = [int(m) for m in digests if str(m).isdigit() and 1 <= int(m) <= limit]
    if whole or not marks or not isinstance(lanes, int):
        again = result.rerun(threads=threads, progress=False)
        same = again.digest() == result.digest()
        return _judge(result, again, same, "all of it")
    mark = max(marks)
    again = result.rerun(mark * lanes, threads=threads, progress=False)
    assert again.samples is not None
    same = again.samples.digest() == digests[str(mark)]  # type: ignore[index]
    return _judge(result, again, same, f"the first {again.ntraj} of {result.ntraj} trajectories")


def _judge(result: Result, again: Result, same: bool, what: str) -> Verification:
    counts: dict[str, Any] = {"ntraj": again.ntraj, "total": result.ntraj}
    if same:
        return Verification(True, True, reason=f"{what} ran again, with the same bits", **counts)
    here = versions() | {"target": again.provenance.get("target")}
    watched = ("target", "wignerflow", "llvmlite", "numpy")
    other = [n for n in watched if result.provenance.get(n) != here.get(n)]
    if not other:
        why = f"{what} ran again on the same CPU target and versions, with other bits"
        return Verification(False, True, reason=why, **counts)
    listed = ", ".join(f"{n} {result.provenance.get(n)} there, {here.get(n)} here" for n in other)
    largest, allowed = _distance(result, again)
    verb = "agree" if largest <= allowed else "disagree"
    why = (
        f"{what} ran again elsewhere ({listed}), so bits cannot be compared; the means {verb} "
        f"(largest deviation {largest:.2g} standard errors, allowed {allowed:.2g})"
    )
    return Verification(largest <= allowed, False, reason=why, **counts)


def _distance(result: Result, again: Result) -> tuple[float, float]:
    """Largest deviation of the means in standard errors of the smaller run, and what is allowed.

    The two share trajectories, so that this errs on the side of agreement.
    """
    largest, values = 0.0, 1
    for name, mean in result.expect.items():
        error = np.abs(again.sem[name])
        scale = np.abs(mean[np.isfinite(mean)]).max(initial=0.0)
        floor = 1e-6 * scale + 1e-300
        distance = np.abs(again.expect[name] - mean) / np.maximum(error, floor)
        usable = distance[np.isfinite(distance)]
        largest = max(largest, float(usable.max(initial=0.0)))
        values += usable.size
    return largest, 2.0 + float(np.sqrt(2 * np.log(values)))
