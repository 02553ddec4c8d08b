r"""Mean-field flows of ensembles in the Bloch ball: fixed points, their stability, phase portraits.

For one ensemble with H = B.J, collective jumps and one-emitter jumps, and N to infinity at
constant N times the collective rates, the Bloch vector obeys (Merkel et al. 2020, Eq. (22), whose
local terms have gains and losses exchanged in print)

.. math:: \dot r = B\times r - \tfrac N2 (r^2 w - (w\cdot r) r) - \Lambda r + c,

with w of ``phasespace.linear``: w = (K_- - K_+) z for emission and absorption at plain rates.
Without local jumps r^2 is conserved; fixed points are then those on the unit sphere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .. import _check
from ..model.model import Model
from ..phasespace.linear import LinearBlock, NotLinear, linear_blocks
from ..phasespace.p_equations import fibonacci_sphere

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STARTS, STEPS = 400, 80  # starting points of the search, and Newton steps from each
CLOSE = 1e-6  # points nearer than this are one
ZERO = 1e-12  # components below this are none
NEUTRAL = 1e-7  # of the rates: a real part below this counts as zero


class Flow:
    """The mean-field equations of one member of an ensemble.

    Attributes:
        A, k, h: dr/dt = A r + k - r^2 h + (h.r) r.
        name: of the member.
        on_sphere: no local jumps, so that the length of r is conserved.
    """

    def __init__(self, block: LinearBlock, m: int):
        self.name = block.name if block.sub.count is None else f"{block.name}[{m}]"
        parts = (*block.B, *block.w, *block.c, *block.lam.ravel())
        if any(part.varies for part in parts):
            _check.fail("model", "have constant coefficients and rates", "a time-dependent one")

        def values(amounts: NDArray) -> NDArray[np.float64]:
            return np.array([x.at(None)[m].real for x in amounts.ravel()]).reshape(amounts.shape)

        B = values(block.B)
        turn = np.array([[0, -B[2], B[1]], [B[2], 0, -B[0]], [-B[1], B[0], 0]])
        self.A, self.k = turn - values(block.lam), values(block.c)
        self.h = block.numbers[m] / 2 * values(block.w)
        self.on_sphere = not block.local
        self.scale = float(max(np.abs(self.A).max(), np.abs(self.h).max(), np.abs(self.k).max()))

    def __call__(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        """dr/dt at r (..., 3)."""
        square = (r**2).sum(axis=-1, keepdims=True)
        along = (r @ self.h)[..., None]
        return r @ self.A.T + self.k - square * self.h + along * r

    def jacobian(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        """d(dr/dt)/dr at r (..., 3)."""
        along = (r @ self.h)[..., None, None]
        outer = r[..., :, None] * self.h - 2 * self.h[:, None] * r[..., None, :]
        return np.asarray(self.A + along * np.eye(3) + outer)


@dataclass(frozen=True)
class FixedPoint:
    """A fixed point of the mean-field equations.

    Attributes:
        name: the ensemble, or member of an array.
        point: Bloch vector (3,).
        eigenvalues: of the linearised flow; two, along the sphere, where the length is conserved.
        kind: "stable", "unstable", "saddle" or "neutral" (a centre, or one of a family).
    """

    name: str
    point: NDArray[np.float64]
    eigenvalues: NDArray[np.complex128]
    kind: str

    @property
    def stable(self) -> bool:
        """True if every small deviation decays."""
        return self.kind == "stable"


def flows(model: Model) -> list[Flow]:
    """The mean-field equations, one per member; members must not be coupled.

    Raises:
        ValueError: the model has couplings, modes or time-dependent rates.
    """
    try:
        blocks = linear_blocks(model)
    except NotLinear as error:
        raise ValueError(
            f"The mean-field flow in the ball needs independent ensembles, H = B.J, but {error}; "
            "wf.solve(..., method='mean-field') treats any model."
        ) from error
    return [Flow(block, m) for block in blocks for m in range(block.numbers.size)]


def fixed_points(model: Model) -> list[FixedPoint]:
    """Fixed points of the mean-field equations in the Bloch ball, stable ones first.

    All isolated ones, found by Newton's method from many starts; of a continuous family some
    members, marked "neutral". Without local jumps: those on the unit sphere.

    Example:
        >>> import wignerflow as wf
        >>> atoms = wf.Ensemble(100)
        >>> model = wf.Model(0.6 * atoms.Jx, [wf.Jump(atoms.Jp, 0.02)], initial={atoms: wf.down})
        >>> for p in wf.mean_field.fixed_points(model):
        ...     print(p.kind, p.point.round(6) + 0.0)
        stable [ 0.  -0.6  0.8]
        unstable [ 0.  -0.6 -0.8]

    Raises:
        ValueError: see :func:`flows`.
    """
    return [point for flow in flows(model) for point in _points(flow)]


def _points(flow: Flow) -> list[FixedPoint]:
    if flow.scale == 0:
        return []
    shells = np.ones(STARTS) if flow.on_sphere else np.linspace(0.02, 1, STARTS)
    r = shells[:, None] * fibonacci_sphere(STARTS)
    with np.errstate(all="ignore"):
        for _ in range(STEPS):
            value, slope = flow(r) / flow.scale, flow.jacobian(r) / flow.scale
            if flow.on_sphere:
                length = ((r**2).sum(axis=1, keepdims=True) - 1) / 2
                value, slope = np.hstack([value, length]), np.hstack([slope, r[:, None, :]])
            step = (np.linalg.pinv(slope, rcond=1e-10) @ value[..., None])[..., 0]
            r = r - step / np.maximum(1, np.linalg.norm(step, axis=1, keepdims=True) / 0.5)
            r = np.where(np.isfinite(r), r, 0.0)
    residue = np.linalg.norm(flow(r), axis=1) / flow.scale
    radius = np.linalg.norm(r, axis=1)
    good = (residue < 1e-9) & (radius < 1 + 1e-9)
    if flow.on_sphere:
        good &= np.abs(radius - 1) < 1e-9
    found: list[NDArray[np.float64]] = []
    for point in r[good]:
        if not any(np.linalg.norm(point - other) < CLOSE for other in found):
            found.append(point)
    out = [_classified(flow, point) for point in found]
    isolated = [p for p in out if p.kind != "neutral" or np.all(np.abs(p.eigenvalues) > 1e-5)]
    family = [p for p in out if not any(p is q for q in isolated)]
    order = ["stable", "neutral", "saddle", "unstable"]
    points = isolated + family[:8]
    return sorted(points, key=lambda p: (order.index(p.kind), tuple(np.round(-p.point, 6))))


def _classified(flow: Flow, point: NDArray[np.float64]) -> FixedPoint:
    point = np.where(np.abs(point) < ZERO, 0.0, point)
    slope = flow.jacobian(point)
    if flow.on_sphere:
        tangent = np.linalg.svd(point[None, :])[2][1:]
        slope = tangent @ slope @ tangent.T
    values = np.linalg.eigvals(slope).astype(complex)
    real = values.real / flow.scale
    if np.any(np.abs(real) < NEUTRAL):
        kind = "neutral"
    elif np.all(real < 0):
        kind = "stable"
    else:
        kind = "unstable" if np.all(real > 0) else "saddle"
    return FixedPoint(flow.name, point, values, kind)


def trajectories(
    flow: Flow, starts: NDArray[np.float64], times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Solutions from the Bloch vectors ``starts`` (n, 3) at ``times`` (T,): shape (n, T, 3)."""
    from scipy.integrate import solve_ivp

    starts = np.atleast_2d(starts)

    def slope(_: float, y: NDArray[np.float64]) -> NDArray[np.float64]:
        return flow(y.reshape(-1, 3)).ravel()

    span = (float(times[0]), float(times[-1]))
    solved = solve_ivp(slope, span, starts.ravel(), t_eval=times, rtol=1e-8, atol=1e-10)
    return solved.y.reshape(len(starts), 3, -1).transpose(0, 2, 1)


def portrait(
    model: Model,
    starts: Iterable[NDArray[np.float64]] | None = None,
    *,
    duration: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the mean-field flow of the first ensemble in the Bloch ball, with its fixed points.

    Args:
        model: the master equation; its initial state is not used.
        starts: Bloch vectors at which lines begin; None spreads 24 over the sphere.
        duration: length of the lines in time; None takes 12 over the largest rate.
        ax: axes to draw into; None makes new ones.
    """
    from .ball import draw_lines, draw_points, new_ball

    flow = flows(model)[0]
    ax = new_ball() if ax is None else ax
    begin = fibonacci_sphere(24) if starts is None else np.array(list(starts), float)
    end = 12 / (flow.scale or 1.0) if duration is None else duration
    draw_lines(ax, trajectories(flow, begin, np.linspace(0, end, 400)))
    draw_points(ax, _points(flow))
    return ax
