"""Wigner functions of modes, as histograms of kept phase-space samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..plot import STYLE, new_figure
from ..result import Result
from .distribution import only_or_named, per_cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Half the side of the square that is shown, in standard deviations of the wider quadrature.
WIDTH = 4.0


@dataclass(frozen=True)
class WignerDensity:
    """A Wigner function averaged over square cells, per d(Re a) d(Im a); its integral is one.

    Of a coherent state it is (2/pi) exp(-2 |a - alpha|^2).

    Attributes:
        values: (X, Y): cells uniform in Re a and Im a.
        errors: standard errors of the values.
        x_edges, y_edges: (X + 1,) and (Y + 1,).
        samples: number of samples.
        outside: fraction of samples that no cell holds.
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    x_edges: NDArray[np.float64]
    y_edges: NDArray[np.float64]
    samples: int
    outside: float

    @property
    def cell(self) -> float:
        """Area of a cell."""
        return float((self.x_edges[1] - self.x_edges[0]) * (self.y_edges[1] - self.y_edges[0]))

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw it as a map; ``options`` go to ``pcolormesh``."""
        import matplotlib as mpl

        with mpl.rc_context(STYLE):
            if ax is None:
                ax = new_figure(1)[1][0, 0]
            options = {"shading": "flat", "rasterized": True, **options}
            mesh = ax.pcolormesh(self.x_edges, self.y_edges, self.values.T, **options)
            label = f"W(a) (± {self.errors.max():.1g} at most)"
            ax.figure.colorbar(mesh, ax=ax, label=label)
            ax.set(xlabel="Re a", ylabel="Im a", aspect="equal")
        return ax


def mode_samples(result: Result, name: str | None = None) -> NDArray[np.complex128]:
    """Amplitudes a of a mode, (trajectories,), from a run kept with ``keep="final"``.

    Args:
        result: of ``wf.solve(..., keep="final")`` in the truncated Wigner approximation.
        name: the mode or array member, such as "cavity" or "modes[3]"; may be left out if there is
            only one.

    Raises:
        ValueError: the result holds no such samples.
    """
    names = [v.removesuffix(".re") for v in result.variables if v.endswith(".re")]
    if result.final is None or not names or result.method not in ("twa", "spin-twa"):
        must = "be of method 'twa' or 'spin-twa' with keep='final' and a mode"
        _check.fail("result", must, f"of {result.method!r}")
    chosen = only_or_named(name, names)
    re, im = (result.final[:, result.variables.index(f"{chosen}.{x}")] for x in ("re", "im"))
    amplitudes = re + 1j * im
    return np.asarray(amplitudes[np.isfinite(amplitudes)])


def wigner_density(
    samples: Any,
    name: str | None = None,
    *,
    bins: int = 48,
    centre: complex | None = None,
    width: float | None = None,
) -> WignerDensity:
    """Wigner function of a mode: a histogram of its samples over a square of phase space.

    It is the distribution that the truncated Wigner approximation samples, never negative: of a
    Fock state only its mean and its variance of the number are right.

    Args:
        samples: complex amplitudes (n,), or a result kept with ``keep="final"``.
        name: the mode or array member of a result; may be left out if there is only one.
        bins: cells per side.
        centre: of the square; None takes the mean.
        width: half the side of the square; None takes 4 standard deviations of the wider of Re a
            and Im a.

    Raises:
        ValueError: the result holds no such samples, or there are none.

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> rng = np.random.default_rng(0)
        >>> vacuum = (rng.normal(size=10_000) + 1j * rng.normal(size=10_000)) / 2
        >>> density = wf.wigner_density(vacuum, bins=5, centre=0, width=0.5)
        >>> bool(abs(density.values[2, 2] - 2 / np.pi) < 0.05)
        True
    """
    a = mode_samples(samples, name) if isinstance(samples, Result) else np.asarray(samples, complex)
    if a.ndim != 1 or not a.size:
        _check.fail("samples", "be of shape (n,) with n > 0", f"an array of shape {a.shape}")
    number = _check.integer("bins", bins, 1)
    middle = complex(a.mean()) if centre is None else complex(centre)
    spread = WIDTH * max(float(a.real.std()), float(a.imag.std())) or 1.0
    half = spread if width is None else _check.positive("width", width)
    x_edges, y_edges = (
        np.linspace(x - half, x + half, number + 1) for x in (middle.real, middle.imag)
    )
    counts, _, _ = np.histogram2d(a.real, a.imag, [x_edges, y_edges])
    values, errors = per_cell(counts, a.size, (2 * half / number) ** 2)
    outside = 1 - float(counts.sum()) / a.size
    return WignerDensity(values, errors, x_edges, y_edges, a.size, outside)
