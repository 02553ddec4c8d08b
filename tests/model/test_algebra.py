"""The operator algebra against explicit matrices, for random expressions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import wignerflow as wf
from wignerflow.model.operators import Op

from .matrices import Space

FAST = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

# ------------------------------------------------------------------ random expressions
# A random expression is built twice from the same choices, as an Op and as a matrix.


def one_spin():
    return [wf.CollectiveSpin(1.5, name="S")]


def two_kinds():
    return [wf.Ensemble(2, name="atoms"), wf.Spin(name="spin")]


def spins():
    return [wf.Spin(name="chain", count=3)]


def arrays():
    return [wf.Ensemble([1, 2, 1], name="chain", count=3)]


def with_mode():
    return [wf.Spin(name="spin"), wf.Mode(name="cavity")]


def two_arrays():
    return [wf.Spin(name="left", count=2), wf.CollectiveSpin([0.5, 1], name="right", count=2)]


def modes():
    return [wf.Mode(name="cavity", count=2)]


SYSTEMS = [one_spin, two_kinds, spins, arrays, with_mode, two_arrays, modes]
NUMBERS = st.sampled_from([1.0, -2.0, 0.5, 1j, 0.3 - 0.7j])


def _weights(rng, n):
    return rng.normal(size=n) + 1j * rng.normal(size=n) * rng.integers(0, 2)


def _coupling(rng, n, kind):
    if kind == "dense":
        return (K := rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))), K
    if kind == "sparse":
        K = sp.random_array((n, n), density=0.5, rng=rng)
        return K, K.toarray()
    structure = {
        "nearest": wf.NearestNeighbour(),
        "all": wf.AllToAll(),
        "waveguide": wf.Waveguide(float(rng.uniform(0, 3))),
        "chiral": wf.Waveguide(np.sort(rng.uniform(0, 9, n)), chirality=float(rng.uniform(-1, 1))),
    }[kind]
    return structure, structure.matrix(n)


COUPLINGS = ["dense", "sparse", "nearest", "all", "waveguide", "chiral"]


@st.composite
def expressions(draw, depth=2):
    """(description) trees: nested tuples of choices, evaluated by ``build``."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        kind = draw(st.sampled_from(["site", "site", "sum", "couple", "scalar"]))
        return (kind, draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["add", "mul", "mul", "sub", "dag", "scale"]))
    if kind == "dag":
        return (kind, draw(expressions(depth - 1)))
    if kind == "scale":
        return (kind, draw(NUMBERS), draw(expressions(depth - 1)))
    return (kind, draw(expressions(depth - 1)), draw(expressions(depth - 1)))


def build(tree, subs, space):
    """(Op, matrix, letters): the number of letters bounds how far a mode is raised."""
    kind = tree[0]
    if kind in ("add", "sub", "mul"):
        (a, A, i), (b, B, j) = build(tree[1], subs, space), build(tree[2], subs, space)
        if kind == "mul":
            return a * b, A @ B, i + j
        return (a + b, A + B, max(i, j)) if kind == "add" else (a - b, A - B, max(i, j))
    if kind == "dag":
        a, A, i = build(tree[1], subs, space)
        return a.dag(), A.conj().T, i
    if kind == "scale":
        a, A, i = build(tree[2], subs, space)
        return tree[1] * a, tree[1] * A, i
    rng = np.random.default_rng(tree[1])
    sub = subs[rng.integers(len(subs))]
    names = list(type(sub).letters)
    name, other = names[rng.integers(len(names))], names[rng.integers(len(names))]
    n = sub.size
    if kind == "scalar":
        c = complex(rng.normal(), rng.normal())
        return Op.scalar(c), c * space.identity, 0
    if kind == "site" or sub.count is None:
        m = int(rng.integers(n))
        op = getattr(sub if sub.count is None else sub[m], name)
        return op, space.leaf(sub, m, name), 2
    if kind == "sum":
        w = _weights(rng, n)
        matrix = sum(w[m] * space.leaf(sub, m, name) for m in range(n))
        return (w * getattr(sub, name)).sum(), matrix, 2
    partners = [s for s in subs if s.count == sub.count]
    right = partners[rng.integers(len(partners))]
    if right is not sub:
        others = list(type(right).letters)
        other = others[rng.integers(len(others))]
    K, dense = _coupling(rng, n, COUPLINGS[rng.integers(len(COUPLINGS))])
    w = _weights(rng, n)
    A, B = w * getattr(sub, name), getattr(right, other)
    matrix = sum(
        w[i] * dense[i, j] * space.leaf(sub, i, name) @ space.leaf(right, j, other)
        for i in range(n)
        for j in range(n)
    )
    return wf.couple(A, K, B), matrix, 4


