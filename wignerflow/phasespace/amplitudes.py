r"""Schwinger amplitudes: spins as two classical complex numbers, symbols and initial states.

With S^+ = a^+ b and S_z = (a^+ a - b^+ b)/2, averages of products of alpha and beta over the
distribution of ordering k = 1, 0, -1 (P, Wigner, Q) are those of normally, symmetrically and
antinormally ordered products. With s_x + i s_y = alpha^* beta, s_z = (|alpha|^2 - |beta|^2)/2 and
n = |alpha|^2 + |beta|^2 this gives, exactly,

.. math::
   S_i \to s_i, \qquad \tfrac12\{S_i, S_j\} \to s_i s_j
       + \delta_{ij}\left[\tfrac k4 n - \tfrac18(1-k^2)\right], \qquad 2S \to n - (1-k),

so S^+S^- -> (|alpha|^2 - c)(|beta|^2 + 1 - c) with c = (1-k)/2. Longer words are written in a and b
and put in order, exactly; spins on different sites multiply. A Wigner function replaced by
trajectories of fixed length n = 2S + 1 has no fluctuation of n for the constant -1/8 to take off:
it is left out, which makes variances across a coherent state S/2, as they are. There words of three
letters and more take their symbol in s, see ``moyal``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..model import words
from ..model.states import BlochState
from ..model.subsystems import Subsystem
from .polynomials import expanded
from .symbols import SymbolMap, ordered_symbol, word_symbol
from .system import DISPLACED, GAMMA, PINNED, RANGE, InitialSpec

Components = tuple[int, ...]

#: s_x, s_y, s_z in (Re alpha, Im alpha, Re beta, Im beta).
VECTOR: tuple[dict[Components, float], ...] = (
    {(0, 2): 1.0, (1, 3): 1.0},
    {(0, 3): 1.0, (1, 2): -1.0},
    {(0, 0): 0.5, (1, 1): 0.5, (2, 2): -0.5, (3, 3): -0.5},
)
#: S_x, S_y, S_z as products of words of a and of b.
BOSONS: dict[str, dict[tuple[str, str], complex]] = {
    "x": {("d", "a"): 0.5, ("a", "d"): 0.5},
    "y": {("d", "a"): -0.5j, ("a", "d"): 0.5j},
    "z": {("da", ""): 0.5, ("", "da"): -0.5},
}
_TERMS = 24  # of the Chebyshev series of the root of a gamma variate: error 1e-7 at S = 1/2


@lru_cache(maxsize=1000)
def spin_monomial(letters: Components) -> tuple[tuple[Components, float], ...]:
    """A product of s_x, s_y, s_z (0, 1, 2) as terms (components, coefficient)."""
    out = expanded(VECTOR[a].items() for a in letters)
    return tuple((k, c) for k, c in out.items() if c)


@lru_cache(maxsize=1000)
def boson_word(letters: str) -> tuple[tuple[tuple[str, str], complex], ...]:
    """A word in S_x, S_y, S_z as normally ordered words of the modes a and b."""
    out: dict[tuple[str, str], complex] = {("", ""): 1.0}
    for letter in letters:
        new: dict[tuple[str, str], complex] = {}
        for (a, b), c in out.items():
            for (one, two), d in BOSONS[letter].items():
                for v, e in words.BOSON.multiply(a, one).items():
                    for w, f in words.BOSON.multiply(b, two).items():
                        new[v, w] = new.get((v, w), 0) + c * d * e * f
        out = new
    return tuple((k, c) for k, c in out.items() if c != 0)


@lru_cache(maxsize=1000)
def amplitude_word(
    letters: str, order: int, pinned: bool
) -> tuple[tuple[Components, complex], ...]:
    """Symbol of a word in x, y, z; ``pinned``: of trajectories of fixed length."""
    out: dict[Components, complex] = {}
    if pinned:
        for spins, c in word_symbol(words.ANGULAR, letters):
            for key, factor in spin_monomial(spins):
                out[key] = out.get(key, 0) + c * factor
        return tuple((k, c) for k, c in out.items() if c != 0)
    shift = (1 - order) / 2
    for (a, b), c in boson_word(letters):
        for one, d in ordered_symbol(a.count("d"), a.count("a"), shift):
            for two, e in ordered_symbol(b.count("d"), b.count("a"), shift):
                key = one + tuple(2 + i for i in two)
                out[key] = out.get(key, 0) + c * d * e
    scale = max((abs(c) for c in out.values()), default=0.0)
    return tuple((k, c) for k, c in out.items() if abs(c) > 1e-14 * scale)


class AmplitudeSymbols(SymbolMap):
    """Symbols as polynomials of the amplitudes, in the ordering ``order``."""

    order = 0
    pinned = False

    def letters_symbol(self, sub: Subsystem, letters: str) -> Iterable[tuple[Components, complex]]:
        return amplitude_word(letters, self.order, self.pinned)


# ---------------------------------------------------------------------------- initial states


def rotation(direction: NDArray[np.float64]) -> tuple[complex, complex]:
    """(p, q) such that A along ``direction`` and B against it give alpha = p A + q B and

    beta = p^* B - q^* A: p = cos(theta/2), q = -e^{-i phi} sin(theta/2).
    """
    x, y, z = direction / np.linalg.norm(direction)
    p = np.sqrt((1 + z) / 2)
    if p < 1e-8:
        return 0j, -1 + 0j
    return complex(p), -complex(x, -y) / (2 * p)


def initial_amplitudes(
    states: Sequence[BlochState], lengths: NDArray[np.float64], order: int, sampling: str
) -> InitialSpec:
    """Spin coherent states: 2S bosons in A, none in B, so that <|B|^2> = (1 - k)/2.

    "exact" (Q): |A|^2 gamma distributed; "coherent": a coherent state of 2S bosons in A on average;
    "fixed": |A|^2 + |B|^2 = 2S + 1 - k.
    """
    out = InitialSpec.zeros(len(states))
    out.sigma[:] = np.sqrt((1 - order) / 4)
    kind = {"exact": GAMMA, "coherent": DISPLACED, "fixed": PINNED}[sampling]
    out.kind[:] = kind
    out.mean[:] = np.sqrt(2 * lengths + ((1 - order) if sampling == "fixed" else 0))
    for m, state in enumerate(states):
        p, q = rotation(state.vector)
        out.e1[m] = p.real, p.imag, q.real
        out.e2[m, 0] = q.imag
    if kind == GAMMA:
        out.series = np.array([_gamma_root(2 * s + 1) for s in lengths.tolist()])
    return out


@lru_cache(maxsize=100)
def _gamma_root(shape: float) -> NDArray[np.float64]:
    """Chebyshev series, in z/RANGE, of the root of a gamma variate as a function of a normal z."""
    from scipy.special import gammainccinv, gammaincinv, ndtr

    def root(u: NDArray[np.float64]) -> NDArray[np.float64]:
        z = RANGE * u
        low, high = gammaincinv(shape, ndtr(np.minimum(z, 0))), gammainccinv(shape, ndtr(-z))
        return np.sqrt(np.where(z < 0, low, high))

    return np.polynomial.chebyshev.chebinterpolate(root, _TERMS - 1)  # type: ignore[arg-type]
