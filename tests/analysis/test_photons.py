"""Photon statistics of trajectories against the exact chain and closed formulas."""

import importlib
import re
import warnings

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.run.driver import Prepared

from ..few import few


def deviations(one, exact):
    """Distances in standard errors."""
    return (one.value - exact) / one.sem


@pytest.fixture(scope="module")
def burst():
    atoms = wf.Ensemble(100, name="atoms")
    jump = wf.Jump(atoms.Jm, 1.0)
    model = wf.Model(jumps=[jump], initial={atoms: wf.up})
    outputs = {"F": wf.Output(jump), "half": 0.6j * wf.Output(jump)}
    kw = {"bins": 0.012 * np.arange(8)}
    exact = wf.photons(model, outputs, method="exact", **kw)
    return wf.photons(model, outputs, ntraj=2048, seed=5, dt=0.001, **kw), exact


def test_a_burst(burst):
    """Superradiance of 100 emitters from full inversion."""
    found, exact = burst
    for name in ("F", "half"):
        for what in ("n", "flux"):
            z = deviations(getattr(found, what)(name), getattr(exact, what)(name).value)
            assert np.abs(z).max() < 4.5, what
        z = deviations(found.g2(name), exact.g2(name).value)
        assert np.abs(z).max() < 5
        assert np.sqrt(np.mean(z**2)) < 2
        spectra = (p.spectrum(name, omega=[0, 25, 50]) for p in (found, exact))
        one, two = spectra
        assert np.abs(deviations(one, two.value)).max() < 4.5
    modes, known = found.modes("F"), exact.modes("F")
    assert np.all(np.abs(modes.value - known.value)[:3] < 4.5 * modes.sem[:3] + 0.01)
    both = found.g1("F", "half").value
    np.testing.assert_allclose(both, 0.6j * found.g1("F").value, atol=1e-6)
    z = deviations(found.g2("F", "half"), exact.g2("F", "half").value)
    assert np.abs(z[~np.eye(7, dtype=bool)]).max() < 5
    assert 0.99 < found.stats["in_modes"]["F"] < 1.0


def test_counts_of_a_burst(burst):
    found, exact = burst
    for name in ("F", "half"):
        one, two = found.number(name), exact.number(name)
        assert abs(one.mean - two.mean) < 4 * one.mean_sem + 0.1
        assert abs(one.variance - two.variance) < 4 * one.variance_sem + 1.5
    assert exact.number("half").mean == pytest.approx(0.36 * exact.number("F").mean)


def test_two_bins_and_the_flux_estimator_agree_but_for_what_bins_hold():
    atoms = wf.Ensemble(100, name="atoms")
    jump = wf.Jump(atoms.Jm, 1.0)
    model = wf.Model(jumps=[jump], initial={atoms: wf.up})
    kw = {"bins": np.array([0.02, 0.025, 0.045, 0.05]), "g1": False}
    exact = wf.photons(model, jump, method="exact", estimator="bins", **kw)
    found = wf.photons(model, jump, ntraj=1024, seed=2, estimator="bins", dt=0.001, **kw)
    assert np.abs(deviations(found.g2(), exact.g2().value)).max() < 4.5
    with pytest.raises(ValueError, match="g1 was left out"):
        found.g1()


@pytest.mark.slow
def test_the_laser_in_its_steady_state():
    """Superradiant laser, 30 emitters: g2 and g1 over delays, averaged over origins."""
    atoms = wf.Ensemble(30, name="atoms")
    jump = wf.Jump(atoms.Jm, 1.0)
    model = wf.Model(jumps=[jump, wf.LocalJump(atoms.sp, 15.0)], initial={atoms: wf.up})
    kw = {"width": 0.01, "window": 0.2, "t": "steady"}
    exact = wf.photons(model, jump, method="exact", **kw)
    found = wf.photons(model, jump, ntraj=2048, seed=3, relax=0.6, dt=0.0025, **kw)
    assert found.g2().value.shape == exact.g2().value.shape == (20,)
    np.testing.assert_allclose(found.flux().value, exact.flux().value, rtol=0.02)
    g2 = found.g2()
    assert (
        np.abs(g2.value - exact.g2().value) < 4.5 * g2.sem + 0.003
    ).all() and g2.sem.max() < 0.012
    np.testing.assert_allclose(found.g1().value, exact.g1().value, atol=0.03 * exact.g1().value[0])


