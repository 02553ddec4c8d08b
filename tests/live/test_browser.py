"""Live pages in Chromium: what is shown is right, at every position. Run by `make test-browser`."""

import os
import subprocess
import sys

import numpy as np
import pytest

import wignerflow as wf

from .conftest import OUTSIDE
from .test_sliders import TIMES, laser

pytestmark = pytest.mark.slow
#: Largest deviation in combined errors, of 21 times at each of four positions.
BOUND = 4.5
DONE = "window.wignerflow && window.wignerflow.state().ntraj >= 20000"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("live") / "laser.html"
    model, e_ops = laser()
    result = wf.solve(model, TIMES, e_ops=e_ops, ntraj=200, seed=1, progress=False)
    result.to_html(
        path,
        model_of=laser,
        sliders={"N": (10, 40, 20), "pump": (0.1, 0.6, 0.3)},
        title="Superradiant laser",
        reference="exact",
        ntraj=40_000,
    )
    return path


@pytest.fixture
def page(browser, page_file):
    context = browser.new_context()
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    page.wait_for_function(DONE, timeout=60_000)
    yield page
    assert problems == []
    assert not [url for url in asked if url.startswith("http")]
    context.close()


def state(page):
    return page.evaluate("window.wignerflow.state()")


def move(page, name, value):
    """Move a slider as a hand does, to a value."""
    page.evaluate(
        """([name, value]) => {
          const { sliders } = JSON.parse(document.getElementById("data").textContent);
          const s = sliders.find((x) => x.name === name);
          const range = document.querySelector(`input[type=range][name="${name}"]`);
          const part = s.log
            ? Math.log(value / s.low) / Math.log(s.high / s.low)
            : (value - s.low) / (s.high - s.low);
          range.value = String(2000 * part - 1000);
          range.dispatchEvent(new Event("input", { bubbles: true }));
        }""",
        [name, value],
    )
    page.wait_for_function(DONE, timeout=60_000)


def against_solve(shown, N, pump):
    """Deviations of a shown curve from a run of the library, in combined errors; and the exact."""
    model, e_ops = laser(N, pump)
    ops = {"emission": e_ops["emission"]}
    own = wf.solve(model, TIMES, e_ops=ops, ntraj=20_000, seed=99, progress=False)
    exact = wf.solve(model, TIMES, e_ops=ops, method="exact", progress=False)
    mean, sem = np.array(shown["expect"]["emission"]), np.array(shown["sem"]["emission"])
    error = np.hypot(sem, own.sem["emission"]) + 2e-3 * np.abs(own.expect["emission"]).max()
    return np.abs(mean - own.expect["emission"]) / error, exact.expect["emission"]


@pytest.mark.parametrize("N, pump", [(20, 0.3), (33, 0.3), (20, 0.5137), (12, 0.17)])
def test_curves_are_right_where_the_sliders_stand(page, N, pump):
    move(page, "N", N)
    move(page, "pump", pump)
    shown = state(page)
    assert shown["parameters"]["N"] == N
    assert shown["parameters"]["pump"] == pytest.approx(pump)
    z, exact = against_solve(shown, N, pump)
    assert z.max() < BOUND
    wrong, _ = against_solve(shown, N, 1.4 * pump)
    assert wrong.max() > BOUND
    behind = np.array(shown["reference"]["expect"]["emission"])
    assert np.abs(behind - exact).max() < 0.01 * exact.max()


def test_page_is_quick_however_often_a_slider_moves(page):
    late = []
    for k in range(8):
        move(page, "pump", 0.2 + 0.04 * k)
        late.append(state(page)["latency"])
    assert all(x > 0 for x in late)
    assert np.median(late[4:]) < 0.4  # 0.1 s on a quiet machine
    assert state(page)["steps_per_second"] > 1e6


def test_buttons_pause_and_return(page):
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(600)  # what was on its way comes in
    before = state(page)["ntraj"]
    page.wait_for_timeout(400)
    assert state(page)["ntraj"] == before
    page.get_by_role("button", name="Continue").click()
    move(page, "N", 30)
    assert page.evaluate("window.wignerflow.model()").get("subsystems")[0]["N"] == 30
    page.get_by_role("button", name="First values").click()
    assert state(page)["parameters"] == {"N": 20, "pump": 0.3}


def test_model_file_runs(page, tmp_path):
    move(page, "pump", 0.25)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the model file").click()
    path = tmp_path / "model.json"
    download.value.save_as(path)
    done = subprocess.run(
        [sys.executable, "-m", "wignerflow", "run", "--check", str(path)],
        capture_output=True, text=True, env={**os.environ, "MPLBACKEND": "Agg"},
    )  # fmt: skip
    assert done.returncode == 0 and "0.25" in done.stdout, done.stderr


def test_page_can_be_read_without_a_mouse_and_on_a_telephone(browser, page_file):
    page = browser.new_page(viewport={"width": 360, "height": 700})
    page.goto(page_file.as_uri())
    page.wait_for_function(DONE, timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("[...document.images].every((i) => i.alt)")
    assert page.evaluate("[...document.querySelectorAll('input')].every((i) => i.ariaLabel)")
    page.locator("input[type=range]").first.focus()
    before = state(page)["parameters"]["N"]
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    assert state(page)["parameters"]["N"] > before
    page.close()


def test_labels_stay_within_their_picture(browser, tmp_path):
    """Also that of the last time, which stands at the edge."""
    model, e_ops = laser()
    result = wf.solve(model, [0, 0.01, 0.02], e_ops=e_ops, ntraj=64, seed=1, progress=False)
    result.to_html(tmp_path / "short.html")
    page = browser.new_page()
    page.goto((tmp_path / "short.html").as_uri())
    page.wait_for_function("window.wignerflow?.state().ntraj > 0", timeout=60_000)
    shown = page.evaluate("[...document.querySelectorAll('svg text')].map((e) => e.textContent)")
    assert "0.02" in shown and page.evaluate(OUTSIDE) == []
    page.close()


def test_what_fails_is_said(browser, page_file, tmp_path):
    text = page_file.read_text(encoding="utf-8").replace('"module":"AGFzb', '"module":"AGFzc')
    broken = tmp_path / "broken.html"
    broken.write_text(text, encoding="utf-8")
    page = browser.new_page()
    page.goto(broken.as_uri())
    page.wait_for_function("window.wignerflow.state().problem !== ''")
    assert "cannot run here" in page.locator("#status").inner_text()
    page.close()
