"""Checkpoints: killed runs continue to the same bits; foreign and damaged files are left alone."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import wignerflow as wf
from wignerflow import store
from wignerflow.checkpoint import FileKeeper, parse_every
from wignerflow.run.loop import Every

from ..few import few
from . import cases

solve = cases.solve


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.nc"


class Killed(BaseException):
    """What nothing catches."""


def stopped(path, monkeypatch, chunks=3, **options):
    """A run that ends like a killed one after so many chunks were kept."""
    whole = store.write
    written = []

    def write(where, data):
        whole(where, data)
        written.append(where)
        if len(written) == chunks:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", write)
        patch.setattr("wignerflow.run.pool.Threads.task_seconds", 1e-9)
        with pytest.raises(Killed):
            solve(checkpoint=path, every="1 chunks", **options)
    return wf.load(path)


@pytest.mark.parametrize("case", few(["laser", "chain"]))
def test_an_interrupted_run_ends_with_the_same_bits(case, path, monkeypatch):
    whole = solve(case)
    lanes = whole.stats["lanes"]
    partial = stopped(path, monkeypatch, case=case)
    assert partial.ntraj == 3 * lanes and partial.stats["stopped_because"] == "checkpoint"
    resumed = solve(case, checkpoint=path, every=1e-9)
    assert resumed.stats["resumed"] == 3 * lanes
    assert resumed.digest() == whole.digest()
    for key in ("short_spins", "clipped", "digests", "failed"):
        assert resumed.stats.get(key) == whole.stats.get(key)
    again = solve(case, checkpoint=path)  # finished: only the last, partial chunk is run again
    assert again.digest() == whole.digest()
    assert again.stats["resumed"] == 1000 // lanes * lanes


def test_more_trajectories_continue_a_finished_run(path):
    solve(ntraj=300, checkpoint=path)
    assert solve(ntraj=1000, checkpoint=path).digest() == solve().digest()
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"Argument `ntraj` must be at least 896"):
        solve(ntraj=500, checkpoint=path)
    assert path.read_bytes() == before


def test_a_seed_and_a_step_that_were_chosen_are_kept(path):
    first = solve(ntraj=300, checkpoint=path, seed=None, dt=None)
    second = solve(ntraj=300, checkpoint=path, seed=None, dt=None)
    assert second.seed == first.seed and second.digest() == first.digest()
    assert second.stats["step_difference"] == first.stats["step_difference"]


def test_targets_and_timeouts_continue(path, monkeypatch):
    whole = solve(ntraj=100_000, target_sem="2%")
    with monkeypatch.context() as patch:  # the time is up after the first chunks
        patch.setattr("wignerflow.run.loop.out_of_time", lambda *_: None)
        patch.setattr("wignerflow.solving.trajectories.out_of_time", lambda *_: None)
        part = solve(ntraj=100_000, target_sem="2%", checkpoint=path, timeout=1e-3)
    assert part.stats["stopped_because"] == "timeout" and path.exists()
    resumed = solve(ntraj=100_000, target_sem="2%", checkpoint=path)
    assert resumed.stats["stopped_because"] == "target_sem"
    assert resumed.digest() == whole.digest()
    again = solve(ntraj=100_000, target_sem="2%", checkpoint=path)
    assert again.digest() == whole.digest() and again.stats["stopped_because"] == "target_sem"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"seed": 4}, "another seed, 3 there and 4 here"),
        ({"dt": 0.04}, "another step, 0.05 there and 0.04 here"),
        ({"precision": "double"}, "another precision, single there and double here"),
        ({"method": wf.TWA(sampling="gaussian")}, "another method"),
        ({"tlist": np.linspace(0, 2, 6)}, "other times"),
    ],
)
def test_another_run_is_refused(change, what, path):
    solve(ntraj=200, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"Argument `checkpoint` must name") as error:
        solve(checkpoint=path, **change)
    assert what in str(error.value)
    assert path.read_bytes() == before


def test_another_model_is_refused(path):
    model, e_ops = cases.laser(100)
    options = {"ntraj": 200, "seed": 3, "dt": 0.05, "progress": False, "checkpoint": path}
    wf.solve(model, cases.TIMES, e_ops=e_ops, **options)
    before = path.read_bytes()
    other, ops = cases.laser(101)
    with pytest.raises(ValueError, match=r"a run with (another model|other observables)"):
        wf.solve(other, cases.TIMES, e_ops=ops, **options)
    del e_ops["squeezing"]
    with pytest.raises(ValueError, match="a run with other observables"):
        wf.solve(model, cases.TIMES, e_ops=e_ops, **options)
    assert path.read_bytes() == before


@pytest.mark.parametrize("what", ["CPU target", "wignerflow version", "llvmlite version"])
def test_another_machine_is_refused(what, path, monkeypatch):
    import wignerflow.checkpoint as module

    solve(ntraj=200, checkpoint=path)
    compare = module.compare

    def elsewhere(where, theirs, own, skip):
        compare(where, theirs, own | {what: "another"}, skip)

    monkeypatch.setattr(module, "compare", elsewhere)
    with pytest.raises(ValueError, match=f"a run with another {what}, .* there and another here"):
        solve(checkpoint=path)


def test_targets_are_mixed_only_on_request(path, monkeypatch):
    monkeypatch.setattr("wignerflow.run.pool.cpu_target", lambda: "first cpu")
    solve(ntraj=200, checkpoint=path)
    monkeypatch.setattr("wignerflow.run.pool.cpu_target", lambda: "second cpu")
    with pytest.raises(ValueError, match="mix_targets=True"):
        solve(checkpoint=path)
    with pytest.warns(UserWarning, match="continued on another CPU target"):
        result = solve(checkpoint=wf.Checkpoint(path, mix_targets=True))
    assert result.ntraj == 1000


def damaged(data):
    yield b""
    yield data[: len(data) // 2]
    yield data[:-1]
    yield b"not a checkpoint" * 50
    flipped = bytearray(data)
    flipped[len(data) // 3] ^= 1
    yield bytes(flipped)


def test_damaged_files_are_refused_and_left_alone(path):
    solve(ntraj=200, checkpoint=path)
    for data in damaged(path.read_bytes()):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"Argument `checkpoint` must name .* left as it is"):
            solve(checkpoint=path)
        assert path.read_bytes() == data


def test_a_result_is_no_checkpoint(path):
    solve(ntraj=200).save(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="it is a result, not a checkpoint"):
        solve(checkpoint=path)
    assert path.read_bytes() == before


def test_a_file_that_appears_meanwhile_is_not_overwritten(path, monkeypatch):
    other = path.with_name("other.nc")
    solve(ntraj=200, seed=8, checkpoint=other)
    whole = FileKeeper.save

    def save(self, state):
        whole(self, state)
        path.write_bytes(other.read_bytes())

    monkeypatch.setattr(FileKeeper, "save", save)
    monkeypatch.setattr("wignerflow.run.pool.Threads.task_seconds", 1e-9)
    with pytest.raises(wf.CheckpointFailed, match="another seed, 8 there and 3 here") as error:
        solve(checkpoint=path, every="1 chunks")
    assert error.value.result.ntraj >= 128 and error.value.result.seed == 3
    assert path.read_bytes() == other.read_bytes()


def test_a_full_disk_keeps_everything_before_it(path, monkeypatch):
    whole = solve()
    fsync, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) > 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    monkeypatch.setattr("wignerflow.run.pool.Threads.task_seconds", 1e-9)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(wf.CheckpointFailed, match="No space left on device") as error:
            solve(checkpoint=path, every="1 chunks")
    assert error.value.errno == errno.ENOSPC and error.value.filename == str(path)
    kept = wf.load(path)
    assert 0 < kept.ntraj < error.value.result.ntraj
    assert [p.name for p in path.parent.iterdir()] == ["run.nc"]
    assert solve(checkpoint=path).digest() == whole.digest()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_path_that_cannot_be_written_is_known_before_any_work(tmp_path):
    for bad, must in (
        (tmp_path, "be the path of a file"),
        (tmp_path / "no" / "run.nc", "lie in a folder that exists"),
    ):
        with pytest.raises(ValueError, match=f"Argument `checkpoint` must {must}"):
            solve(checkpoint=bad)
    with pytest.raises(ValueError, match="`checkpoint` must name"):
        solve(checkpoint="/dev/full")
    with pytest.raises(TypeError, match="`checkpoint` must be the path of a file"):
        solve(checkpoint=3)


def test_every():
    assert parse_every(None) == Every(60.0)
    assert parse_every("60s") == parse_every(60) == parse_every("1 min") == Every(60.0)
    assert parse_every("1.5h") == Every(5400.0) and parse_every("40 chunks") == Every(None, 40)
    for bad in ("", "60", "s", "0s", "-1s", "1.5 chunks", "1e3s", "3 days", 0, -1, float("nan")):
        with pytest.raises(ValueError, match="Argument `every` must"):
            parse_every(bad)
    with pytest.raises(ValueError, match="`every` must be None without `checkpoint`"):
        solve(every=3)


def test_methods_and_options_without_checkpoints(path):
    for method in ("mean-field", "jumps", "exact"):
        with pytest.raises(ValueError, match="be None for a method without phase-space"):
            solve(checkpoint=path, method=method)
    with pytest.raises(ValueError, match="`keep` must be None with `checkpoint`"):
        solve(checkpoint=path, keep="final")


CHILD = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("cases", sys.argv[1])
cases = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)
print("started", flush=True)
options = {"ntraj": int(sys.argv[3]), "dt": 0.002, "every": 1e-3, "threads": 1}
result = cases.solve(checkpoint=sys.argv[2], **options)
print(result.digest(), flush=True)
"""


