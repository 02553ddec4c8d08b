"""Which cases of a parameter every run of the tests takes; the others stand with the slow ones."""

from collections.abc import Container, Iterable
from typing import Any

import pytest


def few(cases: Iterable[Any], quick: int | Container[Any] = 1) -> list[Any]:
    """The first so many cases, or those named, as they are, and all others marked slow."""
    out = []
    for k, case in enumerate(cases):
        stays = k < quick if isinstance(quick, int) else case in quick
        values = case if isinstance(case, tuple) else (case,)
        out.append(case if stays else pytest.param(*values, marks=pytest.mark.slow))
    return out
