"""Explicit equations: linear stochastic equations against their closed moment equations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import ndtri

from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText
from wignerflow.kernels.numpy_lanes import load
from wignerflow.kernels.observe import Readout
from wignerflow.model.couplings import NearestNeighbour
from wignerflow.phasespace.polynomials import Aux, Coupled, Form, Member, Poly, Var
from wignerflow.phasespace.system import (
    MODE,
    SQUARE_ROOT,
    Block,
    CoupledSpec,
    Explicit,
    InitialSpec,
    PhaseSpaceSystem,
    Root,
)

from .lanes import LaneRun

SEED = 11
FAMILY = 1e-3  # family-wise error rate of every statistical test


def start(values):
    """Modes that begin at fixed points (n, 2)."""
    n = len(values)
    zeros = np.zeros((n, 3))
    e1 = zeros.copy()
    e1[:, 0] = values[:, 1]
    return InitialSpec(np.zeros(n, np.int64), e1, zeros, zeros, values[:, 0].copy(), np.zeros(n))


def geometric(calculus, factor=1.0):
    """One block: dx = -y dt + s x dW1, dy = x dt + s y dW1 + 0.3 dW2, with s = 0.5."""
    system = PhaseSpaceSystem([Block(MODE, "m", 1, None, "mode")], calculus=calculus)
    x, y = (Poly.leaf(Var(0, c)) for c in range(2))
    noise = [[x * 0.5 * factor, y * 0.5 * factor], [Poly(), Poly.constant(0.3)]]
    system.explicit = [Explicit(0, [y * -1, x], noise, np.ones(1))]
    system.initial = [start(np.array([[1.0, 0.0]]))]
    return system, [x, y, x * x, y * y]


def run(system, polys, t, dt, lanes=12_000):
    """Means at time t and their standard errors, and the lanes, run uncompiled."""
    text = KernelText(system, [Readout(p, False) for p in polys])
    lane_run = LaneRun(text, Grid.make(np.array([0.0, t]), dt), lanes)
    lane_run.run(SEED)
    values = lane_run.observe()
    return values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(lanes)


def exact_geometric(calculus, t):
    """Means and second moments of the equations of ``geometric``."""
    shift = 0.125 if calculus == "stratonovich" else 0.0  # s^2/2
    A = np.array([[shift, -1], [1, shift]])
    mean = expm(A * t) @ [1, 0]
    # (xx, xy, yy, 1)
    s2 = 0.25
    B = np.array(
        [
            [2 * shift + s2, -2, 0, 0],
            [1, 2 * shift + s2, -1, 0],
            [0, 2, 2 * shift + s2, 0.09],
            [0, 0, 0, 0],
        ]
    )
    second = expm(B * t) @ [1, 0, 0, 1]
    return np.array([*mean, second[0], second[2]])


def worst(mean, sem, exact):
    return float(np.max(np.abs(mean - exact) / sem))


@pytest.mark.parametrize("calculus", ["ito", "stratonovich"])
def test_moments_of_multiplicative_noise(calculus):
    system, polys = geometric(calculus)
    mean, sem = run(system, polys, 1.0, 0.01)
    limit = -ndtri(FAMILY / 2 / 4)
    assert worst(mean, sem, exact_geometric(calculus, 1.0)) < limit
    # negative controls: the other calculus, and noise that is too small
    other = {"ito": "stratonovich", "stratonovich": "ito"}[calculus]
    assert worst(mean, sem, exact_geometric(other, 1.0)) > limit
    mean, sem = run(geometric(calculus, 0.8)[0], polys, 1.0, 0.01)
    assert worst(mean, sem, exact_geometric(calculus, 1.0)) > limit


@pytest.mark.parametrize("calculus", ["ito", "stratonovich"])
def test_weak_order_one(calculus):
    """The error of one step falls as h^2."""
    for h in (0.1, 0.05, 0.025, 0.0125):
        error = one_step(geometric(calculus)[0], h) - exact_geometric(calculus, h)
        assert np.abs(error).max() < 0.15 * h**2
    # negative control: the other calculus is wrong already to first order
    other = exact_geometric({"ito": "stratonovich", "stratonovich": "ito"}[calculus], h)
    assert np.abs(one_step(geometric(calculus)[0], h) - other).max() > 0.15 * h**2


def rotations(order):
    """dv = (-c v + (0, 1)) dt + 0.6 (y, -x) dW1 + 0.5 (x, 0) dW2 + 0.4 (0.3 + y, x) dW3, Itô."""
    system = PhaseSpaceSystem([Block(MODE, "m", 1, None, "mode")], calculus="ito")
    x, y = (Poly.leaf(Var(0, c)) for c in range(2))
    noise = [[y * 0.6, x * -0.6], [x * 0.5, Poly()], [(Poly.constant(0.3) + y) * 0.4, x * 0.4]]
    drift = [x * -0.5, y * -0.5 + Poly.constant(1.0)]
    system.explicit = [Explicit(0, drift, noise, np.ones(1), order=order)]
    system.initial = [start(np.array([[1.0, 0.0]]))]
    A = np.array([[-0.5, 0], [0, -0.5]])
    columns = [
        (np.array([[0, 0.6], [-0.6, 0]]), np.zeros(2)),
        (np.array([[0.5, 0], [0, 0]]), np.zeros(2)),
        (np.array([[0, 0.4], [0.4, 0]]), np.array([0.12, 0])),
    ]
    return system, A, np.array([0.0, 1.0]), columns


def exact_linear(A, k, columns, h):
    """Moments (x, y, xx, xy, yy) from (1, 0) of dv = (A v + k) dt + (B v + c) dW."""
    pairs = [(0, 0), (0, 1), (1, 1)]
    index = {(0, 0): 3, (0, 1): 4, (1, 0): 4, (1, 1): 5}
    G = np.zeros((6, 6))  # of (1, x, y, xx, xy, yy)
    G[1:3, 0], G[1:3, 1:3] = k, A
    for row, (a, b) in enumerate(pairs, start=3):
        for c in range(2):
            G[row, index[c, b]] += A[a, c]
            G[row, index[a, c]] += A[b, c]
        G[row, 1 + b] += k[a]
        G[row, 1 + a] += k[b]
        for B, shift in columns:
            for c in range(2):
                G[row, 1 + c] += B[a, c] * shift[b] + B[b, c] * shift[a]
                for d in range(2):
                    G[row, index[c, d]] += B[a, c] * B[b, d]
            G[row, 0] += shift[a] * shift[b]
    return (expm(G * h) @ [1, 1, 0, 1, 0, 0])[1:]


def test_weak_order_two():
    """Three columns that do not commute: the error of one step falls as h^3, not as h^2."""
    system, *equations = rotations(2)
    first = rotations(1)[0]
    for h in (0.1, 0.05, 0.025):
        exact = exact_linear(*equations, h)
        assert np.abs(one_step(system, h, 3, True) - exact).max() < 0.4 * h**3
        assert np.abs(one_step(first, h, 3, True) - exact).max() > 0.1 * h**2


def one_step(system, h, columns=2, mixed=False):
    """Exact mean of one printed step, by quadrature over its normals and signs."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    extra, share = [0.0], [1.0]
    if system.explicit[0].order == 2:  # one spare normal, eight combinations of three signs
        extra, share = [-2, -0.9, -0.5, -0.1, 0.1, 0.5, 0.9, 2], [0.125] * 8
    axes = [nodes] * columns + [np.array(extra)]
    normals = [g.ravel() for g in np.meshgrid(*axes, indexing="ij")]
    factors = [weights / np.sqrt(2 * np.pi)] * columns + [np.array(share)]
    weight = np.prod([g.ravel() for g in np.meshgrid(*factors, indexing="ij")], axis=0)
    text = KernelText(system, [])
    n = weight.size
    normals.append(np.zeros(n))
    scope = load(text.plain(), n)
    asked: dict[int, int] = {}

    def pair_of(a, b, lane, pair):
        first = asked.setdefault(int(pair), 2 * len(asked))
        return normals[first : first + 2]

    scope["normal_pair"] = pair_of
    p, o, ct, _ = text.tables(Grid.make(np.array([0.0, h]), h), np.float64)
    v, q = np.zeros((2, text.layout.state_slots * n))
    v[:n] = 1.0
    s, wide = np.zeros(len(text.layout.scratch) * n), np.zeros(max(1, text.layout.wide_slots) * n)
    keys = np.zeros(3, np.uint32)
    scope["step"](v, q, s, wide, p, o, ct[0], h, 1.0, 0, keys, keys, 0)
    x, y = v.reshape(2, n)
    moments = (x, y, x * x, x * y, y * y) if mixed else (x, y, x * x, y * y)
    return np.array([weight @ f for f in moments])