def test_squeezing_of_a_parametric_oscillator():
    """Half way to threshold, in a window T: S + (1 - S)(1 - e^{-gT})/(gT), g = kappa (1 ± x)/2."""
    x, T = 0.5, 64.0
    mode = wf.Mode(name="mode")
    jump = wf.Jump(mode.a, 1.0)
    eps = 1j * x / 4
    H = eps * mode.adag * mode.adag - eps * mode.a * mode.a
    model = wf.Model(H, [jump], initial={mode: wf.vacuum})
    light = wf.photons(
        model, jump, bins=20 + 0.5 * np.arange(129), ntraj=1024, seed=4, dt=0.1, g1=False, g2=False
    )
    for phase, sign in ((np.pi / 2, 1), (0.0, -1)):
        S = light.quadrature(phase)
        zero = int(np.argmin(np.abs(S.omega)))
        deep = 1 - sign * 4 * x / (1 + sign * x) ** 2
        g = (1 + sign * x) / 2
        known = deep + (1 - deep) * (1 - np.exp(-g * T)) / (g * T)
        assert abs(S.value[zero] - known) < 4 * S.sem[zero]
        far = np.abs(S.omega) > 5
        np.testing.assert_allclose(S.value[far].mean(), 1, atol=0.06)
    kw = {"bins": 20 + 0.5 * np.arange(129), "ntraj": 256, "seed": 4, "dt": 0.1}
    half = 0.5**0.5 * wf.Output(jump)
    eta = wf.photons(model, half, g1=False, g2=False, **kw).quadrature(np.pi / 2)
    assert abs(eta.value[64] - (0.5 + 0.5 * 0.125)) < 5 * eta.sem[64]


def test_inputs_leave_as_they_came():
    """An empty cavity in front of a mirror passes coherent, thermal and squeezed light."""
    for given, n in ((wf.thermal(1.5), 1.5), (wf.squeezed(0.6, 0.4), np.sinh(0.6) ** 2)):
        mode = wf.Mode(name="mode")
        jump = wf.Jump(mode.a, 1.0, input=given)
        model = wf.Model(None, [jump], initial={mode: wf.vacuum})
        light = wf.photons(
            model, jump, bins=10 + 0.5 * np.arange(33), ntraj=512, seed=1, dt=0.1, g1=False
        )
        found = light.n()
        assert abs(found.value.mean() - n) < 5 * np.sqrt(np.mean(found.sem**2) / 8)
        with pytest.raises(ValueError, match="no finite flux"):
            light.flux()
        if given.kind == "thermal":  # independent bins of Gaussian light
            g2 = light.g2()
            assert abs(np.diagonal(g2.value).mean() - 2) < 0.15
            assert abs(g2.value[np.triu_indices(32, 8)].mean() - 1) < 0.04
        else:
            # on resonance every bin is as squeezed as what enters
            S = light.quadrature(0.2)
            assert abs(S.value.mean() - np.exp(-1.2)) < 5 * np.sqrt(np.mean(S.sem**2) / 16)
    beta = 0.8
    jump = wf.Jump(mode.a, 1.0, input=wf.coherent(beta))
    model = wf.Model(0.3 * mode.n, [jump], initial={mode: wf.vacuum})
    light = wf.photons(model, jump, bins=20 + 0.5 * np.arange(9), ntraj=256, seed=1, dt=0.1)
    flux = light.flux()
    assert np.abs(flux.value - beta**2).max() < 5 * flux.sem.max() + 1e-3  # nothing is lost
    n = light.n()
    assert np.abs(n.value - 0.5 * beta**2).max() < 5 * n.sem.max()
    g2 = light.g2()
    assert np.abs(g2.value - 1).max() < 5 * g2.sem.max()


def test_antibunching_of_one_driven_emitter_is_outside_and_said():
    """Exact light is that of the Bloch equations; trajectories warn, and state what is off."""
    atom, omega = wf.Ensemble(1, name="atom"), 1.0
    jump = wf.Jump(atom.Jm, 1.0)
    model = wf.Model(omega * atom.Jx, [jump], initial={atom: wf.down})
    kw = {"width": 0.1, "window": 4.0, "t": "steady", "g1": False}
    exact = wf.photons(model, jump, method="exact", **kw)
    taus, turn = exact.taus, np.sqrt(omega**2 - 1 / 16)
    known = 1 - np.exp(-0.75 * taus) * (np.cos(turn * taus) + 0.75 / turn * np.sin(turn * taus))
    np.testing.assert_allclose(exact.flux().value, omega**2 / (1 + 2 * omega**2), rtol=1e-6)
    np.testing.assert_allclose(exact.g2().value[1:], known[1:], atol=4e-3)  # bins of finite width
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = {"ntraj": 8192, "seed": 2, "relax": 12.0, "dt": 0.05, "truncation": "full"}
        light = wf.photons(model, jump, **run, **kw)
    told = [str(w.message) for w in caught]
    assert any("no antibunching" in m for m in told), told
    assert any("negative by more than 2 standard errors" in m for m in told), told
    g2, flux = light.g2(), light.flux()
    assert g2.value[1] < exact.g2().value[1] - 3 * g2.sem[1]
    off = np.abs(flux.value - exact.flux().value)
    assert off > 4 * flux.sem and (off < 2 * flux.sem + flux.truncation).all()


