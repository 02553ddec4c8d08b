"""Runs of hours: said before they start, and left when the time is up or Ctrl-C comes.

Nothing here is to run to its end. Limits of 30 s stand against hours, so that a busy machine makes
no difference.
"""

import contextlib
import os
import signal
import threading
import time

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.estimate import LongRun
from wignerflow.kernels.cpu import CpuKernel

from ..few import few

LIMIT = 30.0


def laser(N=20):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 0.5 * N)]
    return wf.Model(jumps=jumps, initial={atoms: wf.up}), {"z": atoms.Jz}


def chain(M=200):
    spins = wf.Ensemble(50, name="spins", count=M)
    A = np.random.default_rng(1).normal(size=(M, M)) / M
    H = wf.couple(spins.Jp, A + A.T, spins.Jm)
    return wf.Model(H, [wf.LocalJump(spins.sm, 0.5)], initial={spins: wf.up}), {"z": spins.Jz.sum()}


def driven(N=12):
    atoms = wf.Ensemble(N, name="atoms")
    model = wf.Model(3.0 * atoms.Jx, [wf.Jump(atoms.Jm, 1.0)], initial={atoms: wf.down})
    return model, {"z": atoms.Jz}


FAR = [0.0, 1e4, 2e4]
ENDLESS = {
    # minutes, prepared in a part of a second
    "a chunk": (chain, [0.0, 1e3, 2e3], {"dt": 5e-3}),
    "a pilot": (chain, FAR, {}),
    "a pilot of nets": (driven, FAR, {"variance": "guided", "dt": 1e-2, "precision": "double"}),
    "the classical jumps": (lambda: laser(10**4), FAR, {"method": "jumps"}),
    "the wave functions": (lambda: driven(200), FAR, {"method": "jumps"}),
}


WITHOUT_NETS = ["a chunk", "a pilot", *list(ENDLESS)[3:]]


def solve(name, **more):
    made, times, options = ENDLESS[name]
    model, e_ops = made()
    given = {"ntraj": 10**6, "seed": 1, "progress": False, **options, **more}
    return wf.solve(model, times, e_ops=e_ops, **given)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", few(WITHOUT_NETS, ["a chunk", "the wave functions"]))
def test_hours_end_with_the_timeout(name):
    """Whatever is under way is left; that nothing was finished is an error."""
    begin = time.perf_counter()
    with pytest.raises(TimeoutError, match="was finished within"):
        solve(name, timeout=0.5)
    assert time.perf_counter() - begin < LIMIT


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", few(WITHOUT_NETS))
def test_hours_end_with_ctrl_c(name):
    """The second one, where the first waits for a first chunk."""

    def interrupt():
        while not over.wait(1.0):
            os.kill(os.getpid(), signal.SIGINT)

    over, ended = threading.Event(), False
    thread = threading.Thread(target=interrupt)
    begin = time.perf_counter()
    thread.start()
    try:
        solve(name)
    except KeyboardInterrupt:
        ended = True
    elapsed = time.perf_counter() - begin
    while thread.is_alive():
        with contextlib.suppress(KeyboardInterrupt):  # one may have been under way
            over.set()
            thread.join()
    assert ended and elapsed < LIMIT


def test_kernels_are_left(monkeypatch):
    """What runs on other threads ends, too, and does not go on behind the caller's back."""
    running, began = [], []
    whole = CpuKernel.simulate

    def simulate(self, *arguments, **options):
        running.append(self)
        began.append(self)
        out = whole(self, *arguments, **options)
        running.remove(self)
        return out

    monkeypatch.setattr(CpuKernel, "simulate", simulate)
    with pytest.raises(TimeoutError):
        solve("a chunk", timeout=1.5)
    assert began and running == []


@pytest.mark.filterwarnings("ignore::wignerflow.estimate.LongRun")
@pytest.mark.parametrize("method", few(["jumps", "twa"]))  # see tests/run/test_stopping.py
def test_ctrl_c_hands_over_what_is_done(method):
    model, e_ops = laser()
    options = {"e_ops": e_ops, "seed": 1, "progress": False, "method": method}
    if method == "twa":
        options["dt"] = 0.01  # no pilot, in which nothing is done
    wf.solve(model, [0, 1], ntraj=64, **options)  # compiled
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    result = wf.solve(model, [0, 1], ntraj=10**7, **options)
    timer.join()
    assert result.stats["stopped_because"] == "interrupted" and 64 <= result.ntraj < 10**7
    again = wf.solve(model, [0, 1], ntraj=result.ntraj, **options)
    assert np.allclose(result.expect["z"], again.expect["z"], rtol=1e-12)
    assert result.stats.get("jumps") == again.stats.get("jumps")


