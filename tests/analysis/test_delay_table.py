"""Delays through the public interface: values known from exact solutions and finer programs."""

import numpy as np
import pytest

import wignerflow as wf

#: Peak of what leaves M ensembles of 50, by N Gamma tau: measured by an independent program with
#: 4,000 trajectories (M = 10: 1,500, or three times as many), its error, and when.
PEAKS = [
    (1, 0.0, 499.2, 0, 4.1),
    (2, 0.03, 1961, 10, None), (2, 0.1, 1939, 10, 2.6), (2, 0.3, 1849, 10, 2.9),
    (2, 1.0, 1509, 8, 3.8), (2, 3.0, 709, 5, 4.8), (2, 10.0, 505, 7, None),
    (4, 0.03, 7657, 39, None), (4, 0.1, 7089, 40, 1.8), (4, 0.3, 5672, 30, 2.6),
    (4, 1.0, 2569, 17, 4.2), (4, 3.0, 713, 5, 4.8),
    (10, 0.03, 39850, 360, None), (10, 0.1, 24746, 135, 1.7), (10, 0.3, 9640, 100, 2.7),
    (10, 1.0, 2690, 30, 4.2), (10, 3.0, 709, 8, 4.8),
]  # fmt: skip


def peak(M, delay, ntraj, N=50):
    atoms = wf.Ensemble(N, name="atoms", count=M)
    line = wf.Line(atoms, delays=[delay / N] * (M - 1), rate=1.0)
    model = wf.Model(jumps=line.jumps, links=line.links, initial={atoms: wf.up})
    width = 0.25 / (N * M)
    bins = width * np.arange(round(5.5 / N / width))
    named = dict(zip(("start", "end"), line.outputs, strict=True))
    light = wf.photons(
        model, named, bins=bins, ntraj=ntraj, seed=1, dt=0.125 / (N * M), g1=False, g2=False
    )
    one, two = light.flux("start"), light.flux("end")
    total, k = one.value + two.value, int(np.argmax(one.value + two.value))
    return total[k], float(np.hypot(one.sem[k], two.sem[k])), N * light.times[k]


@pytest.mark.slow
@pytest.mark.parametrize("M, delay, known, error, when", PEAKS)
def test_bursts_against_the_delay(M, delay, known, error, when):
    found, sem, at = peak(M, delay, 8192)
    assert sem < 0.006 * known
    assert abs(found - known) < 0.02 * known + 2 * error
    if when is not None:
        assert at == pytest.approx(when, abs=0.25)


@pytest.mark.parametrize("kt, known", [(0.5, 0.160), (1.0, 0.1111), (2.0, 0.0625), (4.0, 0.0278)])
def test_two_modes_of_which_one_is_excited(kt, known):
    """In phase, half of the excitation stays bound: n_1 = n_2 = (1 + kappa tau/2)^-2/4 n_0."""
    modes = wf.Mode(name="modes", count=2)
    line = wf.Line(modes, delays=kt, rate=1.0, phases=0.0)
    initial = {modes: [wf.coherent(1.0), wf.vacuum]}
    model = wf.Model(jumps=line.jumps, links=line.links, initial=initial)
    times = np.linspace(0, 24 * max(1.0, kt), 25)
    out = wf.solve(
        model, times, e_ops={"a": modes.a}, method="mean-field", dt=kt / 32, progress=False
    )
    one, two = out.expect["a"][-1]
    assert abs(one) ** 2 == pytest.approx((1 + kt / 2) ** -2 / 4, abs=3e-4)
    assert known == pytest.approx((1 + kt / 2) ** -2 / 4, abs=1e-3)
    assert one == pytest.approx(-two, abs=1e-3)


