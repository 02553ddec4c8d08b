"""What a benchmark measures and reports: numbers with their requirements, as a table and as JSON.

The machine may be busy: repeats, medians and minima, and ratios of times taken in turn.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..kernels.cpu import cpu_target
from ..result import aligned, format_value
from ..run.pool import available_threads

#: Packages whose versions belong to the numbers.
PACKAGES = ("wignerflow", "numpy", "llvmlite", "jax", "jaxlib", "diffrax", "qutip")


@dataclass(frozen=True)
class Entry:
    """One measured number.

    Attributes:
        key: short, stable name.
        what: the number in words.
        value: the number: median over repeats, unless ``what`` says otherwise.
        unit: its unit, may be empty.
        sem: standard error of sampled numbers.
        low, high: least and largest over repeats.
        at_most, at_least: bounds it has to keep.
        note: anything a reader should know.
    """

    key: str
    what: str
    value: float
    unit: str = ""
    sem: float | None = None
    low: float | None = None
    high: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the bounds are kept; None without any."""
        if self.at_most is None and self.at_least is None:
            return None
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )

    def cells(self) -> list[str]:
        """What, value, requirement, verdict."""
        unit = f" {self.unit}" if self.unit else ""
        if self.sem is not None:
            shown = format_value(self.value, self.sem) + unit
        else:
            shown = f"{self.value:.3g}{unit}"
            if self.low is not None and self.high is not None:
                shown += f" ({self.low:.3g} to {self.high:.3g})"
        required = "" if self.at_most is None else f"at most {self.at_most:g}{unit}"
        if self.at_least is not None:
            required = f"at least {self.at_least:g}{unit}"
        verdict = {None: "", True: "met", False: "NOT MET"}[self.met]
        return [self.what, shown, required, verdict]


@dataclass(frozen=True)
class Section:
    """Numbers under one heading."""

    title: str
    entries: list[Entry]
    note: str = ""


def machine() -> dict[str, Any]:
    """The facts that the numbers depend on."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cores": available_threads(),
        "processor": _processor(),
        "target": cpu_target(),
        "system": platform.system(),
        "python": sys.version.split()[0],
        "load_at_start": load,
        "packages": versions,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def as_dict(facts: dict[str, Any], sections: list[Section]) -> dict[str, Any]:
    """Everything as plain data, for JSON."""
    return {
        "machine": facts,
        "sections": [
            {
                "title": section.title,
                "note": section.note,
                "entries": [asdict(e) | {"met": e.met} for e in section.entries],
            }
            for section in sections
        ],
    }


def from_dict(data: dict[str, Any]) -> list[Section]:
    """Sections from :func:`as_dict`."""
    return [
        Section(
            s["title"],
            [Entry(**{k: v for k, v in e.items() if k != "met"}) for e in s["entries"]],
            s["note"],
        )
        for s in data["sections"]
    ]


def text(section: Section) -> str:
    """A section as aligned text."""
    rows = [["", "measured", "required", ""], *(e.cells() for e in section.entries)]
    lines = [section.title, *(f"  {line}".rstrip() for line in aligned(rows))]
    lines += [f"  {e.what}: {e.note}" for e in section.entries if e.note]
    if section.note:
        lines.append(f"  {section.note}")
    return "\n".join(lines)


def markdown(section: Section) -> str:
    """A section as a Markdown table."""
    lines = [f"| {section.title.lower()} | measured | required | |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(e.cells()) + " |" for e in section.entries]
    return "\n".join(lines)


# ---------------------------------------------------------------- times


class Time(NamedTuple):
    """Wall and processor time of one piece of work (all threads together)."""

    wall: float
    cpu: float

    def __mul__(self, factor: Any) -> Time:  # type: ignore[override]
        return Time(self.wall * factor, self.cpu * factor)


def measure(work: Callable[[], Any]) -> Time:
    """Seconds of one call.

    Processor time is what the work costs; on a machine that others use too, wall time is more.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Time(time.perf_counter() - wall, time.process_time() - cpu)


def repeated(run: Callable[[], Time], repeats: int) -> list[Time]:
    """Times of so many runs, after one that compiles."""
    run()
    return [run() for _ in range(repeats)]


def seconds(work: Callable[[], Any]) -> float:
    """Wall seconds of one call."""
    return measure(work).wall


def entry(key: str, what: str, values: Sequence[float], unit: str = "", **options: Any) -> Entry:
    """The median of repeats, with their range."""
    low, high = (min(values), max(values)) if len(values) > 1 else (None, None)
    return Entry(key, what, statistics.median(values), unit, low=low, high=high, **options)


class Race(NamedTuple):
    """Times of two implementations taken in turn; ratios are theirs / ours, one per repeat."""

    ours: list[Time]
    theirs: list[Time]

    def ratios(self, kind: str) -> list[float]:
        """Ratios of "wall" or "cpu" times.

        Each takes the mean of our times just before and just after theirs, so that a slow spell of
        the machine strikes both.
        """
        mine = [getattr(t, kind) for t in self.ours]
        other = [getattr(t, kind) for t in self.theirs]
        return [2 * b / (mine[k] + mine[k + 1]) for k, b in enumerate(other)]


def race(ours: Callable[[], Time], theirs: Callable[[], Time], repeats: int) -> Race:
    """Run both in turn, ours first and last."""
    out = Race([ours()], [])
    for _ in range(repeats):
        out.theirs.append(theirs())
        out.ours.append(ours())
    return out
