r"""Schwinger bosons, ``wf.Schwinger``: collective spins in P, Wigner and Q form.

Each spin is two bosons, S^+ = a^+ b, S_z = (a^+ a - b^+ b)/2, and its state a distribution of two
complex amplitudes. Third derivatives are dropped (truncated Wigner approximation, for any
ordering) and so is the negative part of the diffusion (positive-diffusion approximation);
``schwinger_equations`` writes the rest down. Means of S then change as in the master equation;
second moments lack what the dropped terms feed into them:

- decay and pumping: the correlation -r Re[d_alpha d_beta alpha beta] between the noises of the two
  bosons, which is as large as the noise kept, for every ordering;
- interactions: nothing to second order for the Wigner function, but squeezing itself for P and Q.

Kept as it is for k = 0, that correlation makes the diffusion positive but for 1/2 beside |alpha|^2
and |beta|^2: ``correlated_noise=True`` (Stratonovich, length conserved) is the Bloch form of
``TWA`` in other variables.

Reference: Huber, Kirton and Rabl, "Phase-space methods for simulating the dissipative many-body
dynamics of collective spin systems", SciPost Phys. 10, 045 (2021). Its prints of Eqs. (10), (26),
(31), (32), (36), (37) have slips; the equations here were derived afresh.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import _check
from ..method import Operators
from ..model.model import Model
from ..model.operators import ArrayOp, Op
from ..model.states import BlochState
from ..model.subsystems import CollectiveSpin
from . import lower, pulses
from .amplitudes import AmplitudeSymbols, initial_amplitudes
from .linear import LinearBlock, NotLinear, jump_blocks
from .method import Symbol, TrajectoryMethod
from .polynomials import Form, Pair, Poly, Var
from .schwinger_equations import GENERAL, BlockEquations, jump_kind, jump_vectors
from .system import AMPLITUDES, Block, PhaseSpaceSystem

ORDERS = {"P": 1, "W": 0, "Q": -1}
POSITIVE = (
    "The model has interactions: the {name} form drops the diffusion that they cause "
    "(positive-diffusion approximation), so fluctuations and squeezing are wrong. Use "
    'wf.Schwinger("W") or "twa".'
)


class Schwinger(TrajectoryMethod):
    r"""Collective spins as pairs of Schwinger bosons, in one of three orderings.

    Two complex amplitudes per spin, s^+ = alpha^* beta and s_z = (|alpha|^2 - |beta|^2)/2. A
    jump S^- at the plain rate r gives, with k = 1, 0, -1 for P, W, Q (Itô, hbar = 1),

    .. math::
       d\alpha &= -\tfrac r2\left(|\beta|^2 + \tfrac{1+k}2\right)\alpha\,dt
          + \sqrt{\tfrac r4(1-k)\left(|\beta|^2 + \tfrac{1+k}2\right)}\,(dW_1 + i\,dW_2), \\
       d\beta &= +\tfrac r2\left(|\alpha|^2 - \tfrac{1-k}2\right)\beta\,dt
          + \sqrt{\tfrac r4(1+k)\left(|\alpha|^2 - \tfrac{1-k}2\right)}\,(dW_3 + i\,dW_4),

    and H turns both by d(alpha, beta) = -(i/2) (dh/ds).sigma (alpha, beta) dt. Third derivatives
    are dropped, and so is the correlation of the two noises, which is as large as they are: means
    of S change as they should, fluctuations do not. P and Q with interactions are wrong in second
    moments, and warn.

    Treats ``CollectiveSpin`` and arrays of them with any Hamiltonian, and jumps of single spins
    that lower the spin along some axis (such as Jm and Jp) or are Hermitian up to a phase (such as
    Jz); plain rates. The run's ``stats`` hold ``length_drift``, the largest relative change of
    <|alpha|^2 + |beta|^2>, and ``clipped``, the share of diffusions that were negative.

    Args:
        distribution: "W" (Wigner, k = 0), "P" (k = 1) or "Q" (k = -1; its initial state is exact).
        sampling: of the initial state: "exact" (Q only), "coherent" (the paper's replacement for P
            and W: 2S bosons on average, with lengths that spread by sqrt(2S) for W), "fixed" (W
            only: the same length for every trajectory), or "auto": exact, coherent and fixed for
            Q, P and W.
        correlated_noise: keep the correlation between the two bosons' noises (Stratonovich, fixed
            length; "W" only); then any jump linear in J.

    Raises:
        ValueError: an option is unknown, exact sampling is asked for P or W, or correlated noise
            for P or Q or without fixed length. In a run: a subsystem is no ``CollectiveSpin``, or a
            jump is neither of both kinds.
        TypeError: ``correlated_noise`` is no bool.

    References:
        Huber, Kirton and Rabl, "Phase-space methods for simulating the dissipative many-body
        dynamics of collective spin systems", SciPost Phys. 10, 045 (2021), Eqs. (22), (23), (27),
        (28); several others are misprinted.

    Example:
        >>> import numpy as np, wignerflow as wf
        >>> spin = wf.CollectiveSpin(100, name="spin")
        >>> model = wf.Model(jumps=[wf.Jump(spin.Jm, 0.01)], initial={spin: wf.up})
        >>> t = np.linspace(0, 5, 6)
        >>> r = wf.solve(model, t, e_ops={"z": spin.Jz}, method=wf.Schwinger("Q"), seed=1)
        >>> bool(abs(r.expect["z"][0] - 100) < 4 * r.sem["z"][0] < 3)
        True
    """

    order = 1

    def __init__(
        self,
        distribution: str = "W",
        *,
        correlated_noise: bool = False,
        sampling: str = "auto",
    ):
        self.distribution = _check.one_of("distribution", distribution, list(ORDERS))
        if not isinstance(correlated_noise, bool):
            _check.fail("correlated_noise", "be True or False", correlated_noise, kind=TypeError)
        if correlated_noise and distribution != "W":
            _check.fail(
                "correlated_noise", 'be False unless the distribution is "W"', correlated_noise
            )
        self.correlated_noise = correlated_noise
        kinds = {"P": ["coherent"], "W": ["fixed", "coherent"], "Q": ["exact"]}[distribution]
        if correlated_noise:
            kinds = ["fixed"]
        self._start = kinds[0]
        self.sampling = _check.one_of("sampling", sampling, ["auto", *kinds])

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of the method, such as "schwinger-w"."""
        return f"schwinger-{self.distribution.lower()}"

    @property
    def ordering(self) -> str:  # type: ignore[override]
        """Of the bosons' operators."""
        return {"P": "normal", "W": "symmetric", "Q": "antinormal"}[self.distribution]

    @property
    def k(self) -> int:
        """1, 0, -1 for P, W, Q."""
        return ORDERS[self.distribution]

    @property
    def start(self) -> str:
        """The sampling that "auto" stands for, or the one chosen."""
        return self._start if self.sampling == "auto" else self.sampling

    def refuses(self, model: Model, ops: Operators | None = None) -> str | None:
        if model.delayed:
            return model.delayed
        for sub in model.subsystems:
            if not isinstance(sub, CollectiveSpin):
                return f"{sub.name!r} is not a CollectiveSpin; use 'twa'"
        try:
            blocks, _ = jump_blocks(model)
        except NotLinear as error:
            return f"{error}; use 'twa' or 'exact'"
        if reason := pulses.refuses(model):
            return reason
        return None if self.correlated_noise else _refused_jump(blocks)

    def lower(
        self, model: Model, ops: Mapping[str, Op | ArrayOp], tlist: Any
    ) -> tuple[PhaseSpaceSystem, dict[str, Symbol]]:
        blocks, spins = jump_blocks(model)
        hamiltonian = spins.symbol(model.H).real()
        system = PhaseSpaceSystem(
            [Block(AMPLITUDES, model.names[s], s.size, s.count, s.kind) for s in model.subsystems],
            calculus="stratonovich" if self.correlated_noise else "ito",
        )
        for k, block in enumerate(blocks):
            equations = BlockEquations(system, spins.system, hamiltonian, block, k, self.k)
            if self.correlated_noise:
                equations.correlated()
            else:
                equations.separate()
            system.explicit.append(equations.finish())
            states = [s for s in model.initial[block.sub] if isinstance(s, BlochState)]
            system.initial.append(initial_amplitudes(states, block.numbers / 2, self.k, self.start))
        system.pulses = pulses.pulse_maps(system, model)
        if self.k != 0 and _interacts(hamiltonian, spins.system):
            system.notes.append(POSITIVE.format(name=self.distribution))
        symbols = AmplitudeSymbols(system, model)
        symbols.order, symbols.pinned = self.k, self.k == 0 and self.start == "fixed"
        return system, lower.lower_observables(symbols, ops)

    def __repr__(self) -> str:
        more = ", correlated_noise=True" if self.correlated_noise else ""
        if self.sampling != "auto":
            more += f", sampling={self.sampling!r}"
        return f'Schwinger("{self.distribution}"{more})'


def _refused_jump(blocks: list[LinearBlock]) -> str | None:
    for block in blocks:
        for jump in block.jumps:
            u = jump_vectors(jump)
            if u is None:
                return (
                    "a jump operator depends on time; put the time dependence into its rate, or "
                    "use 'twa'"
                )
            if jump_kind(u) == GENERAL:
                return (
                    "a jump is neither S^- along one axis nor Hermitian, and its diffusion has no "
                    'positive part of that form; use wf.Schwinger("W", correlated_noise=True) or '
                    "'twa'"
                )
    return None


def _interacts(h: Poly, spins: PhaseSpaceSystem) -> bool:
    """True if the Hamiltonian is not linear in the spins."""

    def degree(leaf: Any) -> int:
        if isinstance(leaf, Var):
            return 1
        if isinstance(leaf, Form):
            return len(spins.forms[leaf.index].mono)
        return 2 if isinstance(leaf, Pair) else 0

    return any(sum(degree(leaf) for leaf in leaves) > 1 for _, leaves in h.terms)
