"""Finds the permutations of members of arrays under which a model stays as it is.

Tried are the mirror m -> M-1-m, the translation m -> m+1 of a ring, and exchanges of members.
Whether H is invariant is seen from its value with random numbers in place of operators; of the
jumps the Gram form sum_k r_k L_k(z) L_k(y)^* is compared, which knows neither their phases nor how
they are mixed among each other.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .coefficients import Coef
from .factors import CoupleNode, MemberWord, Site, SumNode
from .jumps import Jump, LocalJump, member_rates
from .model import Model
from .operators import Op
from .subsystems import Subsystem
from .symmetry import Permutation, Symmetry, mirror

SAME = 1e-11  # relative difference of equal values
FEW = 32  # members of an array in which equal ones are looked for pair by pair
MOST = 2**24  # numbers that comparing may take


def symmetries(model: Model) -> list[Symmetry]:
    """Those of arrays of the same size together, or else of each array by itself."""
    if model.links:
        return []
    arrays: dict[int, list[Subsystem]] = {}
    for sub in model.subsystems:
        if sub.count is not None and sub.size > 1:
            arrays.setdefault(sub.size, []).append(sub)
    out = []
    for own in arrays.values():
        found = _find(model, frozenset(own))
        if found is not None:
            out.append(found)
        elif len(own) > 1:
            out += [s for sub in own if (s := _find(model, frozenset([sub]))) is not None]
    return out


def _find(model: Model, arrays: frozenset[Subsystem]) -> Symmetry | None:
    look = _Look(model, arrays)
    M, members = look.size, np.arange(look.size)
    if look.work > MOST:
        return None
    swap = members.copy()
    swap[[0, 1]] = 1, 0
    mirrored = look.stays(mirror(M))
    if look.stays(np.roll(members, -1)):
        kind = "permutation" if look.stays(swap) else "translation"
        return Symmetry(arrays, kind, np.zeros(M, np.int64), mirrored)
    if mirrored:
        return Symmetry(arrays, "mirror", np.minimum(members, M - 1 - members), True)
    if M > FEW:
        return None
    orbits = np.full(M, -1)
    first: list[int] = []
    for m in range(M):
        for k, other in enumerate(first):
            exchanged = members.copy()
            exchanged[[m, other]] = other, m
            if look.stays(exchanged):
                orbits[m] = k
                break
        else:
            orbits[m] = len(first)
            first.append(m)
    return None if len(first) == M else Symmetry(arrays, "exchange", orbits, False)


class _Look:
    """Values of a model with random numbers in place of the operators of its members."""

    def __init__(self, model: Model, arrays: frozenset[Subsystem]):
        self.model, self.arrays = model, arrays
        self.size = next(iter(arrays)).size
        self.rng = np.random.default_rng(20)
        self.letters: tuple[dict[Any, Any], ...] = ({}, {}, {})
        jumps = sum(len(j.op.terms) if isinstance(j.op, Op) else 1 for j in model.jumps)
        dense = any(isinstance(j, Jump) and j.matrix is not None for j in model.jumps)
        self.unitary = [model.H, *(p.generator for p in model.pulses)]
        terms = sum(len(op.terms) for op in self.unitary) + jumps
        self.work = self.size * max(terms, self.size if dense else 1)
        self.before = self._values(None)

    def stays(self, g: Permutation) -> bool:
        """Whether the model is the same with member m called g(m)."""
        if not (self._same_states(g) and self._same_local(g)):
            return False
        after = self._values(g)
        return all(
            abs(a - b) <= SAME * scale
            for (a, scale), (b, _) in zip(self.before, after, strict=True)
        ) and self._same_order(g)

    # -- values ------------------------------------------------------------------------------------

    def _number(self, which: int, key: Any, shape: int) -> NDArray[np.complex128]:
        known = self.letters[which]
        if key not in known:
            known[key] = self.rng.standard_normal(shape) + 1j * self.rng.standard_normal(shape)
        out: NDArray[np.complex128] = known[key]
        return out

    def _letter(self, which: int, sub: Subsystem, word: str, g: Any) -> NDArray[np.complex128]:
        out = self._number(which, (sub, word), sub.size)
        return out if g is None or sub not in self.arrays else out[g]

    def _word(self, which: int, word: MemberWord, g: Any) -> NDArray[np.complex128]:
        out: Any = 1.0
        for sub, letters in word:
            out = out * self._letter(which, sub, letters, g)
        return np.asarray(out)

    def _factor(self, which: int, f: Any, g: Any) -> complex:
        if isinstance(f, Site):
            return complex(self._letter(which, f.sub, f.word, g)[f.m])
        if isinstance(f, SumNode):
            return complex(f.weights @ self._word(which, f.word, g))
        left, right = self._word(which, f.left, g), self._word(which, f.right, g)
        left, right = (x if w is None else w * x for x, w in ((left, f.u), (right, f.v)))
        return complex(left @ f.coupling.apply(right))

    def _coef(self, coef: Coef) -> complex:
        return complex(self._number(2, coef, 1)[0])

    def _op(self, which: int, op: Op, g: Any) -> tuple[complex, float]:
        """Its value, and the sum of the sizes of its terms."""
        total, size = 0j, 0.0
        for (times, factors), c in op.terms.items():
            value = complex(c)
            for coef in times:
                value *= self._coef(coef)
            for f in factors:
                value *= self._factor(which, f, g)
            total, size = total + value, size + abs(value)
        return total, size

    def _values(self, g: Any) -> list[tuple[complex, float]]:
        """Of H and pulses, and of the Gram form of the jumps that are not local."""
        total, size = 0j, 0.0
        for jump in self.model.collective_jumps:
            value, own = self._gram(jump, g)
            total, size = total + value, size + own
        return [*(self._op(0, op, g) for op in self.unitary), (total, size)]

    def _gram(self, jump: Jump, g: Any) -> tuple[complex, float]:
        rate: Any = jump.rate
        if isinstance(rate, Coef):
            rate = self._coef(rate)
        if isinstance(jump.op, Op):
            (a, s), (b, t) = (self._op(k, jump.op, g) for k in (0, 1))
            return rate * a * b.conjugate(), abs(rate) * s * t
        z, y = (
            sum((w * self._word(k, word, g) for word, w in jump.op.terms.items()), 0j)
            for k in (0, 1)
        )
        z, y = (np.broadcast_to(x, (jump.op.size,)) for x in (z, y))
        if jump.matrix is not None:
            return complex(y.conj() @ jump.matrix @ z), float(
                np.abs(y) @ np.abs(jump.matrix) @ np.abs(z)
            )
        each = rate * z * y.conj()
        return complex(each.sum()), float(np.abs(each).sum())

    # -- what is no number -------------------------------------------------------------------------

    def _same_states(self, g: Permutation) -> bool:
        """Initial states and parameters such as the number of emitters."""
        for sub in self.arrays:
            forms = [state.to_dict() for state in self.model.initial[sub]]
            values: list[Any] = [forms]
            values += [v for v in sub.parameters().values() if isinstance(v, list)]
            if any(len(v) == self.size and v != [v[m] for m in g.tolist()] for v in values):
                return False
        return True

    def _same_local(self, g: Permutation) -> bool:
        """What every emitter does: sum_k r_k l_k l_k^* of every member."""
        sums: dict[Any, Any] = {}
        for jump in self.model.local_jumps:
            if jump.op.sub in self.arrays:
                self._add_local(jump, sums)
        return all(np.abs(x - x[g]).max() <= SAME * np.abs(x).max() for x in sums.values())

    def _add_local(self, jump: LocalJump, sums: dict[Any, Any]) -> None:
        l = jump.op.matrix().ravel()
        form = np.outer(l, l.conj())
        rates = np.zeros(self.size, complex)
        where = slice(None) if jump.op.member is None else jump.op.member
        if isinstance(jump.rate, Coef):
            rates[where] = self._coef(jump.rate)
        else:
            rates[where] = np.array(member_rates(jump.rate, self.size))[where]
        own = rates[:, None, None] * form
        sums[jump.op.sub] = sums.get(jump.op.sub, 0) + own

    def _same_order(self, g: Permutation) -> bool:
        """Whether words on one and the same member stand in an order that is the same, too.

        Numbers commute. So, of one array at a time, matrices stand for the words on one member,
        and all others are one.
        """
        for sub, op in itertools.product(self.arrays, self.unitary):
            values = np.zeros((self.size, 3, 3), complex)
            size = 0.0
            for (times, factors), c in op.terms.items():
                part = self._at_members(sub, factors)
                if part is not None:
                    weight = complex(c) * np.prod([self._coef(t) for t in times])
                    values += weight * part
                    size = max(size, float(np.abs(weight * part).max()))
            if np.abs(values - values[g]).max() > 1e-9 * size:
                return False
        return True

    def _at_members(self, sub: Subsystem, factors: Any) -> NDArray[np.complex128] | None:
        """A product where all of it is on member m, for every m; None: it has less than two."""
        if sum(sub in f.subs for f in factors) < 2:
            return None
        out = np.broadcast_to(np.eye(3, dtype=complex), (self.size, 3, 3))
        for f in factors:
            if isinstance(f, CoupleNode):
                return None
            word = ((f.sub, f.word),) if isinstance(f, Site) else f.word
            weights = np.zeros(self.size)
            if isinstance(f, Site):
                if f.sub.count is None:
                    continue
                weights[f.m] = 1.0
            else:
                weights = f.weights
            letter = np.eye(3, dtype=complex)
            for own, letters in word:
                if own == sub:
                    letter = self._number(2, ("matrix", own, letters), 9).reshape(3, 3)
            out = weights[:, None, None] * (out @ letter)
        return out
