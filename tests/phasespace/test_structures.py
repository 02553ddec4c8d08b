"""Each structured coupling against its dense equivalent, trajectory by trajectory."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import wignerflow as wf
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText

from ..few import few
from ..kernels.lanes import LaneRun, by_order

LANES = 6
M = 7
TIMES = np.linspace(0, 0.6, 3)


def text_of(model):
    system, _ = wf.TWA().lower(model, {}, TIMES)
    return KernelText(system, [])


def states(text, start=None, edit=lambda s: s):
    run = LaneRun(text, Grid.make(TIMES, 0.05), LANES, edit=edit, normal_pair=by_order())
    if start is not None:
        run.v[:] = start.ravel()
    return run.run(seed=3, start=start is None)


def structure(name, rng):
    theta = np.cumsum(rng.uniform(0.1, 2, size=M))
    half = rng.normal(size=(M, M)) * (rng.uniform(size=(M, M)) < 0.3)
    return {
        "nearest": wf.NearestNeighbour(),
        "ring": wf.NearestNeighbour(periodic=True),
        "waveguide": wf.Waveguide(0.7),
        "waveguide at positions": wf.Waveguide(theta),
        "chiral waveguide": wf.Waveguide(0.7, 0.6),
        "chiral waveguide at positions": wf.Waveguide(theta, -1.0),
        "all": wf.AllToAll(),
        "sparse": sp.csr_array(half + half.T),
        "sparse, not symmetric": sp.csr_array(half),
    }[name]


NAMES = [
    "nearest",
    "ring",
    "waveguide",
    "waveguide at positions",
    "chiral waveguide",
    "chiral waveguide at positions",
    "all",
    "sparse",
    "sparse, not symmetric",
]


def dense(K):
    return K.toarray() if sp.issparse(K) else K.matrix(M)


def chain_model(K, weights, rng, left="Jp", right="Jm", kind="ensemble"):
    N = np.arange(10, 10 + M)
    if kind == "ensemble":
        chain = wf.Ensemble(N, name="chain", count=M)
    elif kind == "spin":
        chain = wf.Spin(name="chain", count=M)
        left, right = left.replace("J", "s"), right.replace("J", "s")
    else:
        chain = wf.Mode(name="chain", count=M)
        left, right = "adag", "a"
    A, B = getattr(chain, left), getattr(chain, right)
    if weights:
        A, B = rng.normal(size=M) * A, rng.normal(size=M) * B
    H = 0.05 * wf.couple(A, K, B)
    jumps = []
    state = wf.vacuum
    if kind == "ensemble":
        minus = chain.Jm
        jumps = [wf.Jump((np.exp(0.3j * np.arange(M)) * minus).sum(), 0.02)]
        jumps += [wf.LocalJump(chain.sp, 1.0)]
        H = H + 0.1 * chain.Jx.sum()
    elif kind == "mode":
        jumps = [wf.Jump(chain.a, 0.3)]
        state = wf.coherent(1 + 0.5j)
    else:
        jumps = [wf.Jump(chain.sm, 0.3)]
    if kind != "mode":
        state = wf.bloch(0.7, 0.3)
    return wf.Model(H + H.dag(), jumps, initial={chain: state})


KINDS = [(kind, weights) for kind in ("ensemble", "spin", "mode") for weights in (False, True)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("kind", "weights"), few(KINDS, [("ensemble", True), ("mode", False)]))
def test_a_structure_equals_its_dense_form(kind, name, weights):
    K = structure(name, np.random.default_rng(31))
    runs = [
        states(text_of(chain_model(k, weights, np.random.default_rng(32), kind=kind)))
        for k in (K, dense(K))
    ]
    assert np.abs(runs[0][-1] - runs[0][0]).max() > 0.1
    # a product of two sums takes away each mode's own part, a frequency, which is stepped exactly:
    # equal up to the error of a step
    atol = 2e-4 if (kind, name) == ("mode", "all") else 1e-11
    assert np.allclose(runs[0], runs[1], rtol=0, atol=atol)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("left", "right"), few([("Jz", "Jx"), ("Jx", "Jx"), ("Jy", "Jp")]))
def test_other_components_than_raising_and_lowering(left, right, name):
    K = structure(name, np.random.default_rng(33))
    runs = [
        states(text_of(chain_model(k, True, np.random.default_rng(34), left, right)))
        for k in (K, dense(K))
    ]
    assert np.allclose(runs[0], runs[1], rtol=0, atol=1e-11)


def test_a_hamiltonian_written_with_loops_equals_the_array_form():
    rng = np.random.default_rng(35)
    K = np.triu(rng.normal(size=(M, M)), 1)
    w = rng.normal(size=M)

    def model(loops):
        chain = wf.Ensemble(20, name="chain", count=M)
        if loops:
            H = sum(
                K[m, n] * chain[m].Jx * chain[n].Jz for m in range(M) for n in range(M) if K[m, n]
            ) + sum(w[m] * chain[m].Jz for m in range(M))
        else:
            H = wf.couple(chain.Jx, K, chain.Jz) + (w * chain.Jz).sum()
        return wf.Model(0.1 * H, [wf.Jump(chain.Jm.sum(), 0.05)], initial={chain: wf.bloch(1, 0)})

    assert np.allclose(*(states(text_of(model(k))) for k in (False, True)), rtol=0, atol=1e-11)


def test_uniform_couplings_reduce_to_one_large_ensemble():
    """All-to-all, one jump: the sum over the array obeys the equations of one ensemble."""
    chain = wf.Ensemble(6, name="chain", count=4)
    atoms = wf.Ensemble(24, name="atoms")

    def H(J):
        return 0.3 * J("z") * J("z") + 0.2 * J("x") + 0.1 * J("x") * J("x")

    many = wf.Model(
        H(lambda a: getattr(chain, "J" + a).sum()),
        [wf.Jump(chain.Jm.sum(), 0.1)],
        initial={chain: wf.bloch(1, 0)},
    )
    one = wf.Model(
        H(lambda a: getattr(atoms, "J" + a)),
        [wf.Jump(atoms.Jm, 0.1)],
        initial={atoms: wf.bloch(1, 0)},
    )
    big = states(text_of(many)).reshape(3, 4, 3, LANES)
    total = big.sum(axis=1)
    small = states(text_of(one), start=total[0])
    # the two differ by rounding only where steps are rotations by the same field
    assert np.allclose(total, small, rtol=0, atol=1e-11)


def test_the_wrong_sign_of_the_phase_is_seen():
    def model(phi):
        return chain_model(wf.Waveguide(phi), False, np.random.default_rng(36))

    a, b = (states(text_of(model(phi))) for phi in (0.7, -0.7))
    assert np.abs(a - b).max() > 1e-3
