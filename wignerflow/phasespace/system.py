"""The contract every phase-space method fills in: a ``PhaseSpaceSystem`` is data, not code.

Variables are real. A spin-like block (ensemble, collective spin, spin-1/2) holds the vector J of
each member, with brackets {J_a, J_b} = eps_abc J_c; a spin-1/2 is stored as J = s/2. A mode block
holds (Re a, Im a) with {Re a, Im a} = 1/2. With h the Weyl symbol of the Hamiltonian and l_k those
of the jumps, every trajectory obeys the Stratonovich equation

    dv = {v, h} dt + sum_k Re[ {v, l_k} o (sqrt(r_k) dW_k + i r_k l_k^* dt) ],    dW = dW_1 + i
    dW_2,

(dW_1, dW_2 independent, variance dt each), and ensembles take an additional local step, exact in
its first two moments. The kernels know nothing else about a method.

A method whose equations are not of this kind gives them in full instead, block by block, as
``explicit`` drifts and noises, Itô or Stratonovich by ``calculus``; see :class:`Explicit`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..model.coefficients import Coef
from ..model.couplings import Coupling
from .channels import Channel, Field, LinkSpec, MemberChannel, PortField
from .polynomials import Member, Number, Poly, Times, Var


@dataclass
class InitialSpec:
    """Initial distribution of the members of a block.

    Spin blocks: axes ``e1, e2, e3`` (size, 3), already scaled: J = n1 e1 + n2 e2 + l e3, with
    GAUSSIAN: l = mean + sigma n3; FIXED: l = sqrt(mean^2 - |n1 e1 + n2 e2|^2); DISCRETE: n1, n2
    and l are signs (l = +1 with probability (1 + mean)/2; ``sigma`` holds the normal quantile of
    that), n standard normal otherwise.
    Mode blocks: GAUSSIAN: (mean + sigma n1, e1[0] + e1[1] n1 + e1[2] n2); FOCK: radius^2 = mean or
    mean + 1 with equal probability and a uniform phase.
    AMPLITUDES blocks: (alpha, beta) = (p A + q B, p^* B - q^* A) p and q being the first four
    numbers of e1, e2, B = sigma (n2 + i n3), and A of DISPLACED: mean + sigma (n0 + i n1); PINNED:
    sqrt(mean^2 - |B|^2); GAMMA: a Chebyshev series in n0/RANGE, ``series`` (size, terms).
    """

    kind: NDArray[np.int64]
    e1: NDArray[np.float64]
    e2: NDArray[np.float64]
    e3: NDArray[np.float64]
    mean: NDArray[np.float64]
    sigma: NDArray[np.float64]
    series: NDArray[np.float64] | None = None

    @staticmethod
    def zeros(size: int) -> InitialSpec:
        """Gaussian without width at the origin, to be filled in."""
        e1, e2, e3 = np.zeros((3, size, 3))
        return InitialSpec(np.zeros(size, np.int64), e1, e2, e3, np.zeros(size), np.zeros(size))


@dataclass
class MatrixInitial:
    """Initial distribution of the members of a MATRIX block: v = mean + transform z.

    z, d^2 variables of a matrix in the eigenbasis of the one-emitter state, is by ``kind``
    GAUSSIAN: standard normals; FIXED: |psi><psi| with psi_a, a > 0, complex normals of variance
    ``width`` and psi_0 what is left of one; DISCRETE: of one emitter, one level occupied by the
    odds ``width`` (d,), R_ab = sqrt((n_a + n_b)/4) (±1 ± i).

    With ``sites`` (size, k, 10) R is instead the product of k matrices 1/2 + J.sigma with J = ±e1
    ± e2 + l e3, the numbers being the axes and the threshold of a normal above which l is -1.

    ``occupied`` are the levels with a population in some member: what lies beside them is large.
    """

    kind: NDArray[np.int64]
    mean: NDArray[np.float64]  # (size, d^2)
    transform: NDArray[np.float64]  # (size, d^2, d^2)
    width: NDArray[np.float64]  # (size, d)
    occupied: NDArray[np.bool_]  # (d,)
    sites: NDArray[np.float64] | None = None


@dataclass
class MemberObservable:
    """One complex value per member of an array: sum_k c_k[m] mono_k(v_m)."""

    size: int
    terms: dict[tuple[tuple[int, int], ...], NDArray[np.complex128]]


@dataclass
class ProductObservable:
    """Values k = conj(L_k) R_k + O_k over an array of ``members``, with the members' amplitudes

    a_m = sum_mono amplitude[mono][m] mono(v_m),  L_k = sum_m left[k, m] a_m,  R_k with ``right``
    (None: L_k), and O_k = sum_m conj(left[k, m]) right[k, m] d_m, where d_m, made of ``onsite``, is
    the symbol of A_m^+ A_m minus |a_m|^2.

    With ``grid`` = (p, dp) left[k, m] is e^{-i (p + k dp) m}, not stored.
    """

    size: int
    members: int
    amplitude: dict[tuple[tuple[int, int], ...], NDArray[np.complex128]]
    left: Any  # sparse rows, (size, members)
    right: Any
    onsite: dict[tuple[tuple[int, int], ...], NDArray[np.complex128]]
    grid: tuple[float, float] | None = None


@dataclass
class PulseMap:
    """At a time the variables ``rows`` become the sum of ``values`` times variables, and ``shift``.

    Variables are numbered through all blocks in their order, members one after the other; row and
    column of every entry of the matrix are ``entries`` (E, 2), sorted. Others stay.
    """

    time: float
    rows: NDArray[np.int64]
    shift: NDArray[np.float64]
    entries: NDArray[np.int64]
    values: NDArray[np.float64]


SPIN, MODE, ROTOR, AMPLITUDES = "spin", "mode", "rotor", "amplitudes"
MATRIX = "matrix"

#: Schemes of systems that are not explicit.
SPLITTING, SMALL_NOISE = "splitting", "small-noise"


@dataclass
class Block:
    """Like subsystems: ``kind`` SPIN (3 components), MODE (2), ROTOR (6: J and the unit vector n
    perpendicular to it), AMPLITUDES (4: Re alpha, Im alpha, Re beta, Im beta of the Schwinger
    bosons of a spin) or MATRIX (d^2 of a Hermitian matrix, of emitters whose d levels have
    ``labels``, see ``matrices``); ``count`` None for a single one.
    """

    kind: str
    name: str
    size: int
    count: int | None
    source: str  # kind of the subsystem it came from
    labels: tuple[str, ...] = ()

    @property
    def levels(self) -> int:
        """Levels of an emitter of a MATRIX block."""
        return len(self.labels)

    @cached_property
    def components(self) -> int:
        """Real variables per member."""
        return {SPIN: 3, MODE: 2, ROTOR: 6, AMPLITUDES: 4, MATRIX: self.levels**2}[self.kind]

    @property
    def group(self) -> int | None:
        """Arrays of one size share a loop over members; None for a single subsystem."""
        return None if self.count is None else self.size


@dataclass
class FormSpec:
    """sum_m w_m * monomial(v_m): ``mono`` is a sorted tuple of (block, component); weights (M,)."""

    mono: tuple[tuple[int, int], ...]
    weights: NDArray[np.float64]

    @property
    def uniform(self) -> bool:
        """True if all weights are one."""
        return bool(np.all(self.weights == 1))


@dataclass
class PairSpec:
    """sum_{m != m'} u_m K_mm' v_m' left(v_m) right(v_m')."""

    left: tuple[tuple[int, int], ...]
    coupling: Coupling
    right: tuple[tuple[int, int], ...]
    u: NDArray[np.float64] | None
    v: NDArray[np.float64] | None


@dataclass
class Diffusion:
    """Nonlinear jumps on the variables ``leaves`` of single subsystems, or of a member of arrays:

    dv_i = drift[i] dt + noise (Itô), <noise_i noise_j> = lower[max][min] dt, see ``wigner_jumps``.
    ``scale``: magnitude of the diagonal, for what counts as negative; ``name``: of its noise.
    """

    leaves: list[Var | Member]
    drift: list[Poly]
    lower: list[list[Poly]]
    scale: list[float]
    name: str

    @property
    def noisy(self) -> list[int]:
        """Numbers of the variables that have noise."""
        return [i for i, row in enumerate(self.lower) if row[i]]


@dataclass
class RotorPart:
    """A local jump of rate one in the rotor form, per member: see ``phasespace.rotor``."""

    vector: NDArray[np.complex128]  # u, (size, 3): the jump is u.sigma/2 up to a constant
    turn: NDArray[np.float64]  # (size, 3): rotation that the constant stands for


@dataclass
class LocalStep:
    """Local channels of an ensemble block: dr/dt = -Lambda r + c for one emitter's Bloch vector.

    ``parts`` lists (rate, Lambda, c) per channel: Lambda (size, 3, 3) and c (size, 3) for rate one,
    rate a number per member (size,) or a time coefficient. A ROTOR block has one ``rotor`` part per
    channel too, and symbols that are ``corrected`` or of leading order.
    """

    block: int
    numbers: NDArray[np.float64]
    parts: list[tuple[NDArray[np.float64] | Coef, NDArray[np.float64], NDArray[np.float64]]]
    rotor: list[RotorPart] = field(default_factory=list)
    corrected: bool = True


@dataclass
class Mean:
    """Means of the variables of a MATRIX block over trajectories: values (T, size, d^2) at times,

    constant before and after. They are found in intervals of ``step``; ``states`` (samples,
    variables) are those at the last time, and ``start`` says which ones they came from.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    step: float
    states: NDArray[np.float64] | None = None
    start: bytes | None = None

    def at(self, t: float) -> NDArray[np.float64]:
        """(size, d^2), interpolated linearly; at a pulse, whose time stands twice, after it."""
        k = int(np.clip(np.searchsorted(self.times, t, "right"), 1, max(self.times.size - 1, 1)))
        if self.times.size == 1:
            return np.asarray(self.values[0])
        a, b = self.times[k - 1], self.times[k]
        if a == b:
            return np.asarray(self.values[k])
        x = float(np.clip((t - a) / (b - a), 0, 1))
        return np.asarray((1 - x) * self.values[k - 1] + x * self.values[k])


