"""Correlations by quantum jumps where nothing jumps: one run tells all, against dense matrices."""

import numpy as np
import pytest
from scipy.linalg import expm

import wignerflow as wf
from wignerflow.exact.jump_correlations import Correlated

TAUS = np.array([0.2, 0.7, 1.6])


def exchange():
    """The number of quanta is definite: every operator leads from sector to sector."""
    q, a = wf.Spin(name="q", count=2), wf.Mode(name="a", cutoff=4)
    hop = (0.8 + 0.3j) * (q[0].sp * a.a) + 0.6 * (q[1].sp * q[0].sm)
    H = hop + hop.dag() + 0.5 * a.n + 0.3 * q[1].sz
    model = wf.Model(H, initial={q: [wf.up, wf.down], a: wf.vacuum})
    gain = 0.7 * q[0].sp - 0.5j * a.adag
    pieces = [(0.4 - 0.7j, q[0].sm + 0.2j * a.a, gain), (1.1 + 0j, gain.dag(), gain)]
    return model, q[1].sp * q[1].sm + 0.6 * a.n, pieces, a


def turned():
    """No number is definite; not an adjoint pair, and a product that vanishes beside it."""
    q, a = wf.Spin(name="q"), wf.Mode(name="a", cutoff=3)
    H = 0.4 * q.sx + 0.7 * (q.sp * a.a + q.sm * a.adag) + 0.2j * (a.a - a.adag)
    model = wf.Model(H, initial={q: wf.bloch(0.9, 0.4), a: wf.vacuum})
    pieces = [(1.0 + 0j, q.sy + 0.3, a.a + 0.5), (1.0 + 0j, 0 * a.a, q.sx), (2j, a.a, q.sm)]
    return model, q.sz * a.adag + 0.1, pieces, a


@pytest.mark.parametrize("t", [0.0, 0.45])
@pytest.mark.parametrize("case", [exchange, turned])
def test_a_closed_model_has_the_correlations_of_its_unitary(brute, case, t):
    model, X, pieces, mode = case()
    run = Correlated(model, X, pieces, t, TAUS, 3, 1e9, True)
    full = brute(model)
    H, x = full.matrix(model.H), full.matrix(X)
    start = np.linalg.eigh(full.rho)[1][:, -1]
    highest = np.diag((np.arange(mode.cutoff) >= mode.cutoff - 2).astype(float))
    top = full.one(full.slots[mode, 0][0], highest)

    def edge(psi, times):
        """The population of the two highest states, at these times after."""
        after = (expm(-1j * tau * H) @ psi for tau in times)
        return np.array([np.vdot(phi, top @ phi).real for phi in after])

    psi = expm(-1j * t * H) @ start
    edges = np.maximum(edge(start, np.linspace(0, t, 101)).max(), edge(psi, TAUS))
    later = [expm(-1j * tau * H) for tau in TAUS]
    want = np.zeros((3, TAUS.size), complex)
    for weight, A, D in pieces:
        u, v = full.matrix(D) @ psi, full.matrix(A).conj().T @ psi
        want[0] += [weight * np.vdot(U @ v, x @ U @ u) for U in later]
        a, b = np.linalg.norm(v), np.linalg.norm(u)
        if a * b > 0:
            several = [u / b + 1j**k * v / a for k in range(4)]
            for phi in [u] if A.dag() == D else several:
                if np.linalg.norm(phi) > 1e-9:
                    edges = np.maximum(edges, edge(phi / np.linalg.norm(phi), TAUS))
    want[1] = [np.vdot(U @ psi, x @ U @ psi) for U in later]
    want[2] = np.vdot(psi, u)
    for found in run(range(5, 7)):
        np.testing.assert_allclose(found[:3], want, atol=1e-9)
        np.testing.assert_allclose(found[3], edges, atol=1e-9)
    assert np.abs(want[:2]).min() > 1e-3 and run.counted(7) == 0


def test_delays_from_zero_on_and_later_ones_alone():
    """The same runs, read at other delays."""
    spin = wf.Spin(name="spin")
    model = wf.Model(0.6 * spin.sx, [wf.Jump(spin.sm, 1.0)], initial={spin: wf.bloch(2.0, 0.3)})
    ask = {"t": 0.5, "method": "jumps", "ntraj": 64, "seed": 1, "connected": True}
    every, later = (
        wf.correlation(model, spin.sp, spin.sm, taus, **ask) for taus in ([0, 0.5, 1.0], [0.5, 1.0])
    )
    np.testing.assert_allclose(later.value, every.value[1:], atol=1e-12)
    np.testing.assert_allclose(later.sem, every.sem[1:], atol=1e-12)