@pytest.mark.parametrize(
    "state, n, g2",
    few(
        [
            (wf.squeezed(0.6, 0.2), np.sinh(0.6) ** 2, 3 + 1 / np.sinh(0.6) ** 2),
            (wf.thermal(1.5), 1.5, 2.0),
            (wf.coherent(1.2), 1.44, 1.0),
        ]
    ),
    ids=["squeezed", "thermal", "coherent"],
)
def test_a_matched_mode_holds_the_state_that_left(state, n, g2):
    """All of a detuned cavity is in one mode of its light; conjugated, or orthogonal, it is not."""
    mode, edges, turn = wf.Mode(name="mode"), np.linspace(0, 12, 97), 0.7
    jump = wf.Jump(mode.a, 1.0)
    model = wf.Model(turn * mode.n, [jump], initial={mode: state})
    times = (edges[1:] + edges[:-1]) / 2
    u = 3.0 * np.exp(-(0.5 + 1j * turn) * times)
    overlap = np.vdot(u.conj(), u) / np.vdot(u, u)
    rest = u.conj() - u * overlap.conj()
    kw = {"bins": edges, "ntraj": 8192, "seed": 1, "dt": 0.0625}
    light = wf.photons(model, jump, modes=[u, rest], **kw)
    found, pairs, both = light.n(), light.g2(), light.g1()
    assert (np.abs(found.value - [n, 0]) < 4 * found.sem + 0.005).all()
    assert abs(pairs.value[0, 0] - g2) < 4 * pairs.sem[0, 0] and pairs.sem[0, 0] < 0.1 * g2
    assert abs(both.value[0, 1]) < 4 * abs(both.sem[0, 1])
    assert light.times[0] == pytest.approx(1.0, abs=0.02)
    across = wf.photons(model, jump, modes=[u, u.conj()], g2=False, **kw)
    value = across.g1().value / n
    known = [[1, overlap], [overlap.conj(), abs(overlap) ** 2]]
    assert np.abs(value - known).max() < 4 * np.abs(across.g1().sem).max() / n
    assert abs(overlap) < 0.7


def test_modes_of_a_burst_and_between_outputs(burst):
    """Temporal modes of the exact chain as modes of a run: eigenvalues, no coherence between."""
    _, exact = burst
    atoms = wf.Ensemble(100, name="atoms")
    jump = wf.Jump(atoms.Jm, 1.0)
    model = wf.Model(jumps=[jump], initial={atoms: wf.up})
    own = exact.modes("F")
    outputs = {"F": wf.Output(jump), "half": 0.6j * wf.Output(jump)}
    kw = {"bins": exact.edges, "modes": own.shapes[:2]}
    chain = wf.photons(model, outputs, method="exact", **kw)
    np.testing.assert_allclose(chain.n("F").value, own.value[:2], rtol=1e-6)
    light = wf.photons(model, outputs, ntraj=2048, seed=3, dt=0.001, **kw)
    for name in outputs:
        n, g1 = light.n(name), light.g1("F", name)
        assert (np.abs(n.value - chain.n(name).value) < 4.5 * n.sem + 0.05).all()
        off = np.abs(g1.value - chain.g1("F", name).value)
        assert (off < 4.5 * np.abs(g1.sem) + 0.05).all()
    assert light.number("F").mean == pytest.approx(exact.number("F").mean, rel=0.01)
    for x in (light, chain):
        with pytest.raises(ValueError, match="leave out `modes`"):
            x.flux("F")
    with pytest.raises(ValueError, match="g2 was left out"):
        chain.g2("F")
    bad = [
        ({"modes": np.ones((1, 3))}, r"have shape \(K, 7\)"),
        ({"modes": np.zeros(7)}, "not be zero everywhere"),
        ({"modes": [own.shapes[0], own.shapes[0] + own.shapes[1]]}, "be orthogonal for g2"),
    ]
    for given, message in bad:
        with pytest.raises(ValueError, match=message):
            wf.photons(model, jump, bins=exact.edges, **given)
    with pytest.raises(ValueError, match="be None in the steady state"):
        wf.photons(model, jump, modes=[1.0], width=0.1, window=0.1, t="steady")


