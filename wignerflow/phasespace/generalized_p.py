r"""The generalised P-function, ``wf.GeneralizedP``: exact for any N where it diffuses.

The state of an ensemble is written as a mixture of products of equal mixed qubits,

.. math:: \rho = \int d^3r\, P(r) \bigotimes_{n=1}^N \tfrac12(1 + r\cdot\sigma_n).

For H = B.J, collective jumps linear in J (S and w, see ``linear``) and any one-emitter jumps
(Lambda, c) this gives, without approximation,

.. math::
   \partial_t P &= -\partial_i (a_i P) + \tfrac12\partial_i\partial_j (D_{ij} P), \\
   a &= B\times r + \tfrac12 (S - \mathrm{tr}S) r - w - \tfrac{N-1}2 (r^2 w - (w\cdot r) r)
        - \Lambda r + c,

with D of ``p_equations``: the real part of C is a random rotation, its imaginary part the drift of
superradiance and a diffusion that may be negative. Where D is positive, sampling the Itô equation
is exact, and the state is a classical mixture of product states: no entanglement arises.
``p_equations`` writes them down. Merkel, Link, Luoma, Strunz, "Phase space theory for open quantum
systems with local and collective dissipative processes" (2020), Eqs. (13)-(19), with the slips of
print in (22), (A1), (A3) and (B3) corrected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..method import Operators
from ..model.model import Model
from ..model.operators import ArrayOp, Op
from ..model.states import BlochState
from . import lower, pulses
from .linear import LinearBlock, NotLinear, linear_blocks
from .method import Symbol, TrajectoryMethod
from .p_equations import ROUNDING, Verdict, ball_minimum, equations, point, sphere_minimum
from .product_state import ProductStates, inexact
from .system import SPIN, Block, PhaseSpaceSystem

SEPARABLE = (
    "The P-function is positive, so the state is separable: at every time a classical mixture of "
    "product states of the emitters."
)


class GeneralizedP(TrajectoryMethod):
    r"""The generalised P-function of ensembles, collective spins and spins without couplings.

    The state is a mixture of products of equal mixed qubits with Bloch vectors r. For H = B.J,
    jumps linear in J and one-emitter jumps, all at plain rates, r obeys (Itô)

    .. math:: dr = a(r)\,dt + b(r)\,dW, \qquad b b^T = D(r),

    with a and D of the module's docstring, in the units of the rates (hbar = 1). Averages:

    .. math:: \langle J_a\rangle = \tfrac N2\,\mathrm{avg}\,r_a, \qquad
       \tfrac12\langle\{J_a, J_b\}\rangle = \tfrac{N(N-1)}4\,\mathrm{avg}\,r_a r_b
       + \tfrac N4\,\delta_{ab},

    longer products likewise.

    Exact for any N, with sampling errors only, where the diffusion is positive; elsewhere the model
    is refused. Time-dependent collective rates are tested at the times of the run.

    Args:
        mean_field: leave out the second-order terms (of relative order 1/N) for any model linear in
            J: the mean-field equations of the paper, deterministic and approximate.

    Raises:
        ValueError: in a run, if the model is not of this kind, its diffusion is negative somewhere
            (see :meth:`applies`), or an observable is a product of three sums over one array.

    References:
        Merkel, Link, Luoma and Strunz, "Phase space theory for open quantum systems with local and
        collective dissipative processes" (2020), Eqs. (13)-(19).

    Example:
        >>> import wignerflow as wf
        >>> atoms = wf.Ensemble(40)
        >>> jumps = [wf.Jump(atoms.Jp, 0.05), wf.Jump(atoms.Jz, 0.024)]
        >>> model = wf.Model(0.7 * atoms.Jx, jumps, initial={atoms: wf.up})
        >>> verdict = wf.GeneralizedP.applies(model)
        >>> bool(verdict), round(verdict.eigenvalue, 6)
        (False, -3.8e-05)
    """

    name = "generalized-p"
    ordering = "normal"

    def __init__(self, *, mean_field: bool = False):
        self.mean_field = bool(mean_field)
        self.stochastic = not self.mean_field
        self.order = 1 if mean_field else None

    @staticmethod
    def applies(model: Model, times: Any = None) -> Verdict:
        """Whether sampling the P-function is exact for ``model``.

        The test is on the unit sphere for pure initial states without local jumps, where
        trajectories stay on it, and in the whole ball otherwise.

        Args:
            model: the master equation.
            times: where collective rates depend on time, the times to test.

        Returns:
            An object that is true or false, with ``reason``, and the Bloch vector ``point`` at
            which the diffusion has its smallest ``eigenvalue``.
        """
        try:
            blocks = linear_blocks(model)
        except NotLinear as error:
            return Verdict(
                False, f"{error}; the P-function needs independent ensembles with H = B.J"
            )
        return _verdict(model, blocks, times)

    def refuses(self, model: Model, ops: Operators | None = None) -> str | None:
        if model.delayed:
            return model.delayed
        for op in (ops or {}).values():
            if inexact(op):
                return (
                    f"the observable {op!r} is a product of three sums over one array, which it "
                    "cannot take exactly; split it into single members, or use 'twa'"
                )
        try:
            blocks = linear_blocks(model)
        except NotLinear as error:
            return f"{error}; use 'twa', 'mean-field' or 'exact'"
        if reason := pulses.refuses(model):
            return reason
        if self.mean_field or any(b.varies for b in blocks):
            return None  # time-dependent rates are tested in ``lower``
        verdict = _verdict(model, blocks, None)
        return None if verdict else f"{verdict.reason}; {_INSTEAD}"

    def lower(
        self, model: Model, ops: Mapping[str, Op | ArrayOp], tlist: Any
    ) -> tuple[PhaseSpaceSystem, dict[str, Symbol]]:
        blocks = linear_blocks(model)
        times = np.asarray(tlist, float)
        if not self.mean_field and any(b.varies for b in blocks):
            verdict = _verdict(model, blocks, times)
            if not verdict:
                raise ValueError(
                    f"Method {self!r} cannot treat this model: {verdict.reason}; {_INSTEAD}."
                )
        subs = model.subsystems
        system = PhaseSpaceSystem(
            # "bloch": variables are Bloch vectors, |r| <= 1, not J
            [Block(SPIN, model.names[s], s.size, s.count, "bloch") for s in subs],
            calculus="ito",
            noise=self.stochastic,
        )
        when: list[float | None] = [None]
        if any(b.varies for b in blocks):
            when = _test_times(times)
        for k, block in enumerate(blocks):
            states = [s for s in model.initial[subs[k]] if isinstance(s, BlochState)]
            system.explicit.append(equations(system, k, block, states, self.mean_field, when))
            system.initial.append(point(states))
        if not self.mean_field:
            system.facts.append(SEPARABLE)
        system.pulses = pulses.pulse_maps(system, model)
        return system, lower.lower_observables(ProductStates(system, model), ops)


_INSTEAD = "use 'twa' or 'exact', or wf.GeneralizedP(mean_field=True), which leaves the noise out"


# ---------------------------------------------------------------------------- positivity


def _test_times(times: NDArray[np.float64]) -> list[float | None]:
    return [*times.tolist(), *((times[1:] + times[:-1]) / 2).tolist()]


def _verdict(model: Model, blocks: list[LinearBlock], times: Any) -> Verdict:
    """The worst of all members and times."""
    varies = any(b.varies for b in blocks)
    if varies and times is None:
        return Verdict(False, "its collective rates depend on time: give `times` to test them")
    when = _test_times(np.atleast_1d(np.asarray(times, float))) if varies else [None]
    worst: Verdict | None = None
    for block in blocks:
        pure = [isinstance(s, BlochState) and s.is_pure for s in model.initial[block.sub]]
        for t in when:
            for m, (S, w) in enumerate(zip(*block.matrices(t), strict=True)):
                if block.numbers[m] == 1:
                    continue  # a single emitter: second derivatives of the state vanish
                found = _test(block, m, S, w, pure[m] and not block.local)
                if worst is None or _depth(found) < _depth(worst):
                    worst = found
    if worst is None:
        return Verdict(True, "single emitters obey closed linear equations")
    return worst


def _depth(verdict: Verdict) -> tuple[bool, float]:
    return bool(verdict), verdict.eigenvalue if verdict.eigenvalue is not None else 0.0


def _test(
    block: LinearBlock, m: int, S: NDArray[np.float64], w: NDArray[np.float64], sphere: bool
) -> Verdict:
    scale = float(np.trace(S))
    name = block.name if block.sub.count is None else f"{block.name}[{m}]"
    if np.linalg.norm(w) <= ROUNDING * scale or scale == 0:
        why = (
            f"every collective jump of {name!r} is a random rotation (emission balances absorption)"
        )
        return Verdict(
            True, f"{why}, so the diffusion is positive in the whole ball", region="ball"
        )
    point, value = sphere_minimum(S, w) if sphere else ball_minimum(S, w)
    region = "sphere" if sphere else "ball"
    at = f"smallest eigenvalue {value:.4g} at r = ({', '.join(f'{x:.4g}' for x in point)})"
    if sphere and value >= -ROUNDING * scale:
        why = f"the diffusion of {name!r} is positive on the whole sphere, where r stays ({at})"
        return Verdict(True, why, point, value, region)
    where = "on the sphere" if sphere else "inside the ball, where local jumps or mixing take r"
    why = f"the diffusion of the P-function of {name!r} is negative {where} ({at})"
    return Verdict(False, why, point, value, region)
