r"""Power spectra and linewidths from two-time correlations.

With :math:`C(-\tau) = C(\tau)^*`, which holds for B = A^+ in a steady state,

.. math:: S(\omega) = \int_{-\infty}^{\infty}\! e^{i\omega\tau}\, C(\tau)\, w(\tau)\, d\tau
          = 2\,\mathrm{Re}\int_0^{\tau_m}\! e^{i\omega\tau}\, C(\tau)\, w(\tau)\, d\tau ,

so that :math:`\int S\, d\omega/2\pi = C(0)` and an oscillation :math:`e^{-i\omega_0\tau}` stands at
:math:`\omega_0`. The window w leaves out nothing at :math:`\tau = 0` and everything beyond the
last delay :math:`\tau_m`: a line narrower than about :math:`4/\tau_m` appears with that width.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from .. import _check
from .._check import Times
from ..html import curve, table
from ..model.model import Model
from ..model.operators import Op
from ..result import AccuracyWarning, format_value, stated
from ..result.accuracy import BY_THE_METHOD, inaccurate
from .correlation import correlation
from .correlation_result import Correlation, at, evenly, jackknife

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

WINDOWS = ("hann", "none")


@dataclass
class Linewidth:
    r"""A line :math:`C(\tau) \propto e^{-i\omega_0\tau - \Delta\tau/2}`: a Lorentzian.

    Attributes:
        value, sem: full width at half maximum Delta, an angular frequency, and its error.
        centre, centre_sem: angular frequency omega_0.
        after: delay from which on the correlation was fitted.
        truncation: of the width by the method itself, estimated; NaN without an estimate.
    """

    value: float
    sem: float
    centre: float
    centre_sem: float
    after: float
    truncation: float = float("nan")

    def __repr__(self) -> str:
        width, centre = (
            format_value(v, s) for v, s in ((self.value, self.sem), (self.centre, self.centre_sem))
        )
        own = f", truncation {self.truncation:.1g}" if self.truncation > 0 else ""
        return f"Linewidth({width}, centre {centre}, fitted for τ >= {self.after:.4g}{own})"


@dataclass
class Spectrum:
    """A power spectrum over angular frequencies.

    Attributes:
        omega: angular frequencies, shape (W,), in inverse units of the model's time.
        value, sem: S and its standard error (jackknife), shape (W,); S has the unit of C times
            time.
        correlation: what it was made of.
        window: name of the window.
        truncation: estimate of the method's own error, (W,), from that of the correlation: NaN
            where there is none, zero if exact, None if not asked for.
        step_error: estimate of the error of the step, (W,), likewise.
        stats: of the correlation; "warnings" with what is said of the spectrum.
    """

    omega: NDArray[np.float64]
    value: NDArray[np.float64]
    sem: NDArray[np.float64]
    correlation: Correlation
    window: str
    truncation: NDArray[np.float64] | None = None
    step_error: NDArray[np.float64] | None = None
    stats: dict[str, Any] = field(default_factory=dict)

    def linewidth(self, after: float = 0.0) -> Linewidth:
        r"""Width and place of the line, fitted to the correlation in time, free of the window.

        The complex function :math:`c\,e^{-i\omega_0\tau - \Delta\tau/2}` is fitted by least squares
        to the delays from ``after`` on, where faster parts have decayed. The error is a jackknife
        over batches of trajectories, zero for exact correlations.

        Args:
            after: first delay of the fit.

        Raises:
            ValueError: fewer than four delays are left.
        """
        c = self.correlation
        keep = c.taus >= _check.real("after", after)
        if keep.sum() < 4:
            _check.fail("after", "leave at least four delays", after)
        taus = c.taus[keep]
        peak = float(self.omega[int(np.argmax(self.value))])
        best = _line(taus, c.value[keep], [peak, 2 / taus[-1]])
        errors = np.zeros(2)
        if c.leave_one_out is not None:
            fits = [_line(taus, v[keep], best) for v in c.leave_one_out]
            errors = jackknife(np.array(fits))
        own = float("nan")
        if c.deviation is not None:
            right = _line(taus, (c.value - c.deviation)[keep], best)
            own = float(np.sqrt(max((best[1] - right[1]) ** 2 - errors[1] ** 2, 0.0)))
        return Linewidth(
            float(best[1]), float(errors[1]), float(best[0]), float(errors[0]), float(taus[0]), own
        )

    def __repr__(self) -> str:
        k = int(np.argmax(self.value))
        peak = format_value(self.value[k], self.sem[k])
        c = self.correlation
        return (
            f"Spectrum({c.formula}, method={c.method!r}, window={self.window!r}, "
            f"{self.omega.size} frequencies)\n  largest at ω = {self.omega[k]:.4g}: {peak}"
            f"{stated(at(self.step_error, k), at(self.truncation, k))}"
        )

    def _repr_html_(self) -> str:
        title, peak = repr(self).split("\n")
        return table(title, ("S over ω",), [(curve(self.omega, self.value, "spectrum"),)], [peak])

    def to_xarray(self) -> xarray.Dataset:
        """``spectrum`` and ``spectrum_sem`` over ``omega``, beside the correlation over ``tau``."""
        data = self.correlation.to_xarray()
        data["spectrum"] = ("omega", self.value)
        data["spectrum_sem"] = ("omega", self.sem)
        for name, errors in (("truncation", self.truncation), ("step_error", self.step_error)):
            if errors is not None:
                data[f"spectrum_{name}"] = ("omega", errors)
        return data.assign_coords(omega=self.omega).assign_attrs(window=self.window)

    def plot(self, ax: Axes | None = None, label: str | None = None, **options: Any) -> Axes:
        """The spectrum with a band of one standard error, where it stands out of its tails.

        The range that is shown holds all that is above a hundredth of the peak, and no less than
        eight widths of it; ``ax.set_xlim`` shows more. ``options`` go to ``ax.plot``.
        """
        from ..plot import band, new_figure

        if ax is None:
            ax = new_figure(1)[1][0, 0]
        name = label or self.correlation.method
        band(ax, self.omega, self.value, self.sem, None, "-", name, options)
        ax.set(xlabel=r"$\omega$", ylabel=r"$S(\omega)$", xlim=self._shown())
        return ax

    def _shown(self) -> tuple[float, float]:
        """Angular frequencies between which a plot shows the line."""
        above = np.flatnonzero(self.value >= self.value.max() / 2)
        high = np.flatnonzero(self.value >= self.value.max() / 100)
        step = float(self.omega[1] - self.omega[0]) if self.omega.size > 1 else 1.0
        width = float(self.omega[above[-1]] - self.omega[above[0]]) + step
        low, top = self.omega[above[0]] - 4 * width, self.omega[above[-1]] + 4 * width
        low, top = min(low, self.omega[high[0]]), max(top, self.omega[high[-1]])
        return float(max(low, self.omega[0])), float(min(top, self.omega[-1]))


def _line(taus: NDArray[np.float64], C: NDArray[np.complex128], guess: Any) -> NDArray[np.float64]:
    """omega_0 and Delta; the amplitude is eliminated, as it enters linearly."""

    def residual(x: NDArray[np.float64]) -> NDArray[np.float64]:
        shape = np.exp(-1j * x[0] * taus - abs(x[1]) * taus / 2)
        c = np.vdot(shape, C) / np.vdot(shape, shape).real
        d = C - c * shape
        return np.concatenate([d.real, d.imag]) / np.abs(C).max()

    span = taus[-1] - taus[0]
    starts = [[guess[0], w] for w in (guess[1], 4 / span, 20 / span)]
    fits = [least_squares(residual, s, x_scale=1 / span) for s in starts]
    x = min(fits, key=lambda f: f.cost).x
    return np.array([x[0], abs(x[1])])


@_check.called("wf.spectrum(model, atoms.Jp, atoms.Jm, taus)")
def spectrum(
    model: Model | Correlation,
    A: Op | None = None,
    B: Op | None = None,
    taus: Times | None = None,
    *,
    omega: ArrayLike | None = None,
    window: Literal["hann", "none"] = "hann",
    **options: Any,
) -> Spectrum:
    r"""The power spectrum of a steady state, with standard errors.

    Args:
        model: the master equation, or a :class:`Correlation` that was computed before.
        A, B, taus, options: as in :func:`wignerflow.correlation`, with B = A^+ and delays evenly
            spaced from 0: their spacing :math:`\delta` bounds frequencies by :math:`\pi/\delta`,
            the last one bounds the resolution.
        omega: angular frequencies, ascending; None takes those that the delays resolve.
        window: "hann", :math:`\cos^2(\pi\tau/2\tau_m)`, or "none", for correlations that have
            decayed at the last delay.

    Returns:
        A :class:`Spectrum`; ``spectrum.linewidth()`` gives width and centre of its line.

    Raises:
        ValueError, TypeError: as for :func:`wignerflow.correlation`; B is not A^+.
    """
    _check.one_of("window", window, WINDOWS)
    if isinstance(model, Correlation):
        if A is not None or B is not None or taus is not None or options:
            _check.fail("A, B, taus", "be omitted with a Correlation", (A, B, taus))
        c = model
    else:
        if not isinstance(A, Op) or not isinstance(B, Op):
            _check.fail("A, B", "be operators", (A, B), kind=TypeError)
        if B != A.dag():
            _check.fail("B", "be the adjoint of A for a power spectrum", B)
        c = correlation(model, A, B, taus, **options)
    if not c.is_power:
        _check.fail("model", "be a Correlation of A with A^+", c)
    if c.taus.size < 4 or not evenly(c.taus):
        _check.fail("taus", "hold at least four delays, evenly spaced from 0", c.taus)
    end, step = c.taus[-1], c.taus[1]
    if omega is None:
        n = c.taus.size
        omega = np.pi / end * np.arange(-(n - 1), n)
    frequencies = _check.numeric_array("omega", omega, float)
    if frequencies.ndim != 1 or not frequencies.size or np.any(np.diff(frequencies) <= 0):
        _check.fail("omega", "ascend", omega)
    w = np.cos(np.pi * c.taus / (2 * end)) ** 2 if window == "hann" else np.ones(c.taus.size)
    w = w * step
    w[0] /= 2  # trapezoidal rule
    w[-1] /= 2
    # the phase factors of one block of frequencies at a time
    blocks = np.array_split(frequencies, -(-frequencies.size * c.taus.size // 2**22))

    def transform(C: NDArray[np.complex128]) -> NDArray[np.float64]:
        parts = [2 * (np.exp(1j * np.outer(f, c.taus)) @ (C * w).T).real for f in blocks]
        return np.concatenate(parts)

    value = transform(c.value)
    sem = np.zeros_like(value)
    if c.leave_one_out is not None:
        sem = jackknife(transform(c.leave_one_out).T)
    out = Spectrum(frequencies, value, sem, c, window, stats=dict(c.stats))
    if c.truncation is not None:
        out.truncation = np.full(value.shape, np.nan)
        if c.deviation is not None:
            out.truncation = np.sqrt(np.maximum(transform(c.deviation) ** 2 - sem**2, 0.0))
        shown = {"S(ω)": value}, {"S(ω)": sem}, {"S(ω)": out.truncation}
        off = inaccurate(*shown, frequencies, "ω")
        if off is not None:
            out.stats["warnings"] = [*c.stats.get("warnings", ()), off]
            before = [w for w in c.stats.get("warnings", ()) if BY_THE_METHOD in w]
            if isinstance(model, Correlation) or not before:
                _check.warn(off, AccuracyWarning)
    if c.step_error is not None:
        largest = float(np.abs(c.value).max(initial=0.0))
        share = float(np.max(c.step_error, initial=0.0)) / largest if largest > 0 else 0.0
        out.step_error = share * np.abs(value)
    return out
