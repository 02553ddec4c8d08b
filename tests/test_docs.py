"""The documentation site: what can be checked without building it."""

from __future__ import annotations

import json
from pathlib import Path

import wignerflow as wf
from wignerflow.figures import REGISTRY

DOCS = Path(__file__).resolve().parent.parent / "docs"


def test_the_api_reference_lists_every_public_name_once() -> None:
    sections = json.loads((DOCS / "api.json").read_text(encoding="utf-8"))
    listed = [name for _, names in sections.values() for name in names.split()]
    assert sorted(listed) == sorted(set(wf.__all__) - {"__version__"})


def test_every_published_figure_has_a_picture() -> None:
    assert [n for n in REGISTRY if not (DOCS / "img" / f"{n}.png").exists()] == []
