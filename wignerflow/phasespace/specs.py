"""How trajectories of a system begin, and what is read from arrays: data of a PhaseSpaceSystem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
