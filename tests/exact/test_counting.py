"""Exact photon statistics against closed formulas and an independent ladder."""

import numpy as np
import pytest
from scipy.linalg import expm

import wignerflow as wf
from wignerflow.exact import chain, counting
from wignerflow.exact.ladder import Basis


def emitter(N=1, rate=1.0, H=None, state=wf.up):
    atoms = wf.Ensemble(N, name="atoms")
    drive = None if H is None else H(atoms)
    return atoms, wf.Model(drive, [wf.Jump(atoms.Jm, rate)], initial={atoms: state})


def test_one_emitter_emits_one_photon_with_the_known_wave_packet():
    rate, edges = 1.3, np.array([0.0, 0.4, 0.9, 1.7])
    atoms, model = emitter(rate=rate)
    out = counting.count(model, [np.sqrt(rate) * atoms.Jm], edges)
    front = np.exp(-rate * edges / 2)
    amplitude = 2 / np.sqrt(rate) * -np.diff(front) / np.sqrt(np.diff(edges))
    np.testing.assert_allclose(out.g1[0, 0], np.outer(amplitude, amplitude), atol=1e-12)
    np.testing.assert_allclose(out.n[0], amplitude**2, atol=1e-12)
    np.testing.assert_allclose(out.flux[0], -np.diff(front**2), atol=1e-12)
    np.testing.assert_allclose(out.g2, 0, atol=1e-12)  # never two photons
    np.testing.assert_allclose([out.mean[0], out.second[0]], [1 - front[-1] ** 2, 0], atol=1e-12)


def test_thermal_light_of_a_cavity_is_gaussian_and_coherent_light_poissonian():
    kappa, detuning, edges = 0.8, 0.6, np.array([0.2, 0.5, 1.0, 2.0])
    rates = -1j * detuning - kappa / 2
    ends = np.exp(rates * edges) / rates
    u = np.sqrt(kappa) * np.diff(ends) / np.sqrt(np.diff(edges))
    for state, n, excess in ((wf.thermal(0.7), 0.7, 1), (wf.coherent(0.5 + 0.9j), 1.06, 0)):
        mode = wf.Mode(name="mode")
        model = wf.Model(detuning * mode.n, [wf.Jump(mode.a, kappa)], initial={mode: state})
        out = counting.count(model, [np.sqrt(kappa) * mode.a], edges)
        g1 = n * np.outer(u.conj(), u)
        np.testing.assert_allclose(out.g1[0, 0], g1, rtol=2e-5)
        both = np.outer(out.n[0], out.n[0])
        np.testing.assert_allclose(out.g2[0, 0], both + excess * abs(g1) ** 2, rtol=2e-4)


def test_modes_are_wide_enough_for_all_bins():
    """A cavity that fills: the light of |alpha|^2 behind the first bin, for long."""
    kappa, edges = 1.0, np.array([0.0, 2.6, 3.0])
    mode = wf.Mode(name="mode")
    model = wf.Model(mode.a + mode.adag, [wf.Jump(mode.a, kappa)], initial={mode: wf.vacuum})
    out = counting.count(model, [np.sqrt(kappa) * mode.a], edges, g1=False, g2=False)

    def emitted(t):  # the integral of 4 (1 - exp(-t/2))^2
        return 4 * (t + 4 * np.exp(-t / 2) - np.exp(-t))

    np.testing.assert_allclose(out.flux[0], np.diff(emitted(edges)), rtol=1e-5)
    np.testing.assert_allclose(out.mean[0], out.flux.sum(), rtol=1e-6)
    np.testing.assert_allclose(out.second[0], out.mean[0] ** 2, rtol=1e-4)  # coherent


def test_no_elements_are_held_but_those_that_are_reached():
    """An excited emitter that only loses its phase, and the light that it might give."""
    spin = wf.Spin(name="spin")
    model = wf.Model(jumps=[wf.Jump(spin.sz, 1.0)], initial={spin: wf.up})
    elements = chain.BlockElements(model, Basis(model), [spin.sm], 1e9)
    up = np.array([elements.generator.join(0, 1, 1)])
    levels = [((0,), (0,)), ((1,), (0,)), ((0,), (1,)), ((1,), (1,)), ((2,), (0,))]
    found = [elements.level(level, up) for level in levels]
    states = [[p.tolist() for p in elements.generator.split(codes)] for codes in found]
    kets = [[1], [1]], [[0], [1]], [[1], [0]], [[0], [0]]
    assert states == [*([[0], *x] for x in kets), [[], [], []]]


