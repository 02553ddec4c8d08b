"""Which cases of a parameter every run of the tests takes; the others stand with the slow ones."""

from collections.abc import Container, Iterable
from typing import Any

import pytest


def few(cases: Iterable[Any], quick: int | Container[Any] = 1) -> list[Any]:
    """All cases, those after the first so many, or not among those named, marked slow.

    A tuple stands for the values of several parameters.
    """
    out = []
    for k, case in enumerate(cases):
        stays = k < quick if isinstance(quick, int) else case in quick
        values = case if isinstance(case, tuple) else (case,)
        out.append(pytest.param(*values, marks=() if stays else pytest.mark.slow))
    return out
