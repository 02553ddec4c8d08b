r"""Exact photon statistics of output fields in temporal modes, for any model.

A flat bin of width w holds one mode, :math:`c = w^{-1/2}\int b_\mathrm{out}\,dt`, of the field
behind K = sum sqrt(r) L. With k operators c from the left and l operators c^+ from the right taken
inside the bin,

.. math:: \dot\rho_{kl} = \mathcal L\rho_{kl} + k\,w^{-1/2} K\rho_{k-1,l}
    + l\,w^{-1/2}\rho_{k,l-1}K^\dagger, \qquad
    \langle c^{\dagger l} c^k\rangle = \mathrm{Tr}\,\rho_{kl}(\text{end}),

and the next bin starts from rho_11: time-ordered, normally ordered moments, one linear equation.
With several fields k and l count the operators of each.

Counts of an interval come from the counting superoperator instead, moments without bins:
:math:`\dot\sigma_n = \mathcal L\sigma_n + n K\sigma_{n-1}K^\dagger`, and
:math:`\mathrm{Tr}\,\sigma_n = \langle N(N-1)\cdots(N-n+1)\rangle`.

The density matrix is held element by element, complex, as in ``blocks`` (or, of emitters with
levels, in ``occupations``), but not by halves.

Reference: Gardiner and Collett, Phys. Rev. A 31, 3761 (1985), for the field and its ordering.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..estimate import announce, check_time
from ..model.model import Model
from ..model.operators import Op
from .chain import Chain, Codes, Complex, Elements, Level
from .regression import held_at
from .solution import MEMORY


@dataclass
class Counts:
    r"""Moments of A fields in B bins, and of the counts between the first edge and the last.

    Attributes:
        n: :math:`\langle c^\dagger c\rangle`, (A, B).
        flux: photons in the bins, (A, B).
        g1: :math:`\langle c_j^\dagger c_k\rangle`, (A, A, B, B).
        g2: :math:`\langle c_j^\dagger c_k^\dagger c_k c_j\rangle`, (A, A, B, B).
        mixed: the same with the photons of the later bin in place of its mode; the diagonal is that
            of ``g2``.
        mean: <N> of the counts, (A,).
        second: <N(N - 1)>, (A,).
        facts: of the run.
    """

    n: NDArray[np.float64]
    flux: NDArray[np.float64]
    g1: Complex | None
    g2: NDArray[np.float64] | None
    mixed: NDArray[np.float64] | None
    mean: NDArray[np.float64]
    second: NDArray[np.float64]
    facts: dict[str, Any]


def zero_level(fields: int) -> Level:
    """No operators taken yet."""
    return ((0,) * fields, (0,) * fields)


def more(level: Level, left: dict[int, int], right: dict[int, int]) -> Level:
    """A level with operators added."""
    return tuple(
        tuple(x + add.get(a, 0) for a, x in enumerate(side))
        for side, add in zip(level, (left, right), strict=True)
    )  # type: ignore[return-value]


@dataclass
class Counter:
    """Moments of bins, from a density matrix at the first edge.

    Attributes:
        e: superoperators.
        start, values: elements of the density matrix.
        edges: of the bins, (B + 1,).
        timed: whether the model depends on time.
        rtol: of the integrator, where it does.
        steady: all bins are alike, so that pairs of bins are taken with the first one only.
    """

    e: Elements
    start: Codes
    values: Complex
    edges: NDArray[np.float64]
    timed: bool
    rtol: float
    steady: bool

    def __post_init__(self) -> None:
        self.zero = zero_level(self.e.count)
        here = self.set(self.zero)
        self.rho = [np.zeros((here.size, 1), complex)]
        self.rho[0][np.searchsorted(here, self.start), 0] = self.values
        self.chains: dict[Any, Chain] = {}

    def begin(self, g1: bool, g2: bool) -> None:
        """The density matrix at all edges; once it is known how long a bin takes, say so."""
        A, B = self.e.count, self.edges.size - 1
        single = 1 if self.steady else B  # bins whose own moments are needed
        for j in range(B):
            if j and self.steady:
                self.rho.append(self.rho[0])
                continue
            check_time(j, B)
            began = time.thread_time()
            self.rho.append(self.free(self.zero, self.rho[j], j))
            if j:
                continue
            wide = 1.0 if self.steady else B / 2  # columns at once
            each = A * (2 * wide + 4) + wide + 2 if g1 else 0.0
            each += A * (5 * wide + 12) + wide + 4 if g2 else 0.0
            advances = single * (1 + 8 * A) + B * A * each
            announce(
                (time.thread_time() - began) * advances,
                16.0 * self.rho[0].size * wide * (2 + A),
                f"photon statistics: {B} bins of {self.rho[0].size} elements of the density matrix",
                "take fewer or wider bins, fewer outputs, or wf.TWA()",
            )

    def set(self, level: Level) -> Codes:
        """Elements of a level."""
        return self.e.level(level, self.start)

    def trace(self, level: Level, x: Complex) -> Complex:
        """Traces of columns of elements of a level."""
        return np.asarray(self.e.trace(self.set(level)) @ x)

    def free(self, level: Level, x: Complex, j: int) -> Complex:
        """Columns over bin j without operators."""
        return self.chain(level, [level], j).advance(x, self.edges[j], self.edges[j + 1])[0]

    def taken(
        self, level: Level, x: Complex, j: int, left: dict[int, int], right: dict[int, int]
    ) -> Complex:
        """Columns over bin j in which the given numbers of operators are taken."""
        levels = [
            more(level, dict(zip(left, ks, strict=True)), dict(zip(right, ls, strict=True)))
            for ks in _ranges(list(left.values()))
            for ls in _ranges(list(right.values()))
        ]
        chain = self.chain(level, levels, j)
        return chain.advance(x, self.edges[j], self.edges[j + 1])[-1]

    def chain(self, base: Level, levels: list[Level], j: int) -> Chain:
        """The equations of levels over bin j; base is the first."""
        width = float(self.edges[j + 1] - self.edges[j])
        key = (tuple(levels), round(float(np.log(width)), 12))
        if key not in self.chains:
            entries = []
            at = {level: i for i, level in enumerate(levels)}
            for level, i in at.items():
                here = self.set(level)
                entries.append((i, i, 1.0, self.e.matrix(self.e.generator, here, here)))
                for _, terms, below in self.e.parents(level):
                    if below in at:
                        k = _difference(level, below, base)
                        m = self.e.matrix(terms, self.set(below), here)
                        entries.append((i, at[below], k / np.sqrt(width), m))
            sizes = [self.set(level).size for level in levels]
            self.chains[key] = Chain(sizes, entries, self.timed, self.rtol)
        return self.chains[key]

    # -- photons without bins --------------------------------------------------------------------

    def counted(self, level: Level, x: Complex, j: int, a: int) -> Complex:
        """Photons of field a in bin j, of columns of elements of a level; also their free end."""
        key = ("counted", level, a)
        if key not in self.chains:
            here = self.set(level)
            wide = np.union1d(here, self._diagonal(a, here))
            rows = self.e.matrix(self.e.jump[a], here, wide)
            trace = scipy.sparse.csr_matrix(self.e.trace(wide))
            row = {t: (trace @ m).tocsr() for t, m in rows.items()}
            generator = self.e.matrix(self.e.generator, here, here)
            entries = [(0, 0, 1.0, generator), (1, 0, 1.0, row)]
            self.chains[key] = Chain([here.size, 1], entries, self.timed, self.rtol)
        chain = self.chains[key]
        return np.asarray(chain.advance(x, self.edges[j], self.edges[j + 1])[1][0])

    def _diagonal(self, a: int, here: Codes) -> Codes:
        found = [self.e.images(self.e.jump[a], t, here)[0] for t in self.e.jump[a].groups]
        return np.unique(np.concatenate([np.zeros(0, np.int64), *found]))

    def factorial(self, a: int) -> tuple[float, float]:
        """<N> and <N(N - 1)> of the counts over all bins."""
        e = self.e
        here = e.closed(self.set(self.zero), e.jump[a])
        generator, jump = e.matrix(e.generator, here, here), e.matrix(e.jump[a], here, here)
        entries = [(n, n, 1.0, generator) for n in range(3)]
        entries += [(1, 0, 1.0, jump), (2, 1, 2.0, jump)]
        chain = Chain([here.size] * 3, entries, self.timed, self.rtol)
        x = np.zeros((here.size, 1), complex)
        x[np.searchsorted(here, self.set(self.zero))] = self.rho[0]
        _, one, two = chain.advance(x, float(self.edges[0]), float(self.edges[-1]))
        trace = e.trace(here)
        return float((trace @ one)[0].real), float((trace @ two)[0].real)

    # -- moments ---------------------------------------------------------------------------------

    def numbers(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """<c^+ c> and the photons of every bin, (A, B) each."""
        A, B = self.e.count, self.edges.size - 1
        n, flux = np.zeros((2, A, B))
        for a in range(A):
            one = more(self.zero, {a: 1}, {a: 1})
            for j in range(1 if self.steady else B):
                x = self.taken(self.zero, self.rho[j], j, {a: 1}, {a: 1})
                n[a, j] = self.trace(one, x)[0].real
                flux[a, j] = self.counted(self.zero, self.rho[j], j, a)[0].real
        if self.steady:
            n[:], flux[:] = n[:, :1], flux[:, :1]
        return n, flux

    def bins(self, pairs: bool) -> tuple[Complex, Complex]:
        """<c_{a,j}^+ c_{b,k}>, or of ``pairs`` <c_j^+ c_k^+ c_k c_j>, (A, A, B, B).

        And of pairs the same with the photons of the later bin.
        """
        A, B = self.e.count, self.edges.size - 1
        out, mixed = np.zeros((2, A, A, B, B), complex)
        for a in range(A):
            left = {a: 1} if pairs else {}  # taken in the earlier bin
            first = more(self.zero, left, {a: 1})
            x = np.zeros((self.set(first).size, 0), complex)
            for k in range(B):
                for b in range(A):
                    right = {b: 1} if pairs else {}  # in the later one
                    both = more(first, {b: 1}, right)
                    if k:
                        y = self.taken(first, x, k, {b: 1}, right)
                        n = y.shape[1]
                        out[a, b, :n, k] = self.trace(both, y)
                        out[b, a, k, :n] = out[a, b, :n, k].conj()
                        if pairs:
                            mixed[a, b, :n, k] = mixed[b, a, k, :n] = self.counted(first, x, k, b)
                    taken = [{c: m for c, m in enumerate(side) if m} for side in both]
                    y = self.taken(self.zero, self.rho[k], k, taken[0], taken[1])
                    out[a, b, k, k] = mixed[a, b, k, k] = self.trace(both, y)[0]
                if k == B - 1:
                    break
                moved = [self.free(first, x, k)] if k else []
                if k == 0 or not self.steady:
                    moved.append(self.taken(self.zero, self.rho[k], k, left, {a: 1}))
                x = np.concatenate(moved, axis=1)
        return out, mixed


def _ranges(counts: list[int]) -> list[tuple[int, ...]]:
    """All tuples from zeros to ``counts``, the last one last."""
    return [tuple(map(int, i)) for i in np.ndindex(*(c + 1 for c in counts))]


def _difference(level: Level, below: Level, base: Level) -> int:
    """How many operators of the kind that leads from ``below`` to ``level`` this bin holds."""
    for side in range(2):
        for a, (x, y) in enumerate(zip(level[side], below[side], strict=True)):
            if x != y:
                return x - base[side][a]
    raise AssertionError("levels do not follow each other")


def count(
    model: Model,
    fields: list[Op],
    edges: NDArray[np.float64],
    steady: bool = False,
    *,
    g1: bool = True,
    g2: bool = True,
    engine: str = "blocks",
    rtol: float = 1e-8,
    memory: float = MEMORY,
) -> Counts:
    """Photon statistics of fields behind K = sum sqrt(r) L (and classical amplitudes).

    Args:
        model: the master equation; its initial state holds at time 0.
        fields: the operators K; light that is not in a vacuum input must be a number in K.
        edges: of the bins, ascending from 0 or later, (B + 1,).
        steady: bins in the steady state, which must be unique; they are of one width, and pairs of
            them are counted with the first one only.
        g1, g2: whether these moments are wanted.
        engine: "occupations", or "blocks" for every other.
        rtol: of the integrator, for models that depend on time.
        memory: limit in bytes.

    Raises:
        TooLarge: the density matrix, with all coherences that K makes, does not fit into memory.
        NotUnique: the steady state is not unique.
    """
    ops = {str(a): K.dag() * K for a, K in enumerate(fields)}
    plain = {name: op for name, op in ops.items() if not op.coefficients}
    t = None if steady else float(edges[0])
    span = float(edges[-1] - edges[0])
    held, _, facts = held_at(engine, model, plain, t, span, rtol, memory)
    elements, codes, values = held.elements(fields)
    timed = bool(model.coefficients) or any(K.coefficients for K in fields)
    counter = Counter(elements, codes, values, edges, timed, rtol, steady)
    counter.begin(g1, g2)
    n, flux = counter.numbers()
    coherence = counter.bins(False)[0] if g1 else None
    pairs, mixed = (x.real.copy() for x in counter.bins(True)) if g2 else (None, None)
    mean, second = np.array([counter.factorial(a) for a in range(len(fields))]).T
    facts = {**facts, "engine": "counting", "elements": int(counter.set(counter.zero).size)}
    return Counts(n, flux, coherence, pairs, mixed, mean, second, facts)
