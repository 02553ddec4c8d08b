"""When runs stop, and what they say then."""

import os
import re
import signal
import threading
import time

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.compiler import build
from wignerflow.progress import Progress, duration, seconds_left
from wignerflow.run import loop
from wignerflow.run.loop import next_check
from wignerflow.run.stopping import Target, targets, worst

from . import cases

solve = cases.solve


def test_checks_come_at_fixed_counts():
    counts = [next_check(0)]
    while counts[-1] < 30:
        counts.append(next_check(counts[-1]))
    assert counts == [10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 27, 30]
    assert [next_check(k) for k in (9, 10, 16, 17, 25)] == [10, 11, 18, 18, 27]


def test_targets():
    both = dict.fromkeys(["a", "b"], Target(0.5))
    assert targets(0.5, ["a", "b"]) == both
    assert targets("2%", ["a"]) == {"a": wf.relative(0.02)} == targets(wf.relative(0.02), ["a"])
    mixed = targets({"a": "0.5 %", "b": 3}, ["a", "b", "c"])
    assert mixed == {"a": wf.relative(0.005), "b": Target(3.0)}
    for bad in (0, -1, "0%", "1", "%", "-1%", "nan%", "1e999%", {}, {"c": 1}, {"a": 0}):
        with pytest.raises(ValueError, match=r"Argument `target_sem"):
            targets(bad, ["a"])
    with pytest.raises(TypeError):
        targets([1], ["a"])


def test_worst():
    mean = {"a": np.array([1.0, -4.0]), "b": np.array([0.0, 0.0]), "c": np.array([2.0, np.nan])}
    sem = {"a": np.array([0.1, 0.2]), "b": np.zeros(2), "c": np.array([np.nan, np.nan])}
    one = wf.relative(0.1)
    assert worst({"a": one}, mean, sem) == ("a", 0.5)
    assert worst({"a": one, "b": one}, mean, sem) == ("a", 0.5)
    assert worst({"c": one, "a": one}, mean, sem) == ("c", np.inf)


def test_target_is_met_at_the_same_chunk_whatever_the_threads(monkeypatch):
    options = {"ntraj": 100_000, "target_sem": "1.5%"}
    first = solve(threads=1, **options)
    assert first.stats["stopped_because"] == "target_sem"
    assert first.ntraj < 100_000 and first.stats["chunks"] in {next_check(k) for k in range(900)}
    for name in first.expect:
        assert np.nanmax(first.sem[name]) <= 0.015 * np.nanmax(np.abs(first.expect[name]))
    monkeypatch.setattr("wignerflow.run.pool.Threads.task_seconds", 1e9)
    assert solve(threads=3, **options).digest() == first.digest()
    assert first.rerun().digest() == first.digest()


def test_targets_per_observable():
    result = solve(ntraj=100_000, target_sem={"squeezing": 2.0})
    assert result.stats["stopped_because"] == "target_sem"
    assert np.nanmax(result.sem["squeezing"]) <= 2.0
    result = solve(ntraj=2000, target_sem={"emission": 1e-9})
    assert result.stats["stopped_because"] == "ntraj" and result.ntraj == 2000


def test_a_run_within_its_timeout_ends_by_itself():
    begin = time.perf_counter()
    result = solve(ntraj=20_000, timeout=30.0, threads=1)
    elapsed = time.perf_counter() - begin
    assert result.stats["stopped_because"] == "ntraj" and result.ntraj == 20_000
    assert 0 < result.stats["run_time"] <= result.stats["wall_time"] <= elapsed


def test_timeout_returns_whole_chunks():
    result = solve(ntraj=10**9, timeout=0.5, threads=1)
    assert result.stats["stopped_because"] == "timeout"
    assert result.ntraj > 0 and result.ntraj % result.stats["lanes"] == 0
    assert result.rerun().digest() == result.digest()


def test_ctrl_c_returns_what_is_done():
    before = signal.getsignal(signal.SIGINT)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    result = solve(ntraj=10**9, threads=1)
    timer.join()
    assert result.stats["stopped_because"] == "interrupted" and result.ntraj > 0
    assert "stopped because: interrupted" in repr(result)
    assert result.rerun().digest() == result.digest()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_raises(monkeypatch):
    def wait(self, task, seconds):
        time.sleep(0.02)
        return None

    monkeypatch.setattr(loop.Threads, "wait", wait)
    timers = [threading.Timer(s, os.kill, (os.getpid(), signal.SIGINT)) for s in (0.5, 0.8)]
    for timer in timers:
        timer.start()
    with pytest.raises(KeyboardInterrupt):
        solve(ntraj=1000, dt=0.1)
    for timer in timers:
        timer.join()


