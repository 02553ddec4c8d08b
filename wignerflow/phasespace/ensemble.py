r"""Permutation-invariant ensembles in the Bloch form: local channels and product initial states.

One emitter's Bloch vector under local jumps obeys dr/dt = -Lambda r + c, with
Lambda_ab = -Tr[sigma_a L(sigma_b)]/2 and c_a = Tr[sigma_a L(1)]/2. For the collective vector J of N
emitters the step of length h,

.. math:: J \to M J + \frac N2 d + \text{noise}, \qquad
   \text{cov} = \frac N4 (1 - M M^T - d d^T) - \frac12 (M J d^T + d (M J)^T),

with exp of [[-Lambda, c], [0, 0]] h = [[M, d], [0, 1]], has the exact first and second moments of
the Lindblad equation, whatever the channels and N.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

from ..model.model import LocalJump
from ..model.states import BlochState
from .system import DISCRETE, FIXED, GAUSSIAN, InitialSpec

#: sigma_x, sigma_y, sigma_z.
PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], complex)
GAUSSIAN_BELOW = 10  # ensembles below this N start with Gaussian, not fixed-length, fluctuations


def bloch_generator(
    jump: NDArray[np.complex128],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(Lambda, c) of one emitter for one jump, a 2x2 matrix, of rate one; shapes (3, 3), (3,)."""
    product = jump.conj().T @ jump

    def dissipator(rho: NDArray[np.complex128]) -> NDArray[np.complex128]:
        return np.asarray(jump @ rho @ jump.conj().T - (product @ rho + rho @ product) / 2)

    images = [dissipator(s) for s in PAULI]
    lam = np.array([[-np.trace(PAULI[a] @ images[b]).real / 2 for b in range(3)] for a in range(3)])
    one = dissipator(np.eye(2, dtype=complex))
    return lam, np.array([np.trace(s @ one).real / 2 for s in PAULI])


def local_parts(jump: LocalJump, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lambda (size, 3, 3) and c (size, 3) of a local jump at rate one; zero on other members."""
    lam, c = bloch_generator(jump.op.matrix())
    here = np.ones(size) if jump.op.member is None else np.eye(size)[jump.op.member]
    return here[:, None, None] * lam, here[:, None] * c


@lru_cache(maxsize=1000)
def _axes(
    x: float, y: float, z: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Orthonormal (e1, e2, e3) with e3 along r = (x, y, z), or z where r = 0."""
    r = np.array([x, y, z])
    norm = np.linalg.norm(r)
    e3 = r / norm if norm > 0 else np.array([0.0, 0.0, 1.0])
    seed = np.eye(3)[int(np.argmin(np.abs(e3)))]
    e1 = np.cross(seed, e3)
    e1 /= np.linalg.norm(e1)
    return e1, np.cross(e3, e1), e3


def dawson(x: float) -> float:
    r"""Dawson's integral e^{-x^2} int_0^x e^{t^2} dt, to rounding.

    :math:`\pi^{-1/2} \sum_{n\,\mathrm{odd}} e^{-(x - nh)^2}/n` differs from it by a term of the
    order of :math:`e^{-(\pi/2h)^2}` (Rybicki, Computers in Physics 3, 85 (1989)). SciPy's takes a
    third of a second to import, which a first run would wait for.
    """
    h = 0.2
    near, odd = 2 * round(x / h / 2), 2 * np.arange(-20, 20) + 1
    distance = x - near * h - odd * h
    return float(np.sum(np.exp(-(distance**2)) / (near + odd)) / np.sqrt(np.pi))


@lru_cache(maxsize=10_000)
def fixed_length(N: float) -> float:
    r"""The length l of vectors whose mean is N/2 when J_perp is Gaussian of variance N/4 each.

    With q = J_perp^2 of exponential law and mean N/2 the longitudinal part sqrt(l^2 - q) (zero
    where q is more) has the mean l - sqrt(N/2) F(l / sqrt(N/2)), F Dawson's integral: l is close to
    (N + 1)/2. Means and transverse second moments are exact; <J_par^2> is 1/4 too large.
    """
    root = np.sqrt(N / 2)
    length = (N + 1) / 2
    for _ in range(50):
        x = length / root
        F = dawson(x)
        change = (length - root * F - N / 2) / max(2 * x * F, 0.1)
        length -= change
        if abs(change) < 1e-14 * length:
            break
    return float(length)


def spin_initial(
    states: list[BlochState], numbers: NDArray[np.float64], sampling: str
) -> InitialSpec:
    """Initial distribution of product states of N emitters (or of length S = N/2), member by
    member.

    ``sampling`` is "gaussian", "fixed", "auto" (fixed length for pure states of at least
    ``GAUSSIAN_BELOW`` emitters), "discrete" (spin-1/2) or "point" (no fluctuations).
    """
    size = len(states)
    out = InitialSpec.zeros(size)
    places: dict[tuple[BlochState, float], list[int]] = {}
    for k, pair in enumerate(zip(states, numbers.tolist(), strict=True)):
        places.setdefault(pair, []).append(k)
    for (state, N), m in places.items():
        r = float(np.linalg.norm(state.vector))
        e1, e2, e3 = _axes(*state.vector.tolist())
        out.e3[m] = e3
        if sampling == "point":
            out.mean[m] = N * r / 2
            continue
        if sampling == "discrete":
            out.kind[m], out.mean[m] = DISCRETE, r
            out.sigma[m] = scipy.special.ndtri((1 + r) / 2) if r < 1 - 1e-12 else 1e3
            out.e1[m], out.e2[m], out.e3[m] = e1 / 2, e2 / 2, e3 / 2
            continue
        out.e1[m], out.e2[m] = np.sqrt(N) / 2 * e1, np.sqrt(N) / 2 * e2
        fixed = sampling == "fixed" or (sampling == "auto" and N >= GAUSSIAN_BELOW)
        if state.is_pure and fixed:
            out.kind[m], out.mean[m] = FIXED, fixed_length(N)
        else:
            out.kind[m], out.mean[m] = GAUSSIAN, N * r / 2
            out.sigma[m] = np.sqrt(max(N / 4 * (1 - r**2), 0.0))
    return out
