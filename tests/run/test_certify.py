"""Error budgets: the fit finds known power laws, and the budget covers the true error."""

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.analysis.certify import _sampled_as, extrapolate
from wignerflow.analysis.certify_clusters import expected


def decay(N):
    """Superradiant decay with rates that keep the time scale."""
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1 / N), wf.LocalJump(atoms.sm, 0.2)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    return model, {"inversion": atoms.Jz, "emission": atoms.Jp * atoms.Jm}


def test_fit_of_a_power_law():
    sizes = np.array([6, 8, 12, 16, 24, 32])
    points = [(int(n), 3 * n**-1.5, 1e-5) for n in sizes]
    value, factor, power = extrapolate(points, 1000)
    assert value == pytest.approx(3 * 1000**-1.5) and power == pytest.approx(1.5)
    assert 1.1 < factor < 2
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        noisy = [(n, d * np.exp(0.15 * rng.normal()), e) for n, d, e in points]
        value, factor, _ = extrapolate(noisy, 1000)
        inside += abs(np.log(value / (3 * 1000**-1.5))) < np.log(factor)
    assert 110 < inside < 180  # about 68 % of 200; more, as scatter only widens it


def test_small_sizes_start_as_the_one_asked_for():
    model, _ = decay(1000)
    assert _sampled_as(model, "twa").sampling == "fixed"
    assert _sampled_as(model, wf.TWA(sampling="gaussian")).sampling == "gaussian"
    assert _sampled_as(decay(8)[0], "twa") == "twa"  # Gaussian, as at every smaller size
    assert _sampled_as(model, "mean-field") == "mean-field"


def test_what_does_not_stand_out_is_a_bound():
    value, factor, power = extrapolate([(8, 1e-2, 1e-3), (16, 1e-3, 1e-3), (32, 2e-3, 1e-3)], 100)
    assert (value, factor, power) == (pytest.approx(4e-3), 1.0, None)


def test_budget_covers_the_true_error():
    tlist = np.linspace(0, 8, 9)
    budget = wf.certify(decay, tlist, N=48, small=[6, 8, 12, 16], ntraj=2000)
    text = str(budget)
    assert "truncation" in text and "N = 6, 8, 12, 16" in text and "emission" in text
    model, e_ops = decay(48)
    exact = wf.solve(model, tlist, e_ops=e_ops, method="exact")
    found = wf.solve(model, tlist, e_ops=e_ops, ntraj=50_000, seed=5, progress=False)
    for name, line in budget.lines.items():
        scale = np.abs(exact.expect[name]).max()
        true = np.abs(found.expect[name] - exact.expect[name]).max() / scale
        noise = 4 * found.sem[name].max() / scale
        assert line.exponent is None or 0.5 < line.exponent < 3
        assert true < line.truncation * line.uncertainty**2 + line.step + noise
        sem = wf.solve(model, tlist, e_ops=e_ops, ntraj=2000, seed=6, progress=False).sem[name]
        assert line.sampling == pytest.approx(sem.max() / scale, rel=0.2)
        assert line.total >= max(line.truncation, line.sampling, line.step)


def test_step_is_a_bound_also_where_the_pilot_saw_no_difference():
    tlist = np.linspace(0, 8, 9)
    budget = wf.certify(decay, tlist, N=48, small=[6, 8], ntraj=2000, small_ntraj=2000)
    model, e_ops = decay(48)
    runs = [wf.solve(model, tlist, e_ops=e_ops, ntraj=50_000, seed=3, progress=False)]
    assert 0 < runs[0].stats["step_difference_sem"]
    fine = runs[0].dt / 16
    runs.append(wf.solve(model, tlist, e_ops=e_ops, dt=fine, ntraj=50_000, seed=4, progress=False))
    for name, line in budget.lines.items():
        scale = np.abs(runs[1].expect[name]).max()
        change = np.abs(runs[0].expect[name] - runs[1].expect[name]).max() / scale
        noise = np.hypot(runs[0].sem[name], runs[1].sem[name]).max() / scale
        assert 0 < line.step < 0.1 and change < line.step + 4 * noise
    assert "step checked" not in str(budget) and f"< {line.step:.2g}" in str(budget)