def test_two_fields_and_their_phases():
    """Fields that are superpositions have the moments of the superposition."""
    edges = np.linspace(0, 1.5, 4)
    atoms, model = emitter(3, 0.9, lambda a: 0.7 * a.Jx)
    L = np.sqrt(0.9) * atoms.Jm
    one, two = 0.6 * L, np.exp(0.4j) * 0.8 * L + 0.3
    out = counting.count(model, [one, two], edges)
    alone = counting.count(model, [L], edges)
    np.testing.assert_allclose(out.n[0], 0.36 * alone.n[0], rtol=1e-10)
    np.testing.assert_allclose(out.g2[0, 0], 0.36**2 * alone.g2[0, 0], atol=1e-10)
    np.testing.assert_allclose(out.g1[0, 1], out.g1[1, 0].conj().T, atol=1e-12)
    # <(c1^+)(u c1 + 0.3 sqrt(w))>, the second from the mean field
    mean = out.g1[0, 1] - np.exp(0.4j) * 0.8 / 0.6 * out.g1[0, 0]
    np.testing.assert_allclose(mean, mean[:, :1] * np.ones(3), atol=1e-10)
    times = np.linspace(0, 1.5, 1501)
    field = wf.solve(model, times, e_ops={"L": L}, method="exact").expect["L"]
    whole = [np.trapezoid(field[k : k + 501], times[k : k + 501]) for k in (0, 500, 1000)]
    np.testing.assert_allclose(mean[:, 0], 0.6 * 0.3 * np.conj(whole), rtol=1e-5)


def test_resonance_fluorescence_in_the_steady_state():
    """Carmichael and Walls, J. Phys. B 9, 1199 (1976): g2 of the light of one driven atom."""
    rabi, w = 1.0, 0.02
    atoms, model = emitter(1, 1.0, lambda a: rabi * a.Jx, wf.down)
    out = counting.count(model, [atoms.Jm], np.arange(61) * w, steady=True)
    tau = w * np.arange(1, 60)
    mu = np.emath.sqrt(rabi**2 - 1 / 16)
    g2 = 1 - np.exp(-0.75 * tau) * (np.cos(mu * tau) + 0.75 / mu * np.sin(mu * tau)).real
    np.testing.assert_allclose(out.flux[0] / w, rabi**2 / (1 + 2 * rabi**2), rtol=1e-9)
    found = (out.g2[0, 0] / np.outer(out.n[0], out.n[0]))[0, 1:]
    np.testing.assert_allclose(found, g2, atol=3e-4)


@pytest.mark.parametrize("N, width", [(4, 0.2), (100, 0.003)])
def test_a_burst_against_the_ladder_of_populations(N, width):
    """Photons and their factorial moments follow from populations alone; g2 has known values."""
    bins = 17
    edges = width * np.arange(bins + 1)
    atoms, model = emitter(N)
    out = counting.count(model, [atoms.Jm], edges, g1=False)
    emitted = np.arange(N + 1)
    rates = (N - emitted) * (emitted + 1.0)
    flow = expm(width * (np.diag(rates[:-1], -1) - np.diag(rates)))
    p = [np.eye(N + 1)[0]]
    for _ in range(bins):
        p.append(flow @ p[-1])
    np.testing.assert_allclose(out.flux[0], np.diff(np.array(p) @ emitted), rtol=1e-9)
    last = p[-1]
    np.testing.assert_allclose(out.mean[0], last @ emitted, rtol=1e-9)
    np.testing.assert_allclose(out.second[0], last @ (emitted * (emitted - 1)), rtol=1e-9)
    if N == 100:
        g2 = out.g2[0, 0] / np.outer(out.n[0], out.n[0])
        found = [g2[0, 0], g2[8, 16], g2[16, 16]]
        np.testing.assert_allclose(found, [1.9707, 1.0142, 1.0915], atol=5e-5)


def test_rates_that_depend_on_time():
    """A rate r(t) is the same as a clock that runs at r(t)."""
    atoms = wf.Ensemble(2, name="atoms")
    rate = wf.coef(lambda t: 1 + 0.5 * np.sin(t))
    model = wf.Model(jumps=[wf.Jump(atoms.Jm, rate)], initial={atoms: wf.up})
    root = wf.coef(lambda t: float(np.sqrt(1 + 0.5 * np.sin(t))))
    edges = np.array([0.0, 0.7, 1.6])
    clock = edges + 0.5 * (1 - np.cos(edges))
    out = counting.count(model, [root * atoms.Jm], edges)
    _, plain = emitter(2)
    same = counting.count(plain, [plain.subsystems[0].Jm], clock, g1=False, g2=False)
    np.testing.assert_allclose(out.flux, same.flux, rtol=1e-6)
    np.testing.assert_allclose(out.second, same.second, rtol=1e-6)
    short = counting.count(model, [root * atoms.Jm], np.array([0.7, 0.7001]))
    np.testing.assert_allclose(short.n, short.flux, rtol=1e-3)
    np.testing.assert_allclose(np.diagonal(short.g1[0, 0]).real, short.n[0], rtol=1e-8)


