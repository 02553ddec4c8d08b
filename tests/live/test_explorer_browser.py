"""The explorer in Chromium: edit, run, errors, sliders, exports. Run by `make test-browser`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

import wignerflow as wf
from wignerflow.explore import TEMPLATE

from .conftest import OUTSIDE

pytestmark = pytest.mark.slow
FOUND = "window.wignerflow.explorer()"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The command itself, with a file."""
    file = tmp_path_factory.mktemp("explore") / "model.toml"
    file.write_text(TEMPLATE.replace("ntraj = 4000", "ntraj = 2000"))
    command = [sys.executable, "-m", "wignerflow", "explore", str(file), "--no-browser"]
    root = str(Path(wf.__file__).parents[1])
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=file.parent,
        env={**os.environ, "PYTHONPATH": root},
    ) as process:  # fmt: skip
        yield process.stdout.readline().strip(), process.pid
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert [p.name for p in file.parent.iterdir()] == ["model.toml"]


@pytest.fixture
def page(browser, address):
    page = browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(address[0])
    yield page
    assert problems == []
    page.close()


def edit(page, old, new):
    box = page.get_by_role("textbox", name="Model file")
    text = box.input_value()
    assert old in text
    box.fill(text.replace(old, new))


def run(page, *methods):
    page.get_by_role("button", name="Run").click()
    done = " && ".join(f"'{m}' in {FOUND}.results" for m in methods)
    page.wait_for_function(done, timeout=120_000)
    return page.evaluate(f"{FOUND}.results")


def model(N, pump):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 0.05), wf.LocalJump(atoms.sp, pump)]
    return wf.Model(jumps=jumps, initial={atoms: wf.up}), {"z": atoms.Jz}


def against_exact(found, N, pump):
    made, e_ops = model(N, pump)
    want = wf.solve(made, np.linspace(0, 15, 61), e_ops=e_ops, method="exact").expect["z"]
    mean, sem, _ = np.array(found["curves"]["inversion"], float)
    return np.abs(mean - want) / (sem + 2e-3 * N)


def test_an_edited_model_is_run_by_several_methods(page):
    edit(page, "rate = 0.3", "rate = 0.45")
    found = run(page, "exact", "twa")
    assert against_exact(found["exact"], 20, 0.45).max() < 0.01
    assert against_exact(found["twa"], 20, 0.45).max() < 5
    assert against_exact(found["twa"], 20, 0.3).max() > 5  # it is the edited one
    assert page.locator("#plots svg").count() == 2
    assert "2000 trajectories" in page.locator("#progress").inner_text()


def test_labels_stay_within_their_picture(page):
    edit(page, "stop = 15.0", "stop = 0.0125")
    run(page, "exact")
    shown = page.evaluate("[...document.querySelectorAll('#plots text')].map((e) => e.textContent)")
    assert "0.0125" in shown and page.evaluate(OUTSIDE) == []


def test_it_fits_a_telephone_and_needs_no_mouse(page):
    page.set_viewport_size({"width": 375, "height": 800})
    run(page, "exact")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    named = "e.innerText?.trim() || e.ariaLabel || e.title || e.labels?.length"
    controls = "[...document.querySelectorAll('button,a,input,select,textarea')]"
    assert page.evaluate(f"{controls}.filter((e) => !({named})).map((e) => e.outerHTML)") == []
    assert page.evaluate("[...document.images].every((i) => i.alt)")
    page.get_by_role("textbox", name="Model file").focus()
    page.keyboard.press("Tab")
    ring = "getComputedStyle(document.activeElement)"
    assert page.evaluate(f"{ring}.outlineStyle !== 'none' || {ring}.boxShadow !== 'none'")


def test_broken_models_say_where(page):
    from playwright.sync_api import expect

    edit(page, "rate = 0.3", "rate = -0.3")
    page.get_by_role("button", name="Run").click()
    error = page.get_by_role("alert")
    expect(error).to_contain_text("non-negative", timeout=60_000)
    picked = "(e => e.value.slice(e.selectionStart, e.selectionEnd))(document.activeElement)"
    assert page.evaluate(picked) == "rate = -0.3"
    edit(page, "rate = -0.3", "rate = 0.3")
    page.get_by_label("twa", exact=True).uncheck()
    page.get_by_label("generalized-p").check()  # which refuses ensembles
    run(page, "exact")
    refused = page.locator("#progress .error")
    expect(refused).to_contain_text("generalized-p", timeout=60_000)


def test_two_tabs_do_not_disturb_each_other(page, browser, address):
    other = browser.new_page()
    other.goto(address[0])
    edit(other, "N = 20", "N = 10")
    two, one = run(other, "exact"), run(page, "exact")
    assert against_exact(one["exact"], 20, 0.3).max() < 0.01
    assert against_exact(two["exact"], 10, 0.3).max() < 0.01
    other.close()


def test_sliders_of_the_live_page(page):
    page.get_by_role("button", name="Live page").click()
    page.wait_for_selector("iframe", timeout=240_000)
    frame = page.frame_locator("iframe")
    slider = frame.locator("input[type=range]").first
    slider.wait_for(timeout=60_000)
    inner = page.frames[-1]
    ready = "window.wignerflow && window.wignerflow.state().ntraj > 2000"
    inner.wait_for_function(ready, timeout=60_000)
    before = inner.evaluate("window.wignerflow.state()")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    after = inner.evaluate("window.wignerflow.state().parameters")
    assert list(after) and after != before["parameters"]


def test_exports(page, tmp_path):
    for label, name in (("netCDF", "explored.nc"), ("Script", "explored.py")):
        with page.expect_download(timeout=120_000) as download:
            page.get_by_role("button", name=label).click()
        assert download.value.suggested_filename == name
        download.value.save_as(tmp_path / name)
    assert wf.load(tmp_path / "explored.nc").method == "twa"
    assert "wf.solve" in (tmp_path / "explored.py").read_text()


def test_it_survives_killed_workers(page, address):
    run(page, "exact", "twa")
    children = psutil.Process(address[1]).children(recursive=True)
    workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    assert workers
    for worker in workers:
        worker.kill()
    page.get_by_role("button", name="Run").click()
    page.wait_for_timeout(3000)
    assert against_exact(run(page, "exact")["exact"], 20, 0.3).max() < 0.01