@dataclass
class MatrixStep:
    """Local channels of a MATRIX block: ``parts`` lists (rate, where, G), G (d^2, d^2) for rate one

    as in ``matrices.generator``, rate a number per member (size,) or a time coefficient, ``where``
    (size,) one for the members on which it acts and zero for others.
    """

    rotor: ClassVar[tuple[RotorPart, ...]] = ()
    block: int
    parts: list[tuple[NDArray[np.float64] | Coef, NDArray[np.float64], NDArray[np.float64]]]
    #: The one-emitter matrices of ``parts``.
    jumps: list[NDArray[np.complex128]] = field(default_factory=list)
    #: Noise by the covariance at the mean of all trajectories, the same for every one of them.
    shared: Mean | None = None
    #: Noise by a factor of R itself, see ``kernels.matrix_low``.
    low: bool = False


@dataclass
class ModeStep:
    """Linear motion of a mode block by itself, see ``kernels.linear_part``.

    ``parts`` maps a product of time coefficients (empty: a constant) to A and D, (size, 2, 2) each.
    """

    block: int
    parts: dict[Times, tuple[NDArray[np.float64], NDArray[np.float64]]]


# Kinds of auxiliary quantities, see ``Root``.
SQUARE_ROOT, INVERSE_ROOT = "square root", "inverse square root"


