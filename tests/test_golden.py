"""Every method, kind, state and coupling gives the numbers that are stored, to 1e-9."""

import json

import numpy as np
import pytest

from . import golden

#: Compiled code makes normals in single precision, whose rounding depends on the CPU.
TOLERANCE = {"checkpoint": 1e-6}
STORED = json.loads(golden.FILE.read_text())


def differs(got, want, tolerance=1e-9):
    """Names of what is not the same."""
    if set(got) != set(want):
        return sorted(set(got) ^ set(want))
    out = []
    for name, values in want.items():
        a, b = np.array(got[name]), np.array(values)
        if a.shape != b.shape or np.any(np.abs(a - b) > tolerance * max(1, np.abs(b).max())):
            out.append(name)
    return out


def test_every_case_is_stored():
    assert sorted(STORED) == sorted(golden.CASES)
    assert len(STORED) >= 40


@pytest.mark.parametrize("name", sorted(STORED))
def test_golden(name):
    got = golden.numbers(golden.CASES[name]())
    wrong = differs(got, STORED[name], TOLERANCE.get(name, 1e-9))
    assert not wrong, f"{name!r} has other numbers in {wrong}; see tests/golden.py"


def test_a_small_difference_is_seen():
    values = STORED["laser"]
    spoiled = {k: [x * (1 + 1e-8) for x in v] for k, v in values.items()}
    assert differs(values, values) == []
    assert differs(spoiled, values) == sorted(values)
