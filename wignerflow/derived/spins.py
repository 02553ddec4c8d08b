"""Squeezing and subradiance of ensembles, collective spins and arrays."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..model.levels import Levels, LevelsMember
from ..model.subsystems import (
    CollectiveMember,
    CollectiveSpin,
    Ensemble,
    EnsembleMember,
    Member,
    Spin,
    Subsystem,
)
from ..model.words import MOST
from .base import Means, Operator, PerMember, divide

#: What has an angular momentum.
Angular = (
    Ensemble[Any]
    | CollectiveSpin[Any]
    | Levels[Any]
    | Spin[Any]
    | EnsembleMember
    | CollectiveMember
    | LevelsMember
)


def _angular(sub: Angular, total: bool, most: int = MOST) -> tuple[tuple[Any, Any, Any], Any, str]:
    """(Jx, Jy, Jz), the number of spins 1/2 that they are made of, and a label.

    ``most``: largest number of levels of one emitter.
    """
    member = sub.m if isinstance(sub, Member) else None
    owner: Subsystem = sub.sub if isinstance(sub, Member) else sub
    must = (
        "be an Ensemble, a CollectiveSpin, Levels.spin(F, N), an array of them, a member, or an "
        "array of Spins"
    )
    if not isinstance(owner, (Ensemble, CollectiveSpin, Spin, Levels)) or (
        isinstance(owner, Spin) and (member is not None or owner.count is None)
    ):
        _check.fail("sub", must, sub, kind=TypeError)
    if isinstance(owner, Levels) and not (owner.is_spin and owner.d <= most):
        hint = "" if owner.is_spin else "Other levels: wf.function of the means of their operators."
        what = must if not owner.is_spin else "be made of spins 1/2 here"
        was = _check.Note(f"{owner.name!r} with levels {', '.join(owner.labels)}")
        _check.fail("sub", what, was, hint, TypeError)
    if isinstance(owner, Spin):
        words: list[Any] = [owner.sx, owner.sy, owner.sz]
        x, y, z = ((s * 0.5).sum() for s in words)
        return (x, y, z), owner.size, owner.name
    view: Any = sub
    if isinstance(owner, Levels):
        numbers, J = (owner.d - 1) * owner.numbers, (view.Sx, view.Sy, view.Sz)
    else:
        lengths = owner.numbers / 2 if isinstance(owner, Ensemble) else owner.lengths
        numbers, J = np.round(2 * lengths).astype(np.int64), (view.Jx, view.Jy, view.Jz)
    if member is not None:
        label, N = f"{owner.name}[{member}]", int(numbers[member])
    elif owner.count is None:
        label, N = owner.name, int(numbers[0])
    elif total:
        return (J[0].sum(), J[1].sum(), J[2].sum()), int(numbers.sum()), f"{owner.name}, total"
    else:
        label, N = owner.name, numbers.tolist()
    if total:
        _check.fail("total", "be False unless sub is an array", total)
    return J, N, label


class _SpinObservable(PerMember):
    N: NDArray[np.int64]

    def _set_number(self, N: Any, least: int = 1) -> None:
        raw = _check.numeric_array("N", N, float)
        if raw.ndim > 1 or raw.size == 0 or np.any(raw != np.round(raw)) or np.any(raw < least):
            _check.fail("N", f"be integer and at least {least}", N)
        if np.any(raw > 2**53):
            _check.fail("N", "be at most 2^53", N)
        self.N = raw.astype(np.int64)
        super().configure(None if raw.ndim == 0 else raw.size)

    def configure(self, N: Any) -> None:  # type: ignore[override]
        self._set_number(N)


def _second(J: tuple[Any, Any, Any]) -> dict[str, Operator]:
    """The six symmetrised second moments, named "xx", "xy", …"""
    out = {}
    for (a, A), (b, B) in combinations_with_replacement(zip("xyz", J, strict=True), 2):
        out[a + b] = A * A if a == b else (A * B + B * A) * 0.5
    return out


def _vector(means: Means) -> NDArray:
    return np.stack([means["x"], means["y"], means["z"]], -1)


def _matrix(means: Means) -> NDArray:
    """<{J_a, J_b}>/2, shape (..., 3, 3)."""
    rows = [[means["".join(sorted(a + b))] for b in "xyz"] for a in "xyz"]
    return np.stack([np.stack(row, -1) for row in rows], -2)


class Squeezing(_SpinObservable):
    r"""Tóth's generalised spin squeezing parameter: below one, the spins are entangled.

    With gamma the covariance matrix of (Jx, Jy, Jz), C their symmetrised correlation matrix and
    N spins 1/2, every separable state has all three of these at one or above:

    .. math::
        \text{singlet:}\quad & \xi^2 = \mathrm{tr}\,\gamma / (N/2)
            = \langle (\Delta J_x)^2 + (\Delta J_y)^2 + (\Delta J_z)^2 \rangle / (N/2) \\
        \text{dicke:}\quad & \xi^2 = \lambda_\mathrm{min}[(N-1)\gamma + C]
            / (\langle J^2\rangle - N/2) \\
        \text{planar:}\quad & \xi^2 = \{(N-1)\,\mathrm{tr}\,\gamma
            - \lambda_\mathrm{max}[(N-1)\gamma + C]\} / [N(N-2)/4]

    The eigenvalues take the minimum over all directions, so each is the same in any frame. Spin
    coherent states have exactly one; a many-body singlet has zero by the first, an unpolarised
    Dicke state zero by the second, which is infinite where <J^2> <= N/2 (it says nothing there).
    The first, the default, is that of Ruks, Fig. 2(b).

    Sampling pulls eigenvalues apart; the jackknife takes that off. Where the extreme eigenvalues of
    the state are equal, as in a coherent state, about half of it stays, up to half an error.

    Of N emitters of spin F (``Levels.spin``) the first reads tr gamma / (N F); the others, which
    need what single emitters add to second moments, are for spins 1/2 alone.

    Args:
        sub: an ``Ensemble``, ``CollectiveSpin`` (2S spins 1/2), ``Levels.spin(F, N)`` or member of
            an array; an array of them, for one value per member, shape (T, M); or an array of
            ``Spin``, as one ensemble.
        criterion: "singlet", "dicke" or "planar" (N >= 3).
        total: for an array, of the summed angular momentum.

    Raises:
        TypeError: ``sub`` has no angular momentum, or a larger spin than a criterion allows.
        ValueError: unknown criterion; too few spins for it.

    Reference:
        Tóth, Knapp, Gühne and Briegel, Phys. Rev. Lett. 99, 250405 (2007) and Phys. Rev. A 79,
        042334 (2009); Vitagliano, Hyllus, Egusquiza and Tóth, Phys. Rev. Lett. 107, 240502 (2011)
        for larger spins; Ma, Wang, Sun and Nori, Phys. Rep. 509, 89 (2011).
    """

    def __init__(
        self,
        sub: Angular,
        criterion: Literal["singlet", "dicke", "planar"] = "singlet",
        *,
        total: bool = False,
    ):
        J, N, name = _angular(sub, total, MOST if criterion == "singlet" else 2)
        self.configure(N, criterion)
        self._inputs = dict(zip("xyz", J, strict=True))
        if self.criterion == "singlet":
            self._inputs["JJ"] = J[0] * J[0] + J[1] * J[1] + J[2] * J[2]
        else:
            self._inputs |= _second(J)
        self._label = (
            f"Squeezing({name})" if criterion == "singlet" else f"Squeezing({name}, {criterion!r})"
        )

    def configure(self, N: Any, criterion: str = "singlet") -> None:  # type: ignore[override]
        self.criterion = _check.one_of("criterion", criterion, ["singlet", "dicke", "planar"])
        self._set_number(N, {"singlet": 1, "dicke": 2, "planar": 3}[criterion])

    @property
    def biased(self) -> bool:
        return True

    def evaluate(self, means: Means) -> NDArray:
        v, N = _vector(means), self.N
        if self.criterion == "singlet":
            return (means["JJ"] - np.sum(v * v, -1)) / (N / 2)
        C = _matrix(means)
        gamma = C - v[..., :, None] * v[..., None, :]
        bad = ~np.isfinite(gamma).all((-2, -1))
        both = (N - 1)[..., None, None] * gamma + C
        values = np.linalg.eigvalsh(np.where(bad[..., None, None], 0.0, both))
        if self.criterion == "dicke":
            excess = np.trace(C, axis1=-2, axis2=-1) - N / 2
            out = np.where(excess > 0, divide(values[..., 0], excess), np.inf)
        else:
            out = ((N - 1) * np.trace(gamma, axis1=-2, axis2=-1) - values[..., -1]) / (
                N * (N - 2) / 4
            )
        return np.where(bad, np.nan, out)


class WinelandSqueezing(_SpinObservable):
    r"""Wineland's squeezing parameter, the phase variance relative to N independent spins:

    .. math:: \xi_R^2 = N \min_{n \perp \langle J\rangle} (\Delta J_n)^2 / |\langle J\rangle|^2

    One for a spin coherent state; below one, better than the standard quantum limit. Infinite
    without a mean spin; near there a sampled mean spin is mostly noise, so look at the error.
    N emitters of spin F count as 2 F N spins 1/2, so that a coherent state has one as well.

    Args:
        sub, total: as for :class:`Squeezing`.

    Reference:
        Wineland et al., Phys. Rev. A 50, 67 (1994).
    """

    def __init__(self, sub: Angular, *, total: bool = False):
        J, N, name = _angular(sub, total)
        self.configure(N)
        self._inputs = dict(zip("xyz", J, strict=True)) | _second(J)
        self._label = f"WinelandSqueezing({name})"

    @property
    def biased(self) -> bool:
        return True

    def evaluate(self, means: Means) -> NDArray:
        v = _vector(means)
        gamma = _matrix(means) - v[..., :, None] * v[..., None, :]
        x, y, z = v[..., 0], v[..., 1], v[..., 2]
        flat, length = np.hypot(x, y), np.sqrt(np.sum(v * v, -1))
        round_ = flat == 0
        c, s = np.where(round_, 1.0, divide(x, flat)), np.where(round_, 0.0, divide(y, flat))
        ct, st = (
            np.where(length == 0, 1.0, divide(z, length)),
            np.where(length == 0, 0.0, divide(flat, length)),
        )
        e = np.stack([ct * c, ct * s, -st], -1)  # e and f span the plane across the mean spin
        f = np.stack([-s, c, np.zeros_like(s)], -1)
        a, b, d = (
            np.einsum("...i,...ij,...j->...", u, gamma, w) for u, w in ((e, e), (e, f), (f, f))
        )
        smallest = (a + d) / 2 - np.hypot((a - d) / 2, b)
        return divide(self.N * smallest, length**2)


class Subradiance(_SpinObservable):
    r"""Collective emission relative to independent emitters in the same mean excitation:

    .. math:: s = \langle J^+ J^- \rangle / \langle J_z + N/2 \rangle

    One for independent emitters, below one subradiant, up to N for a superradiant Dicke state.

    Args:
        sub, total: as for :class:`Squeezing` (a ``CollectiveSpin`` counts as 2S emitters).

    Reference:
        Ruks, Fig. 2(b); Shankar et al., Phys. Rev. Lett. 127, 073603 (2021).
    """

    def __init__(self, sub: Angular, *, total: bool = False):
        (x, y, z), N, name = _angular(sub, total, 2)
        self.configure(N)
        self._inputs = {"emission": (x + 1j * y) * (x - 1j * y), "z": z}
        self._label = f"Subradiance({name})"

    def evaluate(self, means: Means) -> NDArray:
        return divide(means["emission"], means["z"] + self.N / 2)
