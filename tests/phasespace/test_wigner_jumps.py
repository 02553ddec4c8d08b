"""Nonlinear jumps against the Lindbladian: means and second moments change exactly.

Modes are in coherent states, whose Wigner function is a Gaussian: averages over it are exact sums
over Gauss-Hermite nodes, and the other side is a matrix in Fock space.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels.module import KernelText
from wignerflow.phasespace.generator import bracket
from wignerflow.phasespace.polynomials import Poly, Var
from wignerflow.phasespace.system import PhaseSpaceSystem

from .generator import changes, generator, lowered, monomials
from .twins import World

CUT = 24
A = np.diag(np.sqrt(np.arange(1, CUT)), 1).astype(complex)


def polynomial(rng, degree, letters):
    """A random polynomial of degree ``degree`` in a and a^+ of some modes, as words."""
    words = [w for n in range(1, degree + 1) for w in itertools.product(letters, repeat=n)]
    top = [w for w in words if len(w) == degree]
    chosen = [words[k] for k in rng.choice(len(words), size=2)] + [top[rng.integers(len(top))]]
    return [(complex(*rng.normal(size=2)), w) for w in chosen]


class Modes:
    """One or two modes in coherent states, jumps and a Hamiltonian as words."""

    def __init__(self, amplitudes, jumps, H=()):
        self.amplitudes, self.jumps, self.H = amplitudes, jumps, H
        n = len(amplitudes)
        self.cut = CUT if n == 1 else 13
        one, a = np.eye(self.cut), A[: self.cut, : self.cut]
        self.mats = [a] if n == 1 else [np.kron(a, one), np.kron(one, a)]
        self.modes = [wf.Mode(name=f"m{k}") for k in range(n)]
        kets = []
        for beta in amplitudes:
            k = np.arange(self.cut)
            ket = beta**k / np.sqrt(np.cumprod([1, *k[1:]], dtype=float))
            kets.append(ket / np.linalg.norm(ket))
        ket = kets[0] if n == 1 else np.kron(*kets)
        self.rho = np.outer(ket, ket.conj())

    def both(self, words):
        op, mat = 0 * self.modes[0].a, np.zeros_like(self.mats[0])
        for c, word in words:
            x, y = c, c * np.eye(len(mat))
            for k, dagger in word:
                x = x * (self.modes[k].adag if dagger else self.modes[k].a)
                y = y @ (self.mats[k].conj().T if dagger else self.mats[k])
            op, mat = op + x, mat + y
        return op, mat

    def model(self):
        H, _ = self.both(self.H)
        jumps = [wf.Jump(self.both(w)[0], r) for w, r in self.jumps]
        states = {m: wf.coherent(b) for m, b in zip(self.modes, self.amplitudes, strict=True)}
        return wf.Model(H + H.dag(), jumps, initial=states)

    def exact(self, monos):
        H = self.both(self.H)[1]
        H = H + H.conj().T
        slope = -1j * (H @ self.rho - self.rho @ H)
        for words, rate in self.jumps:
            L = self.both(words)[1]
            half = L.conj().T @ L @ self.rho
            slope += rate * (L @ self.rho @ L.conj().T - (half + half.conj().T) / 2)
        V = [x for m in self.mats for x in ((m + m.conj().T) / 2, (m - m.conj().T) / 2j)]
        out = []
        for mono in monos:
            orders = list(itertools.permutations(mono))
            total = 0
            for order in orders:
                x = np.eye(len(self.rho), dtype=complex)
                for k in order:
                    x = x @ V[k]
                total = total + np.trace(x @ slope).real
            out.append(total / len(orders))
        return np.array(out)

    def printed(self, monos, mutate=None, nodes=6):
        system, _ = wf.TWA().lower(self.model(), {}, np.array([0.0, 1.0]))
        if mutate is not None:
            mutate(system)
        text = KernelText(system, [])
        x, w = np.polynomial.hermite.hermgauss(nodes)
        n = 2 * len(self.amplitudes)
        grid = np.array(list(itertools.product(x / np.sqrt(2), repeat=n))).T
        weights = np.prod(list(itertools.product(w / np.sqrt(np.pi), repeat=n)), axis=1)
        centre = [y for b in self.amplitudes for y in (b.real, b.imag)]
        points = np.array(centre)[:, None] + grid
        functions = [lambda v, m=m: np.prod([v[k] for k in m], axis=0) for m in monos]
        return generator(text, functions, points) @ weights


def moments(n):
    return [m for m in monomials(list(range(2 * n)), 2) if m]


def check(model, tolerance=1e-6, **options):
    monos = moments(len(model.amplitudes))
    exact = model.exact(monos)
    printed = model.printed(monos, **options)
    assert np.abs(printed - exact).max() < tolerance * (1 + np.abs(exact).max())


def one(number, degree):
    rng = np.random.default_rng([85, degree, number])
    letters = [(0, False), (0, True)]
    jumps = [(polynomial(rng, degree, letters), 0.3 * rng.uniform()) for _ in range(2)]
    jumps.append(([(1.0, [(0, False)])], 0.8))
    H = polynomial(rng, degree, letters)
    return Modes([complex(*rng.normal(size=2)) * 0.4], jumps, H)


@pytest.mark.parametrize("degree", [2, 3, 4])
def test_random_jumps_and_hamiltonians_of_a_mode(degree):
    for number in range(2):
        check(one(number, degree), nodes=7)


def test_random_jumps_of_two_modes():
    for number in range(3):
        rng = np.random.default_rng([86, number])
        letters = [(k, d) for k in range(2) for d in (False, True)]
        jumps = [(polynomial(rng, 2, letters), 0.4)]
        if number == 0:
            jumps = [([(1.0, [(0, False), (1, False)])], 0.4)]
        model = Modes([complex(*rng.normal(size=2)) * 0.3 for _ in range(2)], jumps)
        check(model, nodes=4)


def test_loss_of_pairs_makes_no_light():
    pairs = Modes([0j], [([(1.0, [(0, False)] * 2)], 0.5)])
    monos = [(0, 0), (1, 1)]
    assert np.abs(pairs.printed(monos)).max() < 1e-8
    system, _ = wf.TWA().lower(pairs.model(), {}, None)
    (d,) = system.diffusions
    constant = {i: d.lower[i][i].terms[(), ()] for i in range(2)}
    assert constant == {0: pytest.approx(-0.25), 1: pytest.approx(-0.25)}


@pytest.mark.parametrize("part", ["drift", "diffusion", "constant"])
def test_a_wrong_part_is_caught(part):
    def spoil(system: PhaseSpaceSystem) -> None:
        (d,) = system.diffusions
        if part == "drift":
            d.drift = [p * 1.01 for p in d.drift]
        elif part == "diffusion":
            d.lower = [[p * 1.01 for p in row] for row in d.lower]
        else:
            del d.lower[0][0].terms[(), ()]

    model = Modes([0.3 + 0.2j], [([(1.0, [(0, False)] * 2)], 0.5)])
    check(model)
    with pytest.raises(AssertionError):
        check(model, mutate=spoil)


def mixed(number: int) -> World:
    """A mode beside a spin or an ensemble, and a jump that is a product of both."""
    world = World(np.random.default_rng([87, number]))
    mode = world.mode(cutoff=8)
    makers = (lambda: world.ensemble(2), world.spin, lambda: world.collective(1.0))
    sub = makers[number]()
    a, other = world.op(mode, "a"), world.op(sub, ("Jm", "sz", "Jz")[number])
    if number:
        a = a.dag() * a
    world.add_jump(a * other, 0.6)
    world.add_jump(world.op(mode, "a"), 0.5)
    return world


@pytest.mark.parametrize(
    "number", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_jumps_of_a_mode_and_a_spin(number):
    world = mixed(number)
    variables = world.variables()
    monos = [(v,) for v in variables]
    monos += [m for m in monomials(variables, 2) if len(m) == 2 and not m[0][0] == m[1][0] == 1]
    classical, exact = changes(world, monos, degree=6)
    assert np.abs(classical - exact).max() < 1e-6 * (1 + np.abs(exact).max())


@pytest.mark.parametrize(
    "number", [0, 3, *(pytest.param(k, marks=pytest.mark.slow) for k in (1, 2))]
)
def test_jumps_of_one_angular_momentum_have_exact_means(number):
    world = World(np.random.default_rng([88, number]))
    spin = world.collective(1.5)
    J = [world.op(spin, x) for x in ("Jx", "Jy", "Jz", "Jm")]
    jump = world.number() * J[number % 4] * J[3]
    if number > 1:
        jump = jump * J[2]
    world.add_jump(jump, 0.2)
    world.add_H((world.number() * J[0] * J[1] * J[2]).hermitian())
    monos = [(v,) for v in world.variables()]
    classical, exact = changes(world, monos, degree=6)
    assert np.abs(classical - exact).max() < 1e-7 * (1 + np.abs(exact).max())
    text = lowered(world, lambda system: system.diffusions.clear())
    wrong, _ = changes(world, monos, degree=6, text=text)
    assert np.abs(wrong - exact).max() > 1e-4 * (1 + np.abs(exact).max())


def test_members_of_an_array_have_their_own_jumps():
    chain = wf.Mode(name="c", count=3)
    weights, rates = np.array([1.0, 2.0, 1j]), np.array([0.5, 0.1, 0.3])
    jump = wf.Jump(weights * (chain.a * chain.a), rates)
    one_by_one = [wf.Jump(complex(w) * chain[m].a * chain[m].a, float(r)) for m, (w, r) in
                  enumerate(zip(weights, rates, strict=True))]  # fmt: skip
    states = {chain: [wf.coherent(0.3), wf.vacuum, wf.coherent(1j)]}
    rng = np.random.default_rng(3)
    points = rng.normal(size=(6, 5))
    functions = [lambda v, m=m: v[m[0]] * v[m[1]] for m in monomials(list(range(6)), 2)[7:]]
    rows = []
    for jumps in ([jump], one_by_one):
        model = wf.Model(jumps=jumps, initial=states)
        system, _ = wf.TWA().lower(model, {}, np.array([0.0, 1.0]))
        assert system.diffusions and not system.member_channels
        rows.append(generator(KernelText(system, []), functions, points))
    assert np.allclose(rows[0], rows[1], atol=1e-6)
    m = 1  # <|da|^2> = r |w|^2 (2|a|^2 - 1) over two quadratures
    single = Modes([0j], [([(2.0, [(0, False)] * 2)], 0.1)])
    system, _ = wf.TWA().lower(single.model(), {}, np.array([0.0, 1.0]))
    alone = generator(
        KernelText(system, []), [lambda v: v[0] * v[0], lambda v: v[0] * v[1]], points[2 * m :][:2]
    )
    keys = monomials(list(range(6)), 2)[7:]
    at = [keys.index((2, 2)), keys.index((2, 3))]
    assert np.allclose(rows[0][at], alone, atol=1e-6)


def test_what_channels_have_exactly_stays_with_them():
    mode, e = wf.Mode(name="m"), wf.Ensemble(4, name="e")
    x = mode.a + mode.adag
    for op in (mode.n, x * x, e.Jm, mode.a + e.Jm, mode.a, e.Jz):
        model = wf.Model(jumps=[wf.Jump(op, 0.3)], initial={mode: wf.vacuum, e: wf.up})
        system, _ = wf.TWA().lower(model, {}, None)
        assert not system.diffusions and len(system.channels) == 1


def test_symmetric_combinations_of_polynomials():
    f, g = Poly.leaf(Var(0, 0)), Poly.leaf(Var(0, 1), 2.0)
    mode = wf.Mode(name="m")
    system, _ = wf.TWA().lower(wf.Model(initial={mode: wf.vacuum}), {}, None)
    assert bracket(system, f, g).terms == {((), ()): 1.0}


def test_a_rate_that_depends_on_time_is_that_rate():
    """A function that returns a number, and the number: the same trajectories."""
    mode, atoms = wf.Mode(name="mode"), wf.Ensemble(20, name="atoms")
    H = 0.3 * (mode.a + mode.adag) + 0.1 * (mode.a * atoms.Jp + mode.adag * atoms.Jm)

    def means(rate):
        jumps = [wf.Jump(mode.a * mode.a, rate), wf.Jump(mode.a, 1.0)]
        model = wf.Model(H, jumps, initial={mode: wf.coherent(2.0), atoms: wf.up})
        options = {"ntraj": 64, "seed": 1, "dt": 0.02, "precision": "double", "progress": False}
        return wf.solve(model, [0, 0.2, 0.4], e_ops={"n": mode.n}, **options).expect["n"]

    plain = means(0.05)
    np.testing.assert_allclose(means(wf.coef(lambda t: 0.05)), plain, rtol=1e-9)
    assert np.abs(means(0.1) - plain).max() > 0.05