@dataclass
class Root:
    """sqrt(max(p, 0)) or 1/sqrt(p) of a polynomial p, for later polynomials as the leaf ``Aux``.

    ``of`` may use earlier roots of its block. A value of p below -``tolerance`` counts as clipped
    (a negative diffusion); 1/sqrt(p) is zero where p is not positive.
    """

    kind: str
    of: Poly
    tolerance: float = 0.0


@dataclass
class Explicit:
    """The equations of a block in full, for every member (leaves ``Var`` or ``Member``):

    dv_a = drift[a] dt + sum_j noise[j][a] dW_j,

    with independent real dW_j of variance dt that each member has to itself, in the calculus of the
    system. Leaves: variables of the block, of other blocks of the same array size and of single
    subsystems, ``Form``, ``Coupled``, ``Number``, and the block's own roots as ``Aux(block, i)``.
    ``conserve``: after every step v is scaled to the length it had before. ``scale`` (size,):
    typical magnitude of a variable, from which the first guess of the step is made.
    """

    block: int
    drift: list[Poly]
    noise: list[list[Poly]]
    scale: NDArray[np.float64]
    roots: list[Root] = field(default_factory=list)
    conserve: bool = False
    order: int = 1  # weak order asked for: 2 is for Itô equations, see kernels.explicit

    @property
    def polynomials(self) -> list[Poly]:
        """Every polynomial, roots first."""
        noise = [p for column in self.noise for p in column]
        return [*(r.of for r in self.roots), *self.drift, *noise]


@dataclass
class CoupledSpec:
    """At member m: sum_{m' != m} K_mm' w_m' mono(v_m')."""

    coupling: Coupling
    mono: tuple[tuple[int, int], ...]
    weights: NDArray[np.float64] | None = None


# Kinds of initial distribution, see ``InitialSpec``.
GAUSSIAN, FIXED, DISCRETE, FOCK = 0, 1, 2, 3
DISPLACED, PINNED, GAMMA = 4, 5, 6  # of AMPLITUDES
RANGE = 7.0  # normals beyond this do not occur
SAME = 1e-12  # difference of weights of sums that rounding explains


