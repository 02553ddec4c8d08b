"""Ring buffers of linked fields: energy of every trajectory, vacuum, delays, faults that show."""

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.analysis.photon_runs import Run
from wignerflow.kernels.cpu import CpuKernel
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText
from wignerflow.kernels.observe import Readout
from wignerflow.phasespace.polynomials import Form, Poly
from wignerflow.run.loop import Request

from ..few import few
from .lanes import LaneRun

N, LANES = 20, 32


def chain(count=2, delays=0.1, initial=wf.up, **kw):
    atoms = wf.Ensemble(N, name="atoms", count=count)
    line = wf.Line(atoms, delays=delays, **(kw or {"rate": 1.0}))
    return wf.Model(jumps=line.jumps, links=line.links, initial={atoms: initial}), line


def mirrored(alpha=0.0, delay=1.0, **kw):
    mode = wf.Mode(name="mode", count=1)
    mirror = wf.Mirror("start", delay=delay, **kw)
    line = wf.Line(mode, delays=[], rate=1.0, mirror=mirror)
    initial = {mode: wf.coherent(alpha)}
    return wf.Model(jumps=line.jumps, links=line.links, initial=initial), line


def lanes(model, times, dt, method=None, edit=lambda text: text, count=LANES):
    system, _ = (method or wf.TWA()).lower(model, {}, times)
    return LaneRun(KernelText(system, []), Grid.make(times, dt), count, edit=edit)


def balance(dt, edit=lambda text: text, delays=0.1):
    """Per trajectory: what left or is under way and did not come from emitters; what left."""
    model, line = chain(delays=delays)
    end = 1.0
    times = np.array([0.0, end])
    run = Run(model, wf.TWA(), list(line.outputs), times, Request(64, 1, False, dt=dt))
    system = run.text.given
    up = Poly.leaf(Form(system.form(((0, 2),), np.ones(2))))
    text = KernelText(system, [*run.text.readouts, Readout(up, False)])
    run_ = LaneRun(text, Grid.make(times, dt), LANES, edit=edit)
    run_.initial(3)
    before = run_.observe()[-1]
    run_.run(3)
    after = run_.observe()
    left = after[5] + after[11]
    return left + after[-1] - before + under_way(run_), left


def under_way(run):
    """Energy in the buffers and filters less that of the vacuum in them, per trajectory."""
    links, rows = run.text.links, run.w.reshape(-1, run.lanes)
    whole, alpha = links.steps(run.grid.lengths)
    places = links.under_way(run.grid.lengths, run.o, run.grid.lengths.size)
    rings = rows[places[: 5 * whole.sum()]].reshape(-1, 5, run.lanes)
    at = run.o[int(links.filter[2:-1])]
    filters = rows[at : at + 4 * alpha.size].reshape(-1, 4, run.lanes)
    weight = np.where(alpha < 1, 1 / np.maximum(1 - alpha**2, 1e-9), 0)[:, None]
    out = 0
    for part, w in ((rings, 1.0), (filters, weight)):
        square = part**2
        out = out + (w * (square[:, :2].sum(axis=1) - square[:, 2:4].sum(axis=1))).sum(axis=0) / 4
    return out


def fresh(text):
    """Fresh noise where delayed noise belongs: only the signal comes through."""
    assert text.count("early = 0") == 2
    for i in range(2):
        assert f"x{i} = w[iz + {i} * LN + l]" in text
    text = text.replace("x0 = w[iz + 0 * LN + l]", "x0 = w[iz + 0 * LN + l] - w[iz + 2 * LN + l]")
    text = text.replace("x1 = w[iz + 1 * LN + l]", "x1 = w[iz + 1 * LN + l] - w[iz + 3 * LN + l]")
    text = text.replace("wanted = early", "wanted = 1")
    return text.replace("lo = noise * lossy", "lo = noise")


@pytest.mark.parametrize("delays", few([0.0973, 0.1]))
def test_energy_of_every_trajectory(delays):
    off, left = balance(0.005, delays=delays)
    assert left.mean() > N
    assert np.abs(off).max() < 0.25
    finer, _ = balance(0.0025, delays=delays)
    assert np.sqrt(np.mean(finer**2)) < 0.5 * np.sqrt(np.mean(off**2))


def test_fresh_noise_at_a_delayed_port_breaks_the_balance():
    right, _ = balance(0.005)
    wrong, _ = balance(0.005, fresh)
    assert wrong.std() > 20 * np.abs(right).max()


