"""Noise of indefinite covariances: what is kept, and errors of ensembles that fall with N."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.bench import levels as bench
from wignerflow.kernels import local, matrix_local
from wignerflow.kernels.capped import capped_noise
from wignerflow.phasespace import levels

GROUPS = [(0, 1), (2, 3), (4,), (5, 6), (7,)]
APART = [(i,) for i in range(8)]


def made(C: np.ndarray, groups: list[tuple[int, ...]]) -> np.ndarray:
    """The covariance of the noise that the printed lines make."""
    n = len(C)
    entries = {(i, j): f"C[{i}, {j}]" for i in range(n) for j in range(i + 1)}
    lines, noise = capped_noise("c", groups, entries, [f"n[{i}]" for i in range(n)], "clips")
    names: dict[str, Any] = {
        "np": np, "F": float, "C": C, "n": np.eye(n), "clips": 0.0,
        "fmax0": lambda x: max(x, 0.0), "below": lambda x: float(x < 0),
        "pick": lambda c, a, b: a if c > 0 else b,
    }  # fmt: skip
    exec("\n".join(lines), names)
    factor = np.array([eval(noise[i], names) for i in range(n)])
    return np.asarray(factor @ factor.T)


def drawn(seed: int, negative: float) -> np.ndarray:
    """A covariance with eigenvalues down to ``-negative`` and positive variances."""
    rng = np.random.default_rng([97, seed])
    while True:
        q = np.linalg.qr(rng.normal(size=(8, 8)))[0]
        C = (q * rng.uniform(-negative, 1, 8)) @ q.T
        blocks = [C[np.ix_(g, g)] for g in GROUPS]
        if min(np.linalg.eigvalsh(b)[0] for b in blocks) > 0.02:
            return np.asarray(C)


def kept(C: np.ndarray, found: np.ndarray) -> float:
    """By how much covariances of pairs differ."""
    return max(np.abs(found[np.ix_(g, g)] - C[np.ix_(g, g)]).max() for g in GROUPS)


def test_a_positive_covariance_is_met():
    for seed in range(20):
        C = drawn(seed, 0)
        assert np.abs(made(C, GROUPS) - C).max() < 1e-12


def test_variances_and_the_covariance_of_two_parts_are_kept():
    for seed in range(50):
        C = drawn(seed, 0.5)
        assert kept(C, made(C, GROUPS)) < 1e-10
    # the control: limited one by one, variances are kept and the two parts point somewhere
    apart = [made(drawn(seed, 0.5), APART) for seed in range(50)]
    assert max(np.abs(np.diag(a - drawn(s, 0.5))).max() for s, a in enumerate(apart)) < 1e-10
    assert np.mean([kept(drawn(s, 0.5), a) > 0.02 for s, a in enumerate(apart)]) > 0.5


# ---------------------------------------------------------------- what depends on the order


def largest(problem: Any, t: Any, ntraj: int, dt: float) -> dict[str, float]:
    """Largest deviation from the exact solution by observable."""
    model, ops = problem
    method = wf.TWA(sampling="fixed")
    options = {"ntraj": ntraj, "seed": 8, "dt": dt, "truncation": False, "progress": False}
    exact = wf.solve(model, t, e_ops=ops, method="exact", progress=False).expect
    run = wf.solve(model, t, e_ops=ops, method=method, **options)
    return {k: float(np.abs(run.expect[k] - exact[k]).max()) for k in ops}


def populations_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spoil the order: small variances decide about large ones, part by part."""
    monkeypatch.setattr(levels, "LOW_LEVELS", 4)
    right = capped_noise

    def wrong(tag: str, order: Any, entries: Any, normals: Any, clip: str) -> Any:
        singles = [(i,) for group in sorted(order, key=len) for i in group]
        return right(tag, singles, entries, normals, clip)

    monkeypatch.setattr(matrix_local, "capped_noise", wrong)


@pytest.mark.slow
def test_no_error_of_the_laser_stays_as_its_atoms_grow_in_number(monkeypatch):
    N = 80
    problem, t = bench.laser(N), np.linspace(0, 10, 21) / N
    assert largest(problem, t, 200_000, 0.125 / N)["emission"] < 5e-4
    populations_first(monkeypatch)
    assert largest(problem, t, 200_000, 0.125 / N)["emission"] > 1e-3


def turned_laser(N: int) -> tuple[wf.Model, dict[str, Any]]:
    """The superradiant laser of two levels with its axis along x."""
    atoms = wf.Ensemble(N, name="atoms")
    L = atoms.Jy - 1j * atoms.Jz
    raising = -0.5j * (atoms.sp - atoms.sm) + 0.5j * atoms.sz
    jumps = [wf.Jump(L, 1.0), wf.LocalJump(raising, N / 4)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.bloch(np.pi / 2, 0.0)})
    return model, {"emission": L.dag() * L / N**2}


