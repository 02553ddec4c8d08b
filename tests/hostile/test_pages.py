"""Live pages of names from strangers, in places of one's own."""

import html
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.cli import main
from wignerflow.live import live_page

from ..few import few
from ..run import cases

NAMES = ["</script><script>alert(1)</script>", "<!--<script>", "{{PAGE}}", "&lt;", "'\"\\"]
LASER = Path(__file__).parents[2] / "examples" / "laser.toml"


class Elements(HTMLParser):
    """Scripts of a page by their id, text elsewhere, and attributes that run code."""

    def __init__(self):
        super().__init__()
        self.scripts, self.text, self.inside, self.running = [], "", False, []

    def handle_starttag(self, tag, attrs):
        self.inside = tag == "script"
        if self.inside:
            self.scripts.append([dict(attrs).get("id"), ""])
        self.running += [name for name, _ in attrs if name.startswith("on")]

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.scripts[-1][1] += data
        else:
            self.text += data


def page_of(names, **options):
    atoms = wf.Ensemble(20, name="atoms <b>")

    def make():
        jumps = [wf.Jump(atoms.Jm, 0.1)]
        model = wf.Model(0.1 * atoms.Jx, jumps, initial={atoms: wf.up})
        return model, dict.fromkeys(names, atoms.Jz)

    page = live_page(make, [0.0, 0.1], {}, dt=0.05, reference=None, **options)
    found = Elements()
    found.feed(page)
    return page, found


@pytest.mark.parametrize("text", ["{{DATA}}", "<script>alert(1)</script>", "{{HOST}}{{TITLE}}"])
def test_names_titles_and_texts_stay_text(text):
    page, found = page_of(NAMES, title=text, text=text)
    assert [name for name, _ in found.scripts] == ["data", "host", "worker", None]
    assert found.running == [] and found.text.count(text) == 3  # <title>, <h1> and <p>
    data = found.scripts[0][1]
    assert "<" not in data  # nothing that a browser reads as the end, or as another beginning
    plain = json.loads(data)
    assert plain["title"] == text and list(plain["file"]["e_ops"]) == NAMES
    assert html.escape(text) in page and not re.search(r"alt=\"[^\"]*<b>", page)


def test_a_page_is_written_where_its_name_says(tmp_path, capsys):
    result = cases.solve(ntraj=64)
    for name in ("a.csv", "a.nc", "a", "a.html.toml"):
        with pytest.raises(ValueError, match=r"`path` must end in '\.html'"):
            result.to_html(tmp_path / name)
    with pytest.raises(ValueError, match="must lie in a folder that exists"):
        result.to_html(tmp_path / "none" / "a.html")
    with pytest.raises(TypeError, match="`path` must be the path of a file"):
        result.to_html(3)
    own = tmp_path / "model.toml"
    own.write_bytes(LASER.read_bytes())
    assert main(["export", str(own), "--html", str(own)]) == 2
    assert "must end in '.html'" in capsys.readouterr().err
    assert own.read_bytes() == LASER.read_bytes()


def coupled(members):
    spins = wf.Ensemble(50, name="spins", count=members)
    A = np.random.default_rng(1).normal(size=(members, members)) / members
    H = wf.couple(spins.Jp, A + A.T, spins.Jm)
    jumps = [wf.LocalJump(spins.sm, 1.0)]
    return wf.Model(H, jumps, initial={spins: wf.up}), {"z": spins.Jz.sum()}


REQUESTS = {
    "times": (lambda: cases.laser(20), np.linspace(0, 1, 10**6), {}, "hold at most .* times"),
    "steps": (lambda: cases.laser(20), [0, 1], {"dt": 1e-8}, "`dt` must be at least"),
    "members": (lambda: coupled(100), [0, 0.1], {"dt": 0.05}, "have tables of at most"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_pages_that_no_browser_opens_are_refused(name, monkeypatch):
    """Before work of minutes. A hundred members stand for thousands here."""
    monkeypatch.setattr("wignerflow.live.page.TABLES", 20_000)
    make, times, options, must = REQUESTS[name]
    begin = time.process_time()
    with pytest.raises(ValueError, match=must):
        live_page(make, times, {}, reference=None, **options)
    assert time.process_time() - begin < 30


@pytest.mark.parametrize("name", few(NAMES))
def test_names_of_sliders_and_subsystems_stay_text(name):
    atoms = wf.Ensemble(20, name=name)

    def make(**given):
        jumps = [wf.Jump(atoms.Jm, given[name])]
        return wf.Model(0.1 * atoms.Jx, jumps, initial={atoms: wf.up}), {"z": atoms.Jz}

    page = live_page(make, [0.0, 0.1], {name: (0.1, 0.2)}, dt=0.05, reference=None)
    found = Elements()
    found.feed(page)
    assert [label for label, _ in found.scripts] == ["data", "host", "worker", None]
    assert found.running == [] and "<" not in found.scripts[0][1]
    assert json.loads(found.scripts[0][1])["sliders"][0]["name"] == name


def test_pages_put_text_in_as_text():
    """Scripts of the pages never write markup: names reach them as data."""
    root = Path(wf.__file__).parent
    scripts = [p for part in ("live", "explore") for p in (root / part).glob("*.js")]
    assert len(scripts) >= 3
    for path in scripts:
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert way not in path.read_text(encoding="utf-8"), (path.name, way)
