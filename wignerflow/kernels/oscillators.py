r"""Exact linear motion of modes inside a collective step, see ``linear_part``.

Under dx = A x dt + dF + B dW, with dF the drive of everything else taken as even over the step,
the average over the step and the end are

.. math:: \bar x = \varphi_1 x + \varphi_2 (F + B W) + R n, \qquad
   x' = x + F + B W + A h\,\bar x,

:math:`\varphi_1 = (e^{Ah} - 1)/Ah`, :math:`\varphi_2 = (\varphi_1 - 1)/Ah`, W the whole increment
of the noise, n two more normals and R R^T the covariance of the average that W leaves open. All is
exact in law for an even drive, at any h: moments of a driven, damped mode have no step error, and
what couples to a mode of fast decay sees the average that it has over the step. The drive itself
is taken at mid-step, which makes the whole of second order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..phasespace.system import ModeStep
from .grid import Grid, distinct
from .layout import Layout
from .local import exponential
from .rng import DYNAMICS
from .text import ROW, Lines, Values, fill, table_values

ROUND, GENERAL = 8, 18  # numbers per table row
_BATCH = 2000  # exponentials made at once


def is_round(step: ModeStep) -> bool:
    """True if every part turns and damps both quadratures alike: A = [[a, -w], [w, a]], D ~ 1."""
    for A, D in step.parts.values():
        scale = 1e-13 * (max(np.abs(A).max(), np.abs(D).max()) or 1.0)
        odd = [A[:, 0, 0] - A[:, 1, 1], A[:, 0, 1] + A[:, 1, 0], D[:, 0, 0] - D[:, 1, 1]]
        odd.append(D[:, 0, 1])
        if max(float(np.abs(x).max()) for x in odd) > scale:
            return False
    return True


def step_numbers(
    A: NDArray[np.float64], D: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """phi_1, phi_2 and R R^T, shape (..., 2, 2), from A h and D h.

    With Psi' = 1 + A Psi from zero, phi_2 is the integral of Psi over a unit of time, and the
    covariance of the average is that of Psi D Psi^T; one linear equation for all of it.
    """
    one, eye, n = np.eye(2), np.eye(4), 13
    generator = np.zeros((*A.shape[:-2], n, n))

    def left(X: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.einsum("...ij,kl->...ikjl", X, one).reshape(*X.shape[:-2], 4, 4)

    def right(X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Y -> Y X^T on flattened matrices."""
        return np.einsum("ij,...kl->...ikjl", one, X).reshape(*X.shape[:-2], 4, 4)

    swap = eye[[0, 2, 1, 3]]  # of a transposed matrix
    generator[..., 0:4, 0:4] = left(A)
    generator[..., 0:4, 12] = one.ravel()
    generator[..., 4:8, 4:8] = left(A) + right(A)
    # (Psi D Psi^T)' = A P + P A^T + D Psi^T + Psi D
    generator[..., 4:8, 0:4] = left(D) @ swap + right(D.swapaxes(-1, -2))
    generator[..., 8:12, 4:8] = eye
    flow = exponential(generator)
    phi1 = flow[..., 0:4, 12].reshape(A.shape)
    total = flow[..., 8:12, 12].reshape(A.shape)
    # the integral of Psi, from phi_1 = 1 + A phi_2 without dividing
    wide = np.zeros((*A.shape[:-2], 6, 6))
    wide[..., 0:2, 0:2] = A
    wide[..., 0:2, 2:4] = wide[..., 2:4, 4:6] = one
    phi2 = exponential(wide)[..., 0:2, 4:6]
    return phi1, phi2, total - phi2 @ D @ phi2.swapaxes(-1, -2)


