"""What editors show and find: names after the dot, and mistakes before a script is run."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import wignerflow as wf

SCRIPT = Path(__file__).with_name("user_script.py")
ROOT = Path(wf.__file__).parents[1]


def lines_marked_wrong() -> set[int]:
    lines = SCRIPT.read_text(encoding="utf-8").splitlines()
    return {k for k, line in enumerate(lines, 1) if line.endswith("# wrong")}


@pytest.mark.slow
def test_mypy_finds_the_planted_mistakes_and_no_others(tmp_path):
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path)]
    done = subprocess.run(
        [*command, "--config-file", "", "--follow-imports=silent", str(SCRIPT)],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    found = {int(k) for k in re.findall(r"user_script\.py:(\d+): error", done.stdout)}
    assert found == lines_marked_wrong(), done.stdout + done.stderr
    assert len(found) == 9


@pytest.mark.slow
def test_pyright_finds_the_planted_mistakes_and_no_others():
    pyright = shutil.which("pyright", path=str(Path(sys.executable).parent)) or shutil.which(
        "pyright"
    )
    if pyright is None:
        pytest.skip("pyright is not installed")
    command = [pyright, "--outputjson", "--pythonpath", sys.executable, str(SCRIPT)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    try:
        said = json.loads(done.stdout)["generalDiagnostics"]
    except json.JSONDecodeError:
        pytest.skip(f"pyright cannot run here: {done.stderr[-300:]}")
    found = {d["range"]["start"]["line"] + 1 for d in said if d["severity"] == "error"}
    assert found == lines_marked_wrong(), said


MEMBERS = {
    wf.Ensemble(3): ["Jx", "Jy", "Jz", "Jp", "Jm", "sx", "sy", "sz", "sp", "sm", "N"],
    wf.Ensemble(3, count=2)[0]: ["Jx", "Jy", "Jz", "Jp", "Jm", "sx", "sp", "sm", "N"],
    wf.CollectiveSpin(3): ["Jx", "Jy", "Jz", "Jp", "Jm", "S"],
    wf.CollectiveSpin(3, count=2)[1]: ["Jx", "Jy", "Jz", "Jp", "Jm", "S"],
    wf.Spin(): ["sx", "sy", "sz", "sp", "sm"],
    wf.Spin(count=2)[0]: ["sx", "sy", "sz", "sp", "sm"],
    wf.Mode(): ["a", "adag", "n"],
    wf.Mode(count=2)[0]: ["a", "adag", "n"],
    wf.Levels(3, ["g", "e"]): ["op", "pop", "matrix", "one", "one_pop", "one_matrix"],
    wf.Levels.spin(1, 3): ["Sx", "Sy", "Sz", "Sp", "Sm", "op"],
    wf.Levels.spin(1, 3, count=2)[0]: ["Sx", "Sy", "Sz", "Sp", "Sm", "op", "N"],
}
STRANGERS = {"Jx", "Jm", "sp", "a", "n", "Sx", "op", "N", "S"}


@pytest.mark.parametrize("sub", MEMBERS, ids=repr)
def test_tab_shows_the_operators_of_a_kind_and_no_other(sub):
    shown = {name for name in dir(sub) if not name.startswith("_")}
    assert shown >= set(MEMBERS[sub])
    assert shown & {"algebra", "letters", "plain_name", "read", "uid", "text"} == set()
    assert all(hasattr(sub, name) for name in shown)
    for name in STRANGERS - shown:
        with pytest.raises(AttributeError, match=f"has no operator or attribute '{name}'"):
            getattr(sub, name)


@pytest.mark.parametrize("kind", [wf.Ensemble, wf.CollectiveSpin, wf.Spin, wf.Mode])
def test_declared_operators_have_a_description(kind):
    for name in (*kind.letters, *kind.one_emitter):
        assert getattr(kind, name).__doc__


def test_literal_names_are_those_of_the_registry():
    from typing import get_args

    from wignerflow.method import Name
    from wignerflow.solving.problem import METHODS

    assert set(get_args(Name)) == {*METHODS, "auto"}
