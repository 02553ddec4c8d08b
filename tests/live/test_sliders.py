"""Sliders, interpolation between their nodes, and the files inside a page."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.cli import main
from wignerflow.live.automatic import parameters
from wignerflow.live.page import live_page
from wignerflow.live.sliders import Rough, Slider, interpolate
from wignerflow.runfile import read_run

TIMES = np.linspace(0, 5, 21)


def laser(N=20, pump=0.3):
    N = int(N)
    atoms = wf.Ensemble(N, name="atoms")
    model = wf.Model(
        jumps=[wf.Jump(atoms.Jm, rate=1 / N), wf.LocalJump(atoms.sp, rate=pump)],
        initial={atoms: wf.up},
    )
    return model, {"emission": atoms.Jp * atoms.Jm, "squeezing": wf.Squeezing(atoms)}


def content(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(found[1])


def test_slider_goes_between_its_ends():
    plain = Slider.of("x", (1.0, 3.0))
    assert (plain.value, plain.log, plain.whole) == (2.0, False, False)
    assert plain.at(-1) == 1 and plain.at(1) == 3 and plain.position(2.5) == pytest.approx(0.5)
    wide = Slider.of("N", (10, 1000))
    assert wide.log and wide.whole and wide.value == 100
    assert wide.at(wide.position(250.0)) == 250
    few = Slider.of("N", (1, 4, 2))
    np.testing.assert_array_equal(few.nodes(17), [1, 2, 3, 4])


@pytest.mark.parametrize("entry", [(3, 1), (1, 2, 5), "ab", (1,), 3])
def test_bad_sliders_are_named(entry):
    with pytest.raises((ValueError, TypeError), match=r"sliders\['x'\]"):
        Slider.of("x", entry)


def test_interpolation_is_as_good_as_it_says():
    sliders = [Slider.of("a", (0.5, 2.0)), Slider.of("b", (1.0, 100.0))]

    def function(p):
        return np.array([np.sqrt(p["a"]) * np.log(p["b"]), np.exp(-p["a"]), 1.0])

    found = interpolate(sliders, function, 1e-6)
    for a, b in ((0.6, 1.5), (1.9, 80.0), (1.234, 12.0)):
        here = {"a": a, "b": b}
        np.testing.assert_allclose(found.at(here), function(here), rtol=0, atol=3e-5)
    assert found.error < 1e-5
    with pytest.raises(Rough, match="'a'"):
        interpolate(sliders, lambda p: np.array([float(p["a"] > 1.0)]), 1e-6)


def test_model_files_of_a_page_read_back():
    page = content(live_page(laser, TIMES, {"N": (10, 40, 20)}, reference=None))
    job = read_run(page["file"])
    assert job.model.to_dict() == laser(20)[0].to_dict()
    assert list(job.e_ops) == ["emission"] and page["left_out"] == ["squeezing"]
    moving = {tuple(place) for place in page["leaves"]["places"]}
    assert ("subsystems", 0, "N") in moving and ("jumps", 0, "rate") in moving


def test_rates_of_zero_are_refused_with_advice():
    with pytest.raises(ValueError, match="begin ranges above zero"):
        live_page(lambda pump: laser(20, pump), TIMES, {"pump": (0.0, 1.0)}, reference=None, dt=0.1)


def test_parameters_of_a_model_by_name():
    atoms, cav = wf.Ensemble(10, name="atoms"), wf.Mode(name="cav")
    model = wf.Model(
        0.5 * (cav.a * atoms.Jp + cav.adag * atoms.Jm) + 0.2 * (cav.a + cav.adag),
        [wf.Jump(cav.a, 1.0), wf.LocalJump(atoms.sm, 0.1), wf.Jump(atoms.Jm, 0.3)],
        initial={atoms: wf.up, cav: wf.vacuum},
    )
    found = parameters(model.to_dict())
    values = {name: value for name, (value, _) in found.items()}
    assert values == {
        "rate of cav.a": 1.0,
        "rate of atoms.sm": 0.1,
        "rate of atoms.Jm": 0.3,
        "strength of cav.a": 0.2,
        "strength of atoms.Jx cav.a": 0.5,
        "N of atoms": 10,
    }
    plain = model.to_dict()
    found["strength of atoms.Jx cav.a"][1](plain, 0.7)
    assert wf.Model.from_dict(plain).H.is_hermitian()


def test_result_writes_its_page(tmp_path):
    model, e_ops = laser()
    result = wf.solve(model, TIMES, e_ops=e_ops, ntraj=200, seed=1, progress=False)
    path = tmp_path / "page.html"
    result.to_html(
        path, sliders={"rate of atoms.sp": (0.1, 0.6)}, title="<A laser>", reference="exact"
    )
    text = path.read_text(encoding="utf-8")
    page = content(text)
    assert "&lt;A laser&gt;" in text and "http" not in re.sub(r"http://www\.w3\.org/\S*", "", text)
    assert page["reference"]["method"] == "exact" and page["reference"]["everywhere"]
    assert page["sliders"][0]["value"] == 0.3
    with pytest.raises(ValueError, match="rate of atoms"):
        result.to_html(path, sliders={"rate of atoms.sq": (0.1, 0.6)})


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js reads the scripts")
def test_scripts_of_the_page_have_no_syntax_errors(tmp_path):
    page = live_page(laser, TIMES, {}, reference=None)
    for kind in ("host", "worker"):
        text = re.search(rf'id="{kind}">(.*?)</script>', page, re.S)[1]
        (tmp_path / f"{kind}.js").write_text(text, encoding="utf-8")
        subprocess.run(["node", "--check", tmp_path / f"{kind}.js"], check=True)


def test_command_writes_a_page(tmp_path, capsys):
    atoms = wf.Ensemble(4, name="atoms")
    model = wf.Model(jumps=[wf.Jump(atoms.Jm, 1.0)], initial={atoms: wf.up})
    run = {"tlist": [0, 1, 2], "dt": 0.1}
    plain = model.to_dict() | {"e_ops": {"inversion": "atoms.Jz"}, "run": run}
    (tmp_path / "model.json").write_text(json.dumps(plain), encoding="utf-8")
    file, page = str(tmp_path / "model.json"), tmp_path / "page.html"
    slider = "rate of atoms.Jm=0.5:2"
    assert main(["export", file, "--html", str(page), "--slider", slider]) == 0
    data = content(page.read_text(encoding="utf-8"))
    assert [s["name"] for s in data["sliders"]] == ["rate of atoms.Jm"]
    assert main(["export", file, "--html", str(page), "--slider", "rate of x=1:2"]) == 2
    assert "rate of atoms.Jm" in capsys.readouterr().err


@pytest.mark.slow
def test_example_of_the_repository_has_a_page_without_options(tmp_path):
    file = Path(__file__).parents[2] / "examples" / "laser.toml"
    page = tmp_path / "page.html"
    assert main(["export", str(file), "--html", str(page)]) == 0
    data = content(page.read_text(encoding="utf-8"))
    assert [s["name"] for s in data["sliders"]] == ["rate of atoms.Jm", "rate of atoms.sp"]
    assert data["left_out"] == ["squeezing"]
