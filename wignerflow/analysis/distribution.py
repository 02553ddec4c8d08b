"""Histograms of kept samples: Bloch vectors on the sphere and in the ball, amplitudes of modes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..plot import STYLE, new_figure
from ..result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Half the side of the square that is shown, in standard deviations of the wider quadrature.
WIDTH = 4.0


@dataclass(frozen=True)
class SphereDensity:
    """A density over directions, per unit solid angle; its integral is one.

    Attributes:
        values: (Z, F): cells uniform in z = cos(theta) and in the azimuth phi, of equal area.
        errors: standard errors of the values.
        z_edges, phi_edges: (Z + 1,) and (F + 1,), phi from 0 to 2 pi.
        samples: number of samples.
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    z_edges: NDArray[np.float64]
    phi_edges: NDArray[np.float64]
    samples: int

    @property
    def cell(self) -> float:
        """Area of a cell."""
        return float(4 * np.pi / self.values.size)

    def at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Value of the cell in the direction of each point (..., 3)."""
        z, phi = _angles(points)
        Z, F = self.values.shape
        i = np.clip(((z + 1) / 2 * Z).astype(int), 0, Z - 1)
        j = np.clip((phi / (2 * np.pi) * F).astype(int), 0, F - 1)
        return np.asarray(self.values[i, j])

    def plot(self, kind: str = "sphere", ax: Axes | None = None, **options: Any) -> Axes:
        """Draw it: "sphere" from outside, "map" in Mollweide's equal-area projection."""
        from matplotlib import pyplot as plt

        from .ball import draw_map, draw_sphere

        _check.one_of("kind", kind, ["sphere", "map"])
        if ax is None:
            projection = {} if kind == "sphere" else {"projection": "mollweide"}
            ax = plt.figure().add_subplot(**projection)
        mesh = (draw_sphere if kind == "sphere" else draw_map)(ax, self, **options)
        label = r"$P(\theta, \phi)$ per steradian"
        ax.figure.colorbar(mesh, ax=ax, shrink=0.75, label=label)
        return ax


@dataclass(frozen=True)
class BallDensity:
    """A density over the Bloch ball, per unit volume; its integral over the ball is one.

    Attributes:
        values: (R, Z, F): cells uniform in r^3, z/r and phi, of equal volume 4 pi/(3 R Z F).
        errors: standard errors of the values.
        r_edges, z_edges, phi_edges: edges of the cells.
        samples: number of samples.
        outside: fraction of samples outside the ball, which no cell holds.
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    r_edges: NDArray[np.float64]
    z_edges: NDArray[np.float64]
    phi_edges: NDArray[np.float64]
    samples: int
    outside: float

    def directions(self) -> SphereDensity:
        """The density over directions, whatever the length."""
        scale = 1 / (3 * len(self.values))  # the volume of a cell over the area of its directions
        errors = np.sqrt((self.errors**2).sum(axis=0)) * scale
        values = self.values.sum(axis=0) * scale
        return SphereDensity(values, errors, self.z_edges, self.phi_edges, self.samples)


def _angles(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    length = np.linalg.norm(points, axis=-1)
    z = np.divide(points[..., 2], length, out=np.zeros_like(length), where=length > 0)
    return z, np.arctan2(points[..., 1], points[..., 0]) % (2 * np.pi)


def bloch_samples(result: Result, name: str | None = None) -> NDArray[np.float64]:
    """Bloch vectors (ntraj, 3) from a run of the generalised P-function kept with ``keep="final"``.

    Args:
        result: of ``wf.solve(..., method="generalized-p", keep="final")``.
        name: the ensemble or array member, such as "atoms" or "chain[3]"; may be left out if there
            is only one.

    Raises:
        ValueError: the result holds no such samples.
    """
    if result.final is None or result.method != "generalized-p":
        _check.fail(
            "result", "be of method 'generalized-p' with keep='final'", f"of {result.method!r}"
        )
    names = list(dict.fromkeys(v.rpartition(".")[0] for v in result.variables))
    samples = _columns(result, name, names, "xyz")
    return samples[np.all(np.isfinite(samples), axis=1)]


def _columns(result: Result, name: str | None, names: list[str], parts: Any) -> NDArray[np.float64]:
    """Kept samples of the subsystem named, one of ``names``; without a name the only one."""
    if name is None and len(names) > 1:
        _check.fail("name", f"be one of {', '.join(names)}", None)
    chosen = names[0] if name is None else _check.one_of("name", name, names)
    assert result.final is not None
    return result.final[:, [result.variables.index(f"{chosen}.{x}") for x in parts]]


def sphere_density(samples: Any, bins: tuple[int, int] = (32, 64)) -> SphereDensity:
    """Histogram over directions in cells of equal area.

    Args:
        samples: Bloch vectors (n, 3), or a result kept with ``keep="final"``.
        bins: cells in z and in azimuth.
    """
    points = bloch_samples(samples) if isinstance(samples, Result) else np.asarray(samples, float)
    z, phi = _angles(points)
    z_edges, phi_edges = np.linspace(-1, 1, bins[0] + 1), np.linspace(0, 2 * np.pi, bins[1] + 1)
    counts, _, _ = np.histogram2d(np.clip(z, -1, 1), phi, [z_edges, phi_edges])
    values, errors = per_cell(counts, len(points), 4 * np.pi / counts.size)
    return SphereDensity(values, errors, z_edges, phi_edges, len(points))


def ball_density(samples: Any, bins: tuple[int, int, int] = (8, 16, 32)) -> BallDensity:
    """Histogram over the Bloch ball in cells of equal volume.

    Args:
        samples: Bloch vectors (n, 3), or a result kept with ``keep="final"``.
        bins: cells in r^3, in z/r and in azimuth.
    """
    points = bloch_samples(samples) if isinstance(samples, Result) else np.asarray(samples, float)
    length = np.linalg.norm(points, axis=1)
    z, phi = _angles(points)
    edges = [
        np.linspace(0, 1, bins[0] + 1),
        np.linspace(-1, 1, bins[1] + 1),
        np.linspace(0, 2 * np.pi, bins[2] + 1),
    ]
    cube = np.where(np.abs(length - 1) < 1e-4, 1.0, length**3)  # rounding must not take r outside
    counts, _ = np.histogramdd(np.stack([cube, np.clip(z, -1, 1), phi], axis=-1), edges)
    values, errors = per_cell(counts, len(points), 4 * np.pi / 3 / counts.size)
    outside = 1 - float(counts.sum()) / len(points)
    return BallDensity(values, errors, np.cbrt(edges[0]), edges[1], edges[2], len(points), outside)


def per_cell(
    counts: NDArray[np.float64], total: int, size: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Density and its standard error in cells of a size, from counts of so many samples."""
    share = counts / total
    errors = np.sqrt(np.maximum(share * (1 - share), 1 / total**2) / total)
    return share / size, errors / size


# ---------------------------------------------------------------- Wigner functions of modes


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
    amplitudes = _columns(result, name, names, ("re", "im")) @ np.array([1, 1j])
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
