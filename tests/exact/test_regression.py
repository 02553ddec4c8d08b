"""The quantum regression theorem on block density matrices, against brute force and QuTiP."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import wignerflow as wf
from wignerflow.exact import regression, runs
from wignerflow.exact.steady import NotUnique

from ..few import few

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


def levels():
    """Two three-level emitters and a mode, with every kind of process; pairs of operators."""
    atoms, a = wf.Levels(2, ["g", "e", "f"], name="atoms"), wf.Mode(name="a", cutoff=2)
    ge, ef, gf = atoms.op("g", "e"), atoms.op("e", "f"), atoms.op("g", "f")
    m = wf.Model(
        0.7 * (a.adag * ge + a.a * ge.dag()) + 0.4j * (gf - gf.dag()) + 0.3 * atoms.pop("f"),
        [
            wf.Jump(ge + 0.4j * ef, rate=0.5),
            wf.Jump(a.a, rate=0.9),
            wf.LocalJump(atoms.one("f", "g") + 0.3j * atoms.one_pop("e"), rate=0.4),
        ],
        initial={atoms: wf.levels({"g": 0.6, "e": 0.48j, "f": 0.64}), a: wf.vacuum},
    )
    pairs = [(ge, ge.dag()), (a.a, a.adag), (atoms.pop("e"), gf), (a.n, ef * gf.dag()), (ef, a.a)]
    return m, pairs


def spins():
    """The model of two levels and pairs of operators."""
    m, s, q, a = model()
    return m, [(s.Jm, s.Jp), (a.a, a.adag), (s.Jz, q.sy), (a.n, s.Jx * q.sp), (q.sm, a.a)]


@pytest.mark.parametrize(
    ("case", "engine"),
    [
        (spins, "blocks"),
        pytest.param(spins, "occupations", marks=pytest.mark.slow),
        (levels, "occupations"),
    ],
    ids=lambda x: getattr(x, "__name__", x),
)
def test_against_brute_force(brute, case, engine):
    m, pairs = case()
    full = brute(m)
    step = scipy.linalg.expm(full.liouvillian() * TAUS[1])
    for t, rho in ((0.0, full.rho), (0.5, (step @ full.rho.ravel()).reshape(full.rho.shape))):
        for (A, B), (symmetric, plain) in zip(
            pairs, brute_force(full, pairs, step, rho), strict=True
        ):
            out = regression.correlation(m, A, B, TAUS, t, engine=engine, rtol=1e-10)
            np.testing.assert_allclose(out.symmetric, symmetric, atol=1e-8)
            np.testing.assert_allclose(out.plain, plain, atol=1e-8)
            means = np.array([np.trace(full.matrix(op) @ rho) for op in (A, B)])
            np.testing.assert_allclose([out.mean_a[0], out.mean_b], means, atol=1e-8)
        assert np.abs(out.plain - out.symmetric).max() > 1e-4  # the two differ
        assert out.stats["engine"] == engine


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
@pytest.mark.parametrize("engine", ["blocks", "occupations"])
def test_time_dependence(engine):
    """A decaying cavity driven by a chirp: {a(t + tau), a^+}/2 - <a><a^+> = e^{-kappa tau/2}/2."""
    c = wf.Mode(name="c")
    drive = wf.coef(lambda t: np.exp(0.4j * t * t))
    m = wf.Model(
        drive * c.a + (drive * c.a).dag(), [wf.Jump(c.a, rate=0.6)], initial={c: wf.coherent(0.5)}
    )
    out = regression.correlation(m, c.a, c.adag, TAUS[1:], 1.0, engine=engine)
    decay = np.exp(-0.3 * TAUS[1:])
    np.testing.assert_allclose(out.symmetric - out.mean_a * out.mean_b, decay / 2, atol=1e-5)
    np.testing.assert_allclose(out.plain - out.mean_a * out.mean_b, decay, atol=1e-5)


def test_only_what_the_later_operator_sees_is_evolved(monkeypatch):
    """Of all M - M' those of the later operator, and the populations, for the trace."""
    s = wf.Ensemble(20, name="s")
    m = wf.Model(0.3 * s.Jz, [wf.Jump(s.Jm, rate=0.2)], initial={s: wf.bloch(0.9, 0.4)})
    sizes, read = [], runs.read
    monkeypatch.setattr(runs, "read", lambda *a: sizes.append(a[0].size) or read(*a))
    regression.correlation(m, s.Jp, s.Jm, TAUS, 0.5)
    assert len(sizes) == 5 and max(sizes) <= 2 * 20 + 21 < 21**2


