r"""Drift and noise of Schwinger amplitudes (alpha, beta).

A Hamiltonian of symbol h turns a spin about omega = dh/ds, which is first order in derivatives for
every ordering:

.. math:: d(\alpha, \beta) = -\tfrac i2\,\omega\cdot\sigma\,(\alpha, \beta)\,dt .

A jump S^- along an axis n at plain rate r becomes, with a' along n and b' against it, the Itô
equation of Eqs. (22), (23) in the frame of n,

.. math::
   d\alpha' &= -\tfrac r2\left(|\beta'|^2 + \tfrac{1+k}2\right)\alpha'\,dt
      + \sqrt{\tfrac r4(1-k)\left(|\beta'|^2 + \tfrac{1+k}2\right)}\,(dW_1 + i\,dW_2), \\
   d\beta' &= +\tfrac r2\left(|\alpha'|^2 - \tfrac{1-k}2\right)\beta'\,dt
      + \sqrt{\tfrac r4(1+k)\left(|\alpha'|^2 - \tfrac{1-k}2\right)}\,(dW_3 + i\,dW_4),

where the diffusion -r Re[d_alpha' d_beta' alpha' beta'] is dropped (positive-diffusion
approximation) and so are third derivatives. A jump n.S, n real, is a random rotation about n for
every ordering: omega = sqrt(r) n dW and the Itô drift -(r n^2/8)(alpha, beta); nothing is dropped.

With correlated noise (k = 0, Stratonovich) every jump l = u.s + u_0 turns the spin about

.. math:: \omega = \mathrm{Re}\,[u\,(\sqrt r\,(dW_1 + i\,dW_2) + i r\,l^*\,dt)],

which for S^- is d alpha = -(r/2)|beta|^2 alpha dt + sqrt(r/2) beta o dxi, d beta = (r/2)|alpha|^2
beta dt - sqrt(r/2) alpha o dxi^*, with <dxi dxi^*> = dt.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .amplitudes import VECTOR, rotation, spin_monomial
from .linear import Amount, LinearBlock
from .polynomials import Aux, Coupled, Form, Leaf, Member, Pair, Poly, Var, expanded, poly_sum
from .symbols import Mono
from .system import (
    SQUARE_ROOT,
    CoupledSpec,
    Explicit,
    PairSpec,
    PhaseSpaceSystem,
    Root,
)

CLIP_TOLERANCE = 1e-4  # of the rate: a diffusion below minus this counts as clipped
REAL, CIRCULAR, GENERAL = "real", "circular", "general"


def turn(omega: list[Poly], a: Poly, b: Poly) -> tuple[Poly, Poly]:
    """-(i/2) omega.sigma (alpha, beta)."""
    x, y, z = (w * -0.5j for w in omega)
    return a * z + b * (x - y * 1j), a * (x + y * 1j) - b * z


def jump_kind(u: NDArray[np.complex128]) -> str:
    """REAL (u is a real vector times a phase), CIRCULAR (u.u = 0) or GENERAL; u is (size, 3)."""
    size = (np.abs(u) ** 2).sum(axis=1)
    if np.all(np.abs(np.cross(u, u.conj())).max(axis=1) <= 1e-10 * size):
        return REAL
    return CIRCULAR if np.all(np.abs((u * u).sum(axis=1)) <= 1e-10 * size) else GENERAL


def jump_vectors(jump: tuple[NDArray, Amount]) -> NDArray[np.complex128] | None:
    """The vectors u of a jump, zero where its rate is; None if they depend on time."""
    u, rate = jump
    if any(x.varies for x in u):
        return None
    out = np.stack([x.at(None) for x in u], axis=1)
    on = rate.varies or rate.at(None) != 0
    return np.where(np.broadcast_to(on, len(out))[:, None], out, 0)


class BlockEquations:
    """Writes the equations of one block.

    Args:
        system: where sums, couplings and numbers are registered.
        shadow: the system of the spins' symbols, from which ``hamiltonian`` was made.
        hamiltonian: symbol of H in the components of the spins.
        block: jumps of this block.
        k: its number.
        order: k of the distribution.
    """

    def __init__(
        self,
        system: PhaseSpaceSystem,
        shadow: PhaseSpaceSystem,
        hamiltonian: Poly,
        block: LinearBlock,
        k: int,
        order: int,
    ):
        self.system, self.shadow, self.block, self.k, self.order = system, shadow, block, k, order
        kind: Any = Var if block.sub.count is None else Member
        leaves = [Poly.leaf(kind(k, c)) for c in range(4)]
        self.alpha, self.beta = leaves[0] + leaves[1] * 1j, leaves[2] + leaves[3] * 1j
        self.kind = kind
        self.drift = (Poly(), Poly())
        spin: Any = block.sub
        scale = np.sqrt(2 * spin.lengths)
        self.out = Explicit(k, [], [], scale)
        field = [self._field(hamiltonian, a) + block.B[a].real().poly(system) for a in range(3)]
        self._add_drift(*turn(field, self.alpha, self.beta))

    def _add_drift(self, a: Poly, b: Poly) -> None:
        self.drift = (self.drift[0] + a, self.drift[1] + b)

    def _add_noise(self, a: Poly, b: Poly) -> None:
        self.out.noise.append([a.real(), a.imag(), b.real(), b.imag()])

    def finish(self) -> Explicit:
        """The equations."""
        a, b = self.drift
        self.out.drift = [a.real(), a.imag(), b.real(), b.imag()]
        return self.out

    # -- Hamiltonian ---------------------------------------------------------------------------

    def _field(self, h: Poly, a: int) -> Poly:
        """dh/ds_a of this member, in the amplitudes."""
        parts = []
        for (times, leaves), c in h.terms.items():
            for i, leaf in enumerate(leaves):
                slope = self._slope(leaf, a)
                if slope:
                    for other in leaves[:i] + leaves[i + 1 :]:
                        slope = slope * self._value(other)
                    parts.append(slope * Poly({(times, ()): c}))
        return poly_sum(parts).real().clean()

    def _slope(self, leaf: Leaf, a: int) -> Poly:
        """d leaf / ds_a."""
        if isinstance(leaf, Var):
            return Poly.constant(1.0) if (leaf.block, leaf.comp) == (self.k, a) else Poly()
        if isinstance(leaf, Form):
            spec = self.shadow.forms[leaf.index]
            inner = self._mono_slope(spec.mono, a)
            return inner * self.system.number(spec.weights) if inner else Poly()
        assert isinstance(leaf, Pair)
        pair = self.shadow.pairs[leaf.index]
        left, right = self._mono_slope(pair.left, a), self._mono_slope(pair.right, a)
        out = Poly()
        if left:
            out = left * self._coupled(pair, False) * self._weight(pair.u)
        if right:
            out = out + right * self._coupled(pair, True) * self._weight(pair.v)
        return out

    def _weight(self, w: NDArray[np.float64] | None) -> Poly:
        return Poly.constant(1.0) if w is None else self.system.number(w)

    def _coupled(self, pair: PairSpec, transposed: bool) -> Poly:
        """The field of the other members."""
        coupling = pair.coupling.transpose() if transposed else pair.coupling
        mono, weights = (pair.left, pair.u) if transposed else (pair.right, pair.v)
        return poly_sum(
            Poly.leaf(Coupled(self._spec(CoupledSpec(coupling, key, weights))), c)
            for key, c in expand(mono)
        )

    def _spec(self, spec: CoupledSpec) -> int:
        for i, known in enumerate(self.system.coupled):
            same = known.mono == spec.mono and known.coupling.key == spec.coupling.key
            if same and np.array_equal(known.weights, spec.weights):  # type: ignore[arg-type]
                return i
        self.system.coupled.append(spec)
        return len(self.system.coupled) - 1

    def _mono_slope(self, mono: Mono, a: int) -> Poly:
        """d mono / ds_a at this member."""
        count = mono.count((self.k, a))
        if not count:
            return Poly()
        rest = list(mono)
        rest.remove((self.k, a))
        terms = {((), tuple(Member(*x) for x in key)): c for key, c in expand(tuple(rest))}
        return Poly(terms) * count  # type: ignore[arg-type]

    def _value(self, leaf: Leaf) -> Poly:
        """A leaf in the amplitudes."""
        if isinstance(leaf, Var):
            terms = VECTOR[leaf.comp].items()
            return Poly({((), tuple(Var(leaf.block, c) for c in key)): d for key, d in terms})
        if not isinstance(leaf, Form):
            raise NotImplementedError(
                "A coupling times another operator has no Schwinger equations; use 'twa'."
            )
        spec = self.shadow.forms[leaf.index]
        return poly_sum(
            Poly.leaf(Form(self.system.form(key, spec.weights)), c) for key, c in expand(spec.mono)
        )

    # -- jumps ---------------------------------------------------------------------------------

    def separate(self) -> None:
        """Jumps with independent noises of alpha and beta (Itô)."""
        for jump in self.block.jumps:
            u = jump_vectors(jump)
            if u is None or not np.any(u):
                continue
            if jump_kind(u) == REAL:
                self._dephase(u, jump[1])
            else:
                self._decay(u, jump[1])

    def _root(self, of: Poly, rate: Amount) -> Poly:
        peak = 1.0 if rate.varies else float(np.abs(rate.at(None)).max())
        self.out.roots.append(Root(SQUARE_ROOT, of, CLIP_TOLERANCE * peak))
        return Poly.leaf(Aux(self.k, len(self.out.roots) - 1))

    def _dephase(self, u: NDArray[np.complex128], rate: Amount) -> None:
        # u = e^{i chi} n: the phase of the largest component
        largest = np.take_along_axis(u, np.abs(u).argmax(axis=1)[:, None], axis=1)
        n = (u * np.where(largest == 0, 1, largest.conj() / np.abs(largest).clip(1e-300))).real
        amplitude = self._root(rate.poly(self.system), rate)
        axis = [self.system.number(n[:, a]) for a in range(3)]
        noise = turn(axis, self.alpha, self.beta)
        self._add_noise(noise[0] * amplitude, noise[1] * amplitude)
        strength = (rate * Amount.of((n**2).sum(axis=1) / -8)).poly(self.system)
        self._add_drift(self.alpha * strength, self.beta * strength)

    def _decay(self, u: NDArray[np.complex128], rate: Amount) -> None:
        system, k = self.system, self.order
        # u = c (e_1 - i e_2): the spin falls against n = e_1 x e_2
        square = (np.abs(u) ** 2).sum(axis=1) / 2
        n = (np.cross(u, u.conj()) / 2j).real / np.where(square == 0, 1, square)[:, None]
        n[square == 0] = (0, 0, 1)
        frame = np.array([rotation(x) for x in n])
        p, q = (system.number(x.real) + system.number(x.imag) * 1j for x in frame.T)
        # alpha = p a + q b and beta = p^* b - q^* a; inverted:
        a = p.conj() * self.alpha - q * self.beta
        b = q.conj() * self.alpha + p * self.beta
        r = rate * Amount.of(square)
        strength = r.poly(system)
        up = (b * b.conj()).real() + Poly.constant((1 + k) / 2)
        down = (a * a.conj()).real() - Poly.constant((1 - k) / 2)
        one, two = a * up * strength * -0.5, b * down * strength * 0.5
        self._add_drift(p * one + q * two, p.conj() * two - q.conj() * one)
        if k < 1:
            amplitude = self._root((strength * up * ((1 - k) / 4)).clean(), r)
            for unit in (1, 1j):
                self._add_noise(p * amplitude * unit, q.conj() * amplitude * -unit)
        if k > -1:
            amplitude = self._root((strength * down * ((1 + k) / 4)).clean(), r)
            for unit in (1, 1j):
                self._add_noise(q * amplitude * unit, p.conj() * amplitude * unit)

    def correlated(self) -> None:
        """Jumps as random rotations and their drift (Stratonovich)."""
        system = self.system
        s = [
            Poly({((), tuple(self.kind(self.k, c) for c in key)): d for key, d in v.items()})
            for v in VECTOR
        ]
        for u, rate in self.block.jumps:
            amplitude = None
            re = [x.real().poly(system) for x in u]
            im = [x.imag().poly(system) for x in u]
            for part, sign in ((re, 1.0), (im, -1.0)):
                if any(part):
                    if amplitude is None:
                        amplitude = self._root(rate.poly(system), rate)
                    noise = turn([x * sign for x in part], self.alpha, self.beta)
                    self._add_noise(noise[0] * amplitude, noise[1] * amplitude)
            # Re(i u l^*) = Re u Im l - Im u Re l
            strength = rate.poly(system)
            l_re = poly_sum(re[a] * s[a] for a in range(3)) * strength
            l_im = poly_sum(im[a] * s[a] for a in range(3)) * strength
            omega = [(re[a] * l_im - im[a] * l_re).clean() for a in range(3)]
            self._add_drift(*turn(omega, self.alpha, self.beta))
        self.out.conserve = True


def expand(mono: Mono) -> list[tuple[Mono, float]]:
    """A product of spin components of one member as products of amplitudes."""
    out = expanded(
        [
            (tuple((block, x) for x in key), c)
            for key, c in spin_monomial(tuple(c for b, c in mono if b == block))
        ]
        for block in sorted({b for b, _ in mono})
    )
    return list(out.items())
