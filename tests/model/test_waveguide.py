"""Waveguides: the structured couplings, Eq. (8), and the chiral master equation as a cascade."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp

import wignerflow as wf
from wignerflow.model.couplings import Cascade, Dense, Sparse

from .matrices import Space

PHASES = np.array([0.0, 0.4, 1.7, 1.7, 5.2])


def structures(M):
    rng = np.random.default_rng(1)
    yield wf.NearestNeighbour()
    if M > 2:
        yield wf.NearestNeighbour(periodic=True)
    yield wf.AllToAll()
    for phi in (0.3, -2.0, np.sort(rng.uniform(0, 20, M))):
        yield wf.Waveguide(phi)
        yield wf.Waveguide(phi, chirality=-0.7)
        yield Cascade(phi)
        yield Cascade(phi, sign=-1)
    yield Dense(rng.normal(size=(M, M)))
    yield Sparse(sp.random_array((M, M), density=0.3, rng=rng))


@pytest.mark.parametrize("M", [1, 2, 3, 17])
def test_every_structure_agrees_with_its_dense_matrix(M):
    rng = np.random.default_rng(2)
    x, block = rng.normal(size=M), rng.normal(size=(M, 3))
    for K in structures(M):
        K.check(M)
        dense = K.matrix(M)
        assert np.all(np.diagonal(dense) == 0), K
        np.testing.assert_allclose(K.apply(x), dense @ x, atol=1e-12, err_msg=repr(K))
        np.testing.assert_allclose(K.apply(block), dense @ block, atol=1e-12, err_msg=repr(K))
        np.testing.assert_allclose(K.transpose().matrix(M), dense.T, atol=1e-15)
        np.testing.assert_allclose(K.conj().matrix(M), dense.conj(), atol=1e-15)
        parts = sum(c * part.matrix(M) for c, part in K.parts())
        np.testing.assert_allclose(parts, dense, atol=1e-15)
        for _, part in K.parts():
            assert part.real and not np.any(part.matrix(M).imag)
        assert K.symmetric == np.array_equal(dense, dense.T) or M == 1
        if isinstance(K, wf.Waveguide):
            np.testing.assert_allclose(dense, dense.conj().T, atol=1e-15)
        assert K == K and hash(K) == hash(K) and repr(K).startswith(type(K).__name__)


@pytest.mark.parametrize("K", [k for k in structures(3)], ids=lambda k: type(k).__name__)
def test_couple_with_a_structure_equals_couple_with_its_matrix(K):
    chain = wf.Ensemble([1, 2, 1], name="chain", count=3)
    space = Space(chain)
    w = np.array([1.0, 0.5 - 1j, 2j])
    for A, B in ((chain.Jp, chain.Jm), (w * chain.Jm, chain.Jz), (chain.Jx + 2, w * chain.Jy)):
        structured, dense = wf.couple(A, K, B), wf.couple(A, K.matrix(3), B)
        np.testing.assert_allclose(space.matrix(structured), space.matrix(dense), atol=1e-12)
        assert isinstance(K, wf.AllToAll) or structured == dense  # whose sums hold the diagonal


# ------------------------------------------------------------------ the master equation


def generator(space, H, jumps):
    """The adjoint Lindbladian as a function of a matrix."""
    h = space.matrix(H)
    pairs = [(space.matrix(j.op), j.rate) for j in jumps]

    def act(O):
        out = 1j * (h @ O - O @ h)
        for L, rate in pairs:
            D = L.conj().T
            out += rate * (D @ O @ L - (D @ L @ O + O @ D @ L) / 2)
        return out

    return act


def cascade(space, lowering, theta, forward, backward):
    """The textbook cascaded master equation (adjoint), written out pair by pair.

    Light of L = sum e^{i theta_m} s_m runs towards lower m, of its conjugate towards higher m: the
    source drives its target through (rate) ([s_target^+, .] s_source ...), no way back.
    """

    def act(O):
        out = np.zeros_like(O)
        for rate, sign in ((forward, 1), (backward, -1)):
            c = [np.exp(1j * sign * t) * s for t, s in zip(theta, lowering, strict=True)]
            for m in range(len(c)):
                D = c[m].conj().T
                out += rate * (D @ O @ c[m] - (D @ c[m] @ O + O @ D @ c[m]) / 2)
                sources = range(m + 1, len(c)) if sign > 0 else range(m)
                for s in sources:  # s feeds m: -[O, c_m^+] c_s + c_s^+ [O, c_m]
                    S = c[s].conj().T
                    out += rate * (S @ (O @ c[m] - c[m] @ O) - (O @ D - D @ O) @ c[s])
        return out

    return act


@pytest.mark.parametrize("phi", [0.6, PHASES[:3]], ids=["uniform", "positions"])
@pytest.mark.parametrize("rates", [(1.0, 0.0), (0.0, 1.0), (0.7, 0.2), (0.5, 0.5)])
@pytest.mark.parametrize(
    "make",
    [
        lambda: wf.Spin(name="chain", count=3),
        lambda: wf.Ensemble([1, 2, 1], name="chain", count=3),
        lambda: wf.CollectiveSpin([0.5, 0.5, 1], name="chain", count=3),
    ],
    ids=["spin", "ensemble", "collective"],
)
def test_chiral_waveguide_is_the_sum_of_two_cascades(make, rates, phi):
    chain = make()
    H, jumps = wf.waveguide(chain, phi, rate_forward=rates[0], rate_backward=rates[1])
    assert H.is_hermitian()
    space = Space(chain)
    name = "sm" if chain.kind == "spin" else "Jm"
    lowering = [space.leaf(chain, m, name) for m in range(3)]
    theta = phi * np.arange(3) if np.ndim(phi) == 0 else phi
    ours, textbook = generator(space, H, jumps), cascade(space, lowering, theta, *rates)
    O = np.random.default_rng(3).normal(size=(space.dim, space.dim)) + 0j
    np.testing.assert_allclose(ours(O), textbook(O), atol=1e-12)


def test_cascade_leaves_the_source_alone():
    chain = wf.Spin(name="chain", count=3)
    H, jumps = wf.waveguide(chain, 0.4, rate_forward=1.0, rate_backward=0.0)
    act = generator(Space(chain), H, jumps)
    rng = np.random.default_rng(4)
    upper = rng.normal(size=(4, 4))
    change = act(np.kron(np.eye(2), upper).astype(complex))  # members 1 and 2, fed by nobody below
    inner = change.reshape(2, 4, 2, 4)
    np.testing.assert_allclose(inner[0, :, 1], 0, atol=1e-12)
    np.testing.assert_allclose(inner[0, :, 0], inner[1, :, 1], atol=1e-12)
    lower = act(np.kron(upper, np.eye(2)).astype(complex)).reshape(4, 2, 4, 2)
    assert np.abs(lower[:, 0, :, 1]).max() > 0.1


def test_published_signs():
    """Two spins 1, first up and second down, phi = 0.7, Gamma t = 1."""
    chain = wf.CollectiveSpin(1, name="chain", count=2)
    H, (forward, backward) = wf.waveguide(chain, 0.7, 1.0)
    assert forward.rate == backward.rate == 0.5
    space = Space(chain)
    LF, LB, h = space.matrix(forward.op), space.matrix(backward.op), space.matrix(H)
    m = np.exp(0.7j * np.arange(2))
    np.testing.assert_allclose(LF, sum(w * space.leaf(chain, k, "Jm") for k, w in enumerate(m)))
    one = np.eye(space.dim)
    L = -1j * (np.kron(h, one) - np.kron(one, h.T))
    for jump in (LF, LB):
        number = jump.conj().T @ jump
        L += 0.5 * (
            np.kron(jump, jump.conj()) - np.kron(number, one) / 2 - np.kron(one, number.T) / 2
        )
    rho = np.zeros((space.dim, space.dim), complex)
    rho[2, 2] = 1.0  # |1, -1>
    rho = (scipy.linalg.expm(L) @ rho.ravel()).reshape(rho.shape)
    mean = lambda op: np.trace(op @ rho)  # noqa: E731
    assert mean(LF.conj().T @ LF).real == pytest.approx(1.004, abs=2e-3)
    assert mean(LB.conj().T @ LB).real == pytest.approx(0.108, abs=2e-3)
    coherence = space.leaf(chain, 0, "Jp") @ space.leaf(chain, 1, "Jm")
    assert mean(coherence).imag == pytest.approx(-0.348, abs=2e-3)


def test_modes_and_rates_per_member():
    rates = np.array([1.0, 4.0, 0.25])
    modes = wf.Mode(name="modes", count=3)
    H, (forward, _) = wf.waveguide(modes, 0.5, rates)
    expected = wf.couple(np.sqrt(rates) * modes.adag, wf.Waveguide(0.5), np.sqrt(rates) * modes.a)
    assert H == expected
    amplitude = (np.sqrt(rates) * np.exp(0.5j * np.arange(3)) * modes.a).sum()
    assert forward.op.dag() * forward.op * forward.rate == amplitude.dag() * amplitude * 0.5


def test_size_of_the_structure_does_not_matter():
    chain = wf.Ensemble(10, name="chain", count=100_000)
    H, jumps = wf.waveguide(chain, 0.1, rate_forward=1.0, rate_backward=0.2)
    assert len(H.terms) == 3
    assert H.is_hermitian()
    model = wf.Model(H, jumps, initial={chain: wf.up})
    assert "Cascade" in repr(model)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: wf.waveguide(wf.Ensemble(3, name="one"), 0.1, 1.0), "`array` must be an array"),
        (lambda c: wf.waveguide(c[0].Jm, 0.1, 1.0), "`array` must be an array of subsystems"),
        (lambda c: wf.waveguide(c, 0.1), "`rate` must be given, or both"),
        (lambda c: wf.waveguide(c, 0.1, rate_forward=1.0), "`rate` must be given, or both"),
        (lambda c: wf.waveguide(c, 0.1, 1.0, rate_forward=1.0), "`rate_forward` must be omitted"),
        (lambda c: wf.waveguide(c, 0.1, -1.0), "`rate` must be non-negative, but was -1.0"),
        (
            lambda c: wf.waveguide(c, 0.1, [1, 1, -2]),
            "non-negative for every member.*-2 for member 2",
        ),
        (lambda c: wf.waveguide(c, 0.1, [1, 1]), r"shape \(3,\).*shape \(2,\)"),
        (lambda c: wf.waveguide(c, [0.1, 0.2], 1.0), r"one phase per member, shape \(3,\).*\(2,\)"),
        (lambda c: wf.waveguide(c, [0.1, 0.3, 0.2], 1.0), "`phi` must ascend.*member 1.*member 2"),
        (lambda c: wf.waveguide(c, np.nan, 1.0), "`phi` must be finite"),
        (lambda c: wf.Waveguide(0.1, chirality=1.5), "`chirality` must lie between -1 and 1"),
        (lambda c: wf.Waveguide([[0.1]]), "`phi` must be a number or a one-dimensional"),
    ],
)
def test_bad_input(call, message):
    chain = wf.Ensemble(3, name="chain", count=3)
    with pytest.raises((ValueError, TypeError), match=message):
        call(chain)
