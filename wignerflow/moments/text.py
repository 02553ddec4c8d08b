"""The moment equations as text, for small models."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .. import _check
from ..model.coefficients import Coef
from . import level_sites
from .algebra import closed
from .program import Program, Terms

#: Moments of the largest model that is printed.
LIMIT = 300
Sum = dict[tuple[str, tuple[int, ...]], float]


def text(program: Program) -> str:
    """One line per moment, d<x>/dt = ..., in means and covariances.

    Raises:
        ValueError: the model has too many moments to be read.
    """
    v = program.v
    if v.length > LIMIT:
        _check.fail(
            "model",
            f"have at most {LIMIT} moments to be printed",
            _check.Note(f"one of {v.length}"),
        )
    n, (rows, columns) = v.size, v.pairs
    jacobian = program.jacobian
    slopes: dict[tuple[int, int], Sum] = {}
    for row, key, c in _entries(jacobian, program):
        where = int(row) if program.pattern is None else program.entry(int(row))
        part = slopes.setdefault((where // n, where % n), {})
        part[key] = part.get(key, 0.0) + c
    sums: list[Sum] = [{} for _ in range(v.length)]
    for terms, first in ((program.drift, 0), (program.source, n)):
        for row, key, c in _entries(terms, program):
            sums[first + row][key] = sums[first + row].get(key, 0.0) + c
    place = program.places
    for k, (i, j) in enumerate(zip(rows, columns, strict=True)):
        for (a, b), slope in slopes.items():
            for own, other in ((i, j), (j, i)):
                if a == own and place[b, other] < v.length:
                    for (f, factors), c in slope.items():
                        key = (f, tuple(sorted((*factors, int(place[b, other])))))
                        sums[n + k][key] = sums[n + k].get(key, 0.0) + c
    names = [f"⟨{v.label(k)}⟩" for k in range(n)]
    names += [_pair(program, int(i), int(j)) for i, j in zip(rows, columns, strict=True)]
    lines = _head(program)
    for name, total in zip(names, sums, strict=True):
        lines.append(f"d{name}/dt = {_sum(total, names)}")
    return "\n".join(lines)


def _head(program: Program) -> list[str]:
    v = program.v
    lines = [f"Second-order cumulants: {v.length} real moments; ⟨⟨x, y⟩⟩ = ⟨x y⟩ - ⟨x⟩⟨y⟩."]
    if any(k == "spin" and n > 1 for k, n in zip(v.kinds, v.number, strict=True)):
        lines.append("s: Pauli matrices of one emitter; s': of another emitter of the ensemble.")
    if any(level_sites.levels(k) for k in v.kinds):
        lines.append("n_a = |a><a|, x_a,b = |a><b| + h.c., y_a,b = -i|a><b| + h.c. of one emitter;")
        lines.append("n', x', y': of another emitter.")
    if "mode" in v.kinds:
        lines.append("q = (a + a^+)/√2, p = (a - a^+)/(i√2); products on one site symmetrised.")
    for k, c in enumerate(program.times):
        lines.append(f"f{k + 1}(t) = {c!r}")
    return lines


def _pair(program: Program, i: int, j: int) -> str:
    v = program.v
    owner = int(v.owner[i])
    inside = owner == v.owner[j] and closed(v.kinds[owner])
    other = v.label(j)
    if inside:
        head, letter = other.rsplit(".", 1)
        other = f"{head}.{letter[0]}'{letter[1:]}"
    return f"⟨⟨{v.label(i)}, {other}⟩⟩"


def _entries(
    terms: list[Terms], program: Program
) -> Iterable[tuple[int, tuple[str, tuple[int, ...]], float]]:
    for t in terms:
        counts = np.diff(np.append(t.starts, t.coef.size))
        every = np.repeat(t.rows, counts)
        factor, sign = _factor(t.times, t.imaginary, program)
        for row, c, places in zip(every, t.coef, t.factors.T, strict=True):
            yield int(row), (factor, tuple(sorted(map(int, places)))), sign * float(c)


def _factor(times: tuple[Coef, ...], imaginary: bool, program: Program) -> tuple[str, float]:
    if not times:
        return "", 1.0
    product = " ".join(f"f{program.times.index(c) + 1}" for c in times)
    if imaginary:
        return f"Im({product})", -1.0
    return (product if all(c.is_real for c in times) else f"Re({product})"), 1.0


def _sum(total: Sum, names: list[str]) -> str:
    parts = []
    largest = max((abs(c) for c in total.values()), default=0.0)
    ordered = sorted(total.items(), key=lambda item: (len(item[0][1]), item[0][0], item[0][1]))
    for (factor, factors), c in ordered:
        if abs(c) <= 1e-13 * largest:
            continue
        what = " ".join(x for x in (factor, *(names[k] for k in factors)) if x)
        number = f"{abs(c):.6g}"
        if what:
            number = "" if number == "1" else number + " "
        parts.append(("- " if c < 0 else "+ ") + number + what)
    if not parts:
        return "0"
    out = " ".join(parts)
    return out[2:] if out.startswith("+ ") else "-" + out[2:]
