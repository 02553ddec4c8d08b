"""Absurd requests: refused, warned about or limited before any work, by what the machine has."""

import math
import time

import numpy as np
import pytest

import wignerflow as wf
from wignerflow import cli, estimate, runfile
from wignerflow.exact.collect import CHUNK
from wignerflow.exact.engine import Exact

from ..run import cases

TIMES = np.linspace(0, 1, 6)


@pytest.fixture
def small(monkeypatch):
    """A machine of 200 MB."""
    monkeypatch.setattr(estimate, "machine_memory", lambda: 2e8)


def laser(N=100):
    return cases.laser(N)


def test_the_memory_of_this_machine():
    have = estimate.machine_memory()
    assert 1e8 < have < 1e15
    estimate.check_memory(0.99 * have, "this", "ask for less")
    with pytest.raises(estimate.Beyond, match=r"this needs at least .* GB .* ask for less\.") as e:
        estimate.check_memory(1.01 * have, "this", "ask for less")
    assert e.value.estimate.bytes > have and math.isinf(e.value.estimate.seconds)


def test_limits_of_the_process_count():
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**40, before[1]))
    try:
        assert estimate.machine_memory() <= 2**40
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def coupled(M):
    spins = wf.Spin(name="spins", count=M)
    H = wf.couple(spins.sx, np.ones((M, M)) / M, spins.sx)
    return wf.Model(H, [wf.Jump(spins.sm, 0.5)], initial={spins: wf.down}), [spins.sz.sum()]


def timed(T):
    spin = wf.CollectiveSpin(5, name="spin")
    H = wf.coef(np.sin) * spin.Jx
    model = wf.Model(H, [wf.Jump(spin.Jm, 0.1)], initial={spin: wf.down})
    return model, [spin.Jz], np.linspace(0, 1, T)