@pytest.mark.parametrize("engine", ["blocks", "occupations"])
def test_no_unique_steady_state(engine):
    s = wf.Spin(name="s")
    m = wf.Model(s.sz, [wf.Jump(s.sz, rate=1.0)], initial={s: wf.bloch(0.3, 0.1)})
    with pytest.raises(NotUnique):
        regression.correlation(m, s.sx, s.sx, TAUS, None, engine=engine)


def three_level_laser():
    atoms, a = wf.Levels(2, ["g", "e", "f"], name="atoms"), wf.Mode(name="a")
    exchange = a.adag * atoms.op("g", "e")
    jumps = [
        wf.Jump(a.a, rate=1.0),
        wf.LocalJump(atoms.one("f", "g"), rate=0.7),
        wf.LocalJump(atoms.one("e", "f"), rate=2.0),
    ]
    start = {atoms: wf.level("e"), a: wf.vacuum}
    return a, wf.Model(0.6 * (exchange + exchange.dag()), jumps, initial=start)


def test_light_of_a_three_level_laser_in_its_steady_state():
    """Public entry points: delays, the spectrum's power."""
    (a, m), taus = three_level_laser(), np.linspace(0, 30, 301)
    out = wf.correlation(m, a.adag, a.a, taus, order="plain", method="exact")
    photons = wf.steady_state(m, {"n": a.n, "nn": a.adag * a.n * a.a}, "exact")
    np.testing.assert_allclose(out.value[0], photons.expect["n"], atol=1e-9)
    four = wf.correlation(m, ops=(a.adag, a.adag, a.a, a.a), taus=taus[::50], method="exact")
    np.testing.assert_allclose(four.value[0], photons.expect["nn"], atol=1e-9)
    np.testing.assert_allclose(four.value[-1], photons.expect["n"] ** 2, atol=1e-5)
    lines = wf.spectrum(m, a.adag, a.a, taus, method="exact")
    width = lines.omega[1] - lines.omega[0]
    assert lines.omega[np.argmax(lines.value)] == 0 and lines.value.min() > -1e-6
    power = lines.value.sum() * width / (2 * np.pi)  # of the symmetrised correlation
    np.testing.assert_allclose(power, photons.expect["n"] + 0.5, rtol=1e-3)


@pytest.mark.slow
def test_trajectories_of_a_three_level_laser_are_judged_by_the_exact_correlation():
    a, m = three_level_laser()
    ask = {"t": 0.5, "ntraj": 64, "seed": 1, "truncation": "full"}
    sampled = wf.correlation(m, a.adag, a.a, [0, 0.1, 0.2], **ask)
    assert sampled.stats["truncation"] == "the exact correlation"


@pytest.mark.parametrize("engine", ["blocks", "occupations"])
@pytest.mark.parametrize("t", few([0.1, 0.0]))
def test_modes_are_wide_enough_for_what_comes_after_t(t, engine):
    """A cavity that fills behind t: <a^+(t + tau) a(t)> = alpha^*(t + tau) alpha(t)."""
    c = wf.Mode(name="c")
    m = wf.Model(3 * (c.a + c.adag), [wf.Jump(c.a, 1.0)], initial={c: wf.vacuum})
    alpha = -6j * (1 - np.exp(-(t + TAUS) / 2))
    out = regression.correlation(m, c.adag, c.a, TAUS, t, engine=engine)
    np.testing.assert_allclose(out.mean_a, alpha.conj(), atol=1e-5)
    first = -6j * (1 - np.exp(-t / 2))
    np.testing.assert_allclose(out.plain, alpha.conj() * first, atol=1e-5)
    assert out.stats["edge"]["c"] < 1e-7