def child(path, ntraj):
    where = str(Path(__file__).with_name("cases.py"))
    command = [sys.executable, "-c", CHILD, where, str(path), str(ntraj)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "started\n"
    return process


def killed_and_resumed(folder, kills, ntraj, seed):
    """A run killed so many times at random moments, then left to end: its digest."""
    rng, path = random.Random(seed), folder / "run.nc"
    for _ in range(kills):
        process = child(path, ntraj)
        time.sleep(rng.uniform(0.1, 1.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if path.exists():
            wf.load(path)  # whole at every moment
    out, _ = child(path, ntraj).communicate()
    return out.strip()


@pytest.mark.slow
def test_sigkill(tmp_path):
    digest = solve(ntraj=60_000, dt=0.002).digest()
    assert killed_and_resumed(tmp_path, 1, 60_000, 1) == digest


@pytest.mark.slow
def test_sigkill_twenty_times(tmp_path):
    digest = solve(ntraj=200_000, dt=0.002).digest()
    for trial in range(20):
        folder = tmp_path / str(trial)
        folder.mkdir()
        assert killed_and_resumed(folder, 1, 200_000, trial) == digest


def test_sigterm_keeps_what_is_done(path):
    """Queues send SIGTERM first: the run writes its checkpoint and ends as asked."""
    process = child(path, 10**8)
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == -signal.SIGTERM
    process.stdout.close()
    assert wf.load(path).ntraj > 0
