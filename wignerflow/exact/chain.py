"""Superoperators on elements of a density matrix, and chains of equations of them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from ..model.model import Model
from ..model.operators import Op
from .ladder import Basis, Times
from .liouvillian import Terms, lower
from .pieces import Factors
from .solution import TooLarge, density_matrix

Complex = NDArray[np.complex128]
Codes = NDArray[np.int64]
#: How many operators of each field stand on the left, and on the right.
Level = tuple[tuple[int, ...], tuple[int, ...]]


class Elements:
    """Superoperators of a model on complex elements of its density matrix, which have codes.

    Terms of a superoperator stand in its ``groups``, by their products of time coefficients.

    Attributes:
        generator: of the model.
        left, right, jump: of every field, K rho, rho K^+ and K rho K^+.
        count: number of fields.
        memory: limit in bytes.
    """

    generator: Any
    left: list[Any]
    right: list[Any]
    jump: list[Any]
    count: int
    memory: float

    def images(self, terms: Any, times: Times, codes: Codes) -> tuple[Codes, Codes, Complex]:
        """Targets, positions of their sources, and values of one group of terms."""
        raise NotImplementedError

    def trace(self, codes: Codes) -> NDArray[np.float64]:
        """The trace as a row over elements."""
        raise NotImplementedError

    def too_large(self, need: float) -> TooLarge:
        """The error where elements need so many bytes."""
        raise NotImplementedError

    @cached_property
    def _sets(self) -> dict[Any, Codes]:
        return {}

    def closed(self, start: Codes, *families: Any) -> Codes:
        """All elements reached from ``start`` under the generator (and ``families``), sorted."""
        known = frontier = np.unique(start)
        while frontier.size:
            found = [
                self.images(terms, times, frontier)[0]
                for terms in (self.generator, *families)
                for times in terms.groups
            ]
            frontier = np.setdiff1d(np.concatenate([np.zeros(0, np.int64), *found]), known)
            known = np.union1d(known, frontier)
            if known.size * 800.0 > self.memory:
                raise self.too_large(known.size * 800.0)
        return known

    def level(self, level: Level, start: Codes) -> Codes:
        """Elements of rho_kl, from those of the density matrix."""
        key = (level, start.tobytes())
        if key not in self._sets:
            if not any(map(any, level)):
                self._sets[key] = self.closed(start)
            else:
                parts = [np.zeros(0, np.int64)]
                for _, terms, below in self.parents(level):
                    codes = self.level(below, start)
                    parts += [self.images(terms, times, codes)[0] for times in terms.groups]
                self._sets[key] = self.closed(np.concatenate(parts))
        return self._sets[key]

    def parents(self, level: Level) -> list[tuple[int, Any, Level]]:
        """(k, K, level) of every operator that leads to a level, and the level it comes from."""
        out = []
        for side, family in enumerate((self.left, self.right)):
            for a, k in enumerate(level[side]):
                if k:
                    less = tuple(x - (i == a) for i, x in enumerate(level[side]))
                    below = (less, level[1]) if side == 0 else (level[0], less)
                    out.append((k, family[a], below))
        return out

    # -- matrices -------------------------------------------------------------------------------

    def matrix(
        self, terms: Any, source: Codes, target: Codes
    ) -> dict[Times, scipy.sparse.csr_matrix]:
        """From the elements ``source`` to ``target`` (others are dropped), by time coefficients."""
        out = {}
        for times in terms.groups:
            codes, at, values = self.images(terms, times, source)
            place = np.searchsorted(target, codes)
            inside = place < target.size
            inside[inside] = target[place[inside]] == codes[inside]
            entries = (values[inside], (place[inside], at[inside]))
            out[times] = scipy.sparse.csr_matrix(entries, shape=(target.size, source.size))
        return out


class BlockElements(Elements):
    """Of block density matrices.

    Args:
        model: the master equation.
        basis: its sites, with cutoffs.
        fields: the operators K.
        memory: limit in bytes.
    """

    def __init__(self, model: Model, basis: Basis, fields: list[Op], memory: float):
        self.basis, self.memory, self.count = basis, memory, len(fields)
        self.generator = lower(model, basis)
        self.left, self.right, self.jump = [], [], []
        for K in fields:
            left, right, jump = Terms(basis), Terms(basis), Terms(basis)
            words = [(t, w, c) for t, g in basis.expand(K).items() for w, c in g.items()]
            for t, w, c in words:
                bar = tuple(x.conj() for x in t)
                left.add(t, c, w, ())
                right.add(bar, np.conj(c), (), w)
                for t2, w2, c2 in words:
                    both = (*t, *(x.conj() for x in t2))
                    jump.add(both, c * np.conj(c2), w, w2)
            self.left.append(left)
            self.right.append(right)
            self.jump.append(jump)

    def images(self, terms: Terms, times: Times, codes: Codes) -> tuple[Codes, Codes, Complex]:
        return terms.images(times, codes)

    def trace(self, codes: Codes) -> NDArray[np.float64]:
        _, row, col = self.generator.split(codes)
        return np.asarray((row == col).astype(float))

    def too_large(self, need: float) -> TooLarge:
        return density_matrix(need, self.memory)


class Chain:
    """Linear equations for stacked vectors, block by block.

    Args:
        sizes: of the blocks.
        entries: (row, column, factor, matrices by time coefficients).
    """

    def __init__(
        self,
        sizes: list[int],
        entries: list[tuple[int, int, float, dict[Times, scipy.sparse.csr_matrix]]],
        timed: bool,
        rtol: float,
    ):
        self.offsets = np.concatenate([[0], np.cumsum(sizes)])
        self.rtol = rtol
        self.timed = timed

        def empty() -> list[list[scipy.sparse.csr_matrix]]:
            return [[scipy.sparse.csr_matrix((n, m), dtype=complex) for m in sizes] for n in sizes]

        groups: dict[Times, Any] = {(): empty()}
        for row, column, factor, matrices in entries:
            for times, m in matrices.items():
                groups.setdefault(times, empty())[row][column] += factor * m
        self.groups = {t: scipy.sparse.bmat(parts, "csr") for t, parts in groups.items()}

    def advance(self, first: Complex, t0: float, t1: float) -> list[Complex]:
        """Blocks at t1 from the first block (n, columns) at t0, the others being zero there."""
        y = np.zeros((int(self.offsets[-1]), first.shape[1]), complex)
        y[: first.shape[0]] = first
        if t1 > t0 and y.size:  # nothing is left of light that nobody emits
            if self.timed:
                y = self._integrated(y, t0, t1)
            else:
                A = self.groups[()] * (t1 - t0)
                y = scipy.sparse.linalg.expm_multiply(A, y, traceA=complex(A.diagonal().sum()))
        return [y[a:b] for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True)]

    def _integrated(self, y: Complex, t0: float, t1: float) -> Complex:
        shape = y.shape
        factors = Factors(self.groups)

        def slope(t: float, flat: Complex) -> Complex:
            out = np.zeros(shape, complex)
            for f, m in zip(factors(t), self.groups.values(), strict=True):
                if f != 0:
                    out += f * (m @ flat.reshape(shape))
            return np.asarray(out.ravel())

        scale = float(np.abs(y).max())
        kw: dict[str, Any] = {"rtol": self.rtol, "atol": self.rtol * scale * 1e-2}
        with np.errstate(divide="ignore", invalid="ignore"):  # 0/0 where squares underflow
            found = scipy.integrate.solve_ivp(
                slope, (t0, t1), y.ravel(), method="DOP853", max_step=(t1 - t0) / 8, **kw
            )
        return np.asarray(found.y[:, -1]).reshape(shape)
