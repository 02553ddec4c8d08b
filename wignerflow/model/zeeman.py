r"""Transitions between two levels of angular momentum, with Clebsch-Gordan coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import factorial, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from .levels import LevelOp, Levels, spin_labels
from .words import MOST

Matrix = NDArray[np.complex128]


def clebsch_gordan(j1: Any, m1: Any, j2: Any, m2: Any, J: Any, M: Any) -> float:
    r"""The Clebsch-Gordan coefficient <j1 m1; j2 m2 | J M> (Condon and Shortley's phases).

    Args:
        j1, m1, j2, m2, J, M: multiples of 1/2.

    Raises:
        ValueError: one of them is no multiple of 1/2.

    Reference:
        Racah, Phys. Rev. 62, 438 (1942), Eq. (16); Varshalovich, Moskalev and Khersonskii, Quantum
        Theory of Angular Momentum (1988), Eq. 8.2.1 (3).

    Example:
        >>> from wignerflow.model.zeeman import clebsch_gordan
        >>> round(clebsch_gordan(1/2, 1/2, 1, 0, 3/2, 1/2) ** 2, 12)
        0.666666666667
    """
    named = {"j1": j1, "m1": m1, "j2": j2, "m2": m2, "J": J, "M": M}
    a, x, b, y, c, z = (_twice(name, value) for name, value in named.items())
    fits = all((j + m) % 2 == 0 and abs(m) <= j for j, m in ((a, x), (b, y), (c, z)))
    if not fits or x + y != z or not abs(a - b) <= c <= a + b or (a + b + c) % 2:
        return 0.0

    def f(twice: int) -> int:
        return factorial(twice // 2)

    triangle = Fraction((c + 1) * f(c + a - b) * f(c - a + b) * f(a + b - c), f(a + b + c + 2))
    heights = f(c + z) * f(c - z) * f(a - x) * f(a + x) * f(b - y) * f(b + y)
    total = Fraction(0)
    for k in range((a + b - c) // 2 + 1):
        below = (
            a + b - c - 2 * k,
            a - x - 2 * k,
            b + y - 2 * k,
            c - b + x + 2 * k,
            c - a - y + 2 * k,
        )
        if min(below) < 0:
            continue
        product = factorial(k)
        for twice in below:
            product *= f(twice)
        total += Fraction((-1) ** k, product)
    return (1 if total > 0 else -1) * sqrt(triangle * heights * total**2)


def _twice(name: str, value: Any) -> int:
    twice = 2 * _check.real(name, value)
    if twice != round(twice):
        _check.fail(name, "be a multiple of 1/2", value)
    return round(twice)


@dataclass(frozen=True)
class Zeeman:
    r"""Emitters with the Zeeman states of a ground and an excited level: what :func:`zeeman` gives.

    Attributes:
        atoms: the ``wf.Levels``: "g-1/2", "g+1/2", ..., then "e-3/2", ..., m ascending.
        J_ground, J_excited: the two angular momenta.
    """

    atoms: Levels
    J_ground: float
    J_excited: float

    def emission_matrix(self, q: int) -> Matrix:
        r"""The one-emitter matrix of :math:`A_q`, shape (d, d)."""
        q = self._polarisation(q)
        d, n = self.atoms.d, round(2 * self.J_ground) + 1
        out = np.zeros((d, d), complex)
        for i in range(n):
            m = i - self.J_ground
            j = round(m + q + self.J_excited)
            if 0 <= j < d - n:
                J, K = self.J_ground, self.J_excited
                out[i, n + j] = clebsch_gordan(J, m, 1, q, K, m + q)
        return out

    def emission(self, q: int) -> Any:
        r"""Collective emission of polarisation q, for ``wf.Jump`` and couplings to modes:

        .. math:: \sum_n A_q^{(n)}, \qquad A_q = \sum_m \langle J_g m; 1 q | J_e\, m{+}q\rangle\,
                  |g, m\rangle\langle e, m{+}q|, \qquad \sum_q A_q^\dagger A_q = 1_e .

        With one jump of rate Gamma per q every excited state decays at Gamma.

        Args:
            q: +1 for sigma+, 0 for pi, -1 for sigma- light.

        Raises:
            ValueError: q is none of these.
        """
        return self.atoms.matrix(self.emission_matrix(q))

    def emission_one(self, q: int) -> LevelOp:
        """The same of one emitter, for ``wf.LocalJump``."""
        return self.atoms.one_matrix(self.emission_matrix(q))

    def field(self, g_ground: float, g_excited: float) -> Any:
        r"""The linear Zeeman shift along z, :math:`\sum_n (g_g\,m P_g + g_e\,m P_e)` in H.

        Args:
            g_ground, g_excited: shift per unit of m of each level (hbar = 1): Lande factor times
                Bohr magneton times field.
        """
        g, e = (_check.real(n, x) for n, x in (("g_ground", g_ground), ("g_excited", g_excited)))
        ground = np.arange(-self.J_ground, self.J_ground + 1)
        excited = np.arange(-self.J_excited, self.J_excited + 1)
        return self.atoms.matrix(np.diag(np.concatenate([g * ground, e * excited])))

    def ground(self) -> Any:
        """The number of emitters in the ground level."""
        return self._share(0)

    def excited(self) -> Any:
        """The number of emitters in the excited level."""
        return self._share(1)

    def _share(self, which: int) -> Any:
        n = round(2 * self.J_ground) + 1
        return self.atoms.matrix(np.diag((np.arange(self.atoms.d) >= n) == which).astype(float))

    @staticmethod
    def _polarisation(q: Any) -> int:
        if isinstance(q, bool) or q not in (-1, 0, 1):
            must = "be +1 (sigma+), 0 (pi) or -1 (sigma-)"
            _check.fail("q", must, q)
        return int(q)


def zeeman(
    J_ground: Any, J_excited: Any, N: Any, name: str | None = None, *, count: int | None = None
) -> Zeeman:
    r"""N emitters with the Zeeman states of a dipole transition J_ground to J_excited.

    Levels are "g-1/2", "g+1/2", ... and "e-3/2", ..., "e+3/2" ("g0", "e-1", ... for integers); the
    transition's operators carry Clebsch-Gordan coefficients.

    Args:
        J_ground, J_excited: angular momenta, multiples of 1/2 that differ by 0 or 1, not both 0,
            with at most 8 states together.
        N: number of emitters, or one number per member, shape (count,).
        name: label used in results and messages.
        count: None for one set of emitters, M for an array of M.

    Returns:
        A :class:`Zeeman`: ``.atoms`` is the subsystem, ``.emission(q)`` its operators.

    Raises:
        ValueError: there is no such dipole transition, or it has more than 8 states.

    Example:
        >>> import wignerflow as wf
        >>> rb = wf.zeeman(1/2, 3/2, N=100, name="Rb")
        >>> rb.atoms.labels
        ('g-1/2', 'g+1/2', 'e-3/2', 'e-1/2', 'e+1/2', 'e+3/2')
        >>> jumps = [wf.Jump(rb.emission(q), rate=1.0) for q in (-1, 0, 1)]
        >>> model = wf.Model(jumps=jumps, initial={rb.atoms: wf.level("e+1/2")})
    """
    low, high = _twice("J_ground", J_ground), _twice("J_excited", J_excited)
    for argument, twice, value in (("J_ground", low, J_ground), ("J_excited", high, J_excited)):
        if twice < 0:
            _check.fail(argument, "be non-negative", value)
    if abs(low - high) not in (0, 2) or low == high == 0:
        must = f"differ from J_ground = {low / 2:g} by 0 or 1, and not both be 0"
        _check.fail("J_excited", must, J_excited)
    if low + high + 2 > MOST:
        was = _check.Note(f"J = {low / 2:g} and {high / 2:g} with {low + high + 2}")
        _check.fail("J_excited", f"make at most {MOST} states with those of J_ground", was)
    labels = [f"g{m}" for m in spin_labels(low)] + [f"e{m}" for m in spin_labels(high)]
    return Zeeman(Levels(N, labels, name, count=count), low / 2, high / 2)
