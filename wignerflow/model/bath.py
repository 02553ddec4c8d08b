r"""Structured baths as damped modes (pseudomodes)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from .. import _check
from .mode_states import ModeState, vacuum
from .model import Jump
from .op import Op
from .subsystems import Mode

#: Frequencies, or times, at which a spectral density or a correlation function is compared.
POINTS = 400
#: Part of the largest density above which a correlation function's modes begin.
PEAKS = 0.05


@dataclass
class Bath:
    r"""Damped modes that act like a bath, see :func:`bath`.

    Attributes:
        modes: the array of modes.
        H: their Hamiltonian and coupling.
        jumps: their losses.
        initial: their states, vacuum: ``initial={atoms: wf.up, **bath.initial}``.
        frequencies, couplings, rates: :math:`\omega_k`, :math:`g_k` and :math:`\kappa_k`, (k,).
        error: largest difference of the two densities in the range, over the largest density; or
            of the two correlation functions, over the largest.
        omega, density, fitted: where they were compared, the given one and that of the modes (of a
            correlation function times, and complex values).
    """

    modes: Mode
    H: Op
    jumps: list[Jump]
    initial: dict[Mode, ModeState]
    frequencies: NDArray[np.float64]
    couplings: NDArray[np.float64]
    rates: NDArray[np.float64]
    error: float
    omega: NDArray[np.float64]
    density: NDArray[Any]
    fitted: NDArray[Any]

    def correlation(self, t: Any) -> NDArray[np.complex128]:
        """Correlation function of the modes at times t, at least 0."""
        times = _check.numeric_array("t", t, float)
        return _exponentials(times, self.frequencies, self.couplings**2, self.rates)

    def __repr__(self) -> str:
        what = "correlation" if np.iscomplexobj(self.density) else "density"
        return f"Bath({self.modes.size} modes, error={self.error:.2g} of the largest {what})"


@_check.called("wf.bath(atoms.Jm, density, modes=2, range=(-1.0, 3.0))")
def bath(
    operator: Op,
    spectral_density: Callable[[Any], Any] | None = None,
    *,
    correlation: Callable[[Any], Any] | None = None,
    modes: int,
    range: tuple[float, float],
    name: str = "bath",
) -> Bath:
    r"""A bath of a given spectral density or correlation function, as a few damped modes.

    .. math:: H = \sum_k \omega_k a_k^\dagger a_k + g_k (O^\dagger a_k + O\,a_k^\dagger),
       \qquad \text{loss of rate } \kappa_k, \qquad
       S(\omega) = \int dt\,e^{i\omega t}\langle B(t)B^\dagger(0)\rangle
       = \sum_k \frac{g_k^2\kappa_k}{(\omega - \omega_k)^2 + \kappa_k^2/4},

    fitted to the given :math:`S(\omega)` or :math:`C(t) = \langle B(t)B^\dagger(0)\rangle =
    \sum_k g_k^2 e^{-i\omega_kt - \kappa_kt/2}`, where :math:`B = \sum_k g_k a_k` couples to
    :math:`O^\dagger`, at zero temperature. A bath so broad that S is constant is a jump O of the
    plain rate S. Positive frequencies are quanta that cost energy: a transition
    :math:`O = \sigma^-` of frequency :math:`\omega_0` in the frame of H feeds modes about
    :math:`\omega_0`.

    Args:
        operator: O, what emits into the bath, such as ``atoms.Jm``.
        spectral_density: S as a function of an array of frequencies (the frame of H), in rates.
        correlation: in its place, C as a function of an array of times, in rates squared.
        modes: number of modes.
        range: lowest and highest frequency at which the densities are compared; of a correlation
            function 0 and the last time.
        name: of the array of modes.

    Returns:
        A :class:`Bath`; add its H, jumps and initial states to a model. Its ``error`` and
        ``fitted`` say how good the fit is.

    Raises:
        ValueError, TypeError: an argument does not meet its requirement; the density is negative or
            zero everywhere.

    Range: any spectral density that sums of Lorentzians of positive weight can follow; bands with
    sharp edges and power laws need many modes. Where light travels, take :class:`wignerflow.Link`.

    References:
        Garraway, Phys. Rev. A 55, 2290 (1997), Sec. III; Tamascelli et al., Phys. Rev. Lett. 120,
        030402 (2018).

    Example:
        >>> import wignerflow as wf
        >>> atoms = wf.Ensemble(20, name="atoms")
        >>> def density(w):
        ...     return 0.04 / ((w - 1.0) ** 2 + 0.01)
        >>> found = wf.bath(atoms.Jm, density, modes=1, range=(-1.0, 3.0))
        >>> model = wf.Model(1.0 * atoms.Jz + found.H, found.jumps,
        ...                  initial={atoms: wf.up, **found.initial})
        >>> round(float(found.rates[0]), 6), found.error < 1e-6
        (0.2, True)
    """
    if not isinstance(operator, Op):
        _check.fail("operator", "be an operator such as atoms.Jm", operator, kind=TypeError)
    if (spectral_density is None) == (correlation is None):
        must = "be a function of frequencies, or `correlation` one of times, and not both"
        _check.fail("spectral_density", must, spectral_density, kind=TypeError)
    given = spectral_density if correlation is None else correlation
    if not callable(given):
        argument = "spectral_density" if correlation is None else "correlation"
        what = "frequencies" if correlation is None else "times"
        _check.fail(argument, f"be a function of {what}", given, kind=TypeError)
    count = _check.integer("modes", modes, 1)
    low, high = (_check.real(f"range[{k}]", x) for k, x in enumerate(range))
    if not low < high:
        _check.fail("range", "ascend", range)
    omega = np.linspace(low, high, POINTS)
    density: NDArray[Any]
    if correlation is None:
        density = _density(given(omega), omega)
        frequencies, couplings, rates = _fit(omega, density, count)
        fitted: NDArray[Any] = _lorentzians(omega, frequencies, couplings**2, rates)
    else:
        if low != 0:  # where lines have their phases; and what is before matters as much
            _check.fail("range", "begin at time 0", range)
        density = _check.numeric_array("correlation", given(omega), complex)
        density = np.broadcast_to(density, omega.shape).astype(complex)
        if not np.any(density):
            _check.fail("correlation", "not be zero everywhere", _check.Note("zero"))
        frequencies, couplings, rates = _fit_times(omega, density, count)
        fitted = _exponentials(omega, frequencies, couplings**2, rates)
    error = float(np.abs(fitted - density).max() / np.abs(density).max())
    array = Mode(name=name, count=count)
    H = (frequencies * array.n).sum()
    for k in np.arange(count):
        coupling = float(couplings[k]) * (operator.dag() * array[int(k)].a)
        H = H + coupling + coupling.dag()
    return Bath(
        array, H, [Jump(array.a, rates)], {array: vacuum}, frequencies, couplings, rates, error,
        omega, density, fitted,
    )  # fmt: skip


def _density(values: Any, omega: NDArray[np.float64]) -> NDArray[np.float64]:
    density = _check.numeric_array("spectral_density", values, float)
    density = np.broadcast_to(density, omega.shape).astype(float)
    if np.any(density < 0) or not np.any(density > 0):
        at = omega[int(np.argmin(density))]
        was = _check.Note(f"{density.min():.6g} at {at:.6g}")
        _check.fail("spectral_density", "be non-negative, and positive somewhere", was)
    return density


def _exponentials(times: Any, at: Any, weight: Any, rate: Any) -> NDArray[np.complex128]:
    phase = np.exp(-(1j * at + rate / 2) * np.asarray(times)[..., None])
    return np.asarray((weight * phase).sum(axis=-1))


def _lorentzians(omega: Any, at: Any, weight: Any, rate: Any) -> NDArray[np.float64]:
    distance = (np.asarray(omega)[:, None] - at) ** 2
    return np.asarray((weight * rate / (distance + rate**2 / 4)).sum(axis=1))


def _fit(
    omega: NDArray[np.float64], density: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies, couplings and rates by least squares, from starts of several widths."""
    span, scale = float(omega[-1] - omega[0]), float(density.max())
    share = np.cumsum(density) / density.sum()
    middle = np.interp((np.arange(count) + 0.5) / count, share, omega)

    def numbers(x: NDArray[np.float64]) -> tuple[Any, Any, Any]:
        at, height, rate = x.reshape(3, count)
        rate = np.exp(rate) * span
        return omega[0] + span * at, np.exp(height) * scale * rate / 4, rate

    def residual(x: NDArray[np.float64]) -> NDArray[np.float64]:
        at, weight, rate = numbers(x)
        return (_lorentzians(omega, at, weight, rate) - density) / scale

    starts = [
        np.concatenate([(middle - omega[0]) / span, np.full(count, -0.5), np.full(count, width)])
        for width in np.log([0.03, 0.1, 0.3])
    ]
    return _best(starts, numbers, fun=residual, max_nfev=2000, xtol=1e-14, ftol=1e-14)


