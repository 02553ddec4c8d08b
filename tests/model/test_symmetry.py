"""Symmetries of models: found where they are and nowhere else, averages keep every mean."""

from dataclasses import replace

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.model.symmetry import averaged, symmetries
from wignerflow.observables import flatten

M = 4
RNG = np.random.default_rng(4)


def kinds(model):
    return [(s.kind, s.orbits.tolist()) for s in symmetries(model)]


def waveguide(pump=2.0, first=None, initial=wf.down, extra=None, size=M):
    chain = wf.Ensemble(3, count=size, name="chain")
    H, jumps = wf.waveguide(chain, 0.7, 1.0)
    if extra is not None:
        H = H + extra(chain)
    jumps = jumps if first is None else [first(chain), jumps[1]]
    local = wf.LocalJump(chain.sp, pump)
    return wf.Model(H, [*jumps, local], initial={chain: initial}), chain


def ring(size=M, periodic=True, fields=None, loss=0.3):
    spins = wf.Spin(count=size, name="ring")
    bonds = wf.couple(spins.sz, wf.NearestNeighbour(periodic=periodic), spins.sz)
    fields = np.ones(size) if fields is None else fields
    H = 0.4 * bonds + (fields * spins.sx).sum()
    jumps = [wf.Jump(spins.sm, loss), wf.Jump(spins.sz, 0.1)]
    return wf.Model(H, jumps, initial={spins: wf.down}), spins


def cavity(weights=None):
    spins, mode = wf.Spin(count=M, name="spins"), wf.Mode(name="mode")
    weights = np.ones(M) if weights is None else weights
    light = mode.adag * (weights * spins.sm).sum()
    jumps = [wf.Jump(mode.a, 1.0), wf.Jump(spins.sp, 0.5)]
    model = wf.Model(0.6 * (light + light.dag()), jumps, initial={spins: wf.down, mode: wf.vacuum})
    return model, spins


def test_they_are_found():
    assert kinds(waveguide()[0]) == [("mirror", [0, 1, 1, 0])]
    assert kinds(ring()[0]) == [("translation", [0] * M)]
    assert kinds(ring(periodic=False)[0]) == [("mirror", [0, 1, 1, 0])]
    assert kinds(cavity()[0]) == [("permutation", [0] * M)]
    assert kinds(cavity(np.array([1.0, 2.0, 1.0, 3.0]))[0]) == [("exchange", [0, 1, 0, 2])]


def matrix(size):
    G = np.diag(np.full(size, 1.0)) + np.diag([0.3, 0.3, 0.3], 1) + np.diag([0.3, 0.3, 0.3], -1)
    return G.astype(complex)


def correlated(change):
    spins = wf.Spin(count=M, name="spins")
    G = matrix(M)
    G[0, 1] += change
    G[1, 0] += np.conj(change)
    return wf.Model(spins.sz.sum(), [wf.Jump(spins.sm, G)], initial={spins: wf.up})


def ordered(right):
    """A product of sums over one array, the other way round where ``right``."""
    spins = wf.CollectiveSpin(1, count=M, name="spins")
    w = np.array([1.0, 2.0, 2.0, 1.0])
    skew = np.array([0.1, -0.2, 0.2, -0.1])
    A, B = (w * spins.Jp).sum(), (w * spins.Jm).sum()
    H = A * B
    if (
        not right
    ):  # i [J^x, J^y] at weights that the mirror turns round, which commuting numbers hide
        C, D = (skew * spins.Jx).sum(), spins.Jy.sum()
        H = H + 1j * (C * D - D * C)
    return wf.Model(H, [], initial={spins: wf.up})