def test_progress_is_quiet_in_logs(capfd):
    solve(ntraj=200, progress=True)
    assert capfd.readouterr() == ("", "")


def test_progress_tells_what_matters(monkeypatch, capfd):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("wignerflow.bars.QUIET_SECONDS", 0.0)
    monkeypatch.setattr("wignerflow.bars.UPDATE_SECONDS", 0.0)
    solve(ntraj=20_000, progress=True, threads=1)
    out, err = capfd.readouterr()
    assert out == ""
    assert "trajectories" in err and "sem emission" in err and "left" in err


def test_progress_in_a_notebook_without_widgets(monkeypatch, capfd):
    """A notebook in which ipywidgets is missing shows text: no run is lost for a bar."""

    def missing(*args, **options):
        raise ImportError("IProgress not found. Please update jupyter and ipywidgets.")

    monkeypatch.setattr("wignerflow.bars.in_notebook", lambda: True)
    monkeypatch.setattr("tqdm.notebook.tqdm", missing)
    monkeypatch.setattr("wignerflow.bars.QUIET_SECONDS", 0.0)
    monkeypatch.setattr("wignerflow.bars.UPDATE_SECONDS", 0.0)
    assert solve(ntraj=20_000, progress=True, threads=1).ntraj == 20_000
    assert "sem emission" in capfd.readouterr().err


def test_compiling_is_said_once_it_takes_long(monkeypatch, capfd, tmp_path):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("wignerflow.bars.QUIET_SECONDS", 1e9)
    made = []

    def slow(text, target):
        made.append(text)
        time.sleep(wait)
        return code(text, target)

    code = build.targets.object_code
    monkeypatch.setattr(build.targets, "object_code", slow)
    for wait, patience, expected in ((0.3, 0.05, True), (0.0, 60.0, False)):
        monkeypatch.setenv("WIGNERFLOW_CACHE_DIR", str(tmp_path / f"{wait}"))
        build.load.cache_clear()
        monkeypatch.setattr("wignerflow.bars.UPDATE_SECONDS", patience)
        made.clear()
        solve(ntraj=640, progress=True, dt=None)
        assert len(set(made)) == len(made) == 1  # the pilot's kernel is the run's
        assert ("compiling …" in capfd.readouterr().err) is expected


def test_progress_with_a_target():
    plan = solve(ntraj=64).plan
    samples = solve(ntraj=640).samples
    bar = Progress(plan, 10_000, {"emission": wf.relative(0.001)})
    bar.begin, bar.start = 0, 0.0
    assert "sem emission" in bar.text(640, samples, 1.0)
    assert "x target" in bar.text(640, samples, 1.0)


def test_time_left():
    assert seconds_left(100, 0, 10.0, 400, 0.0) == pytest.approx(30)
    assert seconds_left(100, 50, 10.0, 400, 0.0) == pytest.approx(60)
    assert seconds_left(100, 0, 10.0, 10_000, 2.0) == pytest.approx(30)
    assert seconds_left(400, 0, 10.0, 400, 5.0) == 0
    assert [duration(s) for s in (3.4, 190, 7500)] == ["3 s", "3 min 10 s", "2 h 05 min"]


def test_a_target_alone_runs_until_it_is_met_and_one_missed_is_said():
    atoms = wf.Ensemble(20)
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 5.0)]
    model, e_ops = wf.Model(jumps=jumps, initial={atoms: wf.up}), {"emission": atoms.Jp * atoms.Jm}
    found = wf.solve(model, [0, 0.1], e_ops, target_sem="0.3%", seed=1, progress=False)
    assert found.stats["stopped_because"] == "target_sem" and found.ntraj > 1000
    few = wf.solve(model, [0, 0.1], e_ops, target_sem="0.3%", ntraj=256, seed=1, progress=False)
    (note,) = few.stats["notes"]
    needed = float(re.search(r"'emission' is .* About (\S+) trajectories", note)[1])
    assert 0.4 < needed / found.ntraj < 2.5 and few.ntraj == 256
    assert wf.solve(model, [0, 0.1], e_ops, seed=1, progress=False).ntraj == 1000
    jumps = wf.solve(model, [0, 0.1], e_ops, method="jumps", seed=1, progress=False)
    assert jumps.ntraj == 1000
