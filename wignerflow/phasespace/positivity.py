r"""Where the diffusion of the generalised P-function is positive.

With S and w of ``linear``, the diffusion matrix is, for N > 1,

.. math:: D(r) = \sum_{ab} S_{ab} (e_a\times r)(e_b\times r)^T + (w\cdot r)(1 - r r^T)
                 - \tfrac12 (1-r^2)(w r^T + r w^T).

On the sphere the eigenvalue for the tangent direction n x m, with m perpendicular to r = n, is
m.S.m + w.n; at given m the worst n points against w, so that D is positive on the whole sphere if
and only if m.S.m >= |w x m| for every unit vector m. With emission K_-, absorption K_+ and
dephasing K_z this is K_z >= (sqrt(K_+) - sqrt(K_-))^2/2, the worst latitude being
(sqrt(K_+) - sqrt(K_-))/(sqrt(K_+) + sqrt(K_-)). Inside the ball r.D.r = 0 but
D r = (1 - r^2)((w.r) r - r^2 w)/2, so that D is positive everywhere if and only if w = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-12  # of the largest rate: an eigenvalue above minus this counts as not negative


@dataclass(frozen=True)
class Verdict:
    """True or false, with the reason and the point of the smallest eigenvalue.

    Attributes:
        yes: whether the generalised P-function is an exact classical process for the model.
        reason: one sentence.
        point: Bloch vector (3,) where the diffusion matrix has its smallest eigenvalue; None where
            the question does not come up.
        eigenvalue: that eigenvalue, in units of the rates (of D for the Bloch vector).
        region: "ball", "sphere" or None: where positivity was asked for.
    """

    yes: bool
    reason: str
    point: NDArray[np.float64] | None = None
    eigenvalue: float | None = None
    region: str | None = None

    def __bool__(self) -> bool:
        return self.yes


def diffusion(
    S: NDArray[np.float64], w: NDArray[np.float64], r: NDArray[np.float64]
) -> NDArray[np.float64]:
    """D at the Bloch vectors r (..., 3), shape (..., 3, 3)."""
    cross = np.cross(np.eye(3), r[..., None, :])  # rows e_a x r
    out = np.einsum("ab,...ai,...bj->...ij", S, cross, cross)
    wr = (r @ w)[..., None, None]
    rr = r[..., :, None] * r[..., None, :]
    mixed = w[:, None] * r[..., None, :] + r[..., :, None] * w
    shell = (1 - (r**2).sum(axis=-1))[..., None, None]
    return np.asarray(out + wr * (np.eye(3) - rr) - shell * mixed / 2)


def sphere_minimum(
    S: NDArray[np.float64], w: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Point on the unit sphere and value of the smallest tangential eigenvalue of D.

    In closed form where w is an eigenvector of S (any combination of J+, J-, Jz, and of Hermitian
    jumps along or across the axis), else by minimising over a grid and then from its best points.
    """
    size = float(np.linalg.norm(w))
    if size <= ROUNDING * max(np.trace(S), 1e-300):
        values, vectors = np.linalg.eigh(S)
        return vectors[:, 1], float(values[0])
    axis = w / size
    k = float(axis @ S @ axis)
    if np.abs(S @ axis - k * axis).max() <= ROUNDING * np.trace(S):
        across = np.linalg.svd(axis[None, :])[2][1:]
        values, vectors = np.linalg.eigh(across @ S @ across.T)
        s = float(values[0])
        side = across.T @ vectors[:, 0]
        u = size / (2 * (s - k)) if 2 * (s - k) > size else 1.0
        point = -u * axis + np.sqrt(1 - u**2) * side
        return point, (s - k) * u**2 - size * u + k

    from scipy.optimize import minimize

    def value(m: NDArray[np.float64]) -> float:
        m = m / np.linalg.norm(m)
        return float(m @ S @ m - np.linalg.norm(np.cross(w, m)))

    grid = fibonacci_sphere(2000)
    values = np.einsum("ni,ij,nj->n", grid, S, grid) - np.linalg.norm(np.cross(w, grid), axis=1)
    runs = [minimize(value, grid[i], tol=1e-14) for i in np.argsort(values)[:8]]
    m = min(runs, key=lambda run: run.fun).x
    m = m / np.linalg.norm(m)
    n = -(w - (w @ m) * m)
    return n / np.linalg.norm(n), value(m)


def ball_minimum(
    S: NDArray[np.float64], w: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Point in the unit ball and value of the smallest eigenvalue of D (numerical minimum)."""
    from scipy.optimize import minimize

    shells = np.linspace(0.05, 1, 20)
    grid = (shells[:, None, None] * fibonacci_sphere(500)).reshape(-1, 3)

    def value(r: NDArray[np.float64]) -> float:
        r = r / max(1.0, float(np.linalg.norm(r)))
        return float(np.linalg.eigvalsh(diffusion(S, w, r))[0])

    values = np.linalg.eigvalsh(diffusion(S, w, grid))[:, 0]
    runs = [minimize(value, grid[i], method="Nelder-Mead") for i in np.argsort(values)[:4]]
    best = min(runs, key=lambda run: run.fun)
    point = best.x / max(1.0, float(np.linalg.norm(best.x)))
    return point, float(best.fun)


def fibonacci_sphere(n: int) -> NDArray[np.float64]:
    """n nearly uniform points on the unit sphere."""
    i = np.arange(n) + 0.5
    z = 1 - 2 * i / n
    phi = np.pi * (1 + np.sqrt(5)) * i
    rho = np.sqrt(1 - z**2)
    return np.stack([rho * np.cos(phi), rho * np.sin(phi), z], axis=-1)
