"""Schwinger amplitudes: the equations against the Lindblad operator, term by term, and matrices.

The references of ``bosons`` are the paper's Eqs. (5)-(8) applied to polynomials, and spin matrices.
"""

from __future__ import annotations

from itertools import combinations_with_replacement, product
from math import comb

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.phasespace.polynomials import Aux, Coupled, Form, Member, Number, Pair, Var

from ..few import few
from .bosons import (
    Matrices,
    Ordering,
    add,
    dag,
    diff,
    leaf,
    mul,
    one,
    plus,
    scale,
    second_order,
    size,
    spin,
    times,
    weigh,
)  # fmt: skip

ORDERS = {"P": 1, "W": 0, "Q": -1}
AXIS = np.array([0.48, -0.6, 0.64])


# ---------------------------------------------------------------------------- models, twice


def case(name, m=0):
    """(H, jumps) of the library for operators J, and of bosons, and of matrices."""
    t = AXIS / np.linalg.norm(AXIS)
    e1 = np.cross(t, [1, 0, 0]) / np.linalg.norm(np.cross(t, [1, 0, 0]))
    lower = e1 - 1j * np.cross(t, e1)
    real = np.exp(0.4j) * np.array([0.3, 0.8, -0.5])
    minus, plus_, z = (1, -1j, 0), (1, 1j, 0), (0, 0, 1)
    none, drive = np.zeros((3, 3)), np.array([0.7, -0.3, 0.4])
    Q = np.array([[0.9, 0.2, -0.4], [0.2, -0.3, 0.5], [-0.4, 0.5, 0.1]])
    return {
        "decay": (none, 0 * drive, [(minus, 0, 0.7)]),
        "pumping": (none, 0 * drive, [(plus_, 0, 0.6)]),
        "dephasing": (none, 0 * drive, [(z, 0, 0.5)]),
        "decay with a constant": (none, 0 * drive, [(minus, 0.3 - 0.8j, 0.7)]),
        "decay along an axis": (none, 0 * drive, [(lower, 0, 0.7)]),
        "dephasing along an axis": (none, 0 * drive, [(real, 0.2j, 0.5)]),
        "drive": (none, drive, []),
        "twisting": (Q, drive, []),
        "all": (Q, drive, [(minus, 0.1, 0.7), (plus_, 0, 0.2), (z, 0, 0.4), (real, 0, 0.3)]),
        "squeezed bath": (none, drive, [((1.3, -0.4j, 0.2), 0.5, 0.6)]),
    }[name]


def build(name, J, identity, product_):
    """H and jumps from three spin operators, whatever they are made of."""
    Q, B, jumps = case(name)
    H = sum((Q[a, b] * product_(J[a], J[b]) for a, b in product(range(3), repeat=2)), 0 * J[0])
    H = H + sum((B[a] * J[a] for a in range(3)), 0 * J[0])
    return H, [(sum((u[a] * J[a] for a in range(3)), c * identity), r) for u, c, r in jumps]


class Words:
    """Boson operators with + and *."""

    def __init__(self, terms):
        self.terms = terms

    def __add__(self, other):
        return Words(plus(self.terms, other.terms))

    def __rmul__(self, c):
        return Words(weigh(c, self.terms))

    def __mul__(self, other):
        return Words(times(self.terms, other.terms))


def boson_model(name):
    J = [Words(spin(0, a)) for a in "xyz"]
    H, jumps = build(name, J, Words([(1.0, ())]), lambda p, q: p * q)
    return H.terms, [(L.terms, r) for L, r in jumps]


def library_model(name, S=2.0, initial=wf.up):
    sub = wf.CollectiveSpin(S, name="spin")
    H, jumps = build(name, [sub.Jx, sub.Jy, sub.Jz], 1.0, lambda p, q: p * q)
    H = (H + H.dag()) * 0.5
    return wf.Model(H, [wf.Jump(L, r) for L, r in jumps], initial={sub: initial}), sub


# ---------------------------------------------------------------------------- the library's terms