BROKEN = {
    "one jump alone": lambda: waveguide(first=lambda c: wf.Jump(c.Jm.sum(), 0.0))[0],
    "phases of one jump": lambda: waveguide(
        first=lambda c: wf.Jump((np.exp(0.8j * np.arange(M)) * c.Jm).sum(), 0.5)
    )[0],
    "phases at small weights": lambda: waveguide(
        first=lambda c: wf.Jump((1e-6 * np.exp(0.8j * np.arange(M)) * c.Jm).sum(), 0.5e12)
    )[0],
    "pump": lambda: waveguide(pump=np.array([2.0, 2.0, 2.0, 2.0 + 1e-8]))[0],
    "states": lambda: waveguide(initial=[wf.down, wf.down, wf.up, wf.down])[0],
    "H": lambda: waveguide(extra=lambda c: 1e-8 * c[0].Jz)[0],
    "fields": lambda: ring(periodic=False, fields=np.array([1.0, 2.0, 2.1, 1.0]))[0],
    "rates": lambda: ring(periodic=False, loss=np.array([0.3, 0.2, 0.3, 0.3]))[0],
    "correlations": lambda: correlated(0.05j),
    "order": lambda: ordered(False),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_mirror_that_is_broken_is_not_found(what):
    found = symmetries(BROKEN[what]())
    assert not any(s.mirror for s in found)


def test_what_breaks_nothing_does_not_matter():
    phases = np.exp(-0.7j * np.arange(M) + 0.3j)
    model, _ = waveguide(first=lambda c: wf.Jump((phases.conj() * c.Jm).sum(), 0.5))
    assert [s.kind for s in symmetries(model)] == ["mirror"]
    assert [s.kind for s in symmetries(correlated(0.0))] == ["mirror"]
    assert symmetries(ordered(True))[0].mirror


def observables(arr, a, b):
    """Operators without any symmetry of their own."""
    A, B = getattr(arr, a), getattr(arr, b)
    w, v = RNG.standard_normal((2, M))
    F = (np.exp(0.4j * np.arange(M)) * A).sum()
    return {
        "one": B[1],
        "sum": (w * B).sum(),
        "two": A[0].dag() * A[1],
        "far": B[0] * B[2],
        "square": F.dag() * F,
        "coupled": wf.couple(A.dag(), np.outer(w, v) * 1.0, A),
        "three": B[0] * B[1] * B[2],
        "array": B,
        "weighted": w * B,
        "products": wf.StructureFactor(A).inputs()["S"],
    }


def spins_at_a_waveguide():
    spins = wf.Spin(count=M, name="chain")
    phases = np.exp(0.7j * np.arange(M))
    jumps = [wf.Jump((p * spins.sm).sum(), 0.5) for p in (phases, phases.conj())]
    H = wf.couple(spins.sp, wf.Waveguide(0.7), spins.sm)
    return wf.Model(H, [*jumps, wf.Jump(spins.sp, 0.6)], initial={spins: wf.down}), spins


def test_two_equal_members_are_exchanged():
    """The mirror of two is their exchange: what treats equal members treats them."""
    for model in (waveguide(size=2)[0], ring(size=2, periodic=False)[0]):
        assert kinds(model) == [("permutation", [0, 0])]
    assert kinds(waveguide(size=2, pump=np.array([1.0, 2.0]))[0]) == []
    assert kinds(ring(size=2, periodic=False, fields=np.array([1.0, 1.1]))[0]) == []


@pytest.mark.parametrize("make", [spins_at_a_waveguide, ring, cavity])
def test_averages_have_the_means_of_the_exact_solution(make):
    model, spins = make()
    ops = observables(spins, "sm", "sz")
    names, base, _ = flatten(ops, model.subsystems)
    new, equal = averaged(base, symmetries(model))
    keys = dict(zip(names, base, strict=True))
    asked = {f"old {n}": base[k] for n, k in keys.items()}
    asked |= {f"new {n}": new[k] for n, k in keys.items()}
    exact = wf.solve(model, [0, 0.7], e_ops=asked, method="exact", progress=False).expect
    for name, key in keys.items():
        old, averages = exact[f"old {name}"][-1], exact[f"new {name}"][-1]
        assert np.abs(old - averages).max() < 1e-6 * max(1.0, np.abs(old).max())
        if key in equal:
            for label in np.unique(equal[key]):
                assert np.ptp(old[equal[key] == label].real) < 1e-6
    changed = {name for name, key in keys.items() if new[key] is not base[key]}
    assert {"one", "sum", "two", "far", "square"} <= changed and keys["array"] in equal
    assert keys["weighted"] not in equal


def test_a_wrong_symmetry_shows_in_the_means():
    """The control of the test above."""
    model, spins = ring(periodic=False, fields=np.array([1.0, 1.0, 1.0, 0.2]))
    (right,) = symmetries(ring(periodic=False)[0])
    wrong = replace(right, arrays=frozenset([spins]))
    ops = {"old": spins[0].sz, "new": wrong.average(spins[0].sz)}
    exact = wf.solve(model, [0, 0.7], e_ops=ops, method="exact", progress=False).expect
    assert abs(exact["old"][-1] - exact["new"][-1]) > 1e-2