@pytest.mark.parametrize("delay", [1.0, 1.07])
def test_vacuum_stays_vacuum(delay):
    """A mode before a mirror; with the all-pass filter too, for delays that are no multiple."""
    model, _ = mirrored(delay=delay, phase=np.pi)
    times = np.linspace(0, 8, 9)
    states = lanes(model, times, 0.125, count=4000).run(5)
    square = (states**2).sum(axis=1).mean(axis=1)
    assert np.abs(square - 0.5).max() < 4.5 * 0.5 / np.sqrt(4000)


def test_faults_of_the_vacuum_show():
    model, _ = mirrored(phase=np.pi)
    times = np.linspace(0, 8, 9)

    def only_signal(text):
        text = text.replace("wanted = early", "wanted = 1")
        assert "fr * y0 + fi * y1 + n0" in text
        return text.replace("lo = noise * lossy", "lo = noise")  # noise twice

    square = (lanes(model, times, 0.125, edit=only_signal, count=1000).run(5) ** 2).sum(axis=1)
    assert square.mean(axis=1)[-1] > 0.7


def leaving(edit=lambda text: text, count=2000):
    """Variance of the field that leaves in one step, over that of the vacuum."""
    h = 0.125
    model, line = mirrored(delay=8.5 * h, phase=np.pi)
    times = h * np.arange(33)
    run = Run(model, wf.TWA(), [line.outputs[1]], times, Request(64, 1, False, dt=h))
    lanes_ = LaneRun(run.text, Grid.make(times, h), count, edit=edit)
    lanes_.run(7)
    re, im = lanes_.observe()[:2]
    return np.mean(re**2 + im**2) / (h / 2)


def test_interpolated_noise_is_too_weak():
    """Between two entries of a buffer half of the vacuum would survive; the filter keeps all."""

    def interpolated(text):
        for i in range(4):
            x, w = f"x{i % 2}", f"w[js + {i} * LN + l]"
            right = f"y{i % 2} = al * {x} + {w}", f"{w} = be * {x} - al * {w}"
            assert all(line in text for line in right)
            text = text.replace(right[0], f"y{i % 2} = F(0.5) * ({x} + {w})")
            text = text.replace(right[1], f"{w} = {x}")
        return text

    assert abs(leaving() - 1) < 5 / np.sqrt(2000)
    assert leaving(interpolated) < 0.8


@pytest.mark.parametrize("kt, bound", few([(1.0, 0.444), (0.5, 0.640), (2.0, 0.250), (4.0, 0.111)]))
def test_a_bound_state_before_a_mirror(kt, bound):
    """n(inf)/n(0) = (1 + kappa tau/2)^-2 at the phase pi."""
    model, _ = mirrored(1.0, delay=kt, phase=np.pi)
    times = np.array([0.0, 12 * max(kt, 1.0)])
    a = lanes(model, times, kt / 32, wf.MeanField(), count=1).run(1)[-1, :, 0]
    assert (a**2).sum() == pytest.approx((1 + kt / 2) ** -2, abs=4e-4)
    assert bound == pytest.approx((1 + kt / 2) ** -2, abs=1e-3)


def delayed(feedback, times, terms=40):
    """a(t) of a' = -a/2 - feedback a(t - 1)/2, by steps: a series of delayed exponentials."""
    from math import factorial

    out = np.zeros(times.size, complex)
    for k in range(terms):
        late = np.clip(times - k, 0, None)
        out += (times >= k) * (-feedback * late / 2) ** k / factorial(k) * np.exp(-late / 2)
    return out


def test_order_of_the_step_and_losses():
    """A phase and a reflectivity: the delay equation, whose error falls as h^2."""
    phase, power = 0.7, 0.6
    model, _ = mirrored(1.0, phase=phase, reflectivity=power)
    times = np.linspace(0, 8, 9)
    known = delayed(np.exp(1j * phase) * np.sqrt(power), times)
    errors = []
    for d in (8, 16, 32):
        a = lanes(model, times, 1 / d, wf.MeanField(), count=1).run(1)[:, :, 0]
        errors.append(np.abs(a[:, 0] + 1j * a[:, 1] - known).max())
    assert errors[0] < 2e-3
    assert errors[1] < 0.3 * errors[0] and errors[2] < 0.3 * errors[1]


