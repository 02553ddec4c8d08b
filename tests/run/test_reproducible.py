"""The same bits whatever the threads and the cut into tasks; runs repeat from files."""

import json

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels.cpu import CpuKernel
from wignerflow.run.loop import Units
from wignerflow.run.pool import Threads
from wignerflow.solving import METHODS
from wignerflow.solving.provenance import read_method, write_method

from ..few import few
from . import cases

CASES, TIMES, solve = cases.CASES, cases.TIMES, cases.solve


@pytest.mark.parametrize("case", few(CASES))
def test_a_file_repeats_its_run(case, tmp_path):
    result = solve(case)
    assert result.provenance["repeatable"] is True
    result.save(tmp_path / "a.nc")
    loaded = wf.load(tmp_path / "a.nc")
    assert loaded.digest() == result.digest()
    again = loaded.rerun()
    assert again.digest() == result.digest()
    for part in ("model", "seed", "dt", "method", "trajectories"):
        assert getattr(again, part) == getattr(result, part), part
    for key in ("e_ops", "engine", "tlist", "seed", "step", "precision", "target", "llvmlite"):
        assert again.provenance[key] == result.provenance[key], key


def test_threads_and_tasks_change_no_bit(monkeypatch):
    digest = solve(threads=1).digest()
    assert solve(threads=5).digest() == digest
    monkeypatch.setattr("wignerflow.run.pool.Threads.task_seconds", 1e-9)
    assert solve(threads=2).digest() == digest
    monkeypatch.setattr("wignerflow.run.pool.Threads.task_seconds", 1e9)
    assert solve(threads=1).digest() == digest
    assert solve(threads=1, seed=4).digest() != digest


LONG = 128 * (128 + 3 * 16 + 5) + 7  # past the chunks that are added one by one, and cut off


def test_portions_of_chunks():
    for chunks in (1, 127, 128, 129, 144, 145, 1000):
        for size in (1, 4, 16):
            units = Units(chunks, size)
            sizes = units.sizes(0, units.count)
            assert sum(sizes) == chunks and min(sizes) >= 1
            assert all(units.at(units.start(u)) == u for u in range(units.count))
            assert set(sizes[:128]) == {1} and set(sizes[128:-1]) <= {size}
            assert all(units.whole(units.start(u)) for u in range(units.count))
            assert units.whole(256) and units.whole(1024)  # where digests are kept
    assert not Units(1000, 16).whole(140)


def test_quick_chunks_share_tasks(monkeypatch):
    """79 chunks of half a millisecond are some twenty tasks, not one each."""
    tasks, submit = [], Threads.submit

    def watched(self, first, sizes, *rest):
        tasks.append(sum(sizes))
        return submit(self, first, sizes, *rest)

    monkeypatch.setattr(Threads, "submit", watched)
    monkeypatch.setattr(Threads, "task_seconds", 100.0)  # however slow the machine
    assert solve(ntraj=10_000, threads=2).stats["chunks"] == sum(tasks) == 79
    assert max(tasks) == 10 and len(tasks) <= 20


def test_long_runs_have_the_same_bits(monkeypatch, tmp_path):
    """Portions of several chunks: threads, tasks, interruptions and targets change nothing."""
    whole = solve(ntraj=LONG, threads=1)
    kernels = []
    monkeypatch.setattr(
        "wignerflow.run.loop.Units.of",
        lambda kernel, chunks: kernels.append(kernel) or Units(chunks, 16),
    )
    monkeypatch.setattr("wignerflow.run.pool.Threads.task_seconds", 1e-9)
    again = solve(ntraj=LONG, threads=3)
    assert again.digest() == whole.digest() and again.stats["digests"] == whole.stats["digests"]
    assert again.stats["short_spins"] == whole.stats["short_spins"]
    assert whole.ntraj == LONG and whole.stats["chunks"] == 182
    # a run that ends within a portion is kept up to the portion's start, and goes on from there
    path = tmp_path / "run.nc"
    short = 128 * 150
    part = solve(ntraj=short, checkpoint=path)
    assert part.ntraj == short and wf.load(path).ntraj == 128 * 144
    rest = solve(ntraj=LONG, checkpoint=path)
    assert rest.stats["resumed"] == 128 * 144 and rest.digest() == whole.digest()
    assert np.array_equal(rest.samples.batch_count.sum(axis=1), rest.samples.count)
    # negative control: added one by one, the sums round otherwise
    assert kernels[0].lanes == 128
    monkeypatch.setattr("wignerflow.run.loop.Units.of", lambda kernel, n: Units(n, 1))
    other = solve(ntraj=LONG)
    assert other.digest() != whole.digest()
    for name, value in whole.expect.items():
        np.testing.assert_allclose(other.expect[name], value, rtol=1e-12)
        np.testing.assert_allclose(other.sem[name], whole.sem[name], rtol=1e-9)


