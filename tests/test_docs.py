"""The documentation site: what can be checked without building it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import wignerflow as wf
from wignerflow.figures import REGISTRY

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def test_the_api_reference_lists_every_public_name_once() -> None:
    sections = json.loads((DOCS / "api.json").read_text(encoding="utf-8"))
    listed = [name for _, names in sections.values() for name in names.split()]
    assert sorted(listed) == sorted(set(wf.__all__) - {"__version__"})


def test_every_published_figure_has_a_picture() -> None:
    assert [n for n in REGISTRY if not (DOCS / "img" / f"{n}.png").exists()] == []


def test_the_citation_file_names_every_source() -> None:
    """What docstrings cite as "volume, page (year)", which CITATION.cff has as volume and start."""
    known = set(
        re.findall(r'volume: (\d+)\n +start: "0*(\d+)"', (ROOT / "CITATION.cff").read_text())
    )
    cited = set()
    for path in sorted((ROOT / "wignerflow").rglob("*.py")):
        text = re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))
        pattern = r"(?:[A-Z][A-Za-z]*\.|Physics|BIT|Phys\. Rev\.(?: [A-Z]| Lett\.)?) (?:[AB] )?"
        cited |= {
            (m[1], m[2].lstrip("0"))
            for m in re.finditer(pattern + r"(\d+), (\d+) \((?:19|20)\d\d\)", text)
        }
    assert len(cited) > 30 and cited - known == set()


def test_the_conda_recipe_has_the_requirements_of_the_package() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.match(r"[A-Za-z0-9_-]+", line)[0] for line in wanted["dependencies"]}
    recipe = (ROOT / "packaging" / "conda" / "meta.yaml").read_text(encoding="utf-8")
    given = set(
        re.findall(r"^ +- ([a-z0-9_-]+)", recipe.split("  run:")[1].split("\ntest:")[0], re.M)
    )
    assert {n.replace("matplotlib", "matplotlib-base") for n in names} - given == set()


def test_tutorials_finish_their_figures_in_one_block() -> None:
    """The gallery shows and closes every figure at the end of its block."""
    late = []
    for path in sorted((ROOT / "tutorials").glob("*.py")):
        for k, block in enumerate(re.split(r"(?m)^# %%$", path.read_text(encoding="utf-8"))):
            draws = re.search(r"(?m)^\s*(?:ax|axes|left|right)\b[.[]", block)
            if draws and not re.search(r"subplots\(|\.plot\(\)|new_figure|compare_plot", block):
                late.append(f"{path.name}, block {k}")
    assert late == []
