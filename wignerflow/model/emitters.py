"""Arrays of emitters in free space: dipole-dipole interaction and correlated decay."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from .. import _check


def free_space(
    positions: Any, dipole: Any, wavelength: float, Gamma0: Any = 1.0
) -> tuple[NDArray[Any], NDArray[Any]]:
    r"""Interaction J and decay Gamma of emitters that share the vacuum's field, hbar = 1.

    Eqs. (52)-(55) of the paper on individual spins: with the Green's tensor G of the vacuum,
    :math:`J_{ij} = -\omega^2\,\bar p_i\cdot\mathrm{Re}\,G(r_i - r_j)\cdot p_j` and
    :math:`\Gamma_{ij} = 2\omega^2\,\bar p_i\cdot\mathrm{Im}\,G(r_i - r_j)\cdot p_j`. In spherical
    Bessel functions of kr, which lose no digits at small distances, for unit dipoles p,

    .. math::
        \Gamma_{ij} &= \Gamma_0\,[\,j_0(kr)\,\bar p_i\cdot p_j + j_2(kr)\,Q_{ij}\,], \\
        J_{ij} &= \tfrac12\Gamma_0\,[\,y_0(kr)\,\bar p_i\cdot p_j + y_2(kr)\,Q_{ij}\,], \qquad
        Q_{ij} = \tfrac12[3(\bar p_i\cdot\hat r)(\hat r\cdot p_j) - \bar p_i\cdot p_j].

    The master equation is that of :math:`H = \sum_{ij}J_{ij}\sigma^+_i\sigma^-_j`, both orders of
    every pair, with the matrix of plain rates
    :math:`\sum_{ij}\Gamma_{ij}(L_j\rho L_i^+ - \{L_i^+L_j, \rho\}/2)`, :math:`L = \sigma^-`.

    Args:
        positions: places of the M emitters, shape (M, 3).
        dipole: direction of the transition dipole, the one that goes with :math:`\sigma^-`: shape
            (3,), or one per emitter, shape (M, 3). Complex for circular polarisation. Its length
            does not matter.
        wavelength: of the transition, :math:`2\pi/k`, in the unit of ``positions``.
        Gamma0: plain decay rate of one emitter alone, a number or one per emitter, shape (M,).

    Returns:
        ``(J, Gamma)``, each of shape (M, M). J has a zero diagonal, Gamma the rates ``Gamma0``;
        both are Hermitian, and real unless the emitters have different complex dipoles. Gamma is
        positive semidefinite within rounding.

    Raises:
        ValueError: a shape is wrong, a dipole is zero, a rate negative, the wavelength not
            positive, or two emitters are so close together that J overflows.

    Reference:
        Hosseinabadi, Chelpanova and Marino, "Making Truncated Wigner for dissipative spins 'plain
        easy'", Sec. III F; Lehmberg, Phys. Rev. A 2, 883 (1970).

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> chain = wf.Spin(name="chain", count=8)
        >>> places = 0.2 * np.outer(np.arange(8), [1, 0, 0])
        >>> J, Gamma = wf.emitters.free_space(places, dipole=[0, 0, 1], wavelength=1.0)
        >>> H = 0.5 * chain.sx.sum() + wf.couple(chain.sp, J, chain.sm)
        >>> model = wf.Model(H, [wf.Jump(chain.sm, rate=Gamma)], initial={chain: wf.down})
        >>> J.shape, Gamma.shape
        ((8, 8), (8, 8))
    """
    places, dipoles, rates, k = _emitters(positions, dipole, wavelength, Gamma0)
    size = len(places)

    apart = places[:, None] - places[None]
    r = np.linalg.norm(apart, axis=-1)
    pairs = ~np.eye(size, dtype=bool)
    direction = np.divide(apart, r[..., None], out=np.zeros_like(apart), where=r[..., None] > 0)
    along = np.einsum("ijk,jk->ij", direction, dipoles)  # r.p_j, and p_i^*.r as r_ji = -r_ij
    overlap = dipoles.conj() @ dipoles.T
    np.fill_diagonal(overlap, 1)
    Q = -(3 * along.T.conj() * along + overlap) / 2
    Q[~pairs] = 0
    J, Gamma = np.zeros((2, size, size), complex)
    x = k * r
    Gamma[:] = scipy.special.spherical_jn(0, x) * overlap + scipy.special.spherical_jn(2, x) * Q
    with np.errstate(all="ignore"):
        J[pairs] = (
            scipy.special.spherical_yn(0, x) * overlap + scipy.special.spherical_yn(2, x) * Q
        )[pairs] / 2
    if not np.all(np.isfinite(J)):
        i, j = np.argwhere(~np.isfinite(J))[0]
        was = _check.Note(f"{r[i, j]:.3g} apart for emitters {i} and {j}")
        _check.fail("positions", "differ, since the interaction diverges at zero distance", was)
    scale = np.sqrt(np.outer(rates, rates))
    return _tidy(J * scale, dipoles), _tidy(Gamma * scale, dipoles)


def far_field(
    positions: Any, dipole: Any, wavelength: float, direction: Any, Gamma0: Any = 1.0
) -> NDArray[np.complex128]:
    r"""Amplitudes of the light that emitters send into a direction far away, in two polarisations.

    With :math:`K_e = \sum_j f_{ej}\sigma^-_j` the photons per unit of time and of solid angle in
    direction n are :math:`\sum_e\langle K_e^\dagger K_e\rangle`,

    .. math:: f_{ej} = \sqrt{3\Gamma_j/8\pi}\;(\bar\epsilon_e\cdot p_j)\,e^{-ik\,n\cdot r_j},
       \qquad \int d\Omega\sum_e f^*_{ei}f_{ej} = \Gamma_{ij}

    the decay of :func:`free_space`; the polarisations :math:`\epsilon_e` are orthogonal to n and to
    each other. Light of several emitters interferes by the phases.

    Args:
        positions, dipole, wavelength, Gamma0: as in :func:`free_space`.
        direction: n, shape (3,). Its length does not matter.

    Returns:
        f, shape (2, M).

    Raises:
        ValueError: a shape is wrong, a dipole or the direction zero, a rate negative, or the
            wavelength not positive.

    Reference:
        Lehmberg, Phys. Rev. A 2, 883 (1970).

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> places = 0.2 * np.outer(np.arange(8), [1, 0, 0])
        >>> f = wf.emitters.far_field(places, [0, 0, 1], 1.0, direction=[0, 1, 0])
        >>> chain = wf.Spin(name="chain", count=8)
        >>> K = [(amplitudes * chain.sm).sum() for amplitudes in f]
        >>> intensity = sum(k.dag() * k for k in K)
    """
    places, dipoles, rates, k = _emitters(positions, dipole, wavelength, Gamma0)
    n = _check.numeric_array("direction", direction, float)
    if n.shape != (3,) or not np.any(n):
        _check.fail("direction", "be a direction of shape (3,), not zero", direction)
    n = n / np.linalg.norm(n)
    first = np.cross(n, np.eye(3)[np.argmin(np.abs(n))])
    first /= np.linalg.norm(first)
    polarisations = np.array([first, np.cross(n, first)])
    amplitude = np.sqrt(3 * rates / (8 * np.pi)) * np.exp(-1j * k * (places @ n))
    return np.asarray((polarisations @ dipoles.T) * amplitude, complex)


def _emitters(
    positions: Any, dipole: Any, wavelength: float, Gamma0: Any
) -> tuple[NDArray[np.float64], NDArray[np.complex128], NDArray[np.float64], float]:
    """Places, unit dipoles, rates and the wave number."""
    places = _check.numeric_array("positions", positions, float)
    if places.ndim != 2 or places.shape[1] != 3 or not places.size:
        _check.fail("positions", "have shape (M, 3)", _check.Note(f"of shape {places.shape}"))
    size = len(places)
    dipoles = _unit(_check.numeric_array("dipole", dipole, complex), size)
    rates = _check.numeric_array("Gamma0", Gamma0, float)
    if rates.shape not in ((), (size,)):
        must = f"be one number or have shape ({size},)"
        _check.fail("Gamma0", must, _check.Note(f"of shape {rates.shape}"))
    if np.any(rates < 0):
        _check.fail("Gamma0", "be non-negative", Gamma0)
    k = 2 * np.pi / _check.positive("wavelength", wavelength)
    return places, dipoles, np.broadcast_to(rates, size), k


def _unit(dipole: NDArray[np.complex128], size: int) -> NDArray[np.complex128]:
    """Dipoles of length one, shape (size, 3)."""
    if dipole.shape not in ((3,), (size, 3)):
        must = f"have shape (3,) or ({size}, 3)"
        _check.fail("dipole", must, _check.Note(f"of shape {dipole.shape}"))
    length = np.linalg.norm(dipole, axis=-1, keepdims=True)
    if np.any(length == 0):
        _check.fail("dipole", "not be zero", dipole)
    return np.broadcast_to(dipole / length, (size, 3)).copy()


def _tidy(matrix: NDArray[np.complex128], dipoles: NDArray[np.complex128]) -> NDArray[Any]:
    """Hermitian to the bit, and real where it is so."""
    matrix = (matrix + matrix.conj().T) / 2
    same = np.all(dipoles == dipoles[0])
    return matrix.real.copy() if same or not np.any(dipoles.imag) else matrix
