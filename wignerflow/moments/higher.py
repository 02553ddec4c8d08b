r"""Cumulants of third and fourth order: variables are moments, those of higher degree are closed.

The equations of symmetrised moments are linear in moments of the same and of higher degrees,

.. math:: \frac{d}{dt}\langle M\rangle = \sum_k g_{Mk}(t)\,\langle M_k\rangle .

With the first factor x of a product and the rest R, joint cumulants :math:`\kappa` are defined by

.. math:: \langle x R\rangle = \sum_{T\subseteq R} \kappa(x\,T)\,\langle R\setminus T\rangle ,

which gives those up to the order from the moments, and, with all above zero, moments of higher
degrees. There are about n^3/6 or n^4/24 moments of n basic operators: for small systems, and to
judge the second order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import combinations, combinations_with_replacement
from math import comb, prod

import numpy as np
import scipy
from numpy.typing import NDArray

from ..estimate import announce, check_time
from ..model.op import Op
from ..model.states import BlochState
from ..model.subsystems import CollectiveSpin
from . import closure, limits
from .algebra import LETTERS, closed, symmetric
from .closure import MAX_DEGREE, TooHigh
from .clusters import operator
from .generator import Family, Times, families
from .physical import Bounds
from .variables import Array, Variables

#: Moments of the largest system.
LIMIT = 20_000
#: Rows of the generator after which the time is looked at.
LOOK = 20
#: Rows that tell how long all take.
SAMPLE = 40
#: Coefficients of the generator, in units of the largest of their kind, that are rounding.
ROUNDING = 1e-13

Mono = tuple[int, ...]


def size(n: int, order: int) -> int:
    """Moments of n basic operators, at most."""
    return comb(n + order, order) - 1


class HigherOrder:
    """The right-hand side of the moment equations of a model to the third or fourth order.

    Args:
        variables: the sites of the model.
        terms: its generator.
        order: of the highest cumulants that are kept.

    Raises:
        limits.TooLarge: there are more than ``LIMIT`` moments.
        TooHigh: the equations hold products of too many operators.
    """

    def __init__(self, variables: Variables, terms: list[Family], order: int):
        self.v, self.order = variables, order
        many = size(variables.size, order)
        if many > LIMIT:
            raise limits.TooLarge(
                f"Cumulants of order {order} have up to {many} moments (limit {LIMIT}): use fewer "
                "array members, or wf.Cumulant(order=2)."
            )
        self.monos = _monomials(variables, order)
        self.length = len(self.monos)
        self.monos.append(())  # whose moment is one
        self.where = {m: k for k, m in enumerate(self.monos)}
        self._offset, self._number = variables.offset.tolist(), variables.number.tolist()
        self._owner = variables.owner.tolist()
        self._alone = [closed(kind) for kind in variables.kinds]
        self._entries = [family.index.T.tolist() for family in terms]
        self._maps: dict[tuple[int, tuple], dict[closure.Monomial, NDArray]] = {}
        self._joint = self._splittings(self.monos[: self.length])
        entries: dict[Times, list[tuple[int, int, complex]]] = {}
        near = [_by_class(family) for family in terms]
        self._say_how_long(terms, near)
        for row in range(self.length):
            if row % LOOK == 0:
                check_time()
            for f, family in enumerate(terms):
                for mono, c in self._acted(f, family, near[f], self.monos[row]).items():
                    entries.setdefault(family.times, []).append((row, self.place(mono), c))
        self.count = sum(map(len, entries.values()))
        self._closed = self._splittings(self.monos[self.length + 1 :])
        self.parts = []
        for times, triples in entries.items():
            matrix = _matrix(triples, (self.length, len(self.monos)))
            self.parts.append(
                (times, scipy.sparse.csr_matrix(matrix.real), scipy.sparse.csr_matrix(matrix.imag))
            )
        self.times = list(dict.fromkeys(c for times in entries for c in times))

    def place(self, mono: Mono) -> int:
        """Where a monomial stands; a new one is added, with all that its closure needs."""
        if mono not in self.where:
            if len(mono) > MAX_DEGREE:
                raise TooHigh(
                    f"its moment equations hold products of {len(mono)} operators (limit "
                    f"{MAX_DEGREE})"
                )
            for _, rest in _splits(mono, self.order):
                self.place(rest)
            self.where[mono] = len(self.monos)
            self.monos.append(mono)
        return self.where[mono]

    def _splittings(self, monos: list[Mono]) -> list[tuple[NDArray, NDArray, NDArray]]:
        """By degree: places of monomials, of the cumulants and of the moments that make them."""
        out = []
        for degree in sorted({len(m) for m in monos}):
            some = [m for m in monos if len(m) == degree]
            split = [
                [(self.where[a], self.where[b]) for a, b in _splits(m, min(self.order, degree))]
                for m in some
            ]
            own = np.array(split)
            here = np.array([self.where[m] for m in some])
            out.append((here, own[..., 0], own[..., 1]))
        return out

    def cumulants(self, y: Array) -> Array:
        """Joint cumulants of the moments, in the same order."""
        every, kappa = np.append(y, 1.0), np.zeros(y.size)
        for here, left, right in self._joint:  # the last way is the cumulant of all, zero so far
            kappa[here] = y[here] - (kappa[left] * every[right]).sum(axis=1)
        return kappa

    def moments(self, kappa: Array) -> Array:
        """The moments of joint cumulants."""
        every = np.append(np.zeros(kappa.size), 1.0)
        for here, left, right in self._joint:
            every[here] = (kappa[left] * every[right]).sum(axis=1)
        return every[:-1]

    def full(self, y: Array, closed: list[tuple[NDArray, NDArray, NDArray]]) -> Array:
        """All moments, those of higher degrees closed."""
        out = np.empty(len(self.monos))
        out[: self.length], out[self.length] = y, 1.0
        kappa = self.cumulants(y)
        for here, left, right in closed:
            out[here] = (kappa[left] * out[right]).sum(axis=1)
        return out

    def __call__(self, t: float, y: Array) -> Array:
        """dy/dt."""
        every = self.full(y, self._closed)
        out = np.zeros(self.length)
        values = {c: complex(c(t)) for c in self.times}
        for times, real, imaginary in self.parts:
            weight = prod((values[c] for c in times), start=1.0 + 0j)
            known = every[: real.shape[1]]  # readouts add monomials
            out += weight.real * (real @ known)
            if weight.imag:
                out -= weight.imag * (imaginary @ known)
        return out

    # ------------------------------------------------------------ the generator

    def _say_how_long(self, terms: list[Family], near: list[dict[int, list[int]]]) -> None:
        """Before the equations are written out, from some of them."""
        some = np.unique(np.linspace(0, self.length - 1, SAMPLE).astype(int)).tolist()
        begin = time.thread_time()
        for row in some:
            for f, family in enumerate(terms):
                self._acted(f, family, near[f], self.monos[row])
        seconds = (time.thread_time() - begin) * self.length / len(some)
        if seconds > limits.WORTH_SAYING:
            need = limits.COPIES * 8.0 * self.length
            what = f"the moments: writing out {self.length} equations"
            announce(seconds, need, what, "use fewer array members, or wf.Cumulant(order=2)")

    def _acted(
        self, f: int, family: Family, near: Mapping[int, list[int]], mono: Mono
    ) -> dict[Mono, complex]:
        """A family on a monomial: sums over the ways in which slots and its sites coincide."""
        out: dict[Mono, complex] = {}
        sites = self._sites(mono)
        here = [i for i, _ in sites]
        slots = range(len(family.kinds))
        for e in sorted({e for i in here for e in near.get(i, ())}):
            classes = self._entries[f][e]
            for match in _matchings(classes, here):
                ways = self._ways([classes[s] for s in slots if s not in match], here)
                if not ways:
                    continue
                met = match.values()
                rest = [k for j, (_, some) in enumerate(sites) if j not in met for k in some]
                observed = {s: self._letters(*sites[j]) for s, j in match.items()}
                for symbol, c in self._map(f, family, observed).items():
                    if c[e] != 0:
                        own = [self._offset[classes[s]] + a for s, a in symbol]
                        key = tuple(sorted(rest + own))
                        out[key] = out.get(key, 0) + ways * complex(c[e])
        return out

    def _letters(self, i: int, some: Mono) -> Mono:
        return tuple(k - self._offset[i] for k in some)

    def _ways(self, free: list[int], used: list[int]) -> int:
        """Ways to choose different sites of some classes, with some in use."""
        ways, used = 1, list(used)
        for i in free:
            ways *= max(self._number[i] - used.count(i), 0)
            used.append(i)
        return ways

    def _map(
        self, f: int, family: Family, observed: dict[int, Mono]
    ) -> dict[closure.Monomial, NDArray]:
        key = (f, tuple(sorted(observed.items())))
        if key not in self._maps:
            found = closure.acted(family.kinds, family.words, observed, family.coef)
            least = ROUNDING * float(np.abs(family.coef).max())
            kept = {m: np.where(np.abs(c) > least, c, 0) for m, c in found.items()}
            self._maps[key] = {m: c for m, c in kept.items() if np.any(c)}
        return self._maps[key]

    def _sites(self, mono: Mono) -> list[tuple[int, Mono]]:
        """Class and operators of every site; those of a collective spin or a mode share one."""
        out: list[tuple[int, Mono]] = []
        shared: dict[int, Mono] = {}
        for k in mono:
            i = self._owner[k]
            if self._alone[i]:
                out.append((i, (k,)))
            else:
                shared[i] = (*shared.get(i, ()), k)
        return out + list(shared.items())

    def read(self, family: Family) -> Iterator[tuple[Mono, complex]]:
        """An operator's family as a sum of monomials."""
        for symbol, c in closure.acted(family.kinds, family.words, {}, family.coef).items():
            for e in np.flatnonzero(c):
                classes = family.index[:, e].tolist()
                mono = tuple(sorted(self._offset[classes[s]] + a for s, a in symbol))
                yield mono, self._ways(classes, []) * complex(c[e])

    # ------------------------------------------------------------ states

    def initial(self) -> Array:
        """Moments of the initial state, packed."""
        r, C = self.v.unpack(self.v.initial())
        kappa = np.zeros(self.length)
        for k, m in enumerate(self.monos[: self.length]):
            kappa[k] = r[m[0]] if len(m) == 1 else C[m] if len(m) == 2 else self._of_spin(m)
        return self.moments(kappa)

    def _of_spin(self, mono: Mono) -> float:
        """A third or fourth cumulant of the initial state: of a collective spin, else zero.

        Cumulants of J are 2S times those of one of 2S emitters in a product state.
        """
        v = self.v
        i = int(v.owner[mono[0]])
        if v.kinds[i] != "collective" or any(v.owner[k] != i for k in mono):
            return 0.0
        sub, first = max(((s, at) for s, at in v.first.items() if at <= i), key=lambda x: x[1])
        state = v.model.initial[sub][i - first]
        assert isinstance(sub, CollectiveSpin) and isinstance(state, BlochState)
        letters = tuple(k - int(v.offset[i]) for k in mono)
        return 2 * float(sub.lengths[i - first]) * _cumulant(letters, state.vector)

    def second(self, y: Array) -> Array:
        """Means and covariances, as the second order packs them."""
        v = self.v
        kappa = self.cumulants(y)
        rows, columns = v.pairs
        pairs = [
            kappa[self.where[i, j]] for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
        return np.concatenate([y[: v.size], pairs])

    def of(self, terms: list[Family]) -> HigherOrder:
        """The equations of the same moments under another generator."""
        return HigherOrder(self.v, terms, self.order)

    def bounds(self) -> Bounds:
        """What means and covariances may be."""
        return Bounds(self.v, self.second)


class HigherReadout:
    """Values of operators: exact up to the order, closed above.

    Raises:
        TooMany, TooHigh: an operator has too many terms, or is of too high a degree.
    """

    def __init__(self, program: HigherOrder, ops: Mapping[str, Op]):
        self.program, known = program, len(program.monos)
        rows: list[tuple[int, int, complex]] = []
        for k, (name, op) in enumerate(ops.items()):
            try:
                for pieces in operator(op, program.v).values():
                    for family in families((), pieces, len(program.v.kinds)):
                        rows += [(k, program.place(m), c) for m, c in program.read(family)]
            except ValueError as error:
                raise type(error)(f"Observable {name!r} cannot be read: {error}.") from error
        self.closed = program._closed + program._splittings(program.monos[known:])
        self.matrix = _matrix(rows, (len(ops), len(program.monos)))

    def __call__(self, y: Array) -> NDArray[np.complex128]:
        """Values at every time, shape (K, T), from moments of shape (T, length)."""
        full = [self.program.full(row, self.closed) for row in y]
        return np.asarray(self.matrix @ np.array(full).T)


def _matrix(
    entries: list[tuple[int, int, complex]], shape: tuple[int, int]
) -> scipy.sparse.csr_matrix:
    rows, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
    return scipy.sparse.coo_matrix((np.array(values, complex), (rows, columns)), shape).tocsr()


def _monomials(v: Variables, order: int) -> list[Mono]:
    """Those up to a degree, as sorted numbers of basic operators.

    Two operators of one class of emitters act on different ones, as long as there are so many.
    """
    most = [int(n) if closed(k) else order for k, n in zip(v.kinds, v.number, strict=True)]

    def exists(mono: Mono) -> bool:
        owners = [int(v.owner[k]) for k in mono]
        return all(owners.count(i) <= most[i] for i in owners)

    every = range(v.size)
    return [
        m for d in range(1, order + 1) for m in combinations_with_replacement(every, d) if exists(m)
    ]


def _cumulant(letters: Mono, e: Array) -> float:
    """The joint cumulant of symmetrised components of sigma/2 of an emitter with Bloch vector e."""

    def moment(some: Mono) -> float:
        words = symmetric("spin", some)
        value = sum(c.real * (e[LETTERS["spin"].index(w)] if w else 1.0) for w, c in words)
        return float(value) / 2 ** len(some)

    parts = _splits(letters, len(letters))
    return moment(letters) - sum(
        _cumulant(block, e) * (moment(rest) if rest else 1.0) for block, rest in parts if rest
    )


def _splits(mono: Mono, order: int) -> Iterator[tuple[Mono, Mono]]:
    """A block of up to ``order`` with the first factor, and the rest: all ways, large ones last."""
    first, rest = mono[0], mono[1:]
    every = range(len(rest))
    for count in range(min(order, len(mono))):
        for some in combinations(every, count):
            block = (first, *(rest[k] for k in some))
            yield block, tuple(rest[k] for k in every if k not in some)


def _by_class(family: Family) -> dict[int, list[int]]:
    """The entries of a family on every class."""
    out: dict[int, list[int]] = {}
    for e in range(family.index.shape[1]):
        for i in set(family.index[:, e].tolist()):
            out.setdefault(i, []).append(e)
    return out


def _matchings(classes: list[int], sites: list[int]) -> Iterator[dict[int, int]]:
    """Ways in which at least one slot is a site of its class: {slot: site}."""
    ways: list[dict[int, int]] = [{}]
    for s, i in enumerate(classes):
        same = [k for k, j in enumerate(sites) if i == j]
        ways += [{**way, s: k} for way in ways for k in same if k not in way.values()]
    return iter(ways[1:])
