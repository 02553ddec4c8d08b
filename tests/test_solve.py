"""``wf.solve``: bad input, stopping rules, reproducibility, and its answers against exact ones."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import solve_ivp

import wignerflow as wf
from wignerflow.compiler import build
from wignerflow.kernels import cpu

NAN = float("nan")
T = np.linspace(0, 1, 3)


def laser(N=20, rate=1.0, pump=None, **initial):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, rate), wf.LocalJump(atoms.sp, 0.25 * N if pump is None else pump)]
    return wf.Model(jumps=jumps, initial={atoms: initial.get("state", wf.up)}), atoms


def laser_ops(atoms):
    """One set of observables for all runs of the laser: one kernel."""
    return {"e": atoms.Jp * atoms.Jm, "z": atoms.Jz}


@pytest.fixture
def no_work(monkeypatch):
    """Fails the test if anything is compiled or run."""

    def work(*args, **kwargs):
        pytest.fail("work began before the input was checked")

    monkeypatch.setattr(build, "load", work)
    monkeypatch.setattr(cpu.CpuKernel, "simulate", work)
    monkeypatch.setattr(wf.Exact, "solve", work)


# ---------------------------------------------------------------------------- bad input


def test_a_kernel_that_compiles_for_minutes_is_refused(monkeypatch):
    """Before compiling, with the counts of what was written out; others compile."""
    spins = [wf.Spin(name=f"s{k}") for k in range(3)]
    H = spins[0].sz * spins[1].sz + 2 * spins[1].sx + spins[2].sx
    jumps = [wf.Jump(s.sm, 0.1) for s in spins]
    model = wf.Model(H, jumps, initial=dict.fromkeys(spins, wf.up))
    options = dict(e_ops=[spins[0].sz], dt=0.1, ntraj=64, seed=1, progress=False)
    assert wf.solve(model, [0, 0.1], **options).ntraj == 64
    for lines, sense in ((120_000, 1), (10_000, -1)):
        seconds = build.expected_seconds("define void @f() {\n" + lines * "  fence acquire\n")
        assert sense * (seconds - build.LONGEST) > 0

    monkeypatch.setattr(build, "LONGEST", 0.1)
    monkeypatch.setattr(build.targets, "object_code", lambda *a: pytest.fail("compiled"))
    monkeypatch.setattr(build.cache, "load", lambda key: None)
    build.load.cache_clear()
    with pytest.raises(
        ValueError,
        match=r"3 terms in H and 3 jumps on 3 subsystems. Its kernel would take about 0\.\d+ s"
        r".*Gather like subsystems into arrays",
    ):
        wf.solve(model, [0, 0.1], **options)


def bad_model(case: str) -> wf.Model:
    """Builds the model that ``case`` describes."""
    a, b = wf.Ensemble(10, name="atoms"), wf.Ensemble(5, name="others")
    chain = wf.Ensemble(4, name="chain", count=3)
    up = {a: wf.up}
    cases = {
        "negative rate": lambda: wf.Model(jumps=[wf.Jump(a.Jm, -0.3)], initial=up),
        "negative local rate": lambda: wf.Model(jumps=[wf.LocalJump(a.sm, -2)], initial=up),
        "complex rate": lambda: wf.Model(jumps=[wf.Jump(a.Jm, 1j)], initial=up),
        "complex rate with real part": lambda: wf.Model(jumps=[wf.Jump(a.Jm, 1 + 1j)], initial=up),
        "rate is NaN": lambda: wf.Model(jumps=[wf.Jump(a.Jm, NAN)], initial=up),
        "local rate is NaN": lambda: wf.Model(jumps=[wf.LocalJump(a.sm, NAN)], initial=up),
        "rate is infinite": lambda: wf.Model(jumps=[wf.Jump(a.Jm, np.inf)], initial=up),
        "rate is a word": lambda: wf.Model(jumps=[wf.Jump(a.Jm, "fast")], initial=up),
        "one member's rate": lambda: wf.Model(
            jumps=[wf.Jump(chain.Jm, [1, -0.5, 1])], initial={chain: wf.up}
        ),
        "too few rates": lambda: wf.Model(
            jumps=[wf.LocalJump(chain.sm, [1, 2])], initial={chain: wf.up}
        ),
        "N = 0": lambda: wf.Ensemble(0),
        "N = -3": lambda: wf.Ensemble(-3),
        "N = 2.5": lambda: wf.Ensemble(2.5),
        "N is NaN": lambda: wf.Ensemble(NAN),
        "N is a word": lambda: wf.Ensemble("many"),
        "N is true": lambda: wf.Ensemble(True),
        "one N is 0": lambda: wf.Ensemble([3, 0, 2], count=3),
        "S = 0.3": lambda: wf.CollectiveSpin(0.3),
        "count = 0": lambda: wf.Ensemble(3, count=0),
        "unknown in H": lambda: wf.Model(b.Jx, initial=up),
        "unknown in jump": lambda: wf.Model(jumps=[wf.Jump(b.Jm, 1)], initial=up),
        "unknown in local jump": lambda: wf.Model(jumps=[wf.LocalJump(b.sm, 1)], initial=up),
        "local as collective": lambda: wf.Jump(a.sm, 1),
        "collective as local": lambda: wf.LocalJump(a.Jm, 1),
        "local in H": lambda: wf.Model(a.sx, initial=up),
        "array in H": lambda: wf.Model(chain.Jx, initial={chain: wf.up}),
        "bare operator as jump": lambda: wf.Model(jumps=[a.Jm], initial=up),
        "H not Hermitian": lambda: wf.Model(a.Jm, initial=up),
        "H imaginary": lambda: wf.Model(1j * a.Jz, initial=up),
        "H with NaN": lambda: wf.Model(NAN * a.Jz, initial=up),
        "coupling not Hermitian": lambda: wf.Model(
            wf.couple(chain.Jp, np.triu(np.ones((3, 3)), 1), chain.Jm), initial={chain: wf.up}
        ),
        "coupling of wrong shape": lambda: wf.couple(chain.Jp, np.ones((2, 2)), chain.Jm),
        "coupling with NaN": lambda: wf.couple(chain.Jp, np.full((3, 3), NAN), chain.Jm),
        "weights of wrong length": lambda: np.ones(4) * chain.Jm,
        "index out of range": lambda: chain[3],
        "negative dissipation": lambda: wf.Jump(chain.Jm, np.diag([1, -1e-3, 1])),
        "dissipation not Hermitian": lambda: wf.Jump(chain.Jm, [[1, 1, 0], [0, 1, 0], [0, 0, 1]]),
        "short ring": lambda: wf.couple(
            wf.Spin(count=2).sp, wf.NearestNeighbour(periodic=True), wf.Spin(count=2).sm
        ),
        "state outside the ball": lambda: wf.bloch_vector(1, 1, 0),
        "state with NaN": lambda: wf.bloch(NAN),
        "state of a mode": lambda: wf.Model(initial={a: wf.vacuum}),
        "no initial state": lambda: wf.Model(initial={}),
        "thermal(-1)": lambda: wf.thermal(-1),
        "fock(0.5)": lambda: wf.fock(0.5),
        "samples unsorted": lambda: wf.coef([1, 2, 3], [0, 2, 1]),
        "samples with NaN": lambda: wf.coef([1, NAN, 3], [0, 1, 2]),
        "negative samples": lambda: wf.Jump(a.Jm, wf.coef([1, -0.2, 3], [0, 1, 2])),
        "sampling": lambda: wf.TWA(sampling="exact"),
    }
    return cases[case]()


# case: (exception, what the message must name: argument, requirement and value)
BAD_MODELS = {
    "negative rate": (ValueError, "`rate`", "non-negative", "-0.3"),
    "negative local rate": (ValueError, "`rate`", "non-negative", "-2"),
    "complex rate": (ValueError, "`rate`", "real", "1j"),
    "complex rate with real part": (ValueError, "`rate`", "real", "1+1j"),
    "rate is NaN": (ValueError, "`rate`", "finite", "nan"),
    "local rate is NaN": (ValueError, "`rate`", "finite", "nan"),
    "rate is infinite": (ValueError, "`rate`", "finite", "inf"),
    "rate is a word": (TypeError, "`rate`", "numeric", "fast"),
    "one member's rate": (ValueError, "`rate`", "non-negative", "-0.5 for member 1"),
    "too few rates": (ValueError, "`rate`", "shape (3,)", "shape (2,)"),
    "N = 0": (ValueError, "`N`", "positive integer", "0"),
    "N = -3": (ValueError, "`N`", "positive integer", "-3"),
    "N = 2.5": (ValueError, "`N`", "positive integer", "2.5"),
    "N is NaN": (ValueError, "`N`", "finite", "nan"),
    "N is a word": (TypeError, "`N`", "numeric", "many"),
    "N is true": (TypeError, "`N`", "positive integer", "True"),
    "one N is 0": (ValueError, "`N`", "positive integer", "0 for member 1"),
    "S = 0.3": (ValueError, "`S`", "multiple of 1/2", "0.3"),
    "count = 0": (ValueError, "`count`", "at least 1", "0"),
    "unknown in H": (ValueError, "`H`", "initial", "others"),
    "unknown in jump": (ValueError, "`jumps[0]`", "initial", "others"),
    "unknown in local jump": (ValueError, "`jumps[0]`", "initial", "others"),
    "local as collective": (TypeError, "`op`", "collective", "LocalJump"),
    "collective as local": (TypeError, "`op`", "one-emitter", "Jump"),
    "local in H": (TypeError, "`H`", "operator", "Jx"),
    "array in H": (TypeError, "`H`", "operator", "sum"),
    "bare operator as jump": (TypeError, "`jumps[0]`", "wf.Jump", ""),
    "H not Hermitian": (ValueError, "`H`", "Hermitian", ""),
    "H imaginary": (ValueError, "`H`", "Hermitian", ""),
    "H with NaN": (ValueError, "scalar", "finite", "nan"),
    "coupling not Hermitian": (ValueError, "`H`", "Hermitian", ""),
    "coupling of wrong shape": (ValueError, "`K`", "(3, 3)", "(2, 2)"),
    "coupling with NaN": (ValueError, "`K`", "finite", "nan"),
    "weights of wrong length": (ValueError, "`weights`", "(3,)", "(4,)"),
    "index out of range": (IndexError, "`index`", "below 3", "3"),
    "negative dissipation": (ValueError, "`rate`", "positive semidefinite", "-0.001"),
    "dissipation not Hermitian": (ValueError, "`rate`", "Hermitian", "G[0, 1]"),
    "short ring": (ValueError, "`K`", "3 members", "2"),
    "state outside the ball": (ValueError, "(x, y, z)", "at most 1", "1"),
    "state with NaN": (ValueError, "`theta`", "finite", "nan"),
    "state of a mode": (TypeError, "initial['atoms']", "spin state", "vacuum"),
    "no initial state": (TypeError, "`initial`", "every subsystem", ""),
    "thermal(-1)": (ValueError, "`n`", "non-negative", "-1"),
    "fock(0.5)": (TypeError, "`n`", "integer", "0.5"),
    "samples unsorted": (ValueError, "`times`", "increase", ""),
    "samples with NaN": (ValueError, "`function`", "finite", "nan"),
    "negative samples": (ValueError, "`rate`", "non-negative", "-0.2"),
    "sampling": (ValueError, "`sampling`", "fixed", "exact"),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_bad_models_are_refused_where_they_are_built(case):
    kind, *words = BAD_MODELS[case]
    with pytest.raises(kind) as error:
        bad_model(case)
    assert isinstance(error.value, (ValueError, TypeError))
    for word in words:
        assert word in str(error.value)


def bad_call(name: str, atoms, model):
    other = wf.Ensemble(3, name="other")
    good = {"tlist": T, "e_ops": {"z": atoms.Jz}, "ntraj": 100, "seed": 1, "progress": False}
    changes = {
        "tlist unsorted": {"tlist": [0, 2, 1]},
        "tlist repeated": {"tlist": [0, 1, 1]},
        "tlist single": {"tlist": [0.0]},
        "tlist empty": {"tlist": []},
        "tlist number": {"tlist": 1.0},
        "tlist square": {"tlist": [[0, 1], [2, 3]]},
        "tlist with NaN": {"tlist": [0, NAN, 1]},
        "tlist infinite": {"tlist": [0, 1, np.inf]},
        "tlist words": {"tlist": ["now", "then"]},
        "tlist complex": {"tlist": [0, 1j]},
        "observable of a stranger": {"e_ops": {"z": other.Jz}},
        "no observables": {"e_ops": {}},
        "bare observable": {"e_ops": atoms.Jz},
        "one-emitter observable": {"e_ops": {"s": atoms.sz}},
        "observable is a word": {"e_ops": {"z": "Jz"}},
        "observable is a number": {"e_ops": {"z": 3.0}},
        "observable depends on time": {"e_ops": {"z": wf.coef(np.cos) * atoms.Jz}},
        "name is a number": {"e_ops": {1: atoms.Jz}},
        "unknown method": {"method": "twaa"},
        "method is a number": {"method": 3},
        "ntraj = 1": {"ntraj": 1},
        "ntraj = 0": {"ntraj": 0},
        "ntraj = 2.5": {"ntraj": 2.5},
        "ntraj is NaN": {"ntraj": NAN},
        "ntraj is true": {"ntraj": True},
        "seed = -1": {"seed": -1},
        "seed = 2^64": {"seed": 2**64},
        "seed = 0.5": {"seed": 0.5},
        "dt = 0": {"dt": 0},
        "dt = -1": {"dt": -1.0},
        "dt is NaN": {"dt": NAN},
        "dt is a word": {"dt": "small"},
        "precision": {"precision": "half"},
        "device": {"device": "abacus"},
        "threads = 0": {"threads": 0},
        "threads = 1.5": {"threads": 1.5},
        "target_sem = 0": {"target_sem": 0},
        "target_sem < 0": {"target_sem": -0.1},
        "target_sem is NaN": {"target_sem": NAN},
        "target_sem of a stranger": {"target_sem": {"y": 0.1}},
        "target_sem word": {"target_sem": "low"},
        "timeout = 0": {"timeout": 0},
        "timeout is NaN": {"timeout": NAN},
        "keep": {"keep": "everything"},
        "model": {"model": "laser"},
    }
    call = {"model": model, **good, **changes[name]}
    return wf.solve(call.pop("model"), call.pop("tlist"), **call)


BAD_CALLS = {
    "tlist unsorted": (ValueError, "`tlist`", "increase strictly", "[0, 2, 1]"),
    "tlist repeated": (ValueError, "`tlist`", "increase strictly", "[0, 1, 1]"),
    "tlist single": (ValueError, "`tlist`", "at least two", "[0.0]"),
    "tlist empty": (ValueError, "`tlist`", "at least two", "[]"),
    "tlist number": (ValueError, "`tlist`", "at least two", "1.0"),
    "tlist square": (ValueError, "`tlist`", "one-dimensional", "[[0, 1]"),
    "tlist with NaN": (ValueError, "`tlist`", "finite", "nan"),
    "tlist infinite": (ValueError, "`tlist`", "finite", "inf"),
    "tlist words": (TypeError, "`tlist`", "numeric", "now"),
    "tlist complex": (ValueError, "`tlist`", "real", "1j"),
    "observable of a stranger": (ValueError, "e_ops['z']", "subsystems", "other"),
    "no observables": (ValueError, "`e_ops`", "at least one", "[]"),
    "bare observable": (TypeError, "`e_ops`", "dict or a list", "atoms.Jz"),
    "one-emitter observable": (TypeError, "e_ops['s']", "operator", "Jz"),
    "observable is a word": (TypeError, "e_ops['z']", "operator", "Jz"),
    "observable is a number": (TypeError, "e_ops['z']", "operator", "3.0"),
    "observable depends on time": (ValueError, "e_ops['z']", "time", ""),
    "name is a number": (TypeError, "`e_ops`", "string", "1"),
    "unknown method": (ValueError, "`method`", "'twa'", "twaa"),
    "method is a number": (TypeError, "`method`", "method", "3"),
    "ntraj = 1": (ValueError, "`ntraj`", "at least 2", "1"),
    "ntraj = 0": (ValueError, "`ntraj`", "at least 2", "0"),
    "ntraj = 2.5": (TypeError, "`ntraj`", "integer", "2.5"),
    "ntraj is NaN": (TypeError, "`ntraj`", "integer", "nan"),
    "ntraj is true": (TypeError, "`ntraj`", "integer", "True"),
    "seed = -1": (ValueError, "`seed`", "at least 0", "-1"),
    "seed = 2^64": (ValueError, "`seed`", "2**64", "18446744073709551616"),
    "seed = 0.5": (TypeError, "`seed`", "integer", "0.5"),
    "dt = 0": (ValueError, "`dt`", "positive", "0"),
    "dt = -1": (ValueError, "`dt`", "positive", "-1.0"),
    "dt is NaN": (ValueError, "`dt`", "finite", "nan"),
    "dt is a word": (TypeError, "`dt`", "real number", "small"),
    "precision": (ValueError, "`precision`", "'single'", "half"),
    "device": (ValueError, "`device`", "'cpu'", "abacus"),
    "threads = 0": (ValueError, "`threads`", "at least 1", "0"),
    "threads = 1.5": (TypeError, "`threads`", "integer", "1.5"),
    "target_sem = 0": (ValueError, "`target_sem`", "positive", "0"),
    "target_sem < 0": (ValueError, "`target_sem`", "positive", "-0.1"),
    "target_sem is NaN": (ValueError, "`target_sem`", "finite", "nan"),
    "target_sem of a stranger": (ValueError, "`target_sem`", "'z'", "y"),
    "target_sem word": (ValueError, "`target_sem`", "positive", "low"),
    "timeout = 0": (ValueError, "`timeout`", "positive", "0"),
    "timeout is NaN": (ValueError, "`timeout`", "finite", "nan"),
    "keep": (ValueError, "`keep`", "'final'", "everything"),
    "model": (TypeError, "`model`", "wf.Model", "laser"),
}


@pytest.mark.parametrize("case", BAD_CALLS)
def test_bad_calls_are_refused_before_any_work(case, no_work):
    model, atoms = laser()
    kind, *words = BAD_CALLS[case]
    with pytest.raises(kind) as error:
        bad_call(case, atoms, model)
    for word in words:
        assert word in str(error.value)


def test_unknown_keywords_raise():
    model, atoms = laser()
    with pytest.raises(TypeError, match="trajectories"):
        wf.solve(model, T, e_ops=[atoms.Jz], trajectories=3)


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        (lambda t: NAN if t > 0.4 else 1.0, ValueError, ("finite", "nan")),
        (lambda t: 0.3 - t, ValueError, ("non-negative", "-0.")),
        (lambda t: "x", TypeError, ("number", "x")),
        (lambda t: 1.0 if t == 0 else "x", TypeError, ("number", "x")),
        (lambda t: 1j if t > 0.4 else 1.0, ValueError, ("complex",)),
        # fine at every output time, negative between them
        (lambda t: float(np.cos(4 * np.pi * t)), ValueError, ("non-negative", "-")),
        (lambda t: NAN if 0.1 < t < 0.4 else 1.0, ValueError, ("finite", "nan")),
    ],
)
@pytest.mark.parametrize("dt", [None, 0.01])
@pytest.mark.parametrize("local", [True, False])
def test_rates_are_checked_at_every_time(function, kind, words, dt, local, monkeypatch):
    monkeypatch.setattr(cpu.CpuKernel, "simulate", lambda *a, **k: pytest.fail("work began"))
    atoms = wf.Ensemble(5, name="atoms")
    with pytest.raises(kind) as error:
        rate = wf.coef(function)
        jump = wf.LocalJump(atoms.sm, rate) if local else wf.Jump(atoms.Jm, rate)
        model = wf.Model(jumps=[jump], initial={atoms: wf.up})
        wf.solve(model, T, e_ops=[atoms.Jz], ntraj=10, dt=dt, progress=False)
    for word in words:
        assert word in str(error.value)


# ---------------------------------------------------------------------------- stopping rules


def test_a_target_stops_the_run_once_it_is_met():
    model, atoms = laser()
    times = np.linspace(0, 1, 5)
    options = {"e_ops": laser_ops(atoms), "seed": 3, "dt": 0.01, "progress": False}
    result = wf.solve(model, times, ntraj=10**6, target_sem={"z": 0.05}, **options)
    assert result.stats["stopped_because"] == "target_sem"
    assert result.sem["z"].max() <= 0.05
    assert 10 * result.stats["lanes"] <= result.ntraj < 20_000
    tight = wf.solve(model, times, ntraj=2000, target_sem=1e-9, **options)
    assert tight.stats["stopped_because"] == "ntraj" and tight.ntraj == 2000
    # the trajectories of a run that stopped early are the first ones of a longer run
    same = wf.solve(model, times, ntraj=result.ntraj, **options)
    assert np.array_equal(same.expect["e"], result.expect["e"])


def test_a_target_is_looked_at_after_ten_chunks_only():
    model, atoms = laser()
    options = {"e_ops": laser_ops(atoms), "seed": 3, "dt": 0.01, "progress": False}
    result = wf.solve(model, T, ntraj=10**6, target_sem=1e6, **options)
    assert result.ntraj == 10 * result.stats["lanes"]


def test_a_timeout_returns_what_is_done():
    model, atoms = laser(N=100)
    times = np.linspace(0, 1, 3)
    start = time.perf_counter()
    result = wf.solve(
        model,
        times,
        e_ops=laser_ops(atoms),
        ntraj=10**9,
        seed=3,
        dt=1e-4,
        timeout=0.5,
        threads=1,
        progress=False,
    )
    assert time.perf_counter() - start < 20
    assert result.stats["stopped_because"] == "timeout"
    assert 0 < result.ntraj < 10**9
    assert result.stats["failed"] == 0


# ---------------------------------------------------------------------------- reproducibility


def everything(model, times, e_ops, **options):
    result = wf.solve(model, times, e_ops=e_ops, seed=5, progress=False, **options)
    return [np.asarray(x[name]) for x in (result.expect, result.sem, result.std) for name in e_ops]


def test_results_do_not_depend_on_threads_or_task_grouping(monkeypatch):
    """Bit for bit, derived observables included."""
    from wignerflow.run import loop

    model, atoms = laser(N=50)
    times = np.linspace(0, 0.4, 4)
    e_ops = {
        "e": atoms.Jp * atoms.Jm,
        "J": atoms.Jm,
        "s": wf.Squeezing(atoms),
        "g": wf.g2(atoms.Jm),
    }
    options = {"ntraj": 3001, "dt": 0.01}
    one = everything(model, times, e_ops, threads=1, **options)
    for threads in (2, 3, 7):
        other = everything(model, times, e_ops, threads=threads, **options)
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))
    for seconds in (1e-9, 100.0):
        monkeypatch.setattr(loop.Threads, "task_seconds", seconds)
        other = everything(model, times, e_ops, threads=2, **options)
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))
    other = everything(model, times, e_ops, threads=1, **{**options, "ntraj": 3000})
    assert not np.array_equal(one[0], other[0])


def test_seeds():
    model, atoms = laser()
    options = {"e_ops": laser_ops(atoms), "ntraj": 256, "dt": 0.02, "progress": False}
    runs = [wf.solve(model, T, seed=s, **options).expect["z"] for s in (1, 1, 2, 2**63, None, None)]
    assert np.array_equal(runs[0], runs[1])
    assert len({r.tobytes() for r in runs}) == 5
    result = wf.solve(model, T, **options)
    again = wf.solve(model, T, seed=result.seed, **options)
    assert np.array_equal(result.expect["z"], again.expect["z"])


def test_frozen_values():
    """The same seed gives the same numbers from version to version (single precision's digits)."""
    model, atoms = laser(N=50)
    result = wf.solve(
        model, [0, 0.1, 0.3], e_ops=laser_ops(atoms), ntraj=200, seed=77,
        dt=0.005, progress=False,
    )  # fmt: skip
    assert np.allclose(result.expect["e"], FROZEN["e"], rtol=1e-4)
    assert np.allclose(result.expect["z"], FROZEN["z"], rtol=1e-4)


FROZEN = {
    "e": [50.04227093, 424.95596674, 186.68775871],
    "z": [25.00006440, 7.99439801, 7.34861971],
}


# ---------------------------------------------------------------------------- time dependence


def pulse(t):
    return 1.5 * np.exp(-((t - 1) ** 2))


def gate(t):
    return 0.4 + 0.3 * np.sin(2 * t)


def bloch(times, r, drive, decay, pump, detuning=0.7):
    """Optical Bloch equations of one emitter, H = f sx/2 + g sy/2 + detuning sz/2."""

    def slope(t, r):
        f = drive(t)
        B = np.array([np.real(f), np.imag(f), detuning])
        down, up = decay(t), pump(t)
        relax = np.array([(down + up) / 2 * r[0], (down + up) / 2 * r[1], (down + up) * r[2]])
        return np.cross(B, r) - relax - np.array([0, 0, down - up])

    return solve_ivp(slope, (0, times[-1]), r, t_eval=times, rtol=1e-10, atol=1e-12).y


@pytest.mark.parametrize("samples", [pytest.param(False, marks=pytest.mark.slow), True])
def test_time_dependent_rates_and_drives_follow_the_bloch_equations(samples):
    """Independent emitters: means are exact in mean field at every N."""
    N, times = 40, np.linspace(0, 3, 13)
    grid = np.linspace(0, 3, 3001)

    def coef(f):
        return wf.coef(f(grid), grid) if samples else wf.coef(lambda t: f(t))

    atoms = wf.Ensemble(N, name="atoms")
    drive = coef(lambda t: pulse(t) * np.exp(0.5j * t))
    # f Jx + g Jy = Re(f* J-)...: (f - i g) J+ /2 + h.c. with f + i g the drive
    H = 0.5 * (drive.conj() * atoms.Jp + drive * atoms.Jm) + 0.7 * atoms.Jz
    jumps = [
        wf.LocalJump(atoms.sm, coef(lambda t: gate(t) + 0 * t)),
        wf.LocalJump(atoms.sp, coef(lambda t: 0.2 + 0.1 * np.cos(t))),
    ]
    r = np.array([0.3, -0.5, 0.6])
    model = wf.Model(H, jumps, initial={atoms: wf.bloch_vector(*r)})
    want = bloch(
        times, r, lambda t: pulse(t) * np.exp(0.5j * t), gate, lambda t: 0.2 + 0.1 * np.cos(t)
    )
    e_ops = {"x": atoms.Jx, "y": atoms.Jy, "z": atoms.Jz}
    mean = wf.solve(model, times, e_ops=e_ops, method="mean-field", dt=0.005, progress=False)
    for name, component in zip("xyz", want, strict=True):
        assert np.allclose(mean.expect[name], N / 2 * component, rtol=0, atol=2e-4 * N)
    run = wf.solve(model, times, e_ops=e_ops, ntraj=4000, seed=2, dt=0.02, progress=False)
    z = np.array(
        [
            (run.expect[name] - N / 2 * component)[1:] / run.sem[name][1:]
            for name, component in zip("xyz", want, strict=True)
        ]
    )
    assert np.abs(z).max() < stats.norm.isf(1e-3 / z.size / 2)


def test_a_time_dependent_collective_rate():
    """One emitter, H = 0: a jump of rate r(t) empties it as exp(-integral of r)."""
    spin = wf.Spin(name="spin")
    rate = wf.coef(lambda t: float(gate(t)))
    model = wf.Model(jumps=[wf.Jump(spin.sm, rate)], initial={spin: wf.up})
    times = np.linspace(0, 0.2, 3)
    run = wf.solve(
        model, times, e_ops={"z": spin.sz}, ntraj=200_000, seed=3, dt=0.01, progress=False
    )
    integral = 0.4 * times + 0.15 * (1 - np.cos(2 * times))
    want = 2 * np.exp(-integral) - 1
    # the truncation error of one spin begins at second order in time
    assert abs(run.expect["z"][1] - want[1]) < 4 * run.sem["z"][1] + 0.3 * integral[1] ** 2
    assert abs(run.expect["z"][1] - 1) > 10 * run.sem["z"][1]


# ---------------------------------------------------------------------------- against exact


CASES = {
    # N: allowed truncation errors of emission/N^2 and inversion/N
    10: (0.0035, 0.008),
    25: (0.0015, 0.004),
    100: (0.001, 0.003),
}
ERROR_RATE = 1e-3


def against_exact(N, times, ntraj, seed, spoil=1.0):
    """Deviations and standard errors of emission/N^2 and inversion/N."""
    model, atoms = laser(N)
    exact = wf.solve(model, times, e_ops=laser_ops(atoms), method="exact", progress=False)
    wrong, atoms2 = laser(N, rate=spoil)
    run = wf.solve(
        wrong, times, e_ops=laser_ops(atoms2), ntraj=ntraj, seed=seed, dt=0.1 / N, progress=False
    )
    scale = {"e": N**2, "z": N}
    return [
        ((run.expect[k] - exact.expect[k]) / scale[k], run.sem[k] / scale[k]) for k in ("e", "z")
    ]


SHORT = pytest.mark.filterwarnings("ignore:Up to:UserWarning")  # lengths of order one at N = 10


@SHORT
@pytest.mark.parametrize("N", CASES)
def test_the_laser_agrees_with_the_exact_solution(N):
    """Truncation error and sampling error bounded apart: |deviation| <= bound + z sem."""
    times = np.linspace(0, 20 / N, 41)
    z = stats.norm.isf(ERROR_RATE / (2 * 41 * 2 * len(CASES)))
    for (deviation, sem), bound in zip(against_exact(N, times, 20_000, N), CASES[N], strict=True):
        assert np.all(np.abs(deviation) <= bound + z * sem)
        assert sem.max() < bound


@pytest.mark.parametrize("spoil", [0.9, 1.1])
def test_a_rate_that_is_ten_per_cent_off_is_seen(spoil):
    N = 100
    times = np.linspace(0, 20 / N, 41)
    z = stats.norm.isf(ERROR_RATE / (2 * 41 * 2 * len(CASES)))
    pairs = zip(against_exact(N, times, 20_000, N, spoil), CASES[N], strict=True)
    assert any(np.any(np.abs(d) > bound + z * sem) for (d, sem), bound in pairs)


@SHORT
@pytest.mark.parametrize("N", [10, 50])
def test_local_channels_alone_agree_within_sampling_error(N):
    """No truncation: means and second moments are exact, so z-scores alone decide."""
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.LocalJump(atoms.sm, 1.0), wf.LocalJump(atoms.sp, 0.4), wf.LocalJump(atoms.sz, 0.2)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.bloch_vector(0.1, 0.2, 0.5)})
    times = np.linspace(0, 2, 6)
    e_ops = {"z": atoms.Jz, "zz": atoms.Jz * atoms.Jz, "e": atoms.Jp * atoms.Jm}
    run = wf.solve(model, times, e_ops=e_ops, ntraj=40_000, seed=9, progress=False)
    total = 1.4
    z = (0.5 + 0.6 / total) * np.exp(-total * times) - 0.6 / total
    q = (0.1**2 + 0.2**2) * np.exp(-(total + 4 * 0.2) * times)
    want = {
        "z": N / 2 * z,
        "zz": N / 4 + N * (N - 1) / 4 * z**2,
        "e": N / 2 * (1 + z) + N * (N - 1) / 4 * q,
    }
    scores = [(run.expect[k] - want[k]) / run.sem[k] for k in e_ops]
    assert np.abs(scores).max() < stats.norm.isf(ERROR_RATE / 36)
    # the control: sqrt(1/2) of the noise in zz would be seen
    missing = 0.5 * N / 4 * (1 - z**2)
    assert np.all(missing > 5 * run.sem["zz"])


