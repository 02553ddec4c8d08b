r"""Noise alone, for a step that takes drift and noise in turn.

A step is a kick with a sixth of its noise, half the drift, two thirds, half the drift, a sixth (the
last merges with the first of the next step): Simpson's weights, so that the noise that passes
through the drift is right to fourth order. Jumps turn spins and translate modes by their
increments, whose gradient is a constant. The noise of local channels and of modes is added with
covariances S, 4 S and S, such that a step is exact in first and second moments where nothing else
acts: with E the flow of half a step, of modes

.. math:: E^2 S E^{2T} + 4 E S E^T + S = \int_0^h e^{As} D e^{A^Ts} ds,

and of local channels, with M, d and M^2, d' as in ``local`` for half a step and a whole one,
S(J) = S_0 - (J e^T + e J^T)/2, e = (1 + 4 M + M^2)^{-1} d',

.. math:: M^2 S_0 M^{2T} + 4 M S_0 M^T + S_0 = \tfrac N4 (1 - M^2 M^{2T} - d' d'^T
   + d' e^T + e d'^T + 4 M(d e^T + e d^T)M^T).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..phasespace.system import LocalStep
from .grid import distinct
from .layout import Layout
from .local import (
    CLIP_TOLERANCE,
    GENERAL,
    Interval,
    LocalPrinter,
    exponential,
    generator,
    step_moments,
)
from .oscillators import factor, is_round
from .rng import LOCAL
from .text import Lines, Values, fill, table_values


def balanced(M: NDArray[np.float64], C: NDArray[np.float64]) -> NDArray[np.float64]:
    """S (..., n, n) with M^2 S M^2^T + 4 M S M^T + S = C."""
    n = M.shape[-1]
    one = np.einsum("...ik,...jl->...ijkl", M, M).reshape(*M.shape[:-2], n * n, n * n)
    flat = C.reshape(*C.shape[:-2], n * n, 1)
    return np.asarray(np.linalg.solve(one @ one + 4 * one + np.eye(n * n), flat), float).reshape(
        C.shape
    )


def local_kick(
    step: LocalStep, axial: bool, h: float, share: float, noise: bool
) -> NDArray[np.float64]:
    """Row of a kick, ``share`` times the first of a step h: as in ``local.row`` with M = 1."""
    N, strength = step.numbers, share * float(noise)
    M, d = step_moments(*generator(step, Interval(0.0, 1.0)), h / 2)
    M2, d2 = M @ M, d + (M @ d[:, :, None])[:, :, 0]
    e = np.linalg.solve(np.eye(3) + 4 * M + M2, d2[:, :, None])[:, :, 0]

    def both(a: NDArray[np.float64]) -> NDArray[np.float64]:
        outer = a[:, :, None] * e[:, None, :]
        return outer + outer.swapaxes(1, 2)

    rest = np.eye(3) - M2 @ M2.swapaxes(1, 2) - d2[:, :, None] * d2[:, None, :]
    rest = rest + both(d2) + 4 * M @ both(d) @ M.swapaxes(1, 2)
    S = strength * balanced(M, N[:, None, None] / 4 * rest)
    e = strength * e
    zero, one, tolerance = np.zeros_like(N), np.ones_like(N), CLIP_TOLERANCE * N / 4
    if axial:
        a = np.sqrt(np.maximum(S[:, 0, 0], 0))
        xz = np.divide(-0.5 * e[:, 2], a, out=np.zeros_like(a), where=a > 0)
        return np.stack([one, one, zero, a, xz, S[:, 2, 2], -e[:, 2], tolerance], axis=-1)
    i, j = np.tril_indices(3)
    identity = np.broadcast_to(np.eye(3).ravel(), (N.size, 9))
    columns = [identity, e, S[:, i, j], np.zeros((N.size, 3)), tolerance[:, None]]
    out = np.concatenate(columns, axis=1)
    return np.pad(out, ((0, 0), (0, GENERAL - out.shape[1])))


def mode_kick(
    A: NDArray[np.float64], D: NDArray[np.float64], h: float, share: float
) -> NDArray[np.float64]:
    """Lower factors (size, 3) of a kick, ``share`` times the first of a step h.

    Where a mode turns so fast that the balance has no positive solution, D h/6 stands for it.
    """
    n = 2
    wide = np.zeros((*A.shape[:-2], 2 * n, 2 * n))  # van Loan
    wide[..., :n, :n], wide[..., :n, n:] = -A * h, D * h
    wide[..., n:, n:] = A.swapaxes(-1, -2) * h
    flow = exponential(wide)
    C = flow[..., n:, n:].swapaxes(-1, -2) @ flow[..., :n, n:]
    E, S, plain = exponential(A * (h / 2)), np.empty_like(D), D * (h / 6)
    for m in range(len(A)):
        size = np.abs(plain[m]).max()
        with np.errstate(all="ignore"):
            S[m] = balanced(E[m], C[m])
        right = np.all(np.isfinite(S[m])) and np.abs(S[m]).max() <= 6 * size
        if not right or np.linalg.eigvalsh(S[m]).min() < -1e-9 * size:
            S[m] = plain[m]
    return factor(share * S)


class Kicks(LocalPrinter):
    """Prints the noise of a system's local channels and modes.

    Args:
        layout: of the kernel.
    """

    counted = False  # those within a step count by themselves

    def __init__(self, layout: Layout):
        super().__init__(layout)
        self.modes = {
            step.block: step
            for step in layout.system.modes
            if any(np.any(D) for _, D in step.parts.values())
        }
        self.round = {k: is_round(step) for k, step in self.modes.items()}
        self.root = layout.parameters.integer(0)
        #: First row of the kicks in the middle of steps.
        self.middle = layout.parameters.integer(0)
        self.mode_slots: dict[int, tuple[str, ...]] = {}
        self.mode_pairs: dict[int, str] = {}
        for k in self.modes:
            self.mode_slots[k] = layout.parameters.table()
            if k in layout.arrays:
                size = layout.blocks[k].size
                self.mode_pairs[k] = layout.draws.first(LOCAL, layout.blocks[k].name, size)

    # -- tables ---------------------------------------------------------------------------------

    def kick_tables(
        self,
        lengths: NDArray[np.float64],
        ends: NDArray[np.bool_],
        steps: NDArray[np.float64],
        on: bool,
    ) -> tuple[Values, NDArray[np.int64]]:
        """The tables of kicks, and the row of every kick between steps.

        ``lengths`` are times whose noise a kick holds, ``ends`` those at the ends of an output
        interval, which have a step on one side only; ``steps`` are lengths of steps.
        """
        keys = np.column_stack([np.round(np.log(lengths), 12), ends])
        kinds, rows = np.unique(keys, axis=0, return_inverse=True)
        # (step, how often its first kick, time)
        between = ((float(np.exp(a)), bool(b)) for a, b in kinds)
        kicks = [(t * (6 if end else 3), 1.0 if end else 2.0, t) for t, end in between]
        values: Values = {self.middle: len(kicks)}
        kicks += [(h, 4.0, h * 2 / 3) for h in distinct(steps)[0].tolist()]
        values[self.root] = np.sqrt([t for _, _, t in kicks]) * float(on)
        for k, step in self.spins.items():
            table = [local_kick(step, self.axial[k], h, share, on) for h, share, _ in kicks]
            values |= table_values(self.slots[k], np.stack(table))
        for k, mode in self.modes.items():
            A = np.asarray(sum(part for part, _ in mode.parts.values()), float)
            D = np.asarray(sum(part for _, part in mode.parts.values()), float) * float(on)
            numbers = np.stack([mode_kick(A, D, h, share) for h, share, _ in kicks])
            used = numbers[..., : 1 if self.round[k] else 3]
            values |= table_values(self.mode_slots[k], used)
        return values, np.asarray(rows.ravel(), np.int64)

    # -- text -----------------------------------------------------------------------------------

    def load(self, k: int, m: str) -> list[str]:
        """Scalar loads of the table row ``lr`` of block k, member m."""
        if k in self.steps:
            return super().load(k, m)
        if k not in self.modes:
            return []
        offset, members, stride = self.mode_slots[k]
        n = 1 if self.round[k] else 3
        out = [f"b{k} = {offset} + (lr * {members} + {m} * {stride}) * {n}"]
        return out + [f"L{k}_{i} = p[b{k} + {i}]" for i in range(n)]

    def draw_modes(self, out: Lines) -> None:
        """Normals of all single modes into scratch."""
        single = [k for k in self.layout.singles if k in self.modes]
        for k in single:  # in one piece, so that one loop fills it
            for i in range(2):
                self.layout.s(f"mode{k}_{i}")
        if single:
            names = [self.layout.blocks[k].name for k in single]
            at = self.layout.scratch[f"mode{single[0]}_0"]
            self.layout.normals(out, "kl", LOCAL, names, 1, at)

    def draw_member(self, k: int, out: Lines) -> None:
        """Normals of member m into scratch."""
        if k in self.steps:
            self.noise_member(k, out)
        elif k in self.modes:
            slots = self.layout.slots(f"mode{k}", 2)
            fill(out, "kl", f"{self.mode_pairs[k]} + m", slots)

    def kick(self, k: int, x: list[str], y: list[str]) -> list[str]:
        """In lane: names ``y`` from names ``x``."""
        if k in self.steps:
            return [*self.read_noise(k), *self.lines(k, x, y)]
        n = [f"n{k}_{i}" for i in range(2)]
        out = [f"{n[i]} = {self.layout.s(f'mode{k}_{i}')}" for i in range(2)]
        if self.round[k]:
            noise = [f"L{k}_0 * {n[0]}", f"L{k}_0 * {n[1]}"]
        else:
            noise = [f"L{k}_0 * {n[0]}", f"L{k}_1 * {n[0]} + L{k}_2 * {n[1]}"]
        return [*out, *(f"{y[i]} = {x[i]} + {noise[i]}" for i in range(2))]
