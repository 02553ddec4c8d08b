"""Photon statistics behind links: sums of ports, light on several ways, inputs, counts."""

import importlib

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels.grid import Grid
from wignerflow.run.loop import Request
from wignerflow.run.record import folded

from ..few import few

module = importlib.import_module("wignerflow.analysis.photon_runs")

BINS = 0.25 * np.arange(17)


def pair(ntraj=4096, outputs=None, **kw):
    """Two modes in coherent states on a line: every field is coherent."""
    modes = wf.Mode(name="modes", count=2)
    line = wf.Line(modes, delays=0.5, rate=1.0, phases=0.4)
    initial = {modes: [wf.coherent(2.0), wf.coherent(-1j)]}
    model = wf.Model(jumps=line.jumps, links=line.links, initial=initial)
    start, end = line.outputs
    named = {"start": start, "end": end, "sum": (start + 1j * end) / np.sqrt(2)}
    named["half"] = 0.5**0.5 * start
    if outputs is not None:
        named = {k: named[k] for k in outputs}
    return wf.photons(model, named, bins=BINS, ntraj=ntraj, seed=3, dt=0.0625, **kw)


def fields():
    """Amplitudes of the bins of both ends: the delay equations, finely."""
    h, d = 1 / 512, 256
    steps = int(BINS[-1] / h)
    a = np.array([2.0, -1j])
    up, down = np.zeros((2, steps + 1), complex)  # what has left 0 upward, 1 downward
    out = np.zeros((2, steps + 1), complex)
    turn, g = np.exp(0.4j), np.sqrt(0.5)
    for k in range(steps + 1):
        late = np.array([down[k - d], up[k - d]]) * turn if k >= d else np.zeros(2)
        up[k], down[k] = g * a[0], g * a[1]
        out[:, k] = late + g * a
        if k < steps:
            middle = a + h / 2 * (-a / 2 - g * late)
            nxt = np.array([down[k + 1 - d], up[k + 1 - d]]) * turn if k + 1 >= d else late
            a = a + h * (-middle / 2 - g * (late + nxt) / 2)
    out[1] *= np.exp(-0.4j)  # referred to member 0
    n = int(0.25 / h)
    values = (out[:, :-1] + out[:, 1:]) / 2
    return values.reshape(2, -1, n).sum(axis=2) * h / np.sqrt(0.25)


def off(found, known):
    """Largest deviation in standard errors, each at least a step's error of 1 %."""
    worst = []
    for part in (np.real, np.imag):
        error = np.hypot(part(found.sem), 0.01 * np.abs(known).max())
        worst.append(float((np.abs(part(found.value - known)) / error).max()))
    return max(worst)


def test_coherent_light_on_two_ways_stays_coherent():
    start, end = fields()
    both = (start + 1j * end) / np.sqrt(2)
    light = pair(g2=False)
    for name, c in (("start", start), ("end", end), ("sum", both), ("half", 0.5**0.5 * start)):
        assert off(light.n(name), np.abs(c) ** 2) < 4.5
        assert off(light.g1(name), np.outer(c.conj(), c)) < 5.5
    assert off(light.g1("start", "end"), np.outer(start.conj(), end)) < 5.5
    assert off(light.g1("end", "sum"), np.outer(end.conj(), both)) < 5.5
    np.testing.assert_allclose(light.n("half").value, 0.5 * light.n("start").value, rtol=1e-5)


@pytest.mark.slow
def test_what_enters_later_is_not_taken_for_independent(monkeypatch):
    """The control of coherent light on two ways."""
    start, end = fields()
    # what enters later is no longer independent of what has left before
    monkeypatch.setattr(module, "several_ways", lambda model: False)
    wrong = pair(outputs=("start", "end"), g2=False)
    assert off(wrong.g1("start", "end"), np.outer(start.conj(), end)) > 8


def test_g2_of_coherent_light_on_two_ways():
    light = pair(ntraj=8192, outputs=("start", "end"), g1=False)
    for names in (("start", "start"), ("start", "end")):
        g2 = light.g2(*names)
        early = np.s_[:6, :6]  # later bins are dark
        assert (np.abs(g2.value[early] - 1) / g2.sem[early]).max() < 4.5


def cascade(N=20, delay=0.1, **kw):
    """A pumped-up ensemble that shines on another one, both decaying wholly."""
    one, two = wf.Ensemble(N, name="one"), wf.Ensemble(N, name="two")
    a, b = wf.Jump(one.Jm, 1.0), wf.Jump(two.Jm, 1.0)
    link = wf.Link(a, b, delay)
    model = wf.Model(jumps=[a, b], links=[link], initial={one: wf.up, two: wf.up})
    return model, b