def test_step_without_noise_bounds_the_true_error():
    def driven(N):
        atoms = wf.Ensemble(N, name="atoms")
        jumps = [wf.Jump(atoms.Jm, 1 / N), wf.LocalJump(atoms.sm, 0.2)]
        model = wf.Model(1.5 * atoms.Jx, jumps, initial={atoms: wf.up})
        return model, {"inversion": atoms.Jz}

    tlist = np.linspace(0, 8, 9)
    budget = wf.certify(driven, tlist, N=100, small=[4, 6], method="mean-field")
    model, e_ops = driven(100)
    coarse = wf.solve(model, tlist, e_ops=e_ops, method="mean-field")
    fine = wf.solve(model, tlist, e_ops=e_ops, method="mean-field", dt=coarse.dt / 64)
    scale = np.abs(fine.expect["inversion"]).max()
    error = np.abs(coarse.expect["inversion"] - fine.expect["inversion"]).max() / scale
    assert error < budget.lines["inversion"].step < 1e-6


SMALL = {"small": [4, 6], "ntraj": 64, "small_ntraj": 64}


def fast(N):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1 / N), wf.LocalJump(atoms.sm, 0.2)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    return model, {"inversion": atoms.Jz, "g2": wf.g2(atoms.Jm)}


@pytest.mark.slow
def test_what_the_step_covers_is_said():
    budget = wf.certify(fast, [0, 1, 3000, 6000], N=100, **SMALL)
    until = budget.until
    # a pilot of the whole time leaves nothing to say
    assert (until is not None) == ("step checked up to" in str(budget))
    assert until is None or f"step checked up to t = {until:g} only" in str(budget)
    assert np.isfinite(budget.lines["g2"].step) and np.isfinite(budget.lines["g2"].total)


def test_a_step_that_was_given_is_unchecked_and_one_that_is_none_has_no_error():
    given = wf.certify(fast, [0, 1], N=100, dt=0.05, **SMALL)
    assert np.isnan(given.lines["inversion"].step) and "unchecked" in str(given)
    cumulant = wf.certify(fast, [0, 1], N=100, method="cumulant", **SMALL)
    assert cumulant.lines["inversion"].step == 0


def test_refusals():
    model, _ = decay(10)
    with pytest.raises(TypeError, match="a function N -> model, because"):
        wf.certify(model, [0, 1], e_ops=lambda model: {})
    with pytest.raises(TypeError, match="`N` must be the size to be certified, such as N=1000"):
        wf.certify(decay, [0, 1])
    with pytest.raises(TypeError, match="because how rates scale with N is not in one model"):
        wf.certify(model, [0, 1], N=100)
    with pytest.raises(TypeError, match="`e_ops` must be a function of the model"):
        wf.certify(lambda N: decay(N)[0], [0, 1], {"z": 1}, N=100)
    with pytest.raises(ValueError, match="two smaller sizes"):
        wf.certify(decay, [0, 1], N=7)
    with pytest.raises(ValueError, match="at least two sizes"):
        wf.certify(decay, [0, 1], N=100, small=[8])


# ---------------------------------------------------------------- clusters


def ising():
    """A transverse Ising chain of four with loss, and its bonds."""
    chain = wf.Spin(name="chain", count=4)
    near = wf.NearestNeighbour()
    H = 0.5 * wf.couple(chain.sx, near, chain.sx) + 0.5 * chain.sz.sum()
    model = wf.Model(H, [wf.Jump(chain.sm, 1.0)], initial={chain: wf.down})
    return model, {"zz": wf.couple(chain.sz, near, chain.sz) / 6, "z": chain.sz.sum() / 4}


@pytest.mark.slow
def test_growing_clusters_show_the_error_without_an_exact_answer():
    model, ops = ising()
    t = np.linspace(0, 4, 9)
    found = wf.certify(model, t, ops, clusters=(1, 2), ntraj=3000, dt=0.1, progress=False)
    assert isinstance(found, wf.ClusterCertificate) and list(found.results) == [1, 2]
    exact = wf.solve(model, t, e_ops=ops, method="exact", progress=False)
    for name, line in found.lines.items():
        scale = np.abs(found.results[2].expect[name]).max()
        one, two = (
            np.abs(found.results[k].expect[name] - exact.expect[name]).max() / scale for k in (1, 2)
        )
        ((a, b, change, error),) = line.changes
        assert (a, b) == (1, 2) and error < change < one + 3 * error
        assert two < line.truncation + 4 * line.sampling
        assert line.truncation <= line.total and np.isnan(line.step)
    # the control: what is certified of pairs does not hold of single spins
    line, name = found.lines["zz"], "zz"
    one = np.abs(found.results[1].expect[name] - exact.expect[name]).max()
    assert one > 0.8 * line.truncation * np.abs(found.results[2].expect[name]).max()
    text = str(found)
    assert "k = 1 to 2" in text and "unchecked" in text and "zz" in text