def test_targets_of_long_runs(monkeypatch):
    options = {
        "ntraj": 200_000,
        "target_sem": {"emission": 0.9 * solve(ntraj=20_000).sem["emission"].max()},
    }
    first = solve(threads=1, **options)
    assert 128 < first.stats["chunks"] < 400 and Units(9999, 16).whole(first.stats["chunks"])
    monkeypatch.setattr("wignerflow.run.pool.Threads.task_seconds", 1e-9)
    assert solve(threads=3, **options).digest() == first.digest()


def test_slow_chunks_are_added_one_by_one():
    class Slow:
        lanes, state_slots, nsteps = 32, 3000, np.array([1000])

    class Quick:
        lanes, state_slots, nsteps = 128, 3, np.array([100, 100])

    assert Units.of(Slow, 1000).size == 1 and Units.of(Quick, 1000).size == 16


def test_diagnostics_do_not_depend_on_tasks(monkeypatch):
    first = solve("chain", threads=1).stats
    monkeypatch.setattr("wignerflow.run.pool.Threads.task_seconds", 1e-9)
    second = solve("chain", threads=3).stats
    for key in ("short_spins", "clipped", "digests", "chunks"):
        assert first.get(key) == second.get(key)


@pytest.mark.parametrize("method", ["exact", "jumps", "mean-field"])
def test_other_methods_repeat(method):
    atoms = wf.Ensemble(6, name="atoms")
    model = wf.Model(jumps=[wf.Jump(atoms.Jm, rate=1.0)], initial={atoms: wf.up})
    result = wf.solve(model, TIMES, e_ops=[atoms.Jz], method=method, ntraj=100, seed=1)
    assert result.rerun().digest() == result.digest()
    assert wf.verify(result)


def test_double_precision_options_and_chosen_steps_repeat():
    method = wf.TWA(sampling="gaussian")
    result = solve(method=method, precision="double", ntraj=200, dt=None)
    assert result.rerun().digest() == result.digest()
    assert result.rerun().provenance["method"] == repr(method)


def test_rerun_of_fewer_and_more():
    result = solve(ntraj=300)
    assert result.rerun(1000).digest() == solve(ntraj=1000, dt=result.provenance["step"]).digest()


@pytest.mark.parametrize("name", METHODS)
def test_methods_have_a_plain_form(name):
    engine = METHODS[name]()
    atoms = wf.Ensemble(10, name="atoms")
    model = wf.Model(jumps=[wf.Jump(atoms.Jm, rate=1.0)], initial={atoms: wf.up})
    plain = json.loads(json.dumps(write_method(engine, model)))
    again = read_method(plain)
    assert type(again) is type(engine) and repr(again) == repr(engine)


