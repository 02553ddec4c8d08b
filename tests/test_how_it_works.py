"""docs/how-it-works.md says what its lines print."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent.parent / "docs" / "how-it-works.md"
BLOCKS = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.S)


def test_every_stage_prints_what_the_page_shows() -> None:
    """In one session, block by block."""
    namespace: dict[str, Any] = {}
    blocks = BLOCKS.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) == 7
    for code, shown in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(code, namespace)
        same = doctest.OutputChecker().check_output(shown, out.getvalue(), doctest.ELLIPSIS)
        assert same, f"{code}\nprints\n{out.getvalue()}"


def test_the_page_names_files_that_exist() -> None:
    """Every path of the package and of the tests that it mentions."""
    root = PAGE.parent.parent
    text = PAGE.read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:wignerflow|tests|docs)/[\w./]+)", text))
    paths |= {f"wignerflow/{p}" for p in re.findall(r"`([a-z_]+/(?:[\w/]+\.py)?)", text)
              if not p.startswith(("wignerflow/", "tests/", "docs/"))}  # fmt: skip
    assert len(paths) > 25
    assert [p for p in sorted(paths) if not (root / p).exists()] == []
