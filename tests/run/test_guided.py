"""Guided sampling: unbiased, errors from nets, and what it declines."""

from types import SimpleNamespace

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.bench import calibrate, precision
from wignerflow.kernels.module import KernelText
from wignerflow.kernels.observe import Readout
from wignerflow.kernels.rng import LOCAL
from wignerflow.run import guided
from wignerflow.run.guided import LANES, _together
from wignerflow.run.nets import Sums, count, polynomials
from wignerflow.run.statistics import BATCHES, Samples

N = 200
TIMES = np.linspace(0, 20 / N, 11)


def laser(N=N):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 0.25 * N)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    return model, {
        "emission": atoms.Jp * atoms.Jm / N**2,
        "inversion": atoms.Jz / N,
        "squeezing": wf.Squeezing(atoms),
    }


def solve(variance="guided", **options):
    model, e_ops = laser()
    options = {"ntraj": 8192, "seed": 1, "dt": TIMES[1] / 4, "progress": False} | options
    return wf.solve(model, TIMES, e_ops=e_ops, variance=variance, **options)


@pytest.fixture(scope="module")
def found():
    return solve()


@pytest.fixture(scope="module")
def plain():
    return solve("plain", ntraj=200_000, seed=2)


def scores(one, other, name):
    error = np.hypot(one.sem[name], other.sem[name])
    return (np.abs(one.expect[name] - other.expect[name]) / error)[error > 0]


def test_it_agrees_with_plain_trajectories(found, plain):
    for name in ("emission", "inversion", "squeezing"):
        z = scores(found, plain, name)
        assert z.max() < 4.5 and np.sqrt(np.mean(z**2)) < 2
        assert found.std[name] == pytest.approx(plain.std[name], rel=0.1, nan_ok=True)
    assert found.efficiency["emission"] > 5 and plain.efficiency["emission"] == 1
    assert found.stats["variance"] == "guided" and found.ntraj <= 8192
    assert found.stats["work"] > found.ntraj * found.stats["steps"]


@pytest.mark.slow
def test_long_steps_are_taken_and_their_error_is_stated():
    """The pilot by nets takes the scheme for small noise; its error is what is stated, at most."""
    own = solve(dt=None, ntraj=10**7, target_sem={"emission": wf.relative(4e-4)})
    assert own.stats["scheme"] == "small-noise" and own.stats["step_met"]
    assert own.stats["steps"] < 400  # 800 of the other
    fine = solve(ntraj=2**18, dt=TIMES[1] / 40, seed=3)
    for name in ("emission", "inversion"):
        noise = np.hypot(own.sem[name], fine.sem[name])
        true = np.abs(own.expect[name] - fine.expect[name])
        assert np.all(true <= own.step_error[name].max() + 4.5 * noise)
    again = solve(dt=None, ntraj=10**7, target_sem={"emission": wf.relative(4e-4)})
    assert again.digest() == own.digest()


def test_directions_that_are_not_orthonormal_are_seen(plain, monkeypatch):
    """What a mistake in the transformation would do: the noise along them has another size."""
    keep = guided.directions

    def spoilt(*args):
        found = keep(*args)
        found.G = found.G * 1.1
        return found

    monkeypatch.setattr(guided, "directions", spoilt)
    assert scores(solve(), plain, "emission").max() > 6


def test_the_same_bits_with_any_number_of_threads(found, tmp_path):
    assert solve(threads=1).digest() == found.digest()
    found.save(tmp_path / "run.nc")
    loaded = wf.load(tmp_path / "run.nc")
    assert loaded.digest() == found.digest() and loaded.efficiency == found.efficiency
    other = solve(seed=9)
    both = found.merge(other)
    assert both.ntraj == found.ntraj + other.ntraj
    assert both.sem["emission"].max() < found.sem["emission"].max()
    with pytest.raises(ValueError, match="sampled alike"):
        found.merge(solve("plain", seed=3, ntraj=128))
    with pytest.raises(ValueError, match="come in nets"):
        found.rerun()


# ---------------------------------------------------------------- polynomials of the coordinates


@pytest.fixture(scope="module")
def crystal():
    """A time crystal, whose means an expansion in the noise explains."""
    return calibrate.net_kernel(precision.crystal(1000), 8)


