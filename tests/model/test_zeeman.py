"""Zeeman states: Clebsch-Gordan coefficients, their sum rules, the operators made of them."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.model.zeeman import clebsch_gordan

HALVES = [0, 0.5, 1, 1.5, 2, 2.5]

#: <1/2 m; 1 q | J M> and others as tabulated (Particle Data Group, "Clebsch-Gordan coefficients").
TABLE = {
    (0.5, 0.5, 1, 1, 1.5, 1.5): 1,
    (1, 1, 0.5, -0.5, 1.5, 0.5): sqrt(1 / 3),
    (1, 1, 0.5, -0.5, 0.5, 0.5): sqrt(2 / 3),
    (1, 0, 0.5, 0.5, 1.5, 0.5): sqrt(2 / 3),
    (1, 0, 0.5, 0.5, 0.5, 0.5): -sqrt(1 / 3),
    (1, 1, 1, -1, 2, 0): sqrt(1 / 6),
    (1, 1, 1, -1, 1, 0): sqrt(1 / 2),
    (1, 1, 1, -1, 0, 0): sqrt(1 / 3),
    (1, 0, 1, 0, 1, 0): 0,
    (1, 0, 1, 0, 0, 0): -sqrt(1 / 3),
    (2, 1, 1, -1, 1, 0): sqrt(3 / 10),
    (1.5, 0.5, 1, 0, 2.5, 0.5): sqrt(3 / 5),
    (1.5, -0.5, 1, 1, 0.5, 0.5): sqrt(1 / 6),
}


def projections(j):
    return np.arange(-j, j + 1)


@pytest.mark.parametrize(("states", "value"), TABLE.items())
def test_tabulated_values(states, value):
    assert clebsch_gordan(*states) == pytest.approx(value, abs=1e-14)


def test_they_are_an_orthogonal_change_of_basis():
    for a in HALVES:
        for b in HALVES[:4]:
            pairs = [(x, y) for x in projections(a) for y in projections(b)]
            both = [(J, M) for J in np.arange(abs(a - b), a + b + 1) for M in projections(J)]
            U = np.array([[clebsch_gordan(a, x, b, y, J, M) for x, y in pairs] for J, M in both])
            assert np.allclose(U @ U.T, np.eye(len(pairs)), atol=1e-13)


def test_they_are_eigenstates_with_the_signs_of_condon_and_shortley():
    # J+ |J M> has positive coefficients, and <j1 j1; j2 J-j1 | J J> is positive
    def plus(j):
        m = projections(j)
        return np.diag(np.sqrt(j * (j + 1) - m[:-1] * m[1:]), -1)

    for a, b in ((0.5, 1), (1, 1), (1.5, 1), (2, 1.5)):
        up = np.kron(plus(a), np.eye(len(projections(b)))) + np.kron(
            np.eye(len(projections(a))), plus(b)
        )
        pairs = [(x, y) for x in projections(a) for y in projections(b)]
        for J in np.arange(abs(a - b), a + b + 1):
            states = [
                np.array([clebsch_gordan(a, x, b, y, J, M) for x, y in pairs])
                for M in projections(J)
            ]
            for k, M in enumerate(projections(J)[:-1]):
                raised = sqrt(J * (J + 1) - M * (M + 1)) * states[k + 1]
                assert np.allclose(up @ states[k], raised, atol=1e-12)
            assert clebsch_gordan(a, a, b, J - a, J, J) > 0


def test_sympy_has_the_same():
    cg = pytest.importorskip("sympy.physics.quantum.cg")
    from sympy import Rational as R

    for a, b, J in ((1.5, 1, 2.5), (1.5, 1, 1.5), (2, 2, 3), (1, 0.5, 0.5)):
        for x in projections(a):
            for y in projections(b):
                halves = [R(round(2 * v), 2) for v in (a, x, b, y, J, x + y)]
                value = float(cg.CG(*halves).doit()) if abs(x + y) <= J else 0.0
                assert clebsch_gordan(a, x, b, y, J, x + y) == pytest.approx(value, abs=1e-13)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0.5, 0.5), (0.5, 1.5), (1, 1), (1, 2), (1.5, 0.5)]
)
def test_every_excited_state_decays_at_one_rate(low, high):
    z = wf.zeeman(low, high, 5, name="z")
    matrices = [z.emission_matrix(q) for q in (-1, 0, 1)]
    n = round(2 * low) + 1
    assert z.atoms.d == n + round(2 * high) + 1
    excited = np.diag(np.arange(z.atoms.d) >= n).astype(float)
    assert np.allclose(sum(A.conj().T @ A for A in matrices), excited, atol=1e-14)
    # light carries q: M of ground and photon is that of the excited state
    M = np.concatenate([projections(low), projections(high)])
    for q, A in zip((-1, 0, 1), matrices, strict=True):
        rows, columns = np.nonzero(A)
        assert rows.max() < n <= columns.min() and np.all(M[columns] - M[rows] == q)


def test_operators_of_the_d2_line():
    rb = wf.zeeman(1 / 2, 3 / 2, 4, name="Rb")
    atoms, third = rb.atoms, sqrt(1 / 3)
    assert rb.emission(1) == atoms.op("g+1/2", "e+3/2") + third * atoms.op("g-1/2", "e+1/2")
    assert np.allclose(rb.emission_one(1).c, rb.emission_matrix(1))
    assert rb.excited() == sum(atoms.pop(x) for x in atoms.labels[2:])
    assert rb.ground() == atoms.pop("g-1/2") + atoms.pop("g+1/2")
    shift = rb.field(2.0, 4 / 3)
    wanted = atoms.pop("g+1/2") - atoms.pop("g-1/2") + 2 * (atoms.pop("e+3/2") - atoms.pop("e-3/2"))
    wanted = wanted + 2 / 3 * (atoms.pop("e+1/2") - atoms.pop("e-1/2"))
    assert np.abs(list((shift - wanted).terms.values())).max(initial=0) < 1e-15


BAD = {
    "ground": (lambda: wf.zeeman(0.3, 1, 5), "`J_ground` must be a multiple of 1/2"),
    "negative": (lambda: wf.zeeman(-1, 0, 5), "`J_ground` must be non-negative"),
    "far": (lambda: wf.zeeman(0.5, 2.5, 5), "`J_excited` must differ from J_ground"),
    "mixed": (lambda: wf.zeeman(0.5, 1, 5), "`J_excited` must differ from J_ground"),
    "zero": (lambda: wf.zeeman(0, 0, 5), "`J_excited` must differ from J_ground"),
    "large": (lambda: wf.zeeman(2, 2, 5), "at most 8 states"),
    "number": (lambda: wf.zeeman(0.5, 1.5, 0), "`N` must be"),
    "q": (lambda: wf.zeeman(0.5, 1.5, 5).emission(2), r"`q` must be \+1"),
    "letter": (lambda: wf.zeeman(0.5, 1.5, 5).emission("+"), r"`q` must be \+1"),
    "field": (lambda: wf.zeeman(0.5, 1.5, 5).field("a", 1), "`g_ground` must"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_transition_is_refused(case):
    make, message = BAD[case]
    with pytest.raises((ValueError, TypeError), match=message):
        make()
