"""The examples in docstrings run, and print what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import wignerflow

from .few import few

ROOT = Path(wignerflow.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    for path in ROOT.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
NEED = {"wignerflow.exact.bridge": "qutip"}
#: Whose examples run for a second or more.
DEAR = [
    f"wignerflow.{place}"
    for place in (
        "analysis.certify", "analysis.compare", "analysis.photons", "analysis.sweep",
        "exact.bridge", "model.pulses", "model.waveguides", "phasespace.schwinger",
    )
]  # fmt: skip


@pytest.mark.parametrize("module", few(MODULES, [m for m in MODULES if m not in DEAR]))
def test_examples_run(module: str) -> None:
    if module in NEED:
        pytest.importorskip(NEED[module])
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module))
    tests = [test for test in found if test.examples]
    assert tests
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    report: list[str] = []
    for test in tests:
        runner.run(test, out=report.append)
    assert runner.failures == 0, "".join(report)
