"""Controls of transients: the same means at any step, honest errors, fewer trajectories."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText
from wignerflow.kernels.observe import Readout
from wignerflow.observables import flatten
from wignerflow.phasespace.twa import TWA
from wignerflow.run.controlled import ControlledKernel, fit
from wignerflow.run.driver import Prepared
from wignerflow.run.loop import Request
from wignerflow.run.martingales import Windows

from ..few import few

N = 40
TIMES = np.linspace(0, 12 / N, 9)
QUIET = {"progress": False, "truncation": False, "seed": 1}


def crystal():
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sm, 0.2 * N)]
    model = wf.Model(N * atoms.Jx, jumps, initial={atoms: wf.down})
    e_ops = {"z": atoms.Jz, "minus": atoms.Jm, "g2": wf.g2(atoms.Jm)}
    return model, TIMES, e_ops, 0.6 / N


def ring():
    spins = wf.Spin(count=6, name="ring")
    bonds = wf.couple(spins.sz, wf.NearestNeighbour(periodic=True), spins.sz)
    jumps = [wf.Jump(spins.sm, 0.2), wf.Jump(spins.sz, 0.1)]
    model = wf.Model(0.5 * bonds + spins.sx.sum(), jumps, initial={spins: wf.down})
    return model, np.linspace(0, 4, 9), {"mean": spins.sz.sum() / 6, "sites": spins.sz}, 0.1


def both():
    """A mode and an array of equal spins."""
    spins, mode = wf.Spin(count=5, name="spins"), wf.Mode(name="mode")
    light = mode.adag * spins.sm.sum()
    jumps = [wf.Jump(mode.a, 1.0), wf.Jump(spins.sp, 0.5)]
    model = wf.Model(0.6 * (light + light.dag()), jumps, initial={spins: wf.down, mode: wf.vacuum})
    return model, np.linspace(0, 4, 7), {"n": mode.n, "z": spins.sz}, 0.1


def text_of(made):
    model, times, e_ops, dt = made
    _, base, plan = flatten(e_ops, model.subsystems)
    system, symbols = TWA().lower(model, base, times)
    text = KernelText(system, [Readout(symbols[k], plan.base[k].is_complex) for k in base])
    return text, Grid.make(times, dt)


def solve(made, **options):
    model, times, e_ops, dt = made
    options = {"ntraj": 15_360, "dt": dt, **QUIET, **options}
    return wf.solve(model, times, e_ops=e_ops, **options)


@pytest.fixture(scope="module")
def controlled():
    return solve(crystal(), controls=True)


@pytest.mark.parametrize(
    ("made", "equal"), few([(crystal, {}), (both, {5: False}), (ring, {6: True})], 2)
)
def test_controls_have_the_mean_zero_at_a_long_step(made, equal):
    text, grid = text_of(made())
    kernel = ControlledKernel(
        text, grid, single=True, batched=np.zeros(0, int), most=400, equal=equal
    )
    found = np.concatenate([kernel.trajectories(c, 3)[2] for c in range(40)], axis=1).astype(float)
    spread = found.std(axis=1)
    z = found.mean(axis=1)[spread > 0] * np.sqrt(found.shape[1]) / spread[spread > 0]
    assert z.size > 50 and np.abs(z).max() < 4.5 and 0.8 < np.mean(z**2) < 1.25
    # noise of a window times the state at its end knows something of it: what the test would see
    states = np.roll(kernel.features.windows.edges, -1)[:-1]
    object.__setattr__(kernel.features.windows, "edges", np.append(states, 0))
    wrong = np.concatenate([kernel.trajectories(c, 3)[2] for c in range(40)], axis=1).astype(float)
    z = wrong.mean(axis=1) * np.sqrt(wrong.shape[1]) / np.maximum(wrong.std(axis=1), 1e-9)
    assert np.abs(z).max() > 10


@pytest.mark.parametrize(
    "made", [crystal, *(pytest.param(m, marks=pytest.mark.slow) for m in (ring, both))]
)
def test_means_are_those_of_plain_trajectories_and_errors_smaller(made):
    own, plain = (
        solve(made(), controls=c, seed=s, ntraj=38_400) for c, s in ((True, 1), (False, 2))
    )
    assert own.stats["variance"] == "controls" and own.stats["controls"] > 50
    for name, value in own.expect.items():
        errors = np.hypot(np.abs(own.sem[name]), np.abs(plain.sem[name]))
        rows = errors > 1e-12
        z = np.abs(value[rows] - plain.expect[name][rows]) / errors[rows]
        assert z.size and z.max() < 4.5
        if name not in own.efficiency:  # g2, which is 0/0 at first
            assert np.median(plain.sem[name][1:] / own.sem[name][1:]) > 1.1
            continue
        largest = [np.abs(r.sem[name]).max() for r in (plain, own)]
        gain = (largest[0] / largest[1]) ** 2
        assert gain > 1.3
        if value.ndim == 1 and not np.iscomplexobj(value):
            assert 0.6 < gain / own.efficiency[name] < 1.7
    assert ("sampling error as of" in repr(own)) == (min(own.efficiency.values()) > 1.5)


def test_errors_over_repeats_and_the_control():
    text, grid = text_of(crystal())
    _, times, _, dt = crystal()
    fitted = fit(text, times, Request(10**6, 1, True), Prepared(dt), 40_000, {})
    kernel = fitted.make(text, grid, single=True, batched=np.zeros(0, int))
    runs = [kernel.simulate(c, 1, 10**9, 7) for c in range(150)]
    mean, m2 = (np.stack([getattr(r, n)[0, 1:, 0] for r in runs]) for n in ("mean", "m2"))
    error = np.sqrt(m2 / (kernel.lanes - 1) / kernel.lanes)
    z = (mean - mean.mean(axis=0)) / error
    assert 0.8 < np.mean(z**2) < 1.2
    # with the sixteenth part of the trajectories and weights fitted on themselves, errors lie
    values, _, found, _ = kernel.trajectories(0, 99)
    y, F = values[-1, :, 0], found[: kernel.usable[-1]].T.astype(float)
    left = y - F @ np.linalg.lstsq(F, y - y.mean(), rcond=None)[0]
    assert left.std() < 0.1 * error.mean() * np.sqrt(kernel.lanes)


def test_same_bits_with_any_threads_a_file_and_a_checkpoint(controlled, tmp_path):
    assert solve(crystal(), controls=True, threads=1).digest() == controlled.digest()
    path = tmp_path / "run.nc"
    solve(crystal(), controls=True, ntraj=15_040, checkpoint=path)
    assert solve(crystal(), controls=True, checkpoint=path).digest() == controlled.digest()
    controlled.save(tmp_path / "kept.nc")
    again = wf.load(tmp_path / "kept.nc")
    assert again.efficiency == pytest.approx(controlled.efficiency)


@pytest.mark.slow
def test_two_runs_are_pooled(controlled):
    other = solve(crystal(), controls=True, seed=5)
    assert other.merge(controlled).sem["z"][-1] < 0.8 * controlled.sem["z"][-1]


def test_weights_are_part_of_what_a_checkpoint_belongs_to():
    digests = set()
    for weights in (None, np.zeros(3, np.float32), np.ones(3, np.float32)):
        kernel = ControlledKernel.__new__(ControlledKernel)
        kernel.kernel, kernel.weights = SimpleNamespace(digest="kernel"), weights
        digests.add(kernel.digest)
    assert len(digests) == 3


def test_a_target_takes_fewer_trajectories():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the time that 10^7 would take
        options = {"ntraj": 10**7, "dt": 0.6 / N, "target_sem": {"z": 0.02}}
        own, plain = (solve(crystal(), controls=c, **options) for c in (True, False))
    assert own.stats["stopped_because"] == "target_sem" and own.ntraj < plain.ntraj / 2
    assert own.stats["work"] > own.ntraj * own.stats["steps"]


def test_what_they_do_not_help_stays_as_it_is():
    model, times, e_ops, dt = crystal()
    atoms = model.subsystems[0]
    e_ops = {"z": e_ops["z"], "fast": atoms.Jy * atoms.Jx * atoms.Jz * atoms.Jy * atoms.Jx}
    own = solve((model, times, e_ops, dt), controls=True)
    assert own.efficiency["z"] > 2 and min(own.efficiency.values()) >= 1


def test_what_it_declines_runs_plain_and_says_so():
    short = solve(crystal(), ntraj=500, controls=True)
    assert "too short" in " ".join(short.stats["notes"])
    assert short.digest() == solve(crystal(), ntraj=500).digest()
    model, times, e_ops, dt = ring()
    spins = model.subsystems[0]
    model = wf.Model(model.H + 0.3 * spins[0].sz, model.jumps, initial={spins: wf.down})
    found = solve((model, times, e_ops, dt), ntraj=2000, controls=True)
    assert "not equal" in " ".join(found.stats["notes"])


def test_bad_arguments():
    with pytest.raises(ValueError, match="controls"):
        solve(crystal(), controls=True, variance="guided")
    with pytest.raises(ValueError, match="controls"):
        solve(crystal(), controls=True, method="mean-field")
    with pytest.raises(TypeError, match="controls"):
        solve(crystal(), controls=2)


@pytest.mark.parametrize("most", [3, 10, 40])
def test_windows_are_as_many_as_asked_for_and_about_equal(most):
    grid = Grid.make(np.array([0, 0.1, 0.5, 1.0]), 0.005)
    windows = Windows.of(grid, most)
    total = int(grid.nsteps.sum())
    lengths = np.diff(np.append(windows.steps, total))
    assert lengths.size == most and np.abs(lengths - total / most).max() <= total / most / 2 + 1
    assert int(windows.grid.nsteps.sum()) == total
    ends = np.concatenate([[0], np.cumsum(windows.grid.nsteps)])
    assert ends[windows.outputs].tolist() == [0, *np.cumsum(grid.nsteps)]
