"""Symbols of products of many J against matrices, and g2 and <J_z^3> of an excited ensemble."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels.module import KernelText
from wignerflow.kernels.observe import Readout
from wignerflow.phasespace import moyal
from wignerflow.phasespace.amplitudes import amplitude_word
from wignerflow.phasespace.mean_field import MeanField
from wignerflow.phasespace.polynomials import Var

from ..kernels.lanes import LaneRun, one_step
from .twins import spin_matrices


def symmetrised(comps, J):
    orders = set(itertools.permutations(comps))
    total = np.zeros_like(J[0])
    for order in orders:
        x = np.eye(len(J[0]), dtype=complex)
        for a in order:
            x = x @ J[a]
        total = total + x
    return total / len(orders)


def mismatch(word: str, S: float) -> float:
    J = [np.asarray(x, complex) for x in spin_matrices(S)]
    exact = np.eye(len(J[0]), dtype=complex)
    for letter in word:
        exact = exact @ J["xyz".index(letter)]
    found = sum(c * symmetrised(comps, J) for comps, c in moyal.angular_symbol(word))
    return float(np.abs(found - exact).max() / (1 + np.abs(exact).max()))


def test_words_of_every_length_are_exact():
    words = ["".join(w) for n in range(1, 5) for w in itertools.product("xyz", repeat=n)]
    for word in [*words, "zyxzy", "xxyzzx", "zyzxxyz"]:
        assert mismatch(word, 2.5) < 1e-13


def test_a_missing_bernoulli_number_is_caught(monkeypatch):
    right = moyal.bernoulli
    monkeypatch.setattr(moyal, "bernoulli", lambda n: right(n) * (n != 2))
    moyal.angular_symbol.cache_clear()
    assert mismatch("xxy", 2.5) > 1e-3
    moyal.angular_symbol.cache_clear()


def test_the_symbol_of_two_quanta():
    e = wf.CollectiveSpin(5, name="e")
    model = wf.Model(initial={e: wf.up})
    _, found = wf.TWA().lower(model, {"nn": e.Jp * e.Jp * e.Jm * e.Jm}, None)
    rng = np.random.default_rng(0)
    for _ in range(5):
        v = rng.normal(size=3)
        q, z = v[0] ** 2 + v[1] ** 2, v[2]
        want = q**2 + 4 * q * z - 4 / 3 * q + 2 * z**2 - 2 / 3 * z
        assert abs(value(found["nn"], v) - want) < 1e-12


def value(poly, v):
    total = 0j
    for (_, leaves), c in poly.terms.items():
        term = c
        for leaf in leaves:
            assert isinstance(leaf, Var)
            term = term * v[leaf.comp]
        total += term
    return total


@pytest.mark.parametrize("order", [1, 0, -1])
def test_amplitudes_have_exact_symbols_of_any_word(order):
    # the symbol averaged over s-ordered moments of Fock states of a and b: a thermal mixture, by
    # which every ordered moment is known, <|a|^2m> = m! (n + c)^m with c = 0, 1/2, 1
    n_a, n_b, cut = 0.3, 0.2, 40
    p = [(n / (1 + n)) ** np.arange(cut) / (1 + n) for n in (n_a, n_b)]
    shift = (1 - order) / 2
    a = np.diag(np.sqrt(np.arange(1, cut)), 1)
    one, number = np.eye(cut), a.T @ a
    for word in ("zzz", "xxz", "xyz", "zzzz", "xxyy"):
        S = {
            "x": [(0.5, a.T, a), (0.5, a, a.T)],
            "y": [(-0.5j, a.T, a), (0.5j, a, a.T)],
            "z": [(0.5, number, one), (-0.5, one, number)],
        }
        exact = 0j
        for choice in itertools.product(*(S[x] for x in word)):
            c, A, B = 1.0 + 0j, one, one
            for d, u, v in choice:
                c, A, B = c * d, A @ u, B @ v
            exact += c * (np.diag(A) @ p[0]) * (np.diag(B) @ p[1])
        found = 0j
        for comps, c in amplitude_word(word, order, False):
            variances = [(n_a + shift) / 2] * 2 + [(n_b + shift) / 2] * 2
            for k in range(4):
                m = comps.count(k)
                odd = np.prod(np.arange(m - 1, 0, -2)) if m % 2 == 0 else 0.0
                c = c * odd * variances[k] ** (m / 2)
            found += c
        assert abs(found - exact) < 1e-9, word


def test_mean_field_takes_long_products_in_the_product_state():
    e = wf.CollectiveSpin(2.5, name="e")
    theta, phi = 0.7, 0.4
    model = wf.Model(initial={e: wf.bloch(theta, phi)})
    ops = {"zzz": e.Jz * e.Jz * e.Jz, "nn": e.Jp * e.Jp * e.Jm * e.Jm}
    system, symbols = MeanField().lower(model, ops, None)
    r = np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    J = spin_matrices(2.5)
    values, vectors = np.linalg.eigh(np.tensordot(r, J, 1))
    ket = vectors[:, int(np.argmax(values))]
    plus = J[0] + 1j * J[1]
    mats = {"zzz": J[2] @ J[2] @ J[2], "nn": plus @ plus @ plus.conj().T @ plus.conj().T}
    assert len(system.blocks) == 1
    for name, matrix in mats.items():
        assert abs(value(symbols[name], 2.5 * r) - ket.conj() @ matrix @ ket) < 1e-12


def drawn(N: int, ops, lanes: int, sampling: str = "auto"):
    e = wf.Ensemble(N, name="e")
    model = wf.Model(initial={e: wf.up})
    ops = ops(e)
    system, symbols = wf.TWA(sampling=sampling).lower(model, ops, np.array([0.0, 1.0]))
    text = KernelText(system, [Readout(symbols[k], False) for k in ops])
    run = LaneRun(text, one_step(0.1), lanes)
    run.initial(5)
    return dict(zip(ops, run.observe(), strict=True))


@pytest.mark.parametrize("N", [10, 30, 300, 10_000])
def test_an_excited_ensemble_bunches(N):
    def ops(e):
        n = e.Jp * e.Jm
        return {"n": n, "nn": e.Jp * n * e.Jm, "z": e.Jz, "zzz": e.Jz * e.Jz * e.Jz}

    lanes = 60_000
    got = drawn(N, ops, lanes)
    g2 = got["nn"].mean() / got["n"].mean() ** 2
    pieces = got["nn"].reshape(60, -1).mean(1) / got["n"].reshape(60, -1).mean(1) ** 2
    sem = pieces.std(ddof=1) / np.sqrt(60)
    assert abs(g2 - (2 - 2 / N)) < 1 / N + 3 * sem
    assert abs(got["z"].mean() - N / 2) < 4 * got["z"].std() / np.sqrt(lanes)
    third = got["zzz"].mean() / (N / 2) ** 3 - 1
    assert abs(third) < 4 / N**2 + 4 * got["zzz"].std() / (N / 2) ** 3 / np.sqrt(lanes)


@pytest.mark.parametrize("N", [1, 2, 5, 10, 1000, 10**6])
@pytest.mark.parametrize("sampling", ["fixed", "gaussian"])
def test_the_mean_of_an_initial_state_is_right(N, sampling):
    lanes = 100_000
    got = drawn(N, lambda e: {"z": e.Jz, "zz": e.Jz * e.Jz, "xx": e.Jx * e.Jx}, lanes, sampling)
    mean, sem = got["z"].mean(), got["z"].std() / np.sqrt(lanes)
    assert abs(mean - N / 2) < 4 * sem + 1e-12 * N
    assert abs(got["xx"].mean() / (N / 4) - 1) < 4 * np.sqrt(2 / lanes)
    # with a fixed length, a quarter (at N = 5: 0.37) on top of the second moment along z
    extra = got["zz"].mean() - N**2 / 4
    assert -5 * N * sem <= extra < 0.4 + 5 * N * sem


def test_the_length_of_before_is_caught():
    # sqrt(N/2 (N/2 + 1)) lowers the mean by 1/(4N) and more
    q = np.random.default_rng(0).exponential(5, 100_000)
    z = np.sqrt(np.maximum(30 - q, 0))
    assert z.mean() - 5 < -4 * z.std() / np.sqrt(q.size)
