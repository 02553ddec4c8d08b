r"""Mean field, ``wf.MeanField``: the classical equations without noise and without correlations.

Drift: that of the truncated Wigner equations with the noise left out, dJ = (∂_J h + Im terms) x J
and dJ = -Lambda J + (N/2) c, exact to leading order in 1/N. Observables are taken in the product
state with the mean-field Bloch vectors, so that on one ensemble <{J_a, J_b}>/2 = J_a J_b (1 - 1/N)
+ delta_ab N/4, and in coherent states of the modes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..method import Operators
from ..model.levels import Levels
from ..model.mode_states import ModeState
from ..model.model import Model
from ..model.operators import ArrayOp, Op
from ..model.subsystems import Subsystem
from ..model.words import BOSON
from . import lower, pulses
from .lower import has_other_noise
from .method import Symbol, TrajectoryMethod
from .polynomials import expanded
from .product_state import Pieces, ProductStates, emitters, level_moment
from .symbols import SymbolMap
from .system import PhaseSpaceSystem


class CoherentSymbols(SymbolMap):
    """Weyl symbols of spins, but of modes the expectation value in coherent states.

    So that H = (K/2) a^+ a^+ a a gives da/dt = -iK |a|^2 a; the Weyl symbol would give |a|^2 - 1,
    which is meant for an |a|^2 that holds the half quantum of the vacuum.
    """

    def letters_symbol(
        self, sub: Subsystem, letters: str
    ) -> Iterable[tuple[tuple[int, ...], complex]]:
        if sub.algebra == BOSON:
            return _coherent(letters.count("d"), letters.count("a")).items()
        return super().letters_symbol(sub, letters)


class MeanStates(ProductStates):
    """Expectation values in product states as functions of the mean-field variables J, R and a."""

    def pieces(self, sub: Subsystem, letters: str) -> Pieces:
        block, one = self.block_of[sub], np.ones(sub.size, complex)
        if sub.algebra == BOSON:
            words = _coherent(letters.count("d"), letters.count("a"))
            return {tuple((block, k) for k in comps): c * one for comps, c in words.items()}
        if not isinstance(sub, Levels):
            N = emitters(sub)
            return {m: c * (2 / N) ** len(m) for m, c in super().pieces(sub, letters).items()}
        numbers, out = sub.numbers.astype(float), Pieces()
        for comps, k, c in level_moment(letters):
            falling = np.prod([numbers - i for i in range(k)], axis=0)
            mono = tuple((block, a) for a in comps)
            out[mono] = out.get(mono, 0) + c * falling / numbers ** len(comps)
        return out


def _coherent(m: int, n: int) -> dict[tuple[int, ...], complex]:
    """(re - i im)^m (re + i im)^n as monomials."""
    return expanded([((0,), 1.0), ((1,), sign)] for sign in [-1j] * m + [1j] * n)


DRIFT_ALONE = (
    "mean field knows jumps of several emitters, of collective spins and nonlinear ones of modes "
    "by their drift alone: damping that comes with their noise, such as collective dephasing, is "
    "left out"
)


def _left_out(model: Model) -> list[str]:
    """Warnings of modes that start with quanta but without an amplitude."""
    return [
        f"Mean field takes the {state.kind} state of {sub.name!r} for the vacuum: it knows a mode "
        "by its amplitude, which is zero; use 'twa', 'cumulant' or 'exact'."
        for sub, states in model.initial.items()
        for state in dict.fromkeys(states)
        if isinstance(state, ModeState) and state.kind != "coherent" and state.value
    ]


class MeanField(TrajectoryMethod):
    r"""Mean-field equations of ensembles, spins and modes: no noise, no correlations.

    With h and l_k the symbols of H and of the jumps of plain rates r_k (hbar = 1; modes in normal
    order), and dr/dt = -Lambda r + c the Bloch equation of one emitter under its local jumps,

    .. math:: \dot J = \Big(\partial_J h + \mathrm{Re}\sum_k i r_k l_k^*\,\partial_J l_k\Big)
       \times J - \Lambda J + \tfrac N2 c, \qquad
       \dot a = -i\,\partial_{a^*} h + \tfrac12\sum_k r_k (l_k^*\,\partial_{a^*} l_k
       - l_k\,\partial_{a^*} l_k^*),

    that is the drift of :class:`TWA`, from J = N r/2. Observables are expectation values in product
    states of the emitters and coherent states of the modes. Deterministic, ``sem`` is zero; steps
    are extrapolated to none, and ``step_error`` says what is left (1e-7 of the largest value and
    less, also across jumps of coefficients). Exact
    for N to infinity at constant N times the collective rates, as long as no correlations build up;
    a symmetric start (an inverted ensemble) may be an unstable fixed point that is never left.

    Raises:
        ValueError: in a run, for a model that :meth:`refuses` names a reason against, and if the
            solution diverges.

    References:
        Merkel, Link, Luoma and Strunz (2020), Eq. (22), for one ensemble; its local terms are
        misprinted.

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> atoms = wf.Ensemble(100, name="atoms")
        >>> model = wf.Model(0.5 * atoms.Jx, initial={atoms: wf.down})
        >>> t = [0, np.pi, 2 * np.pi]
        >>> result = wf.solve(model, t, e_ops={"z": atoms.Jz}, method=wf.MeanField())
        >>> result.expect["z"].round(6) + 0.0
        array([-50.,   0.,  50.])
    """

    name = "mean-field"
    stochastic = False
    order = 1
    ordering = None

    def refuses(self, model: Model, ops: Operators | None = None) -> str | None:
        return lower.refuses(model) or pulses.refuses(model)

    def lower(
        self, model: Model, ops: Mapping[str, Op | ArrayOp], tlist: Any
    ) -> tuple[PhaseSpaceSystem, dict[str, Symbol]]:
        """The classical system and the expectation value of every observable."""
        # jumps of one spin alone: its Bloch equations, not a vector of fixed length
        system, _ = lower.build(model, bloch_spins=True, taken=CoherentSymbols, noise=False)
        system.facts = [DRIFT_ALONE] if has_other_noise(system) else []
        lower.set_initial(system, model, "point", "point")
        system.pulses = pulses.pulse_maps(system, model)
        system.noise = False
        system.notes += _left_out(model)
        return system, lower.lower_observables(MeanStates(system, model), ops)