def test_what_cannot_be_repeated_says_so():
    class Own(wf.Derived):
        def __init__(self, op):
            self._inputs = {"a": op}

        def evaluate(self, means):
            return 2 * means["a"]

    atoms = wf.Ensemble(10, name="atoms")
    model = wf.Model(jumps=[wf.Jump(atoms.Jm, rate=1.0)], initial={atoms: wf.up})
    result = wf.solve(model, TIMES, e_ops={"own": Own(atoms.Jz)}, ntraj=64, seed=1)
    with pytest.raises(ValueError, match="the observable 'own' is of a class of its own, Own"):
        result.rerun()
    rate = wf.coef(lambda t: 1.0 + t)
    model = wf.Model(jumps=[wf.LocalJump(atoms.sm, rate=rate)], initial={atoms: wf.up})
    result = wf.solve(model, TIMES, e_ops=[atoms.Jz], method="exact")
    with pytest.raises(ValueError, match="a coefficient is a callable"):
        result.rerun()
    result = solve(ntraj=64)
    with pytest.raises(ValueError, match="must be of one run"):
        result.merge(solve(ntraj=64, seed=9)).rerun()
    with pytest.raises(ValueError, match=r"must be one of .* but was 'ntray'"):
        result.rerun(ntray=3)


def test_verify(tmp_path):
    result = solve(ntraj=2500)
    result.save(tmp_path / "a.nc")
    outcome = wf.verify(tmp_path / "a.nc")
    assert outcome and outcome.exact and outcome.ntraj == 2048
    assert wf.verify(tmp_path / "a.nc", chunks=5).ntraj == 512
    assert wf.verify(result, whole=True).ntraj == 2500
    changed = wf.load(tmp_path / "a.nc")
    changed.stats["digests"]["16"] = "0" * 64
    assert not wf.verify(changed)
    changed = wf.load(tmp_path / "a.nc")
    changed.provenance["seed"] = 4
    outcome = wf.verify(changed)
    assert not outcome and outcome.exact and "with other bits" in outcome.reason


def test_verify_elsewhere_compares_means():
    """On another CPU bits differ: here a result in double precision plays the other machine."""
    result = solve(ntraj=2500, precision="double")
    result.provenance |= {"target": "another cpu", "precision": "single"}
    outcome = wf.verify(result)
    assert outcome and not outcome.exact and "another cpu there" in outcome.reason
    result.expect["emission"] *= 1.2
    assert not wf.verify(result)


def test_verify_command(tmp_path, capsys):
    from wignerflow.cli import main

    result = solve(ntraj=300)
    result.save(tmp_path / "a.nc")
    assert main(["verify", str(tmp_path / "a.nc")]) == 0
    assert (
        "the first 128 of 300 trajectories ran again, with the same bits" in capsys.readouterr().out
    )
    result.stats["digests"]["1"] = "0"
    result.save(tmp_path / "b.nc")
    assert main(["verify", str(tmp_path / "b.nc")]) == 1
    (tmp_path / "c.nc").write_bytes(b"no result")
    assert main(["verify", str(tmp_path / "c.nc")]) == 2
    assert "is not a file with a result" in capsys.readouterr().err


def test_digest_of_a_program_tells_parameters_apart(monkeypatch):
    found = []
    whole = CpuKernel.simulate

    def spy(self, first, chunks, *rest, **options):
        if chunks:
            found.append(self.digest)
        return whole(self, first, chunks, *rest, **options)

    monkeypatch.setattr(CpuKernel, "simulate", spy)
    for dt, N in ((0.1, 100), (0.1, 100), (0.05, 100), (0.1, 101)):
        model, e_ops = cases.laser(N)
        wf.solve(model, TIMES, e_ops=e_ops, ntraj=64, seed=1, dt=dt, threads=1)
    assert found[0] == found[1] and len(set(found)) == 3


def test_kernels_travel(monkeypatch):
    import pickle

    kept = []
    whole = CpuKernel.simulate

    def spy(self, *arguments, **options):
        kept.append(self)
        return whole(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(CpuKernel, "simulate", spy)
        solve(ntraj=64)
    kernel = kept[-1]
    other = pickle.loads(pickle.dumps(kernel))
    assert other.digest == kernel.digest
    a, b = kernel.simulate(0, 2, 256, 5), other.simulate(0, 2, 256, 5)
    assert all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("mean", "m2", "batch_sum"))