@pytest.mark.slow
def test_nor_does_one_of_two_levels_about_another_axis(monkeypatch):
    N = 320
    t = np.linspace(0, 10, 21) / N
    upright = wf.Ensemble(N, name="atoms")
    emission = {"emission": upright.Jp * upright.Jm / N**2}
    jumps = [wf.Jump(upright.Jm, 1.0), wf.LocalJump(upright.sp, N / 4)]
    model = wf.Model(jumps=jumps, initial={upright: wf.up})
    exact = wf.solve(model, t, e_ops=emission, method="exact", progress=False).expect["emission"]

    def off() -> float:
        turned, ops = turned_laser(N)
        run = wf.solve(
            turned, t, e_ops=ops, ntraj=200_000, seed=8, dt=0.125 / N, truncation=False,
            progress=False,
        )  # fmt: skip
        return float(np.abs(run.expect["emission"] - exact).max())

    assert off() < 5e-4
    monkeypatch.setattr(local, "LAST", 1e6)  # always x first, which is small here
    assert off() > 1e-3


def v_system(N: int) -> tuple[wf.Model, dict[str, Any]]:
    """Two collective decays of two levels, both pumped; see ``examples/levels/v_system.py``."""
    atoms = wf.Levels(N, ["g", "a", "b"], name="atoms")
    jumps: list[Any] = [wf.Jump(atoms.op("g", x), rate=1.0) for x in "ab"]
    jumps += [wf.LocalJump(atoms.one(x, "g"), rate=N / 4) for x in "ab"]
    a, b = (atoms.op(x, "g") * atoms.op("g", x) for x in "ab")
    both = atoms.op("a", "g") * b * atoms.op("g", "a") / N**4
    start = wf.mixture({"a": 0.5, "b": 0.5})
    return wf.Model(jumps=jumps, initial={atoms: start}), {"one": a / N**2, "both": both}


def lambda_atoms(N: int) -> tuple[wf.Model, dict[str, Any]]:
    """Two collective decays, 2 : 1, all in e: shares of the upper and of the faster level."""
    model, _ = bench.decays(N, 0.5)
    (atoms,) = model.subsystems
    assert isinstance(atoms, wf.Levels)
    return model, {"upper": atoms.pop("e") / N, "faster": atoms.pop("0") / N}


def rubidium(N: int) -> tuple[wf.Model, dict[str, Any]]:
    """The line J = 1/2 to 3/2 from e+1/2; see ``examples/levels/rubidium.py``."""
    rb = wf.zeeman(1 / 2, 3 / 2, N, name="rubidium")
    jumps: list[Any] = [wf.Jump(rb.emission(q), rate=1.0) for q in (-1, 0, 1)]
    jumps += [wf.LocalJump(rb.emission_one(q), rate=0.1 * N) for q in (-1, 0, 1)]
    light = {str(q): rb.emission(q).dag() * rb.emission(q) / N**2 for q in (0, 1)}
    start = {rb.atoms: wf.level("e+1/2")}
    return wf.Model(jumps=jumps, initial=start), light


def mixing(N: int) -> tuple[wf.Model, dict[str, Any]]:
    """Spin-1 atoms that exchange m = 0 against +1 and -1, with local decay back to 0."""
    atoms = wf.Levels.spin(1, N, name="atoms")
    total = atoms.Sx * atoms.Sx + atoms.Sy * atoms.Sy + atoms.Sz * atoms.Sz
    H = 0.5 * (atoms.pop("+1") + atoms.pop("-1")) - total / N
    jumps = [wf.LocalJump(atoms.one("0", m), 0.2) for m in ("+1", "-1")]
    return wf.Model(H, jumps, initial={atoms: wf.level("0")}), {"0": atoms.pop("0") / N}


#: Model, sizes, times, step times N (or the step), trajectories.
FALLING = {
    "laser": (bench.laser, (5, 10, 20), lambda N: np.linspace(0, 20, 41) / N, 0.125, 200_000),
    "V system": (v_system, (5, 10, 20), lambda N: np.linspace(0, 15, 31) / N, 0.2, 200_000),
    "Raman laser": (bench.raman, (3, 5, 7), lambda N: np.linspace(0, 15, 31), None, 200_000),
    "Lambda atoms": (
        lambda_atoms, (5, 10, 20), lambda N: np.linspace(0, 30, 31) / N, 0.1, 100_000,
    ),
    "spin mixing": (mixing, (5, 10, 14), lambda N: np.linspace(0, 8, 17), None, 50_000),
    "rubidium": (rubidium, (2, 3, 4), lambda N: np.linspace(0, 10, 11) / N, 0.1, 50_000),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", FALLING)
def test_errors_fall_at_least_as_the_number_to_the_power_of_minus_0_8(case):
    make, sizes, times, step, ntraj = FALLING[case]
    found: dict[str, list[float]] = {}
    for N in sizes:
        dt = 0.1 if step is None else step / N
        for name, off in largest(make(N), times(N), ntraj, dt).items():
            found.setdefault(name, []).append(off)
    for name, errors in found.items():
        assert slope(sizes, errors) < -0.8, (name, slope(sizes, errors), errors)
        # the control: a part of the error at the smallest size that stays
        assert slope(sizes, [e + errors[0] for e in errors]) > -0.8


def slope(sizes: Any, errors: list[float]) -> float:
    """The fitted power with which errors change."""
    return float(np.polyfit(np.log(sizes), np.log(errors), 1)[0])
