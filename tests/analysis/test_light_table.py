"""Light of a burst, an oscillator, a laser and cavities: exact values known from other programs."""

import numpy as np
import pytest

import wignerflow as wf

pytestmark = pytest.mark.slow

UNIT = 0.003  # bins of a burst of 100: 0.3/(N Gamma)


def off(found, known, share=0.0):
    """Largest distance in standard errors, each at least a share of what is known."""
    known = np.asarray(known)
    sem = np.hypot(found.sem.real, share * np.abs(known))
    return np.max(np.abs(found.value.real - known) / sem)


def near(value, sem, known, share):
    """Within a share of what is known, and 4 standard errors."""
    return abs(value - known) < share * abs(known) + 4 * sem


def burst(edges, **kw):
    atoms = wf.Ensemble(100, name="atoms")
    jump = wf.Jump(atoms.Jm, 1.0)
    model = wf.Model(jumps=[jump], initial={atoms: wf.up})
    if "method" not in kw:
        kw["dt"] = float(edges[1] - edges[0]) / 5
    return wf.photons(model, jump, bins=edges, **kw)


def test_second_order_coherence_of_a_burst():
    """Of bins of 0.3/(N Gamma), by two engines; the diagonal, early and late."""
    known = {(0, 0): 1.9707, (8, 16): 1.0142, (16, 16): 1.0915}
    edges = UNIT * np.arange(18)
    exact = burst(edges, method="exact").g2().value
    both = burst(edges, method="exact", estimator="bins").g2().value
    found = burst(edges, ntraj=32768, seed=11, g1=False).g2()
    pairs = burst(edges, ntraj=32768, seed=11, g1=False, estimator="bins").g2()
    for at, value in known.items():
        assert both[at] == pytest.approx(value, abs=6e-5)
        if at[0] == at[1]:
            assert exact[at] == pytest.approx(value, abs=6e-5)
        assert near(found.value[at], found.sem[at], exact[at], 0.002)
        assert near(pairs.value[at], pairs.sem[at], value, 0.002)
    assert found.sem[8, 16] < 0.004 and found.sem[16, 16] < 0.006
    z = (found.value - exact) / found.sem
    assert np.abs(z).max() < 5


def test_bins_modes_and_counts_of_a_burst():
    """Pairs and single bins of 0.5/(N Gamma); temporal modes; photons and their variance."""
    edges = 0.005 * np.arange(25)
    light = burst(edges, ntraj=8192, seed=4, g1=False, estimator="bins")
    exact = burst(edges, method="exact", g1=False, estimator="bins")
    pairs = {(0, 1): 1.934, (2, 6): 1.462, (6, 9): 1.0835, (9, 10): 1.0738, (8, 14): 0.757}
    same = {0: 1.963, 6: 1.342, 9: 1.099, 12: 1.183, 16: 2.075}
    truth, g2 = exact.g2().value, light.g2()
    for at, value in [*pairs.items(), *(((k, k), v) for k, v in same.items())]:
        assert truth[at] == pytest.approx(value, abs=6e-4)
        assert near(g2.value[at], g2.sem[at], value, 0.003)
    n = exact.number()
    assert n.mean == pytest.approx(99.591, abs=2e-3) and n.variance == pytest.approx(6.23, abs=0.01)
    counts = light.number()
    assert near(counts.mean, counts.mean_sem, 99.591, 2e-4)
    assert abs(counts.variance - 7.66) < 4 * counts.variance_sem + 0.2  # of order one too many
    half = burst(0.005 * np.arange(10), ntraj=8192, seed=5, g1=False, g2=False).number()
    assert near(half.variance, half.variance_sem, 502, 0.02)
    fine = 0.004 * np.arange(33)
    light = burst(fine, ntraj=16384, seed=6, g2=False)
    assert off(light.spectrum(omega=[0, 25, 50]), [8.508, 5.828, 1.930], 0.002) < 4.5
    modes, known = light.modes(), np.array([90.056, 8.149, 1.183, 0.225])
    truth = burst(fine, method="exact", g2=False).modes().value
    np.testing.assert_allclose(truth[:4], known, rtol=3e-3)
    assert np.all(np.abs(modes.value[:4] - known) < 4 * modes.sem[:4] + 0.005 * known)


