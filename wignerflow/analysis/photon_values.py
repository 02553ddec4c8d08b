"""What ``wf.photons`` returns: moments of bins with errors, from sums of trajectories or exact."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..exact.counting import Counts
from ..result import format_value
from .correlation_result import jackknife
from .photon_errors import References, stated
from .photon_sums import Sums

Real = NDArray[np.float64]


@dataclass
class Moments:
    """Values with their errors, all of one shape.

    Attributes:
        value: the moments.
        sem: their standard errors (zero if exact; of a complex one: of both parts).
        truncation: the error of the method itself, by the exact chain; NaN where that is not
            quick, zero if exact.
        step_error: that of the step; NaN where ``dt`` was given.
        times: centers of the bins (mean times of modes), on every axis of ``value``; or
        taus: delays; or
        omega: angular frequencies.
    """

    value: NDArray[Any]
    sem: NDArray[Any]
    times: Real | None = None
    taus: Real | None = None
    omega: Real | None = None
    truncation: Real = field(default_factory=lambda: np.full((), np.nan))
    step_error: Real = field(default_factory=lambda: np.full((), np.nan))
    replicas: Any = field(default=None, repr=False)  # the value, then without each batch

    def __repr__(self) -> str:
        flat, errors = np.ravel(self.value), np.ravel(self.sem)
        shown = np.unique(np.linspace(0, flat.size - 1, 4).astype(int))
        some = ", ".join(format_value(flat[k], errors[k]) for k in shown)
        named = (("truncation", self.truncation), ("step error", self.step_error))
        more = [f"{name} up to {np.nanmax(x):.1g}" for name, x in named if np.any(x > 0)]
        return f"Moments(shape={self.value.shape}: {some}, …{''.join(f'; {x}' for x in more)})"


@dataclass
class Modes:
    """Temporal modes: eigenvalues of <c_j^+ c_k>, descending, with errors, and their shapes.

    ``shapes[k]``: the amplitudes u of mode k, whose operator is the sum of u_j^* c_j over bins.
    """

    value: Real
    sem: Real
    shapes: NDArray[np.complex128]
    times: Real
    truncation: Real = field(default_factory=lambda: np.full((), np.nan))
    step_error: Real = field(default_factory=lambda: np.full((), np.nan))


@dataclass(repr=False)
class Number:
    """Mean and variance of the number of photons between the first edge and the last.

    Each with its standard error, and the errors of the method and of the step as in ``Moments``.
    """

    mean: float
    mean_sem: float
    variance: float
    variance_sem: float
    mean_truncation: float = np.nan
    mean_step_error: float = np.nan
    variance_truncation: float = np.nan
    variance_step_error: float = np.nan

    def __repr__(self) -> str:
        mean = format_value(self.mean, self.mean_sem)
        return f"{mean} photons, variance {format_value(self.variance, self.variance_sem)}"


@dataclass(repr=False, eq=False)
class Photons:
    """Photon statistics of output fields; see :func:`wignerflow.photons`.

    Attributes:
        names: of the outputs.
        edges: of the bins, (B + 1,).
        method, estimator, ntraj, seed, dt, stats: of the run.
        infinite: what enters is white, and no flux is finite.
    """

    names: tuple[str, ...]
    edges: Real
    steady: bool
    method: str
    estimator: str
    ntraj: int = 0
    seed: int | None = None
    dt: float | None = None
    stats: dict[str, Any] = field(default_factory=dict)
    #: Amplitudes of modes over bins, (K, B); None: bins are the modes.
    shapes: NDArray[np.complex128] | None = None
    #: Of trajectories, or of the exact engine.
    sums: Sums | None = None
    counts: Counts | None = None
    infinite: bool = False

    def __post_init__(self) -> None:
        self.references = References(certain=self.counts is not None)
        self.widths = np.diff(self.edges)
        if self.counts is not None:
            self._hold(self.counts.n, self.counts.flux)
        elif not self.infinite:
            self._hold(self._run.x.sum(axis=0), self._run.photons.sum(axis=0))

    def _hold(self, n: Real, flux: Real) -> None:
        """Say which part of the photons the bins' modes hold."""
        total = flux.sum(axis=1)
        parts = np.divide(n.sum(axis=1), total, out=np.full(total.size, np.nan), where=total != 0)
        self.stats["in_modes"] = dict(zip(self.names, parts.tolist(), strict=True))

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self.names)) if self.names != ("",) else "one output"
        return f"Photons({names}; {self.widths.size} bins, method={self.method!r})"

    # -- numbers ---------------------------------------------------------------------------------

    @stated("value")
    def n(self, name: str | None = None) -> Moments:
        """Mean photons in the mode of each bin, <c^+ c>, (B,); of one bin in the steady state."""
        a = self._at(name)
        if self.counts is not None and self.shapes is not None:
            return self._over_bins(np.diagonal(self._coherence(a, a), axis1=1, axis2=2).real)
        if self.counts is not None:
            return self._over_bins(self.counts.n[a][None])
        return self._over_bins(self._left(self._run.x[:, a]))

    @stated("value")
    def flux(self, name: str | None = None) -> Moments:
        """Mean photons per time, averaged over each bin, by the symbol of the flux, (B,)."""
        self._finite("flux")
        self._single_bins("flux")
        a = self._at(name)
        width = self.widths
        if self.counts is not None:
            return self._over_bins(self.counts.flux[a][None] / width)
        return self._over_bins(self._left(self._run.photons[:, a]) / width)

    @stated("mean", "variance")
    def number(self, name: str | None = None) -> Number:
        """Mean and variance of the photons that arrive between the first edge and the last.

        Trajectories have them from the sum over steps of abs(b_out)^2 - abs(b_in)^2, whose variance
        lacks terms of the order of one photon.
        """
        self._finite("number")
        a = self._at(name)
        if self.counts is not None:
            mean = float(self.counts.mean[a])
            return Number(mean, 0.0, float(self.counts.second[a] + mean - mean**2), 0.0)
        if self.steady:
            raise ValueError("Counts need the edges of an interval: give `bins`, not t='steady'.")
        run = self._run
        mean, square = self._left(run.gain[:, a]), self._left(run.square[:, a])
        eta = float(run.algebra.gamma[a, a].real)
        variance = square - mean**2 + (1 - eta) * mean
        sem = [float(jackknife(x[1:])) for x in (mean, variance)]
        return Number(float(mean[0]), sem[0], float(variance[0]), sem[1])

    # -- coherence -------------------------------------------------------------------------------

    @stated("value")
    def g1(self, name: str | None = None, other: str | None = None) -> Moments:
        r"""First-order coherence, not normalised: <c_j^+ c_k> of bins j of one output and k of the

        other (the same if left out), (B, B); over delays k - j in the steady state.
        """
        a, b = self._at(name), self._at(name if other is None else other)
        return self._over_pairs(self._coherence(a, b))

    @stated("value")
    def g2(self, name: str | None = None, other: str | None = None) -> Moments:
        r"""Second-order coherence, normalised, of bins j of one output and k of the other,

        .. math:: \frac{\langle c_j^\dagger c_k^\dagger c_k c_j\rangle}
           {\langle c_j^\dagger c_j\rangle\langle c_k^\dagger c_k\rangle},

        (B, B), over delays in the steady state. With estimator="flux" the photons of the later bin
        stand in place of its mode where j and k differ. NaN where a mean is below two errors.
        """
        if not self.has_g2:
            raise ValueError("g2 was left out of this run (g2=False).")
        a, b = self._at(name), self._at(name if other is None else other)
        replicas = self._pairs(a, b)
        out = self._over_pairs(replicas)
        for axis, k in ((0, a), (1, b)):
            mean = self.n(self.names[k])
            poor = mean.value < 2 * mean.sem
            if self.steady:
                out.value[:] = np.nan if poor[0] else out.value
            else:
                out.value[poor if axis == 0 else np.s_[:, poor]] = np.nan
        return out

    @property
    def has_g2(self) -> bool:
        """Whether sums for g2 were made."""
        if self.counts is not None and self.shapes is not None:
            return False
        return (self.counts or self._run).g2 is not None

    @stated("value")
    def modes(self, name: str | None = None) -> Modes:
        """Temporal modes: eigenvalues and eigenvectors of <c_j^+ c_k>."""
        self._single_bins("modes")
        if self.steady:
            raise ValueError("Light of a steady state has no temporal modes; give `bins`.")
        a = self._at(name)
        replicas = self._coherence(a, a)
        values, vectors = np.linalg.eigh((replicas + replicas.conj().swapaxes(1, 2)) / 2)
        values = values[:, ::-1]
        shapes = vectors[0].T[::-1].conj()
        return Modes(values[0], self._error(values), shapes, self.times)

    @stated("value")
    def spectrum(self, name: str | None = None, omega: Any = None) -> Moments:
        r"""Energy spectrum: photons per unit of omega/2 pi.

        .. math:: S(\omega) = \sum_{jk}\sqrt{w_jw_k}\,\langle c_j^\dagger c_k\rangle
           e^{i\omega(t_k - t_j)}

        of a pulse; per unit of time in the steady state, the sum over delays of both signs up to
        the window.

        Args:
            name: of the output.
            omega: angular frequencies (of b ~ e^{-i omega t}); None takes those of the bins.
        """
        self._single_bins("spectrum")
        a = self._at(name)
        if omega is None:
            number = self.taus.size if self.steady else self.widths.size
            freq = np.fft.fftshift(np.fft.fftfreq(number, float(self.widths.mean())))
            omega = 2 * np.pi * freq
        w = np.atleast_1d(_check.numeric_array("omega", omega, float))
        replicas = self._coherence(a, a)
        if self.steady:
            phase = np.exp(1j * np.outer(self.taus[1:], w))
            values = replicas[:, :1].real + 2 * (replicas[:, 1:] @ phase).real
        else:
            phase = np.exp(1j * np.outer(self.times, w)) * np.sqrt(self.widths)[:, None]
            values = np.einsum("jw,rjk,kw->rw", phase.conj(), replicas, phase, optimize=True).real
        return Moments(values[0], self._error(values), omega=w, replicas=values)

    @stated("value")
    def quadrature(self, phase: float = 0.0, name: str | None = None) -> Moments:
        r"""Squeezing spectrum of the quadrature X = e^{-i phase} b + e^{i phase} b^+; vacuum is 1.

        .. math:: S_\varphi(\omega) = \frac1T\left\langle\left|\int_0^T e^{-i\omega t}
           (X_\varphi - \langle X_\varphi\rangle)\,dt\right|^2\right\rangle

        over the time T of all bins (in the steady state: of the window), which must be alike.

        Args:
            phase: of the quadrature in radians: 0 is b + b^+, pi/2 is -i(b - b^+).
            name: of the output.
        """
        self._single_bins("quadrature")
        angle = _check.real("phase", phase)
        if self.counts is not None:
            raise ValueError("Method 'exact' has no quadratures of bins; take 'twa'.")
        if np.ptp(self.widths) > 1e-9 * self.widths.max():
            raise ValueError("A squeezing spectrum needs bins of one width.")
        a, run = self._at(name), self._run
        T = self.widths.size // run.windows
        half = 4 * run.quadrature(a, angle) + 1 - run.algebra.gamma[a, a].real
        number = np.arange(T) - T // 2  # S is even: X is Hermitian
        values = half[:, np.abs(number)]
        omega = np.asarray(2 * np.pi * number / (T * float(self.widths.mean())), float)
        return Moments(values[0], self._error(values), omega=omega, replicas=values)

    # -- axes ------------------------------------------------------------------------------------

    @property
    def times(self) -> Real:
        """Centers of the bins, mean times of modes."""
        centers = (self.edges[1:] + self.edges[:-1]) / 2
        return centers if self.shapes is None else np.abs(self.shapes) ** 2 @ centers

    @property
    def taus(self) -> Real:
        """Delays between bins, in the steady state."""
        count = self.widths.size if self.counts is not None else self.widths.size // 2
        return np.asarray(float(self.widths.mean()) * np.arange(count), float)

    # -- inside ----------------------------------------------------------------------------------

    @property
    def _run(self) -> Sums:
        assert self.sums is not None
        return self.sums

    def _at(self, name: str | None) -> int:
        if name is None and len(self.names) == 1:
            return 0
        return self.names.index(_check.one_of("name", name, self.names))

    def _finite(self, what: str) -> None:
        if self.infinite:
            raise ValueError(
                f"White thermal or squeezed light has no finite {what}; take `n` of bins."
            )

    def _single_bins(self, what: str) -> None:
        if self.shapes is not None:
            raise ValueError(f"The {what} is that of bins: leave out `modes`.")

    def _left(self, values: Any) -> Any:
        return self._run.left_out(values)

    def _error(self, replicas: Any) -> Any:
        return jackknife(replicas[1:]) if len(replicas) > 1 else np.zeros_like(replicas[0])

    def _over_bins(self, replicas: Any) -> Moments:
        if self.steady:
            replicas = replicas.mean(axis=1, keepdims=True)
            return Moments(replicas[0], self._error(replicas), replicas=replicas)
        return Moments(replicas[0], self._error(replicas), times=self.times, replicas=replicas)

    def _over_pairs(self, replicas: Any) -> Moments:
        value, error = replicas[0].copy(), self._error(replicas)
        if self.steady:
            return Moments(value, error, taus=self.taus, replicas=replicas)
        return Moments(value, error, times=self.times, replicas=replicas)

    def _coherence(self, a: int, b: int) -> Any:
        """Replicas of <c_j^+ c_k>: the value, then without each batch."""
        if self.counts is not None:
            if self.counts.g1 is None:
                raise ValueError("g1 was left out of this run (g1=False).")
            found = self.counts.g1[a, b]
            if self.shapes is not None:
                found = self.shapes @ found @ self.shapes.conj().T
            return (found[0] if self.steady else found)[None]
        run = self._run
        if run.g1 is None:
            raise ValueError("g1 was left out of this run (g1=False).")
        same = self._left(run.same1[:, a, b])
        upper = self._left(run.g1[:, a, b])
        if run.shapes is not None:
            upper = upper + run.algebra.entering[a, b] * run.overlaps
        if self.steady:
            upper[:, 0] = same.mean(axis=1)
            return upper
        lower = self._left(run.g1[:, b, a]).conj().swapaxes(1, 2)
        return _joined(upper, lower, same)

    def _pairs(self, a: int, b: int) -> Any:
        """Replicas of g2."""
        if self.counts is not None:
            return self._exact_pairs(self.counts, a, b)
        run = self._run
        assert run.g2 is not None
        x = [self._left(run.x[:, k]) for k in (a, b)]
        later = self._left((run.photons if run.flux else run.x)[:, b])
        same = self._left(run.same2[:, a, b]) + run.entering_four[a, b]
        if self.steady:
            n = [y.mean(axis=1) for y in x]
            mean = later.mean(axis=1)
            alone = self._left(run.alone[:, a])[:, : run.origins].mean(axis=1)
            product = self._left(run.g2[:, a, b]) - (alone * mean)[:, None]
            out = product / (n[0] * mean)[:, None]
            out[:, 0] = same.mean(axis=1) / (n[0] * n[1])
            return out
        upper = self._half(a, b)
        lower = self._half(b, a).swapaxes(1, 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            return _joined(upper, lower, same / (x[0] * x[1]))

    def _half(self, a: int, b: int) -> Any:
        """g2 with bin j of a before bin k of b."""
        run = self._run
        assert run.g2 is not None
        later = self._left((run.photons if run.flux else run.x)[:, b])[:, None, :]
        early, alone = (self._left(y[:, a])[:, :, None] for y in (run.x, run.alone))
        with np.errstate(divide="ignore", invalid="ignore"):
            return (self._left(run.g2[:, a, b]) - alone * later) / (early * later)

    def _exact_pairs(self, counts: Counts, a: int, b: int) -> Any:
        assert counts.g2 is not None and counts.mixed is not None
        n, flux = counts.n, counts.flux
        mixed = self.estimator == "flux"
        pairs = (counts.mixed if mixed else counts.g2)[a, b]
        upper = n[a][:, None] * (flux if mixed else n)[b][None, :]
        lower = (flux if mixed else n)[a][:, None] * n[b][None, :]
        norm = np.triu(upper, 1) + np.tril(lower, -1) + np.diag(n[a] * n[b])
        with np.errstate(divide="ignore", invalid="ignore"):
            out = pairs / norm
        return (out[0] if self.steady else out)[None]


def _joined(upper: Any, lower: Any, same: Any) -> Any:
    out = np.triu(upper, 1) + np.tril(lower, -1)
    at = np.arange(same.shape[1])
    out[:, at, at] = same
    return out
