"""Steady states: trajectories against null vectors, and models that have none or several."""

from __future__ import annotations

import contextlib
import time

import numpy as np
import pytest

import wignerflow as wf
from wignerflow import NotRelaxed, NotUnique, steady_state
from wignerflow.analysis.relaxation import _opposite, other_state, relaxation

from ..few import few

pytestmark = pytest.mark.filterwarnings("ignore:Up to:UserWarning")


def laser(N, pump):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, pump)]
    e_ops = {"emission": atoms.Jp * atoms.Jm / N, "inversion": atoms.Jz / N}
    return wf.Model(jumps=jumps, initial={atoms: wf.up}), e_ops, atoms


def test_null_vector_balances_gain_and_loss():
    model, e_ops, _ = laser(12, 3.0)
    out = steady_state(model, e_ops, "exact")
    gain = 3.0 * (0.5 - out.expect["inversion"])
    assert out.expect["emission"] == pytest.approx(gain, rel=1e-9)
    assert out.sem["emission"] == 0 and out.ntraj == 0 and out.stats["unique"]
    assert "Null vector" in out.stats["known"] and "Null vector" in repr(out)


@pytest.mark.parametrize("pump", few([0.2, 8.0]))
def test_trajectories_reach_the_null_vector(pump):
    """Weak pumping relaxes through a dark state that looks steady for long."""
    model, e_ops, atoms = laser(25, pump)
    e_ops["squeezing"] = wf.Squeezing(atoms)
    exact = steady_state(model, e_ops, "exact")
    twa = steady_state(model, e_ops, "twa", ntraj=1024, seed=3, dt=4e-3)
    for name in ("emission", "inversion"):
        bound = 4 * twa.sem[name] + 0.015 * abs(exact.expect["emission"])
        assert abs(twa.expect[name] - exact.expect[name]) < bound
        assert twa.sem[name] < 0.1 * exact.expect["emission"]
    assert abs(twa.expect["squeezing"] - exact.expect["squeezing"]) < 0.1
    assert twa.stats["relaxed"] >= 3 / pump
    assert max(twa.stats["drift"], twa.stats["difference"]) < twa.stats["limit"]
    # negative control: the steady state at 1.2 times the pump is told apart
    other = steady_state(*laser(25, 1.2 * pump)[:2], "exact").expect["emission"]
    bound = 4 * twa.sem["emission"] + 0.015 * other
    assert abs(twa.expect["emission"] - other) > bound


@pytest.mark.slow
def test_the_error_is_that_of_independent_trajectories():
    """Over many seeds the deviation from the mean is as large as the error says."""
    model, e_ops, _ = laser(10, 3.0)
    options = {"method": "twa", "ntraj": 64, "dt": 0.01, "relax": 3.0, "unique": False}
    runs = []
    for k in range(40):
        with contextlib.suppress(NotRelaxed):  # one run in a hundred is refused by chance
            runs.append(steady_state(model, e_ops, seed=100 * k, **options))
    assert len(runs) >= 37
    values = np.array([r.expect["emission"] for r in runs])
    errors = np.array([r.sem["emission"] for r in runs])
    ratio = values.std(ddof=1) / np.sqrt((errors**2).mean())
    assert 0.7 < ratio < 1.35
    assert values.std(ddof=1) < 2 * errors.mean()


def test_quantum_jumps():
    model, e_ops, _ = laser(8, 2.0)
    exact = steady_state(model, e_ops, "exact")
    out = steady_state(model, e_ops, "jumps", ntraj=200, seed=5)
    for name in e_ops:
        assert abs(out.expect[name] - exact.expect[name]) < 4 * out.sem[name]


