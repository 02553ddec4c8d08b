r"""What a block does by itself in half a drift: the affine flow of local channels and of modes.

Of dv = (A v + b + n) dt with n constant, half a drift of length h gives

.. math:: E v + d + \varphi\,n h, \qquad E = e^{A h/2}, \quad
   \varphi = \varphi_1(A h/2), \quad d = \tfrac h2\,\varphi\,b,

where a share of the drift is left to the caller's n. Rows of tables hold E, phi and d, in as few
numbers as their form allows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..phasespace.system import LocalStep, ModeStep
from .grid import distinct
from .layout import Layout
from .local import Interval, exponential, generator, is_axial
from .oscillators import is_round
from .text import ROW, Values, table_values

AXIAL, ROUND, GENERAL = "axial", "round", "general"


def half_flow(
    A: NDArray[np.float64], b: NDArray[np.float64], h: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """E, phi (..., n, n) and d (..., n) of half a drift of length h."""
    n = A.shape[-1]
    wide = np.zeros((*A.shape[:-2], 2 * n, 2 * n))
    wide[..., :n, :n] = A * (h / 2)
    wide[..., :n, n:] = np.eye(n)
    flow = exponential(wide)
    E, phi = flow[..., :n, :n], flow[..., :n, n:]
    return E, phi, (h / 2) * np.einsum("...ij,...j->...i", phi, b)


class Flows:
    """Prints them, and fills in their tables.

    Args:
        layout: of the kernel.
        spins: local channels by block.
    """

    def __init__(self, layout: Layout, spins: dict[int, LocalStep]):
        self.layout, self.spins = layout, spins
        self.modes: dict[int, ModeStep] = {step.block: step for step in layout.system.modes}
        self.form = {k: AXIAL if is_axial(step) else GENERAL for k, step in spins.items()}
        self.form |= {k: ROUND if is_round(step) else GENERAL for k, step in self.modes.items()}
        self.slots: dict[int, tuple[str, ...]] = {}
        self.row = f"int({layout.parameters.time(ROW)})"
        for k in [*layout.singles, *layout.arrays]:
            if k in self.form:
                parameters = layout.parameters
                self.slots[k] = parameters.table()

    # -- tables ---------------------------------------------------------------------------------

    def _matrices(self, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A (size, n, n) and b (size, n) of block k."""
        if k in self.modes:
            A = sum(part for part, _ in self.modes[k].parts.values())
            return np.asarray(A, float), np.zeros((len(A), 2))  # type: ignore[arg-type]
        lam, c = generator(self.spins[k], Interval(0.0, 1.0))
        return -lam, c * self.spins[k].numbers[:, None] / 2

    def rows(self, k: int, h: float) -> NDArray[np.float64]:
        """The row of block k for a drift of length h: (size, width)."""
        E, phi, d = half_flow(*self._matrices(k), h)
        if self.form[k] == AXIAL:
            numbers = [E[:, 0, 0], E[:, 2, 2], phi[:, 0, 0], phi[:, 2, 2], d[:, 2]]
            return np.stack(numbers, axis=-1)
        if self.form[k] == ROUND:
            return np.stack([E[:, 0, 0], E[:, 1, 0], phi[:, 0, 0], phi[:, 1, 0]], axis=-1)
        flat = [x.reshape(len(E), -1) for x in (E, phi, d)]
        return np.concatenate(flat[: 3 if k in self.spins else 2], axis=1)

    def tables(self, lengths: NDArray[np.float64]) -> tuple[Values, NDArray[np.int64]]:
        """The tables of half steps, and the row of every step."""
        values: Values = {}
        steps, rows = distinct(lengths)
        for k, names in self.slots.items():
            table = np.stack([self.rows(k, h / 2) for h in steps.tolist()])
            values |= table_values(names, table)
        return values, rows

    # -- text -----------------------------------------------------------------------------------

    def width(self, k: int) -> int:
        """Numbers per table row and member."""
        n = self.layout.blocks[k].components
        full = 2 * n * n + (n if k in self.spins else 0)
        return {AXIAL: 5, ROUND: 4, GENERAL: full}[self.form[k]]

    def load(self, k: int, m: str) -> list[str]:
        """Scalar loads of the table row of block k, member m."""
        if k not in self.slots:
            return []
        offset, members, stride = self.slots[k]
        n = self.width(k)
        out = [f"bf{k} = {offset} + ({self.row} * {members} + {m} * {stride}) * {n}"]
        return out + [f"E{k}_{i} = p[bf{k} + {i}]" for i in range(n)]

    def lines(self, k: int, x: list[str], n: list[str], y: list[str]) -> list[str]:
        """In lane: the new state ``y`` from ``x`` and the increment ``n`` ("" for zero)."""
        c = [f"E{k}_{i}" for i in range(self.width(k))]
        size = len(x)
        E: list[list[str]]
        if self.form[k] == AXIAL:
            E = [[c[0], "", ""], ["", c[0], ""], ["", "", c[1]]]
            phi = [[c[2], "", ""], ["", c[2], ""], ["", "", c[3]]]
            shift = ["", "", c[4]]
        elif self.form[k] == ROUND:
            E, phi = ([[a, f"(-{b})"], [b, a]] for a, b in (c[0:2], c[2:4]))
            shift = ["", ""]
        else:
            E, phi = ([c[at + size * i :][:size] for i in range(size)] for at in (0, size * size))
            shift = c[2 * size * size :] or [""] * size
        out = []
        for i in range(size):
            parts = [f"{a} * {b}" for a, b in zip(E[i], x, strict=True) if a]
            parts += [f"{a} * ({b})" for a, b in zip(phi[i], n, strict=True) if a and b]
            out.append(f"{y[i]} = " + " + ".join([*parts, *(s for s in shift[i : i + 1] if s)]))
        return out