def assert_same(space, matrix, expected, letters):
    low = space.low(letters)
    scale = 1 + np.abs(expected).max()
    np.testing.assert_allclose(matrix[:, low] / scale, expected[:, low] / scale, atol=1e-11)


def test_weights_of_an_operator_cannot_be_changed():
    spins = wf.Spin(name="spins", count=3)
    weights = np.array([1.0, 2.0, 4.0])
    op = (weights * spins.sz).sum()
    weights[:] = 0
    ((_, (node,)),) = op.terms
    with pytest.raises(ValueError, match="read-only"):
        node.weights[0] = 0
    assert repr(op) == "sum([1, 2, 4]*spins.sz)"


@pytest.mark.parametrize("system", SYSTEMS)
@FAST
@given(tree=expressions())
def test_random_expressions_equal_their_matrices(system, tree):
    subs = system()
    space = Space(*subs)
    op, matrix, letters = build(tree, subs, space)
    assert_same(space, space.matrix(op), matrix, letters)


def couplings(tree):
    """How many factors of an expression may hold a coupling."""
    if not isinstance(tree, tuple):
        return 0
    return (tree[0] == "couple") + sum(couplings(branch) for branch in tree[1:])


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
@settings(FAST, max_examples=40)
@given(one=expressions(1), two=expressions(1), three=expressions(1))
def test_ring_laws_of_many(system, one, two, three):
    ring_laws(system, one, two, three)


@pytest.mark.parametrize("system", SYSTEMS)
@settings(FAST, max_examples=3)
@given(one=expressions(1), two=expressions(1), three=expressions(1))
def test_ring_laws(system, one, two, three):
    ring_laws(system, one, two, three)


def ring_laws(system, one, two, three):
    subs = system()
    space = Space(*subs)
    (a, *_), (b, *_), (c, *_) = (build(t, subs, space) for t in (one, two, three))
    # Two couplings over one array have no unique normal form: their commutator joins three sites.
    unique = max(2 * couplings(one), couplings(one) + couplings(two) + couplings(three)) < 2

    size = np.prod([max(1.0, op._scale()) for op in (a, b, c)])  # of what cancels, rounding stays

    def same(x, y):
        if unique:
            return (x - y).is_zero(max(x._scale(), y._scale(), size))
        return np.allclose(space.matrix(x - y), 0, atol=1e-9)

    assert same((a * b) * c, a * (b * c))
    assert same(a * (b + c), a * b + a * c)
    assert same((a + b) * c, a * c + b * c)
    assert same((a * b).dag(), b.dag() * a.dag())
    assert same(a.dag().dag(), a)
    assert (a + a.dag()).is_hermitian()
    square = a.dag() * a
    assert same(square, square.dag())
    bracket = wf.commutator
    jacobi = bracket(a, bracket(b, c)) + bracket(b, bracket(c, a)) + bracket(c, bracket(a, b))
    scale = 1 + max(x._scale() for x in (a, b, c)) ** 3
    assert same(jacobi / scale + 1, Op.scalar(1))


def test_functions_of_time_are_told_how_they_are_given():
    atoms, chain = wf.Ensemble(4, name="atoms"), wf.Spin(count=3, name="chain")
    calls = (
        lambda: np.cos * atoms.Jx,
        lambda: atoms.Jx * math.cos,
        lambda: atoms.Jx + math.cos,
        lambda: chain.sx * math.cos,
        lambda: math.cos * chain.sx,
        lambda: wf.Jump(atoms.Jm, math.cos),
        lambda: wf.Jump(chain.sm, math.cos),
        lambda: wf.LocalJump(atoms.sp, rate=math.cos),
    )
    for call in calls:
        with pytest.raises(TypeError, match=r"`wf\.coef\(f\)`"):
            call()