def test_delays_of_a_chiral_chain_shift_local_clocks():
    tilt = [wf.bloch(0.3, 0.2), wf.down, wf.down]
    kw = {"count": 3, "initial": tilt, "rate_up": 1.0, "rate_down": 0.0, "phases": [0.3, 0.5]}
    late, _ = chain(delays=np.array([0.13, 0.2]), **kw)
    now, _ = chain(delays=0.0, **kw)
    times = np.linspace(0, 1.4, 141)
    worst = []
    for h in (0.005, 0.0025):
        one, two = (
            lanes(model, times, h, wf.MeanField(), count=1).run(1)[:, :, 0].reshape(-1, 3, 3)
            for model in (now, late)
        )
        shifted = [two[s : s + 100, m, 2] for m, s in enumerate([0, 13, 33])]
        worst.append(max(np.abs(one[:100, m, 2] - shifted[m]).max() for m in range(3)))
        assert np.ptp(two[:, 1, 2]) > 5
    assert worst[0] < 0.1 and worst[1] < 0.3 * worst[0]  # of 10: two schemes of second order


def test_giant_atoms_and_links_of_single_modes():
    """Two ports of one mode on one line at the phase pi: the same law as the mirror's."""
    mode = wf.Mode(name="mode")
    ports = [wf.Jump(mode.a, 0.25) for _ in range(4)]
    links = [
        wf.Link(ports[0], ports[1], 1.0, phase=np.pi),
        wf.Link(ports[2], ports[3], 1.0, phase=np.pi),
    ]
    model = wf.Model(jumps=ports, links=links, initial={mode: wf.coherent(1.0)})
    times = np.array([0.0, 12.0])
    a = lanes(model, times, 1 / 32, wf.MeanField(), count=1).run(1)[-1, :, 0]
    assert (a**2).sum() == pytest.approx(4 / 9, abs=4e-4)
    again = wf.Model.from_dict(model.to_dict())
    b = lanes(again, times, 1 / 32, wf.MeanField(), count=1).run(1)[-1, :, 0]
    np.testing.assert_array_equal(a, b)
    assert again.to_dict() == model.to_dict()


@pytest.mark.parametrize("delay", few([0.83, 1.0]))
def test_light_under_way_is_state(delay):
    """A run in two parts is the run in one: without noise to the bit's neighbourhood."""
    model, _ = mirrored(1.0, delay=delay, phase=0.7, reflectivity=0.6)
    system, _ = wf.MeanField().lower(model, {}, np.linspace(0, 5, 6))
    text = KernelText(system, [])

    def run(times, start=None):
        grid = Grid.make(times, 0.125)
        none = np.zeros(0, np.int64)
        kernel = CpuKernel(text, grid, single=False, batched=none, start=start)
        return kernel.simulate(0, 2, 2 * kernel.lanes, 1, keep=True).final

    whole = run(np.linspace(0, 5, 6))
    first = run(np.linspace(0, 2.375, 20))
    states = np.concatenate([part.T for part in first])
    second = run(np.linspace(2.375, 5, 22), states)
    assert whole.shape[1] == 2 + 2 * {1.0: 8, 0.83: 6}[delay] + 2
    np.testing.assert_allclose(second, whole, atol=1e-12)
    states[:, 2:] = 0
    lost = run(np.linspace(2.375, 5, 22), states)
    assert np.abs(lost - whole).max() > 0.01


def test_runs_that_start_with_light_under_way():
    """Amplitude and vacuum go on as in one run; the light of another step is refused."""
    model, _ = mirrored(3.0, phase=np.pi)
    mode = model.subsystems[0]
    e_ops = {"a": mode.a, "n": mode.n}
    options = {"e_ops": e_ops, "ntraj": 2048, "progress": False}
    first = wf.solve(model, np.linspace(0, 2, 5), seed=1, dt=0.0625, keep="final", **options)
    assert any(name.startswith("links[0][0]") for name in first.variables)
    second = wf.solve(model, np.linspace(2, 4, 5), seed=2, dt=0.0625, start=first, **options)
    whole = wf.solve(model, np.linspace(0, 4, 9), seed=3, dt=0.0625, **options)
    for name in e_ops:
        one, two = second.expect[name], whole.expect[name][4:]
        error = np.hypot(np.abs(second.sem[name]), np.abs(whole.sem[name][4:]))
        assert (np.abs(one - two) < 4.5 * error).all()
    assert whole.expect["n"][-1, 0] > 3.5  # light that comes back keeps it bound
    with pytest.raises(ValueError, match="take the same step, `dt`"):
        wf.solve(model, np.linspace(2, 4, 5), seed=2, dt=0.125, start=first, **options)
