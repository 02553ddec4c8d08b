r"""Arrays of ensembles that act as one: the reduction to a single large ensemble.

Where the Hamiltonian and every jump of an array contain its members only through their sums, and
every emitter has the same local jumps and initial state, the master equation is invariant under
permutations of *all* :math:`N_t = \sum_m N_m` emitters. It is that of one ensemble of
:math:`N_t` emitters, and every pair of emitters shares one correlation
:math:`c = \langle\sigma^+_i\sigma^-_j\rangle`. With :math:`n_\uparrow = J_z + N_t/2`,

.. math::
    \langle J^+J^-\rangle = \langle n_\uparrow\rangle + N_t(N_t-1)\,c, \qquad
    \langle J^+_mJ^-_m\rangle = \tfrac{N_m}{N_t}\langle n_\uparrow\rangle + N_m(N_m-1)\,c, \qquad
    \langle J^+_mJ^-_{m'}\rangle = N_mN_{m'}\,c .
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..model.arrays import member_index
from ..model.coefficients import Coef
from ..model.couplings import Coupling
from ..model.factors import CoupleNode, SumNode
from ..model.local import LocalOp
from ..model.model import Jump, LocalJump, Model
from ..model.op import Op
from ..model.states import BlochState
from ..model.subsystems import Ensemble


class NotReducible(ValueError):
    """The emitters of the array are not all alike."""


class Reduction:
    """The one-ensemble model of an array, and the array's observables in terms of it.

    Args:
        model: a model of one array of ensembles.

    Attributes:
        model: the reduced model.
        total: its ensemble, of all emitters.
        numbers: emitters of every member.

    Raises:
        NotReducible: the emitters are not all alike; the message says why.
    """

    def __init__(self, model: Model):
        if len(model.subsystems) != 1 or not isinstance(model.subsystems[0], Ensemble):
            raise NotReducible("The reduction needs a model of exactly one array of ensembles.")
        self.array = model.subsystems[0]
        self.numbers = self.array.numbers
        states = model.initial[self.array]
        first = states[0]
        assert isinstance(first, BlochState)
        vectors = np.array([s.vector for s in states if isinstance(s, BlochState)])
        if np.abs(vectors - vectors[0]).max() > 1e-12:
            raise NotReducible("The members start in different states.")
        self.total = Ensemble(int(self.numbers.sum()), name=f"all {self.array.name}")
        jumps: list[Jump | LocalJump] = []
        for k, jump in enumerate(model.collective_jumps):
            if not isinstance(jump.op, Op):
                raise NotReducible(f"Collective jump {k} acts on the members one by one.")
            jumps.append(Jump(self._operator(jump.op, f"Collective jump {k}"), jump.rate))
        jumps += self._local(model)
        self.model = Model(self._operator(model.H, "H"), jumps, initial={self.total: first})

    def _local(self, model: Model) -> list[LocalJump]:
        """Local jumps that act on every member at one rate."""
        rates: dict[tuple[bytes, Any], Any] = {}
        ops: dict[bytes, Any] = {}
        for channel in model.local_channels():
            key = np.round(channel.op.c, 14).tobytes()
            ops[key] = channel.op.c
            if isinstance(channel.rate, Coef):
                entry = rates.setdefault((key, channel.rate), np.zeros(self.array.size))
                entry[channel.m] += 1.0
            else:
                rates.setdefault((key, None), np.zeros(self.array.size))[channel.m] += channel.rate
        out = []
        for (key, coefficient), entry in rates.items():
            if np.abs(entry - entry[0]).max() > 1e-12 * np.abs(entry).max():
                raise NotReducible("The members have different local jumps.")
            op = LocalOp(self.total, ops[key])
            rate = float(entry[0]) if coefficient is None else coefficient
            out += [LocalJump(op, rate)] * (1 if coefficient is None else round(entry[0]))
        return out

    def _operator(self, op: Op, what: str) -> Op:
        """An operator of sums over all members, on the one ensemble."""
        letters = {"x": self.total.Jx, "y": self.total.Jy, "z": self.total.Jz}
        out = Op()
        for (times, factors), c in op.terms.items():
            product = Op({((), ()): c})
            for coefficient in times:
                product = coefficient * product
            for f in factors:
                if isinstance(f, CoupleNode) and _vanishes(f.coupling, self.array.size):
                    product = Op()
                    break
                if not isinstance(f, SumNode) or np.any(f.weights != 1) or len(f.word) != 1:
                    raise NotReducible(f"{what} tells the members apart: {op!r}.")
                _, word = f.word[0]
                if word not in letters:
                    raise NotReducible(f"{what} holds products on one member: {op!r}.")
                product = product * letters[word]
            out = out + product
        return out

    # -- observables ----------------------------------------------------------------------------

    def _pair(self, ordered_pairs: float) -> Op:
        """``ordered_pairs`` times the correlation c of two emitters."""
        N, s = self.total.numbers.sum(), self.total
        if N == 1:
            return Op()
        return (s.Jp * s.Jm - s.Jz - N / 2) * (ordered_pairs / (N * (N - 1)))

    def _member(self, m: Any) -> int:
        return int(self.numbers[member_index("m", m, self.array.size, "the array")])

    def inversion(self, m: int) -> Op:
        """An operator on ``total`` with the mean of J^z_m."""
        return self.total.Jz * (self._member(m) / int(self.numbers.sum()))

    def emission(self, m: int) -> Op:
        """An operator on ``total`` with the mean of J^+_m J^-_m."""
        N, own = int(self.numbers.sum()), self._member(m)
        return self._pair(own * (own - 1)) + (self.total.Jz + N / 2) * (own / N)

    def correlation(self, m: int, n: int) -> Op:
        """An operator on ``total`` with the mean of J^+_m J^-_n."""
        one, two = self._member(m), self._member(n)
        same = m % self.array.size == n % self.array.size
        return self.emission(m) if same else self._pair(one * two)


def _vanishes(coupling: Coupling, size: int) -> bool:
    """Whether a coupling matrix is zero: its product with two random vectors is."""
    vectors = np.random.default_rng(1).normal(size=(size, 2))
    scale = np.abs(vectors).sum()
    return bool(np.abs(coupling.apply(vectors)).max() <= 1e-13 * scale)


def reduce(model: Model) -> Reduction:
    """The reduction of an array of ensembles to one; see :class:`Reduction`."""
    if not isinstance(model, Model):
        _check.fail("model", "be a wf.Model", model, kind=TypeError)
    return Reduction(model)