def net_means(run, weights=None, nets=64):
    run.weights = weights
    return np.stack([run.net(k, 1)[1][:, 0] for k in range(nets)])[:, 1:]


def bias(one, other):
    """Of means of the same nets with different weights, in standard errors."""
    difference = one - other
    return np.abs(difference.mean(axis=0) / difference.std(axis=0, ddof=1)).max() * len(one) ** 0.5


def test_polynomials_take_off_what_is_sampled_and_no_more(crystal, monkeypatch):
    weights, without = calibrate.fitted(crystal, 2), net_means(crystal)
    taken = net_means(crystal, weights)
    assert without.var(axis=0).max() > 4 * taken.var(axis=0).max()
    assert bias(taken, without) < 4.5
    # weights of nothing in particular cost precision, and no more
    assert bias(net_means(crystal, weights[::-1]), without) < 4.5

    def off(z, number):
        return polynomials(z, number) + 0.02

    monkeypatch.setattr(guided, "polynomials", off)
    assert bias(net_means(crystal, weights), without) > 6


def test_hermite_polynomials_are_orthogonal():
    z = np.random.default_rng(1).normal(size=(5, 100_000))
    terms = polynomials(z, count(5, 3))
    assert len(terms) == 5 + 15 + 20
    scale = terms.std(axis=1)
    assert np.abs(terms.mean(axis=1) / scale).max() < 4.5 / 100_000**0.5
    product = terms @ terms.T / 100_000 / np.outer(scale, scale)
    assert np.abs(product - np.eye(len(terms))).max() < 0.05


def test_weights_are_those_of_least_squares():
    rng = np.random.default_rng(1)
    z, true = rng.normal(size=(3, 200)), rng.normal(size=(count(3, 2), 4))
    terms = polynomials(z, len(true))
    parts = [Sums(len(true), 4) for _ in range(2)]
    for k, part in enumerate(parts):
        some = slice(k, None, 2)
        part.add(terms[:, some], 1.5 + terms[:, some].T @ true)
    assert np.allclose(Sums.added(parts).weights(len(true)), true, atol=1e-6)


def test_directions_of_long_steps_are_carried_to_short_ones():
    """What noise does to the state is the same, whatever the steps."""
    from wignerflow.kernels.grid import Grid
    from wignerflow.run.nets import carried, given_text

    atoms = wf.Ensemble(10, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 2.0)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    for scheme in ("splitting", "small-noise"):
        system, _ = wf.TWA(scheme=scheme).lower(model, {}, np.array([0.0, 1.0]))
        text = given_text(KernelText(system, []))
        grids = [Grid.make(np.array([0.0, 1.0, 1.5]), h) for h in (0.5, 0.125)]
        start, step, local = (2 * n for n in text.pairs)

        def uniform(grid, start=start, step=step, local=local, text=text):
            """One kind of noise, the same at all times, after the initial normals."""
            kicks = text._local_steps(grid)[1]
            steps = np.zeros((grid.lengths.size, step))
            if text.flows is not None:  # between kicks the same noise goes on
                steps[:, 0] = np.sqrt(2 / 3 * grid.lengths)
            every = np.zeros((kicks.size, local))
            every[:, 0] = np.sqrt(kicks)
            return np.concatenate([np.zeros(start), steps.ravel(), every.ravel()])

        one = np.stack([np.eye(uniform(grids[0]).size)[0], uniform(grids[0])])
        found = carried(one, text, *grids)
        assert np.allclose(found @ found.T, np.eye(2))
        for own, right in zip(found, [np.eye(found.shape[1])[0], uniform(grids[1])], strict=True):
            assert np.allclose(np.abs(own), right / np.linalg.norm(right))


def test_a_target_takes_few_trajectories(plain):
    result = solve(target_sem={"emission": 2e-4}, ntraj=10**6)
    assert result.stats["stopped_because"] == "target_sem"
    assert result.sem["emission"].max() <= 2e-4
    needed = plain.ntraj * (plain.sem["emission"].max() / 2e-4) ** 2
    assert result.ntraj < needed / 2