@pytest.mark.slow
def test_two_levels_by_name_have_the_light_of_an_ensemble():
    """Occupation numbers against blocks, in time and in the steady state."""
    edges = np.linspace(0, 1.5, 4)
    atoms, model = emitter(3, 0.9, lambda a: 0.7 * a.Jx, wf.bloch(0.7, 0.3))
    model = wf.Model(
        model.H, [*model.jumps, wf.LocalJump(atoms.sp, 0.4)], initial={atoms: wf.bloch(0.7, 0.3)}
    )
    named = wf.Levels(3, ["e", "g"], name="named")
    Jm = named.op("g", "e")
    psi = {"e": np.cos(0.35), "g": np.exp(0.3j) * np.sin(0.35)}
    same = wf.Model(
        0.35 * (Jm + Jm.dag()),
        [wf.Jump(Jm, 0.9), wf.LocalJump(named.one("e", "g"), 0.4)],
        initial={named: wf.levels(psi)},
    )
    for steady in (False, True):
        one = counting.count(model, [atoms.Jm, 0.5 * atoms.Jm + 0.3], edges, steady)
        two = counting.count(same, [Jm, 0.5 * Jm + 0.3], edges, steady, engine="occupations")
        for name in ("n", "flux", "g1", "g2", "mixed", "mean", "second"):
            np.testing.assert_allclose(getattr(two, name), getattr(one, name), atol=1e-9)
        assert np.ptp(one.flux[0]) > 1e-2 or steady
        assert two.facts["reached"] == 20 < 4**3


def test_an_atom_falls_through_three_levels():
    """One photon of each colour, the second after the first; trajectories are judged by it."""
    rate, T = 0.4, 2.0
    atom = wf.Levels(1, ["g", "e", "f"], name="atom")
    jumps = [wf.Jump(atom.op("e", "f"), 1.0), wf.Jump(atom.op("g", "e"), rate)]
    model = wf.Model(jumps=jumps, initial={atom: wf.level("f")})
    bins = [0, 0.7, T]
    light = wf.photons(model, {"red": jumps[0], "blue": jumps[1]}, bins=bins, method="exact")
    emitted = {"red": 1 - np.exp(-T)}
    emitted["blue"] = 1 - (rate * np.exp(-T) - np.exp(-rate * T)) / (rate - 1)
    for name, number in emitted.items():
        assert light.number(name).mean == pytest.approx(number, abs=1e-7)
        assert light.number(name).variance == pytest.approx(number * (1 - number), abs=1e-7)
    out = counting.count(
        model, [atom.op("e", "f"), np.sqrt(rate) * atom.op("g", "e")], np.array(bins, float),
        engine="occupations",
    )  # fmt: skip
    assert out.mixed[1, 0, 0, 1] < 1e-12 < 1e-3 < out.mixed[0, 1, 0, 1]  # blue is never first
    np.testing.assert_allclose(out.mixed[[0, 1], [0, 1]], 0, atol=1e-12)
    with pytest.raises(ValueError, match="single emitter with levels have no field"):
        wf.photons(model, jumps[0], bins=bins, ntraj=64, seed=1)


@pytest.mark.parametrize("steady", [False, True])
def test_an_output_that_stays_dark(steady):
    """Emitters in their ground state, and a level in which nobody ever is."""
    atoms, model = emitter(2, state=wf.down)
    named = wf.Levels(2, ["g", "e", "f"], name="named")
    jumps = [wf.Jump(named.op("g", "e"), 1.0), wf.Jump(named.op("g", "f"), 1.0)]
    levels = wf.Model(jumps=jumps, initial={named: wf.level("e")})
    for dark, field, engine in ((model, atoms.Jm, "blocks"), (levels, jumps[1].op, "occupations")):
        out = counting.count(dark, [field], np.linspace(0, 1, 3), steady, engine=engine)
        for name in ("n", "flux", "g1", "g2", "mixed", "mean", "second"):
            assert not np.any(getattr(out, name))


@pytest.mark.slow
def test_light_of_levels_is_judged_by_exact_light():
    atoms = wf.Levels(2, ["g", "e", "f"], name="atoms")
    emission = wf.Jump(atoms.op("g", "e"), 1.0)
    model = wf.Model(
        jumps=[emission, wf.LocalJump(atoms.one("e", "f"), 2.0)], initial={atoms: wf.level("f")}
    )
    sampled = wf.photons(model, emission, bins=[0, 0.5, 1], ntraj=64, seed=1, truncation="full")
    assert sampled.stats["truncation"] == "the exact chain"


def test_a_density_matrix_too_large_is_refused():
    _, model = emitter(2000, H=lambda a: a.Jx)
    with pytest.raises(ValueError, match="GB are allowed"):
        counting.count(model, [model.subsystems[0].Jm], np.array([0.0, 1.0]), memory=1e6)
