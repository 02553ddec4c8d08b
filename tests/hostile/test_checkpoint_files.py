"""What happens to a checkpoint under a run, and what a run leaves: nothing computed is lost."""

import errno
import os
import stat
import threading
import time

import filelock
import pytest

import wignerflow as wf
from wignerflow import files
from wignerflow.checkpoint import FileKeeper

from ..run import cases

solve = cases.solve


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.nc"


@pytest.fixture
def each(monkeypatch):
    """Every chunk is a task and can be kept."""
    monkeypatch.setattr("wignerflow.run.pool.Threads.task_seconds", 1e-9)


def meanwhile(monkeypatch, act):
    """Call ``act`` after the first checkpoint of a run was written."""
    whole, done = FileKeeper.save, []

    def save(self, state):
        whole(self, state)
        if not done:
            done.append(act())

    monkeypatch.setattr(FileKeeper, "save", save)


def truncate(path):
    os.truncate(path, 1000)


def garbage(path):
    path.write_bytes(b"not a checkpoint" * 50)


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def loop(path):
    path.unlink()
    path.symlink_to(path.name)


@pytest.mark.parametrize("attack", [truncate, garbage, folder, pipe, loop])
def test_a_file_ruined_under_a_run(attack, path, monkeypatch, each):
    """The run stops, says why, and hands over what it did; what stands there is left alone."""
    meanwhile(monkeypatch, lambda: attack(path))
    with pytest.raises(wf.CheckpointFailed, match="could not be written") as error:
        solve(checkpoint=path, every="1 chunks")
    result = error.value.result
    assert result.ntraj >= 128 and result.digest() == solve(ntraj=result.ntraj).digest()
    if attack is truncate:
        assert path.stat().st_size == 1000
    assert not list(path.parent.glob(".*"))


def test_a_file_deleted_under_a_run_is_written_again(path, monkeypatch, each):
    meanwhile(monkeypatch, path.unlink)
    assert solve(checkpoint=path, every="1 chunks").digest() == solve().digest()
    assert wf.load(path).ntraj == 896


@pytest.mark.parametrize("fault", [MemoryError(), UnicodeError("odd"), RuntimeError("HDF5: no")])
def test_whatever_fails_the_result_is_attached(fault, path, monkeypatch):
    def encoded(self, extra=None):
        raise fault

    monkeypatch.setattr(wf.Result, "encoded", encoded)
    with pytest.raises(wf.CheckpointFailed) as error:
        solve(checkpoint=path)
    assert error.value.result.ntraj == 896 and error.value.__cause__ is fault
    assert error.value.errno == errno.EIO and not list(path.parent.iterdir())


def test_two_runs_on_one_new_file(path, monkeypatch, each):
    """The second is refused before it works; the first ends as if alone."""
    outcomes = []

    def second():
        try:
            solve(checkpoint=path, every="1 chunks")
        except ValueError as error:
            outcomes.append(str(error))

    meanwhile(monkeypatch, second)
    first = solve(checkpoint=path, every="1 chunks")
    assert first.digest() == solve().digest()
    assert len(outcomes) == 1 and "another run is writing it" in outcomes[0]
    assert [p.name for p in path.parent.iterdir()] == ["run.nc"]


def test_many_runs_start_on_one_file_at_once(path):
    """Whoever comes first: no run ends with other numbers or another kind of error."""
    digests, refusals = [], []

    def run():
        try:
            digests.append(solve(checkpoint=path).digest())
        except ValueError as error:
            refusals.append(str(error))

    solve(ntraj=64)  # the kernel is compiled
    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(digests) + len(refusals) == 6 and set(digests) == {solve().digest()}
    assert all("another run" in text for text in refusals)
    assert [p.name for p in path.parent.iterdir()] == ["run.nc"]


def test_a_lock_is_given_back_whatever_happens(path):
    with pytest.raises(ValueError, match="`dt`"):
        solve(checkpoint=path, dt=1e-300)
    assert not list(path.parent.iterdir())
    solve(checkpoint=path)


def test_a_file_system_without_locks_is_said(path, monkeypatch):
    def no(self, *arguments, **keywords):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(filelock.FileLock, "acquire", no)
    with pytest.warns(UserWarning, match=r"could not be locked \(No locks available\)"):
        assert solve(checkpoint=path).digest() == solve().digest()


@pytest.mark.parametrize("exists", [True, False])
def test_links_are_followed(exists, path):
    target = path.parent / "elsewhere" / "data.nc"
    target.parent.mkdir()
    if exists:
        solve(ntraj=300, checkpoint=target)
    path.symlink_to(target)
    result = solve(checkpoint=path)
    assert result.stats.get("resumed", 0) == (256 if exists else 0)
    assert path.is_symlink() and wf.load(target).ntraj == 896
    result.save(path)
    assert path.is_symlink() and wf.load(target).digest() == result.digest()


@pytest.mark.parametrize("mode", [0o640, 0o600, 0o664])
def test_permissions_survive(mode, path):
    solve(ntraj=300, checkpoint=path)
    path.chmod(mode)
    solve(checkpoint=path).save(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_protected_file_is_not_replaced(path, monkeypatch):
    solve(ntraj=300, checkpoint=path).save(path.with_name("a.nc"))
    for file in (path, path.with_name("a.nc")):
        file.chmod(0o444)
    access = os.access  # as anybody but root sees it
    monkeypatch.setattr(
        os, "access", lambda p, m: access(p, m) and not (m == os.W_OK and p.suffix == ".nc")
    )
    with pytest.raises(ValueError, match="`checkpoint` must be a file that can be written"):
        solve(checkpoint=path)
    with pytest.raises(PermissionError):
        wf.load(path).save(path.with_name("a.nc"))


def test_devices_and_pipes_are_not_replaced(path):
    result = solve(ntraj=64)
    os.mkfifo(path)
    for target in (path, "/dev/null"):
        before = os.stat(target).st_mode
        with pytest.raises(OSError, match="no regular file"):
            result.save(target)
        assert os.stat(target).st_mode == before


def test_drafts_of_killed_runs_are_cleaned_up(path):
    """Own ones by the next run; those of results once they are old; nobody else's."""
    draft = path.with_name(".run.nc.0123456789ab.tmp.nc")
    others = [".run.nc.tmp", ".run.nc.0123456789ab.tmp", ".other.nc.0123456789ab.tmp.nc"]
    for name in (draft.name, *others):
        path.with_name(name).write_text("half")
    result = solve(ntraj=300, checkpoint=path)
    assert sorted(os.listdir(path.parent)) == sorted([*others, "run.nc"])
    draft.write_text("half")
    result.save(path)
    assert draft.exists()  # perhaps somebody writes it just now
    old = time.time() - files.ABANDONED - 1
    os.utime(draft, (old, old))
    result.save(path)
    assert not draft.exists()


def test_long_names(tmp_path):
    path = tmp_path / ("x" * 250 + ".nc")
    assert solve(checkpoint=path).digest() == solve().digest()
    assert len(os.listdir(tmp_path)) == 1


def test_names_that_no_file_can_have(tmp_path):
    result = solve(ntraj=64)
    for name in ("a\0b.nc", "x" * 300 + ".nc"):
        with pytest.raises(ValueError, match="`checkpoint` must be the"):
            solve(checkpoint=tmp_path / name)
        with pytest.raises((ValueError, OSError), match=r"`path` must be|name too long"):
            result.save(tmp_path / name)