def chain(calculus, coupling=0.7):
    """dx_m = (-k_m x_m + K sum_neighbours x + 0.1 sum x) dt + s_m x_m dW_m, and y alike."""
    M, rng = 4, np.random.default_rng(3)
    k, s = rng.uniform(0.5, 1, M), rng.uniform(0.2, 0.4, M)
    system = PhaseSpaceSystem([Block(MODE, "c", M, M, "mode")], calculus=calculus)
    K, S = system.number(-k), system.number(s)
    drift = []
    for c in range(2):
        system.coupled.append(CoupledSpec(NearestNeighbour(), ((0, c),)))
        total = system.form(((0, c),), np.ones(M))
        parts = (
            K * Poly.leaf(Member(0, c)),
            Poly.leaf(Coupled(c), coupling),
            Poly.leaf(Form(total), 0.1),
        )
        drift.append(parts[0] + parts[1] + parts[2])
    noise = [[S * Poly.leaf(Member(0, 0)), Poly()], [Poly(), S * Poly.leaf(Member(0, 1))]]
    system.explicit = [Explicit(0, drift, noise, np.ones(M))]
    values = rng.uniform(0.5, 1.5, (M, 2))
    system.initial = [start(values)]
    forms = [system.form(((0, c),), w) for c in range(2) for w in np.eye(M)]
    shift = s**2 / 2 if calculus == "stratonovich" else 0 * s
    ones = np.ones((M, M))
    neighbours = np.diag(np.ones(M - 1), 1) + np.diag(np.ones(M - 1), -1)
    A = np.diag(shift - k) + 0.7 * neighbours + 0.1 * ones
    exact = (expm(A) @ values).T.ravel()
    return system, [Poly.leaf(Form(i)) for i in forms], exact


