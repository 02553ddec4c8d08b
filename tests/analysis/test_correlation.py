"""Two-time correlations and spectra of trajectories against regression and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels.module import KernelText
from wignerflow.kernels.observe import Readout
from wignerflow.run.loop import Request
from wignerflow.run.record import records

TAUS = np.linspace(0, 10, 41)
KAPPA, GAIN, DETUNING = 1.0, 0.4, 0.7
WIDTH = KAPPA - GAIN


@pytest.fixture(scope="module")
def cavity():
    """A driven cavity with loss and gain: linear, so that the Wigner method is exact."""
    c = wf.Mode(name="c")
    model = wf.Model(
        DETUNING * c.n + 0.3 * (c.a + c.adag),
        [wf.Jump(c.a, KAPPA), wf.Jump(c.adag, GAIN)],
        initial={c: wf.coherent(1)},
    )
    return model, c


def closed(order):
    """<a(t + tau) a^+(t)> of the fluctuations in the steady state: n = GAIN / WIDTH."""
    n = GAIN / WIDTH
    amplitude = n + 1 if order == "plain" else n + 0.5
    return amplitude * np.exp(-(1j * DETUNING + WIDTH / 2) * TAUS)


def worst(value, want, sem):
    """Largest deviation in standard errors; rounding passes where there is no spread."""
    d = np.concatenate([(value - want).real, (value - want).imag])
    e = np.concatenate([sem.real, sem.imag])
    return float(np.abs(d / np.hypot(e, 2e-4)).max())


def run(cavity, **options):
    model, c = cavity
    options = {"ntraj": 2048, "seed": 5, "dt": 0.05, **options}
    return wf.correlation(model, c.a, c.adag, TAUS, **options)


@pytest.mark.parametrize("order", ["symmetric", "plain"])
def test_steady_state_is_the_closed_form(cavity, order):
    out = run(cavity, order=order, connected=True, relax=15)
    assert worst(out.value, closed(order), out.sem) < 4.5
    assert 1e-3 < np.abs(out.sem).max() < 0.03
    exact = run(cavity, order=order, connected=True, method="exact")
    np.testing.assert_allclose(exact.value, closed(order), atol=1e-5)
    # negative control: the two orders tell apart
    other = closed({"plain": "symmetric", "symmetric": "plain"}[order])
    assert worst(out.value, other, out.sem) > 10


@pytest.mark.parametrize("order", ["symmetric", "plain"])
def test_from_a_time_on(cavity, order):
    out = run(cavity, order=order, t=0.5)
    exact = run(cavity, order=order, t=0.5, method="exact")
    assert worst(out.value, exact.value, out.sem) < 4.5
    assert np.abs(out.value).max() > 1 and out.stats["origins"] == 1


def test_spectrum_and_linewidth(cavity):
    out = run(cavity, connected=True, relax=15)
    s = wf.spectrum(out)
    assert abs(s.omega[np.argmax(s.value)] - DETUNING) < 0.2
    area = np.sum(s.value[:-1]) * np.diff(s.omega)[0] / (2 * np.pi)
    assert abs(area - out.value[0].real) < 1e-9 * area
    line = s.linewidth()
    assert abs(line.value - WIDTH) < 4 * line.sem < 0.2
    assert abs(line.centre - DETUNING) < 4 * line.centre_sem < 0.2
    # without a window, and with delays enough, S is the Lorentzian
    fine = np.linspace(0, 60, 1201)
    model, c = cavity
    options = {"method": "exact", "connected": True}
    exact = wf.spectrum(model, c.a, c.adag, fine, window="none", **options)
    want = (GAIN / WIDTH + 0.5) * WIDTH / ((exact.omega - DETUNING) ** 2 + WIDTH**2 / 4)
    np.testing.assert_allclose(exact.value, want, atol=5e-3)
    assert exact.linewidth().value == pytest.approx(WIDTH, abs=1e-5)
    assert exact.linewidth().sem == 0 and np.all(exact.sem == 0)
    assert "±" in repr(s) and "±" in repr(out) and "±" in repr(line)
    data = s.to_xarray()
    both = {f"{name}{end}" for name in ("correlation", "spectrum") for end in ("", "_sem")}
    assert set(data) == both | {"correlation_step_error", "spectrum_step_error"}


def test_superradiant_ensemble_against_regression():
    """Collective decay and pump of 40 emitters: symmetric order, response and linewidth."""
    N = 40
    atoms = wf.Ensemble(N, name="atoms")
    model = wf.Model(
        0.5 * atoms.Jz,
        [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 0.4 * N)],
        initial={atoms: wf.up},
    )
    taus = np.linspace(0, 1.5, 31)
    found = {}
    for method in ("twa", "exact"):
        found[method] = wf.correlation(
            model, atoms.Jm, atoms.Jp, taus, method=method, ntraj=2048, seed=2, dt=0.004, relax=1.5
        )
    twa, exact = found["twa"], found["exact"]
    assert np.abs(exact.value[0]) == pytest.approx(200, rel=0.2)
    bound = 0.01 * exact.value[0].real + 4 * np.abs(twa.sem)  # truncation, sampling
    assert np.all(np.abs(twa.value - exact.value) < bound)
    lines = [wf.spectrum(c).linewidth(after=0.3) for c in (twa, exact)]
    assert abs(lines[0].value - lines[1].value) < 4 * lines[0].sem + 0.1
    assert abs(lines[0].centre - 0.5) < 4 * lines[0].centre_sem < 0.5


def test_records_are_the_trajectories_themselves(cavity):
    """Values per trajectory average to what a usual run of the same seed finds."""
    model, c = cavity
    t = np.array([0.0, 0.5, 1.0])
    ops = {"A": c.a, "B": c.adag}
    want = wf.solve(model, t, e_ops=ops, ntraj=100, seed=9, dt=0.05, progress=False)
    system, symbols = wf.TWA().lower(model, ops, t)
    text = KernelText(system, [Readout(symbols[k], True) for k in "AB"])
    chunks = list(records(text, t, 0.05, Request(100, 9, True, 1), lambda v, ok: (v, ok)))
    assert [int(ok.sum()) for _, ok in chunks] == [32, 32, 32, 4]
    values = np.concatenate([v[ok] for v, ok in chunks])
    for part in (0, 1):
        own = values[:, :, part]
        np.testing.assert_allclose(
            own.mean(axis=0), [want.expect["A"].real, want.expect["A"].imag][part], rtol=1e-5
        )
        np.testing.assert_allclose(
            own.std(axis=0, ddof=1), [want.std["A"].real, want.std["A"].imag][part], rtol=1e-5
        )


def test_threads_change_nothing(cavity):
    one, two = (run(cavity, t=0.0, ntraj=128, threads=k) for k in (1, 2))
    np.testing.assert_array_equal(one.value, two.value)


def test_bad_input(cavity):
    model, c = cavity
    good = {"taus": TAUS, "A": c.a, "B": c.adag}
    for change, match in (
        ({"taus": TAUS[1:]}, "`taus` must start at 0 and be evenly spaced"),
        ({"taus": [1.0, 0.0]}, "`taus` must ascend"),
        ({"t": -1.0}, "`t` must be at least 0"),
        ({"t": "stedy"}, "`t` must be"),
        ({"order": "normal"}, "`order` must be one of"),
        ({"ntraj": 10}, "`ntraj`"),
        ({"method": "mean-field"}, "no two-time correlations; use 'twa', 'jumps' or 'exact'"),
        ({"method": "cumulant"}, "no two-time correlations"),
    ):
        with pytest.raises(ValueError, match=match):
            wf.correlation(model, **{**good, **change})
    with pytest.raises(TypeError, match="`A` must be an operator"):
        wf.correlation(model, 1, c.a, TAUS)
    with pytest.raises(ValueError, match="adjoint of A"):
        wf.spectrum(model, c.a, c.a, TAUS)
    exact = wf.correlation(model, c.n, c.a, TAUS, method="exact", t=0.0)
    with pytest.raises(ValueError, match=r"Correlation of A with A\^\+"):
        wf.spectrum(exact)
    small = wf.Mode(name="small", cutoff=3)
    full = wf.Model(small.a + small.adag, [wf.Jump(small.a, 1.0)], initial={small: wf.vacuum})
    with pytest.warns(UserWarning, match="3 Fock states of mode 'small'"):
        wf.correlation(full, small.a, small.adag, TAUS, method="exact")
    driven = wf.Model(wf.coef(np.sin) * (c.a + c.adag), initial={c: wf.vacuum})
    with pytest.raises(ValueError, match="constant in time; give a time"):
        wf.correlation(driven, c.a, c.adag, TAUS)


@pytest.mark.slow
def test_qutip_spectrum_is_ours_at_the_opposite_frequency():
    qutip = pytest.importorskip("qutip")
    c, q = wf.Mode(name="c", cutoff=8), wf.Spin(name="q")
    model = wf.Model(
        0.8 * c.n + 0.4 * (c.adag * q.sm + c.a * q.sp),
        [wf.Jump(c.a, 1.0), wf.Jump(q.sp, 0.4), wf.Jump(q.sm, 0.3)],
        initial={c: wf.vacuum, q: wf.down},
    )
    w = np.linspace(-2, 2, 9)
    H, c_ops, _, convert = model.to_qutip()
    want = qutip.spectrum(H, w, c_ops, convert(c.adag), convert(c.a))
    taus = np.linspace(0, 60, 3001)
    options = {"method": "exact", "order": "plain", "window": "none"}
    ours = wf.spectrum(model, c.adag, c.a, taus, omega=-w[::-1], **options)
    np.testing.assert_allclose(ours.value[::-1], want, atol=1e-3 * want.max())
    assert want[6] > 5 * want[2]  # at +1 and -1


@pytest.mark.parametrize(
    "frequency", [2.0, *(pytest.param(f, marks=pytest.mark.slow) for f in (0.0, 10.0))]
)
def test_a_kick_is_short_though_steps_are_long(frequency):
    """A linear mode is stepped exactly, so its step may be as long as the run: <a^+ a> = 0.3."""
    m = wf.Mode(name="m")
    jumps = [wf.Jump(m.a, 1.3), wf.Jump(m.adag, 0.3)]
    model = wf.Model(frequency * m.n, jumps, initial={m: wf.vacuum})
    taus = np.linspace(0, 3, 16)
    out = wf.correlation(model, m.adag, m.a, taus, order="plain", ntraj=1024, seed=1)
    want = 0.3 * np.exp((1j * frequency - 0.5) * taus)
    assert worst(out.value, want, out.sem) < 4.5
    assert out.dt > 5  # negative control: a kick of a share of the step would be as long as this
    assert out.stats["start"] < 100


def test_gain_near_threshold_relaxes_in_its_own_time():
    m = wf.Mode(name="m")
    jumps = [wf.Jump(m.a, 1.3), wf.Jump(m.adag, 1.2)]
    model = wf.Model(jumps=jumps, initial={m: wf.vacuum})
    found = wf.steady_state(model, {"n": m.n}, ntraj=4096, seed=3, controls=False)
    assert abs(found.expect["n"] - 12.0) < 4 * found.sem["n"] < 1.5
    assert 20 < found.stats["relaxed"] < 1e4


def test_one_delay_at_the_initial_state_is_refused():
    mode = wf.Mode(name="a")
    model = wf.Model(jumps=[wf.Jump(mode.a, 1.0)], initial={mode: wf.coherent(1.0)})
    with pytest.raises(ValueError, match="`taus` must reach beyond 0 where `t` is 0"):
        wf.correlation(model, mode.adag, mode.a, [0.0], t=0.0, ntraj=128)
    one = wf.correlation(model, mode.adag, mode.a, [0.0], t=0.5, ntraj=128, seed=1)
    assert one.value.shape == (1,)
