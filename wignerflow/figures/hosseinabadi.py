r"""What the figures of Hosseinabadi, Chelpanova and Marino share: models, methods, drawing.

The paper's rates are plain Lindblad rates. N two-level emitters can be written as spins one by one
or as one ensemble, with the same exact solution. TWA treats them in three ways: every spin a vector
of fixed length (the paper's form), every spin in the Bloch form, with exact means under jumps of
its own, and one ensemble in the Bloch form, whose cost does not depend on N.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

import wignerflow as wf

from ..plot import COLOURS
from . import data as curves
from .contract import Axes, Data

if TYPE_CHECKING:
    from ..model.operators import ArrayOp, Op
    from ..model.states import State
    from ..model.subsystems import Subsystem

PAPER = (
    "H. Hosseinabadi, O. Chelpanova and J. Marino, Making Truncated Wigner for dissipative spins "
    "'plain easy'"
)

#: By key: label and colour.
FORMS: dict[str, tuple[str, str]] = {
    "spins": ("TWA, spins of fixed length", COLOURS[0]),
    "bloch": ("TWA, one ensemble", COLOURS[1]),
    "linear": ("TWA, spins in the Bloch form", COLOURS[2]),
    "pairs": ("TWA, clusters of two spins", COLOURS[4]),
    "ce": ("cumulants, second order", COLOURS[3]),
    "mf": ("mean field", "0.6"),
    "exact": ("exact", "0.1"),
}


def atoms_of(
    N: int, loss: float, pump: float, together: bool
) -> tuple[Subsystem, Op, Op, list[wf.Jump | wf.LocalJump]]:
    """N emitters with loss and pump of each: subsystem, sum of sigma^-, of sigma^z, and jumps."""
    if together:
        atoms = wf.Ensemble(N, name="atoms")
        local: list[wf.Jump | wf.LocalJump] = [
            wf.LocalJump(atoms.sm, loss),
            wf.LocalJump(atoms.sp, pump),
        ]
        return atoms, atoms.Jm, 2 * atoms.Jz, local
    spins = wf.Spin(count=N, name="atoms")
    return spins, spins.sm.sum(), spins.sz.sum(), [wf.Jump(spins.sm, loss), wf.Jump(spins.sp, pump)]


#: By key: the method of a figure's curve.
DETERMINISTIC = {"exact": "exact", "ce": "cumulant", "mf": "mean-field"}
METHODS: dict[str, Any] = DETERMINISTIC | {
    "spins": wf.SpinTWA(),
    "linear": wf.TWA(spin_form="bloch"),
    "pairs": wf.ClusterTWA(size=2),
    "bloch": wf.TWA(),
}


def options(keys: Iterable[str], sampling: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Options of ``solve`` by key of a curve; ``sampling`` are those of sampled ones."""
    return {
        key: {"method": METHODS[key]} | ({} if key in DETERMINISTIC else sampling) for key in keys
    }


def driven_spin(drive: float, decay: float, pump: float) -> tuple[Op, wf.Model]:
    """Eq. (17) from below, or a spin left alone above: sigma^z and the model."""
    spin = wf.Spin(name="spin")
    jumps = [wf.Jump(spin.sm, decay), wf.Jump(spin.sp, pump)]
    return spin.sz, wf.Model(drive * spin.sx, jumps, initial={spin: wf.down if drive else wf.up})


def _exchange(
    N: int,
    one: wf.Mode | wf.Spin,
    lower: Op,
    energy: Op,
    start: State,
    *,
    epsilon: float,
    g: float,
    kappa: float,
    loss: float,
    pump: float,
    together: bool,
) -> wf.Model:
    r"""A mode or spin with operator ``lower`` and loss kappa exchanges excitations with N emitters.

    .. math:: H = E + \frac\epsilon2\sum_i\sigma^z_i
        + \frac{g}{\sqrt N}\sum_i(L^\dagger\sigma^-_i + L\,\sigma^+_i)

    with L and E, ``lower`` and ``energy``; emitters up, the other one in ``start``.
    """
    atoms, minus, inversion, jumps = atoms_of(N, loss, pump, together)
    H = energy + epsilon / 2 * inversion
    H = H + g / np.sqrt(N) * (lower.dag() * minus + lower * minus.dag())
    return wf.Model(H, [wf.Jump(lower, kappa), *jumps], initial={one: start, atoms: wf.up})


