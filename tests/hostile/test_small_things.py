"""Odd values, odd names and odd moments: each is named as what it is."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import wignerflow as wf
from wignerflow import _check, cli
from wignerflow.result.text import result_text

from ..run import cases

LASER = Path(__file__).parents[2] / "examples" / "laser.toml"


def driven(f):
    spin = wf.CollectiveSpin(2, name="spin")
    return wf.Model(wf.coef(f) * spin.Jx, initial={spin: wf.down}), [spin.Jz]


@pytest.mark.parametrize("value", ["1.0", b"1", None, [1.0, 2.0], [], {}, object()])
@pytest.mark.parametrize("method", ["twa", "exact"])
def test_a_coefficient_that_is_no_number(value, method):
    model, e_ops = driven(lambda t: value)
    with pytest.raises(TypeError, match=r"must return a number \(here at t = .*but was"):
        wf.solve(model, [0, 1], e_ops=e_ops, method=method, ntraj=64, seed=1, progress=False)


@pytest.mark.parametrize("one", [True, np.True_])
def test_booleans_are_refused_with_the_remedy(one):
    spin, chain = wf.CollectiveSpin(2, name="spin"), wf.Spin(name="chain", count=2)
    atoms = wf.Ensemble(3, name="atoms")
    attempts = [
        lambda: one * spin.Jx,
        lambda: spin.Jx * one,
        lambda: spin.Jx + one,
        lambda: spin.Jx / one,
        lambda: one * atoms.sx,
        lambda: wf.coef(np.sin) * one,
        lambda: chain.sx * np.array([one, one]),
        lambda: wf.coef([one, one], [0, 1]),
        lambda: wf.Jump(spin.Jm, one),
        lambda: wf.coherent(one),
        lambda: next(iter(driven(lambda t: one)[0].coefficients))(0.5),
    ]
    for attempt in attempts:
        with pytest.raises(TypeError, match=r"`1\.0 \* \(t > 1\)`"):
            attempt()


def test_names_of_other_formats(tmp_path):
    result = cases.solve(ntraj=64)
    for name in ("a.csv", "a.CSV", "a.json", "a.npz", "a.pkl", "a.png", ".zip", "a.docx", "a.tar"):
        if not name.lower().endswith(".csv"):
            with pytest.raises(ValueError, match=r"must end in '\.nc'.*to_pandas"):
                result.save(tmp_path / name)
        with pytest.raises(ValueError, match=r"`checkpoint` must end in '\.nc'"):
            cases.solve(checkpoint=tmp_path / name)
    for name in ("a.nc", "a", "a.v2", "a.h5"):
        result.save(tmp_path / name)
        assert wf.load(tmp_path / name).digest() == result.digest()


ESCAPE = "\x1b[31mred\x07\r\n\u202egnorw"


def test_names_from_files_reach_no_terminal(tmp_path, capsys):
    """Escapes in names are shown as text, by results and by the command line."""
    atoms = wf.Ensemble(10, name="atoms")
    model = wf.Model(jumps=[wf.LocalJump(atoms.sm, 1.0)], initial={atoms: wf.up})
    result = wf.solve(model, [0, 1], e_ops={"z": atoms.Jz}, method="exact")
    result.stats["warnings"] = [ESCAPE]  # as a forged file may hold
    result.save(tmp_path / "a.nc")
    text = result_text(wf.load(tmp_path / "a.nc"))
    assert all(line.isprintable() for line in text.splitlines()) and "\\x1b[31mred" in text
    assert "\u202e" not in text
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"subsystems": [{"kind": ESCAPE, "name": ESCAPE}], ESCAPE: 1}))
    assert cli.main(["run", str(bad)]) == 2
    captured = capsys.readouterr()
    assert "\x1b" not in captured.err + captured.out and captured.err


def test_printable_keeps_what_people_write():
    assert _check.printable("⟨J₊J₋⟩ ± 0.1 é") == "⟨J₊J₋⟩ ± 0.1 é"
    assert _check.printable("a\tb\x00") == "a\\tb\\x00"


@pytest.mark.slow
def test_ctrl_c_on_the_command_line(tmp_path):
    """What is done is written, with a message and exit code 130."""
    file = tmp_path / "laser.toml"  # without a pilot
    file.write_text(LASER.read_text().replace("[run]", "[run]\ndt = 1e-4"))
    command = [sys.executable, "-m", "wignerflow", "run", str(file), "--ntraj", "1e9"]
    command += ["--seed", "1", "--out", str(tmp_path), "--checkpoint", str(tmp_path / "run.nc")]
    process = subprocess.Popen(
        [*command, "--every", "0.01s"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 100
    while not (tmp_path / "run.nc").exists() and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted; the files hold what was done" in err and "Traceback" not in err
    assert wf.load(tmp_path / "laser.nc").ntraj > 0 and "stopped because: interrupted" in out


def test_ctrl_c_while_importing(monkeypatch, capsys):
    """Also where a command imports what it needs."""
    import builtins

    imported = builtins.__import__

    def interrupted(name, *arguments, **keywords):
        if name.endswith("runfile"):
            raise KeyboardInterrupt
        return imported(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    assert cli.main(["run", str(LASER)]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_digests_depend_on_the_order_of_observables():
    model, e_ops = cases.laser()
    options = {"ntraj": 64, "seed": 3, "dt": 0.05, "progress": False}
    one = wf.solve(model, cases.TIMES, e_ops=e_ops, **options)
    other = wf.solve(model, cases.TIMES, e_ops=dict(reversed(e_ops.items())), **options)
    assert np.array_equal(one.expect["emission"], other.expect["emission"])
    assert one.digest() != other.digest()


def test_ctrl_c_before_the_first_trajectory(monkeypatch):
    """As in the wait for a first worker: nothing is done that could be lost, so it ends at once."""
    import os
    import threading

    from wignerflow.run.pool import Threads

    def waiting(self, kernel, workers, initializer=None):
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        time.sleep(30)

    cases.solve(ntraj=64)
    monkeypatch.setattr(Threads, "__init__", waiting)
    begin = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        cases.solve(ntraj=64)
    assert time.perf_counter() - begin < 20


INTERRUPTED = """
import os, runpy, signal, sys