# ---------------------------------------------------------------- said before


def waiting(call, monkeypatch):
    """Warnings of a call for which everything takes an hour."""
    monkeypatch.setattr("wignerflow.estimate.LONG", 1e-12)
    with pytest.warns(LongRun, match="This run takes about"):
        call()


CALLS = {
    "photons by equations": lambda m, o, j: wf.photons(
        m, j, bins=np.linspace(0, 0.1, 4), method="exact"
    ),
    "photons by trajectories": lambda m, o, j: wf.photons(
        m, j, bins=np.linspace(0, 0.1, 4), ntraj=64, seed=1
    ),
    "correlation by equations": lambda m, o, j: wf.correlation(
        m, o, o, [0, 0.1], t=0.1, method="exact"
    ),
    "correlation by trajectories": lambda m, o, j: wf.correlation(
        m, o, o, [0, 0.1], t=0.1, ntraj=64, seed=1, truncation=False
    ),
    "correlation by jumps": lambda m, o, j: wf.correlation(
        m, o, o, [0, 0.1], t=0.1, ntraj=64, seed=1, method="jumps", truncation=False
    ),
    "steady state by equations": lambda m, o, j: wf.steady_state(m, {"z": o}, method="exact"),
    "steady state by trajectories": lambda m, o, j: wf.steady_state(
        m, {"z": o}, ntraj=256, seed=1, truncation=False
    ),
    "steady state by mean field": lambda m, o, j: wf.steady_state(
        m, {"z": o}, "mean-field", unique=False, truncation=False
    ),
    "a comparison": lambda m, o, j: wf.compare(
        m, [0, 0.1], e_ops={"z": o}, methods=["exact"], progress=False
    ),
    "a sweep": lambda m, o, j: wf.sweep(
        lambda k: m, {"k": [1, 2]}, [0, 0.1], {"z": o}, ntraj=64, seed=1
    ),
    "a sweep of steady states": lambda m, o, j: wf.sweep(
        lambda k: (m, {"z": o}), {"k": [1, 2]}, run=wf.steady_state, method="exact"
    ),
    "a certificate": lambda m, o, j: wf.certify(
        lambda N: laser(N), [0, 0.1], N=40, ntraj=64, small=[4, 6], small_ntraj=64, progress=False
    ),
}


QUICK = [name for name in CALLS if "equations" in name or name.startswith("a ")]
QUICK.remove("a sweep")  # another of them is one


@pytest.mark.filterwarnings("ignore:Trajectories have no antibunching")
@pytest.mark.parametrize("name", few(CALLS, QUICK))
def test_every_entry_point_says_how_long_it_takes(name, monkeypatch):
    atoms = wf.Ensemble(6, name="atoms")
    jump = wf.Jump(atoms.Jm, 1.0)
    model = wf.Model(jumps=[jump, wf.LocalJump(atoms.sp, 3.0)], initial={atoms: wf.up})
    waiting(lambda: CALLS[name](model, atoms.Jz, jump), monkeypatch)


def test_mean_field_says_it_before_its_first_run_to_rest(monkeypatch):
    """Which is the longest where one rate is far below the others."""
    monkeypatch.setattr("wignerflow.estimate.LONG", 0.0)
    monkeypatch.setattr("wignerflow.analysis.relaxation.extrapolated", lambda *_: 1 / 0)
    model, e_ops = laser()
    with pytest.warns(LongRun, match="takes about"), pytest.raises(ZeroDivisionError):
        wf.steady_state(model, e_ops, "mean-field")


