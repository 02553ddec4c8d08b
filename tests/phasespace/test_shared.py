"""One model in several spellings gives one answer: jumps that several single spins share."""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText
from wignerflow.phasespace.jumps import matrix_share
from wignerflow.phasespace.mean_field import MeanField

from ..kernels.lanes import LaneRun

GRID = Grid.make(np.array([0.0, 0.5, 1.0]), 0.05)


def spins(count=3):
    return wf.Spin(name="s", count=count)


def mean_of(s, jumps, method, H=None, lanes=1):
    jumps = jumps if isinstance(jumps, list) else [jumps]
    H = 0.3 * s.sx.sum() if H is None else H
    model = wf.Model(H, jumps, initial={s: wf.bloch(0.4, 0.0)})
    system, _ = method.lower(model, {}, GRID.times)
    out = LaneRun(KernelText(system, []), GRID, lanes).run(7)
    return out.reshape(3, s.size, 3, lanes)


def sums(s, U, rates):
    """Jumps sum_m U_km s_m of given rates."""
    return [wf.Jump((u * s.sm).sum(), float(r)) for u, r in zip(U, rates, strict=True)]


def unitary(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.linalg.qr(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))[0]


def spellings(s):
    n, r = s.size, 0.8
    return {
        "list": wf.Jump(s.sm, [r] * n),
        "one by one": [wf.Jump(s[m].sm, r) for m in range(n)],
        "matrix": wf.Jump(s.sm, r * np.eye(n)),
        "mixture": sums(s, unitary(n), [r] * n),
        "two halves": [wf.Jump(s.sm, r / 2), wf.Jump(s.sm, (r / 2) * np.eye(n))],
        "other units": wf.Jump(2 * s.sm, (r / 4) * np.eye(n)),
    }


@pytest.mark.parametrize("method", [MeanField(), wf.TWA(spin_form="bloch")], ids=repr)
def test_independent_decay_in_every_spelling(method):
    s, lanes = spins(), 1 if isinstance(method, MeanField) else 64
    right = mean_of(s, wf.Jump(s.sm, 0.8), method, lanes=lanes)
    for name, jumps in spellings(s).items():
        assert np.allclose(mean_of(s, jumps, method, lanes=lanes), right, atol=1e-9), name
    different = mean_of(s, wf.Jump(s.sm, 0.9), method, lanes=lanes)
    assert not np.allclose(different, right, atol=1e-3)


def correlated(s):
    n = s.size
    G = 0.5 * np.eye(n) + 0.3 * np.ones((n, n)) + 0.1j * (np.eye(n, k=1) - np.eye(n, k=-1))
    values, vectors = np.linalg.eigh(G)
    U = unitary(n, 1) @ (np.sqrt(values)[:, None] * vectors.conj().T)
    back = np.arange(n)[::-1]
    return G, {
        "sums": sums(s, vectors.conj().T, values),
        "mixture": sums(s, U, np.ones(n)),
        "reversed": sums(s, vectors.conj().T[back], values[back]),
        "split": [wf.Jump(s.sm, G / 2), wf.Jump(s.sm, G / 2)],
        "units": wf.Jump(3 * s.sm, G / 9),
    }


def test_correlated_decay_in_every_spelling_by_mean_field():
    s = spins()
    G, others = correlated(s)
    right = mean_of(s, wf.Jump(s.sm, G), MeanField())
    for name, jumps in others.items():
        assert np.allclose(mean_of(s, jumps, MeanField()), right, atol=1e-9), name
    shift = 0.4 + 0.2j  # L + c and the Hamiltonian that makes up for it
    L, rate = (np.ones(3) * s.sm).sum(), 0.3
    H = 0.3 * s.sx.sum()
    made_up = H - 0.5j * rate * (np.conj(shift) * L - shift * L.dag())
    plain = mean_of(s, wf.Jump(L, rate), MeanField(), H)
    moved = mean_of(s, wf.Jump(L + shift, rate), MeanField(), made_up)
    assert np.allclose(moved, plain, atol=1e-9)


