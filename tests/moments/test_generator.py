"""Rates of all first and second moments against Tr(O L[R]) in the full space."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.moments import closure
from wignerflow.moments.generator import generator
from wignerflow.moments.method import Cumulant
from wignerflow.moments.program import Program
from wignerflow.moments.variables import Variables

from ..few import few
from .brute import Space, pseudo_state, spin_matrices


def hermitian(op):
    return op + op.dag()


@cache
def case(make, seed=0, correlated=0.3):
    """A model, moments of a random pseudo-state, and their rates from the full space."""
    model = make()
    space = Space(model)
    R = pseudo_state(space, np.random.default_rng(seed), correlated)
    assert abs(np.trace(R) - 1) < 1e-9
    r, second = space.moments(R)
    dr, dsecond = space.moments(space.lindblad(R))
    C, dC = second - np.outer(r, r), dsecond - np.outer(dr, r) - np.outer(r, dr)
    pairs = Variables(model).pairs
    assert np.all(np.isfinite(C[pairs]))  # no pair without a second emitter
    return model, np.concatenate([r, C[pairs]]), np.concatenate([dr, dC[pairs]])


def error(make, spoil=lambda program: None, **options):
    """Largest error of dr/dt and dC/dt, and the largest rate, in a random pseudo-state."""
    model, moments, wanted = case(make, **options)
    program = Cumulant().system(model)
    spoil(program)
    return np.abs(program(0.0, moments) - wanted).max(), np.abs(wanted).max()


def two_ensembles():
    A, B = wf.Ensemble(2, name="A"), wf.Ensemble(3, name="B")
    H = hermitian((0.3 + 0.2j) * A.Jm * B.Jp) + 0.4 * A.Jz * B.Jx + 0.7 * B.Jx + 0.2 * A.Jx * A.Jx
    jumps = [
        wf.Jump(A.Jm + 0.3j * B.Jm + 0.2 * B.Jz + 0.4, 0.7),
        wf.LocalJump(A.sp + 0.2 * A.sz + 0.1, 0.3),
        wf.LocalJump(B.sm, 0.6),
    ]
    return wf.Model(H, jumps, initial={A: wf.up, B: wf.down})


def products():
    """Three-body terms, and jumps that are products."""
    A, B, s = wf.Ensemble(2, name="A"), wf.Ensemble(3, name="B"), wf.Spin(name="s")
    H = hermitian((0.3 + 0.2j) * A.Jm * B.Jp * s.sx + 0.3 * A.Jx * A.Jy * B.Jz) + s.sy
    H = H + 0.1 * hermitian(B.Jx * B.Jy * B.Jz) + 0.2 * hermitian(B.Jp * B.Jp * B.Jm * B.Jz)
    jumps = [wf.Jump(A.Jm * s.sm + 0.3j * B.Jm, 0.7), wf.Jump(B.Jm * B.Jm + B.Jz, 0.3)]
    return wf.Model(H, jumps, initial={A: wf.up, B: wf.down, s: wf.up})


def spin_array():
    rng = np.random.default_rng(5)
    c = wf.Spin(name="c", count=5)
    G = rng.normal(size=(5, 5)) + 1j * rng.normal(size=(5, 5))
    H = hermitian(wf.couple(c.sp, rng.normal(size=(5, 5)), c.sm))
    H = H + wf.couple(c.sz, wf.NearestNeighbour(), c.sz) + hermitian(c.sx.sum() * c.sy.sum())
    jumps = [
        wf.Jump(c.sm, G @ G.conj().T),
        wf.Jump(c.sz + 0.2 * c.sx, rng.uniform(size=5)),
        wf.Jump((rng.normal(size=5) * c.sm).sum() + c[1].sz, 1.0),
    ]
    return wf.Model(H, jumps, initial={c: wf.up})


def ensemble_array():
    e = wf.Ensemble([1, 2, 2], name="e", count=3)
    H, jumps = wf.waveguide(e, 0.7, 1.0)
    H = H + e[1].Jx + wf.couple(e.Jx, np.ones((3, 3)), e.Jx)
    jumps += [
        wf.Jump(e.Jm, [0.1, 0.2, 0.3]),
        wf.LocalJump(e.sp, [0.3, 0.1, 0.4]),
        wf.LocalJump(e[1].sz, 0.4),
    ]
    return wf.Model(H, jumps, initial={e: wf.up})


def cavity():
    """A Kerr mode, driven, with one- and two-photon loss, and emitters coupled in every way."""
    A, c = wf.Ensemble(2, name="A"), wf.Mode(name="c", cutoff=26)
    H = hermitian((0.3 + 0.2j) * A.Jm * c.adag) + 0.2 * c.n * A.Jz + 0.2 * c.n * c.n
    H = H + hermitian(c.a) + 0.3 * A.Jx * (c.a + c.adag)
    jumps = [wf.Jump(c.a, 1.0), wf.Jump(c.a * c.a, 0.3), wf.Jump(c.a * A.Jm + A.Jz, 0.3)]
    return wf.Model(H, jumps, initial={A: wf.up, c: wf.vacuum})


def two_modes():
    b, c = wf.Mode(name="b", cutoff=14), wf.Mode(name="c", cutoff=14)
    H = hermitian((0.3 + 0.2j) * b.a * c.adag + 0.2j * b.a * c.a)
    return wf.Model(
        H, [wf.Jump(c.a + 0.4 * b.a, 1.0), wf.Jump(b.n, 0.2)], initial={b: wf.vacuum, c: wf.vacuum}
    )


def collective():
    """A collective spin with what keeps products of its operators at second order."""
    S, s, c = wf.CollectiveSpin(1, name="S"), wf.Spin(name="s"), wf.Mode(name="c", cutoff=18)
    H = hermitian((0.3 + 0.2j) * S.Jm * c.adag + S.Jm * s.sp) + S.Jx
    jumps = [wf.Jump(S.Jz, 1.0), wf.Jump(c.a, 1.0), wf.Jump(s.sm, 1.0)]
    return wf.Model(H, jumps, initial={S: wf.up, s: wf.up, c: wf.vacuum})


def two_arrays():
    """Products member by member, couplings across arrays, correlated jumps of products."""
    s, e = wf.Spin(name="s", count=2), wf.Ensemble([1, 2], name="e", count=2)
    w = np.array([0.7, -0.4 + 0.3j])
    H = hermitian((w * (s.sp * e.Jm)).sum() + wf.couple(s.sx, [[0.2, 0.5], [-0.3, 0.1]], e.Jz))
    H = H + 0.4 * wf.couple(e.Jx * e.Jx, wf.AllToAll(), s.sz) + 0.2 * e[1].Jz * s.sx.sum()
    G = np.array([[0.8, 0.3j], [-0.3j, 0.5]])
    jumps = [
        wf.Jump(s.sm * e.Jp, G),
        wf.Jump(e.Jm + 0.3 * s.sz, [0.4, 0.2]),
        wf.Jump((w * (s.sm * e.Jz)).sum() + e[0].Jm, 0.6),
    ]
    return wf.Model(H, jumps, initial={s: wf.up, e: wf.down})


def random_matrix(rng, d):
    return (rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d))) / d


def levels(seed, N=2, d=3):
    """Emitters with levels, everything random: H to second order, collective and local jumps."""
    rng = np.random.default_rng([7, seed])
    atoms, s = wf.Levels(N, d, name="atoms"), wf.Spin(name="s")

    def X():
        return atoms.matrix(random_matrix(rng, d))

    H = hermitian(X()) + hermitian(X() * X()) + hermitian(X() * s.sp) + s.sx
    jumps = [
        wf.Jump(X() + 0.3 * s.sm + 0.2, 0.7),
        wf.LocalJump(atoms.one_matrix(random_matrix(rng, d)), 0.4),
        wf.LocalJump(atoms.one("0", "1"), 0.3),
    ]
    return wf.Model(H, jumps, initial={atoms: wf.level("0"), s: wf.up})


def level_array(seed):
    """Members of 1 and 2 emitters, couplings, correlated jumps, one of another kind beside them."""
    rng = np.random.default_rng([8, seed])
    c = wf.Levels([1, 2], ["g", "e", "f"], name="c", count=2)
    e = wf.Ensemble(1, name="e")
    K = rng.normal(size=(2, 2))
    H = wf.couple(c.op("g", "e"), K, c.op("e", "g")) + 0.4 * c[1].op("g", "f") * e.Jp
    H = hermitian(H + 0.3 * c[0].pop("f") * c[1].op("e", "f"))
    G = np.array([[0.8, 0.3j], [-0.3j, 0.5]])
    jumps = [
        wf.Jump(c.op("g", "f"), G),
        wf.Jump(c.op("g", "e") + 0.2 * c.pop("f"), [0.4, 0.2]),
        wf.Jump((np.array([0.7, 0.4j]) * c.op("e", "f")).sum() + e.Jm, 0.6),
        wf.LocalJump(c[1].one("f", "g"), 0.5),
    ]
    return wf.Model(H, jumps, initial={c: wf.level("g"), e: wf.down})


def level_mode():
    """Emitters with levels and a mode."""
    c, m = wf.Levels(2, ["g", "e", "f"], name="c"), wf.Mode(name="m", cutoff=20)
    H = hermitian((0.3 + 0.2j) * c.op("g", "e") * m.adag + 0.2 * c.op("e", "f")) + 0.1 * m.n
    jumps = [wf.Jump(m.a, 1.0), wf.Jump(c.op("f", "e") + 0.3 * m.a, 0.4)]
    jumps += [wf.LocalJump(c.one("e", "f"), 0.5)]
    return wf.Model(H, jumps, initial={c: wf.level("g"), m: wf.vacuum})


SPINS = [two_ensembles, products, spin_array, ensemble_array, two_arrays]


@pytest.mark.parametrize("make", few(SPINS, 4))
@pytest.mark.parametrize("correlated", few([0.3, 0.0]))
def test_spins_and_ensembles(make, correlated):
    wrong, size = error(make, correlated=correlated)
    assert wrong < 1e-12 * size


LEVELS = [partial(levels, 0), partial(level_array, 3)]
MORE = [partial(levels, 1, 1, 4), partial(levels, 2, 3)]


@pytest.mark.parametrize("make", few([*LEVELS, *MORE], 2))
def test_emitters_with_levels(make):
    wrong, size = error(make)
    assert wrong < 1e-12 * size


@pytest.mark.parametrize("make", [cavity, two_modes, collective, level_mode])
def test_modes_and_collective_spins(make):
    wrong, size = error(make)
    # truncation of the modes' Fock space
    assert wrong < 1e-6 * size


def random_model(seed):
    rng = np.random.default_rng(100 + seed)
    A = wf.Ensemble(int(rng.integers(1, 3)), name="A")
    B = wf.Ensemble([1, 2], name="B", count=2)
    s = wf.Spin(name="s")
    letters = [A.Jx, A.Jy, A.Jz, s.sx, s.sy, s.sz]
    letters += [getattr(B[m], x) for m in (0, 1) for x in ("Jx", "Jy", "Jz")]

    def linear():
        chosen = rng.choice(len(letters), size=3, replace=False)
        return sum((rng.normal() + 1j * rng.normal()) * letters[k] for k in chosen)

    H = hermitian(linear() * linear()) + hermitian(linear())
    jumps = [wf.Jump(linear() + rng.normal(), rng.uniform()), wf.Jump(linear(), rng.uniform())]
    jumps += [wf.LocalJump(A.sm + 0.3 * A.sz, rng.uniform()), wf.LocalJump(B.sp, rng.uniform())]
    if seed % 3 == 0:
        H = H + 0.3 * hermitian(linear() * linear() * linear())
    return wf.Model(H, jumps, initial={A: wf.up, B: wf.down, s: wf.up})


@pytest.mark.parametrize("seed", few(range(16), 2))
def test_random_models(seed):
    wrong, size = error(partial(random_model, seed), seed=seed)
    assert wrong < 1e-12 * size


# ---------------------------------------------------------------- it can fail


NAMES = ["drift", "jacobian", "source"]


def _scaled(name, factor):
    def spoil(program):
        for term in getattr(program, name):
            term.coef = factor * term.coef

    return spoil


SIGNS = [(name, make) for make in (spin_array, two_ensembles, *LEVELS) for name in NAMES]


@pytest.mark.parametrize(("name", "make"), few(SIGNS, len(NAMES)))
def test_a_flipped_sign_shows(name, make):
    wrong, size = error(make, spoil=_scaled(name, -1.0))
    assert wrong > 0.05 * size


def test_a_wrong_number_of_emitters_shows(monkeypatch):
    made = Variables.__init__

    def wrong_number(self, model):
        made(self, model)
        self.number = np.where(self.number > 1, self.number + 1, 1)

    monkeypatch.setattr(Variables, "__init__", wrong_number)
    for make in (two_ensembles, LEVELS[0]):
        wrong, size = error(make)
        assert wrong > 0.01 * size


def test_a_wrong_closure_shows(monkeypatch):
    """Third moments without one of their terms."""
    right = closure.mean

    def wrong(mono):
        terms = right(mono)
        return terms[:-1] if len(mono) == 3 else terms

    monkeypatch.setattr(closure, "mean", wrong)
    off, size = error(products)
    assert off > 0.01 * size


# ---------------------------------------------------------------- operators, not means


@pytest.mark.parametrize("S", [1, 1.5, 4])
def test_the_generator_of_a_collective_spin_as_an_operator(S):
    """L^+(X), written in symmetrised products, is the operator that matrices give."""
    J = wf.CollectiveSpin(S, name="J")
    H = 0.3 * J.Jx * J.Jx + hermitian((0.2 + 0.1j) * J.Jm * J.Jz) + J.Jy
    jumps = [wf.Jump(J.Jm + 0.3 * J.Jz, 0.7), wf.Jump(J.Jp * J.Jz, 0.1)]
    model = wf.Model(H, jumps, initial={J: wf.up})
    space, v = Space(model), Variables(model)
    matrices = spin_matrices(S)

    def symmetrised(letters):
        from itertools import permutations

        orders = list(permutations(letters))
        one = np.eye(len(matrices[0]))
        return sum(_chain([matrices[k] for k in o], one) for o in orders) / len(orders)

    for X in [(0,), (2,), (0, 1), (2, 2)]:
        M = symmetrised(X)
        wanted = 1j * (space.H @ M - M @ space.H)
        for L in space.jumps:
            Ld = L.conj().T
            wanted = wanted + Ld @ M @ L - (Ld @ L @ M + M @ Ld @ L) / 2
        found = np.zeros_like(wanted)
        for family in generator(model, v):
            if family.kinds:
                for mono, c in closure.acted(family.kinds, family.words, {0: X}).items():
                    found += (c @ family.coef[:, 0]) * symmetrised([k for _, k in mono])
        assert np.abs(found - wanted).max() < 1e-12 * np.abs(wanted).max()


def _chain(factors, one):
    for f in factors:
        one = one @ f
    return one


def test_time_coefficients_multiply_what_they_belong_to():
    A, c = wf.Ensemble(3, name="A"), wf.Spin(name="c", count=2)
    f, g = wf.coef(lambda t: np.exp(1j * t)), wf.coef(lambda t: 1 + t)
    at = 0.8

    def build(f, g, rate):
        up, down = A.Jp * c[0].sm, A.Jm * c[0].sp
        phase = f * up + (f.conj() if isinstance(f, wf.Coef) else np.conj(f)) * down
        jumps = [wf.Jump(A.Jm + c[1].sm, rate), wf.LocalJump(A.sz, rate)]
        return wf.Model(phase + g * A.Jx, jumps, initial={A: wf.up, c: wf.up})

    moving = Cumulant().system(build(f, g, g))
    still = Cumulant().system(build(complex(f(at)), float(g(at).real), float(g(at).real)))
    y = 0.3 * np.random.default_rng(3).normal(size=moving.v.length)
    assert np.allclose(moving(at, y), still(0.0, y), rtol=0, atol=1e-13)
    assert not np.allclose(moving(0.0, y), still(0.0, y), atol=1e-3)


def test_sparse_and_dense_jacobians_agree():
    ring = wf.Spin(name="r", count=40)
    H = wf.couple(ring.sz, wf.NearestNeighbour(periodic=True), ring.sz) + ring.sx.sum()
    model = wf.Model(H, [wf.Jump(ring.sm, 0.3)], initial={ring: wf.up})
    v = Variables(model)
    sparse = Program(v, generator(model, v))
    assert sparse.pattern is not None
    import wignerflow.moments.program as module

    old, module.SPARSE = module.SPARSE, 0.0
    try:
        dense = Program(v, generator(model, v))
    finally:
        module.SPARSE = old
    assert dense.pattern is None
    y = 0.3 * np.random.default_rng(3).normal(size=v.length)
    assert np.allclose(sparse(0.0, y), dense(0.0, y), rtol=0, atol=1e-12)