def _fit_times(
    times: NDArray[np.float64], values: NDArray[np.complex128], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The same of a correlation function, from the peaks of its Fourier transform."""
    T, step, scale = float(times[-1]), times[1], float(np.abs(values).max())
    omega = 2 * np.pi * np.fft.fftshift(np.fft.fftfreq(8 * times.size, step))
    window = np.cos(np.linspace(0, np.pi / 2, times.size)) ** 2
    spectrum = np.fft.fftshift(np.fft.ifft(values * window, omega.size)).real
    share = np.cumsum(np.where(spectrum > PEAKS * spectrum.max(), spectrum, 0.0))
    middle = np.interp((np.arange(count) + 0.5) / count, share / share[-1], omega)

    def numbers(x: NDArray[np.float64]) -> tuple[Any, Any, Any]:
        at, height, rate = x.reshape(3, count)
        return middle + at / T, np.exp(height) * scale / count, np.exp(rate) / T

    def residual(x: NDArray[np.float64]) -> NDArray[np.float64]:
        off = (_exponentials(times, *numbers(x)) - values) / scale
        return np.concatenate([off.real, off.imag])

    def slopes(x: NDArray[np.float64]) -> NDArray[np.float64]:
        at, weight, rate = numbers(x)
        t = times[:, None]
        each = weight * np.exp(-(1j * at + rate / 2) * t) / scale
        out = np.concatenate([-1j * t / T * each, each, -rate * t / 2 * each], axis=1)
        return np.concatenate([out.real, out.imag])

    widths = np.log([0.5, 2.0, 8.0])
    starts = [np.concatenate([np.zeros(2 * count), np.full(count, width)]) for width in widths]
    options = {"max_nfev": 400, "xtol": 1e-10, "ftol": 1e-10}
    return _best(starts, numbers, fun=residual, jac=slopes, **options)


def _best(
    starts: list[NDArray[np.float64]],
    numbers: Callable[[NDArray[np.float64]], tuple[Any, Any, Any]],
    **problem: Any,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies, ascending, couplings and rates of the best of several fits."""
    fits = [scipy.optimize.least_squares(x0=start, **problem) for start in starts]
    at, weight, rate = numbers(min(fits, key=lambda fit: fit.cost).x)
    order = np.argsort(at)
    return at[order], np.sqrt(weight[order]), rate[order]
