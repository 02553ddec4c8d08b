r"""Whether moments belong to a state: lengths of Bloch vectors, photon numbers, covariances.

Checked are necessary conditions: :math:`|r| \le 1` for two-level emitters, no negative probability
in the matrix of an emitter with more levels, :math:`|r| \le S` for collective spins,
:math:`\langle a^\dagger a\rangle \ge 0`, and no negative variance of any combination of operators
that is symmetric, or, between the emitters of one ensemble, antisymmetric under their exchange.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..model.subsystems import CollectiveSpin
from . import level_sites
from .algebra import closed, count, squares
from .clusters import Index
from .variables import Array, Variables

#: By how much a bound may be missed, in units of the bound or of one site's variance.
TOLERANCE = 1e-2
#: Error of the integrator, in units of the sum of all variances: those of many emitters are large.
ROUNDING = 1e-6
#: Moments of two-level emitters beyond which a trajectory counts as diverged.
DIVERGED = 100.0


class Bounds:
    """The bounds of a model's moments.

    ``second`` packs means and covariances of moments that hold more, means first.
    """

    def __init__(self, variables: Variables, second: Callable[[Array], Array] = lambda y: y):
        v = self.v = variables
        self.second = second
        kinds = np.array(v.kinds)
        self.spins = np.flatnonzero(kinds == "spin")
        self.levels = np.flatnonzero([level_sites.levels(k) > 0 for k in v.kinds])
        self.emitters = np.flatnonzero([closed(k) for k in v.kinds])
        self.modes = np.flatnonzero(kinds == "mode")
        self.collective = np.flatnonzero(kinds == "collective")
        lengths = np.zeros(len(v.kinds))
        for sub, first in v.first.items():
            if isinstance(sub, CollectiveSpin):
                lengths[first : first + sub.size] = sub.lengths
        self.lengths = lengths[self.collective]
        own = v.number[v.owner].astype(float)
        # of (1/sqrt N) sum_n x_n: own variances below, pairs of emitters here
        self.weight = np.sqrt(np.outer(own, own))
        same = v.owner[:, None] == v.owner[None, :]
        many = np.isin(v.owner, self.emitters)
        self.weight[same] = np.where(many, own - 1, 1.0)[np.nonzero(same)[0]]
        scale = np.ones(v.size)
        for i, S in zip(self.collective, self.lengths, strict=True):
            scale[self._letters(int(i), 3)] = S
        self.scale = scale

    def _letters(self, i: int, width: int) -> slice:
        return slice(int(self.v.offset[i]), int(self.v.offset[i]) + width)

    def _own(self, i: int) -> slice:
        """The means of class i."""
        return self._letters(i, count(self.v.kinds[i]))

    def _columns(self, classes: Index, width: int) -> Index:
        return self.v.offset[classes][:, None] + np.arange(width)

    def diverged(self, y: Array) -> bool:
        """Whether moments are not finite or beyond anything that corrects itself."""
        if not np.all(np.isfinite(y)):
            return True
        lengths = [(self.spins, np.ones(self.spins.size)), (self.collective, self.lengths)]
        if any(np.any(np.abs(y[self._own(int(i))]) > DIVERGED) for i in self.levels):
            return True
        return any(
            bool(np.any(np.abs(y[self._columns(i, 3)]) > DIVERGED * S[:, None]))
            for i, S in lengths
            if i.size
        )

    def violated(self, y: Array) -> str | None:
        """The bound that moments miss, in words; None if they keep all."""
        r, C = self.v.unpack(self.second(y))
        for classes, limits, what in (
            (self.spins, np.ones(self.spins.size), "length of the Bloch vector"),
            (self.collective, self.lengths, "length of the mean spin"),
        ):
            if classes.size:
                length = np.linalg.norm(r[self._columns(classes, 3)], axis=1)
                k = int(np.argmax(length / limits))
                if length[k] > (1 + TOLERANCE) * limits[k]:
                    name = self.v.names[classes[k]]
                    return f"the {what} of {name} is {length[k]:.4g}, above {limits[k]:g}"
        for i in self.levels:
            low = float(np.linalg.eigvalsh(level_sites.state(r[self._own(int(i))]))[0])
            if low < -TOLERANCE:
                return f"a probability of an emitter of {self.v.names[i]} is {low:.4g}, below 0"
        for i in self.modes:
            at = self._letters(int(i), 2)
            photons = (float(r[at] @ r[at]) + float(np.trace(C[at, at])) - 1) / 2
            if photons < -TOLERANCE:
                return f"the photon number of {self.v.names[i]} is {photons:.4g}, below 0"
        return self._variances(r, C)

    def _variances(self, r: Array, C: Array) -> str | None:
        symmetric = self.weight * C
        for i in self.emitters:
            at = self._own(int(i))
            constant, linear = squares(self.v.kinds[i])
            own = constant + linear @ r[at] - np.outer(r[at], r[at])
            symmetric[at, at] += own
            if self.v.number[i] > 1:
                low = float(np.linalg.eigvalsh(own - C[at, at])[0])
                if low < -TOLERANCE:
                    name = self.v.names[i]
                    return f"a variance among the emitters of {name} is {low:.4g}, below 0"
        symmetric /= np.sqrt(np.outer(self.scale, self.scale))
        allowed = TOLERANCE + ROUNDING * float(np.trace(symmetric))
        try:
            np.linalg.cholesky(symmetric + allowed * np.eye(self.v.size))
        except np.linalg.LinAlgError:
            values, vectors = np.linalg.eigh(symmetric)
            if values[0] < -allowed:
                part = int(np.argmax(np.abs(vectors[:, 0])))
                return f"a variance is {values[0]:.4g}, below 0 (mostly of {self.v.label(part)})"
        return None