def test_counts_behind_a_delay_leave_out_the_vacuum_that_entered_before():
    """All 40 photons leave: their number has a variance of order one."""
    model, b = cascade()
    light = wf.photons(model, b, bins=[0, 4.0], ntraj=2048, seed=1, dt=0.0025, g1=False, g2=False)
    found = light.number()
    assert abs(found.mean - 40) < 0.3 + 4 * found.mean_sem
    assert 0 < found.variance < 2


@pytest.mark.slow
def test_the_vacuum_that_enters_now_is_not_that_of_what_leaves():
    model, _ = cascade()
    # less the vacuum that enters now: what was under way at first and is at last stays in it
    edges = 0.01 * np.arange(401)
    outputs = [wf.Output(j) for j in model.given]
    run = module.Run(model, wf.TWA(), outputs, edges, Request(1024, 1, True, dt=0.01))
    how = (run.text, Grid.make(run.times, run.dt), run.request)
    chunks = folded(*how, lambda seen: run._bins(*next(seen)).arranged(), 1, 1)
    squares = np.concatenate(list(chunks), axis=3) ** 2
    out = squares[:2, 1].sum(axis=(0, 1))
    now, before = squares[2:4].sum(axis=(0, 2))
    assert np.var(out - before) < 2 and np.var(out - now) > 4


def test_coherent_light_that_enters_before_a_link():
    array = wf.Mode(name="modes", count=2)
    a = wf.Jump(array[0].a, 1.0, input=wf.coherent(0.8))
    b = wf.Jump(array[1].a, 2.0)
    link = wf.Link(a, b, 0.5, phase=0.4, transmission=0.7)
    model = wf.Model(jumps=[a, b], links=[link], initial={array: wf.vacuum})
    out = wf.solve(model, [0, 40], e_ops={"a": array.a}, method="mean-field", dt=0.0625)
    known = [-1.6, 0.8 * np.sqrt(0.7) * np.exp(0.4j) * 2**0.5]
    np.testing.assert_allclose(out.expect["a"][1], known, atol=1e-4)
    bins = 30 + 0.5 * np.arange(9)
    light = wf.photons(model, {"a": a, "b": b}, bins=bins, ntraj=256, seed=1, dt=0.0625)
    for name, power in (("a", 0.64), ("b", 0.7 * 0.64)):
        flux, n, g2 = light.flux(name), light.n(name), light.g2(name)
        assert (np.abs(flux.value - power) / flux.sem).max() < 4.5
        assert (np.abs(n.value - power / 2) / n.sem).max() < 4.5
        assert np.nanmax(np.abs(g2.value - 1) / g2.sem) < 5
    warm = wf.Jump(array[0].a, 1.0, input=wf.thermal(1.0))
    with pytest.raises(ValueError, match="have a vacuum or coherent input"):
        wf.Link(warm, b, 0.5)
    lost = wf.Model(jumps=[a, b, warm], links=[link], initial={array: wf.vacuum})
    with pytest.raises(ValueError, match="vacuum or constant coherent inputs"):
        wf.photons(lost, warm, bins=bins, ntraj=64, seed=1)


def test_flux_of_light_that_is_late():
    model, b = cascade()
    with pytest.raises(ValueError, match=r"no light in it that comes with a delay.*wf\.photons"):
        wf.solve(model, [0, 1], e_ops={"f": wf.Flux(b)}, seed=1)
    first = model.given[0]
    out = wf.solve(model, [0, 0.1], e_ops={"f": wf.Flux(first)}, seed=1, dt=0.01, ntraj=64)
    assert out.expect["f"][0] == pytest.approx(20, abs=2)


@pytest.mark.parametrize("delays", few([0.0973, 0.1, 0.0]))
def test_the_balance_of_trajectories_is_stated(delays):
    """What emitters lost has left or is under way, until the time at which the window ends."""
    atoms = wf.Ensemble(20, name="atoms", count=2)
    line = wf.Line(atoms, delays=delays, rate=1.0)
    model = wf.Model(jumps=line.jumps, links=line.links, initial={atoms: wf.up})
    start, end = line.outputs
    found = []
    for dt in (0.005, 0.0025):
        given = {"bins": 0.05 * np.arange(5), "ntraj": 64, "seed": 1, "dt": dt, "g1": False}
        light = wf.photons(model, {"start": start, "end": end}, g2=False, **given)
        found.append(light.stats["balance"])
    assert found[0] < 0.2 and found[1] < 0.5 * found[0]
    one = wf.photons(model, start, g2=False, **given)  # the other end is missing
    driven = wf.Model(0.1 * atoms.Jx.sum(), line.jumps, links=line.links, initial={atoms: wf.up})
    two = wf.photons(driven, {"start": start, "end": end}, g2=False, **given)
    assert "balance" not in one.stats and "balance" not in two.stats


