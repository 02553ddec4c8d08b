"""Operators whose coefficients overflow are refused where they are made."""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf

E, C = wf.Ensemble(10, name="e"), wf.Ensemble(3, count=2, name="c")
CASES = {
    "product": lambda: 1e200 * E.Jx * (1e200 * E.Jx),
    "power": lambda: (1e100 * E.Jx) ** 4,
    "division": lambda: (1e300 * E.Jx) / 1e-300,
    "sum": lambda: 1e308 * E.Jx + 1e308 * E.Jx,
    "commutator": lambda: wf.commutator(1e200 * E.Jx, 1e200 * E.Jy),
    "coefficient": lambda: wf.coef(lambda t: t) * 1e308 * E.Jx * 1e10,
    "array product": lambda: 1e200 * C.Jx * (1e200 * C.Jx),
    "array sum": lambda: 1e308 * C.Jx + 1e308 * C.Jx,
    "array division": lambda: (1e300 * C.Jx) / 1e-300,
    "weights": lambda: np.array([1e308, 1]) * C.Jx * 1e308,
    "sums": lambda: (1e200 * C.Jx).sum() * (1e200 * C.Jx).sum(),
    "sum of sums": lambda: (1e308 * C.Jx).sum() + (1e308 * C.Jx).sum(),
    "coupling": lambda: wf.couple(1e200 * C.Jx, np.ones((2, 2)), 1e200 * C.Jx),
    "matrix": lambda: wf.couple(1e200 * C.Jx, 1e300 * np.ones((2, 2)), C.Jx),
    "structure": lambda: wf.couple(1e200 * C.Jx, wf.AllToAll(), 1e200 * C.Jx),
}


@pytest.mark.parametrize("case", CASES)
def test_overflow_is_refused(case):
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="must be finite"):
        CASES[case]()


def test_large_coefficients_are_not():
    assert (1e150 * E.Jx * (1e150 * E.Jx)).terms
    assert (1e300 * C.Jx).sum().terms
