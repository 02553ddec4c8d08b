"""One emitter of any levels under any Lindbladian, any two spins as one cluster: exact means."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import wignerflow as wf

pytestmark = pytest.mark.slow

#: Largest deviation over times and observables, in standard errors: one in 10^4 runs is beyond.
LARGEST = 5.0
T = np.linspace(0, 2, 9)


def random(rng, d):
    return (rng.normal(size=(d, d)) + 1j * rng.normal(size=(d, d))) / np.sqrt(d)


def emitter(d, seed, fast):
    """A random Hamiltonian and two random jumps at rates up to ``fast``."""
    rng = np.random.default_rng([95, d, seed])
    atom = wf.Levels(1, d, name="atom")
    A = random(rng, d)
    psi = rng.normal(size=d) + 1j * rng.normal(size=d)
    psi /= np.linalg.norm(psi)
    jumps = [wf.Jump(atom.matrix(random(rng, d)), rate=fast * rng.uniform(0.2, 1))]
    jumps.append(wf.LocalJump(atom.one_matrix(random(rng, d)), rate=fast * rng.uniform(0.2, 1)))
    state = wf.density(np.outer(psi, psi.conj()))
    model = wf.Model(atom.matrix(A + A.conj().T), jumps, initial={atom: state})
    B = random(rng, d)
    ops = {str(k): atom.pop(str(k)) for k in range(d)} | {"B": atom.matrix(B + B.conj().T)}
    return model, ops


def pair(seed, fast):
    """Two spins: all products of Pauli matrices in H, shared jumps and one that is a product."""
    rng = np.random.default_rng([96, seed])
    pair = wf.Spin(name="pair", count=2)
    spins = [[pair[m].sx, pair[m].sy, pair[m].sz] for m in (0, 1)]
    products = [a * b for a, b in itertools.product(*spins)]
    singles = [*spins[0], *spins[1]]
    H = sum(rng.normal() * op for op in [*products, *singles])
    shared = [
        sum((rng.normal() + 1j * rng.normal()) * op for op in singles) * (1 / 3) for _ in range(2)
    ]
    jumps = [wf.Jump(L, rate=fast * rng.uniform(0.2, 1)) for L in shared]
    jumps.append(wf.Jump(pair[0].sm * pair[1].sm, rate=0.5 * fast))
    states = [wf.bloch(*rng.uniform(0.3, 2.5, 2)) for _ in range(2)]
    model = wf.Model(H, jumps, initial={pair: states})
    return model, {"zz": products[-1], "xy": products[1], "z": spins[0][2], "y": spins[1][1]}


def deviation(found, exact):
    """In standard errors, after the start."""
    return max(
        np.abs((found.expect[k] - exact.expect[k])[1:] / found.sem[k][1:]).max()
        for k in exact.expect
    )


CASES = {f"{d} levels, rates {fast}": (emitter, (d, 0, fast)) for d in (3, 4) for fast in (0.3, 10)}
CASES |= {f"two spins, rates {fast}": (pair, (0, fast)) for fast in (0.3, 5)}


@pytest.mark.parametrize("case", CASES)
def test_means_are_exact_at_any_rate(case):
    make, arguments = CASES[case]
    model, ops = make(*arguments)
    method = wf.TWA() if make is emitter else wf.ClusterTWA(size=2)
    found = wf.solve(
        model, T, e_ops=ops, method=method, ntraj=20_000, seed=3, tol=1e-4, progress=False
    )
    exact = wf.solve(model, T, e_ops=ops, method="exact", progress=False)
    assert deviation(found, exact) < LARGEST
    assert max(found.sem[k][-1] for k in ops) < 0.03
    # the control: half as much again of every rate is seen
    wrong = wf.Model(
        model.H, [type(j)(j.op, 1.5 * j.rate) for j in model.jumps],
        initial={s: list(x) if s.count else x[0] for s, x in model.initial.items()},
    )  # fmt: skip
    assert deviation(found, wf.solve(wrong, T, e_ops=ops, method="exact", progress=False)) > LARGEST