@pytest.mark.slow
def test_a_sweep_counts_its_points():
    """A second each is no word worth, an hour of seconds is."""
    model, e_ops = laser()
    options = {"ntraj": 10**5, "dt": 1e-3, "seed": 1}
    needed = model.estimate([0, 1], e_ops=e_ops, **options)
    points = int(3 * 3600 / needed.seconds)
    assert needed.seconds < 600 and points > 20

    def first(k):
        if k:
            raise ArithmeticError
        return model

    quick = lambda model: wf.solve(model, [0, 1], e_ops=e_ops, progress=False, **options)  # noqa: E731
    with pytest.warns(LongRun, match="takes about"), pytest.raises(ArithmeticError) as error:
        wf.sweep(first, {"k": np.arange(points)}, run=quick)
    assert error.value.done.sizes["k"] == points


@pytest.mark.slow
def test_cumulants_say_it_before_they_are_derived(monkeypatch):
    """A thousand members: neither the equations nor one right-hand side are made before."""
    monkeypatch.setattr("wignerflow.moments.program.Collector.terms", lambda self: 1 / 0)
    spins = wf.Spin(name="spins", count=300)
    H = wf.couple(spins.sx, np.ones((300, 300)) / 300, spins.sx)
    model = wf.Model(H, [wf.Jump(spins.sm, 0.5)], initial={spins: wf.down})
    monkeypatch.setattr("wignerflow.estimate.LONG", 2.0)
    with pytest.warns(LongRun, match="the moments: writing out equations of"):
        with pytest.raises(ZeroDivisionError):
            wf.solve(model, [0, 1], e_ops=[spins.sz.sum()], method="cumulant")
    monkeypatch.setattr("wignerflow.moments.method.SOON", 1.0)
    needed = model.estimate([0, 1], e_ops=[spins.sz.sum()], method="cumulant")
    assert 3 < needed.seconds < 300


def test_higher_cumulants_say_how_long_they_are_derived(monkeypatch):
    """From some rows of their generator, before the others."""
    monkeypatch.setattr("wignerflow.moments.limits.WORTH_SAYING", 0.0)
    spins = wf.Spin(name="spins", count=6)
    model = wf.Model(wf.couple(spins.sx, np.ones((6, 6)), spins.sx), initial={spins: wf.down})
    options = {"e_ops": [spins.sz.sum()], "method": wf.Cumulant(order=3)}
    needed = model.estimate([0, 0.1], **options)
    assert "writing out 693 equations" in needed.what
    took = wf.solve(model, [0, 0.1], progress=False, **options).stats["derivation_time"]
    assert took / 10 < needed.seconds < 10 * took  # of a moment, on a machine that may be busy


# ---------------------------------------------------------------- several runs


def test_ctrl_c_in_a_sweep_keeps_the_points_that_are_done():
    calls = []

    def made(k):
        calls.append(k)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return laser()

    with pytest.warns(UserWarning, match="Interrupted: points that were not done hold NaN"):
        data = wf.sweep(made, {"k": [1, 2, 3, 4]}, [0, 0.1], ntraj=64, seed=1)
    assert calls == [1, 2, 3]
    assert np.isfinite(data["z"][:2]).all() and np.isnan(data["z"][2:]).all()
    assert data["stopped_because"].values.tolist() == ["ntraj", "ntraj", "not run", "not run"]
    assert data["ntraj"].values.tolist() == [64, 64, 0, 0]


def test_a_run_of_a_sweep_that_is_interrupted_is_the_last(monkeypatch):
    """The first Ctrl-C in it ends the sweep, not the point alone; its part is kept."""
    done = []

    def made(k):
        done.append(k)
        if k == 2:
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        return laser()

    model, e_ops = laser()
    wf.solve(model, [0, 1], e_ops=e_ops, ntraj=64, dt=0.01, seed=1)  # compiled
    sizes = {1: 64, 2: 10**9, 3: 64}

    def run(model, e_ops):
        size = sizes[done[-1]]
        return wf.solve(model, [0, 1], e_ops=e_ops, ntraj=size, dt=0.01, seed=1, progress=False)

    with pytest.warns(UserWarning, match="Interrupted"):
        data = wf.sweep(made, {"k": [1, 2, 3]}, run=run)
    assert done == [1, 2]
    assert np.isfinite(data["z"][:2]).all() and np.isnan(data["z"][2]).all()


