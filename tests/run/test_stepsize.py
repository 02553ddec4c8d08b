"""The choice of the step: its error is seen, stated and below the sampling error, both ways."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

import wignerflow as wf
from wignerflow.kernels.grid import LEAST, Schedule, spline
from wignerflow.run import pilot, stepsize
from wignerflow.run.statistics import Samples

from ..few import few

N = 100
TIMES = np.linspace(0, 20 / N, 201)


@pytest.mark.parametrize(("size", "outputs"), [(LEAST + 1, 30), (300, 701)])
def test_the_spline_is_that_of_scipy(size, outputs):
    nodes = np.linspace(0.3, 7.0, size)
    inside = np.random.default_rng(1).uniform(nodes[0], nodes[-1], outputs)
    times = np.sort([nodes[0], *inside, nodes[5], nodes[-1]])
    right = make_interp_spline(nodes, np.eye(size), k=5)(times)
    assert np.abs(spline(nodes, times) - right).max() < 1e-13
    shifted = make_interp_spline(nodes, np.eye(size), k=5)(times + 1e-9)
    assert np.abs(spline(nodes, times) - shifted).max() > 1e-13


def laser():
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 0.25 * N)]
    return wf.Model(jumps=jumps, initial={atoms: wf.up}), {
        "emission": atoms.Jp * atoms.Jm,
        "inversion": atoms.Jz,
    }


def solve(**options):
    model, e_ops = laser()
    return wf.solve(model, TIMES, e_ops=e_ops, progress=False, seed=1, **options)


@pytest.fixture(scope="module")
def fine():
    return solve(ntraj=100_000, dt=TIMES[1] / 4)


@pytest.mark.parametrize("options", few([{"ntraj": 2000}, {"ntraj": 20_000}, {"tol": 0.02}]))
def test_the_step_error_is_covered_by_what_is_stated(fine, options):
    chosen = solve(**options)
    again = solve(
        ntraj=100_000, dt=chosen.dt
    )  # the same step, sampled well; 201 outputs force less
    assert chosen.stats["step_met"] and chosen.stats["work"] > chosen.stats["pilot_work"] > 0
    for name, stated in chosen.step_error.items():
        assert stated.shape == TIMES.shape and np.all(stated >= 0)
        true = np.abs(again.expect[name] - fine.expect[name])
        noise = 4 * np.hypot(again.sem[name], fine.sem[name])
        assert np.all(true <= stated.max() + noise)
        if "tol" not in options:
            # the pilot knows the spread from 32 batches, to 13 %: three of that
            assert stated.max() <= pilot.BELOW * 1.4 * chosen.sem[name].max()


def test_a_step_too_long_is_not_covered(fine):
    """What the test above would see."""
    model, e_ops = laser()
    options = {"ntraj": 200_000, "dt": 0.01, "seed": 1}
    coarse = wf.solve(model, TIMES[::10], e_ops=e_ops, progress=False, **options)
    chosen = solve(ntraj=20_000)
    true = np.abs(coarse.expect["emission"] - fine.expect["emission"][::10])
    noise = 4 * np.hypot(coarse.sem["emission"], fine.sem["emission"][::10])
    assert np.any(true > chosen.step_error["emission"].max() + noise)


def test_precision_asked_for_shortens_the_step_and_the_seed_does_not_matter():
    rough, good = solve(tol=0.1), solve(tol=1e-3)
    assert rough.dt > 3 * good.dt
    model, e_ops = laser()
    other = wf.solve(model, TIMES, e_ops=e_ops, progress=False, seed=2, tol=0.1)
    assert other.dt == rough.dt
    assert other.merge(rough).step_error["emission"] == pytest.approx(rough.step_error["emission"])


def test_outputs_do_not_force_steps(fine):
    rough = solve(tol=0.05, ntraj=100_000)
    assert LEAST <= rough.stats["steps"] < TIMES.size / 2
    for name, stated in rough.step_error.items():
        off = np.abs(rough.expect[name] - fine.expect[name])
        assert np.all(off <= stated.max() + 4 * np.hypot(rough.sem[name], fine.sem[name]).max())
        # the pilot judges means; deviations are right to about what was asked of them
        assert rough.std[name] == pytest.approx(fine.std[name], abs=0.1 * fine.std[name].max())
    again = rough.rerun()
    assert again.digest() == rough.digest()
    assert np.array_equal(again.step_error["emission"], rough.step_error["emission"])


def test_records_are_interpolated_to_the_order_of_the_spline():
    times = np.sort(np.append(np.random.default_rng(1).uniform(0, 1, 30), [0.0, 1.0]))
    errors = []
    for steps in (12, 24):
        schedule = Schedule.of(times, steps)
        f = np.sin(5 * schedule.nodes)[:, None]
        errors.append(np.abs(schedule.read(f, 0)[:, 0] - np.sin(5 * times)).max())
    assert errors[1] < 1e-5 and errors[0] / errors[1] > 2**5
    linear = np.interp(times, schedule.nodes, f[:, 0])
    assert np.abs(linear - np.sin(5 * times)).max() > 1e-3  # a lower order would be seen


def test_sums_at_outputs_keep_counts_and_batches():
    schedule = Schedule.of(np.linspace(0, 1, 50), 14)
    rng = np.random.default_rng(2)
    slope, start = rng.normal(size=(2, 64, 1, 2))
    runs = start + slope * schedule.nodes[:, None]
    samples = Samples.of_runs(runs, np.array([1]))
    out = samples.outputs(schedule)
    direct = Samples.of_runs(start + slope * schedule.times[:, None], np.array([1]))
    assert np.array_equal(out.count, direct.count) and out.ntraj == 64
    assert out.mean == pytest.approx(direct.mean) and out.m2 == pytest.approx(direct.m2)
    assert out.batch_sum == pytest.approx(direct.batch_sum)


def test_what_is_stepped_exactly_or_given_is_said():
    atoms = wf.Ensemble(1000, name="atoms")
    model = wf.Model(jumps=[wf.LocalJump(atoms.sm, 0.1)], initial={atoms: wf.up})
    exact = wf.solve(model, [0, 1], e_ops=[atoms.Jz], ntraj=64, seed=1)
    assert np.all(
        exact.step_error["Jz(atoms)" if "Jz(atoms)" in exact.expect else next(iter(exact.expect))]
        == 0
    )
    given = wf.solve(model, [0, 1], e_ops=[atoms.Jz], ntraj=64, seed=1, dt=0.5)
    assert all(np.all(np.isnan(v)) for v in given.step_error.values())
    with pytest.raises(ValueError, match="`tol` must be None where `dt` gives the step"):
        wf.solve(model, [0, 1], e_ops=[atoms.Jz], tol=0.1, dt=0.5)


def decaying():
    """Superradiant decay into two levels, of which outputs see the end alone."""
    atoms = wf.Levels(N, ["0", "1", "e"], name="atoms")
    jumps = [wf.Jump(atoms.op("0", "e"), 1.0), wf.Jump(atoms.op("1", "e"), 0.5)]
    zero = atoms.pop("0")
    both = [zero, zero * zero]
    spread = wf.function(lambda n, nn: np.sqrt(np.maximum(nn - n**2, 0)) / N, both)
    share = wf.Ratio(zero, atoms.pop("1"))
    model = wf.Model(jumps=jumps, initial={atoms: wf.level("e")})
    return model, [0, 0.6], {"spread": spread, "share": share}


def bursting():
    atoms = wf.Ensemble(N, name="atoms")
    model = wf.Model(jumps=[wf.Jump(atoms.Jm, 1.0)], initial={atoms: wf.bloch(0.4, 0.0)})
    derived = {"g2": wf.g2(atoms.Jm), "squeezing": wf.WinelandSqueezing(atoms)}
    return model, [0, 0.05], derived


@pytest.mark.parametrize("case", few([bursting, decaying]))
def test_derived_observables_alone_do_not_hide_steps_far_too_long(case):
    model, times, derived = case()
    for name, observable in derived.items():
        options = {"e_ops": {name: observable}, "seed": 3, "progress": False, "truncation": False}
        chosen = wf.solve(model, times, ntraj=1000, **options)
        right = wf.solve(model, times, ntraj=4000, dt=chosen.dt / 16, **options)
        off = np.abs(chosen.expect[name] - right.expect[name])[-1]
        errors = np.hypot(chosen.sem[name], right.sem[name])[-1]
        assert off < 4 * errors + chosen.step_error[name][-1]


AGREEING = {1.0: 100.0, 0.5: 60.0, 0.25: 0.01, 0.125: 8.0, 0.0625: 2.0, 0.03125: 0.5}


class Agreeing:
    """A pilot whose runs at one step and its half agree by chance."""

    tlist, compiling, orders = np.array([0.0, 1.0]), 0.0, (1.0, 2.0, 2.0)
    work, needed, powers = 0.0, 1.0, True
    text = SimpleNamespace(work=1, layout=SimpleNamespace(state_slots=1))

    def level(self, h):
        size, one = np.array([[AGREEING[h]]]), np.ones(1)
        return pilot.Level(h, None, size, 1e-3 * size, one, one, 1.0)


@pytest.mark.parametrize("believing", [False, True])
def test_a_difference_that_falls_too_fast_is_borne_out_by_the_next(monkeypatch, believing):
    """The second case is the control: without that rule the search ends too early."""
    monkeypatch.setattr(stepsize, "_choice", lambda _, level, met: level.h)
    if believing:
        monkeypatch.setattr(stepsize._Search, "_sudden", lambda *_: False)
    chosen = stepsize._Search(Agreeing(), 1.0, 0.01).run()
    assert chosen >= 0.25 if believing else 0.03125 <= chosen < 0.0625


class Falling(Agreeing):
    """A pilot whose error is allowed at ``right`` and falls with the second order."""

    def __init__(self, right):
        self.right = right

    def level(self, h):
        size, one = np.array([[0.75 * (h / self.right) ** 2]]), np.ones(1)
        return pilot.Level(h, None, size, 1e-3 * size, one, one, 1.0)


def test_means_at_two_steps_are_compared_with_what_their_noise_leaves():
    """Both runs have the same noise: what is left of it in their difference is the error."""
    rng = np.random.default_rng(0)
    shared, rest = rng.standard_normal((32, 5, 2)), 1e-3 * rng.standard_normal((32, 5, 2))
    fine = 1 + 0.1 * shared
    assert pilot._rough([fine + rest, fine], 3200, True) == 0
    seen = pilot._rough([fine + rest + 0.01, fine], 3200, True)
    rms = np.hypot(1, np.sqrt(100 * fine.var(axis=0)))
    assert seen == pytest.approx(0.01 / rms.mean(), rel=0.2)


@pytest.mark.parametrize("asked", [0.02, 0.005])
def test_the_pilot_knows_how_many_trajectories_an_error_takes(asked):
    """(std / asked)^2 of them."""
    columns = pilot.Channels()
    columns.asks, columns.allowed = True, lambda mean: np.full(mean.shape[1], asked)
    own = pilot.Pilot.__new__(pilot.Pilot)
    own.text = SimpleNamespace(system=SimpleNamespace(noise=True))
    own.wanted = pilot.Wanted(10**9, columns=columns)
    x = 3.0 + 0.5 * np.random.default_rng(0).standard_normal((6400, 1, 1))
    means = x.reshape(32, 200, 1, 1).mean(axis=1)
    own._judged(0.1, Schedule(np.zeros(1), np.zeros(1)), [means, means], 6400)
    batches = means.std() * np.sqrt(200 * 32 / 31)
    assert own.needed == pytest.approx((batches / asked) ** 2, rel=0.02)
    assert own.needed == pytest.approx((0.5 / asked) ** 2, rel=0.5)


class Dear(Falling):
    """One whose pairs are dear: the k-th takes 4^k times as long as the first."""

    text = SimpleNamespace(work=1, layout=SimpleNamespace(state_slots=1e6))

    def level(self, h):
        self.work += 100 / h
        return super().level(h)


@pytest.mark.parametrize("needed", [1e6, 1.0])
def test_a_pilot_that_is_long_next_to_the_run_ends_early(monkeypatch, needed):
    """With the step that the order of its pairs gives; long runs bear it out."""
    monkeypatch.setattr(stepsize, "_choice", lambda _, level, met: (level.h, met))
    dear = Dear(0.01)
    dear.needed = needed
    (h, met), ran = stepsize._Search(dear, 4.0, 1e-3).run(), dear.work
    assert met and h == pytest.approx(0.01, rel=0.1)
    assert (ran > 1000) == (needed > 1)


@pytest.mark.parametrize("right", [0.9, 0.4, 0.26, 0.13, 0.07])
def test_between_two_steps_the_order_says_which_one_does(monkeypatch, right):
    monkeypatch.setattr(stepsize, "_choice", lambda _, level, met: (level.h, level.stated.max()))
    h, stated = stepsize._Search(Falling(right), 4.0, 0.01).run()
    assert stated <= 1 + 1e-9 and 0.9 * right < h <= right


@pytest.mark.parametrize("finer", [2, 4])
@pytest.mark.parametrize("order", [1.0, 1.5, 2.0])
def test_the_error_is_stated_by_the_order_that_is_seen(order, finer):
    """Errors are 30 h^order, so pairs differ by those at h less those at h / 2."""
    search = stepsize._Search(SimpleNamespace(orders=(1.0, 2.0, 0.0), powers=False), 0.1, 0.1)
    one = np.ones(1)
    for h in (0.1, 0.1 / finer):
        off = 30 * (h**order - (h / 2) ** order) * np.ones((1, 1))
        level = pilot.Level(h, Schedule(TIMES, TIMES), off, 0 * off, 0.01 * one, one, 1)
        assert search._judge(level) is None
        search.before = level
    assert search.order == pytest.approx(order)
    assert level.stated.item() == pytest.approx(30 * level.h**order)


def test_another_pair_is_dear_by_its_own_work():
    layout = SimpleNamespace(state_slots=stepsize.DEAR_PILOT / 100)
    fake = SimpleNamespace(
        powers=True, tlist=TIMES, needed=0, work=10, text=SimpleNamespace(work=1, layout=layout)
    )
    search = stepsize._Search(fake, 0.1, 0.1)
    search.before = SimpleNamespace(h=0.1)
    for last, spent in ((40, False), (50, True)):  # twice that at half the step, of 100
        search.last = last
        assert search._spent(0.05) == spent
