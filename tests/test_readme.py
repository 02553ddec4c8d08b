"""What the README, the documentation and the examples print is run exactly as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: Pages whose blocks are one script, with a test of its own.
ONE_SCRIPT = ("how-it-works",)
#: Blocks that run for longer than all others.
DEAR = (
    "coming-from-piqs-0", "coming-from-qutip-0", "correlations-0", "delays-0", "generalized-p-0",
    "generalized-p-1", "levels-0", "live-pages-0", "long-runs-4", "output-light-0", "pulses-0",
    "steady-states-0",
)  # fmt: skip
BLOCKS = [
    pytest.param(
        block, id=f"{page.stem}-{k}", marks=[pytest.mark.slow] * (f"{page.stem}-{k}" in DEAR)
    )
    for page in PAGES[1:]  # that of the README has a test of its own
    if page.stem not in ONE_SCRIPT
    for k, block in enumerate(
        re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    )
]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
LEVELS = sorted((ROOT / "examples" / "levels").glob("*.py"))
LIVE = sorted((ROOT / "wignerflow" / "figures" / "pages").glob("*.py"))
TUTORIALS = sorted((ROOT / "tutorials").glob("*.py"))


def run(code: list[str], folder: Path) -> str:
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"}
    path = [str(ROOT), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(p for p in path if p)
    done = subprocess.run(
        [sys.executable, "-W", "error", *code],
        cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("block", BLOCKS)
def test_code_on_the_pages_runs(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a script of its own, in this process: starting one for each costs more than it runs."""
    monkeypatch.chdir(tmp_path)
    with mpl.rc_context({"backend": "Agg"}), warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(block, "block", "exec"), {"__name__": "__main__"})
        plt.close("all")


def test_readme_example_does_what_it_says(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert len(block.strip().splitlines()) <= 17
    out = run(["-c", block], tmp_path)
    assert re.search(r"^emission +\d+ ± \d+ ", out, re.M), out
    assert [p.name for p in tmp_path.iterdir()] == ["laser.nc"]


@pytest.mark.slow
@pytest.mark.parametrize("script", EXAMPLES, ids=lambda p: p.stem)
def test_examples_run(script: Path, tmp_path: Path) -> None:
    quick = ["--quick"] if "--quick" in script.read_text(encoding="utf-8") else []
    assert "±" in run([str(script), *quick], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("script", LEVELS, ids=lambda p: p.stem)
def test_examples_of_levels_run(script: Path, tmp_path: Path) -> None:
    out = run(["-W", "default", str(script), "--quick"], tmp_path)
    assert "±" in out and "Expected errors of" in out


@pytest.mark.slow
@pytest.mark.parametrize("script", LIVE, ids=lambda p: p.stem)
def test_live_examples_write_their_page(script: Path, tmp_path: Path) -> None:
    assert "±" in run(["-W", "default", str(script)], tmp_path)
    page = (tmp_path / f"{script.stem}.html").read_text(encoding="utf-8")
    assert "window.wignerflow" in page and len(page) > 50_000


@pytest.mark.slow
@pytest.mark.parametrize("script", TUTORIALS, ids=lambda p: p.stem)
def test_tutorials_run(script: Path, tmp_path: Path) -> None:
    assert "±" in run(["-W", "default", str(script)], tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_commands_on_the_pages_exist() -> None:
    from wignerflow.figures import REGISTRY
    from wignerflow.figures.live import PAGES as LIVE

    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"`wignerflow reproduce ([a-z0-9-]+)`", text))
    assert named and named <= {*REGISTRY, *LIVE}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)?)`", text)):
        assert re.search(rf"^{target}:", makefile, re.M), target