def test_bad_arguments():
    atoms = wf.Ensemble(20, name="atoms")
    jump = wf.Jump(atoms.Jm, 1.0)
    model = wf.Model(jumps=[jump], initial={atoms: wf.up})
    bins = np.linspace(0, 0.1, 3)
    cases = [
        ({"bins": bins - 0.05}, "begin at 0, where the initial state holds"),
        ({"bins": bins[::-1]}, "ascending edges"),
        ({"bins": None}, "be given, or both `width` and `window`"),
        ({"bins": bins, "method": "cumulant"}, "has no output fields; use 'twa' or 'exact'"),
        ({"bins": bins, "method": wf.TWA(scheme="small-noise")}, 'have scheme="splitting"'),
        ({"bins": bins, "t": "steady"}, "be left out where"),
    ]
    for kw, message in cases:
        with pytest.raises(ValueError, match=message):
            wf.photons(model, jump, **kw)
    with pytest.raises(ValueError, match="be made of jumps of the model"):
        wf.photons(model, wf.Jump(atoms.Jm, 1.1), bins=bins)
    with pytest.raises(ValueError, match=r"norm of at most 1"):
        wf.photons(model, 1.2 * wf.Output(jump), bins=bins)
    light = wf.photons(model, jump, bins=bins, method="exact", g2=False)
    with pytest.raises(ValueError, match="g2 was left out"):
        light.g2()
    with pytest.raises(ValueError, match="has no quadratures"):
        light.quadrature()


def test_the_error_of_the_step_is_stated(monkeypatch):
    """It bounds what steps that are far too long do to moments, and fades with them."""
    runs = importlib.import_module("wignerflow.analysis.photon_runs")
    atoms = wf.Ensemble(100, name="atoms")
    jump = wf.Jump(atoms.Jm, 1.0)
    model = wf.Model(jumps=[jump], initial={atoms: wf.up})
    kw = {"bins": 0.02 * np.arange(6), "ntraj": 4096, "seed": 1, "g2": False, "truncation": False}
    right = wf.photons(model, jump, dt=0.00125, **kw)
    assert np.isnan(right.flux().step_error).all()
    assert right.stats["step_error"] == "nothing: `dt` was given"
    found = {}
    for h in (0.02, 0.005):
        monkeypatch.setattr(runs, "prepare", lambda *a, h=h: Prepared(h))
        light = found[h] = wf.photons(model, jump, **kw)
        for read in (lambda x: x.flux(), lambda x: x.n(), lambda x: x.g1()):
            one, two = read(light), read(right)
            error = 4 * np.hypot(np.abs(one.sem), np.abs(two.sem))
            assert (np.abs(one.value - two.value) < one.step_error + error).all()
    far = np.abs(found[0.02].flux().value - right.flux().value)
    assert far.max() > 15 * right.flux().sem.max()  # it is the step, and much of it
    stated = {h: light.flux().step_error.max() for h, light in found.items()}
    assert stated[0.02] < 4 * far.max()
    assert stated[0.005] < 0.25 * stated[0.02]


def test_the_error_of_the_method_is_that_to_the_exact_chain():
    """Coherences of a few emitters; longer ones are not compared, and say so."""
    atoms = wf.Ensemble(12, name="atoms")
    jump = wf.Jump(atoms.Jm, 1.0)
    model = wf.Model(jumps=[jump], initial={atoms: wf.up})
    kw = {"bins": 0.1 * np.arange(4), "ntraj": 4096, "seed": 1, "dt": 0.01}
    light = wf.photons(model, jump, truncation="full", **kw)
    exact = wf.photons(model, jump, method="exact", bins=kw["bins"])
    assert light.stats["truncation"] == "the exact chain"
    for read in (lambda x: x.flux(), lambda x: x.g1(), lambda x: x.g2()):
        one, known = read(light), read(exact)
        off = np.abs(one.value - known.value)
        np.testing.assert_allclose(
            one.truncation, np.sqrt(np.maximum(off**2 - np.abs(one.sem) ** 2, 0)), rtol=1e-9
        )
        assert np.all(known.truncation == 0) and np.all(known.step_error == 0)
    counts = light.number()
    assert re.fullmatch(r"\S+ ± \S+ photons, variance \S+ ± \S+", repr(counts))
    assert abs(counts.variance - exact.number().variance) < (
        counts.variance_truncation + 2 * counts.variance_sem
    )
    mode = wf.Mode(name="mode")
    warm = wf.Jump(mode.a, 1.0, input=wf.thermal(1.0))
    white = wf.Model(jumps=[warm], initial={mode: wf.vacuum})
    found = wf.photons(white, warm, bins=[0, 1.0, 2.0], ntraj=64, seed=1, truncation=True)
    assert found.stats["truncation"].startswith("nothing")  # of white light
    many = wf.Ensemble(12, name="many", count=4)
    jumps = [wf.Jump(many.Jm.sum(), 1.0), wf.LocalJump(many.sm, 0.3 * np.arange(1, 5))]
    large = wf.Model(many[0].Jx, jumps, initial={many: wf.up})
    light = wf.photons(large, jumps[0], truncation=True, **kw)
    assert light.stats["truncation"].startswith("nothing") and np.isnan(light.n().truncation).all()