def factor(C: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entries 00, 10, 11 of the lower factors of covariances, which may be singular."""
    a = np.sqrt(np.maximum(C[..., 0, 0], 0))
    b = np.divide(C[..., 1, 0], a, out=np.zeros_like(a), where=a > 0)
    return np.stack([a, b, np.sqrt(np.maximum(C[..., 1, 1] - b * b, 0))], axis=-1)


class ModePrinter:
    """Prints the motion of the modes that have linear motion of their own."""

    def __init__(self, layout: Layout):
        self.layout = layout
        self.steps = {step.block: step for step in layout.system.modes}
        self.round = {k: is_round(step) for k, step in self.steps.items()}
        self.noisy = {
            k: any(np.any(D) for _, D in step.parts.values()) for k, step in self.steps.items()
        }
        self.slots: dict[int, tuple[str, str, str]] = {}
        self.pairs: dict[int, str] = {}
        self.room: dict[int, str] = {}
        parameters = layout.parameters
        self.row = ""
        for k in [*layout.singles, *layout.arrays]:
            if k not in self.steps:
                continue
            self.row = f"int({parameters.time(ROW)})"
            self.slots[k] = parameters.table()
            if not self.noisy[k]:
                continue
            size, single = layout.blocks[k].size, k in layout.singles
            if single:  # scratch in one piece, so that one loop fills it
                for i in range(4):
                    layout.s(f"mode{k}_{i}")
            if not single:
                self.pairs[k] = layout.draws.first(DYNAMICS, layout.blocks[k].name, 2 * size)
                self.room[k] = layout.wide(4 * size)

    # -- tables ---------------------------------------------------------------------------------

    def width(self, k: int) -> int:
        """Numbers per table row and member."""
        return ROUND if self.round[k] else GENERAL

    @property
    def constant(self) -> bool:
        """True if no frequency and no rate depends on time."""
        return not any(times for step in self.steps.values() for times in step.parts)

    def rows(
        self,
        k: int,
        starts: NDArray[np.float64],
        lengths: NDArray[np.float64],
        panels: int,
        noise: bool,
    ) -> NDArray[np.float64]:
        """Table rows of block k of the steps that begin at ``starts``: (steps, size, width)."""
        size = self.layout.blocks[k].size
        A, D = np.zeros((2, starts.size, size, 2, 2))
        for times, (part_A, part_D) in self.steps[k].parts.items():
            value = lengths.copy()
            for part in times:
                value = value * part.average(starts, lengths, panels)
            A += value[:, None, None, None] * part_A
            D += value[:, None, None, None] * part_D * float(noise)
        flat, spread = A.reshape(-1, 2, 2), D.reshape(-1, 2, 2)
        found = [
            step_numbers(flat[i : i + _BATCH], spread[i : i + _BATCH])
            for i in range(0, len(flat), _BATCH)
        ]
        phi1, phi2, C = (np.concatenate(parts) for parts in zip(*found, strict=True))
        B, R = factor(spread), factor(C)
        if self.round[k]:
            pairs = [x[:, [0, 1], 0] for x in (phi1, phi2, flat)]
            out = np.concatenate([*pairs, B[:, :1], R[:, :1]], axis=1)
        else:
            out = np.concatenate([*(x.reshape(-1, 4) for x in (phi1, phi2, flat)), B, R], axis=1)
        return out.reshape(starts.size, size, self.width(k))

    def tables(self, grid: Grid, noise: bool) -> tuple[Values, NDArray[np.int64]]:
        """The tables of steps, and the row of every collective step."""
        values: Values = {}
        starts, lengths = grid.times, grid.lengths
        if self.constant:
            lengths, rows = distinct(lengths)
            starts = np.zeros_like(lengths)
        else:
            rows = np.arange(lengths.size)
        for k, names in self.slots.items():
            values |= table_values(names, self.rows(k, starts, lengths, grid.panels, noise))
        return values, rows.astype(np.int64)

    # -- text -----------------------------------------------------------------------------------

    def load(self, k: int, m: str) -> list[str]:
        """Scalar loads of the table row of block k, member m."""
        offset, members, stride = self.slots[k]
        n = self.width(k)
        out = [f"bo{k} = {offset} + ({self.row} * {members} + {m} * {stride}) * {n}"]
        return out + [f"O{k}_{i} = p[bo{k} + {i}]" for i in range(n)]

    def noise_singles(self, out: Lines) -> None:
        """Normals of all single modes into scratch: of W, and the two more."""
        noisy = [k for k in self.layout.singles if self.noisy.get(k)]
        if noisy:
            at = self.layout.scratch[f"mode{noisy[0]}_0"]
            names = [self.layout.blocks[k].name for k in noisy]
            self.layout.normals(out, "kd", DYNAMICS, names, 2, at)

    def noise_member(self, k: int, stage: int, out: Lines) -> None:
        """Normals of member m into the wide scratch array, in stage 1; kept for stage 2."""
        if self.noisy[k]:
            out += [f"io{k} = ({self.room[k]} + 4 * m) * LN & FAR"]
            if stage == 1:
                for e in range(2):
                    slots = [f"w[io{k} + {2 * e + i} * LN + l]" for i in range(2)]
                    fill(out, "kd", f"{self.pairs[k]} + 2 * m + {e}", slots)

    def read_noise(self, k: int) -> list[str]:
        """In lane: the four normals by name."""
        if not self.noisy[k]:
            return []
        if k in self.room:
            return [f"g{k}_{i} = w[io{k} + {i} * LN + l]" for i in range(4)]
        return [f"g{k}_{i} = {self.layout.s(f'mode{k}_{i}')}" for i in range(4)]

    def lines(self, k: int, g: list[str], x: list[str], y: list[str]) -> list[str]:
        """In lane: the average over the step ``y`` from its start ``x`` and the gradient ``g``.

        The drive stays in o{k}_0 and o{k}_1 for ``end``.
        """
        c, n = [f"O{k}_{i}" for i in range(self.width(k))], [f"g{k}_{i}" for i in range(4)]
        drive = [f"F(0.5) * ({g[1]})" if g[1] else "", f"F(-0.5) * ({g[0]})" if g[0] else ""]
        noisy = self.noisy[k]
        if self.round[k]:
            noise = [f"{c[6]} * {n[0]}", f"{c[6]} * {n[1]}"]
            open_ = [f"{c[7]} * {n[2]}", f"{c[7]} * {n[3]}"]
            first, second = ([[a, f"(-{b})"], [b, a]] for a, b in ((c[0], c[1]), (c[2], c[3])))
        else:
            noise = [f"{c[12]} * {n[0]}", f"{c[13]} * {n[0]} + {c[14]} * {n[1]}"]
            open_ = [f"{c[15]} * {n[2]}", f"{c[16]} * {n[2]} + {c[17]} * {n[3]}"]
            first, second = [c[0:2], c[2:4]], [c[4:6], c[6:8]]
        out, o = [], [f"o{k}_{i}" for i in range(2)]
        for i in range(2):
            parts = [drive[i], noise[i] if noisy else ""]
            out.append(f"{o[i]} = " + (" + ".join(p for p in parts if p) or "F(0) * " + x[i]))
        for i in range(2):
            rest = f" + {open_[i]}" if noisy else ""
            out.append(
                f"{y[i]} = {first[i][0]} * {x[0]} + {first[i][1]} * {x[1]}"
                f" + {second[i][0]} * {o[0]} + {second[i][1]} * {o[1]}{rest}"
            )
        return out

    def end(self, k: int, x: list[str], y: list[str], z: list[str]) -> list[str]:
        """In lane: the end ``z`` of the step whose average is ``y``."""
        c = [f"O{k}_{i}" for i in range(self.width(k))]
        rows = [[c[4], f"(-{c[5]})"], [c[5], c[4]]] if self.round[k] else [c[8:10], c[10:12]]
        return [
            f"{z[i]} = {x[i]} + o{k}_{i} + {rows[i][0]} * {y[0]} + {rows[i][1]} * {y[1]}"
            for i in range(2)
        ]