@pytest.mark.slow
def test_compile_time_is_told_from_the_pilot(monkeypatch):
    load = build.load

    def slow(source):
        time.sleep(0.3)
        return load(source)

    model, atoms = laser()
    run = {"e_ops": laser_ops(atoms), "ntraj": 2, "seed": 1, "progress": False}
    wf.solve(model, T, **run)  # compiled now
    monkeypatch.setattr(build, "load", slow)
    found = wf.solve(model, T, **run).stats
    assert found["compile_time"] >= 3 * 0.3  # the pilot's two kernels, and the run's
    assert 0 <= found["pilot_time"] < found["preparation_time"] - 2 * 0.3
    assert found["compile_time"] + found["pilot_time"] <= found["preparation_time"]


@pytest.mark.parametrize("method", ["twa", "jumps"])
def test_derived_observables_of_few_trajectories_are_warned_of(method):
    model, atoms = laser()
    run = {"e_ops": laser_ops(atoms) | {"g2": wf.g2(atoms.Jm)}, "seed": 1, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        results = [wf.solve(model, T / 100, method=method, ntraj=n, **run) for n in (8, 63, 64)]
        del run["e_ops"]["g2"]
        results.append(wf.solve(model, T / 100, method=method, ntraj=8, **run))
    found = [[w for w in r.stats["warnings"] if "at least 64" in w] for r in results]
    assert found[0][0].startswith("'g2': a function of means, whose value and error mean little")
    assert [len(w) for w in found] == [1, 1, 0, 0]


def test_options_a_method_has_no_use_for_are_named():
    atoms = wf.Ensemble(4, name="atoms")
    model = wf.Model(jumps=[wf.Jump(atoms.Jm, 1.0)], initial={atoms: wf.up})
    every = {"dt": 0.1, "precision": "double", "target_sem": 0.1, "timeout": 100.0}
    wanted = {
        "exact": "`dt`, `precision`, `target_sem` and `timeout`.",
        "cumulant": "`dt`, `precision`, `target_sem` and `timeout`.",
        "mean-field": "`target_sem` and `timeout`.",
    }
    for method, names in wanted.items():
        plain = wf.solve(model, T, e_ops=[atoms.Jz], method=method)
        assert "makes no use" not in str(plain)
        result = wf.solve(model, T, e_ops=[atoms.Jz], method=method, **every)
        assert result.stats["notes"][-1] == f"Method {method!r} makes no use of {names}"
        assert result.stats["notes"][-1] in str(result)
    with pytest.warns(UserWarning, match="'jumps' makes no use of `dt`, `precision` and `target"):
        wf.solve(model, T, e_ops=[atoms.Jz], method="jumps", ntraj=2, seed=1, **every)
    runs = {"method": "jumps", "ntraj": 2, "seed": 1, "dt": 0.1}
    result = wf.solve(model, T, e_ops=[atoms.Jz], **runs)
    assert result.stats["notes"] == ["Method 'jumps' makes no use of `dt`."]


def test_messages_say_what_to_do():
    atoms, one, other = wf.Ensemble(4), wf.Spin(name="s"), wf.Spin(name="s")
    with pytest.raises(ValueError, match=r"non-negative, but was -0.3\. A jump the other way is"):
        wf.Jump(atoms.Jm, -0.3)
    for rate in (True, [True, False]):
        with pytest.raises(TypeError, match="`rate` must be a number"):
            wf.Jump(atoms.Jm, rate)
    with pytest.raises(ValueError, match=r"`N` must be at most 2\^53"):
        wf.Ensemble(10**20)
    with pytest.raises(TypeError, match="operator of all emitters, but was 1 on one emitter of"):
        wf.Model(atoms.sx * atoms.sx, initial={atoms: wf.up})
    model = wf.Model(one.sx, initial={one: wf.up})
    with pytest.raises(ValueError, match=r"lists \('s'\).*It is another subsystem of that name"):
        wf.Model(other.sx, initial={one: wf.up})
    with pytest.raises(ValueError, match="It is another subsystem of that name: make each"):
        wf.solve(model, T, e_ops=[other.sz])
    with pytest.raises(ValueError, match=r"'gpu'\. GPUs are 'cuda'"):
        wf.solve(model, T, e_ops=[one.sz], device="gpu")