def test_a_fault_shows_in_the_balance(monkeypatch):
    """Photons under way that are forgotten."""
    from wignerflow.kernels.links import Links

    model, b = cascade()
    given = {"bins": [0, 0.1, 0.2], "ntraj": 64, "seed": 1, "dt": 0.0025, "g1": False, "g2": False}
    assert wf.photons(model, b, **given).stats["balance"] < 0.1
    monkeypatch.setattr(Links, "energy", lambda self, light, lengths: np.zeros(light.shape[1]))
    assert wf.photons(model, b, **given).stats["balance"] > 3


def test_temporal_modes_behind_a_delay():
    """One coherent pulse that a cavity reshapes and a line delays is one mode of all photons."""
    light = pair(g2=False, outputs=("start", "end"))
    start, end = fields()
    for name, c, other in (("start", start, end), ("end", end, start)):
        modes = light.modes(name)
        total = np.sum(np.abs(c) ** 2)
        assert abs(modes.value[0] - total) < 4.5 * modes.sem[0] + 0.01 * total
        overlap = [abs(modes.shapes[0].conj() @ x) / np.linalg.norm(x) for x in (c, other)]
        assert overlap[0] > 0.99 > overlap[1] + 0.01
        # the largest eigenvalue of what the errors of 16 x 16 numbers make is 2 sqrt(16) of one
        noise = np.sqrt(np.mean(np.abs(light.g1(name).sem) ** 2))
        assert abs(modes.value[1]) < 1.5 * 8 * noise < 0.3 * total


def test_correlations_with_delays():
    """<a^+(t + tau) a(t)> of coherent light is the product of amplitudes and half a commutator."""
    modes = wf.Mode(name="modes", count=2)
    a, b = wf.Jump(modes[0].a, 1.0), wf.Jump(modes[1].a, 2.0)
    initial = {modes: wf.coherent(1.0)}
    model = wf.Model(jumps=[a, b], links=[wf.Link(a, b, 0.5)], initial=initial)
    taus = np.array([0, 0.3, 0.7])
    means = wf.solve(
        model, np.linspace(0, 2, 21), e_ops={"a": modes[1].a}, method="mean-field", dt=1 / 80,
        progress=False,
    ).expect["a"]  # fmt: skip
    found = wf.correlation(
        model, modes[1].adag, modes[1].a, taus, t=1.1, ntraj=1024, seed=1, dt=1 / 40
    )
    known = means[[11, 14, 18]].conj() * means[11] + 0.5 * np.exp(-taus)
    off = found.value - known
    assert np.all(np.abs(off.real) < 4.5 * found.sem.real + 2e-3)
    assert np.all(np.abs(off.imag) < 4.5 * found.sem.imag + 2e-3)
    with pytest.raises(ValueError, match="`taus` must be multiples of one spacing"):
        wf.correlation(model, modes[1].adag, modes[1].a, np.array([0, 0.3, 0.7]), t=np.pi, seed=1)


@pytest.mark.parametrize(
    ("members", "state", "expected"),
    [
        (wf.Mode(name="m", count=2), wf.vacuum, {(): -0.25}),  # -1/2 times the rate
        (wf.Ensemble(20, name="e", count=2), wf.up, {((0, 2),): 0.5}),  # J_z times it
    ],
    ids=["modes", "ensembles"],
)
def test_the_flux_of_members_is_that_of_normal_order(members, state, expected, monkeypatch):
    """r (symbol of L^+ L - |l|^2), which the sums of g2 add to the field's square."""
    from wignerflow.analysis import photon_runs as place

    found, port = [], place.port
    monkeypatch.setattr(place, "port", lambda *a: found.append(port(*a)) or found[-1])
    line = wf.Line(members, delays=0.5, rate=1.0)
    model = wf.Model(jumps=line.jumps, links=line.links, initial={members: state})
    light = wf.photons(model, {"s": line.outputs[0]}, bins=[0.0, 0.5], ntraj=64, seed=3, dt=0.25)
    assert light is not None and found
    for terms in (one.channel.ordering for one in found):
        assert terms.keys() == expected.keys()
        for mono, value in expected.items():
            np.testing.assert_allclose(terms[mono], value)