class Library:
    """Drift and diffusion of a lowered system as polynomials, exactly."""

    def __init__(self, system, spins):
        self.system, self.n = system, 4 * spins
        self.A, self.D = [], {}
        T = np.array([[1, 1j], [1, -1j]])
        real, columns, ito = [], [], system.calculus == "ito"
        for e in system.explicit:
            block = system.blocks[e.block]
            for m in range(block.size):
                real += [self.read(p, e, m) for p in e.drift]
                # roots appear squared only: a column is (rate under the root, vector)
                columns += [self.column(c, e, m, len(real) - 4) for c in e.noise]
        n = self.n
        diffusion = {}
        for under, vector in columns:
            for i, j in product(vector, repeat=2):
                term = mul(under, mul(vector[i], vector[j]))
                diffusion[i, j] = add(diffusion.get((i, j), {}), term)
            if not ito:  # + (1/2) b_j d_j b_i, where the rate under the root is a constant
                for i, j in product(vector, repeat=2):
                    change = scale(mul(under, mul(vector[j], self.real_diff(vector[i], j))), 0.5)
                    real[i] = add(real[i], change)
        for i in range(n // 2):
            pair = real[2 * i], real[2 * i + 1]
            self.A += [add(scale(pair[0], T[r, 0]), scale(pair[1], T[r, 1])) for r in range(2)]
        for i, j in product(range(n), repeat=2):
            parts = [
                scale(
                    diffusion.get((2 * (i // 2) + a, 2 * (j // 2) + b), {}),
                    T[i % 2, a] * T[j % 2, b],
                )
                for a, b in product(range(2), repeat=2)
            ]
            self.D[i, j] = add(*parts)

    def real_leaf(self, i):
        z, w = leaf(self.n, 2 * (i // 2)), leaf(self.n, 2 * (i // 2) + 1)
        return (
            add(scale(z, 0.5), scale(w, 0.5))
            if i % 2 == 0
            else add(scale(z, -0.5j), scale(w, 0.5j))
        )

    def real_diff(self, f, i):
        z, w = diff(f, 2 * (i // 2)), diff(f, 2 * (i // 2) + 1)
        return add(z, w) if i % 2 == 0 else add(scale(z, 1j), scale(w, -1j))

    def value(self, x, e, m):
        s = self.system
        if isinstance(x, (Var, Member)):
            return self.real_leaf(4 * m + x.comp)
        if isinstance(x, Number):
            return scale(one(self.n), s.numbers[x.index][m])
        if isinstance(x, Form):
            spec = s.forms[x.index]
            return add(*(scale(self.mono(spec.mono, j), w) for j, w in enumerate(spec.weights)))
        if isinstance(x, Pair):
            p = s.pairs[x.index]
            at = range(s.blocks[p.left[0][0]].size)
            u, v = (np.ones(len(at)) if w is None else w for w in (p.u, p.v))
            K = p.coupling.matrix(len(at)).real
            return add(
                {},
                *(
                    scale(mul(self.mono(p.left, i), self.mono(p.right, j)), u[i] * K[i, j] * v[j])
                    for i, j in product(at, repeat=2)
                    if i != j
                ),
            )
        assert isinstance(x, Coupled)
        spec = s.coupled[x.index]
        size_ = s.blocks[e.block].size
        K = spec.coupling.matrix(size_).real
        w = np.ones(size_) if spec.weights is None else spec.weights
        return add(
            {}, *(scale(self.mono(spec.mono, j), K[m, j] * w[j]) for j in range(size_) if j != m)
        )

    def mono(self, mono, m):
        out = one(self.n)
        for _, c in mono:
            out = mul(out, self.real_leaf(4 * m + c))
        return out

    def read(self, poly, e, m):
        out = {}
        for (times_, leaves), c in poly.terms.items():
            assert not times_
            term = scale(one(self.n), c)
            for x in leaves:
                term = mul(term, self.value(x, e, m))
            out = add(out, term)
        return out

    def column(self, column, e, m, first):
        under, vector = None, {}
        for c, poly in enumerate(column):
            rest = {}
            for (times_, leaves), w in poly.terms.items():
                aux = [x for x in leaves if isinstance(x, Aux)]
                assert len(aux) == 1 and not times_
                under = aux[0]
                rest[times_, tuple(x for x in leaves if x is not aux[0])] = w
            if rest:
                vector[first + c] = self.read(type(poly)(rest), e, m)
        return self.read(e.roots[under.index].of, e, m), vector

    def act(self, f):
        return second_order(self.A, self.D, f)


def lowered(method, model, ops=None):
    return method.lower(model, ops or {}, np.array([0.0, 1.0]))


def library(name, method, **options):
    return Library(lowered(method, library_model(name, **options)[0])[0], 1)


def dropped(name, k):
    """The diffusion left out: between the bosons of a falling spin's frame, and by interactions."""
    order = Ordering(k, 1)
    H, jumps = boson_model(name)
    out = {}
    _, D = order.coefficients(H, [])
    for key, d in D.items():
        out[key] = add(out.get(key, {}), d)
    for L, rate in jumps:
        _, D = order.coefficients([], [(L, rate)])
        u = dict.fromkeys("xyz", 0)
        for c, w in L:
            if w and w[0][1] + w[1][1] == "Ab":
                u["x"], u["y"] = u["x"] + c, u["y"] + 1j * c
            elif w and w[0][1] + w[1][1] == "aB":
                u["x"], u["y"] = u["x"] + c, u["y"] - 1j * c
            elif w and w[0][1] == "A":
                u["z"] = u["z"] + 2 * c
        v = np.array([u[a] for a in "xyz"])
        if abs(v @ v) > 1e-9:
            continue
        axis = (np.cross(v, v.conj()) / 2j).real / (np.vdot(v, v).real / 2)
        if abs(axis[2]) < 1 - 1e-9:
            continue  # other axes: see test_axis
        for i, j in D:
            if {i // 2, j // 2} == {0, 1}:
                out[i, j] = add(out.get((i, j), {}), D[i, j])
    return out


KEPT = [
    "decay", "pumping", "dephasing", "decay with a constant", "dephasing along an axis", "drive",
    "twisting", "all",
]  # fmt: skip


def cases(names):
    """(name, distribution) of models; P and Q of most are slow tests."""
    quick = {"decay", "drive"}
    return [
        pytest.param(n, d, marks=[] if d == "W" or n in quick else pytest.mark.slow)
        for n in names
        for d in ORDERS
    ]


def second_moments():
    pairs = list(combinations_with_replacement("xyz", 2))
    half = [
        plus(weigh(0.5, times(spin(0, a), spin(0, b))), weigh(0.5, times(spin(0, b), spin(0, a))))
        for a, b in pairs
    ]
    return pairs, half


# ---------------------------------------------------------------------------- generator


@pytest.mark.parametrize("k", ORDERS.values())
def test_reference_operator_is_exact(k):
    """All orders of derivatives give the Lindbladian of matrices."""
    order, world = Ordering(k, 1), Matrices([1.5], 3)
    H, jumps = boson_model("all")
    J = [world.spin(0, a) for a in "xyz"]
    slope = world.slope(*build("all", J, np.eye(4), np.matmul))
    pairs, words = second_moments()
    for (a, b), word in zip(pairs, words, strict=True):
        f = order.symbol(word)
        A, B = world.spin(0, a), world.spin(0, b)
        exact = np.trace((A @ B + B @ A) / 2 @ slope)
        assert abs(world.average(f, k) - np.trace((A @ B + B @ A) / 2 @ world.rho)) < 1e-12
        assert abs(world.average(order.lindblad(f, H, jumps), k) - exact) < 1e-11


@pytest.mark.parametrize(("name", "distribution"), cases(KEPT))
def test_terms(name, distribution):
    """Drift and diffusion are those of the Lindblad operator but for the diffusion left out."""
    k = ORDERS[distribution]
    lib = library(name, wf.Schwinger(distribution))
    A, D = Ordering(k, 1).coefficients(*boson_model(name))
    gone = dropped(name, k)
    phase = phase_drift(lib, A)
    for i in range(4):
        assert size(add(lib.A[i], scale(A[i], -1), scale(phase[i], -1))) < 1e-12
    for key, d in D.items():
        assert size(add(lib.D[key], gone.get(key, {}), scale(d, -1))) < 1e-12, key


def phase_drift(lib, A):
    """A phase common to both amplitudes, i c (alpha, beta), which no spin sees."""
    n = lib.n
    at = tuple(int(j == 0) for j in range(n))
    c = lib.A[0].get(at, 0) - A[0].get(at, 0)
    assert abs(c.real) < 1e-12
    return [scale(leaf(n, i), c if i % 2 == 0 else -c) for i in range(4)]


@pytest.mark.parametrize(("name", "distribution"), cases([*KEPT, "decay along an axis"]))
def test_means_and_second_moments(name, distribution):
    """Means as by matrices; second moments but for what the dropped terms, in full, feed in."""
    k = ORDERS[distribution]
    lib, order, world = (
        library(name, wf.Schwinger(distribution)),
        Ordering(k, 1),
        Matrices([2.0], 5),
    )
    H, jumps = boson_model(name)
    J = [world.spin(0, a) for a in "xyz"]
    slope = world.slope(*build(name, J, np.eye(5), np.matmul))
    for a in "xyz":
        value = world.average(lib.act(order.symbol(spin(0, a))), k)
        assert abs(value - np.trace(world.spin(0, a) @ slope)) < 1e-11
    if name == "decay along an axis":
        return
    gone = dropped(name, k)
    A, D = order.coefficients(H, jumps)
    pairs, words = second_moments()
    for (a, b), word in zip(pairs, words, strict=True):
        f = order.symbol(word)
        sym = (world.spin(0, a) @ world.spin(0, b) + world.spin(0, b) @ world.spin(0, a)) / 2
        third = add(order.lindblad(f, H, jumps), scale(second_order(A, D, f), -1))
        missing = world.average(add(third, second_order([{}] * 4, gone, f)), k)
        value = world.average(lib.act(f), k)
        assert abs(value + missing - np.trace(sym @ slope)) < 1e-10
        if name in ("dephasing", "drive", "dephasing along an axis"):
            assert abs(missing) < 1e-10


SPOILT = {
    "sign of a drift": lambda e: e.drift.__setitem__(2, e.drift[2] * -1),
    "half the noise": lambda e: e.noise.__setitem__(0, [p * 0.5 for p in e.noise[0]]),
    "no noise": lambda e: e.noise.clear(),
    "a half less": lambda e: e.roots.__setitem__(
        0, type(e.roots[0])(e.roots[0].kind, e.roots[0].of * 0.5)
    ),
}


@pytest.mark.parametrize("distribution", few(ORDERS, ["W"]))
@pytest.mark.parametrize("spoilt", SPOILT)
def test_negative_controls(distribution, spoilt):
    """A spoilt system fails the comparison."""
    k = ORDERS[distribution]
    system, _ = lowered(wf.Schwinger(distribution), library_model("decay")[0])
    SPOILT[spoilt](system.explicit[0])
    lib, order, world = Library(system, 1), Ordering(k, 1), Matrices([2.0], 5)
    H, jumps = boson_model("decay")
    gone = dropped("decay", k)
    A, D = order.coefficients(H, jumps)
    worst = 0.0
    for word in [spin(0, a) for a in "xyz"] + second_moments()[1]:
        f = order.symbol(word)
        kept = second_order(A, D, f)
        wanted = add(kept, scale(second_order([{}] * 4, gone, f), -1))
        worst = max(worst, abs(world.average(add(lib.act(f), scale(wanted, -1)), k)))
    assert worst > 0.01


def test_other_orderings_fail():
    """The Q equations do not pass with Wigner moments."""
    lib, order, world = library("decay", wf.Schwinger("Q")), Ordering(0, 1), Matrices([2.0], 5)
    slope = world.slope(np.zeros((5, 5)), [(world.spin(0, "-"), 0.7)])
    value = world.average(lib.act(order.symbol(spin(0, "z"))), 0)
    assert abs(value - np.trace(world.spin(0, "z") @ slope)) > 0.05


def test_axis():
    """Decay along an axis is decay along z in a rotated frame, second moments included."""
    t = AXIS / np.linalg.norm(AXIS)
    p = np.sqrt((1 + t[2]) / 2)
    q = -(t[0] - 1j * t[1]) / (2 * p)
    U = np.array([[p, q], [-np.conj(q), p]])
    for k, name in ((0, "W"), (1, "P"), (-1, "Q")):
        lib = library("decay along an axis", wf.Schwinger(name))
        ref = library("decay", wf.Schwinger(name))
        for point in np.random.default_rng(1).normal(size=(5, 4)) * 2:
            inner = point[:2] + 1j * point[2:]
            outer = U @ inner

            def at(poly, z):
                full = np.array([z[0], z[0].conj(), z[1], z[1].conj()])
                return sum(c * np.prod(full ** np.array(e)) for e, c in poly.items())

            turned = U @ [at(ref.A[0], inner), at(ref.A[2], inner)]
            assert np.allclose([at(lib.A[0], outer), at(lib.A[2], outer)], turned, atol=1e-10)
            M = np.array([[at(ref.D[2 * i, 2 * j + 1], inner) for j in range(2)] for i in range(2)])
            N = np.array([[at(lib.D[2 * i, 2 * j + 1], outer) for j in range(2)] for i in range(2)])
            assert np.allclose(N, U @ M @ U.conj().T, atol=1e-10), k


@pytest.mark.parametrize(
    "name", ["decay", "pumping", "decay along an axis", "squeezed bath", "all"]
)
def test_correlated_noise(name):
    """The kept correlation: as the Lindblad operator up to lower order, and of constant length."""
    lib = library(name, wf.Schwinger("W", correlated_noise=True))
    A, D = Ordering(0, 1).coefficients(*boson_model(name))
    total = add(mul(leaf(4, 0), leaf(4, 1)), mul(leaf(4, 2), leaf(4, 3)))
    assert size(lib.act(total)) < 1e-12
    assert size(lib.act(mul(total, total))) < 1e-12

    def top(p):  # without the terms that are smaller by 1/S
        degree = max((sum(e) for e in p), default=0)
        return {e: c for e, c in p.items() if sum(e) == degree}

    for i in range(4):
        assert (
            size(top(add(lib.A[i], scale(A[i], -1)))) < 1e-12
            or max(sum(e) for e in add(lib.A[i], scale(A[i], -1))) <= 1
        )
    for key in D:
        rest = add(lib.D[key], scale(D[key], -1))
        assert max((sum(e) for e in rest), default=0) == 0, key


def test_correlated_noise_converges():
    """Second moments of decay: error of order S, where the noise is of order S^2."""
    errors = {}
    for S in (2.0, 4.0):
        world = Matrices([S], 7)
        dim = int(2 * S + 1)
        z = np.arange(S, -S - 1, -1)
        angle = 0.55  # of a spin coherent state, halved
        amp = np.array([
            np.sqrt(comb(dim - 1, j)) * np.cos(angle) ** (dim - 1 - j) * np.sin(angle) ** j
            for j in range(dim)
        ])  # fmt: skip
        world.rho = np.outer(amp, amp) + 0j * z
        slope = world.slope(np.zeros((dim, dim)), [(world.spin(0, "-"), 0.7)])
        exact = np.trace(world.spin(0, "z") @ world.spin(0, "z") @ slope)
        f = Ordering(0, 1).symbol(times(spin(0, "z"), spin(0, "z")))
        for correlated in (True, False):
            lib = library("decay", wf.Schwinger("W", correlated_noise=correlated))
            errors[S, correlated] = abs(world.average(lib.act(f), 0) - exact)
    # the noise itself is 0.7 S^2 sin^2/2 = 4.4 at S = 4; the correlation makes up most of it
    assert errors[4.0, True] < 0.35 * errors[4.0, False]
    assert errors[4.0, True] < 2.5 * errors[2.0, True]
    assert errors[4.0, False] > 3 * errors[2.0, False]


# ---------------------------------------------------------------------------- arrays


def coupled_model(structure):
    rng = np.random.default_rng(4)
    chain = wf.CollectiveSpin([1.0, 1.5], name="chain", count=2)
    K = {
        "dense": rng.normal(size=(2, 2)),
        "nearest": wf.NearestNeighbour(),
        "waveguide": wf.Waveguide(0.8),
        "all": wf.AllToAll(),
    }[structure]
    dense = {
        "dense": K,
        "nearest": 1 - np.eye(2),
        "waveguide": np.sin(0.8) / 2 * (1 - np.eye(2)),
        "all": 1 - np.eye(2),
    }[structure]
    return chain, K, dense


@pytest.mark.parametrize("structure", ["dense", "nearest", "waveguide", "all"])
@pytest.mark.parametrize("distribution", ORDERS)
def test_couplings(structure, distribution):
    """Means of coupled spins as by matrices, and products between spins for W."""
    k = ORDERS[distribution]
    chain, K, dense = coupled_model(structure)
    w = np.array([0.4, -1.1])
    one_ = wf.couple(chain.Jx, K, chain.Jx)
    two = wf.couple(w * chain.Jy, K, chain.Jz)
    H = 0.5 * (one_ + one_.dag()) + 0.5 * (two + two.dag()) + 0.7 * (w * chain.Jx).sum()
    rates = np.array([0.3, 0.8])
    jumps = [wf.Jump(chain.Jm, rates), wf.Jump(chain[1].Jz, 0.5)]
    model = wf.Model(H, jumps, initial={chain: wf.up})
    lib = Library(lowered(wf.Schwinger(distribution), model)[0], 2)
    world, order = Matrices([1.0, 1.5], 2), Ordering(k, 2)
    S = {(m, a): world.spin(m, a) for m in range(2) for a in "xyz-"}
    Hm = np.zeros_like(world.rho)
    for m, n in product(range(2), repeat=2):
        Hm = Hm + dense[m, n] * (S[m, "x"] @ S[n, "x"] + w[m] * S[m, "y"] @ S[n, "z"])
    Hm = (Hm + Hm.conj().T) / 2 + 0.7 * (w[0] * S[0, "x"] + w[1] * S[1, "x"])
    slope = world.slope(Hm, [(S[0, "-"], 0.3), (S[1, "-"], 0.8), (S[1, "z"], 0.5)])
    for m, a in product(range(2), "xyz"):
        value = world.average(lib.act(order.symbol(spin(m, a))), k)
        assert abs(value - np.trace(S[m, a] @ slope)) < 1e-11


# ---------------------------------------------------------------------------- symbols and starts


@pytest.mark.parametrize("distribution", ORDERS)
def test_symbols(distribution):
    """Averages of every observable up to second order are expectation values."""
    k, world = ORDERS[distribution], Matrices([1.0, 1.5], 6)
    chain = wf.CollectiveSpin([1.0, 1.5], name="chain", count=2)
    names = {"x": "Jx", "y": "Jy", "z": "Jz", "+": "Jp", "-": "Jm"}
    ops, exact = {}, {}
    for (m, a), (n, b) in product(product(range(2), names), repeat=2):
        op = getattr(chain[m], names[a]) * getattr(chain[n], names[b])
        ops[f"{m}{a}{n}{b}"] = op
        exact[f"{m}{a}{n}{b}"] = np.trace(world.spin(m, a) @ world.spin(n, b) @ world.rho)
    w = np.array([0.4, 1.3])
    ops["sums"] = (w * chain.Jp).sum() * chain.Jm.sum()
    total = [
        sum(c * world.spin(m, x) for m, c in enumerate(v)) for v, x in ((w, "+"), ([1, 1], "-"))
    ]
    exact["sums"] = np.trace(total[0] @ total[1] @ world.rho)
    model = wf.Model(jumps=[wf.Jump(chain.Jm, 1.0)], initial={chain: wf.up})
    sampling = "coherent" if distribution == "W" else "auto"
    system, symbols = lowered(wf.Schwinger(distribution, sampling=sampling), model, ops)
    lib = Library(system, 2)
    for name, poly in symbols.items():
        value = world.average(lib.read(poly, system.explicit[0], 0), k)
        assert abs(value - exact[name]) < 1e-11, name


@pytest.mark.parametrize(
    ("distribution", "sampling"),
    [("P", "coherent"), ("W", "fixed"), ("W", "coherent"), ("Q", "exact")],
)
def test_initial_states(distribution, sampling):
    """Means and variances of spin coherent states; a wrong length fails."""
    state = wf.bloch(0.8, 2.1)
    t = np.array([0.0, 1e-3])
    n = state.vector
    for S in (0.5, 20.0):
        sub = wf.CollectiveSpin(S, name="spin")
        model = wf.Model(1e-9 * sub.Jz, initial={sub: state})
        J = [sub.Jx, sub.Jy, sub.Jz]
        ops = {f"{i}": J[i] for i in range(3)}
        ops |= {f"{i}{j}": (J[i] * J[j] + J[j] * J[i]) * 0.5 for i in range(3) for j in range(i, 3)}
        method = wf.Schwinger(distribution, sampling=sampling)
        r = wf.solve(
            model, t, e_ops=ops, method=method, ntraj=40_000, seed=11, dt=1.0, progress=False
        )
        for i in range(3):
            sem = max(r.sem[f"{i}"][0], 1e-5 * S)
            # B may be longer than the fixed length: rare, but not at S = 1/2
            slack = 0.02 if (S, sampling) == (0.5, "fixed") else 0.0
            assert abs(r.expect[f"{i}"][0] - S * n[i]) < 5 * sem + slack
            assert abs(r.expect[f"{i}"][0] - (S + 0.5) * n[i]) > 5 * sem + slack
        for i in range(3):
            for j in range(i, 3):
                exact = S / 2 * (float(i == j) - n[i] * n[j]) + S**2 * n[i] * n[j]
                # what the replaced start adds: var(length), or 1/4 along the spin
                along = {"coherent": S / 2, "fixed": 0.25, "exact": 0.0}[method.start]
                extra = along * n[i] * n[j]
                name = f"{i}{j}"
                if S > 1:
                    z = (r.expect[name][0] - exact - extra) / max(r.sem[name][0], 2e-5 * S**2)
                    assert abs(z) < 5, (name, r.expect[name][0], exact, extra)


# ---------------------------------------------------------------------------- runs, refusals


@pytest.mark.parametrize(
    ("method", "limit"),
    [
        (wf.Schwinger("W"), 0.013),
        pytest.param(wf.Schwinger("W", correlated_noise=True), 0.004, marks=pytest.mark.slow),
        pytest.param(wf.Schwinger("W", sampling="coherent"), 0.024, marks=pytest.mark.slow),
        pytest.param(wf.Schwinger("P"), 0.022, marks=pytest.mark.slow),
        pytest.param(wf.Schwinger("Q"), 0.016, marks=pytest.mark.slow),
    ],
)
def test_decay_of_a_hundred(method, limit):
    """Inversion of a decaying spin: within what 10^6 trajectories resolve, 0.0103, 0.0011, ..."""
    S = 100
    sub = wf.CollectiveSpin(S, name="spin")
    model = wf.Model(jumps=[wf.Jump(sub.Jm, 1 / S)], initial={sub: wf.up})
    t = np.linspace(0, 5, 11)
    ops = {"z": sub.Jz / S}
    exact = wf.solve(model, t, e_ops=ops, method="exact", progress=False).expect["z"]
    r = wf.solve(model, t, e_ops=ops, method=method, ntraj=100_000, seed=5, dt=0.02, progress=False)
    assert np.abs(r.expect["z"] - exact).max() < limit + 3 * r.sem["z"].max()


def test_repeats_and_reports():
    sub = wf.CollectiveSpin(10, name="spin")
    model = wf.Model(jumps=[wf.Jump(sub.Jm, 0.1)], initial={sub: wf.up})
    options = {"e_ops": {"z": sub.Jz}, "ntraj": 500, "seed": 3, "dt": 0.05, "progress": False}
    one_, two = (wf.solve(model, [0, 2.0, 4.0], method="schwinger-w", **options) for _ in range(2))
    assert np.array_equal(one_.expect["z"], two.expect["z"])
    assert one_.method == "schwinger-w"
    assert one_.stats["clipped"] > 0
    fixed = wf.solve(
        model, [0, 2.0, 4.0], method=wf.Schwinger("W", correlated_noise=True), **options
    )
    assert fixed.stats["clipped"] == 0
    assert fixed.stats["length_drift"] < 1e-5 < one_.stats["length_drift"]


@pytest.mark.parametrize("distribution", ["P", "Q"])
def test_interactions_warn(distribution):
    sub = wf.CollectiveSpin(20, name="spin")
    model = wf.Model(0.1 * sub.Jx * sub.Jx, initial={sub: wf.down})
    with pytest.warns(UserWarning, match="positive-diffusion approximation"):
        wf.solve(
            model, [0, 0.1], e_ops={"z": sub.Jz}, method=wf.Schwinger(distribution), ntraj=64,
            seed=1, dt=0.1, progress=False,
        )  # fmt: skip


def test_refusals():
    atoms, spin_ = wf.Ensemble(4, name="atoms"), wf.CollectiveSpin(2, name="spin")
    t = np.array([0.0, 1.0])

    def run(model, sub, method="schwinger-w"):
        wf.solve(model, t, e_ops={"z": sub.Jz}, method=method, ntraj=4, seed=1, progress=False)

    with pytest.raises(ValueError, match="not a CollectiveSpin"):
        run(wf.Model(jumps=[wf.Jump(atoms.Jm, 1.0)], initial={atoms: wf.up}), atoms)
    squeezed = wf.Model(jumps=[wf.Jump(spin_.Jx + 0.5j * spin_.Jy, 1.0)], initial={spin_: wf.up})
    with pytest.raises(ValueError, match="correlated_noise=True"):
        run(squeezed, spin_)
    run(squeezed, spin_, wf.Schwinger("W", correlated_noise=True))
    chain = wf.CollectiveSpin(2, name="chain", count=3)
    shared = wf.Model(jumps=[wf.Jump(chain.Jm.sum(), 1.0)], initial={chain: wf.up})
    with pytest.raises(ValueError, match="shared"):
        run(shared, chain[0])
    for arguments in (
        {"distribution": "X"},
        {"distribution": "P", "correlated_noise": True},
        {"distribution": "P", "sampling": "exact"},
        {"correlated_noise": True, "sampling": "coherent"},
    ):
        with pytest.raises(ValueError, match="must"):
            wf.Schwinger(**arguments)


def test_time_dependent_rates_and_drives():
    """Pumping switched on in time, driven: against the exact solution."""
    sub = wf.CollectiveSpin(30, name="spin")
    ramp = wf.coef(lambda t: 0.05 * np.minimum(t, 1.0))
    model = wf.Model(
        wf.coef(lambda t: np.cos(t)) * sub.Jx, [wf.Jump(sub.Jp, ramp)], initial={sub: wf.down}
    )
    t = np.linspace(0, 2, 5)
    ops = {"z": sub.Jz / 30, "y": sub.Jy / 30}
    exact = wf.solve(model, t, e_ops=ops, method="exact", progress=False)
    method = wf.Schwinger("W", correlated_noise=True)
    r = wf.solve(model, t, e_ops=ops, method=method, ntraj=20_000, seed=2, dt=0.01, progress=False)
    for name in ops:
        assert np.abs(r.expect[name] - exact.expect[name]).max() < 0.005 + 4 * r.sem[name].max()


def test_dagger_of_words():
    """The reference's own adjoint."""
    assert dag(spin(0, "+"))[0][1] != spin(0, "+")[0][1]


@pytest.mark.parametrize("method", ["schwinger-w", "generalized-p"])
@pytest.mark.parametrize("count", few([2, None]))
def test_a_constant_beside_a_jump_is_a_hamiltonian(method, count):
    """L + c, and the Hamiltonian that makes up for it: the same trajectories."""
    spin, c, rate = wf.CollectiveSpin(2.5, name="spin", count=count), 0.4 + 0.6j, 0.8
    H, L = 0.7 * spin.Jx, spin.Jz
    made_up = -0.5j * rate * (np.conj(c) * L - c * L.dag())
    if count:
        H, made_up = H.sum(), made_up.sum()
    found = []
    for drive, jump in ((H, L), (H + made_up, L + c), (H, L + c)):
        model = wf.Model(drive, [wf.Jump(jump, rate)], initial={spin: wf.bloch(1.0, 0.4)})
        e_ops = {"z": spin.Jz, "y": spin.Jy}
        options = {"ntraj": 64, "seed": 1, "dt": 0.01, "precision": "double", "truncation": False}
        out = wf.solve(model, [0, 0.5], e_ops=e_ops, method=method, progress=False, **options)
        found.append(np.array([out.expect[k][-1] for k in e_ops]))
    assert np.allclose(found[0], found[1], atol=1e-9)
    assert np.abs(found[0] - found[2]).max() > 0.1  # the control: without it