def test_what_it_declines_runs_plain_and_says_so():
    chain = wf.Ensemble(20, name="chain", count=3)
    model = wf.Model(jumps=[wf.Jump(chain.Jm.sum(), 1.0)], initial={chain: wf.up})
    run = {"e_ops": [chain.Jz.sum()], "ntraj": 64, "seed": 1, "dt": 0.01}
    result = wf.solve(model, [0, 0.1], variance="guided", **run)
    assert result.digest() == wf.solve(model, [0, 0.1], **run).digest()
    assert "plain trajectories: the model has arrays" in result.stats["notes"][-1]
    short = wf.solve(model, [0, 0.1], variance="auto", **run)
    assert "too short" in short.stats["notes"][-1]
    with pytest.raises(ValueError, match="`variance` must be"):
        wf.solve(model, [0, 0.1], variance="best", **run)
    with pytest.raises(ValueError, match="`variance` must be 'plain' or 'auto' with `keep`"):
        wf.solve(model, [0, 0.1], variance="guided", keep="final", **run)
    for request in ({"initial": None, "keep": "final"}, {"initial": np.zeros(3), "keep": None}):
        with pytest.raises(guided.Declined, match="initial state, and keeps none"):
            guided.guide(None, None, SimpleNamespace(**request), None, None)


def test_a_target_at_chosen_times_and_what_is_printed(found):
    late = solve("plain", ntraj=10**6, target_sem={"emission": wf.relative(0.01, at=TIMES[-1])})
    sem, top = late.sem["emission"], late.expect["emission"].max()
    assert sem[-1] <= 0.01 * top < 2 * sem.max() and late.ntraj < 10**6
    everywhere = solve("plain", ntraj=10**6, target_sem={"emission": wf.relative(0.01)})
    assert everywhere.ntraj > late.ntraj
    with pytest.raises(ValueError, match="`target_sem` must name times of `tlist` in `at`"):
        solve(target_sem=wf.relative(0.01, at=TIMES[-1] * 0.99))
    assert "sampling error as of" in str(found) and "plain trajectories" not in str(late)


def means_of_nets(rng, split):
    """Standard errors over the true one, of pairs y, -y + noise; ``split`` parts the partners."""
    ratios = []
    for _ in range(200):
        y = rng.normal(size=(BATCHES, 8))
        pairs = np.stack([y, -y + 0.1 * rng.normal(size=y.shape)])  # partners cancel
        sums = pairs.sum(axis=2)
        sums = sums.sum(axis=0) if not split else sums[0] + np.roll(sums[1], 1)
        samples = Samples.empty(1, 1, np.array([0]))
        groups = np.full((1, 1, BATCHES), 16)
        samples.absorb(
            np.full((1, 1), 16 * BATCHES), np.full((1, 1, 1), pairs.mean()), np.ones((1, 1, 1)),
            sums.reshape(1, 1, BATCHES, 1), groups,
        )  # fmt: skip
        samples.nets = True
        ratios.append(samples.sem()[0, 0])
    true = 0.1 * np.sqrt(8 * BATCHES) / (16 * BATCHES)
    return np.sqrt(np.mean(np.square(ratios))) / true


def test_errors_come_from_the_spread_of_nets():
    rng = np.random.default_rng(1)
    assert means_of_nets(rng, False) == pytest.approx(1, abs=0.05)
    assert means_of_nets(rng, True) > 5  # partners in different batches: seen


def test_nets_grow_with_what_a_target_needs():
    """As long as a round of them, 32 nets with both signs, is not more than is needed."""
    found = []
    for needs in (1e3, 1e5, 1e6, 1e7, 1e9):
        points = guided._points([(32, needs), (256, needs)], 10**9)  # size makes no difference
        largest = guided.LEAST_POINTS
        while 2 * largest <= guided.MOST_POINTS and 128 * largest <= guided.SHORT * needs:
            largest *= 2
        assert points == largest
        found.append(points)
    assert found == sorted(found) and len(set(found)) >= 4
    # trajectories that a target needs fall with the points of a net: smaller nets are enough
    assert guided._points([(32, 8e6), (256, 1e6)], 10**9) < guided._points(
        [(32, 1e6), (256, 1e6)], 10**9
    )
    assert guided._points([(32, 1e9), (256, 1e9)], 10_000) == 128  # as many as are given


# ---------------------------------------------------------------- the pilot by nets