def test_mean_field_of_a_product_state_has_the_exact_slope():
    # a product state: the drift of every mean is exact, whatever the correlations of the decay
    s = spins()
    G, _ = correlated(s)
    model = wf.Model(0.3 * s.sx.sum(), [wf.Jump(s.sm, G)], initial={s: wf.bloch(0.7, 0.3)})
    system, _ = MeanField().lower(model, {}, GRID.times)
    h = 1e-4
    grid = Grid.make(np.array([0.0, h]), h)
    first, last = LaneRun(KernelText(system, []), grid, 1).run(7).reshape(2, 3, 3)
    ops = {f"{m}{a}": getattr(s[m], f"s{a}") for m in range(3) for a in "xyz"}
    exact = wf.solve(model, [0, h], e_ops=ops, method="exact", progress=False)
    for m in range(3):
        for k, a in enumerate("xyz"):
            want = np.diff(exact.expect[f"{m}{a}"])[0] / h
            assert abs(2 * (last - first)[m, k] / h - want) < 1e-3


def test_correlated_decay_in_every_spelling_by_noise():
    # the same local steps; fields of the same covariance, from other channels
    s = spins()
    G, others = correlated(s)
    lanes = 3000
    method = wf.TWA(spin_form="bloch")
    right = mean_of(s, wf.Jump(s.sm, G), method, lanes=lanes)[-1]
    for name, jumps in others.items():
        found = mean_of(s, jumps, method, lanes=lanes)[-1]
        for f in (lambda v: v, lambda v: v[0] * v[1]):
            a, b = f(right), f(found)
            error = np.sqrt((a.var(-1) + b.var(-1)) / lanes)
            assert np.all(np.abs(a.mean(-1) - b.mean(-1)) < 4.5 * error), name


def test_what_noise_may_take_leaves_a_rest_that_is_not_negative():
    G, _ = correlated(spins())
    share = matrix_share(G)
    rest = G - share * np.diag(np.diag(G).real)
    assert abs(np.linalg.eigvalsh(rest)[0]) < 1e-12
    assert matrix_share(np.eye(3)) == pytest.approx(1.0)
    assert matrix_share(np.ones((3, 3))) == 0.0
    assert matrix_share(np.zeros((2, 2))) == 0.0


def test_sums_over_several_kinds_of_spins_are_those_over_one_array():
    """Two arrays and a spin between them, or five spins of an array; both share a decay."""
    U, lanes = unitary(5, 1) + 0.3, 4000
    one = wf.Spin(name="s", count=5)
    a, b, c = wf.Spin(name="a", count=2), wf.Spin(name="b"), wf.Spin(name="c", count=2)

    def lowering(spins, u, at=0):
        terms = []
        for spin in spins:
            part = u[at : at + spin.size]
            terms.append(part[0] * spin.sm if spin.count is None else (part * spin.sm).sum())
            at += spin.size
        return sum(terms[1:], terms[0])

    found = []
    for spins in ([one], [a, b, c]):
        jumps = [wf.Jump(lowering(spins, u), 0.2) for u in U]
        model = wf.Model(jumps=jumps, initial={spin: wf.bloch(0.4, 0.0) for spin in spins})
        system, _ = wf.TWA(spin_form="bloch").lower(model, {}, GRID.times)
        assert system.local and len(system.channels) == 4  # a share of what is each spin's own
        text = KernelText(system, [])
        run = dict(zip(text.variables, LaneRun(text, GRID, lanes).run(7)[-1], strict=True))
        found.append(np.reshape([run[name] for name in sorted(run)], (5, 3, lanes)))
    error = np.sqrt((found[0].var(-1) + found[1].var(-1)) / lanes)
    means = [v.mean(-1) for v in found]
    assert np.all(np.abs(means[0] - means[1]) < 4.5 * error)
    assert np.ptp(means[0], axis=0).max() > 10 * error.max()  # which spin is which is seen
