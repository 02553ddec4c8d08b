r"""Emitters as bosons in the boxes |a><b|: sites, elements of a density matrix, maps of them.

N emitters of d levels in one pure state stay symmetric under H and collective jumps. Those that
only act together are then one system with the C(N + d - 1, d - 1) states of N bosons in d boxes,
and

.. math:: \sum_n |a\rangle\langle b|_n = b^\dagger_a b_b .
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import comb
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..model.level_states import LevelState
from ..model.levels import Levels
from ..model.mode_states import ModeState
from ..model.states import BlochState, State
from ..model.subsystems import CollectiveSpin, Ensemble, Mode, Subsystem
from ..model.words import letter
from . import mode_states
from .solution import TooLarge

Matrix = NDArray[np.complex128]
Rows = NDArray[np.int32]
#: Elements of a state below are none.
NOTHING = 1e-16
#: The largest eigenvalue of a pure state lies closer to one; amplitudes below are none.
PURE = 1e-12
PER_ENTRY = 100  # bytes, while operators of symmetric states are made


@dataclass
class Emitters:
    """``number`` identical emitters of ``levels`` levels, each in ``state``.

    ``state`` is a density matrix, (levels, levels), or of one emitter a vector; ``letters`` are
    the matrices whose sums over all emitters letters stand for, dense, or sparse by columns.
    """

    label: str
    kind: str
    number: int
    state: Matrix
    letters: dict[str, Any]

    @property
    def levels(self) -> int:
        """Levels of one emitter."""
        return len(self.state)

    @property
    def boxes(self) -> int:
        """Elements |a><b| of one emitter."""
        return self.levels**2

    def elements(self) -> tuple[NDArray[np.int64], Matrix]:
        """Elements |a><b| of the state that are not zero, by number, and their values."""
        if self.state.ndim == 1:
            some = np.flatnonzero(np.abs(self.state) > NOTHING)
            psi = self.state[some]
            return np.add.outer(self.levels * some, some).ravel(), np.outer(psi, psi.conj()).ravel()
        r = self.state.ravel()
        boxes = np.flatnonzero(np.abs(r) > NOTHING)
        return boxes, r[boxes]

    @cached_property
    def _log_factorials(self) -> NDArray[np.float64]:
        return np.asarray(scipy.special.gammaln(np.arange(self.number + 1) + 1.0))

    def norm(self, occupied: NDArray[np.integer]) -> NDArray[np.float64]:
        """sqrt(N! / prod n!) of occupation numbers (..., boxes)."""
        table = self._log_factorials
        return np.asarray(np.exp((table[-1] - table[occupied].sum(axis=-1)) / 2))


def angular(length: float) -> dict[str, Matrix]:
    """J_x, J_y, J_z in the basis M = J, J - 1, ..., -J."""
    M = length - np.arange(round(2 * length) + 1)
    up = np.diag(np.sqrt(np.maximum(length * (length + 1) - M[1:] * M[:-1], 0)), 1).astype(complex)
    return {"x": (up + up.T) / 2, "y": (up - up.T) / 2j, "z": np.diag(M).astype(complex)}


def emitters(sub: Subsystem, m: int, state: State, cutoff: int) -> Emitters:
    """Member m of a subsystem; ``cutoff`` holds for a mode that has none of its own."""
    label = sub.name if sub.count is None else f"{sub.name}[{m}]"
    if isinstance(sub, Mode):
        assert isinstance(state, ModeState)
        dim = sub.cutoff or cutoff
        lower = np.diag(np.sqrt(np.arange(1, dim)), 1).astype(complex)
        rho = mode_states.matrix(state.kind, state.value, dim)
        return Emitters(label, sub.kind, 1, rho, {"a": lower, "d": lower.T})
    if isinstance(sub, Levels):
        assert isinstance(state, LevelState)
        boxes = np.eye(sub.d**2, dtype=complex).reshape(sub.d, sub.d, sub.d, sub.d)
        letters = {letter(a, b): boxes[a, b] for a in range(sub.d) for b in range(sub.d)}
        rho = state.density(sub, "state")
        return Emitters(label, sub.kind, int(sub.numbers[m]), rho, letters)
    assert isinstance(state, BlochState)
    half = angular(0.5)
    rho = np.eye(2) / 2 + sum(c * half[x] for c, x in zip(state.vector, "xyz", strict=True))
    if isinstance(sub, Ensemble):
        return Emitters(label, sub.kind, int(sub.numbers[m]), rho, half)
    if isinstance(sub, CollectiveSpin):
        J = angular(float(sub.lengths[m]))
        along = sum(c * J[x] for c, x in zip(state.vector, "xyz", strict=True))
        psi = np.linalg.eigh(along)[1][:, -1:]
        return Emitters(label, sub.kind, 1, psi @ psi.conj().T, J)
    return Emitters(label, sub.kind, 1, rho, {x: 2 * half[x] for x in "xyz"})


def compositions(total: int, parts: int) -> NDArray[np.int64]:
    """All ways to write ``total`` as an ordered sum of ``parts`` numbers, (ways, parts)."""
    if parts == 1:
        return np.array([[total]])
    out = []
    for first in range(total + 1):
        rest = compositions(total - first, parts - 1)
        out.append(np.concatenate([np.full((len(rest), 1), first), rest], axis=1))
    return np.concatenate(out)


def symmetric(site: Emitters, memory: float) -> Emitters:
    """The same emitters as one of all symmetric states.

    As they are where their state is mixed, or where the operators need more than a quarter of
    ``memory``, in bytes.
    """
    d = site.levels
    if PER_ENTRY * d**2 * comb(site.number + d - 1, d - 1) > memory / 4:
        return site
    values, vectors = np.linalg.eigh(site.state)
    if values[-1] < 1 - PURE:
        return site
    one = np.where(np.abs(vectors[:, -1]) > PURE, vectors[:, -1], 0)
    occupied = compositions(site.number, site.levels)
    psi = site.norm(occupied) * np.prod(one**occupied, axis=1)
    moves = {(a, b): _move(occupied, a, b) for a in range(site.levels) for b in range(site.levels)}
    letters = {name: _collective(A, moves) for name, A in site.letters.items()}
    return Emitters(site.label, site.kind, 1, psi, letters)


def _move(occupied: NDArray[np.int64], a: int, b: int) -> scipy.sparse.csc_matrix:
    """b_a^+ b_b between states of these occupation numbers."""
    n = len(occupied)
    column = np.flatnonzero(occupied[:, b])
    moved = occupied[column].copy()
    value = np.sqrt(moved[:, b])
    moved[:, b] -= 1
    moved[:, a] += 1
    value = value * np.sqrt(moved[:, a])
    base = (occupied[0].sum() + 1) ** np.arange(occupied.shape[1])[::-1]  # ascending, as they are
    row = np.searchsorted(occupied @ base, moved @ base)
    return scipy.sparse.csc_matrix((value, (row, column)), shape=(n, n))


def _collective(
    A: Matrix, moves: dict[tuple[int, int], scipy.sparse.csc_matrix]
) -> scipy.sparse.csc_matrix:
    """The sum over all emitters of a matrix of one."""
    n = moves[0, 0].shape[0]
    parts = (A[ab] * move for ab, move in moves.items() if A[ab] != 0)
    return scipy.sparse.csc_matrix(sum(parts, scipy.sparse.csc_matrix((n, n), dtype=complex)))


# ---------------------------------------------------------------- maps of boxes


@lru_cache(maxsize=256)
def from_side(A: bytes, kind: str, d: int, left: bool) -> scipy.sparse.csc_matrix:
    """A rho, or rho A, as a map of the entries of rho; all elements need the same few."""
    matrix, one = np.frombuffer(A, kind).reshape(d, d), np.eye(d)
    return sparse(np.kron(matrix, one) if left else np.kron(one, matrix.T))


def sparse(f: Any) -> scipy.sparse.csc_matrix:
    """A matrix by columns, without what is rounding."""
    out = scipy.sparse.csc_matrix(f)
    out.data[np.abs(out.data) <= 1e-15 * np.abs(out.data).max(initial=0.0)] = 0
    out.eliminate_zeros()
    return out


def columns_of(
    f: scipy.sparse.csc_matrix, columns: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[Any]]:
    """All entries of some columns: of the how-manieth column, their rows and values."""
    count = np.diff(f.indptr)[columns]
    source = np.repeat(np.arange(len(columns)), count)
    within = np.arange(source.size) - np.repeat(np.cumsum(count) - count, count)
    at = f.indptr[columns[source]] + within
    return source, f.indices[at], f.data[at]


# ---------------------------------------------------------------- elements


@dataclass
class Elements:
    """Basis elements with weights: ``rows`` (n, columns), and of which element each came."""

    source: NDArray[np.int64]
    rows: Rows
    value: NDArray[np.complex128]


class Space:
    """All sites of a model side by side: an element is one row of integers.

    A site of one emitter takes one column, the number of its box; others take one column per box.
    """

    def __init__(self, sites: list[Emitters]):
        self.sites = sites
        widths = [1 if s.number == 1 else s.boxes for s in sites]
        self.first = np.concatenate([[0], np.cumsum(widths)]).astype(int)
        # keys are sums of odd random multiples modulo 2^64; equal keys of unequal rows are noticed
        draws = np.random.default_rng(0).integers(0, 2**62, self.first[-1], dtype=np.uint64)
        self.multiples = 2 * draws + np.uint64(1)

    def keys(self, rows: Rows) -> NDArray[np.uint64]:
        """One number per row."""
        return np.asarray((rows.astype(np.uint64) * self.multiples).sum(axis=1))

    def start(self, limit: float) -> Elements:
        """The initial density matrix.

        Raises:
            TooLarge: it has more than ``limit`` elements.
        """
        rows, value = np.zeros((1, 0), np.int32), np.ones(1, complex)
        for site in self.sites:
            boxes, r = site.elements()
            if len(rows) * comb(site.number + boxes.size - 1, boxes.size - 1) > limit:
                raise TooLarge("The initial state has too many elements.")
            if site.number == 1:
                own, weight = boxes[:, None], r
            else:
                occupied = compositions(site.number, boxes.size)
                own = np.zeros((len(occupied), site.boxes), int)
                own[:, boxes] = occupied
                weight = site.norm(occupied) * np.prod(r**occupied, axis=1)
            rows = np.concatenate(
                [np.repeat(rows, len(own), 0), np.tile(own, (len(rows), 1))], axis=1
            ).astype(np.int32)
            value = np.outer(value, weight).ravel()
        return Elements(np.arange(len(rows)), rows, value)

    def trace(self, rows: Rows) -> NDArray[np.float64]:
        """The trace of every element."""
        out = np.ones(len(rows))
        for k, site in enumerate(self.sites):
            own = rows[:, self.first[k] : self.first[k + 1]]
            if site.number == 1:
                out[own[:, 0] // site.levels != own[:, 0] % site.levels] = 0
            else:
                off = ~np.eye(site.levels, dtype=bool).ravel()
                out[own[:, off].any(axis=1)] = 0
                out *= site.norm(own)
        return out

    def conjugate(self, rows: Rows) -> Rows:
        """The Hermitian conjugate of every element."""
        out = rows.copy()
        for k, site in enumerate(self.sites):
            d, (a, b) = site.levels, self.first[k : k + 2]
            if site.number == 1:
                out[:, a] = rows[:, a] % d * d + rows[:, a] // d
            else:
                out[:, a:b] = rows[:, a:b].reshape(-1, d, d).swapaxes(1, 2).reshape(-1, d * d)
        return out

    def merged(self, x: Elements) -> Elements:
        """The same matrix with every element once, without those that are rounding."""
        _, first, at = np.unique(self.keys(x.rows), return_index=True, return_inverse=True)
        total = np.zeros(first.size, complex)
        np.add.at(total, at, x.value)
        kept = np.flatnonzero(np.abs(total) > 1e-15 * np.abs(total).max(initial=0.0))
        return Elements(kept, x.rows[first[kept]], total[kept])

    def act(self, x: Elements, k: int, f: scipy.sparse.csc_matrix) -> Elements:
        """The sum over the emitters of site k of the map f, (boxes, boxes)."""
        site, first = self.sites[k], self.first[k]
        if site.number == 1:
            source, to, value = columns_of(f, x.rows[:, first])
            rows = x.rows[source]
            rows[:, first] = to
            return Elements(x.source[source], rows, x.value[source] * value)
        parts: list[tuple[Any, Any, Any]] = []
        for beta in range(site.boxes):
            here = np.flatnonzero(x.rows[:, first + beta])
            if not here.size:
                continue
            n = x.rows[here, first + beta].astype(float)
            for at in range(f.indptr[beta], f.indptr[beta + 1]):
                alpha, value = f.indices[at], f.data[at] * x.value[here]
                rows = x.rows[here]
                if alpha == beta:
                    parts.append((x.source[here], rows, value * n))
                    continue
                more = rows[:, first + alpha] + 1.0
                rows[:, first + beta] -= 1
                rows[:, first + alpha] += 1
                parts.append((x.source[here], rows, value * np.sqrt(n * more)))
        if not parts:
            return Elements(x.source[:0], x.rows[:0], x.value[:0])
        source, all_rows, values = (np.concatenate(p) for p in zip(*parts, strict=True))
        return Elements(source, all_rows, values)

    def side(self, x: Elements, k: int, A: Any, left: bool) -> Elements:
        """A rho or rho A, for the sum over the emitters of site k of a matrix."""
        site, first = self.sites[k], self.first[k]
        if site.number > 1:
            return self.act(x, k, from_side(A.tobytes(), A.dtype.char, len(A), left))
        ket, bra = np.divmod(x.rows[:, first], site.levels)
        source, to, value = columns_of(
            scipy.sparse.csc_matrix(A if left else A.T), ket if left else bra
        )
        rows = x.rows[source]
        rows[:, first] = to * site.levels + bra[source] if left else ket[source] * site.levels + to
        return Elements(x.source[source], rows, x.value[source] * value)


def joined(parts: list[Elements], x: Elements) -> Elements:
    """All elements of several; of none, those of ``x`` without any."""
    if not parts:
        return Elements(x.source[:0], x.rows[:0], x.value[:0])
    return Elements(
        np.concatenate([p.source for p in parts]),
        np.concatenate([p.rows for p in parts]),
        np.concatenate([p.value for p in parts]),
    )
