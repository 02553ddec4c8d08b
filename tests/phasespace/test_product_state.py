"""Expectation values of operators in product states, against matrices."""

from __future__ import annotations

import itertools
from functools import reduce

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.phasespace.polynomials import Form, Member, Pair, Var

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], complex)


def product(factors):
    return reduce(np.kron, factors)


def collective(N):
    one = np.eye(2)
    return [
        sum(product([s if n == m else one for n in range(N)]) for m in range(N)) / 2 for s in SIGMA
    ]


def state(N, r):
    return product([(np.eye(2) + np.tensordot(r, SIGMA, 1)) / 2] * N)


def evaluate(poly, system, r):
    """A polynomial at the Bloch vectors r[block][member]."""

    def mono(m, pairs):
        return np.prod([r[b][m][c] for b, c in pairs])

    total = 0
    for (_, leaves), c in poly.terms.items():
        for leaf in leaves:
            if isinstance(leaf, (Var, Member)):
                c = c * r[leaf.block][0][leaf.comp]
            elif isinstance(leaf, Form):
                spec = system.forms[leaf.index]
                c = c * sum(w * mono(m, spec.mono) for m, w in enumerate(spec.weights))
            else:
                assert isinstance(leaf, Pair)
                spec = system.pairs[leaf.index]
                M = system.blocks[spec.left[0][0]].size
                K = spec.coupling.matrix(M)
                u = np.ones(M) if spec.u is None else spec.u
                v = np.ones(M) if spec.v is None else spec.v
                c = c * sum(
                    u[m] * K[m, n] * v[n] * mono(m, spec.left) * mono(n, spec.right)
                    for m in range(M)
                    for n in range(M)
                    if m != n
                )
        total += c
    return total


@pytest.mark.parametrize("N", [1, 2, 3, 4])
def test_words_of_any_length(N):
    rng = np.random.default_rng(N)
    r = rng.uniform(-0.5, 0.5, 3)
    atoms = wf.Ensemble(N, name="atoms")
    J, rho = collective(N), state(N, r)
    letters = (atoms.Jx, atoms.Jy, atoms.Jz)
    words = [w for n in (1, 2, 3, 4) for w in itertools.product(range(3), repeat=n)]
    ops = {str(w): reduce(lambda a, b: a * b, [letters[k] for k in w]) for w in words}
    model = wf.Model(None, [], initial={atoms: wf.bloch_vector(*r)})
    system, symbols = wf.GeneralizedP().lower(model, ops, np.array([0.0, 1.0]))
    for w in words:
        exact = np.trace(rho @ reduce(np.matmul, [J[k] for k in w]))
        assert evaluate(symbols[str(w)], system, [[r]]) == pytest.approx(exact, abs=1e-12)


def test_sums_and_couplings_over_arrays():
    rng = np.random.default_rng(0)
    N = [1, 2, 2]
    r = rng.uniform(-0.5, 0.5, (3, 3))
    chain = wf.Ensemble(np.array(N), name="chain", count=3)
    K = rng.normal(size=(3, 3))
    K = K + K.T
    u, v = rng.normal(size=(2, 3))
    ops = {
        "product": (u * chain.Jp).sum() * (v * chain.Jm).sum(),
        "couple": wf.couple(chain.Jp, K, chain.Jm),
        "squares": wf.couple(chain.Jz * chain.Jz, K, chain.Jz),
        "member": chain[1].Jz * chain[1].Jz * chain[2].Jx,
    }
    parts = [collective(n) for n in N]
    dims = [2**n for n in N]

    def embed(m, A):
        return product([A if k == m else np.eye(dims[k]) for k in range(3)])

    def sums(weights, make):
        return sum(w * embed(m, make(parts[m])) for m, w in enumerate(weights))

    def plus(J):
        return J[0] + 1j * J[1]

    def minus(J):
        return J[0] - 1j * J[1]

    def coupled(A, B):
        return sum(
            K[m, n] * embed(m, A(parts[m])) @ embed(n, B(parts[n]))
            for m in range(3)
            for n in range(3)
        )

    exact = {
        "product": sums(u, plus) @ sums(v, minus),
        "couple": coupled(plus, minus),
        "squares": coupled(lambda J: J[2] @ J[2], lambda J: J[2]),
        "member": embed(1, parts[1][2] @ parts[1][2]) @ embed(2, parts[2][0]),
    }
    rho = product([state(n, x) for n, x in zip(N, r, strict=True)])
    model = wf.Model(None, [], initial={chain: [wf.bloch_vector(*x) for x in r]})
    system, symbols = wf.GeneralizedP().lower(model, ops, np.array([0.0, 1.0]))
    for name, op in exact.items():
        got = evaluate(symbols[name], system, [r])
        assert got == pytest.approx(np.trace(rho @ op), abs=1e-12), name


def test_three_sums_over_one_array_are_refused():
    chain = wf.Ensemble(2, name="chain", count=3)
    model = wf.Model(None, [], initial={chain: wf.up})
    total = chain.Jz.sum()
    with pytest.raises(ValueError, match="three sums"):
        wf.solve(model, [0, 1], e_ops={"cube": total * total * total}, method="generalized-p")


@pytest.mark.parametrize("kind", ["ensembles", "levels"])
def test_observables_of_every_member_are_those_of_the_product_state(kind):
    """Words of one monomial add up, in arrays, too: mean field at t = 0 next to exact."""
    if kind == "ensembles":
        sub = wf.Ensemble([2, 3], name="a", count=2)
        a, b, start = sub.Jx, sub.Jz, wf.bloch(0.7, 0.3)
    else:
        sub = wf.Levels([2, 3], ["g", "e", "f"], name="a", count=2)
        a, b = sub.op("g", "e") + sub.op("e", "g"), sub.pop("e")
        start = wf.levels({"g": 0.6, "e": 0.64j, "f": 0.48})
    ops = {
        "symmetric": a * b + b * a,
        "square": b * b,
        "third": a * b * a + 0.3 * a,
        "fourth": b * a * a * b,
    }
    model = wf.Model(jumps=[wf.LocalJump(sub.sm if kind == "ensembles" else sub.one("g", "e"), 1)],
                     initial={sub: start})  # fmt: skip
    each = {"e_ops": ops, "tlist": [0.0, 0.01], "progress": False}
    found = wf.solve(model, method="mean-field", truncation=False, **each).expect
    exact = wf.solve(model, method="exact", **each).expect
    for name in ops:
        assert np.allclose(found[name][0], exact[name][0], atol=1e-9), name
    assert abs(exact["symmetric"][0] - 2 * exact["third"][0]).max() > 0.1