def tavis_cummings(N: int, *, omega: float, **others: Any) -> tuple[wf.Mode, wf.Model]:
    """Eq. (28): photonic vacuum and inverted emitters.

    Args:
        N: number of emitters.
        omega: frequency of the mode.
        others: epsilon, g, kappa, loss, pump and ``together`` (see :func:`atoms_of`).
    """
    mode = wf.Mode(name="cavity")
    return mode, _exchange(N, mode, mode.a, omega * mode.n, wf.vacuum, **others)


def central_spin(N: int, *, omega: float, **others: Any) -> tuple[wf.Spin, wf.Model]:
    """Eq. (37): central spin down, N satellite spins up; arguments of :func:`tavis_cummings`."""
    spin = wf.Spin(name="central")
    return spin, _exchange(N, spin, spin.sm, omega / 2 * spin.sz, wf.down, **others)


def rydberg_ring(
    N: int, *, Omega: float, J: float, loss: float, dephasing: float
) -> tuple[ArrayOp, wf.Model]:
    """Eq. (45) with periodic boundaries, all down: sigma^z of every atom, and the model."""
    atoms = wf.Spin(count=N, name="atoms")
    x, z = atoms.sx, atoms.sz
    # every bond is in couple twice, and every atom in two bonds
    bonds = wf.couple(z, wf.NearestNeighbour(periodic=True), z)
    H = Omega * x.sum() + J / 4 * (N + 2 * z.sum()) + J / 8 * bonds
    jumps = [wf.Jump(atoms.sm, loss), wf.Jump(atoms.sz, dephasing)]
    return z, wf.Model(H, jumps, initial={atoms: wf.down})


def chain(N: int, spacing: float, drive: float, initial: State) -> tuple[wf.Spin, Any, wf.Model]:
    """Eqs. (50)-(55), resonant, rates in units of Gamma_0: spins, Gamma_ij and the model.

    Dipoles are perpendicular to the chain, which the paper does not say; ``spacing`` is in units of
    the wavelength.
    """
    spins = wf.Spin(count=N, name="chain")
    places = spacing * np.outer(np.arange(N), [1, 0, 0])
    J, Gamma = wf.emitters.free_space(places, dipole=[0, 0, 1], wavelength=1.0)
    H = wf.couple(spins.sp, J, spins.sm)
    if drive:
        H = H + drive * spins.sx.sum()
    return spins, Gamma, wf.Model(H, [wf.Jump(spins.sm, rate=Gamma)], initial={spins: initial})


#: By the keys of ``FORMS``.
add_runs = partial(curves.add_runs, texts={key: text for key, (text, _) in FORMS.items()})


def circles(ax: Axes, data: Data, name: str, every: int, scale: float = 1.0, **style: Any) -> None:
    """An exact curve as circles at every ``every``-th point."""
    x, y = data[data[name].dims[0]].values, scale * data[name].values
    look: dict[str, Any] = {"markersize": 4.5, "fillstyle": "none", "markeredgewidth": 1.1}
    ax.plot(x[::every], y[::every], "o", color=FORMS["exact"][1], **look | style)


def line(ax: Axes, data: Data, name: str, key: str, scale: float = 1.0, **style: Any) -> None:
    """A deterministic approximation: dashed, or dotted for mean field."""
    label, colour = FORMS[key]
    look: dict[str, Any] = {"linewidth": 1.5, "linestyle": ":" if key == "mf" else "--"}
    look |= {"color": colour, "label": label}
    x = data[data[name].dims[0]].values
    ax.plot(x, scale * data[name].values, **look | style)
