"""The atlas, solved: true against stated errors, entry by entry and in sum, kept in files."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import files
from .._version import __version__
from ..exact.engine import Exact
from ..model.model import Model
from ..result.accuracy import SAMPLING, SHARE, scale
from ..solving import resolve_method, solve
from ..solving.problem import read_problem
from ..solving.truncation import estimate
from .entry import Entry

#: Methods that are measured, by name.
MEASURED = ("twa", "spin-twa", "schwinger-w", "cumulant", "mean-field")
NTRAJ = 4096
CLEAR = 0.1  # of the scale: an error that nobody may miss
SMALL = 0.01  # of the scale: an error that nobody need hear of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """One observable of one model by one method, over time: errors are (T,) or (T, V).

    ``basis`` is what the estimate of the truncation rests on, ``cost`` its time in units of that of
    the run.
    """

    entry: Entry
    method: str
    observable: str
    scale: float
    true: Array
    sem: Array
    step: Array
    truncation: Array
    basis: str
    cost: float

    @property
    def stated(self) -> Array:
        """2 sem + step + truncation."""
        return 2 * self.sem + np.nan_to_num(self.step) + np.nan_to_num(self.truncation)

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """Where the truncation is stated above 5 % of the scale and three standard errors."""
        own = np.nan_to_num(self.truncation)
        return (own > SHARE * self.scale) & (own > SAMPLING * self.sem)


def same_forms(model: Model) -> bool:
    """Whether both forms of the truncated Wigner approximation are one: without single emitters."""
    return all(sub.kind in ("mode", "collective", "levels") for sub in model.subsystems)


def rows(
    entry: Entry, methods: Iterable[str] = MEASURED, ntraj: int = NTRAJ, seconds: float = 0.0
) -> Iterator[Row]:
    """An entry by all methods that accept it.

    Args:
        entry: the model.
        methods: their names.
        ntraj: trajectories of those that sample.
        seconds: that an estimate may take; by default as long as in ``solve``.
    """
    model, ops = entry.build()
    times = entry.times
    problem = read_problem(model, times, ops)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exact = solve(model, times, e_ops=ops, method=Exact(), truncation=False).expect
        for name in methods:
            method = resolve_method(name)
            if method.refuses(model, None) is not None or (
                name == "spin-twa" and same_forms(model)
            ):
                continue
            begin = time.perf_counter()
            try:
                result = solve(
                    model, times, e_ops=ops, method=method, ntraj=ntraj, seed=11,
                    truncation=False, progress=False,
                )  # fmt: skip
            except (ValueError, RuntimeError):  # an observable that it does not know; it diverges
                continue
            took = time.perf_counter() - begin
            own, basis = estimate(problem, method, result, seconds, solve, direct=False)
            spent = time.perf_counter() - begin - took
            for key, value in result.expect.items():
                right = np.asarray(exact[key])
                error = np.abs(value - right)
                if not np.all(np.isfinite(error)):
                    continue
                yield Row(
                    entry, name, key, scale(right), error, np.abs(result.sem[key]),
                    result.step_error[key], own[key], basis, spent / max(took, 1e-9),
                )  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """What the atlas says of a method.

    Attributes:
        entries: (model, observable, time) that count: those with an estimate.
        unknown: share of all for which nothing quick was found, and which say so.
        covered: share of them whose true error is within the stated total.
        ratio: median of stated over true truncation where the true error exceeds 3 sem.
        ratios: the 10th and 90th percentile of it.
        clear: share of entries above 10 % of the scale and 3 sem that are flagged, and how many.
        above: likewise above 5 %.
        false: share of observables below 1 % at all times that are flagged, and their number.
    """

    entries: int
    unknown: float
    covered: float
    ratio: float
    ratios: tuple[float, float]
    clear: tuple[float, int]
    above: tuple[float, int]
    false: tuple[float, int]


def figures(found: Iterable[Row]) -> Figures:
    """The figures of some rows."""
    some = list(found)

    def flat(values: Iterable[Any]) -> NDArray[Any]:
        parts = [np.ravel(np.asarray(v)) for v in values]
        return np.concatenate(parts) if parts else np.zeros(0)

    true, sem = flat(r.true for r in some), flat(r.sem for r in some)
    size = flat(np.full(r.true.shape, r.scale) for r in some)
    stated, flagged = flat(r.stated for r in some), flat(r.flagged for r in some).astype(bool)
    truncation = flat(np.nan_to_num(r.truncation) for r in some)
    known = flat(np.isfinite(r.truncation) for r in some).astype(bool)
    counts = (size > 0) & known
    covered = true <= stated + 1e-6 * size
    seen = (true > SAMPLING * sem) & (true > 1e-4 * size)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (truncation / true)[seen & counts]

    def share(of: NDArray[np.bool_], among: NDArray[np.bool_]) -> tuple[float, int]:
        n = int(among.sum())
        return (float(of[among].mean()) if n else float("nan")), n

    told = [r for r in some if r.scale > 0 and np.all(np.isfinite(r.truncation))]
    quiet = [r for r in told if np.all(r.true < SMALL * r.scale)]
    wrong = np.array([bool(np.any(r.flagged)) for r in quiet], bool)
    return Figures(
        int(counts.sum()),
        1 - share(known, size > 0)[0],
        share(covered, counts)[0],
        float(np.median(ratios)) if ratios.size else float("nan"),
        tuple(np.percentile(ratios, [10, 90])) if ratios.size else (float("nan"),) * 2,  # type: ignore[arg-type]
        share(flagged, counts & seen & (true > CLEAR * size)),
        share(flagged, counts & seen & (true > SHARE * size)),
        (float(wrong.mean()) if wrong.size else float("nan"), len(quiet)),
    )


# ---------------------------------------------------------------- kept in files

ARRAYS = ("true", "sem", "step", "truncation")


def kept_rows(entry: Entry, folder: Path | None) -> list[Row]:
    """Rows of an entry: from its file, or solved, and then kept there.

    A file of another version, or of other numbers, is made again. Whoever changes an estimate
    begins with an empty folder.
    """
    if folder is None:
        return list(rows(entry))
    name = hashlib.sha256(entry.name.encode()).hexdigest()[:16]
    path = folder / f"{name}.json"
    made = {"version": __version__, "entry": entry.name, "ntraj": NTRAJ}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["made"] == made:
            return [_read(entry, row) for row in data["rows"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there, or cut off
    found = list(rows(entry))
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"made": made, "rows": [_write(row) for row in found]})
    with files.replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")
    return found


def _write(row: Row) -> dict[str, Any]:
    fields = {k: v for k, v in vars(row).items() if k != "entry"}
    return fields | {k: np.asarray(fields[k], float).tolist() for k in ARRAYS}


def _read(entry: Entry, data: dict[str, Any]) -> Row:
    return Row(entry, **data | {k: np.asarray(data[k], float) for k in ARRAYS})