@pytest.mark.parametrize("scheme", ["splitting", "small-noise"])
def test_both_runs_of_a_pair_of_nets_have_the_same_noise(scheme):
    """Normals are orthonormal sums of units, whose increments are the same on both grids."""
    from wignerflow.kernels.grid import Grid
    from wignerflow.run.net_pilot import units
    from wignerflow.run.nets import given_text
    from wignerflow.run.pilot import halved

    atoms = wf.Ensemble(10, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 2.0)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    system, _ = wf.TWA(scheme=scheme).lower(model, {}, np.array([0.0, 1.0]))
    text = given_text(KernelText(system, []))
    coarse = Grid.make(np.array([0.0, 1.0, 1.5]), 0.4)
    sizes = text.layout.draws.totals
    total = []
    for grid, draws in zip((coarse, halved(coarse)), text.pilot_draws, strict=True):
        A = units(text, grid, draws).toarray()
        assert np.allclose(A @ A.T, np.eye(len(A)))
        local = A[-2 * sizes[LOCAL] * (int(grid.nsteps.sum()) + grid.nsteps.size) :]
        times = text._local_steps(grid)[1]
        weights = np.repeat(np.sqrt(times), 2 * sizes[LOCAL])
        total.append(weights @ local)
    # of steps of one length in an interval, a unit has the same share in both
    assert np.allclose(total[0], total[1])


@pytest.mark.slow
def test_the_pilot_by_nets_sees_the_difference_of_plain_pairs_better():
    """What halving a long step changes: the same within errors, which are smaller."""
    from wignerflow.phasespace.polynomials import Poly, Var
    from wignerflow.run.net_pilot import NetPilot
    from wignerflow.run.pilot import Pilot, Wanted

    atoms = wf.Ensemble(1000, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1e-3), wf.LocalJump(atoms.sp, 0.25)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    system, _ = wf.TWA(scheme="small-noise").lower(model, {}, np.array([0.0, 5.0]))
    text = KernelText(system, [Readout(Poly.leaf(Var(0, 2)), False)])
    levels = []
    for kind in (Pilot, NetPilot):
        pilot = kind(text, np.array([0.0, 5.0]), 1, False, None, Wanted(10**6, plain=False))
        pilot.needed = 1e6
        levels.append(pilot.level(5.0))
        assert pilot.needed == 1e6 or kind is Pilot
    plain, nets = levels
    assert nets.error[-1, 0] < 0.5 * plain.error[-1, 0]
    assert nets.difference[-1, 0] > 10 * nets.error[-1, 0]
    off = abs(nets.difference - plain.difference)[-1, 0]
    assert off < 4 * np.hypot(nets.error, plain.error)[-1, 0]


def test_the_spread_of_a_net_is_that_of_all_its_trajectories():
    """Within its chunks and between them."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(4, LANES, 2, 3)) + 2 * rng.normal(size=(4, 1, 2, 3))
    mean = values.mean(axis=1)
    sums = np.full((4, 2), LANES), mean, ((values - mean[:, None]) ** 2).sum(axis=1), None
    count, center, square = _together(*sums[:3])
    together = values.reshape(-1, 2, 3)
    assert np.all(count == len(together))
    assert np.allclose(center, together.mean(axis=0))
    assert np.allclose(square, ((together - center) ** 2).sum(axis=0))


# ---------------------------------------------------------------- nets as chunks of a run


def test_a_checkpoint_continues_by_whole_nets_to_the_same_bits(found, tmp_path):
    path = tmp_path / "run.nc"
    first = solve(ntraj=4096, checkpoint=path)
    assert first.stats["variance"] == "guided" and first.ntraj == 4096
    half = wf.load(path)
    assert half.samples.nets and half.ntraj == 4096
    done = solve(checkpoint=path)
    assert done.ntraj == 8192 and done.stats["resumed"] == 4096
    assert np.ptp(done.samples.batch_count[0]) == 0  # as many nets in every batch
    kept = solve(checkpoint=tmp_path / "other.nc", ntraj=4096)
    assert kept.digest() == first.digest()


def test_half_a_round_is_no_run():
    """Errors are known from a net in every batch on: fewer trajectories than that are more."""
    assert solve(ntraj=100).ntraj == 2 * 32 * BATCHES
    assert solve(ntraj=2 * 32 * BATCHES * 3 - 1).ntraj == 2 * 2 * 32 * BATCHES
