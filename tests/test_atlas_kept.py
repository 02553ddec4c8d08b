"""The atlas in parts: answers that are kept, and the families that were written last."""

import json

import numpy as np
import pytest

from wignerflow import cli
from wignerflow.atlas import FAMILIES, entries, table, unseen
from wignerflow.atlas.entry import family


def an_entry():
    own = dict(FAMILIES)
    try:
        return next(family("tiny", (2,), ({"ratio": 0.5},), 1.0)(unseen.two_ensembles) and _tiny())
    finally:
        FAMILIES.clear()
        FAMILIES.update(own)


def _tiny():
    return FAMILIES["tiny"].entries()


def test_answers_are_kept_and_read_again(tmp_path, monkeypatch):
    entry = an_entry()
    made = list(table.rows(entry, ("mean-field",)))
    calls = []
    monkeypatch.setattr(table, "rows", lambda e: calls.append(e) or made)
    first = table.kept_rows(entry, tmp_path / "parts")
    again = table.kept_rows(entry, tmp_path / "parts")
    assert len(calls) == 1 and len(made) == 4
    for a, b in zip(first, again, strict=True):
        assert (a.method, a.observable, a.scale, a.basis) == (
            b.method,
            b.observable,
            b.scale,
            b.basis,
        )
        assert np.array_equal(a.true, b.true) and np.array_equal(a.stated, b.stated)
    (file,) = (tmp_path / "parts").iterdir()
    data = json.loads(file.read_text())
    file.write_text(file.read_text()[:50])  # cut off
    table.kept_rows(entry, tmp_path / "parts")
    data["made"]["version"] = "0"  # of another version
    file.write_text(json.dumps(data))
    table.kept_rows(entry, tmp_path / "parts")
    assert len(calls) == 3
    table.kept_rows(entry, None)
    assert len(calls) == 4


def test_parts(capsys, monkeypatch):
    assert cli.main(["atlas", "--part", "1/2"]) != 0
    assert "--part needs --keep" in capsys.readouterr().err
    assert cli.main(["atlas", "--part", "3/2", "--keep", "x"]) != 0
    assert "1 <= K <= M" in capsys.readouterr().err
    seen = []
    monkeypatch.setattr(table, "kept_rows", lambda entry, folder: seen.append(entry.name) or [])
    for k in (1, 2, 3):
        assert cli.main(["atlas", "--part", f"{k}/3", "--keep", "x"]) == 0
    assert sorted(seen) == sorted(e.name for e in entries())


@pytest.mark.parametrize("name", sorted(n for n, f in FAMILIES.items() if f.held))
def test_families_written_last_are_made(name):
    """Every case has a model, observables and outputs."""
    for entry in FAMILIES[name].entries():
        model, ops = entry.build()
        assert model.subsystems and len(ops) >= 3 and entry.times.size == 9
