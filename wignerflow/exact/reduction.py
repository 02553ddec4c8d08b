r"""Arrays of emitters that are all alike are one ensemble.

Where the Hamiltonian and every jump contain the members of an array only through their sums, and
every emitter has the same local jumps and initial state, the master equation is invariant under
permutations of *all* :math:`N = \sum_m N_m` emitters, of ensembles or spins. It is that of one
ensemble of :math:`N` emitters. Any polynomial in the sums is the same polynomial of its J. What
tells members apart has a mean too, up to second order: every emitter and every ordered pair of
them is like any other. With the part :math:`D^{ab} = \delta_{ab}N/4 + \tfrac i2\epsilon_{abc}J^c`
of :math:`J^aJ^b` in which both act on one emitter,

.. math::
    \langle J^a_m\rangle = \tfrac{N_m}{N}\langle J^a\rangle, \qquad
    \langle J^a_m J^b_n\rangle = \frac{N_m(N_n - \delta_{mn})}{N(N-1)}\langle J^aJ^b - D^{ab}\rangle
        + \delta_{mn}\frac{N_m}{N}\langle D^{ab}\rangle .
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.couplings import Coupling
from ..model.jumps import member_rates
from ..model.model import Jump, LocalJump, Model
from ..model.normal import CoupleNode, Factor, Site, SumNode
from ..model.op import Op
from ..model.operators import ArrayOp
from ..model.pulses import Pulse
from ..model.states import BlochState
from ..model.subsystems import Ensemble, LocalOp, Spin, Subsystem

AXES = "xyz"
CLOSE = 1e-12


class NotReducible(ValueError):
    """The emitters of the array are not all alike, or an observable has no mean by it."""


class Reduction:
    """One array of a model as one ensemble.

    Args:
        model: the model.
        array: one of its arrays of ensembles or spins.

    Attributes:
        model: the reduced model; other subsystems stay as they are.
        total: the ensemble of all emitters.

    Raises:
        NotReducible: the emitters are not all alike; the message says why.
    """

    def __init__(self, model: Model, array: Subsystem):
        if not isinstance(array, (Ensemble, Spin)) or array.size < 2:
            raise NotReducible("Only arrays of ensembles or of spins reduce to one ensemble.")
        self.array = array
        self.numbers = array.numbers if isinstance(array, Ensemble) else np.ones(array.size, int)
        #: A letter of a member is this times J of all.
        self.scale = 1.0 if isinstance(array, Ensemble) else 2.0
        states = model.initial[array]
        vectors = [s.vector if isinstance(s, BlochState) else [np.nan] * 3 for s in states]
        if not np.abs(np.array(vectors) - vectors[0]).max() <= CLOSE:
            raise NotReducible("The members start in different states.")
        self.total = Ensemble(int(self.numbers.sum()), name=f"all {model.names[array]}")
        jumps: list[Jump | LocalJump] = []
        for k, jump in enumerate(model.collective_jumps):
            jumps += self._jump(jump, f"Collective jump {k}")
        jumps += [jump for jump in model.local_jumps if jump.op.sub is not array]
        jumps += self._local(model)
        initial: dict[Any, Any] = {
            sub: given[0] if sub.count is None else list(given)
            for sub, given in model.initial.items()
        }
        initial = {self.total if s is array else s: v for s, v in initial.items()}
        initial[self.total] = states[0]
        pulses = [
            Pulse(p.time, self._operator(p.op, f"Pulse {k}"), p.angle)
            for k, p in enumerate(model.pulses)
        ]
        H = self._operator(model.H, "H")
        self.model = Model(H, jumps, initial=initial, pulses=pulses)

    # -- the model ------------------------------------------------------------------------------

    def _jump(self, jump: Jump, what: str) -> list[Jump | LocalJump]:
        """A jump on the one ensemble."""
        if isinstance(jump.op, Op):
            return [Jump(self._operator(jump.op, what), jump.rate)]
        if self.array not in jump.op.subsystems:
            return [jump]
        alone = NotReducible(f"{what} acts on the members one by one.")
        letters = self._weights(jump.op)
        if letters is None:
            raise alone
        own: float | Coef
        if jump.matrix is None:
            rates = member_rates(jump.rate, self.array.size)
            own, shared = rates[0], 0.0
            if any(r != own for r in rates):
                raise alone
        else:
            first, second = float(jump.matrix[0, 0].real), float(jump.matrix[0, 1].real)
            same = np.full(jump.matrix.shape, second) + (first - second) * np.eye(self.array.size)
            if np.abs(jump.matrix - same).max() > CLOSE * np.abs(same).max():
                raise alone
            own, shared = max(first - second, 0.0), second
        out: list[Jump | LocalJump] = []
        if own != 0.0:
            if not isinstance(self.array, Spin):
                raise alone
            out.append(LocalJump(LocalOp(self.total, [0, *letters.values()]), own))
        if shared != 0.0:
            op = sum((self._J(a) * c for a, c in letters.items()), Op())
            out.append(Jump(op, shared))
        return out

    def _weights(self, op: ArrayOp) -> dict[str, complex] | None:
        """The coefficients of x, y, z of an operator that is linear and the same on all members."""
        out = dict.fromkeys(AXES, 0j)
        for word, weights in op.terms.items():
            if len(word) != 1 or word[0][1] not in AXES or np.ptp(np.abs(weights - weights[0])):
                return None
            out[word[0][1]] = complex(weights[0])
        return out

    def _local(self, model: Model) -> list[LocalJump]:
        """Local jumps that act on every member at one rate."""
        rates: dict[tuple[bytes, Any], Any] = {}
        ops: dict[bytes, Any] = {}
        for channel in model.local_channels():
            if channel.sub is not self.array:
                continue
            key = np.round(channel.op.c, 14).tobytes()
            ops[key] = channel.op.c
            if isinstance(channel.rate, Coef):
                entry = rates.setdefault((key, channel.rate), np.zeros(self.array.size))
                entry[channel.m] += 1.0
            else:
                rates.setdefault((key, None), np.zeros(self.array.size))[channel.m] += channel.rate
        out = []
        for (key, coefficient), entry in rates.items():
            if np.abs(entry - entry[0]).max() > CLOSE * np.abs(entry).max():
                raise NotReducible("The members have different local jumps.")
            op = LocalOp(self.total, ops[key])
            rate = float(entry[0]) if coefficient is None else coefficient
            out += [LocalJump(op, rate)] * (1 if coefficient is None else round(entry[0]))
        return out

    def _operator(self, op: Op, what: str) -> Op:
        """An operator of sums over all members, on the one ensemble."""
        out = Op()
        for (times, factors), c in op.terms.items():
            product = Op({((), ()): c})
            for coefficient in times:
                product = coefficient * product
            for factor in factors:
                product = product * self._summed(factor, what)
            out = out + product
        return out

    def _summed(self, factor: Factor, what: str) -> Op:
        """A factor that holds no member but in a sum over all."""
        if self.array not in factor.subs:
            return Op({((), (factor,)): 1.0})
        if isinstance(factor, CoupleNode) and _vanishes(factor.coupling, self.array.size):
            return Op()
        if not isinstance(factor, SumNode) or np.any(factor.weights != factor.weights[0]):
            raise NotReducible(f"{what} tells the members apart.")
        if len(factor.word) != 1 or factor.word[0][1] not in AXES:
            raise NotReducible(f"{what} holds products on one member.")
        return self._J(factor.word[0][1]) * float(factor.weights[0])

    def _J(self, letter: str) -> Op:
        """What a letter of the array, summed over its members, is."""
        return self.scale * {"x": self.total.Jx, "y": self.total.Jy, "z": self.total.Jz}[letter]

    # -- observables ----------------------------------------------------------------------------

    def observable(self, op: Op) -> Op:
        """An operator of the reduced model with the mean of ``op`` at all times.

        Raises:
            NotReducible: it tells members apart in more than second order.
        """
        out = Op()
        for (times, factors), c in op.terms.items():
            term = Op({(times, ()): c})
            try:
                for factor in factors:
                    term = term * self._summed(factor, "An observable")
            except NotReducible:
                other = tuple(f for f in factors if self.array not in f.subs)
                own = [f for f in factors if self.array in f.subs]
                term = Op({(times, other): c}) * self._apart(own)
            out = out + term
        return out

    def _apart(self, factors: list[Factor]) -> Op:
        """Factors of at most two letters that tell members apart."""
        if any(f.subs != {self.array} for f in factors):
            raise NotReducible("An observable pairs the members with those of another array.")
        letters = "".join(word for f in factors for word in _words(f))
        if len(letters) > 2 or not set(letters) <= set(AXES):
            raise NotReducible("An observable tells the members apart in more than second order.")
        N, n = int(self.numbers.sum()), self.numbers.astype(float)
        if len(letters) == 1:
            return self._J(letters) * float(self._member_weights(factors[0]) @ n / N)
        if isinstance(factors[0], CoupleNode):
            node = factors[0]
            u, v = (np.ones(len(n)) if w is None else w for w in (node.u, node.v))
            pairs, same = float((u * n) @ node.coupling.apply((v * n)[:, None]).real[:, 0]), 0.0
        elif len(factors) == 1:
            w = self._member_weights(factors[0])
            pairs, same = float(w @ (n * (n - 1))), float(w @ n)
        else:
            left, right = (self._member_weights(f) for f in factors)
            same = float((left * right) @ n)
            pairs = float((left @ n) * (right @ n)) - same
        both = self._both(letters)
        whole = self._J(letters[0]) * self._J(letters[1])
        return (whole - both) * (pairs / (N * (N - 1))) + both * (same / N)

    def _both(self, letters: str) -> Op:
        """D^ab of the module's text, in the letters of the array."""
        a, b = (AXES.index(letter) for letter in letters)
        if a == b:
            return Op.scalar(self.scale**2 * float(self.numbers.sum()) / 4)
        sign = 1 if (b - a) % 3 == 1 else -1
        return self._J(AXES[3 - a - b]) * (self.scale * sign * 0.5j)

    def _member_weights(self, factor: Factor) -> NDArray[np.float64]:
        if isinstance(factor, SumNode):
            return factor.weights
        assert isinstance(factor, Site)
        return np.eye(self.array.size)[factor.m]


def _words(factor: Factor) -> list[str]:
    """The words of a factor of one subsystem, in the order of the product."""
    if isinstance(factor, Site):
        return [factor.word]
    sides = (factor.word,) if isinstance(factor, SumNode) else (factor.left, factor.right)
    return [word for side in sides for _, word in side]


def _vanishes(coupling: Coupling, size: int) -> bool:
    """Whether a coupling matrix is zero: its product with two random vectors is."""
    vectors = np.random.default_rng(1).normal(size=(size, 2))
    scale = np.abs(vectors).sum()
    return bool(np.abs(coupling.apply(vectors)).max() <= 1e-13 * scale)


def reduced(model: Model, ops: Mapping[str, Op]) -> tuple[Model, dict[str, Op], str]:
    """Model and observables with every array of emitters that are all alike as one ensemble.

    The third is a sentence about it, empty where nothing changed. An array stays as it is where an
    observable has no mean by it.
    """
    named, notes = dict(ops), []
    for array in model.subsystems:
        try:
            small = Reduction(model, array)
            named = {name: small.observable(op) for name, op in named.items()}
        except NotReducible:
            continue
        notes.append(f"the {small.total.N} emitters of {model.names[array]} are all alike; ")
        model = small.model
    return model, named, "".join(notes)
