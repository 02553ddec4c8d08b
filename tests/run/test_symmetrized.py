"""Averages over symmetries in runs: the same means, smaller errors that are honest."""

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.solving import symmetrized

M, TIMES = 6, np.linspace(0, 2, 5)
QUIET = {"progress": False, "truncation": False, "dt": 0.05}


def ring(periodic=True):
    spins = wf.Spin(count=M, name="ring")
    bonds = wf.couple(spins.sz, wf.NearestNeighbour(periodic=periodic), spins.sz)
    jumps = [wf.Jump(spins.sm, 0.4), wf.Jump(spins.sz, 0.2)]
    model = wf.Model(0.5 * bonds + spins.sx.sum(), jumps, initial={spins: wf.down})
    e_ops = {
        "sites": spins.sz,
        "one": spins[2].sz,
        "neighbours": spins[0].sz * spins[1].sz,
        "complex": spins.sm,
        "g": wf.Coherence(spins.sm, pairs=[(0, 1), (1, 2)]),
    }
    return model, e_ops


def solve(periodic=True, **options):
    model, e_ops = ring(periodic)
    return wf.solve(model, TIMES, e_ops=e_ops, **{"seed": 1, "ntraj": 4096, **QUIET, **options})


@pytest.fixture(scope="module")
def averaged():
    return solve()


@pytest.fixture(scope="module")
def plain():
    return solve(ntraj=65_536, seed=2, symmetrize=False)


def test_means_are_those_without(averaged, plain):
    assert "translation of ring" in " ".join(averaged.stats["notes"])
    assert "symmetries" not in str(plain.stats["notes"])
    for name, value in averaged.expect.items():
        errors = np.hypot(np.abs(averaged.sem[name]), np.abs(plain.sem[name]))[1:]
        z = np.abs(value[1:] - plain.expect[name][1:]) / np.maximum(errors, 1e-9)
        assert z.max() < 4.5
    assert np.ptp(averaged.expect["sites"], axis=1).max() < 1e-12
    assert averaged.expect["one"] == pytest.approx(averaged.expect["sites"][:, 0], abs=1e-6)


def test_efficiency_counts_what_averages_save(averaged, plain):
    """Of entries averaged after the run; of those averaged before it that is not known."""
    gain = (4 * plain.sem["sites"].max() / averaged.sem["sites"].max()) ** 2
    assert averaged.efficiency["sites"] == pytest.approx(gain, rel=0.4)
    assert averaged.efficiency["sites"] > 0.5 * M and averaged.efficiency["one"] == 1
    assert set(plain.efficiency.values()) == {1.0}


def test_two_equal_members_are_exchanged():
    spins = wf.Spin(count=2, name="pair")
    bond = spins[0].sz * spins[1].sz
    for H, found in ((bond, {2: False}), (bond + 0.3 * spins[0].sz, {})):
        model = wf.Model(H + spins.sx.sum(), [wf.Jump(spins.sm, 0.4)], initial={spins: wf.down})
        assert symmetrized.equal_members(model) == found


def test_errors_are_smaller_by_the_number_of_members(averaged, plain):
    for name in ("sites", "one", "neighbours"):
        plainly = plain.sem[name][1:] * 4  # for as many trajectories
        gain = np.mean(plainly**2) / np.mean(averaged.sem[name][1:] ** 2)
        assert 0.5 * M < gain < 2 * M
        assert averaged.std[name][1:].max() < 0.8 * plain.std[name][1:].max()


def test_a_chain_without_ends_alike_is_left_alone():
    model, e_ops = ring(periodic=False)
    spins = model.subsystems[0]
    model = wf.Model(model.H + 0.1 * spins[0].sz, model.jumps, initial={spins: wf.down})
    runs = [
        wf.solve(model, TIMES, e_ops=e_ops, seed=1, ntraj=256, symmetrize=s, **QUIET)
        for s in (True, False)
    ]
    assert runs[0].digest() == runs[1].digest()
    assert "symmetries" not in str(runs[0].stats["notes"])


def test_errors_over_many_repeats_and_the_control():
    """Mean square of (mean of a repeat - mean of all)/sem, entries of arrays and operators."""
    runs = [solve(seed=s, ntraj=256) for s in range(60)]
    values = {n: np.stack([r.expect[n][1:].real for r in runs]) for n in ("sites", "one")}
    errors = {n: np.stack([r.sem[n][1:] for r in runs]) for n in ("sites", "one")}

    def square(n):
        return float(np.mean(((values[n] - values[n].mean(axis=0)) / errors[n]) ** 2))

    for name, ideal in (("sites", 31 / 29), ("one", 1.0)):  # 240 values, about 60 independent
        assert 0.6 < square(name) / ideal < 1.5
    # as if the members of one trajectory were independent trajectories
    errors["sites"] = errors["sites"] * np.sqrt(M)
    assert square("sites") < 0.5


def test_pooled_kept_and_repeated(averaged, tmp_path):
    other = solve(seed=9)
    both = averaged.merge(other)
    assert both.sem["sites"][-1] == pytest.approx(averaged.sem["sites"][-1] / np.sqrt(2), rel=0.3)
    both.save(tmp_path / "both.nc")
    again = wf.load(tmp_path / "both.nc")
    assert np.array_equal(again.sem["sites"], both.sem["sites"])
    assert averaged.rerun().digest() == averaged.digest()
    raw = solve(symmetrize=False)
    assert raw.rerun().digest() == raw.digest() != averaged.digest()


def test_a_checkpoint_continues_to_the_same_bits(averaged, tmp_path):
    path = tmp_path / "run.nc"
    solve(ntraj=1024, checkpoint=path)
    assert wf.load(path).ntraj == 1024
    assert solve(checkpoint=path).digest() == averaged.digest()


def test_a_target_counts_averages():
    few = solve(ntraj=10**6, target_sem={"sites": 0.004})
    many = solve(ntraj=10**6, target_sem={"sites": 0.004}, symmetrize=False)
    assert few.ntraj < many.ntraj / (M / 2)


def test_the_steady_state_too():
    model, e_ops = ring()
    options = {"ntraj": 256, "seed": 3, "truncation": False, "dt": 0.05}
    own = wf.steady_state(model, {"sites": e_ops["sites"], "one": e_ops["one"]}, **options)
    plain = wf.steady_state(
        model, {"sites": e_ops["sites"], "one": e_ops["one"]}, symmetrize=False, **options
    )
    assert np.ptp(own.expect["sites"]) < 1e-12 and "translation" in own.stats["notes"][0]
    for name in own.expect:
        off = np.abs(own.expect[name] - plain.expect[name])
        assert np.all(off < 4.5 * np.hypot(own.sem[name], plain.sem[name]))
    assert np.mean(own.sem["sites"]) < 0.7 * np.mean(plain.sem["sites"])


def test_arrays_too_large_for_batches_are_left(monkeypatch):
    monkeypatch.setattr(symmetrized, "MEMORY", 1000)
    found = solve(ntraj=256)
    assert np.ptp(found.expect["sites"], axis=1).max() > 1e-3
    assert found.sem["one"][-1] < 0.7 * found.sem["sites"][-1, 0]


def test_bad_arguments():
    with pytest.raises(TypeError, match="symmetrize"):
        solve(symmetrize="mirror")
