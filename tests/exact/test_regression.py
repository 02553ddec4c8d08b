"""The quantum regression theorem on block density matrices, against brute force and QuTiP."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import wignerflow as wf
from wignerflow.exact import regression
from wignerflow.exact.steady import NotUnique

TAUS = np.linspace(0, 2, 5)


def brute_force(full, pairs, step, rho):
    """Symmetrised and plain correlations of all pairs; step = exp(L dtau) as a dense matrix."""
    out = []
    for A, B in pairs:
        A, B = full.matrix(A), full.matrix(B)
        starts = np.array([(B @ rho + rho @ B) / 2, B @ rho]).reshape(2, -1)
        values = []
        for _ in TAUS:
            values.append(starts.reshape(2, *rho.shape).swapaxes(1, 2).reshape(2, -1) @ A.ravel())
            starts = starts @ step.T
        out.append(np.array(values).T)
    return out


def model():
    s, q, a = wf.Ensemble(2, name="s"), wf.Spin(name="q"), wf.Mode(name="a", cutoff=3)
    m = wf.Model(
        0.7 * (s.Jp * a.a + a.adag * s.Jm) + 0.4 * q.sx * s.Jz + 0.3 * q.sy + 0.2 * a.n,
        [
            wf.Jump(s.Jm + 0.4j * q.sm, rate=0.5),
            wf.Jump(a.a, rate=0.9),
            wf.LocalJump(s.sp + 0.3 * s.sz, rate=0.4),
        ],
        initial={s: wf.bloch_vector(0.2, 0.3, 0.5), q: wf.bloch(0.4, 1.0), a: wf.vacuum},
    )
    return m, s, q, a


def test_against_brute_force(brute):
    m, s, q, a = model()
    full = brute(m)
    pairs = [(s.Jm, s.Jp), (a.a, a.adag), (s.Jz, q.sy), (a.n, s.Jx * q.sp), (q.sm, a.a)]
    step = scipy.linalg.expm(full.liouvillian() * TAUS[1])
    for t, rho in ((0.0, full.rho), (0.5, (step @ full.rho.ravel()).reshape(full.rho.shape))):
        for (A, B), (symmetric, plain) in zip(
            pairs, brute_force(full, pairs, step, rho), strict=True
        ):
            out = regression.correlation(m, A, B, TAUS, t, rtol=1e-10)
            np.testing.assert_allclose(out.symmetric, symmetric, atol=1e-8)
            np.testing.assert_allclose(out.plain, plain, atol=1e-8)
        assert np.abs(out.plain - out.symmetric).max() > 1e-4  # the two differ


def test_steady_state_against_qutip(brute):
    qutip = pytest.importorskip("qutip")
    m, s, _, a = model()
    H, c_ops, _, convert = m.to_qutip()
    for A, B in ((a.a, a.adag), (s.Jp, s.Jm)):
        want = qutip.correlation_2op_1t(
            H, None, TAUS, c_ops, convert(A), convert(B), options={"rtol": 1e-10, "atol": 1e-12}
        )
        out = regression.correlation(m, A, B, TAUS, None, rtol=1e-10)
        np.testing.assert_allclose(out.plain, want, atol=1e-6)
        np.testing.assert_allclose(out.mean_a, np.full(5, out.mean_a[0]), atol=1e-8)


@pytest.mark.slow
def test_time_dependence():
    """A decaying cavity driven by a chirp: {a(t + tau), a^+}/2 - <a><a^+> = e^{-kappa tau/2}/2."""
    c = wf.Mode(name="c")
    drive = wf.coef(lambda t: np.exp(0.4j * t * t))
    m = wf.Model(
        drive * c.a + (drive * c.a).dag(), [wf.Jump(c.a, rate=0.6)], initial={c: wf.coherent(0.5)}
    )
    out = regression.correlation(m, c.a, c.adag, TAUS[1:], 1.0)
    decay = np.exp(-0.3 * TAUS[1:])
    np.testing.assert_allclose(out.symmetric - out.mean_a * out.mean_b, decay / 2, atol=1e-5)
    np.testing.assert_allclose(out.plain - out.mean_a * out.mean_b, decay, atol=1e-5)


def test_no_unique_steady_state():
    s = wf.Spin(name="s")
    m = wf.Model(s.sz, [wf.Jump(s.sz, rate=1.0)], initial={s: wf.bloch(0.3, 0.1)})
    with pytest.raises(NotUnique):
        regression.correlation(m, s.sx, s.sx, TAUS, None)


@pytest.mark.parametrize("t", [0.0, 0.1])
def test_modes_are_wide_enough_for_what_comes_after_t(t):
    """A cavity that fills behind t: <a^+(t + tau) a(t)> = alpha^*(t + tau) alpha(t)."""
    c = wf.Mode(name="c")
    m = wf.Model(3 * (c.a + c.adag), [wf.Jump(c.a, 1.0)], initial={c: wf.vacuum})
    alpha = -6j * (1 - np.exp(-(t + TAUS) / 2))
    out = regression.correlation(m, c.adag, c.a, TAUS, t)
    np.testing.assert_allclose(out.mean_a, alpha.conj(), atol=1e-5)
    first = -6j * (1 - np.exp(-t / 2))
    np.testing.assert_allclose(out.plain, alpha.conj() * first, atol=1e-5)
    assert out.stats["edge"]["c"] < 1e-7