def test_an_error_in_a_sweep_carries_the_points_before():
    def made(k):
        return laser(k)

    with pytest.raises(ValueError, match="`N` must be") as error:
        wf.sweep(made, {"k": [4, 6, -1, 8]}, [0, 0.1], ntraj=64, seed=1)
    assert "in the attribute `done`" in error.value.__notes__[0]
    kept = error.value.done["z"]
    assert np.isfinite(kept[:2]).all() and np.isnan(kept[2:]).all()


def test_sweeps_over_more_points_than_fit_are_refused():
    axes = {name: range(1000) for name in "abcdef"}
    with pytest.raises(ValueError, match=r"A sweep over 10{18} points needs at least"):
        wf.sweep(lambda **k: laser(), axes, [0, 1], ntraj=64)


def test_half_a_run_is_compared_with_nothing():
    model, e_ops = laser()
    wf.solve(model, [0, 1], e_ops=e_ops, ntraj=64, dt=0.01, seed=1)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        wf.compare(
            model, [0, 1], e_ops=e_ops, methods=["twa", "exact"], ntraj=10**9, dt=0.01, seed=1,
            progress=False,
        )  # fmt: skip
    timer.join()


def test_ctrl_c_in_the_estimate_of_the_truncation_keeps_the_result(monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("wignerflow.solving.truncation.estimate", interrupted)
    model, e_ops = laser()
    result = wf.solve(model, [0, 0.1], e_ops=e_ops, ntraj=64, seed=1, truncation=True)
    assert result.ntraj == 64 and np.isnan(result.truncation["z"]).all()
    assert result.stats["truncation"] == "nothing: interrupted"


def interrupted_soon(monkeypatch, after=3):
    """Ctrl-C when so many chunks were read."""
    from wignerflow.run.record import UntilCtrlC

    whole = UntilCtrlC.__iter__

    def parts(self):
        for k, part in enumerate(whole(self)):
            if k == after - 1:
                os.kill(os.getpid(), signal.SIGINT)
            yield part

    monkeypatch.setattr(UntilCtrlC, "__iter__", parts)


@pytest.mark.filterwarnings("ignore::wignerflow.estimate.LongRun")
@pytest.mark.parametrize("order", few(["symmetric", "plain"]))
def test_ctrl_c_in_correlations_hands_over_what_is_done(order, monkeypatch):
    model, e_ops = laser()
    z = e_ops["z"]
    options = {"t": 0.1, "order": order, "seed": 1, "dt": 0.01, "truncation": False}
    before = signal.getsignal(signal.SIGINT)
    known = wf.correlation(model, z, z, [0, 0.1], ntraj=96, **options)
    interrupted_soon(monkeypatch)
    found = wf.correlation(model, z, z, [0, 0.1], ntraj=10**7, **{**options, "truncation": True})
    assert found.ntraj == 96 and found.stats["stopped_because"] == "interrupted"
    assert np.array_equal(found.value, known.value) and np.array_equal(found.sem, known.sem)
    assert np.isnan(found.truncation).all() and known.stats["stopped_because"] == "ntraj"
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.filterwarnings("ignore::wignerflow.estimate.LongRun")
def test_ctrl_c_in_correlations_by_jumps_hands_over_what_is_done(monkeypatch):
    from wignerflow.exact.collect import Moments

    model, e_ops = laser()
    z, whole = e_ops["z"], Moments.with_more

    def with_more(self, values):
        if self.n:
            os.kill(os.getpid(), signal.SIGINT)
        return whole(self, values)

    options = {"t": 0.1, "seed": 1, "method": "jumps", "truncation": False}
    monkeypatch.setattr(Moments, "with_more", with_more)
    found = wf.correlation(model, z, z, [0, 0.1], ntraj=10**5, **options)
    monkeypatch.undo()
    assert found.stats["stopped_because"] == "interrupted" and 64 <= found.ntraj < 10**5
    again = wf.correlation(model, z, z, [0, 0.1], ntraj=found.ntraj, **options)
    assert np.allclose(found.value, again.value, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::wignerflow.estimate.LongRun")
@pytest.mark.parametrize("pairs", [True, False])
def test_ctrl_c_in_photons_hands_over_what_is_done(pairs, monkeypatch):
    """With g2 chunk by chunk, without it group by group."""
    model, _ = laser()
    jump = model.given[0]
    options = {"bins": np.linspace(0, 0.1, 4), "g1": pairs, "g2": pairs, "seed": 1, "dt": 0.01}
    before = signal.getsignal(signal.SIGINT)
    interrupted_soon(monkeypatch)
    found = wf.photons(model, jump, ntraj=10**7, truncation=True, **options)
    assert found.stats["stopped_because"] == "interrupted"
    assert found.stats["truncation"] == found.stats["step_error"] == "nothing: interrupted"
    assert 96 <= found.ntraj < 10**7 and (found.ntraj == 96) == pairs
    assert signal.getsignal(signal.SIGINT) is before
    monkeypatch.undo()
    known = wf.photons(model, jump, ntraj=found.ntraj, **options)
    assert np.allclose(found.flux().value, known.flux().value, rtol=1e-12)
    assert np.allclose(found.flux().sem, known.flux().sem, rtol=1e-9)


def test_ctrl_c_in_the_step_error_of_photons_keeps_them(monkeypatch):
    from wignerflow.analysis.photon_runs import Run

    whole = Run._summed

    def interrupted(self, grid, request, *arguments):
        if request is not self.request:
            raise KeyboardInterrupt
        return whole(self, grid, request, *arguments)

    monkeypatch.setattr(Run, "_summed", interrupted)
    model, _ = laser()
    found = wf.photons(model, model.given[0], bins=np.linspace(0, 0.1, 4), ntraj=128, seed=1)
    assert found.ntraj == 128 and found.stats["stopped_because"] == "ntraj"
    assert np.isfinite(found.flux().sem).all() and np.isnan(found.flux().step_error).all()


# ---------------------------------------------------------------- functions that never settle


def noise(t):
    return float(hash(t) % 1000) / 1000


def test_rough_functions_end(monkeypatch):
    """Noise is no function of time that an integrator could follow: an error, not a hang."""
    monkeypatch.setattr("wignerflow.exact.pieces.MOST", 500)
    atoms = wf.Ensemble(4, name="atoms")
    model = wf.Model(wf.coef(noise) * atoms.Jx, [wf.Jump(atoms.Jm, 1.0)], initial={atoms: wf.down})
    options = {"e_ops": [atoms.Jz], "ntraj": 64, "seed": 1, "progress": False}
    with pytest.raises(ValueError, match="`function` must be smooth on 500 pieces"):
        wf.solve(model, [0, 1], method="jumps", **options)


def now_and_then(t):
    return noise(t) if 0.4 < t < 0.41 else np.sin(t)


def square(t):
    return 1.0 * (np.sin(40 * t) > 0)


@pytest.mark.parametrize("method", ["cumulant", "exact", "mean-field", "twa"])
@pytest.mark.parametrize("function", [noise, now_and_then])
def test_rough_functions_end_for_every_method(function, method):
    """At once, with the coefficient's name; where it is noise for a moment alone, too."""
    if function is now_and_then and method in ("mean-field", "twa"):
        return  # a step of given length goes through it
    atoms = wf.Ensemble(4, name="atoms")
    H = wf.coef(function) * atoms.Jx
    model = wf.Model(H, [wf.Jump(atoms.Jm, 1.0)], initial={atoms: wf.down})
    begin = time.process_time()
    with pytest.raises(ValueError, match=rf"must be .*coef\({function.__name__}\)"):
        wf.solve(model, [0, 1], e_ops=[atoms.Jz], method=method, ntraj=64, progress=False)
    assert time.process_time() - begin < LIMIT


def test_functions_that_jump_are_no_noise():
    from wignerflow.model.timescales import is_noise

    for function in (np.sin, square, lambda t: np.sin(1e9 * t), lambda t: float(np.float32(t))):
        assert not is_noise(wf.coef(function), 0.3, 0.3 + 1e-9)
    assert not is_noise(wf.coef(square), 0.0, 1.0)
    assert is_noise(wf.coef(noise), 0.3, 0.3 + 1e-9)


def test_masked_numbers_are_no_numbers():
    atoms = wf.Ensemble(4, name="atoms")
    model = wf.Model(wf.coef(lambda t: np.ma.masked) * atoms.Jx, initial={atoms: wf.down})
    with pytest.raises(TypeError, match="`function` must return a number"):
        wf.solve(model, [0, 1], e_ops=[atoms.Jz], ntraj=64, seed=1)
