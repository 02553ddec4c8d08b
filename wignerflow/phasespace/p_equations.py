r"""Drift and noise of the generalised P-function, written without poles, and where it diffuses.

With S and w of ``linear``, the diffusion matrix is, for N > 1,

.. math:: D(r) = \sum_{ab} S_{ab} (e_a\times r)(e_b\times r)^T + (w\cdot r)(1 - r r^T)
                 - \tfrac12 (1-r^2)(w r^T + r w^T).

On the sphere the eigenvalue for the tangent direction n x m, with m perpendicular to r = n, is
m.S.m + w.n; at given m the worst n points against w, so that D is positive on the whole sphere if
and only if m.S.m >= |w x m| for every unit vector m. With emission K_-, absorption K_+ and
dephasing K_z this is K_z >= (sqrt(K_+) - sqrt(K_-))^2/2, the worst latitude being
(sqrt(K_+) - sqrt(K_-))/(sqrt(K_+) + sqrt(K_-)). Inside the ball r.D.r = 0 but
D r = (1 - r^2)((w.r) r - r^2 w)/2, so that D is positive everywhere if and only if w = 0.

With G = S + (w.r) 1, the diffusion on the sphere is D = (r x) G (r x)^T. Where G is positive for
every r, its roots are the strengths of rotations about fixed axes; otherwise the root of its part T
across r is taken, T^(1/2) = (T + sqrt(det T))/sqrt(tr T + 2 sqrt(det T)), which is smooth at the
poles. In the ball (w = 0) every jump is a random rotation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.states import BlochState
from .linear import Amount, LinearBlock
from .polynomials import Aux, Member, Poly, Var, poly_sum
from .system import (
    INVERSE_ROOT,
    SQUARE_ROOT,
    Explicit,
    InitialSpec,
    PhaseSpaceSystem,
    Root,
)

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


SMALL_NOISE = 1000  # emitters from which on the first-order noise term, in error by 1/N, is enough
CLIP_TOLERANCE = 1e-4  # of the rates: a diffusion below minus this counts as clipped


def equations(
    system: PhaseSpaceSystem,
    k: int,
    block: LinearBlock,
    states: list[BlochState],
    mean_field: bool,
    when: list[float | None],
) -> Explicit:
    """The equations of block number k; ``when``: times at which the rates are looked at."""
    kind: Any = Var if block.sub.count is None else Member
    r = [Poly.leaf(kind(k, c)) for c in range(3)]
    pure = all(s.is_pure for s in states)
    active = not mean_field and bool(np.any(block.numbers > 1))
    drift = _drift(system, block, r, mean_field)
    scale = np.ones(block.numbers.size)
    order = 2 if block.numbers.min() < SMALL_NOISE else 1
    out = Explicit(k, drift, [], scale, order=order)
    matrices = [block.matrices(t) for t in when]
    S = np.concatenate([m[0] for m in matrices])
    w = np.concatenate([m[1] for m in matrices])
    rate = float(np.trace(S, axis1=1, axis2=2).max(initial=0.0))
    flat = float(np.abs(w).max(initial=0.0)) <= ROUNDING * rate
    out.conserve = (
        not block.local and (pure or flat) and (mean_field or bool(np.all(block.numbers > 1)))
    )
    if not active or rate == 0:
        return out
    diagonal = bool(np.all(np.abs(S - np.einsum("nii,ij->nij", S, np.eye(3))) <= ROUNDING * rate))
    noise = _Noise(system, k, block, r, out, rate)
    if diagonal and np.all(
        np.linalg.eigvalsh(S)[:, 0] - np.linalg.norm(w, axis=1) >= -ROUNDING * rate
    ):
        noise.about_axes(flat)
    elif flat:
        noise.about_jumps()
    else:
        noise.across(diagonal)
    return out


def _drift(
    system: PhaseSpaceSystem, block: LinearBlock, r: list[Poly], mean_field: bool
) -> list[Poly]:
    """a = L r + k - r^2 h + (h.r) r."""
    n = block.numbers.size
    half = Amount.of(np.full(n, 0.5))
    trace = block.S[0, 0] + block.S[1, 1] + block.S[2, 2]
    strength = Amount.of(block.numbers / 2 if mean_field else (block.numbers - 1) / 2)
    h = [(strength * block.w[a]).poly(system) for a in range(3)]
    square = poly_sum(x * x for x in r)
    along = poly_sum(h[a] * r[a] for a in range(3))
    out = []
    for a in range(3):
        constant = block.c[a] if mean_field else block.c[a] + block.w[a] * -1
        total = constant.poly(system) - square * h[a] + along * r[a]
        for b in range(3):
            entry = block.lam[a, b] * -1
            if not mean_field:
                entry = entry + half * block.S[a, b]
                if a == b:
                    entry = entry + half * trace * -1
            if a != b:  # (B x r)_a = eps_acb B_c r_b
                entry = entry + block.B[3 - a - b] * (-1 if (b - a) % 3 == 1 else 1)
            total = total + entry.real().poly(system) * r[b]
        out.append(total.real())
    return out


def cross(u: list[Poly], v: list[Poly]) -> list[Poly]:
    """u x v."""
    return [u[(a + 1) % 3] * v[(a + 2) % 3] - u[(a + 2) % 3] * v[(a + 1) % 3] for a in range(3)]


class _Noise:
    """Writes noise columns whose sum of squares is D."""

    def __init__(
        self,
        system: PhaseSpaceSystem,
        k: int,
        block: LinearBlock,
        r: list[Poly],
        out: Explicit,
        rate: float,
    ):
        self.system, self.k, self.block = system, k, block
        self.r, self.out, self.rate = r, out, rate
        unit = [Poly.constant(1.0), Poly(), Poly()]
        self.axes = [[unit[(b - a) % 3] for b in range(3)] for a in range(3)]

    def root(self, of: Poly, kind: str = SQUARE_ROOT, scale: float = 1.0) -> Poly:
        """The leaf of a root, made once."""
        for i, root in enumerate(self.out.roots):
            if root.kind == kind and root.of.terms == of.terms:
                return Poly.leaf(Aux(self.k, i))
        self.out.roots.append(Root(kind, of, CLIP_TOLERANCE * scale))
        return Poly.leaf(Aux(self.k, len(self.out.roots) - 1))

    def about_axes(self, flat: bool) -> None:
        """Rotations about x, y, z of strength S_aa + w.r."""
        tilt = Poly()
        if not flat:
            tilt = poly_sum(self.block.w[a].poly(self.system) * self.r[a] for a in range(3))
        for a in range(3):
            strength = self.block.S[a, a].poly(self.system) + tilt
            if strength:
                amplitude = self.root(strength, scale=self.rate)
                self.out.noise.append([amplitude * p for p in cross(self.axes[a], self.r)])

    def about_jumps(self) -> None:
        """w = 0: rotations about the real and the imaginary part of every jump's vector."""
        for u, rate in self.block.jumps:
            amplitude = self.root(rate.poly(self.system), scale=self.rate)
            for part in (Amount.real, Amount.imag):
                vector = [part(x).poly(self.system) for x in u]
                if any(vector):
                    self.out.noise.append([amplitude * p for p in cross(vector, self.r)])

    def across(self, diagonal: bool) -> None:
        """On the sphere: the root of the part of G across r."""
        r = self.r
        S = [[self.block.S[a, b].poly(self.system) for b in range(3)] for a in range(3)]
        if diagonal:
            S = [[S[a][b] if a == b else Poly() for b in range(3)] for a in range(3)]
        tilt = poly_sum(self.block.w[a].poly(self.system) * r[a] for a in range(3))
        Sr = [poly_sum(S[a][b] * r[b] for b in range(3)) for a in range(3)]
        across = S[0][0] + S[1][1] + S[2][2] - poly_sum(r[a] * Sr[a] for a in range(3))
        adjugate = [cross(S[(a + 1) % 3], S[(a + 2) % 3]) for a in range(3)]
        square = poly_sum(r[a] * adjugate[a][b] * r[b] for a in range(3) for b in range(3))
        root = self.root(square + tilt * across + tilt * tilt, scale=self.rate**2)
        share = self.root(across + tilt * 2 + root * 2, INVERSE_ROOT)
        for j in range(3):
            column = [S[a][j] - r[j] * Sr[a] + (tilt + root) * self.axes[j][a] for a in range(3)]
            self.out.noise.append([share * p for p in cross(r, column)])


def point(states: list[BlochState]) -> InitialSpec:
    """Every trajectory begins at the emitters' Bloch vector: P is a delta function."""
    n = len(states)
    vectors = np.array([s.vector for s in states])
    none = np.zeros((n, 3))
    return InitialSpec(np.zeros(n, np.int64), none, none.copy(), vectors, np.ones(n), np.zeros(n))