def test_changes_of_clusters_that_sampling_hides_are_bounds_and_no_warning():
    """Both of a blockaded pair are hardly ever excited: what is there is sampling noise."""
    V = np.array([[0, 0.1, 0], [0.1, 0, 6], [0, 6, 0]])
    atoms = wf.Spin(name="atoms", count=3)
    H = 0.5 * atoms.sx.sum() + 0.125 * wf.couple(atoms.sz, V, atoms.sz)
    H = H + 0.25 * (V.sum(axis=1) * atoms.sz).sum()
    model = wf.Model(H, [wf.Jump(atoms.sm, 0.1)], initial={atoms: wf.down})
    one, two = (0.5 + 0.5 * atoms.sz[m] for m in (1, 2))
    ops = {"share": 0.5 + atoms.sz.sum() / 6, "both": one * two}
    with pytest.warns(wf.AccuracyWarning, match="'share'"):
        found = wf.certify(
            model, [0, 2, 4], ops, clusters=(1, 2), ntraj=300, seed=1, dt=0.05, progress=False
        )
    both, share = found.lines["both"], found.lines["share"]
    _, _, change, error = both.changes[-1]
    assert share.resolved and not both.resolved and change <= 2 * error == both.truncation
    assert f"< {both.truncation:.2g}" in str(found)
    assert [n for n in found.notes if "not resolved by sampling" in n and "'both'" in n]
    assert not [n for n in found.notes if "not resolved" in n and "'share'" in n]


def test_the_error_of_clusters_that_do_not_converge_is_all_that_they_changed():
    falling = [(1, 2, 0.2, 0.01), (2, 3, 0.06, 0.01)]
    assert expected(falling) == 0.06
    assert expected(falling[:1]) == 0.2
    assert expected([(1, 2, 0.06, 0.01), (2, 3, 0.05, 0.01)]) == pytest.approx(0.11)
    assert expected([(1, 2, 0.01, 0.02), (2, 3, 0.01, 0.02)]) == 0.04  # hidden by sampling
    # less than half, as may be by chance
    assert expected([(1, 2, 0.2, 0.02), (2, 3, 0.09, 0.02)]) == pytest.approx(0.29)


@pytest.mark.slow
def test_a_lattice_on_which_clusters_do_not_help_says_so():
    """Two rows of three XYZ spins: larger clusters are worse, by more than the last change."""
    spins = wf.Spin(name="spins", count=6)
    at = np.array([(k % 3, k // 3) for k in range(6)])
    near = (np.abs(at[:, None] - at).sum(axis=2) == 1).astype(float)
    H = sum(
        J / 2 * wf.couple(op, near, op)
        for J, op in ((0.9, spins.sx), (1.2, spins.sy), (1.0, spins.sz))
    )
    model = wf.Model(H, [wf.Jump(spins.sm, 1.0)], initial={spins: wf.bloch(0.6, 0.3)})
    t, ops = np.linspace(0, 6, 7), {"z": spins.sz.sum() / 6}
    options = {"ntraj": 1500, "seed": 1, "dt": 0.05, "progress": False}  # 0.49 of the change before
    found = wf.certify(model, t, ops, clusters=(1, 2, 3), **options)
    exact = wf.solve(model, t, e_ops=ops, method="exact", progress=False).expect["z"]
    line, run = found.lines["z"], found.results[3]
    true = np.abs(run.expect["z"] - exact).max() / np.abs(run.expect["z"]).max()
    assert true > 0.08
    assert line.changes[-1][2] < 0.7 * true < line.truncation + 2 * line.sampling


def test_refusals_of_clusters():
    model, ops = ising()
    free = wf.Spin(name="free", count=3)
    alone = wf.Model(free.sx.sum(), initial={free: wf.down})
    for bad, match in (
        ({"clusters": (2, 1)}, "ascending"),
        ({"clusters": (2,)}, "at least two sizes"),
        ({"clusters": (1, 4)}, "at most 3"),
        ({"clusters": "12"}, "list of sizes"),
        ({"clusters": (1, 2), "N": 4}, "be left out with `clusters`"),
        ({"clusters": (1, 2), "method": "exact"}, "be left out with `clusters`"),
    ):
        with pytest.raises((ValueError, TypeError), match=match):
            wf.certify(model, [0, 1], ops, **bad)
    with pytest.raises(TypeError, match=r"`model` must be a wf\.Model"):
        wf.certify(decay, [0, 1], ops, clusters=(1, 2))
    with pytest.raises(ValueError, match="make different clusters"):
        wf.certify(alone, [0, 1], {"z": free.sz.sum()}, clusters=(1, 2))
    atoms = wf.Ensemble(3)
    with pytest.raises(ValueError, match="`model` must have single spins"):
        wf.certify(wf.Model(atoms.Jx, initial={atoms: wf.up}), [0, 1], [atoms.Jz], clusters=(1, 2))
