"""Spins gathered into clusters: a model of spins 1/2 written as one of emitters of 2^k levels.

A cluster of k spins is one emitter with the levels "uu", "ud", "du", "dd" (k = 2, the first spin
first). Operators inside a cluster are matrices of it, those across clusters products of such.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from .. import _check
from ..model.coefficients import Coef
from ..model.level_states import LevelState
from ..model.levels import Levels
from ..model.model import Jump, Model
from ..model.normal import Site
from ..model.op import Op
from ..model.operators import ArrayOp, couple
from ..model.pulses import Pulse
from ..model.reading_values import nearest
from ..model.states import BlochState
from ..model.subsystems import Member, Mode, Spin, Subsystem
from ..model.words import letter
from . import ensemble
from .product_state import emitters

Matrix = NDArray[np.complex128]
Place = tuple[Subsystem, int]

PAULI = dict(zip("xyz", ensemble.PAULI, strict=True))


def embedded(A: Matrix, i: int, k: int) -> Matrix:
    """A matrix of spin i among k."""
    return np.asarray(np.kron(np.kron(np.eye(2**i), A), np.eye(2 ** (k - i - 1))), complex)


# ---------------------------------------------------------------- which spins go together


def spins_of(model: Model) -> list[Place]:
    """Every spin of a model."""
    return [(s, m) for s in model.subsystems if isinstance(s, Spin) for m in range(s.size)]


def strengths(model: Model, places: list[Place]) -> dict[tuple[int, int], float]:
    """How strongly pairs of spins are coupled: by H, and by jumps that both share."""
    at = {place: n for n, place in enumerate(places)}
    out: dict[tuple[int, int], float] = {}

    def add(found: Iterable[int], amount: float) -> None:
        spins = sorted(set(found))
        for a, i in enumerate(spins):
            for j in spins[a + 1 :]:
                out[i, j] = out.get((i, j), 0.0) + amount

    for c, _, factors in model.H.expand():
        add((at[s, m] for s, m, _ in factors if (s, m) in at), abs(c))
    for op, rate in model.channels():
        r = 1.0 if isinstance(rate, Coef) else float(rate)
        shares: dict[int, float] = {}
        for c, _, factors in op.expand():
            for s, m, _ in factors:
                if (s, m) in at:
                    shares[at[s, m]] = shares.get(at[s, m], 0.0) + abs(c)
        for i in sorted(shares):
            for j in sorted(shares):
                if i < j:
                    out[i, j] = out.get((i, j), 0.0) + r * shares[i] * shares[j]
    return out


def turning(model: Model, partition: list[list[int]]) -> list[float]:
    """About how fast H, and jumps that it shares, turn each cluster of a partition."""
    at = {place: n for n, place in enumerate(spins_of(model))}
    cluster = {n: k for k, members in enumerate(partition) for n in members}
    quanta = sum(float(s.size) for s in model.subsystems)
    out = [0.0] * len(partition)

    def parts(factors: Any) -> tuple[set[int], float]:
        """Clusters that a product touches, -1 for all else, and its size without theirs."""
        found, size = set(), 1.0
        for s, m, _ in factors:
            if (s, m) in at:
                found.add(cluster[at[s, m]])
            else:
                found.add(-1)
                own = s.numbers if isinstance(s, Levels) else emitters(s)
                size *= np.sqrt(quanta) + 1 if isinstance(s, Mode) else float(own.max())
        return found, size

    for c, _, factors in model.H.expand():
        found, size = parts(factors)
        for k in found - {-1}:
            out[k] += 2 * abs(c) * size
    for op, rate in model.channels():
        shares: dict[int, float] = {}
        for c, _, factors in op.expand():
            found, size = parts(factors)
            for k in found:
                shares[k] = shares.get(k, 0.0) + abs(c) * size
        for k in shares.keys() - {-1}:
            others = sum(share for j, share in shares.items() if j != k)
            out[k] += (1.0 if isinstance(rate, Coef) else float(rate)) * shares[k] * others
    return out


def automatic(model: Model, size: int) -> list[list[int]]:
    """Clusters grown along the strongest couplings, ties by neighbourhood and then by number."""
    places = spins_of(model)
    bonds = strengths(model, places) if size > 1 else {}
    # equal but for rounding counts as equal
    ranked = sorted(bonds, key=lambda p: (-float(f"{bonds[p]:.9e}"), p[1] - p[0], p))
    free, out = set(range(len(places))), []

    def bond(i: int, j: int) -> float:
        return bonds.get((min(i, j), max(i, j)), 0.0)

    for i, j in ranked:
        if i not in free or j not in free:
            continue
        cluster = [i, j]
        free -= {i, j}
        while len(cluster) < size:
            best = None
            for k in sorted(free):
                strength = float(f"{sum(bond(k, c) for c in cluster):.9e}")
                near = min(abs(k - c) for c in cluster)
                if strength > 0 and (best is None or (-strength, near, k) < best):
                    best = (-strength, near, k)
            if best is None:
                break
            cluster.append(best[2])
            free.discard(best[2])
        out.append(sorted(cluster))
    return sorted([*out, *([k] for k in free)])


def listed(partition: Any, most: int) -> list[list[Any]]:
    """A partition given by the user, as lists of members, spins, names and numbers.

    Raises:
        ValueError, TypeError: it is no list of lists of 1 to ``most`` of them.
    """
    if isinstance(partition, (str, bytes)) or not isinstance(partition, Iterable):
        _check.fail("partition", "be a list of lists of spins", partition, kind=TypeError)
    out = []
    for k, cluster in enumerate(partition):
        where = f"partition[{k}]"
        if isinstance(cluster, (str, bytes)) or not isinstance(cluster, Iterable):
            _check.fail(where, "be a list of spins", cluster, kind=TypeError)
        own = list(cluster)
        for spin in own:
            number = isinstance(spin, (int, np.integer)) and not isinstance(spin, bool)
            single = isinstance(spin, Spin) and spin.count is None
            if not (number or single or isinstance(spin, (Member, str))):
                must = "hold members such as chain[3], or their numbers"
                _check.fail(where, must, spin, kind=TypeError)
        if not 1 <= len(own) <= most:
            _check.fail(where, f"hold 1 to {most} spins", _check.Note(str(len(own))))
        out.append(own)
    return out


def chosen(model: Model, partition: list[list[Any]]) -> list[list[int]]:
    """A partition that was ``listed``, as numbers of the spins of a model.

    Raises:
        ValueError, TypeError: it misses or repeats a spin, or names one that the model has not.
    """
    places, labels = spins_of(model), labels_of(model)
    arrays = [s for s in model.subsystems if isinstance(s, Spin) and s.count is not None]

    def number(where: str, spin: Any) -> int:
        if isinstance(spin, str):
            if spin not in labels:
                _check.fail(where, "hold spins of the model", spin, nearest(spin, labels))
            return labels.index(spin)
        if isinstance(spin, Member):
            place = (spin.sub, spin.m)
        elif isinstance(spin, Spin):
            place = (spin, 0)
        elif len(arrays) == 1:
            place = (arrays[0], int(spin))
        else:
            must = "hold members such as chain[3], since the model has not one array of spins"
            _check.fail(where, must, spin, kind=TypeError)
        if place not in places:
            _check.fail(where, "hold spins of the model", spin)
        return places.index(place)

    seen: dict[int, int] = {}
    out = []
    for k, cluster in enumerate(partition):
        own = [number(f"partition[{k}]", spin) for spin in cluster]
        for n in own:
            if n in seen or own.count(n) > 1:
                was = _check.Note(f"{labels[n]} in clusters {seen.get(n, k)} and {k}")
                _check.fail("partition", "name every spin once", was)
        seen |= dict.fromkeys(own, k)
        out.append(own)
    missing = [n for n in range(len(places)) if n not in seen]
    if missing:
        was = _check.Note(f"one without {labels[missing[0]]}")
        _check.fail("partition", "name every spin of the model", was)
    return sorted(out)


def labels_of(model: Model) -> list[str]:
    """The names of all spins, as in ``spins_of``."""
    names = model.names
    return [names[s] if s.count is None else f"{names[s]}[{m}]" for s, m in spins_of(model)]


# ---------------------------------------------------------------- the model of clusters


class Clustering:
    """The model of clusters, and its operators.

    Args:
        model: a model with spins; other subsystems stay as they are.
        partition: numbers of spins (as in ``spins_of``) by cluster.
    """

    def __init__(self, model: Model, partition: list[list[int]]):
        self.model, self.partition = model, partition
        places = spins_of(model)
        sizes = sorted({len(c) for c in partition}, reverse=True)
        self.groups: dict[int, Levels] = {}
        #: The spins of every cluster of a size, in the order of the members of its group.
        self.members: dict[int, list[list[Place]]] = {}
        #: Of a spin: size of its cluster, number of the cluster in its group, place in it.
        self.where: dict[Place, tuple[int, int, int]] = {}
        for k in sizes:
            own = [c for c in partition if len(c) == k]
            labels = ["".join("ud"[(n >> (k - 1 - i)) & 1] for i in range(k)) for n in range(2**k)]
            self.groups[k] = Levels(1, labels, f"clusters of {k}", count=len(own))
            self.members[k] = [[places[n] for n in c] for c in own]
            for j, c in enumerate(own):
                for i, n in enumerate(c):
                    self.where[places[n]] = (k, j, i)

    def state(self, place: Place) -> BlochState:
        """The initial state of a spin."""
        state = self.model.initial[place[0]][place[1]]
        assert isinstance(state, BlochState)
        return state

    def clustered(self) -> Model:
        """The model of clusters."""
        initial: dict[Subsystem, Any] = {}
        for k, group in self.groups.items():
            made = []
            for cluster in self.members[k]:
                rho = np.eye(1, dtype=complex)
                for place in cluster:
                    r = self.state(place).vector
                    one = np.eye(2) + sum(c * PAULI[x] for c, x in zip(r, "xyz", strict=True))
                    rho = np.kron(rho, one / 2)
                made.append(LevelState("density", tuple(tuple(row) for row in rho.tolist())))
            initial[group] = made
        for sub, states in self.model.initial.items():
            if not isinstance(sub, Spin):
                initial[sub] = list(states) if sub.count is not None else states[0]
        jumps: list[Any] = [j for jump in self.model.collective_jumps for j in self._jump(jump)]
        jumps += self.model.local_jumps
        turned = [Pulse(p.time, self.op(p.op), p.angle) for p in self.model.pulses]
        return Model(self.op(self.model.H), jumps, initial=initial, pulses=turned)

    def _jump(self, jump: Jump) -> list[Jump]:
        op = jump.op
        if isinstance(op, Op):
            return [Jump(self._alone(op), jump.rate)]
        if jump.matrix is None:
            return self._each(op, jump.rate)
        values, vectors = np.linalg.eigh(jump.matrix)
        keep = values > 1e-12 * np.abs(values).max()
        sums = [(v.conj() * op).sum() for v in vectors.T[keep]]
        return [Jump(self._alone(L), float(g)) for g, L in zip(values[keep], sums, strict=True)]

    def _alone(self, op: Op) -> Op:
        """A jump's operator; of one cluster alone as an operator of that member."""
        found = self._inside(op)
        if found is None:
            return self.op(op)
        k, j, A = found
        out = self.groups[k][j].matrix(A)
        assert isinstance(out, Op)
        return out

    def _each(self, op: ArrayOp, rate: Any) -> list[Jump]:
        """Independent jumps: those alike of one place in the clusters of a group at once."""
        rates = np.broadcast_to(1.0 if isinstance(rate, Coef) else rate, op.size)
        alike: dict[tuple[int, bytes], tuple[Matrix, NDArray[np.float64]]] = {}
        out = []
        for m in range(op.size):
            if rates[m] == 0:
                continue
            own = op[m]
            found = self._inside(own)
            if found is None:
                out.append(Jump(self.op(own), rate if isinstance(rate, Coef) else float(rates[m])))
                continue
            k, j, A = found
            key = (k, A.tobytes())
            alike.setdefault(key, (A, np.zeros(len(self.members[k]))))[1][j] = rates[m]
        for (k, _), (A, own_rates) in alike.items():
            if not isinstance(rate, Coef):
                out.append(Jump(self.groups[k].matrix(A), own_rates))
            elif np.all(own_rates == 1):
                out.append(Jump(self.groups[k].matrix(A), rate))
            else:
                at = np.flatnonzero(own_rates)
                out += [Jump(self.groups[k][int(j)].matrix(A), rate) for j in at]
        return out

    def _inside(self, op: Op) -> tuple[int, int, Matrix] | None:
        """Size and number of the one cluster that an operator acts on, and its matrix."""
        found: tuple[int, int] | None = None
        total: Matrix | None = None
        constant = 0j
        for c, times, factors in op.expand():
            if times:
                return None
            if not factors:
                constant += c
                continue
            parts, rest = self._matrices(factors)
            if rest or len(parts) != 1:
                return None
            ((place, A),) = parts.items()
            if found not in (None, place):
                return None
            found = place
            total = c * A if total is None else total + c * A
        if found is None or total is None:
            return None
        return (*found, total + constant * np.eye(len(total)))

    def _matrices(self, factors: Any) -> tuple[dict[tuple[int, int], Matrix], list[Site]]:
        """A product as matrices of clusters, and the factors that are of no spin."""
        parts: dict[tuple[int, int], Matrix] = {}
        rest = []
        for sub, m, word in factors:
            if not isinstance(sub, Spin):
                rest.append(Site(sub, m, word))
                continue
            k, j, i = self.where[sub, m]
            A = parts.get((k, j), np.eye(2**k, dtype=complex))
            for x in word:
                A = A @ embedded(PAULI[x], i, k)
            parts[k, j] = A
        return parts, rest

    def op(self, op: Op) -> Op:
        """An operator of the model as one of the clusters."""
        single: dict[tuple[Any, int], dict[int, Matrix]] = {}
        double: dict[Any, list[tuple[int, int, complex]]] = {}
        out = Op()
        for c, times, factors in op.expand():
            parts, rest = self._matrices(factors)
            if not rest and len(parts) == 1:
                (((k, j), A),) = parts.items()
                own = single.setdefault((times, k), {})
                own[j] = own[j] + c * A if j in own else c * A
            elif not rest and len(parts) == 2 and len({k for k, _ in parts}) == 1:
                ((k, i), A), ((_, j), B) = parts.items()
                for a, b in zip(*np.nonzero(A), strict=True):
                    for p, q in zip(*np.nonzero(B), strict=True):
                        key = (times, k, letter(int(a), int(b)), letter(int(p), int(q)))
                        double.setdefault(key, []).append((i, j, c * A[a, b] * B[p, q]))
            else:
                term = Op({(times, tuple(sorted(rest))): c})
                for (k, j), A in parts.items():
                    term = term * self.groups[k][j].matrix(A)
                out = out + term
        for (times, k), matrices in single.items():
            out = out + self._sum(self.groups[k], matrices) * Op({(times, ()): 1.0})
        for (times, k, one, two), entries in double.items():
            group, row, col = self.groups[k], *np.array([e[:2] for e in entries]).T
            values = np.array([e[2] for e in entries])
            matrix = scipy.sparse.coo_matrix((values, (row, col)), shape=(group.size,) * 2).tocsr()
            left, right = (
                ArrayOp({((group, x),): np.ones(group.size, complex)}) for x in (one, two)
            )
            out = out + couple(left, matrix, right) * Op({(times, ()): 1.0})
        return out

    @staticmethod
    def _sum(group: Levels, matrices: dict[int, Matrix]) -> Op:
        """The sum over members of one matrix of each."""
        terms: dict[Any, NDArray[np.complex128]] = {}
        for j, A in matrices.items():
            for a, b in zip(*np.nonzero(np.abs(A) > 1e-15 * np.abs(A).max()), strict=True):
                word = ((group, letter(int(a), int(b))),)
                terms.setdefault(word, np.zeros(group.size, complex))[j] += A[a, b]
        return ArrayOp(terms, group.size).sum()