def test_mean_field_settles():
    atoms = wf.Ensemble(100, name="atoms")
    jumps = [wf.LocalJump(atoms.sm, 1.0), wf.LocalJump(atoms.sp, 0.5)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    out = steady_state(model, {"z": atoms.Jz}, "mean-field")
    assert out.expect["z"] == pytest.approx(-50 / 3, rel=1e-5)
    assert out.sem["z"] == 0


def test_a_conserved_quantity_makes_it_not_unique():
    atoms = wf.Ensemble(10, name="atoms")
    model = wf.Model(jumps=[wf.Jump(atoms.Jz, 1.0)], initial={atoms: wf.bloch(1.0)})
    e_ops = {"z": atoms.Jz}
    with pytest.raises(NotUnique, match="unique=False"):
        steady_state(model, e_ops, "twa", seed=1, ntraj=256)
    with pytest.raises(NotUnique):
        steady_state(model, e_ops, "exact")
    out = steady_state(model, e_ops, "twa", seed=1, ntraj=256, unique=False)
    assert abs(out.expect["z"] - 5 * np.cos(1.0)) < 4 * out.sem["z"] + 0.1
    assert not out.stats["unique"]


def ring(damping, drive=1.0):
    spins = wf.Ensemble(20, name="spins", count=4)
    A = 0.02 * (np.roll(np.eye(4), 1, axis=0) + np.roll(np.eye(4), -1, axis=0))
    jumps = [wf.LocalJump(spins.sm, damping)] if damping else []
    H = wf.couple(spins.Jp, A, spins.Jm) + drive * spins.Jx.sum()
    return wf.Model(H, jumps, initial={spins: wf.bloch(1.0)}), {"x": spins.Jx[0]}


def off_its_frame():
    """A laser beside the frequency of its frame: a limit cycle, which gain and loss keep."""
    mode = wf.Mode(name="mode")
    atoms = wf.Ensemble(100, name="atoms")
    H = 0.2 * (mode.adag * atoms.Jm + mode.a * atoms.Jp) + 1.0 * mode.n
    jumps = [wf.Jump(mode.a, 1.0), wf.LocalJump(atoms.sp, 3.0)]
    initial = {atoms: wf.bloch(1.0), mode: wf.vacuum}
    return wf.Model(H, jumps, initial=initial), {"x": atoms.Jx}


@pytest.mark.parametrize(
    "made",
    [
        lambda: ring(0.0),
        lambda: ring(0.0, 0.3),
        pytest.param(off_its_frame, marks=pytest.mark.slow),
    ],
)
def test_lasting_oscillations_are_not_steady(made):
    """Undamped ones, and limit cycles: said once they have been seen twice, not after minutes."""
    model, e_ops = made()
    begin = time.process_time()
    with pytest.raises(wf.NotRelaxed, match="does not come to rest, because it oscillates"):
        steady_state(model, e_ops, "mean-field", unique=False)
    assert time.process_time() - begin < 60


def test_oscillations_that_calm_down_are_waited_for():
    """The control of the above: some turns within the time of the damping."""
    model, e_ops = ring(1.0, 6.0)
    found = steady_state(model, e_ops, "mean-field")
    late = wf.solve(model, [0, 20, 40], e_ops=e_ops, method="mean-field", truncation=False)
    assert found.expect["x"] == pytest.approx(late.expect["x"][-1], abs=2e-5)


@pytest.mark.parametrize("levels", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_a_mean_field_that_stands_where_light_would_grow_says_so_soon(levels):
    """Inverted emitters beside an empty cavity; the least light leads to another state."""
    N, cavity = 100, wf.Mode(name="cavity")
    if levels == 2:
        atoms = wf.Ensemble(N, name="atoms")
        lower, inverted, pump = atoms.Jm, wf.up, [wf.LocalJump(atoms.sp, 0.7)]
    else:
        atoms = wf.Levels(N, ["g", "e", "f"], name="atoms")
        lower, inverted = atoms.op("g", "e"), wf.level("e")
        pump = [wf.LocalJump(atoms.one("f", "g"), 0.7), wf.LocalJump(atoms.one("e", "f"), 2.0)]
    light = cavity.adag * lower
    jumps = [wf.Jump(cavity.a, 1.0), *pump]
    H = (light + light.dag()) / np.sqrt(N)
    empty = wf.Model(H, jumps, initial={atoms: inverted, cavity: wf.vacuum})
    with pytest.raises(NotUnique, match=r"wf\.coherent\(0\.1\)") as found:
        steady_state(empty, {"n": cavity.n}, "mean-field")
    assert float(str(found.value).split("until t = ")[1].split()[0]) < 600
    little = wf.Model(H, jumps, initial={atoms: inverted, cavity: wf.coherent(0.1)})
    lasing = steady_state(little, {"n": cavity.n}, "mean-field", truncation=False)
    assert lasing.expect["n"] == pytest.approx(28.875 if levels == 2 else 24.57447, rel=1e-5)


def test_too_short_a_relaxation_is_said():
    model, e_ops, _ = laser(25, 5.0)
    with pytest.raises(NotRelaxed, match="standard errors"):
        steady_state(model, e_ops, "twa", seed=1, ntraj=512, dt=2e-3, relax=0.02, unique=False)
    with pytest.raises((NotRelaxed, NotUnique)):
        steady_state(model, e_ops, "twa", seed=1, ntraj=512, dt=2e-3, relax=0.02)


def test_tests_see_drift_and_difference():
    rng = np.random.default_rng(1)
    flat = rng.normal(size=(32, 4, 2))
    assert relaxation([flat, rng.normal(size=(32, 4, 2))], True).passed
    drift = flat + 3 * np.arange(4)[None, :, None]
    assert not relaxation([drift], True).passed
    assert not relaxation([flat, flat + 3], True).passed


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"ntraj": 10}, ValueError, "`ntraj`"),
        ({"relax": -1.0}, ValueError, "`relax`"),
        ({"method": "twaa"}, ValueError, "twa"),
        ({"precision": "half"}, ValueError, "`precision`"),
        ({"method": "generalized-p"}, ValueError, "cannot treat"),
    ],
)
def test_bad_arguments(change, error, message):
    model, e_ops, _ = laser(5, 1.0)
    with pytest.raises(error, match=message):
        steady_state(model, e_ops, **({"method": "twa"} | change))