def test_a_burst_meets_an_ensemble_in_the_dark():
    """Chiral cascade of two ensembles of 20, a delay apart: exact at local times."""
    N, delay = 20, 0.25
    local = np.array([0.1, 0.2, 0.3])
    known = [-6.296, 1.569, 6.186]
    source, target = wf.Ensemble(N, name="source"), wf.Ensemble(N, name="target")
    a, b = wf.Jump(source.Jm, 1.0), wf.Jump(target.Jm, 1.0)
    initial = {source: wf.up, target: wf.down}
    late = wf.Model(jumps=[a, b], links=[wf.Link(a, b, delay)], initial=initial)
    times = 0.05 * np.arange(12)
    out = wf.solve(
        late, times, e_ops={"z": target.Jz}, ntraj=16384, seed=2, dt=0.0025, progress=False
    )
    at = np.rint((local + delay) / 0.05).astype(int)
    assert (np.abs(out.expect["z"][at] - known) < 4 * out.sem["z"][at] + 0.05).all()
    assert np.abs(out.expect["z"][:5] + N / 2).max() < 4 * out.sem["z"][:5].max() + 0.02
    silent = wf.solve(late, times, e_ops={"z": target.Jz}, method="mean-field", dt=0.0025)
    assert np.abs(silent.expect["z"][at] - known).max() > 3  # the vacuum starts the burst


#: What leaves two inverted ensembles of 20 upward, bins of 0.25/(N Gamma) from tau to 2 tau: exact,
#: by a cascaded master equation in local clocks.
UPWARD = [53.01, 55.11, 56.46, 57.0, 56.66, 55.42, 53.32, 50.43, 46.88, 42.84, 38.49, 34.02]


@pytest.mark.slow
@pytest.mark.parametrize("phase", [0.0, 0.7])
def test_two_inverted_ensembles_before_light_has_gone_round(phase):
    """Both ends alike, whatever the phase."""
    N, delay = 20, 3 / 20
    atoms = wf.Ensemble(N, name="atoms", count=2)
    line = wf.Line(atoms, delays=delay, rate=1.0, phases=phase)
    model = wf.Model(jumps=line.jumps, links=line.links, initial={atoms: wf.up})
    bins = delay + 0.25 / N * np.arange(13)
    named = dict(zip(("start", "end"), line.outputs, strict=True))
    light = wf.photons(
        model, named, bins=bins, ntraj=32768, seed=1, dt=0.25 / N / 8, g1=False, g2=False
    )
    for name in named:
        flux = light.flux(name)
        assert np.max(np.abs(flux.value - UPWARD) - 4 * flux.sem) < 0.006 * 57


@pytest.mark.slow
@pytest.mark.parametrize("kt, known", [(0.5, 0.640), (1.0, 0.444), (2.0, 0.250), (4.0, 0.111)])
def test_what_stays_before_a_mirror(kt, known):
    """Trajectories, by the public interface; the vacuum around it stays vacuum."""
    mode = wf.Mode(name="mode", count=1)
    mirror = wf.Mirror("start", delay=kt, phase=np.pi)
    line = wf.Line(mode, delays=[], rate=1.0, mirror=mirror)
    kw = {"e_ops": {"n": mode.n}, "ntraj": 32768, "seed": 1, "dt": kt / 16, "progress": False}
    for alpha in (2.0, 0.0):
        initial = {mode: wf.coherent(alpha)}
        model = wf.Model(jumps=line.jumps, links=line.links, initial=initial)
        out = wf.solve(model, np.array([0, 12.0, 24.0]) * max(1.0, kt), **kw)
        n, sem = out.expect["n"][-1, 0], out.sem["n"][-1, 0]
        assert abs(n - known * alpha**2) < 4 * sem + 1.2e-3 * alpha**2


@pytest.mark.slow
def test_weak_excitation_passes_to_another_ensemble():
    """As between modes, by the delay equations."""
    N, quanta = 200, 0.5
    angle = 2 * np.arcsin(np.sqrt(quanta / N))
    atoms = wf.Ensemble(N, name="atoms", count=2)
    line = wf.Line(atoms, delays=1.0, rate=1 / N, phases=0.7)
    initial = {atoms: [wf.bloch(np.pi - angle, 0.0), wf.down]}
    model = wf.Model(jumps=line.jumps, links=line.links, initial=initial)
    out = wf.solve(
        model, np.arange(7.0), e_ops={"z": atoms.Jz}, ntraj=65536, seed=1, dt=1 / 16,
        progress=False,
    )  # fmt: skip
    n, sem = out.expect["z"] + N / 2, out.sem["z"]
    known = {2: (0.0677, 0.0460), 3: (0.0306, 0.0677), 4: (0.0303, 0.0568), 6: (0.0403, 0.0333)}
    for t, values in known.items():
        assert (np.abs(n[t] - values) < 4 * sem[t] + 0.003).all()
