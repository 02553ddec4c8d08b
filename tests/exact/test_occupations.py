"""Occupation numbers of |a><b| against brute force, and against the engines for two levels."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import wignerflow as wf
from wignerflow.exact import runs
from wignerflow.exact.boxes import compositions
from wignerflow.exact.engine import Exact
from wignerflow.exact.occupations import Occupations
from wignerflow.exact.solution import TooLarge

D, N = 3, 3


def unit(a: int, b: int) -> np.ndarray:
    return np.eye(D)[:, [a]] @ np.eye(D)[[b]]


def embedded(A: np.ndarray, n: int) -> np.ndarray:
    return np.kron(np.kron(np.eye(D**n), A), np.eye(D ** (N - n - 1)))


def collective(A: np.ndarray) -> np.ndarray:
    return sum(embedded(A, n) for n in range(N))


def brute_force(H, channels, rho, t):
    """Density matrices of 3^3 states at the times t; H and rates are functions of time."""
    size = len(rho)

    def slope(now, y):
        q = y.reshape(size, size)
        out = -1j * (H(now) @ q - q @ H(now))
        for rate, L in channels:
            half = L.conj().T @ L @ q
            out = out + rate(now) * (L @ q @ L.conj().T - half / 2 - half.conj().T / 2)
        return out.ravel()

    run = solve_ivp(slope, (t[0], t[-1]), rho.ravel(), "DOP853", t, rtol=1e-11, atol=1e-13)
    return [y.reshape(size, size) for y in run.y.T]


def random_matrices(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [(rng.normal(size=(D, D)) + 1j * rng.normal(size=(D, D))) / 2 for _ in range(count)]


def test_a_random_model_of_three_levels_agrees_with_brute_force():
    A, B, L, local, g = random_matrices(5)
    r = g @ g.conj().T / np.trace(g @ g.conj().T).real
    atoms = wf.Levels(N, ["g", "e", "f"], name="atoms")
    X = atoms.matrix
    H = X(A + A.conj().T) + 0.3 * X(B) * X(B.conj().T)
    drive = wf.coef(np.cos)
    model = wf.Model(
        H + drive * (atoms.op("g", "f") + atoms.op("f", "g")),
        [
            wf.Jump(X(L), 0.3),
            wf.LocalJump(atoms.one_matrix(local), 0.5),
            wf.LocalJump(atoms.one("g", "e"), wf.coef(lambda t: 1 + np.sin(t))),
        ],
        initial={atoms: wf.density(r)},
    )
    ops = {
        "x": X(A),
        "xy": X(A) * X(B),
        "three": atoms.pop("e") * atoms.op("g", "e") * atoms.pop("f"),
        "N": atoms.pop("g") + atoms.pop("e") + atoms.pop("f"),
    }
    t = np.linspace(0, 1, 5)
    found = Exact(rtol=1e-10).solve(model, t, ops)
    assert found.stats["engine"] == "occupations"
    assert found.stats["reached"] == comb(N + 8, 8)

    def one(value):
        return lambda t: value

    fixed = collective(A + A.conj().T) + 0.3 * collective(B) @ collective(B.conj().T)
    turned = collective(unit(0, 2) + unit(2, 0))
    channels = [(one(0.3), collective(L))]
    channels += [(one(0.5), embedded(local, n)) for n in range(N)]
    channels += [(lambda t: 1 + np.sin(t), embedded(unit(0, 1), n)) for n in range(N)]
    rhos = brute_force(lambda t: fixed + np.cos(t) * turned, channels, np.kron(np.kron(r, r), r), t)
    matrices = {
        "x": collective(A),
        "xy": collective(A) @ collective(B),
        "three": collective(unit(1, 1)) @ collective(unit(0, 1)) @ collective(unit(2, 2)),
        "N": N * np.eye(D**N),
    }
    for name, matrix in matrices.items():
        exact = [np.trace(matrix @ rho) for rho in rhos]
        assert np.abs(found.expect[name] - exact).max() < 1e-8
    wrong = [np.trace(collective(B) @ collective(A) @ rho) for rho in rhos]
    assert np.abs(found.expect["xy"] - wrong).max() > 1e-2  # the order of factors is seen


def test_two_levels_and_everything_else_agree_with_blocks():
    atoms, cavity = wf.Ensemble(2, name="atoms"), wf.Mode(name="cavity", cutoff=4)
    spin, long = wf.Spin(name="spin"), wf.CollectiveSpin(1, name="long")
    H = 0.3 * (atoms.Jp * cavity.a + atoms.Jm * cavity.adag) + 0.2 * atoms.Jx
    H = H + wf.coef(np.cos) * spin.sx * long.Jz + 0.3 * (long.Jp * spin.sm + long.Jm * spin.sp)
    jumps = [
        wf.Jump(atoms.Jm + 0.3 * long.Jm, 0.4),
        wf.LocalJump(atoms.sm + 0.2j * atoms.sx, 0.3),
        wf.Jump(cavity.a, 0.5),
    ]
    initial = {
        atoms: wf.bloch_vector(0.3, 0.1, 0.7),
        cavity: wf.coherent(0.3j),
        long: wf.bloch(1.0, 0.3),
        spin: wf.up,
    }
    model = wf.Model(H, jumps, initial=initial)
    ops = {
        "n": cavity.n,
        "emission": atoms.Jp * atoms.Jm,
        "field": atoms.Jm * cavity.adag,
        "spins": long.Jy * spin.sx,
    }
    t = np.linspace(0, 2, 5)
    blocks, other = (Exact(e, rtol=1e-9).solve(model, t, ops) for e in ("blocks", "occupations"))
    for name in ops:
        assert np.abs(blocks.expect[name] - other.expect[name]).max() < 1e-8
    assert np.ptp(blocks.expect["spins"]) > 0.1


def test_steady_states_agree_and_cutoffs_are_found():
    atoms, cavity = wf.Ensemble(2, name="atoms"), wf.Mode(name="cavity")
    H = 0.6 * (atoms.Jp * cavity.a + atoms.Jm * cavity.adag)
    model = wf.Model(
        H,
        [wf.LocalJump(atoms.sp, 0.7), wf.Jump(cavity.a, 1.0)],
        initial={atoms: wf.down, cavity: wf.vacuum},
    )
    ops = {"n": cavity.n, "z": atoms.Jz}
    blocks, other = (Exact(e).steady_state(model, ops) for e in ("blocks", "occupations"))
    assert other.stats["cutoffs"]["cavity"] >= 8
    assert other.stats["edge"]["cavity"] < 1e-7
    for name in ops:
        assert abs(blocks.expect[name] - other.expect[name]) < 1e-7


def laser(number: int) -> tuple[wf.Levels, wf.Model]:
    atoms = wf.Levels(number, ["g", "e", "f"], name="atoms")
    w = number / 4
    jumps = [
        wf.Jump(atoms.op("g", "e"), 1.0),
        wf.LocalJump(atoms.one("f", "g"), w),
        wf.LocalJump(atoms.one("e", "f"), 4 * w),
    ]
    return atoms, wf.Model(jumps=jumps, initial={atoms: wf.level("e")})


def test_only_what_is_reached_is_kept():
    # of C(28, 8) = 3.1 million elements of twenty emitters
    atoms, model = laser(20)
    result = Exact().solve(model, [0, 0.05], {"e": atoms.pop("e"), "ge": atoms.op("g", "e")})
    assert result.stats["reached"] == 946
    assert result.expect["e"][0] == pytest.approx(20)
    assert np.all(result.expect["ge"] == 0)


def test_the_laser_reaches_its_published_peak():
    atoms, model = laser(10)
    emission = atoms.op("e", "g") * atoms.op("g", "e")
    result = Exact().solve(model, np.linspace(0, 2, 81), {"emission": emission})
    assert result.expect["emission"].max() / 100 == pytest.approx(0.201, abs=5e-4)


def test_what_does_not_fit_is_refused_before_work():
    atoms = wf.Levels(40, 4, name="atoms")
    H = atoms.op("0", "1") + atoms.op("1", "0") + atoms.op("2", "3") + atoms.op("3", "2")
    jumps = [wf.LocalJump(atoms.one("2", "1"), 1.0), wf.LocalJump(atoms.one("0", "3"), 1.0)]
    model = wf.Model(H, jumps, initial={atoms: wf.level("0")})
    with pytest.raises(TooLarge, match=r"wf.TWA\(\)"):
        Exact(memory=5e7).solve(model, [0, 1], {"p": atoms.pop("0")})


def test_compositions_are_all_and_different():
    ways = compositions(5, 4)
    assert len(ways) == comb(8, 3)
    assert len(np.unique(ways, axis=0)) == len(ways)
    assert np.all(ways.sum(axis=1) == 5)


def test_emitters_that_act_together_are_one_of_all_symmetric_states():
    """Against the same with a local jump of next to no rate, which keeps them apart."""
    A, B, L, *_ = random_matrices(3)
    atoms, a = wf.Levels(3, ["g", "e", "f"], name="atoms"), wf.Mode(name="a", cutoff=3)
    X = atoms.matrix
    H = X(A + A.conj().T) + 0.2 * X(B) * X(B.conj().T)
    H = H + 0.5 * (a.adag * atoms.op("g", "e") + a.a * atoms.op("e", "g"))
    jumps = [wf.Jump(X(L), 0.3), wf.Jump(a.a, 0.5)]
    initial = {atoms: wf.levels({"g": 0.6, "e": 0.48j, "f": 0.64}), a: wf.vacuum}
    ops = {"x": X(A), "three": X(A) * X(B) * X(L), "both": a.n * atoms.pop("e"), "n": a.n}
    together = wf.Model(H, jumps, initial=initial)
    hardly = wf.LocalJump(atoms.one("g", "e"), 1e-12)
    apart = wf.Model(H, [*jumps, hardly], initial=initial)
    t = np.linspace(0, 1, 4)
    one, other = (Exact(rtol=1e-10).solve(m, t, ops) for m in (together, apart))
    assert one.stats["reached"] == (10 * 3) ** 2 < other.stats["reached"] == comb(11, 8) * 3**2
    for name in ops:
        assert np.abs(one.expect[name] - other.expect[name]).max() < 1e-8
        assert np.ptp(np.abs(one.expect[name])) > 1e-2
    # a steady state of symmetric states alone is unique, whatever others there are
    steady = Exact().steady_state(together, {"n": a.n}).expect["n"]
    late = Exact().solve(together, [0, 60], {"n": a.n}).expect["n"][-1]
    assert steady == pytest.approx(late, abs=1e-6)


def test_a_hundred_atoms_with_two_collective_decays():
    """Var n = N (N + 2)/12 where both are as fast: every share is as likely."""
    N = 100
    atoms = wf.Levels(N, ["0", "1", "e"], name="atoms")
    jumps = [wf.Jump(atoms.op(x, "e"), 1.0) for x in "01"]
    model = wf.Model(jumps=jumps, initial={atoms: wf.level("e")})
    zero = atoms.pop("0")
    found = Exact().solve(model, [0, 1], {"n": zero, "nn": zero * zero})
    n, nn = (found.expect[k][-1] for k in ("n", "nn"))
    assert n == pytest.approx(N / 2, rel=1e-8)
    assert nn - n**2 == pytest.approx(N * (N + 2) / 12, rel=1e-7)
    assert found.stats["reached"] == comb(N + 2, 2)


def test_a_start_with_too_many_elements_is_refused():
    """C(N + d^2 - 1, d^2 - 1) of mixed emitters, times those of a mode, are too many by one."""
    atoms, a = wf.Levels(3, 2, name="atoms"), wf.Mode(name="a", cutoff=6)
    mixed = wf.density([[0.7, 0.2], [0.2, 0.3]])
    jump = wf.LocalJump(atoms.one("0", "1"), 1.0)
    model = wf.Model(jumps=[jump], initial={atoms: mixed, a: wf.coherent(0.8)})
    space = Occupations(model, None, 1e9).space
    count = comb(3 + 3, 3) * 6**2
    start = space.start(count)
    assert len(start.rows) == len(start.value) == count
    assert space.trace(start.rows) @ start.value == pytest.approx(1)
    with pytest.raises(TooLarge, match="too many elements"):
        space.start(count - 1)


def test_keys_of_elements_differ():
    atoms = wf.Levels(6, 3, name="atoms")
    H = atoms.op("0", "1") + atoms.op("1", "0")
    model = wf.Model(H, [wf.LocalJump(atoms.one("0", "1"), 1.0)], initial={atoms: wf.level("0")})
    space = Occupations(model, None, 1e9).space
    rows = compositions(6, 9).astype(np.int32)
    assert len(np.unique(space.keys(rows))) == len(rows)
    assert np.array_equal(space.conjugate(space.conjugate(rows)), rows)


def test_a_steady_state_must_not_depend_on_time():
    atoms, _ = laser(2)
    jump = wf.LocalJump(atoms.one("g", "e"), wf.coef(lambda t: 1 + t))
    model = wf.Model(jumps=[jump], initial={atoms: wf.level("e")})
    with pytest.raises(ValueError, match="constant in time"):
        runs.steady_state("occupations", model, {}, unique=True, rtol=1e-8, memory=1e9)


def test_a_steady_state_that_was_not_found_is_none():
    """Nothing has no residual at all, in both engines."""
    atoms, _ = laser(2)
    model = wf.Model(jumps=[wf.Jump(atoms.op("g", "e"), 1.0)], initial={atoms: wf.level("e")})
    given = {"unique": True, "rtol": 0.0, "memory": 1e9}
    with pytest.raises(wf.NotUnique, match="No steady state was found"):
        runs.steady_state("occupations", model, {}, **given)
    spins = wf.Ensemble(2, name="spins")
    model = wf.Model(spins.Jx, [wf.LocalJump(spins.sm, 1.0)], initial={spins: wf.up})
    with pytest.raises(wf.NotUnique, match="No steady state was found"):
        runs.steady_state("blocks", model, {}, **given)