def test_time_dependent_models_are_refused():
    atoms = wf.Ensemble(5, name="atoms")
    rate = wf.coef(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    model = wf.Model(jumps=[wf.LocalJump(atoms.sm, rate)], initial={atoms: wf.up})
    with pytest.raises(ValueError, match="constant in time"):
        steady_state(model, {"z": atoms.Jz})


def test_lengths_of_more_than_an_hour_are_said(monkeypatch):
    """From the second run on, which is longer and whose pace is known from the first."""
    mode = wf.Mode(name="a")
    model = wf.Model(
        jumps=[wf.Jump(mode.a, 1.0), wf.Jump(mode.adag, 0.2)], initial={mode: wf.vacuum}
    )
    monkeypatch.setattr("wignerflow.estimate.LONG", 1e-12)
    with pytest.warns(UserWarning, match="This run takes about .* trajectories"):
        wf.steady_state(model, {"n": mode.n}, "twa", ntraj=256, seed=1)


def pumped_levels(N):
    """The three-level superradiant laser."""
    atoms = wf.Levels(N, ["g", "e", "f"], name="atoms")
    jumps = [
        wf.Jump(atoms.op("g", "e"), 1.0),
        wf.LocalJump(atoms.one("f", "g"), N / 4),
        wf.LocalJump(atoms.one("e", "f"), N),
    ]
    emission = atoms.op("e", "g") * atoms.op("g", "e") / N**2
    return wf.Model(jumps=jumps, initial={atoms: wf.level("e")}), {"emission": emission}


@pytest.mark.slow
def test_emitters_with_levels_have_a_steady_state():
    model, ops = pumped_levels(5)
    exact = wf.steady_state(model, ops, "exact").expect["emission"]
    found = wf.steady_state(model, ops, "twa", ntraj=2_000, seed=1)
    off = abs(found.expect["emission"] - exact)
    assert off < 0.01 + 4 * found.sem["emission"] and exact > 0.05


@pytest.mark.parametrize("collective", [False, True])
def test_other_states_of_levels_are_states_elsewhere(collective):
    (atoms,) = pumped_levels(3)[0].subsystems
    for state in (
        wf.level("e"),
        wf.levels({"g": 0.6, "f": 0.8j}),
        wf.mixture({"g": 0.5, "f": 0.5}),
    ):
        before = state.density(atoms, "state")
        for other in (
            other_state(atoms, state, collective),
            _opposite(atoms, state, 1.0 if collective else 0.6),
        ):
            rho = other.density(atoms, "state")
            assert np.trace(rho) == pytest.approx(1) and np.linalg.eigvalsh(rho)[0] > -1e-12
            assert np.abs(rho - before).max() > 0.1
    if collective:  # of the same purity
        rho = other_state(atoms, wf.level("e"), True).density(atoms, "state")
        assert np.trace(rho @ rho) == pytest.approx(1)
