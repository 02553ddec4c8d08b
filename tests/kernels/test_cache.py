"""Compiled kernels on disk: damage, people who could write there, folders that are full."""

from __future__ import annotations

import os
import pickle
import stat
import time

import numpy as np
import pytest

from wignerflow.compiler import build, cache
from wignerflow.kernels.cpu import CpuKernel
from wignerflow.kernels.grid import Grid

from ..few import few
from .models import laser, printed

TIMES = np.array([0.0, 0.1])
NONE = np.empty(0, np.int64)
KEY, CODE = "a" * 64, b"object code"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An own cache folder, and a process that has compiled and said nothing yet."""
    path = tmp_path / "cache"
    monkeypatch.setenv("WIGNERFLOW_CACHE_DIR", str(path))
    monkeypatch.delenv(cache.SHARED, raising=False)
    monkeypatch.setattr(cache, "_said", set())
    build.load.cache_clear()
    return path


def result():
    """A laser's means, by the kernel that the cache or the compiler gives."""
    build.load.cache_clear()
    kernel = CpuKernel(printed(*laser(), TIMES), Grid.make(TIMES, 0.05), single=True, batched=NONE)
    return kernel.simulate(0, 1, 128, 3).mean[0, -1]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A laser's means, and the file of its kernel."""
    path = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WIGNERFLOW_CACHE_DIR", str(path))
        build.load.cache_clear()
        want = result()
    (file,) = path.iterdir()
    return want, file


def test_what_was_saved_is_loaded_and_private(folder):
    assert cache.load(KEY) is None
    assert cache.save(KEY, CODE)
    assert cache.load(KEY) == CODE
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def damage():
    """Ways in which a file breaks."""
    return {
        "empty": lambda b: b"",
        "halved": lambda b: b[: len(b) // 2],
        "first bit": lambda b: bytes([b[0] ^ 1]) + b[1:],
        "checksum": lambda b: b[:30] + bytes([b[30] ^ 4]) + b[31:],
        "code": lambda b: b[:-2000] + bytes([b[-2000] ^ 128]) + b[-1999:],
        "longer": lambda b: b + b"x",
        "zeros": lambda b: bytes(len(b)),
        "a pickle": lambda b: pickle.dumps(os.getcwd),
        "header alone": lambda b: b[: len(cache.MAGIC) + 32],
    }


@pytest.mark.parametrize("how", few(damage(), ["halved", "code", "a pickle"]))
def test_a_damaged_file_is_compiled_anew_and_said_once(folder, made, how):
    want, whole = made[0], made[1].read_bytes()
    folder.mkdir(mode=0o700)
    file = folder / made[1].name
    file.write_bytes(damage()[how](whole))
    file.chmod(0o600)
    with pytest.warns(UserWarning, match="damaged and is compiled anew") as caught:
        assert np.array_equal(result(), want)
    assert len(caught) == 1
    assert file.read_bytes() == whole
    assert np.array_equal(result(), want)


def test_a_file_under_another_key_is_not_used(folder):
    cache.save(KEY, CODE)
    other = "b" * 64
    os.replace(folder / f"{KEY}.kernel", folder / f"{other}.kernel")
    with pytest.warns(UserWarning, match="damaged"):
        assert cache.load(other) is None


@pytest.mark.parametrize("files", few([1_000, 10_000]))
def test_thousands_of_mutated_files_are_never_believed(folder, monkeypatch, files):
    code = np.random.default_rng(0).bytes(300)
    cache.save(KEY, code)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    monkeypatch.setattr(cache, "_say", lambda what: None)
    rng = np.random.default_rng(1)
    for _ in range(files):
        bad = bytearray(whole)
        match rng.integers(3):
            case 0:
                bad[rng.integers(len(bad))] ^= int(rng.integers(1, 256))
            case 1:
                del bad[rng.integers(len(bad)) :]
            case _:
                bad.insert(rng.integers(len(bad)), int(rng.integers(256)))
        if bytes(bad) == whole:
            continue
        file.write_bytes(bad)
        assert cache.load(KEY) is None
    file.write_bytes(whole)
    assert cache.load(KEY) == code


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o707])
def test_a_folder_that_others_can_write_is_not_used_and_said_once(folder, mode, monkeypatch):
    cache.save(KEY, CODE)
    folder.chmod(mode)
    with pytest.warns(UserWarning, match=r"can be written by others.*chmod 700") as caught:
        assert cache.load(KEY) is None
        assert not cache.save("b" * 64, CODE)
        assert cache.load(KEY) is None
    assert len(caught) == 1
    assert len(list(folder.iterdir())) == 1
    monkeypatch.setenv(cache.SHARED, "1")  # the user trusts them
    assert cache.load(KEY) == CODE
    assert cache.save("b" * 64, CODE)


def test_a_folder_or_file_of_another_user_is_not_used(folder, monkeypatch):
    cache.save(KEY, CODE)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1 if os.getuid() else 1)
    if os.getuid():
        with pytest.warns(UserWarning, match="belongs to the user"):
            assert cache.load(KEY) is None
    else:  # what belongs to root is trusted
        assert cache.load(KEY) == CODE


def test_a_file_that_others_can_write_is_not_used(folder):
    cache.save(KEY, CODE)
    (file,) = folder.iterdir()
    file.chmod(0o666)
    with pytest.warns(UserWarning, match="file can be written by others"):
        assert cache.load(KEY) is None


def test_what_is_not_a_folder_costs_nothing_but_time(folder):
    folder.write_text("not a folder")
    with pytest.warns(UserWarning, match="is not a folder"):
        want = result()
    assert np.array_equal(result(), want)


def test_a_full_disk_costs_nothing_but_time(folder, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    want = result()
    assert not list(folder.iterdir())  # nothing is left behind
    monkeypatch.undo()
    assert np.all(np.isfinite(want))


def test_what_killed_processes_left_is_removed_when_it_is_old(folder):
    cache.save(KEY, CODE)
    for name, age in (("old.tmp", 2 * cache.OLD), ("new.tmp", 0.0)):
        (folder / name).write_bytes(b"half")
        then = time.time() - age
        os.utime(folder / name, (then, then))
    cache.save("b" * 64, CODE)
    assert not (folder / "old.tmp").exists() and (folder / "new.tmp").exists()


def test_no_byte_code_and_no_pickle_is_read_or_left(folder):
    """What lies in the folder beside kernels never runs."""
    folder.mkdir(mode=0o700)
    trap = folder / "trap"
    code = f"open({str(trap)!r}, 'w').close()"
    for name in ("wignerflow_kernel.py", "wignerflow_kernel.pyc", "run.nbi", "run.nbc"):
        (folder / name).write_text(code)
    result()
    assert not trap.exists()
    assert not [p for p in folder.rglob("*") if p.suffix in (".pyc", ".nbi", ".nbc") and p.name not
                in ("wignerflow_kernel.pyc", "run.nbi", "run.nbc")]  # fmt: skip
