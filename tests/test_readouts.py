"""Observables of spins and modes together, against the exact solution: values with their errors."""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf

GAIN, LOSS, DRIVE = 0.5, 1.5, 0.8


@pytest.fixture(scope="module")
def runs():
    """A driven cavity with gain and loss, and, apart from it, three emitters in free space."""
    c, s = wf.Mode(name="c"), wf.Spin(name="s", count=3)
    J, Gamma = wf.emitters.free_space(0.15 * np.outer(range(3), [1, 0.2, 0]), [1, 1j, 0], 1.0)
    light = wf.Model(
        DRIVE * (c.a + c.adag), [wf.Jump(c.a, LOSS), wf.Jump(c.adag, GAIN)],
        initial={c: wf.thermal(0.3)},
    )  # fmt: skip
    matter = [wf.couple(s.sp, J, s.sm) + 2.0 * s.sx.sum(), [wf.Jump(s.sm, rate=Gamma)]]
    states = [wf.bloch(0.4, 0.2), wf.bloch(1.2, -0.5), wf.down]
    both = wf.Model(
        light.H + matter[0], [*light.jumps, *matter[1]], initial={c: wf.thermal(0.3), s: states}
    )
    alone = wf.Model(*matter, initial={s: states})
    of_light = {
        "photons": c.n,
        "g2": wf.g2(c.a),
        "field": c.a,
        "squared": c.n * c.n,
        "odd": c.adag**2 * c.a,
        "quadrature": (c.a + c.adag) ** 4,
    }
    of_matter = {
        "populations": (1 + s.sz) / 2,
        "xx": s[0].sx * s[1].sx,
        "xyz": s[0].sx * s[1].sy * s[2].sz,
        "coherence": s[0].sp * s[2].sm,
        "emission": wf.couple(s.sp, Gamma, s.sm),
        "excited": ((1 + s.sz) / 2).sum(),
    }
    t = np.linspace(0, 1.0, 11)
    twa = wf.solve(
        both, t, e_ops={**of_light, **of_matter, "joint": c.n * s[0].sz}, ntraj=20_000, seed=4,
        dt=0.01, progress=False,
    )  # fmt: skip
    exact = [
        wf.solve(m, t, e_ops=e, method="exact") for m, e in ((light, of_light), (alone, of_matter))
    ]
    return twa, {**exact[0].expect, **exact[1].expect}, list(of_light), list(of_matter)


def deviation(twa, want, name):
    """Largest deviation in standard errors, real and imaginary parts apart."""
    d, e = np.atleast_1d(twa.expect[name] - want), np.atleast_1d(twa.sem[name])
    pairs = [(d.real, e.real), (d.imag, e.imag)] if np.iscomplexobj(d) else [(d, e)]
    floor = 1e-3 * max(np.abs(want).max(), 1e-3)
    return max(float((np.abs(x) / np.hypot(y, floor)).max()) for x, y in pairs)


def test_any_polynomial_of_a_linear_mode(runs):
    """The method is exact there, so every symbol must be: to sampling errors at all times."""
    twa, exact, of_light, _ = runs
    for name in of_light:
        assert deviation(twa, exact[name], name) < 4.5, name
    assert np.abs(exact["odd"]).max() > 0.5
    # negative control: normal order left out of the symbol of n^2, or of g2
    assert deviation(twa, exact["squared"] + 0.25, "squared") > 4.5
    assert deviation(twa, exact["g2"] * 1.1, "g2") > 4.5


def test_g2_of_a_displaced_thermal_state(runs):
    """g2 = 1 + (2 n_c + m) m / (n_c + m)^2 with the thermal part m and n_c = |alpha|^2."""
    twa = runs[0]
    t = twa.times
    w = LOSS - GAIN
    m = 0.3 * np.exp(-w * t) + GAIN / w * (1 - np.exp(-w * t))
    alpha = 2 * DRIVE / w * (1 - np.exp(-w * t / 2))
    want = 1 + (2 * alpha**2 + m) * m / (alpha**2 + m) ** 2
    assert deviation(twa, want, "g2") < 4.5
    assert want[0] == pytest.approx(2) and want[-1] < 1.9
    # |a|^4 of 0.3 + 1/2 quanta spreads by 2.9, over sqrt(ntraj) and n^2 that is 0.22; the errors of
    # numerator and denominator have one sign
    assert 0.02 < twa.sem["g2"][0] < 0.22


def test_spin_observables_at_the_start_and_for_short_times(runs):
    twa, exact, _, of_matter = runs
    for name in of_matter:
        start = np.asarray(exact[name][:1])
        first = {k: np.asarray(getattr(twa, k)[name][:1]) for k in ("expect", "sem")}
        gap = np.abs(first["expect"] - start).max()
        assert gap < 4.5 * np.abs(first["sem"]).max() + 1e-6, name
        scale = max(1.0, np.abs(exact[name]).max())
        assert np.abs(twa.expect[name] - exact[name]).max() < 0.12 * scale, name
    assert np.abs(exact["coherence"].imag).max() > 0.02


def test_emission_is_what_the_emitters_lose():
    """Without a drive d<excited>/dt = -<emission>."""
    s = wf.Spin(name="s", count=3)
    _, Gamma = wf.emitters.free_space(0.15 * np.outer(range(3), [1, 0.2, 0]), [1, 1j, 0], 1.0)
    model = wf.Model(jumps=[wf.Jump(s.sm, rate=Gamma)], initial={s: wf.up})
    t = np.linspace(0, 2, 201)
    e_ops = {"excited": ((1 + s.sz) / 2).sum(), "emission": wf.couple(s.sp, Gamma, s.sm)}
    out = wf.solve(model, t, e_ops=e_ops, method="exact").expect
    lost = out["excited"][0] - out["excited"][-1]
    area = np.sum((out["emission"][1:] + out["emission"][:-1]) / 2 * np.diff(t))
    assert area == pytest.approx(lost, rel=1e-4)
    assert out["emission"].max() > 3  # more than three emitters apart would send


def test_factors_multiply(runs):
    """Cavity and emitters are not coupled: the mean of a product is the product of means."""
    twa, exact, _, _ = runs
    want = exact["photons"] * (2 * twa.expect["populations"][:, 0] - 1)
    assert deviation(twa, want, "joint") < 4.5
