"""Model files and the commands ``run`` and ``doctor``."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.cli import main
from wignerflow.observables import fingerprint
from wignerflow.runfile import parse, read_run, read_run_file

LASER = Path(__file__).parents[1] / "examples" / "laser.toml"

DRIVEN = """
[[subsystems]]
kind = "ensemble"
name = "atoms"
N = 6
initial = "down"

[[H]]
coef = 1.5
factors = ["atoms.Jx"]

[[jumps]]
type = "collective"
op = "atoms.Jm"
rate = 0.5

[[jumps]]
type = "local"
op = "atoms.sz"
rate = 0.1

[e_ops]
z = "atoms.Jz"
lowering = "atoms.Jm"
emission = { factors = ["atoms.Jp", "atoms.Jm"] }
second = { derived = "g2", of = "atoms.Jm" }
ratio = { derived = "Ratio", of = ["atoms.Jz", { coef = 2.0, factors = ["atoms.Jz", "atoms.Jz"] }] }

[run]
tlist = [0.0, 0.5, 1.0]
method = "exact"
"""


def test_a_file_is_the_model_it_describes():
    job = read_run(tomllib.loads(DRIVEN))
    result = wf.solve(job.model, job.tlist, e_ops=job.e_ops, method=job.method, **job.options)
    a = wf.Ensemble(6, name="a")
    jumps = [wf.Jump(a.Jm, 0.5), wf.LocalJump(a.sz, 0.1)]
    model = wf.Model(1.5 * a.Jx, jumps, initial={a: wf.down})
    e_ops = {
        "z": a.Jz,
        "lowering": a.Jm,
        "emission": a.Jp * a.Jm,
        "second": wf.g2(a.Jm),
        "ratio": wf.Ratio(a.Jz, 2 * a.Jz * a.Jz),
    }
    expected = wf.solve(model, [0.0, 0.5, 1.0], e_ops=e_ops, method="exact")
    for name in e_ops:
        np.testing.assert_allclose(result.expect[name], expected.expect[name], atol=1e-12)
    changed = tomllib.loads(DRIVEN.replace("rate = 0.1", "rate = 0.2"))
    other = read_run(changed)
    found = wf.solve(other.model, other.tlist, e_ops=other.e_ops, method="exact")
    assert np.abs(found.expect["z"] - expected.expect["z"]).max() > 1e-3  # negative control


def test_the_canonical_form_of_a_model_is_a_part_of_a_file():
    chain = wf.Ensemble(5, count=3, name="chain")
    H, jumps = wf.waveguide(chain, 0.4, 1.0)
    model = wf.Model(H, [*jumps, wf.LocalJump(chain.sp, 2.0)], initial={chain: wf.down})
    plain = json.loads(json.dumps(model.to_dict()))
    options = {"tlist": {"start": 0, "stop": 1, "points": 3}}
    data = plain | {"e_ops": {"z": {"each": "chain.Jz"}}, "run": options}
    job = read_run(parse(json.dumps(data).encode(), is_json=True))
    assert job.model.to_dict() == model.to_dict()
    assert job.tlist.tolist() == [0, 0.5, 1]
    assert job.e_ops["z"].size == 3


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("twa", "'twa'"),
        ({"name": "twa", "form": "rotor", "corrected": False}, "form='rotor', corrected=False"),
        ({"name": "exact", "engine": "blocks"}, "Exact('blocks')"),
        ({"name": "auto"}, "'auto'"),
        ("schwinger-p", "'schwinger-p'"),
        ({"name": "schwinger-p", "sampling": "auto"}, 'Schwinger("P")'),
    ],
)
def test_methods(method, expected):
    data = tomllib.loads(DRIVEN)
    data["run"]["method"] = method
    assert expected in repr(read_run(data).method)


def test_run_options():
    data = tomllib.loads(DRIVEN)
    given = {"target_sem": {"z": "1%", "second": 0.2}, "checkpoint": "c.nc", "every": "5min"}
    data["run"] |= given
    assert read_run(data).options == given
    data["run"]["target_sem"] = "1%"
    assert read_run(data).options["target_sem"] == "1%"


def test_derived_observables_of_arrays():
    chain = wf.Ensemble(3, count=4, name="chain")
    model = wf.Model(jumps=[wf.Jump(chain.Jm, 0.5)], initial={chain: wf.up})
    expected = {
        "S": wf.StructureFactor(chain.Jm),
        "some": wf.StructureFactor(chain.Jm, [0.0, 0.5], "diagonal"),
        "g1": wf.Coherence(chain.Jm, reference=1),
        "two": wf.Coherence(chain.Jm, pairs=[(0, 1), (2, 3)]),
        "xi": wf.CorrelationLength(chain.Jz, momentum=0.3),
    }
    entries = {
        "S": {"derived": "StructureFactor", "of": "chain.Jm"},
        "some": {"momenta": [0, 0.5], "normalise": "diagonal"},
        "g1": {"derived": "Coherence", "of": "chain.Jm", "reference": 1},
        "two": {"derived": "Coherence", "of": "chain.Jm", "pairs": [[0, 1], [2, 3]]},
        "xi": {"derived": "CorrelationLength", "of": "chain.Jz", "momentum": 0.3},
    }
    entries["some"] |= entries["S"]
    job = read_run(
        json.loads(json.dumps(model.to_dict())) | {"e_ops": entries, "run": {"tlist": [0, 1]}}
    )
    assert list(job.e_ops) == list(expected)
    for name, wanted in expected.items():
        found = job.e_ops[name]
        assert type(found) is type(wanted) and repr(found.parameters()) == repr(wanted.parameters())
        for part, op in wanted.inputs().items():
            subsystems = {s: s.name for s in (*job.model.subsystems, *model.subsystems)}
            assert fingerprint(found.inputs()[part], subsystems) == fingerprint(op, subsystems)
    entries["two"]["pairs"] = [[0, 4]]
    with pytest.raises(ValueError, match="`pairs` must be below 4"):
        read_run(model.to_dict() | {"e_ops": entries, "run": {"tlist": [0, 1]}})


def broken(path, value):
    """The plain data of ``DRIVEN`` with one entry replaced, or removed (None)."""
    data = copy.deepcopy(tomllib.loads(DRIVEN))
    *parents, last = path
    place = data
    for key in parents:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["run", "ntrj"], 100, r"`run`.*'ntrj'.*Did you mean 'ntraj'"),
        (["ops"], {}, r"`file`.*'ops'.*Did you mean 'e_ops'"),
        (["run", "tlist"], None, r"`run` must have the key 'tlist'"),
        (["subsystems", 0, "N"], None, r"`model.subsystems\[0\]` must have the key 'N'"),
        (["subsystems", 0, "name"], "atom", r"atoms"),
        (["H", 0, "factor"], ["atoms.Jx"], r"`model.H\[0\]`.*Did you mean 'factors'"),
        (["jumps", 0, "rate"], "2*pi", r"`model.jumps\[0\].rate` must name a coefficient.*'2\*pi'"),
        (["jumps", 0, "rate"], -1.0, r"-1"),
        (["run", "dt"], "0.1", r"`run.dt`.*Expressions are not evaluated"),
        (["run", "dt"], -0.1, r"`run.dt` must be positive"),
        (["run", "ntraj"], 1e3, r"`run.ntraj` must be an integer"),
        (["run", "ntraj"], True, r"`run.ntraj` must be an integer"),
        (["run", "tlist"], [0.0, 0.0], r"`run.tlist` must increase"),
        (["run", "tlist"], {"start": 0, "stop": 1}, r"`run.tlist` must have the key 'points'"),
        (["run", "tlist"], {"start": 1, "stop": 0, "points": 3}, r"`run.tlist.stop`"),
        (["run", "method"], "twaa", r"`run.method`.*Did you mean 'twa'"),
        (["run", "method"], {"name": "twa", "frm": "rotor"}, r"`run.method`.*Did you mean 'form'"),
        (["run", "method"], {"form": "rotor"}, r"`run.method` must have"),
        (["run", "precision"], "half", r"`run.precision`"),
        (["run", "target_sem"], {"zz": 0.1}, r"`run.target_sem`.*'zz'"),
        (["run", "target_sem"], "1 percent", r"`run.target_sem`.*percentage such as '1%'"),
        (["run", "target_sem"], {"z": True}, r"`run.target_sem\['z'\]`"),
        (["run", "checkpoint"], 3, r"`run.checkpoint` must be the name of the file"),
        (["run", "every"], "often", r"`run.every`.*'5min'"),
        (["run", "output"], 3, r"`run.output`"),
        (["e_ops"], {}, r"`e_ops` must be a table"),
        (["e_ops", "z"], "atoms.Jzz", r"`e_ops.z`.*Did you mean 'Jz'"),
        (["e_ops", "z"], "atom.Jz", r"`e_ops.z`.*Did you mean 'atoms'"),
        (["e_ops", "z"], {"derived": "Squeezin", "of": "atoms"}, r"Did you mean 'Squeezing'"),
        (["e_ops", "z"], {"derived": "Ratio", "of": ["atoms.Jz"]}, r"list two operators"),
        (["e_ops", "z"], {"derived": "Coherence", "of": "atoms.Jm"}, r"`e_ops.z.of.*of an array"),
        (["e_ops", "z"], {"derived": "g2", "of": "atoms.Jm", "pairs": []}, r"`e_ops.z`.*'pairs'"),
        (["e_ops", "z"], {"factor": ["atoms.Jz"]}, r"`e_ops.z`.*Did you mean 'factors'"),
    ],
)
def test_bad_files_name_the_place(path, value, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read_run(broken(path, value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rate = 2*3", "no readable TOML.*line 1.*Values are numbers"),
        ("[run\n", "no readable TOML"),
        ("", "must have the key 'subsystems'"),
    ],
)
def test_unreadable_files(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_run_file(path)


# ---------------------------------------------------------------------------- commands


def test_run_leaves_a_result_and_a_plot(tmp_path, capsys):
    code = main(["run", str(LASER), "--out", str(tmp_path), "--ntraj", "512", "--seed", "3"])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    result = wf.load(tmp_path / "laser.nc")
    assert (result.ntraj, result.seed, result.method) == (512, 3, "twa")
    assert (tmp_path / "laser.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert "inversion" in out and "laser.nc" in out
    assert 0.05 < result.expect["emission"][-1] < 0.12
    assert sorted(p.name for p in tmp_path.iterdir()) == ["laser.nc", "laser.png"]


def test_run_continues_from_its_checkpoint(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("wignerflow.commands.run._draw", lambda result, path: path.touch())
    text = LASER.read_text().replace("[run]", '[run]\ncheckpoint = "kept.nc"\nevery = "1h"')
    (tmp_path / "model.toml").write_text(text)
    command = ["run", str(tmp_path / "model.toml"), "--out", str(tmp_path), "--seed", "3"]
    assert main([*command, "--ntraj", "512"]) == 0
    assert wf.load(tmp_path / "kept.nc").ntraj == 512
    assert main([*command, "--ntraj", "1024"]) == 0
    result = wf.load(tmp_path / "laser.nc")
    assert (result.ntraj, result.stats["resumed"]) == (1024, 512)
    other = ["--checkpoint", str(tmp_path / "other.nc"), "--every", "4 chunks", "--ntraj", "512"]
    assert main([*command, *other]) == 0
    assert "resumed" not in wf.load(tmp_path / "laser.nc").stats
    assert wf.load(tmp_path / "other.nc").ntraj == 512
    capsys.readouterr()
    assert main([*command, "--checkpoint", str(tmp_path / "laser.nc")]) == 2
    assert "must not be a file that the result takes" in capsys.readouterr().err
    assert main([*command, "--every", "often"]) == 2
    assert "`every` must be a number of seconds" in capsys.readouterr().err


def test_run_checks_only(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(LASER), "--check"]) == 0
    assert "valid" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_run_refuses_before_any_work(tmp_path, capsys):
    (tmp_path / "model.toml").write_text(DRIVEN.replace("tlist", "tlst"))
    assert main(["run", str(tmp_path / "model.toml")]) == 2
    assert "Did you mean 'tlist'" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["run", str(LASER), "--out", str(tmp_path / "file" / "x")]) == 2
    assert "cannot be made" in capsys.readouterr().err
    assert main(["run", str(tmp_path / "missing.toml")]) == 2
    assert "missing.toml" in capsys.readouterr().err
    (tmp_path / "model.toml").write_text(DRIVEN.replace('"exact"', '"generalized-p"'))
    assert main(["run", str(tmp_path / "model.toml"), "--out", str(tmp_path)]) == 2
    assert "cannot treat this model" in capsys.readouterr().err


def test_doctor_reports(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for word in (
        "wignerflow",
        "llvmlite",
        "CPU",
        "threads",
        "targets",
        "WebAssembly",
        "cache",
        "kernel",
        "works",
    ):
        assert word in out


def test_doctor_finds_a_cache_that_cannot_be_written(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WIGNERFLOW_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "PROBLEM" in out and "WIGNERFLOW_CACHE_DIR" in out and "Broken: cache" in out


def test_doctor_says_how_to_get_what_is_missing(monkeypatch):
    from wignerflow.commands import doctor

    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "qutip" else "1.0")
    monkeypatch.setattr(doctor, "_kernel", lambda: ("ok", "kernel", ""))
    lines = {what: (state, found) for state, what, found in doctor.report()}
    assert lines["qutip"][0] == "missing"
    assert "pip install 'wignerflow[exact]'" in lines["qutip"][1]
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    assert doctor._package("numpy")[0] == "PROBLEM"
