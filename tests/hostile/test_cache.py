"""The folder of compiled kernels: damage is compiled anew, and nobody's code is run."""

import errno
import os
import pickle
import random
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import pytest

from wignerflow.compiler import cache

KEY = "ab" * 16
CODE = bytes(random.Random(3).randbytes(5000))

RUN = """
import sys, warnings
import numpy as np
import wignerflow as wf
atoms = wf.Ensemble(100, name="atoms")
jumps = [wf.Jump(atoms.Jm, 0.1), wf.LocalJump(atoms.sp, 2.0)]
model = wf.Model(jumps=jumps, initial={atoms: wf.up})
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    result = wf.solve(model, np.linspace(0, 1, 3), e_ops=[atoms.Jz], ntraj=300, seed=3, dt=0.05)
print(result.digest(), len(said), *[str(w.message).replace(chr(10), " ") for w in said], sep="|")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of kernels of one's own, with one file."""
    place = tmp_path / "kernels"
    monkeypatch.setenv("WIGNERFLOW_CACHE_DIR", str(place))
    monkeypatch.delenv(cache.SHARED, raising=False)
    monkeypatch.setattr(cache, "_said", set())
    assert cache.save(KEY, CODE)
    return place


def quietly(call, *arguments):
    """The value of a call, and what it warned about."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        return call(*arguments), [str(w.message) for w in said]


def kernel(place):
    (file,) = place.glob("*.kernel")
    return file


def mutant(data, rng):
    """One of the ways in which files are damaged."""
    kind = rng.randrange(7)
    k = rng.randrange(len(data))
    if kind == 0:
        return b""
    if kind == 1:
        return data[:k]
    if kind == 2:
        return data[:k] + bytes([data[k] ^ (1 << rng.randrange(8))]) + data[k + 1 :]
    if kind == 3:
        return data[:k] + data[k + 1 :]
    if kind == 4:
        return data + rng.randbytes(rng.choice((1, 16)))
    if kind == 5:
        return data[:k] + b"\0" * min(512, len(data) - k) + data[k + 512 :]
    return rng.randbytes(len(data))


def survive(place, first, stop):
    path, whole = kernel(place), kernel(place).read_bytes()
    for seed in range(first, stop):
        data = mutant(whole, random.Random(seed))
        path.write_bytes(data)
        found, _ = quietly(cache.load, KEY)
        assert found is None or data == whole, seed
        assert data == whole or not path.exists(), seed
    path.write_bytes(whole)
    assert cache.load(KEY) == CODE


def test_mutated_files(folder):
    survive(folder, 0, 1000)


@pytest.mark.slow
def test_ten_thousand_mutated_files(folder):
    survive(folder, 1000, 11_000)


def test_a_kernel_under_another_key_is_damage(folder):
    """Nor may one kernel stand in for another."""
    other = "cd" * 16
    kernel(folder).rename(folder / f"{other}.kernel")
    found, said = quietly(cache.load, other)
    assert found is None and "damaged" in said[0]


def test_damage_is_said_once(folder):
    whole = kernel(folder).read_bytes()
    everything = []
    for _ in range(3):
        (folder / f"{KEY}.kernel").write_bytes(whole[:-1])
        everything += quietly(cache.load, KEY)[1]
    assert len(everything) == 1 and "compiled anew" in everything[0]


def test_the_folder_is_for_its_owner_only(folder):
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_can_write_is_not_used(mode, folder, monkeypatch):
    folder.chmod(mode)
    before = sorted(os.listdir(folder))
    found, said = quietly(cache.load, KEY)
    assert found is None and len(said) == 1 and "chmod 700" in said[0]
    assert quietly(cache.save, KEY, b"other") == (False, [])  # said once
    assert sorted(os.listdir(folder)) == before
    monkeypatch.setenv(cache.SHARED, "1")
    assert cache.load(KEY) == CODE


def test_files_that_others_can_write_are_not_used(folder):
    kernel(folder).chmod(0o666)
    found, said = quietly(cache.load, KEY)
    assert found is None and "can be written by others" in said[0]


@pytest.mark.skipif(not hasattr(os, "chown") or os.geteuid() != 0, reason="only root gives away")
def test_files_and_folders_of_others_are_not_used(folder):
    os.chown(kernel(folder), 12345, -1)
    assert quietly(cache.load, KEY)[0] is None
    os.chown(kernel(folder), 0, -1)
    assert cache.load(KEY) == CODE
    os.chown(folder, 12345, -1)
    assert quietly(cache.load, KEY)[0] is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
@pytest.mark.parametrize("what", ["pipe", "device", "folder", "loop", "large"])
def test_what_is_no_file_of_a_kernel_is_not_waited_for(what, folder):
    """Neither read without end nor believed; what can be removed is replaced."""
    path = kernel(folder)
    path.unlink()
    if what == "pipe":
        os.mkfifo(path, 0o600)
    elif what == "device":
        path.symlink_to("/dev/zero")
    elif what == "folder":
        path.mkdir()
    elif what == "loop":
        path.symlink_to(path)
    else:
        with path.open("wb") as file:
            file.truncate(2**40)  # of holes
        path.chmod(0o600)
    found, said = quietly(cache.load, KEY)
    assert found is None and len(said) <= 1
    saved, _ = quietly(cache.save, KEY, CODE)
    assert saved == (what != "folder")
    assert quietly(cache.load, KEY)[0] == (CODE if saved else None)


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES, errno.EDQUOT])
def test_a_folder_that_cannot_be_written(number, folder, monkeypatch):
    """Read-only images and full disks: the kernel stays in memory, and nothing is left behind."""

    def refuse(*arguments, **keywords):
        raise OSError(number, os.strerror(number))

    before = sorted(os.listdir(folder)), sorted(os.listdir(tempfile.gettempdir()))
    for what in ("replace", "fdopen"):
        with monkeypatch.context() as patch:
            patch.setattr(os, what, refuse)
            assert cache.save("ef" * 16, CODE) is False
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkstemp", refuse)
        assert cache.save("ef" * 16, CODE) is False
    assert sorted(os.listdir(folder)) == before[0]
    assert cache.load(KEY) == CODE  # and what is there is read


@pytest.mark.parametrize("what", ["replace", "fdopen"])
def test_ctrl_c_while_a_kernel_is_kept(what, folder, monkeypatch):
    """Nothing is left behind, and the next one is kept."""

    def interrupted(*arguments, **keywords):
        raise KeyboardInterrupt

    before = sorted(os.listdir(folder))
    with monkeypatch.context() as patch:
        patch.setattr(os, what, interrupted)
        with pytest.raises(KeyboardInterrupt):
            cache.save("ef" * 16, CODE)
    assert sorted(os.listdir(folder)) == before
    assert cache.save("ef" * 16, CODE) and cache.load("ef" * 16) == CODE


def test_users_without_a_home(tmp_path, monkeypatch):
    """As in containers that run as a user whom nobody knows."""

    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("WIGNERFLOW_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(cache, "_said", set())
    assert cache.cache_directory().is_relative_to(tmp_path)
    assert cache.save(KEY, CODE) and cache.load(KEY) == CODE


def test_the_name_of_the_folder(monkeypatch):
    monkeypatch.setenv("WIGNERFLOW_CACHE_DIR", "~/kernels")
    assert cache.cache_directory() == Path.home() / "kernels"
    monkeypatch.setenv("WIGNERFLOW_CACHE_DIR", "  ")
    assert cache.cache_directory().name == "wignerflow"


def test_a_file_in_place_of_the_folder(tmp_path, monkeypatch):
    place = tmp_path / "kernels"
    place.write_text("not a folder")
    monkeypatch.setenv("WIGNERFLOW_CACHE_DIR", str(place))
    monkeypatch.setattr(cache, "_said", set())
    assert quietly(cache.load, KEY)[0] is None and quietly(cache.save, KEY, CODE)[0] is False
    assert place.read_text() == "not a folder"


# ---------------------------------------------------------------- whole runs


def run(place):
    """Digest and warnings of a run in a process of its own."""
    environment = {**os.environ, "WIGNERFLOW_CACHE_DIR": str(place)}
    done = subprocess.run(
        [sys.executable, "-c", RUN], capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    digest, count, *said = done.stdout.strip().split("|")
    return digest, int(count), said


class Bomb:
    """A pickle that leaves a file behind where it is read."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def plant(place, marker):
    """Hostile files of every kind that Python might run."""
    bomb = pickle.dumps(Bomb(marker))
    text = f"open({str(marker)!r}, 'w').close()\n"
    for file in list(place.rglob("*")):
        if file.is_file():
            file.write_bytes(bomb)
            for ending in (".py", ".pkl", ".nbi", ".nbc", ".pyc"):
                file.with_suffix(ending).write_bytes(text.encode() if ending == ".py" else bomb)
    for name in ("sitecustomize.py", "__init__.py", "numpy.py", "wignerflow.py"):
        (place / name).write_text(text)


@pytest.mark.slow
def test_damage_and_hostile_files_change_no_number(tmp_path):
    place, marker = tmp_path / "kernels", tmp_path / "marker"
    first = run(place)
    assert first[1] == 0 and list(place.glob("*.kernel"))
    assert run(place) == first
    for file in place.glob("*.kernel"):
        file.write_bytes(file.read_bytes()[:1000])
    digest, count, said = run(place)
    assert digest == first[0] and count >= 1 and "compiled anew" in said[0]
    plant(place, marker)
    digest, _, _ = run(place)
    assert digest == first[0] and not marker.exists()
    pickle.loads(pickle.dumps(Bomb(marker)))  # the bomb is one
    assert marker.exists()
    place.chmod(0o777)
    digest, count, said = run(place)
    assert digest == first[0] and count == 1 and "in memory only" in said[0]
