"""Runs that start from kept samples: the same statistics as one run, and no shared noise."""

import copy

import numpy as np
import pytest

import wignerflow as wf

from . import cases
from .test_checkpoint import stopped

T1, T2 = np.linspace(0, 0.4, 3), np.linspace(0.4, 1, 4)
NTRAJ = 4000


def scores(one, two):
    """Differences of two results at their common times, in standard errors."""
    out = []
    for name in one.expect:
        a = np.searchsorted(one.times, two.times - 1e-9)
        difference = one.expect[name][a] - two.expect[name]
        for part in ("real", "imag"):
            error = np.hypot(np.real(getattr(one.sem[name][a], part)), getattr(two.sem[name], part))
            value = getattr(difference, part)
            out.append((value[error > 0] / error[error > 0]).ravel())
    return np.concatenate(out)


@pytest.mark.parametrize(
    "case", ["laser", *(pytest.param(case, marks=pytest.mark.slow) for case in ("chain", "cavity"))]
)
def test_two_runs_are_as_good_as_one(case):
    first = cases.solve(case, T1, ntraj=NTRAJ, keep="final")
    second = cases.solve(case, T2, ntraj=NTRAJ, start=first, seed=4)
    for name in first.expect:
        assert second.expect[name][0] == pytest.approx(first.expect[name][-1], rel=1e-12)
        assert second.sem[name][0] == pytest.approx(first.sem[name][-1], rel=1e-9)
    whole = cases.solve(case, np.union1d(T1, T2), ntraj=NTRAJ, seed=5)
    assert np.abs(scores(whole, second)).max() < 4.5
    # negative control: the model's own initial state at the later time
    other = cases.solve(case, T2, ntraj=NTRAJ, seed=4)
    assert np.abs(scores(whole, other)).max() > 20


def test_noise_is_new():
    """Free diffusion: increments of the two runs are uncorrelated; with one seed, the same."""
    spin = wf.Ensemble(1000, name="spin")
    model = wf.Model(jumps=[wf.Jump(spin.Jz, 0.05)], initial={spin: wf.bloch(np.pi / 2, 0)})
    options = dict(e_ops={"y": spin.Jy}, ntraj=2000, dt=0.1, keep="final", precision="double")
    first = wf.solve(model, [0, 1], seed=1, **options)
    second = wf.solve(model, [0, 1], seed=2, start=first, **options)

    def angle(result):
        return np.arctan2(result.final[:, 1], result.final[:, 0])

    turned = (angle(second) - angle(first) + np.pi) % (2 * np.pi) - np.pi
    assert abs(np.corrcoef(angle(first), turned)[0, 1]) < 4 / np.sqrt(2000)
    # the refused seed would have repeated the noise: seen with a start that does not know its seed
    first.seed = 3
    first.provenance["seed"] = 3
    repeated = wf.solve(model, [0, 1], seed=1, start=first, **options)
    turned = (angle(repeated) - angle(first) + np.pi) % (2 * np.pi) - np.pi
    assert np.corrcoef(angle(first), turned)[0, 1] > 0.9


@pytest.fixture(scope="module")
def first():
    return cases.solve("laser", T1, ntraj=1000, keep="final")


def test_refused(first):
    def solve(**options):
        return cases.solve("laser", T2, **({"seed": 4, "start": first} | options))

    with pytest.raises(ValueError, match=r"`ntraj` must be at most 1000, the samples of `start`"):
        solve(ntraj=1001)
    with pytest.raises(ValueError, match="`seed` must differ from those of the runs"):
        solve(seed=3)
    third = solve(start=solve(keep="final"), seed=5)
    assert third.provenance["start"]["seeds"] == [3, 4]
    with pytest.raises(ValueError, match="`seed` must differ"):
        solve(start=solve(keep="final"), seed=3)
    with pytest.raises(ValueError, match="keep='final'"):
        solve(start=cases.solve("laser", T1))
    with pytest.raises(TypeError, match="`start` must be a Result"):
        solve(start=first.final)
    with pytest.raises(ValueError, match="`start` must be of the method"):
        solve(method=wf.TWA(form="rotor"))
    with pytest.raises(ValueError, match="`start` must be None for a method without"):
        solve(method="mean-field")
    with pytest.raises(ValueError, match=r"`start` must be of the subsystems .*99.*100"):
        model, e_ops = cases.laser(99)
        wf.solve(model, T2, e_ops=e_ops, start=first, seed=4)
    with pytest.raises(ValueError, match="`other` must hold trajectories from the model's"):
        third.merge(cases.solve("laser", T2, seed=6))
    with pytest.raises(ValueError, match="started from the samples of another run"):
        third.rerun()


def test_devices(first, monkeypatch):
    """Only the CPU starts from samples; "auto" says so."""
    monkeypatch.setattr("wignerflow.kernels.card.unavailable", lambda: None)
    options = dict(start=first, seed=4, ntraj=128)
    with pytest.raises(ValueError, match="`device` must be 'cpu' or 'auto' with `start`"):
        cases.solve("laser", T2, device="cuda", **options)
    result = cases.solve("laser", T2, device="auto", **options)
    assert any("kept samples" in note for note in result.stats["notes"])


def test_from_a_file_and_interrupted(first, tmp_path, monkeypatch):
    first.save(tmp_path / "first.nc")
    loaded = wf.load(tmp_path / "first.nc")
    whole = cases.solve("laser", start=first, seed=4)
    assert cases.solve("laser", start=loaded, seed=4, threads=1).digest() == whole.digest()
    path = tmp_path / "run.nc"
    stopped(path, monkeypatch, case="laser", start=first, seed=4)
    other = cases.solve("laser", T1, ntraj=1000, keep="final", seed=8)
    for start in (other, None):
        with pytest.raises(ValueError, match="a run with another start"):
            cases.solve("laser", checkpoint=path, start=start, seed=4)
    assert cases.solve("laser", checkpoint=path, start=first, seed=4).digest() == whole.digest()


def test_the_step_is_checked_on_the_samples(first):
    """From the pilot: a trajectory that failed does not spoil it, and is counted as failed."""
    first = copy.copy(first)
    first.final = first.final.copy()
    first.final[7] = np.nan
    with pytest.warns(UserWarning, match="1 of 1000 trajectories became non-finite"):
        result = cases.solve("laser", T2, start=first, seed=4, dt=None)
    assert result.stats["failed"] == 1 and "by a pilot" in result.stats["step_choice"]
    plain = cases.solve("laser", T2, seed=4, dt=None)
    assert result.stats["step_difference_sem"] != plain.stats["step_difference_sem"]