def test_spectra_of_a_parametric_oscillator():
    """Half way to threshold, in a window of 128/kappa, at several frequencies."""
    mode = wf.Mode(name="mode")
    jump = wf.Jump(mode.a, 1.0)
    eps = 0.125j
    H = eps * mode.adag * mode.adag - eps * mode.a * mode.a
    model = wf.Model(H, [jump], initial={mode: wf.vacuum})
    bins = 20 + 0.125 * np.arange(1025)
    light = wf.photons(model, jump, bins=bins, ntraj=8192, seed=2, dt=0.0625, g1=False, g2=False)
    S = light.quadrature(np.pi / 2)
    zero = int(np.argmin(np.abs(S.omega)))
    assert S.omega[zero + 1] == pytest.approx(2 * np.pi / 128)
    for k, known in ((0, 0.1204), (5, 0.197), (10, 0.378)):
        assert near(S.value[zero + k], S.sem[zero + k], known, 0.015)
    loud = light.quadrature(0.0)
    assert near(loud.value[zero], loud.sem[zero], 8.75, 0.01)
    # S + (1 - S)(1 - e^{-gT})/(gT) back to the infinite window: 1/9
    g, T = 0.75, 128.0
    f = (1 - np.exp(-g * T)) / (g * T)
    deep = (S.value[zero] - f) / (1 - f)
    assert near(deep, S.sem[zero], 1 / 9, 0.015)


def test_light_that_passes_a_cavity():
    """Coherent, off resonance: amplitude and vacuum of what leaves; thermal and squeezed."""
    kappa, delta, beta = 1.0, 0.7, 0.8
    mode = wf.Mode(name="mode")
    jump = wf.Jump(mode.a, kappa, input=wf.coherent(beta))
    model = wf.Model(delta * mode.n, [jump], initial={mode: wf.vacuum})
    known = beta * (1j * delta - kappa / 2) / (1j * delta + kappa / 2)
    assert abs(known) == pytest.approx(beta)
    kw = {"seed": 3, "ntraj": 4096, "dt": 0.05}
    light = wf.photons(model, jump, bins=20 + 0.5 * np.arange(17), **kw)
    mean = np.sqrt(0.5)  # of the amplitude of a bin
    coherence = light.g1()
    assert off(coherence, abs(mean * known) ** 2 * np.ones((16, 16))) < 5.5
    e_ops = {"a": mode.a}
    out = wf.solve(model, np.linspace(0, 30, 4), e_ops=e_ops, progress=False, **kw)
    a = -np.sqrt(kappa) * beta / (1j * delta + kappa / 2)
    for part in (np.real, np.imag):
        assert abs(part(out.expect["a"][-1] - a)) < 4.5 * part(out.sem["a"][-1])
    assert beta + np.sqrt(kappa) * a == pytest.approx(known)
    for given, inside in ((wf.thermal(1.5), 1.5), (wf.squeezed(0.6, 0.3), np.sinh(0.6) ** 2)):
        warm = wf.Jump(mode.a, kappa, input=given)
        model = wf.Model(delta * mode.n, [warm], initial={mode: wf.vacuum})
        found = wf.photons(model, warm, bins=20 + 0.5 * np.arange(17), g2=False, **kw).n()
        assert off(found, inside * np.ones(16)) < 4.5
        out = wf.solve(model, [0.0, 30.0], e_ops={"n": mode.n}, progress=False, **kw)
        assert near(out.expect["n"][-1], out.sem["n"][-1], inside, 0)


def test_light_of_a_laser():
    """Superradiant, N = 50: flux, coherences over delays."""
    atoms = wf.Ensemble(50, name="atoms")
    jump = wf.Jump(atoms.Jm, 1.0)
    model = wf.Model(jumps=[jump, wf.LocalJump(atoms.sp, 25.0)], initial={atoms: wf.up})
    kw = {"width": 0.005, "window": 0.5, "t": "steady"}
    light = wf.photons(model, jump, ntraj=4096, seed=1, relax=1.0, dt=0.00125, **kw)
    flux = light.flux()
    assert abs(float(flux.value[0]) - 306.3) < 4 * float(flux.sem[0]) + 0.005 * 306.3
    g2, g1 = light.g2(), light.g1()
    for tau, known in ((0.0375, 1.0564), (0.0975, 0.9693), (0.495, 0.9999)):
        k = int(np.argmin(np.abs(light.taus - tau)))
        assert abs(g2.value[k] - known) < 4 * g2.sem[k] + 0.003
    n = g1.value.real / 0.005
    for tau, known in ((0.005, 303.2), (0.05, 276.9), (0.1, 255.3)):
        k = int(np.argmin(np.abs(light.taus - tau)))
        assert abs(n[k] - known) < 4 * g1.sem.real[k] / 0.005 + 0.01 * known
    exact = wf.photons(model, jump, method="exact", g2=False, **kw).g1().value[None]
    some = light.taus > 0.16  # fluctuations of the amplitude are over

    def width(g1):
        return -2 * np.polyfit(light.taus[some], np.log(np.abs(g1[:, some])).T, 1)[0]

    assert abs(width(exact)[0] - 2.666) < 0.02
    all_of_it, *without = width(g1.replicas)
    spread = np.sqrt(31 / 32 * np.sum((without - np.mean(without)) ** 2))
    assert spread < 0.15 and abs(all_of_it - width(exact)[0]) < 4 * spread