REQUESTS = {
    "times": (*laser(), np.linspace(0, 1, 10**6), {"dt": 0.1}),
    "kept samples": (*laser(), TIMES, {"ntraj": 10**8, "keep": "final", "dt": 0.1}),
    "steps": (*laser(), TIMES, {"dt": 1e-7}),
    "times of populations": (*laser(4), np.linspace(0, 1, 10**6), {"method": "exact"}),
    "times of blocks": (*timed(10**6), {"method": "exact"}),
    "runs of jumps": (*laser(4), TIMES, {"method": "jumps", "ntraj": 10**9}),
    "times of cumulants": (*coupled(20), np.linspace(0, 1, 10**4), {"method": "cumulant"}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_more_than_the_machine_has(name, small):
    """Refused within seconds, naming need and remedy; ``estimate`` tells the same need."""
    model, e_ops, times, options = REQUESTS[name]
    begin = time.perf_counter()
    with pytest.raises(estimate.Beyond, match=r"needs at least .* allows 0.2 GB; ask"):
        wf.solve(model, times, e_ops=e_ops, progress=False, seed=1, **options)
    told = model.estimate(times, e_ops=e_ops, seed=1, **options)
    assert told.bytes > 2e8 and math.isinf(told.seconds)
    assert time.perf_counter() - begin < 60


@pytest.mark.parametrize("method", ["twa", "mean-field", "exact", "jumps", "cumulant"])
def test_an_estimate_runs_nothing(method, monkeypatch):
    model, e_ops = laser(10)

    def never(*arguments, **keywords):
        raise AssertionError("it ran")

    monkeypatch.setattr("wignerflow.solving.trajectories.simulate", never)
    needed = model.estimate(TIMES, e_ops=e_ops, method=method, ntraj=10**7, seed=1, dt=0.01)
    assert 0 < needed.seconds < math.inf and 0 < needed.bytes < 1e11
    assert repr(needed).startswith("about ") and needed.what


def timed_array(M):
    chain = wf.Ensemble(50, count=M, name="chain")
    H, jumps = wf.waveguide(chain, 0.3, 1.0)
    jumps.append(wf.LocalJump(chain.sp, 1.0))
    return wf.Model(H, jumps, initial={chain: wf.down}), [chain.Jz.sum()]


def driven(N):
    atoms = wf.Ensemble(N, name="atoms")
    model = wf.Model(3.0 * atoms.Jx, [wf.Jump(atoms.Jm, 1.0)], initial={atoms: wf.down})
    return model, [atoms.Jz]


RUNS = {
    "laser": (laser(), TIMES, {"ntraj": 40_000, "dt": 1e-3}),
    "laser, many times": (laser(), np.linspace(0, 1, 1001), {"ntraj": 20_000, "dt": 1e-3}),
    "double": (laser(), TIMES, {"ntraj": 20_000, "dt": 1e-3, "precision": "double"}),
    "chain": (timed_array(100), TIMES, {"ntraj": 2000, "dt": 1e-2}),
    "exact": (driven(160), np.linspace(0, 0.5, 6), {"method": "exact"}),
    "wave functions": (driven(30), TIMES, {"method": "jumps", "ntraj": 320}),
    "classical jumps": (laser(), TIMES, {"method": "jumps", "ntraj": 6400}),
    "cumulants": (coupled(60), TIMES, {"method": "cumulant"}),
    "cumulants of many steps": (timed_array(24), TIMES, {"method": "cumulant"}),
}


@pytest.mark.slow  # it measures times, which other work on the machine changes
@pytest.mark.parametrize("name", RUNS)
def test_estimates_of_time_are_of_the_right_size(name):
    """Within a factor of three, in processor time: what the run takes on an idle machine."""
    (model, e_ops), times, options = RUNS[name]
    options = {"e_ops": e_ops, "seed": 1, "threads": 1, **options}

    def told():
        return model.estimate(times, **options).seconds

    first = {**options, "ntraj": min(options.get("ntraj", 64), 64)}
    wf.solve(model, times, progress=False, **first)  # compiled
    said = np.median([told() for _ in range(5)])
    # linear algebra keeps other threads busy with waiting, which nobody estimates
    clock = (
        time.thread_time if options.get("method") in ("exact", "cumulant") else time.process_time
    )
    took = math.inf
    for _ in range(3):  # threads that wait for each other spin, the longer the busier the machine
        begin = clock()
        wf.solve(model, times, progress=False, **options)
        took = min(took, clock() - begin)
    assert took > 0.1 and said / 3 < took < said * 3


def test_estimates_grow_with_the_trajectories():
    model, e_ops = laser()
    options = {"e_ops": e_ops, "dt": 1e-3, "seed": 1, "threads": 1}
    few, many = (model.estimate(TIMES, ntraj=n, **options).seconds for n in (20_000, 2_000_000))
    assert 30 < many / few < 300


@pytest.mark.slow
def test_pilots_for_estimates_stay_short():
    """However many trajectories are asked for."""
    model, e_ops = timed_array(4)
    wf.solve(model, TIMES, e_ops=e_ops, ntraj=64, progress=False, seed=1)
    begin = time.process_time()
    needed = model.estimate(TIMES, e_ops=e_ops, ntraj=10**12, seed=1)
    assert time.process_time() - begin < 20 and needed.seconds > 1e5


@pytest.mark.slow
def test_cumulants_of_many_members_are_refused_before_they_are_derived(monkeypatch):
    """A thousand with 4 GB is the same as three hundred with an eleventh of it."""
    model, e_ops = coupled(300)
    monkeypatch.setattr("wignerflow.moments.program.Collector.terms", lambda self: 1 / 0)
    with pytest.raises(ValueError, match=r"need at least 0\.56 GB, but 0\.4 GB are allowed"):
        wf.solve(model, TIMES, e_ops=e_ops, method=wf.Cumulant(memory=4e8))
    with pytest.raises(ZeroDivisionError):
        wf.solve(model, TIMES, e_ops=e_ops, method=wf.Cumulant(memory=8e8))


@pytest.mark.parametrize("method", ["exact", "jumps"])
@pytest.mark.parametrize("kind", ["spins", "emitters", "modes"])
def test_exact_spaces_beyond_any_float(kind, method):
    """Hundreds of dimensions multiplied: refused as too large, not by their product."""
    if kind == "spins":
        many = wf.Spin(name="many", count=1200)
        lower, state, op = many.sm, wf.up, many.sz
    elif kind == "emitters":
        many = wf.Ensemble(100, name="many", count=1000)
        lower, state, op = many.Jm, wf.up, many.Jz
    else:
        many = wf.Mode(name="many", count=1000, cutoff=50)
        lower, state, op = many.a, wf.coherent(1.0), many.n
    jumps = [wf.Jump(lower, np.linspace(0.1, 0.2, many.count))]
    model = wf.Model((0.1 * (lower + lower.dag())).sum(), jumps, initial={many: state})
    need = r"needs? (at least [\d.e+]+ GB|more than 1e308 basis states)"
    with pytest.raises(ValueError, match=need):
        wf.solve(model, [0, 0.1], e_ops={"x": op}, method=method, seed=1, ntraj=10, progress=False)


@pytest.mark.parametrize("number", [1000, 2**53])
def test_states_of_many_levels_that_fit_nowhere(number):
    """A product state of all levels: binomial coefficients of hundreds of digits."""
    atoms = wf.Levels(number, 8, name="atoms")
    mixed = np.full((8, 8), 1 / 8)
    model = wf.Model(atoms.op("0", "0"), initial={atoms: wf.density(mixed)})
    with pytest.raises(ValueError, match="The initial state has too many elements"):
        Exact("occupations").solve(model, np.array([0, 0.1]), {"z": atoms.op("1", "1")})


def test_the_terms_of_cumulants_are_known_before():
    from wignerflow.moments import program
    from wignerflow.moments.generator import generator
    from wignerflow.moments.variables import Variables

    for model, _ in (coupled(30), timed_array(12), laser()):
        v = Variables(model)
        families = generator(model, v)
        count = program.Program(v, families).count
        assert program.expected_terms(families, v) == pytest.approx(count, rel=0.1)


def test_long_runs_are_warned_about_before_they_start(monkeypatch):
    model, e_ops = laser()
    options = {"e_ops": e_ops, "dt": 0.05, "seed": 1, "progress": False}
    monkeypatch.setattr("wignerflow.run.loop.Loop.run", lambda self, start: 1 / 0)
    with pytest.warns(UserWarning, match=r"takes about .* (days|years).*Set `timeout`"):
        with pytest.raises(ZeroDivisionError):
            wf.solve(model, TIMES, ntraj=10**14, **options)
    with pytest.warns(UserWarning, match="takes up to about"):
        with pytest.raises(ZeroDivisionError):
            wf.solve(model, TIMES, ntraj=10**14, target_sem=1.0, **options)
    with pytest.raises(ZeroDivisionError):  # a warning would be an error here
        wf.solve(model, TIMES, ntraj=10**14, timeout=10.0, **options)


def test_exact_runs_of_minutes_say_so(capsys, monkeypatch):
    monkeypatch.setattr("wignerflow.estimate.MINUTE", 0.0)
    model, e_ops = laser(4)
    wf.solve(model, TIMES, e_ops=e_ops, method="exact")
    captured = capsys.readouterr()
    assert "wignerflow: this takes about" in captured.err and captured.out == ""
    wf.solve(model, TIMES, e_ops=e_ops, method="exact", progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "must"),
    [
        ({"ntraj": 10**30}, r"`ntraj` must be at most 2\*\*62"),
        ({"ntraj": 2**62 + 1}, r"`ntraj` must be at most 2\*\*62"),
        ({"threads": 10**6}, "`threads` must be at most 1024"),
    ],
)
def test_numbers_beyond_their_range(options, must):
    with pytest.raises(ValueError, match=must):
        cases.solve(**options)


# ---------------------------------------------------------------- timeout


def test_a_timeout_covers_the_pilot(monkeypatch):
    from wignerflow.run.pilot import Pilot

    level = Pilot.level

    def slowly(self, h):
        time.sleep(0.3)
        return level(self, h)

    cases.solve(dt=None)  # compiled
    monkeypatch.setattr(Pilot, "level", slowly)
    with pytest.raises(TimeoutError, match=r"within the timeout of 0\.2 s: .* pilot"):
        cases.solve(dt=None, timeout=0.2)


@pytest.mark.slow
def test_a_short_timeout_leaves_time_for_trajectories():
    """However many are asked for, the pilot does not take it all."""
    model, e_ops = laser()
    wf.solve(model, TIMES, e_ops=e_ops, ntraj=64, seed=1, progress=False)  # compiled
    done = wf.solve(model, TIMES, e_ops=e_ops, ntraj=10**12, seed=1, timeout=20, progress=False)
    assert done.stats["stopped_because"] == "timeout" and done.ntraj > 10_000
    assert done.stats["pilot_work"] < 2e8


def test_a_timeout_covers_setting_up():
    with pytest.raises(TimeoutError, match="went into reading the arguments"):
        cases.solve(timeout=1e-9)


def test_a_timeout_covers_the_first_chunk(monkeypatch):
    monkeypatch.setattr("wignerflow.run.pool.Threads.wait", lambda self, task, seconds: None)
    with pytest.raises(TimeoutError, match="into its first chunk"):
        cases.solve(timeout=0.5)


def test_compiling_does_not_count(monkeypatch):
    from wignerflow.kernels.cpu import CpuKernel

    compiled = CpuKernel._compile

    def slowly(self):
        time.sleep(1.0)
        out = compiled(self)
        self.compile_seconds += 1.0
        return out

    cases.solve()
    monkeypatch.setattr(CpuKernel, "_compile", slowly)
    assert cases.solve(timeout=0.9, ntraj=200).ntraj == 200


def test_a_timeout_of_jumps(monkeypatch):
    model, e_ops = laser(4)
    with pytest.raises(TimeoutError, match=r"No run was finished within 1e-09 s"):
        wf.solve(model, TIMES, e_ops=e_ops, method="jumps", timeout=1e-9, ntraj=64)
    done = wf.solve(model, TIMES, e_ops=e_ops, method="jumps", timeout=0.5, ntraj=10**6)
    assert done.stats["stopped_because"] == "timeout" and done.ntraj >= CHUNK


# ---------------------------------------------------------------- model files


@pytest.mark.parametrize(
    "key",
    ["a." * 50_000 + "a", '"a".' * 50_000 + "a", "'a' . " * 50_000 + "a"],
    ids=["bare", "quoted", "spaced"],
)
@pytest.mark.parametrize("line", ["{} = 1", "[{}]", "x = {{ {} = 1 }}"])
def test_long_dotted_keys_are_refused_at_once(key, line):
    begin = time.perf_counter()
    with pytest.raises(ValueError, match="a dotted key in it has more than 16 parts"):
        runfile.parse(line.format(key).encode())
    assert time.perf_counter() - begin < 1


@pytest.mark.parametrize(
    "raw",
    [b"a" * 10**6, b'"' * 10**6, b"a\n" * 10**5, b"x = " + b"[" * 10**5],
    ids=["word", "quotes", "lines", "brackets"],
)
def test_looking_for_them_takes_no_time(raw):
    begin = time.process_time()
    with pytest.raises(ValueError, match="no"):
        runfile.parse(raw)
    assert time.process_time() - begin < 2


def test_large_files_are_refused(monkeypatch):
    monkeypatch.setattr(runfile, "MAX_BYTES", 100)
    must = "`file` must have at most 100 bytes, but was larger"
    with pytest.raises(ValueError, match=must):
        runfile.parse(b" " * 101)
    with pytest.raises(ValueError, match=must):
        runfile.read_run_file("/dev/zero")


def test_a_dry_run(tmp_path, capsys):
    from pathlib import Path

    file = Path(__file__).parents[2] / "examples" / "laser.toml"
    assert cli.main(["run", str(file), "--dry-run", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "about" in out and "trajectories" in out and "this machine has" in out
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_every_analysis_knows_its_limits():
    """What ``solve`` refuses, all others refuse, too: before memory is taken."""
    mode = wf.Mode(name="mode")
    jump = wf.Jump(mode.a, 1.0)
    model = wf.Model(0.3 * (mode.a + mode.adag), [jump], initial={mode: wf.vacuum})
    output, taus, many = wf.Output(jump), [0, 0.1], np.linspace(0, 1, 10**7)

    def sized(N):
        atoms = wf.Ensemble(N, name="atoms")
        return wf.Model(jumps=[wf.Jump(atoms.Jm, 1.0)], initial={atoms: wf.up}), {"z": atoms.Jz}

    calls = [
        lambda **k: wf.photons(model, output, **({"width": 0.1, "window": 1.0} | k)),
        lambda **k: wf.correlation(model, mode.adag, mode.a, **({"taus": taus} | k)),
        lambda **k: wf.steady_state(model, e_ops=[mode.n], **k),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"`ntraj` must be at most 2\*\*62"):
            call(ntraj=10**30)
        with pytest.raises(ValueError, match="`threads` must be at most 1024"):
            call(ntraj=64, threads=10**6)
    with pytest.raises(ValueError, match=r"`ntraj` must be at most 2\*\*62"):
        wf.certify(sized, [0, 0.1], N=100, ntraj=10**30)
    photons, correlation, _ = calls
    for method in ("twa", "exact"):
        for bins in ({"width": 1e-12}, {"window": 1e18}, {"width": 1e-300}):
            with pytest.raises(ValueError, match=r"bins needs at least .*GB of memory"):
                photons(method=method, **bins)
        with pytest.raises(ValueError, match=r"9999999 bins needs at least .*GB of memory"):
            photons(method=method, bins=many, width=None, window=None)
    assert photons(width=2.0, ntraj=64, seed=1, dt=0.1).edges.size == 2
    for wrong in (-1, 0, "x"):
        with pytest.raises((ValueError, TypeError), match="`relax` must be"):
            photons(relax=wrong)
    with pytest.raises(ValueError, match="`relax` must be None without t='steady'"):
        photons(relax=1.0)
    with pytest.raises(ValueError, match=r"10000000 (delays|times) needs at least .*GB of memory"):
        correlation(taus=many, ntraj=64)
