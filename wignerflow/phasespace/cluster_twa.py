r"""Cluster truncated Wigner approximation, ``wf.ClusterTWA``.

k spins 1/2 are one emitter of 2^k levels with a Hermitian matrix R of trace one. Couplings and
jumps inside a cluster act on R linearly, so that its means are those of the master equation;
couplings across clusters turn each by the field of the others, as products of symbols. Trajectories
start as the product of the points of the discrete approximation of every spin, and the noise of
local jumps is that at the mean of all trajectories: second moments are exact, and the covariance is
never negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import _check
from ..method import Operators
from ..model.coefficients import Coef
from ..model.level_states import LevelState
from ..model.model import Model
from ..model.operators import ArrayOp, Op
from ..model.subsystems import Spin
from . import lower, pulses
from .clustering import Clustering, automatic, chosen, labels_of, listed, turning
from .ensemble import spin_initial
from .matrices import variables
from .method import Symbol, TrajectoryMethod
from .system import MatrixInitial, MatrixStep, Mean, PhaseSpaceSystem

MOST = 3  # spins in a cluster
PILOT_ANGLE = 0.2  # step of the run that finds the mean, times the largest rate
PILOT_STEPS = 2000  # of it, at most, up to the last output
TIMES = 65  # at which a rate in time is looked at


class ClusterTWA(TrajectoryMethod):
    r"""Truncated Wigner approximation of clusters of single spins.

    Spins are grouped into clusters of ``size``, each a Hermitian matrix R of trace one and 2^size
    rows with the symbols Tr(R A); with H_c and the jumps l of plain rates r inside the cluster and
    the classical fields h of the couplings to others,

    .. math:: dR = -i[H_c + \partial_R h, R]\,dt + \sum_l r_l\,(l R l^\dagger
       - \tfrac12\{l^\dagger l, R\})\,dt + \text{noise}, \qquad
       \langle\mathrm{Tr}(dR\,x)\,\mathrm{Tr}(dR\,y)\rangle = \mathrm{Tr}\,\bar R\,
       [\mathcal L(x\circ y) - \mathcal L(x)\circ y - x\circ\mathcal L(y)]\,dt

    (hbar = 1; o is half the anticommutator). Means of a cluster by itself are exact. The error
    falls with the size, mostly by two to eight for correlations of neighbours from 1 to 3, less
    where most bonds still cross: run sizes 1, 2 and 3 and compare. :math:`\bar R` is the mean over
    trajectories of a small run before (fixed seed and size). Jumps that spins of different
    clusters share turn them.

    All other subsystems stand as in :class:`wignerflow.TWA`.

    Args:
        size: spins in a cluster, 1 to 3. Chosen along the strongest couplings, ties by
            neighbourhood; clusters of three grow from pairs.
        partition: clusters of one's own, lists of members (``chain[3]``, its name "chain[3]", or
            numbers where the model has one array of spins) that name every spin once. ``size`` is
            of no use beside it.

    Raises:
        ValueError: the size is not 1, 2 or 3, or a cluster holds more than 3 spins; in a run: the
            partition misses or repeats a spin, or an observable is one of every spin.

    References:
        Wurtz, Polkovnikov and Sels, Ann. Phys. 395, 341 (2018), for closed systems.

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> chain = wf.Spin(name="chain", count=6)
        >>> bonds = wf.couple(chain.sx, wf.NearestNeighbour(), chain.sx)
        >>> model = wf.Model(0.5 * bonds + 0.5 * chain.sz.sum(), [wf.Jump(chain.sm, 1.0)],
        ...                  initial={chain: wf.down})
        >>> wf.ClusterTWA(size=2).clusters(model)
        [[0, 1], [2, 3], [4, 5]]
    """

    name = "cluster-twa"
    order = 1
    equivariant = False  # clusters break symmetries

    def __init__(self, size: int = 2, partition: Any = None):
        self.size = _check.integer("size", size, 1, MOST)
        self.partition = None if partition is None else listed(partition, MOST)

    def clusters(self, model: Model) -> list[list[int]]:
        """Numbers of the spins of every cluster, in the order of the model's subsystems.

        Raises:
            ValueError, TypeError: the partition misses or repeats a spin.
        """
        if self.partition is None:
            return automatic(model, self.size)
        return chosen(model, self.partition)

    def refuses(self, model: Model, ops: Operators | None = None) -> str | None:
        for name, op in (ops or {}).items():
            if isinstance(op, ArrayOp) and any(isinstance(s, Spin) for s in op.subsystems):
                return f"observable {name!r} is one of every spin; take its sum, or single members"
        if reason := lower.refuses(model):
            return reason
        if not model.pulses:
            return None
        return pulses.refuses(Clustering(model, self.clusters(model)).clustered())

    def lower(
        self, model: Model, ops: Mapping[str, Op | ArrayOp], tlist: Any
    ) -> tuple[PhaseSpaceSystem, dict[str, Symbol]]:
        clustering = Clustering(model, self.clusters(model))
        clustered = clustering.clustered()
        system, symbols = lower.build(clustered)
        lower.set_initial(system, clustered, "auto", "discrete")
        groups = set(clustering.groups.values())
        for sub, block, spec in zip(
            clustered.subsystems, system.blocks, system.initial, strict=True
        ):
            if sub in groups and isinstance(spec, MatrixInitial):
                _sites(spec, clustering, block.levels)
        _share(system, clustering, tlist)
        system.pulses = pulses.pulse_maps(system, clustered)
        sizes = [len(c) for c in clustering.partition]
        counts = [f"{sizes.count(k)} of {k}" for k in sorted(set(sizes), reverse=True)]
        if counts:
            system.facts.append(f"clusters of spins: {', '.join(counts)}")
        translated = {
            name: clustering.op(op) if isinstance(op, Op) else op for name, op in ops.items()
        }
        return system, lower.lower_observables(symbols, translated)

    def options(self, model: Model) -> dict[str, Any]:
        """The arguments, plain: spins by their names in the model."""
        if self.partition is None:
            return {"size": self.size}
        labels = labels_of(model)
        return {"partition": [[labels[n] for n in c] for c in self.clusters(model)]}

    def __repr__(self) -> str:
        given = f"size={self.size}" if self.partition is None else f"partition={self.partition}"
        return f"ClusterTWA({given})"


def _sites(spec: MatrixInitial, clustering: Clustering, levels: int) -> None:
    """Start as products of what is drawn for every spin, with the mean of their state."""
    k = levels.bit_length() - 1
    rows = []
    for cluster in clustering.members[k]:
        one = spin_initial([clustering.state(p) for p in cluster], np.ones(k), "discrete")
        rows.append(np.column_stack([one.e1, one.e2, one.e3, one.sigma]))
    spec.sites = np.array(rows)
    group = clustering.groups[k]
    states = clustering.clustered().initial[group]
    rhos = [s.density(group, "state") for s in states if isinstance(s, LevelState)]
    spec.mean = np.array([variables(rho) for rho in rhos])  # of discrete draws it is not used


def _share(system: PhaseSpaceSystem, clustering: Clustering, tlist: Any) -> None:
    """Noise at the mean of all trajectories, found in steps that resolve all rates."""
    span = 1.0 if tlist is None else float(np.ptp(np.asarray(tlist, float)))
    step = max(PILOT_ANGLE / _rate(system, clustering, tlist), span / PILOT_STEPS)
    begin = 0.0 if tlist is None else float(np.min(tlist))
    for local in system.local:
        spec = system.initial[local.block]
        if isinstance(local, MatrixStep) and isinstance(spec, MatrixInitial):
            if spec.sites is None:
                continue
            local.low = False
            local.shared = Mean(np.array([begin]), spec.mean[None].copy(), step)


def _rate(system: PhaseSpaceSystem, clustering: Clustering, tlist: Any) -> float:
    """About the fastest rate of a cluster: of its jumps, and how fast all else turns it."""
    own = 0.0
    for local in system.local:
        if isinstance(local, MatrixStep):
            rates = np.stack([where * _largest(rate, tlist) for rate, where, _ in local.parts])
            for column in np.unique(rates, axis=1).T:
                G = sum(r * part for r, (*_, part) in zip(column, local.parts, strict=True))
                own = max(own, float(np.abs(np.linalg.eigvals(G)).max()))
    return own + max(turning(clustering.model, clustering.partition), default=0.0) + 1e-9


def _largest(rate: Any, tlist: Any) -> Any:
    """A rate, or the largest value found of one in time."""
    if not isinstance(rate, Coef):
        return rate
    times = [0.0] if tlist is None else [np.min(tlist), np.max(tlist)]
    return np.abs(rate(np.linspace(times[0], times[-1], TIMES))).max()
