r"""The variables of the moment equations: means and covariances of basic operators.

Every member of every subsystem is a *class* of ``number`` equal sites: N emitters for an ensemble
or emitters with levels, one for a spin, a collective spin or a mode. With the basic operators X_a
of a site,

.. math:: r_{ia} = \langle X_{ia}\rangle, \qquad
          C_{ia,jb} = \langle X_{ia}X_{jb}\rangle - r_{ia}r_{jb} .

For i = j, C is the covariance between two *different* emitters of the class (of two or more levels;
it does not exist for a single one), or the symmetrised covariance of the one site (collective spins
and modes).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.level_states import LevelState
from ..model.levels import Levels
from ..model.mode_states import ModeState
from ..model.model import Model
from ..model.states import BlochState
from ..model.subsystems import CollectiveSpin, Ensemble, Mode, Subsystem
from . import level_sites
from .algebra import LETTERS, closed, count

Array = NDArray[np.float64]


#: Kinds of sites of the kinds of subsystems that are known, beside emitters with levels.
KINDS = {"ensemble": "spin", "spin": "spin", "collective": "collective", "mode": "mode"}


def kind_of(sub: Subsystem) -> str:
    """The kind of a subsystem's sites."""
    if isinstance(sub, Levels):
        return level_sites.kind(sub.d)
    return KINDS[sub.kind]


class Variables:
    """Classes of sites of a model, and where their moments stand.

    Args:
        model: the model.

    Attributes:
        kinds: kind of every class.
        names: printed name of every class.
        number: sites per class, shape (classes,).
        offset: place of the first mean of every class, shape (classes,).
        size: number n of means; covariances are an n x n matrix.
        widest: largest number of basic operators of a site.
    """

    def __init__(self, model: Model):
        self.model = model
        self.first: dict[Subsystem, int] = {}
        self.kinds: list[str] = []
        self.names: list[str] = []
        numbers: list[NDArray[np.int64]] = []
        for sub in model.subsystems:
            self.first[sub] = len(self.kinds)
            self.kinds += [kind_of(sub)] * sub.size
            single = sub.count is None
            name = model.names[sub]
            self.names += [name] if single else [f"{name}[{m}]" for m in range(sub.size)]
            one = np.ones(sub.size, np.int64)
            numbers.append(sub.numbers if isinstance(sub, (Ensemble, Levels)) else one)
        self.number = np.concatenate(numbers)
        widths = np.array([count(k) for k in self.kinds])
        self.widest = int(widths.max())
        self.offset = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(np.int64)
        self.size = int(widths.sum())
        self.owner = np.repeat(np.arange(len(self.kinds)), widths)

    @cached_property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of the covariances that exist, upper triangle."""
        rows, columns = np.triu_indices(self.size)
        alone = np.array([closed(k) for k in self.kinds]) & (self.number == 1)
        i, j = self.owner[rows], self.owner[columns]
        keep = (i != j) | ~alone[i]
        return rows[keep].astype(np.int64), columns[keep].astype(np.int64)

    @property
    def length(self) -> int:
        """Number of real moments."""
        return self.size + int(self.pairs[0].size)

    def initial(self) -> Array:
        """The moments of the initial state, packed."""
        r = np.zeros(self.size)
        C = np.zeros((self.size, self.size))
        for sub, states in self.model.initial.items():
            for m, state in enumerate(states):
                at = int(self.offset[self.first[sub] + m])
                mean, own = _site_moments(sub, m, state)
                r[at : at + mean.size] = mean
                C[at : at + mean.size, at : at + mean.size] = own
        return np.concatenate([r, C[self.pairs]])

    def unpack(self, y: Array) -> tuple[Array, Array]:
        """Means (n,) and the full matrix of covariances (n, n)."""
        C = np.zeros((self.size, self.size))
        C[self.pairs] = y[self.size :]
        return y[: self.size], np.triu(C) + np.triu(C, 1).T

    def label(self, k: int) -> str:
        """Name of basic operator k."""
        i = int(self.owner[k])
        kind, letter = self.kinds[i], k - int(self.offset[i])
        if level_sites.levels(kind):
            sub = max(
                (s for s, first in self.first.items() if first <= i), key=self.first.__getitem__
            )
            assert isinstance(sub, Levels)
            return f"{self.names[i]}.{level_sites.names(sub.labels)[letter]}"
        prefix = {"spin": "s", "collective": "J", "mode": ""}[kind]
        return f"{self.names[i]}.{prefix}{LETTERS[kind][letter]}"


def _site_moments(sub: Subsystem, m: int, state: Any) -> tuple[Array, Array]:
    """Means and own covariances of one site in its initial state."""
    if isinstance(sub, Mode):
        assert isinstance(state, ModeState)
        return np.sqrt(2) * np.array([state.mean.real, state.mean.imag]), 2 * state.covariance
    if isinstance(sub, Levels):
        assert isinstance(state, LevelState)
        mean = level_sites.means(state.density(sub, "state"))
        return mean, np.zeros((mean.size, mean.size))
    assert isinstance(state, BlochState)
    if isinstance(sub, CollectiveSpin):
        S, e = float(sub.lengths[m]), state.vector
        return S * e, S / 2 * (np.eye(3) - np.outer(e, e))
    return state.vector, np.zeros((3, 3))