class Interrupt:  # as a module is looked for
    @staticmethod
    def find_spec(name, where=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt)
sys.orig_argv = ["python", *"-m wignerflow list".split()]
runpy.run_module("wignerflow", run_name="__main__")
"""


@pytest.mark.parametrize("module", ["numpy", "wignerflow.model.model", "wignerflow.cli"])
def test_ctrl_c_while_the_package_is_imported(module):
    command = [sys.executable, "-c", INTERRUPTED, module]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 130 and done.stderr == "wignerflow: interrupted\n", done.stderr


def test_a_result_that_fits_nowhere_goes_into_the_temporary_folder(tmp_path, monkeypatch, capsys):
    """Hours of work are not given up because a disk is full."""
    import errno
    import os

    from wignerflow import files

    out, spare = tmp_path / "out", tmp_path / "spare"
    out.mkdir(), spare.mkdir()
    whole = files.replacing

    def full(path):
        if path.parent == out:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(path)

    monkeypatch.setattr(files, "replacing", full)
    monkeypatch.setattr("tempfile.tempdir", str(spare))
    assert cli.main(["run", str(LASER), "--ntraj", "64", "--seed", "1", "--out", str(out)]) == 1
    said = capsys.readouterr()
    (kept,) = spare.glob("wignerflow-*/laser.nc")
    assert wf.load(kept).ntraj == 64 and f"Wrote {kept}" in said.out
    assert said.err.count("No space left on device") == 2 and not list(out.iterdir())


def test_ctrl_c_while_the_result_is_written(tmp_path, monkeypatch, capsys):
    """The first one waits until it is."""
    import os

    save = wf.Result.save

    def interrupted(self, path):
        os.kill(os.getpid(), signal.SIGINT)
        save(self, path)

    monkeypatch.setattr(wf.Result, "save", interrupted)
    code = cli.main(["run", str(LASER), "--ntraj", "64", "--seed", "1", "--out", str(tmp_path)])
    assert code == 130 and "the files hold what was done" in capsys.readouterr().err
    assert wf.load(tmp_path / "laser.nc").ntraj == 64
