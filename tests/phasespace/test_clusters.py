"""Clusters of spins: which go together, the model of clusters, where trajectories start."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.exact.engine import Exact
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.means import settle
from wignerflow.kernels.module import KernelText
from wignerflow.kernels.observe import Readout
from wignerflow.phasespace.clustering import Clustering

from ..kernels.lanes import LaneRun, one_step
from .twins import level_variables


def chain_model(J: np.ndarray, initial: wf.Model | None = None) -> tuple[wf.Spin, wf.Model]:
    """Spins with couplings J of neighbours, a field and loss."""
    chain = wf.Spin(name="chain", count=len(J) + 1)
    H = 0.5 * chain.sz.sum() + 0.3 * chain.sx.sum()
    for m, j in enumerate(J):
        H = H + j * (chain.sx[m] * chain.sx[m + 1] + 0.4 * chain.sy[m] * chain.sz[m + 1])
    states = [wf.bloch(0.3 * m, 0.2 * m) for m in range(chain.size)]
    return chain, wf.Model(H, [wf.Jump(chain.sm, 0.7)], initial={chain: states})


def test_clusters_grow_along_the_strongest_couplings():
    _, even = chain_model(np.ones(5))
    assert wf.ClusterTWA(size=1).clusters(even) == [[m] for m in range(6)]
    assert wf.ClusterTWA(size=2).clusters(even) == [[0, 1], [2, 3], [4, 5]]
    assert wf.ClusterTWA(size=3).clusters(even) == [[0, 1, 2], [3, 4, 5]]
    _, strong = chain_model(np.array([1, 2, 1, 2, 1.0]))
    assert wf.ClusterTWA(size=2).clusters(strong) == [[0], [1, 2], [3, 4], [5]]
    assert wf.ClusterTWA(size=3).clusters(strong) == [[0, 1, 2], [3, 4, 5]]


def test_spins_that_share_a_jump_are_coupled():
    chain = wf.Spin(name="chain", count=4)
    G = np.eye(4) + 0.5 * np.eye(4)[[2, 3, 0, 1]]
    model = wf.Model(chain.sx.sum(), [wf.Jump(chain.sm, G)], initial={chain: wf.down})
    assert wf.ClusterTWA(size=2).clusters(model) == [[0, 2], [1, 3]]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_model_of_clusters_has_the_exact_solution_of_the_spins(size):
    # both by the exact engine: operators, jumps and states were translated right
    chain, model = chain_model(np.array([1, 0.7, -0.4]))
    mode = wf.Mode(name="mode", cutoff=2)
    G = np.diag([0.3, 0.2, 0.4, 0.1]) + 0.1
    H = model.H + 0.4 * (chain.sp[1] * mode.a + chain.sm[1] * mode.adag)
    jumps = [*model.jumps, wf.Jump(chain.sz, G), wf.Jump(chain.sp, [0.1, 0.2, 0, 0.3])]
    jumps.append(wf.Jump(mode.a, 1.0))
    model = wf.Model(H, jumps, initial={**model.initial, mode: wf.vacuum})
    ops = {
        "z": chain.sz[2],
        "neighbours": chain.sx[0] * chain.sy[1],
        "across": chain.sx[1] * chain.sx[2],
        "three": chain.sx[0] * chain.sz[1] * chain.sy[3],
        "square": chain.sx.sum() * chain.sx.sum(),
        "field": mode.n,
    }
    clustering = Clustering(model, wf.ClusterTWA(size=size).clusters(model))
    t = np.linspace(0, 0.6, 3)
    spins = Exact("occupations").solve(model, t, ops)
    translated = {name: clustering.op(op) for name, op in ops.items()}
    found = Exact().solve(clustering.clustered(), t, translated)
    for name in ops:
        assert np.abs(found.expect[name] - spins.expect[name]).max() < 1e-7
        assert np.ptp(spins.expect[name]) > 1e-3


def test_a_rate_of_time_on_some_clusters_of_a_group():
    """Two arrays in clusters of one size, of which one decays, and more and more."""
    one, two = wf.Spin(name="one", count=2), wf.Spin(name="two", count=2)
    H = one.sx.sum() + one.sz[0] * one.sz[1] + two.sz[0] * two.sx[1]
    rate = wf.coef(lambda t: 0.5 + t)
    jumps = [wf.Jump(one.sm, rate), wf.Jump(two.sp, 0.3)]
    model = wf.Model(H, jumps, initial={one: wf.up, two: wf.down})
    ops = {"one": one.sz[1], "two": two.sz[0]}
    clustering = Clustering(model, [[0, 1], [2, 3]])
    t = np.linspace(0, 1, 3)
    spins = Exact("occupations").solve(model, t, ops)
    translated = {name: clustering.op(op) for name, op in ops.items()}
    found = Exact().solve(clustering.clustered(), t, translated)
    for name in ops:
        np.testing.assert_allclose(found.expect[name], spins.expect[name], atol=1e-6)
    assert abs(found.expect["one"][-1] - found.expect["one"][0]) > 0.3


def test_trajectories_start_as_products_of_discrete_draws():
    chain, model = chain_model(np.array([1.0, 0.5]))
    system, _ = wf.ClusterTWA(size=3).lower(model, {}, np.array([0.0, 1.0]))
    run = LaneRun(KernelText(system, []), one_step(0.1), 40_000)
    run.initial(3)
    R = run.state
    rho = np.eye(1)
    for state in model.initial[chain]:
        x, y, z = state.vector
        rho = np.kron(rho, np.array([[1 + z, x - 1j * y], [x + 1j * y, 1 - z]]) / 2)
    x = level_variables(8)
    mean = np.array([np.trace(rho @ a).real for a in x])
    error = np.sqrt(R.var(axis=1) / R.shape[1]) + 1e-9
    assert np.abs((R.mean(axis=1) - mean) / error).max() < 5
    assert np.abs((1.1 * R.mean(axis=1) - mean) / error).max() > 8
    off = np.array([0.5 if np.count_nonzero(a) == 1 else 1.0 for a in x])
    assert np.allclose((2 * off[:, None] * R**2).sum(axis=0), 8, rtol=1e-10)  # Tr R^2


def lanes_run(model, ops, t, dt, lanes, seed):
    """Means and errors of a run in NumPy lanes; means of its noise as in compiled runs."""
    system, symbols = wf.ClusterTWA(size=2).lower(model, ops, t)
    text = KernelText(system, [Readout(symbols[k], False) for k in ops])

    def make(grid, states):
        def simulate(first, chunks, ntraj, number, keep):
            run = LaneRun(text, grid, ntraj)
            if states is not None:
                run.v[:] = states[:ntraj].T.ravel()
            return SimpleNamespace(final=run.run(number, start=states is None)[-1][None])

        return SimpleNamespace(lanes=1024, simulate=simulate, compile_seconds=0.0)

    grid = Grid.make(t, dt)
    settle(text, grid, None, make, Grid.make)
    run, values = LaneRun(text, grid, lanes), []
    for state in run.run(seed):
        run.v[:] = state.ravel()
        run.s[:lanes] = 1
        values.append(run.observe())
    found = np.array(values)
    return found.mean(2).T, found.std(2).T / np.sqrt(lanes), system


@pytest.mark.slow
def test_a_driven_pair_with_correlated_decay_is_exact():
    pair = wf.Spin(name="pair", count=2)
    G = np.array([[1, 0.8], [0.8, 1]])
    model = wf.Model(pair.sx.sum(), [wf.Jump(pair.sm, G)], initial={pair: wf.down})
    ops = {"z": pair.sz.sum(), "zz": pair.sz[0] * pair.sz[1], "y": pair.sy[0]}
    t = np.linspace(0, 3, 7)
    found, error, system = lanes_run(model, ops, t, 0.02, 4000, 5)
    exact = np.array(list(Exact().solve(model, t, ops).expect.values()))
    assert np.abs((found - exact)[:, 1:] / error[:, 1:]).max() < 4.5
    # and the mean that the noise is made from is that of the master equation
    mean = system.local[0].shared
    assert mean is not None and mean.times[-1] > 3 - 1e-6
    z = (np.kron(np.diag([1, -1]), np.eye(2)) + np.kron(np.eye(2), np.diag([1, -1]))).diagonal()
    populations = mean.values[:, 0, [0, 3, 8, 15]] @ z
    assert np.abs(np.interp(t, mean.times, populations) - exact[0]).max() < 0.15
    wrong = np.array(list(Exact().solve(
        wf.Model(pair.sx.sum(), [wf.Jump(pair.sm, 1.0)], initial={pair: wf.down}), t, ops
    ).expect.values()))  # fmt: skip
    assert np.abs((found - wrong)[:, 1:] / error[:, 1:]).max() > 4.5


BAD = {
    "size": (lambda m: wf.ClusterTWA(size=4), "be at most 3"),
    "zero": (lambda m: wf.ClusterTWA(size=0), "at least 1"),
    "misses": (lambda m: wf.ClusterTWA(2, [[0, 1]]).clusters(m), r"one without chain\[2\]"),
    "repeats": (lambda m: wf.ClusterTWA(2, [[0, 1], [1, 2]]).clusters(m), r"chain\[1\] in clust"),
    "twice": (lambda m: wf.ClusterTWA(2, [[0, 0], [1], [2], [3]]).clusters(m), "name every spin"),
    "unknown": (lambda m: wf.ClusterTWA(2, [[0, 7]]).clusters(m), "spins of the model"),
    "many": (lambda m: wf.ClusterTWA(3, [[0, 1, 2, 3]]).clusters(m), "hold 1 to 3 spins"),
    "flat": (lambda m: wf.ClusterTWA(2, [0, 1]).clusters(m), "be a list of spins"),
    "none": (lambda m: wf.ClusterTWA(2, [[0, 1], [], [2, 3]]), "hold 1 to 3 spins"),
    "name": (lambda m: wf.ClusterTWA(2, [["chain[9]"]]).clusters(m), "spins of the model"),
    "kind": (lambda m: wf.ClusterTWA(2, [[1.5]]), "members such as"),
    "text": (lambda m: wf.ClusterTWA(2, "01").clusters(m), "list of lists"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_partitions_are_refused(case):
    _, model = chain_model(np.ones(3))
    make, message = BAD[case]
    with pytest.raises((ValueError, TypeError), match=message):
        make(model)


def test_a_partition_of_members_is_taken():
    chain, model = chain_model(np.ones(3))
    partition = [[chain[0], chain[3]], [chain[1]], [chain[2]]]
    method = wf.ClusterTWA(partition=partition)
    assert method.clusters(model) == [[0, 3], [1], [2]]
    plain = method.options(model)
    assert plain == {"partition": [["chain[0]", "chain[3]"], ["chain[1]"], ["chain[2]"]]}
    assert wf.ClusterTWA(**plain).clusters(model) == method.clusters(model)


def test_unnamed_spins_are_told_apart():
    one, two = wf.Spin(count=2), wf.Spin(count=2)
    H = one.sx.sum() + wf.couple(two.sx, [[0, 1], [1, 0]], two.sx)
    model = wf.Model(H, initial={one: wf.down, two: wf.down})
    method = wf.ClusterTWA(partition=[[one[0], two[1]], [two[0]], [one[1]]])
    assert method.clusters(model) == [[0, 3], [1], [2]]
    assert wf.ClusterTWA(**method.options(model)).clusters(model) == [[0, 3], [1], [2]]


def test_numbers_need_one_array_of_spins():
    one, two = wf.Spin(name="one"), wf.Spin(name="two")
    model = wf.Model(one.sx * two.sx, initial={one: wf.down, two: wf.down})
    assert wf.ClusterTWA(partition=[[two, one]]).clusters(model) == [[1, 0]]
    with pytest.raises(TypeError, match="has not one array of spins"):
        wf.ClusterTWA(partition=[[0, 1]]).clusters(model)


@pytest.mark.slow
def test_a_run_by_name_and_one_from_a_file_are_the_same(tmp_path):
    chain, model = chain_model(np.ones(3))
    ops, t = {"z": chain.sz.sum()}, np.linspace(0, 0.5, 3)
    options = {"e_ops": ops, "ntraj": 128, "seed": 3, "dt": 0.1, "progress": False}
    named = wf.solve(model, t, method="cluster-twa", **options)
    split = [[chain[0], chain[2]], [chain[3], chain[1]]]
    other = wf.solve(model, t, method=wf.ClusterTWA(partition=split), **options)
    assert np.abs(named.expect["z"] - other.expect["z"]).max() > 1e-3
    for result in (named, other):
        result.save(tmp_path / "run.nc")
        again = wf.load(tmp_path / "run.nc").rerun()
        assert np.array_equal(again.expect["z"], result.expect["z"])


def test_one_value_per_spin_is_refused():
    chain, model = chain_model(np.ones(3))
    with pytest.raises(ValueError, match="take its sum"):
        wf.solve(model, [0, 1], e_ops={"z": chain.sz}, method=wf.ClusterTWA(), ntraj=64)


def test_steps_to_the_mean_follow_the_rates_of_a_cluster():
    from wignerflow.bench.accuracy import models

    steps = {}
    chain, model, last, _ = models()["Ising chain with loss"]
    for k in (1, 2, 3):
        system, _ = wf.ClusterTWA(size=k).lower(model, {"z": chain.sz.sum()}, [0, last])
        steps[k] = system.local[0].shared.step
    # loss of k in all, and twice what turns k spins: fields of 0.5 and bonds of one
    expected = {k: 0.2 / (k + 2 * (0.5 * k + k + (k < 3))) for k in steps}
    assert all(abs(steps[k] / expected[k] - 1) < 1e-6 for k in steps), steps
    fast = wf.Model(30 * model.H, model.jumps, initial={chain: wf.down})
    system, _ = wf.ClusterTWA(size=3).lower(fast, {"z": chain.sz.sum()}, [0, 0.1])
    assert abs(0.2 / (3 + 30 * 9) / system.local[0].shared.step - 1) < 1e-6


def clusters_and_levels() -> tuple[wf.Spin, wf.Levels, wf.Model]:
    s, atoms = wf.Spin(name="s", count=2), wf.Levels(3, ["g", "e", "f"], name="atoms")
    swap = atoms.op("g", "e")
    H = 0.3 * s.sx.sum() + 0.2 * wf.couple(s.sz, wf.NearestNeighbour(), s.sz)
    H = H + 0.2 * s.sz.sum() * (swap + swap.dag())
    jumps = [wf.Jump(s.sm, 0.5), wf.LocalJump(atoms.one("g", "e"), 0.5)]
    jumps.append(wf.LocalJump(atoms.one("e", "f"), 0.5))
    return s, atoms, wf.Model(H, jumps, initial={s: wf.up, atoms: wf.level("f")})


def test_clusters_share_their_mean_beside_emitters_with_levels_of_their_own():
    _, _, model = clusters_and_levels()
    system, _ = wf.ClusterTWA(size=2).lower(model, {}, [0, 1])
    shared = {system.blocks[step.block].name: step.shared is not None for step in system.local}
    assert shared == {"clusters of 2": True, "atoms": False}


@pytest.mark.slow
def test_clusters_stand_beside_emitters_with_levels():
    s, atoms, model = clusters_and_levels()
    ops, t = {"z": s.sz.sum() / 2, "e": atoms.pop("e") / 3}, np.linspace(0, 3, 4)
    options = {"truncation": False, "progress": False}
    exact = wf.solve(model, t, e_ops=ops, method="exact", **options).expect
    run = wf.solve(
        model, t, e_ops=ops, method=wf.ClusterTWA(), ntraj=2000, seed=1, dt=0.1, **options
    )
    for name in ops:
        assert np.abs(run.expect[name] - exact[name]).max() < 0.06