@pytest.mark.parametrize("calculus", ["ito", "stratonovich"])
def test_arrays_with_sums_and_couplings(calculus):
    system, polys, exact = chain(calculus)
    limit = -ndtri(FAMILY / 2 / 8)
    assert worst(*run(system, polys, 1.0, 0.02), exact) < limit
    system, polys, _ = chain(calculus, coupling=0.65)
    assert worst(*run(system, polys, 1.0, 0.02), exact) > limit


def test_roots_are_clipped_and_counted():
    """dx = sqrt(x) dW keeps its mean; a negative x counts as clipped and has no noise."""
    system = PhaseSpaceSystem([Block(MODE, "m", 1, None, "mode")], calculus="ito")
    x = Poly.leaf(Var(0, 0))
    root = Poly.leaf(Aux(0, 0))
    explicit = Explicit(0, [Poly(), Poly()], [[root, Poly()]], np.ones(1), [Root(SQUARE_ROOT, x)])
    system.explicit, system.initial = [explicit], [start(np.array([[0.5, 0.0]]))]
    mean, sem = run(system, [x], 0.5, 0.05)
    assert worst(mean, sem, np.array([0.5])) < -ndtri(FAMILY / 2)
    text = KernelText(system, [Readout(x, False)])
    grid = Grid.make(np.array([0.0, 0.5]), 0.05)
    lane_run = LaneRun(text, grid, 500)
    lane_run.run(SEED)
    assert lane_run.s.reshape(-1, 500)[text.layout.scratch["clip"]].sum() > 0


def test_length_is_conserved():
    """Noise along the radius is projected out when a block conserves its length."""
    system = PhaseSpaceSystem([Block(MODE, "m", 1, None, "mode")], calculus="ito")
    x, y = (Poly.leaf(Var(0, c)) for c in range(2))
    system.explicit = [Explicit(0, [y, x * -1], [[x, y]], np.ones(1), conserve=True)]
    system.initial = [start(np.array([[0.6, 0.8]]))]
    mean, _ = run(system, [x * x + y * y, x], 1.0, 0.01, lanes=500)
    assert mean[0] == pytest.approx(1, abs=1e-12)
    assert mean[1] == pytest.approx(0.6 * np.cos(1) + 0.8 * np.sin(1), abs=0.01)