@dataclass
class PhaseSpaceSystem:
    """A model lowered to classical variables; see the module's docstring for the equations."""

    blocks: list[Block]
    hamiltonian: Poly = field(default_factory=Poly)
    channels: list[Channel] = field(default_factory=list)
    member_channels: list[MemberChannel] = field(default_factory=list)
    diffusions: list[Diffusion] = field(default_factory=list)
    local: list[LocalStep | MatrixStep] = field(default_factory=list)
    modes: list[ModeStep] = field(default_factory=list)  # filled by ``kernels``
    initial: list[InitialSpec | MatrixInitial] = field(default_factory=list)
    forms: list[FormSpec] = field(default_factory=list)
    pairs: list[PairSpec] = field(default_factory=list)
    explicit: list[Explicit] = field(default_factory=list)  # of every block, or of none
    fields: list[Field] = field(default_factory=list)
    links: list[LinkSpec] = field(default_factory=list)
    port_fields: list[PortField] = field(default_factory=list)  # recorded, in place of ``fields``
    pulses: list[PulseMap] = field(default_factory=list)  # by time
    numbers: list[NDArray[np.float64]] = field(default_factory=list)
    coupled: list[CoupledSpec] = field(default_factory=list)
    calculus: str = "stratonovich"
    scheme: str = SPLITTING  # or another; explicit equations have their own
    choice: bool = False  # whether the pilot of a step may take another
    noise: bool = True  # False: the deterministic part alone (mean field)
    increments: str = "gaussian"  # or "three-point"; initial states are drawn all the same
    notes: list[str] = field(default_factory=list)  # warnings
    facts: list[str] = field(default_factory=list)  # statements that travel with the result
    _form_index: dict[Any, list[tuple[float, int]]] = field(default_factory=dict)
    _pair_index: dict[Any, int] = field(default_factory=dict)
    _names: dict[str, int] = field(default_factory=dict)

    def form(self, mono: tuple[tuple[int, int], ...], weights: NDArray[np.float64]) -> int:
        """Index of a weighted sum, registered once; weights of about one are equal to rounding."""
        # not by decimals: numbers that differ by rounding can have others
        probe = float(weights @ np.cos(np.arange(weights.size)))
        known = self._form_index.setdefault(mono, [])
        for other, index in known:
            near = abs(other - probe) < SAME * weights.size
            if near and np.abs(self.forms[index].weights - weights).max() < SAME:
                return index
        known.append((probe, len(self.forms)))
        self.forms.append(FormSpec(mono, np.round(weights, 14) + 0.0))
        return len(self.forms) - 1

    def pair(
        self,
        left: tuple[tuple[int, int], ...],
        coupling: Coupling,
        right: tuple[tuple[int, int], ...],
        u: NDArray[np.float64] | None,
        v: NDArray[np.float64] | None,
    ) -> int:
        """Index of a coupling sum, registered once."""
        key = (
            left,
            coupling.key,
            right,
            None if u is None else u.tobytes(),
            None if v is None else v.tobytes(),
        )
        if key not in self._pair_index:
            self._pair_index[key] = len(self.pairs)
            self.pairs.append(PairSpec(left, coupling, right, u, v))
        return self._pair_index[key]

    def unique(self, name: str) -> str:
        """A name for a jump; a second of that name is numbered."""
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else f"{name}, {count}"

    def number(self, values: NDArray[np.float64]) -> Poly:
        """One number per member as a polynomial: a constant where all are equal, else a leaf."""
        scale = float(values[np.argmax(np.abs(values))])
        if np.all(values == scale):
            return Poly.constant(scale)
        self.numbers.append(np.asarray(values / scale, float))
        return Poly.leaf(Number(len(self.numbers) - 1), scale)

    def coefficients(self) -> list[Coef]:
        """Every time coefficient, in an order that depends on the structure only."""
        seen: dict[Coef, None] = {}
        polys = [self.hamiltonian, *(c.symbol for c in self.channels)]
        polys += [p for e in self.explicit for p in e.polynomials]
        polys += [p for d in self.diffusions for p in (*d.drift, *(x for r in d.lower for x in r))]
        polys += [p for f in self.fields for p in (f.amplitude, f.flux) if p is not None]
        for poly in polys:
            for times, _, _ in poly.sorted_terms:
                for t in times:
                    seen.setdefault(t.coef)
        for step in self.modes:
            for times in step.parts:
                seen.update({t.coef: None for t in times})
        rates: list[Any] = [c.rate for c in self.channels] + [c.rate for c in self.member_channels]
        rates += [rate for local in self.local for rate, _, _ in local.parts]
        for rate in rates:
            if isinstance(rate, Coef):
                seen.setdefault(rate)
        return list(seen)
