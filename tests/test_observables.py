"""Derived observables against explicit density matrices; the way from e_ops to values."""

import itertools
import json

import numpy as np
import pytest
import scipy.linalg as la

import wignerflow as wf
from wignerflow.derived import (
    Coherence,
    CorrelationLength,
    Derived,
    Fano,
    Ratio,
    Squeezing,
    StructureFactor,
    Subradiance,
    WinelandSqueezing,
    g2,
)
from wignerflow.model.operators import ArrayOp, Op
from wignerflow.model.printing import names_of
from wignerflow.observables import (
    Plan,
    assemble,
    assemble_exact,
    batched,
    fingerprint,
    flatten,
)
from wignerflow.run.statistics import BATCHES, Samples

PAULI = {
    "x": np.array([[0, 1], [1, 0]], complex),
    "y": np.array([[0, -1j], [1j, 0]]),
    "z": np.diag([1.0 + 0j, -1]),
}
AXES = "xyz"


def kron(*parts):
    out = np.eye(1)
    for p in parts:
        out = np.kron(out, p)
    return out


def collective(N):
    """J_x, J_y, J_z of N spins 1/2 in the 2^N space."""
    return {
        a: sum(kron(np.eye(2**n), PAULI[a], np.eye(2 ** (N - 1 - n))) for n in range(N)) / 2
        for a in AXES
    }


def fixed_spin(S):
    """J_x, J_y, J_z of a spin S."""
    m = np.arange(S, -S - 1, -1)
    up = np.diag(np.sqrt(S * (S + 1) - m[1:] * (m[1:] + 1)), 1).astype(complex)
    return {"x": (up + up.T) / 2, "y": (up - up.T) / 2j, "z": np.diag(m).astype(complex)}


def boson(cutoff):
    a = np.diag(np.sqrt(np.arange(1, cutoff)), 1).astype(complex)
    return {"a": a, "d": a.T}


def matrix(op, sites):
    """The dense matrix of an operator; sites: {(subsystem, member): matrices by letter}."""
    keys = list(sites)
    eye = {k: np.eye(len(next(iter(v.values())))) for k, v in sites.items()}
    out = 0
    for c, _, factors in op.expand():
        here = dict(eye)
        for sub, m, word in factors:
            for letter in word:
                here[sub, m] = here[sub, m] @ sites[sub, m][letter]
        out = out + c * kron(*(here[k] for k in keys))
    return out


def exact(observable, sites, rho):
    """Value of a derived observable in the state rho (a matrix or a vector)."""
    if rho.ndim == 1:
        rho = np.outer(rho, rho.conj())

    def mean(op):
        value = np.trace(matrix(op, sites) @ rho)
        return value.real if op.is_hermitian() else value

    means = {}
    for name, op in observable.inputs().items():
        if isinstance(op, ArrayOp):
            means[name] = np.array([mean(op[m]) for m in range(op.size)])
        else:
            means[name] = np.array(mean(op))
    return observable.evaluate(means)


def coherent_state(theta, phi, N):
    one = np.array([np.cos(theta / 2), np.exp(1j * phi) * np.sin(theta / 2)])
    return kron(*[one] * N).ravel()


def dicke(N, ups):
    out = np.array([float(sum(bits) == N - ups) for bits in itertools.product([0, 1], repeat=N)])
    return out / np.linalg.norm(out)


def twisted(mu, N):
    J = collective(N)
    return la.expm(-0.5j * mu * J["z"] @ J["z"]) @ coherent_state(np.pi / 2, 0, N)


def rotated(psi, N, seed):
    J, n = collective(N), np.random.default_rng(seed).normal(size=3)
    return la.expm(-1j * sum(c * J[a] for c, a in zip(n, AXES, strict=True))) @ psi


SINGLET = np.array([0, 1, -1, 0]) / np.sqrt(2)
CRITERIA = ("singlet", "dicke", "planar")

# ---------------------------------------------------------------- spins


@pytest.mark.parametrize("criterion", CRITERIA)
def test_spin_coherent_states_have_squeezing_one(criterion):
    N = 4
    atoms, spin = wf.Ensemble(N), wf.CollectiveSpin(N / 2)
    for theta, phi in [(0, 0), (np.pi, 0), (0.7, -2.0), (np.pi / 2, 1.0)]:
        psi = coherent_state(theta, phi, N)
        value = exact(Squeezing(atoms, criterion), {(atoms, 0): collective(N)}, psi)
        assert value == pytest.approx(1, abs=1e-12)
        wineland = exact(WinelandSqueezing(atoms), {(atoms, 0): collective(N)}, psi)
        assert wineland == pytest.approx(1, abs=1e-12)
    top = np.eye(N + 1)[0]
    value = exact(Squeezing(spin, criterion), {(spin, 0): fixed_spin(N / 2)}, top)
    assert value == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_separable_states_are_never_squeezed_and_frames_do_not_matter(criterion):
    rng = np.random.default_rng(3)
    N = 3
    atoms = wf.Ensemble(N)
    sites, J = {(atoms, 0): collective(N)}, collective(N)
    observable = Squeezing(atoms, criterion)
    for _ in range(40):
        rho = 0
        for weight in rng.dirichlet(np.ones(3)):
            v = rng.normal(size=(N, 3))
            v *= (rng.uniform(0.5, 1, N) / np.linalg.norm(v, axis=1))[:, None]
            mixed = (
                (np.eye(2) + sum(c * PAULI[a] for c, a in zip(r, AXES, strict=True))) / 2 for r in v
            )
            rho = rho + weight * kron(*mixed)
        value = exact(observable, sites, rho)
        assert value >= 1 - 1e-12
        U = la.expm(-1j * sum(c * J[a] for c, a in zip(rng.normal(size=3), AXES, strict=True)))
        assert exact(observable, sites, U @ rho @ U.conj().T) == pytest.approx(value, abs=1e-10)


def test_entangled_states_are_found_by_their_criterion():
    N = 4
    atoms = wf.Ensemble(N)
    sites = {(atoms, 0): collective(N)}
    singlet = np.kron(SINGLET, SINGLET)
    assert exact(Squeezing(atoms), sites, singlet) == pytest.approx(0, abs=1e-12)
    assert exact(Squeezing(atoms, "planar"), sites, singlet) == pytest.approx(0, abs=1e-12)
    middle = rotated(dicke(N, 2), N, 1)
    assert exact(Squeezing(atoms, "dicke"), sites, middle) == pytest.approx(0, abs=1e-12)
    # controls: each is blind to the other's state
    assert exact(Squeezing(atoms), sites, middle) == pytest.approx(N / 2 + 1)
    assert exact(Squeezing(atoms, "dicke"), sites, singlet) == np.inf
    # sum of variances of a Dicke state: J(J+1) - M^2
    assert exact(Squeezing(atoms), sites, dicke(N, 3)) == pytest.approx((2 * 3 - 1) / 2)


@pytest.mark.parametrize("mu", [0.05, 0.4, 1.0])
def test_one_axis_twisting_is_that_of_kitagawa_and_ueda(mu):
    N = 5
    atoms = wf.Ensemble(N)
    sites = {(atoms, 0): collective(N)}
    A = 1 - np.cos(mu) ** (N - 2)
    B = 4 * np.sin(mu / 2) * np.cos(mu / 2) ** (N - 2)
    spin = 1 + (N - 1) / 4 * (A - np.hypot(A, B))
    expected = spin / np.cos(mu / 2) ** (2 * N - 2)
    for seed in range(3):
        psi = rotated(twisted(mu, N), N, seed)
        value = exact(WinelandSqueezing(atoms), sites, psi)
        assert value == pytest.approx(expected, rel=1e-10)
    value = exact(Squeezing(atoms, "dicke"), sites, psi)
    assert value < 1
    assert exact(Squeezing(atoms, "singlet"), sites, psi) > 1


def test_wineland_without_a_mean_spin_is_infinite():
    atoms = wf.Ensemble(4)
    sites = {(atoms, 0): collective(4)}
    assert exact(WinelandSqueezing(atoms), sites, np.eye(16) / 16) == np.inf
    assert np.isnan(exact(WinelandSqueezing(atoms), sites, np.kron(SINGLET, SINGLET)))


def test_subradiance():
    N = 4
    atoms = wf.Ensemble(N)
    sites = {(atoms, 0): collective(N)}
    for ups in range(1, N + 1):  # <J+J-> = (J+M)(J-M+1), <Jz + N/2> = J+M
        value = exact(Subradiance(atoms), sites, dicke(N, ups))
        assert value == pytest.approx(N - ups + 1)
    independent = kron(*[np.diag([0.3, 0.7])] * N)
    assert exact(Subradiance(atoms), sites, independent) == pytest.approx(1)
    dark = np.kron(SINGLET, SINGLET)
    assert exact(Subradiance(atoms), sites, dark) == pytest.approx(0, abs=1e-14)
    spin = wf.CollectiveSpin(1)
    value = exact(Subradiance(spin), {(spin, 0): fixed_spin(1)}, np.array([0, 1.0, 0]))
    assert value == pytest.approx(2)


def test_members_arrays_and_totals():
    N = [1, 2, 1]
    chain = wf.Ensemble(N, count=3, name="chain")
    whole = wf.Ensemble(4)
    sites = {(chain, m): collective(n) for m, n in enumerate(N)}
    psi = rotated(twisted(0.7, 4), 4, 5)
    state = np.outer(psi, psi.conj())
    for kind in (Squeezing, WinelandSqueezing, Subradiance):
        one = exact(kind(whole), {(whole, 0): collective(4)}, state)
        assert exact(kind(chain, total=True), sites, state) == pytest.approx(one, rel=1e-10)
        every = exact(kind(chain), sites, state)
        assert every.shape == (3,)
        for m in range(3):
            assert every[m] == pytest.approx(exact(kind(chain[m]), sites, state), rel=1e-10)
    spins = wf.Spin(count=4)
    single = {(spins, m): PAULI for m in range(4)}
    for criterion in CRITERIA:
        one = exact(Squeezing(whole, criterion), {(whole, 0): collective(4)}, state)
        value = exact(Squeezing(spins, criterion), single, state)
        assert value == pytest.approx(one, rel=1e-10)
    assert Squeezing(chain[1]).label == "Squeezing(chain[1])"


def test_bad_subsystems():
    with pytest.raises(TypeError, match="`sub` must be an Ensemble"):
        Squeezing(wf.Mode())
    with pytest.raises(TypeError, match="array of Spins"):
        Squeezing(wf.Spin())
    with pytest.raises(TypeError, match="array of Spins"):
        Subradiance(wf.Spin(count=3)[1])
    with pytest.raises(TypeError, match="`sub` must be"):
        Subradiance(wf.Ensemble(3).Jz)
    with pytest.raises(ValueError, match="`N` must be integer and at least 3"):
        Squeezing(wf.Ensemble(2), "planar")
    with pytest.raises(ValueError, match="Did you mean 'singlet'"):
        Squeezing(wf.Ensemble(5), "singlets")
    with pytest.raises(ValueError, match="`total` must be False"):
        Squeezing(wf.Ensemble(5), total=True)
    with pytest.raises(TypeError, match="`op` must be an operator"):
        g2(wf.Ensemble(3).sm)
    with pytest.raises(ValueError, match="`op` must be Hermitian"):
        Fano(wf.Mode().a)
    with pytest.raises(TypeError, match="`op` must be an array operator"):
        StructureFactor(wf.Ensemble(3).Jm)
    with pytest.raises(ValueError, match="as many members as A, 3"):
        Ratio(wf.Ensemble(3, count=3).Jz, wf.Ensemble(3, count=4).Jz)


# ---------------------------------------------------------------- modes


def test_g2_and_fano_of_known_light():
    cutoff = 60
    mode = wf.Mode(name="cavity")
    sites = {(mode, 0): boson(cutoff)}
    n = np.arange(cutoff)
    thermal = np.diag((1.2 / 2.2) ** n / 2.2)
    coherent = np.exp(-0.5) * np.cumprod(np.r_[1, 1 / np.sqrt(n[1:])])
    fock = np.eye(cutoff)[3]
    for state, second, fano in ((thermal, 2, 2.2), (coherent, 1, 1), (fock, 1 - 1 / 3, 0)):
        assert exact(g2(mode.a), sites, state) == pytest.approx(second, abs=1e-9)
        assert exact(Fano(mode.n), sites, state) == pytest.approx(fano, abs=1e-9)
    ratio = exact(Ratio(mode.adag * mode.n * mode.a, mode.n), sites, fock)
    assert ratio == pytest.approx(2)


def test_ratio_of_arrays_and_sums():
    chain = wf.Ensemble(2, count=3)
    emission = chain.Jp * chain.Jm
    means = {"A": np.array([[1.0, 2, 3], [2, 2, 0]]), "B": np.array([6.0, 4])}
    value = Ratio(emission, emission.sum()).evaluate(means)
    np.testing.assert_allclose(value, [[1 / 6, 1 / 3, 0.5], [0.5, 0.5, 0]])
    inverse = Ratio(emission.sum(), emission).evaluate({"A": means["B"], "B": means["A"]})
    assert np.isinf(inverse[1, 2])
    np.testing.assert_allclose(inverse[0], [6, 3, 2])


# ---------------------------------------------------------------- arrays


@pytest.fixture(scope="module")
def three_spins():
    chain = wf.Spin(count=3, name="chain")
    rng = np.random.default_rng(11)
    a = rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8))
    rho = a @ a.conj().T
    rho /= np.trace(rho)
    sites = {(chain, m): PAULI for m in range(3)}
    lower = [matrix(chain.sm[m], sites) for m in range(3)]
    corr = np.array([[np.trace(a.conj().T @ b @ rho) for b in lower] for a in lower])
    return chain, sites, rho, corr


def test_structure_factor(three_spins):
    chain, sites, rho, corr = three_spins
    p = np.array([0.3, -1.1, np.pi])
    m = np.arange(3)
    phases = np.exp(1j * p[:, None, None] * (m[:, None] - m[None, :]))
    expected = np.sum(phases * corr, (1, 2))
    assert np.abs(expected.imag).max() < 1e-12
    np.testing.assert_allclose(exact(StructureFactor(chain.sm, p), sites, rho), expected.real)
    turned = np.sum(phases.conj() * corr, (1, 2)).real
    assert np.abs(turned - expected).max() > 0.01  # the sign of p can be told
    diagonal = exact(StructureFactor(chain.sm, p, "diagonal"), sites, rho)
    np.testing.assert_allclose(diagonal, expected.real / np.trace(corr).real)
    np.testing.assert_allclose(
        exact(StructureFactor(chain.sm, p, 9), sites, rho), expected.real / 9
    )
    grid = StructureFactor(chain.sm)
    np.testing.assert_allclose(grid.axes()["momentum"], 2 * np.pi / 3 * np.array([-1, 0, 1]))
    even = StructureFactor(wf.Spin(count=4).sm).momenta / np.pi
    np.testing.assert_allclose(even, [-0.5, 0, 0.5, 1])
    # Parseval: the mean over the grid is the sum of the diagonal
    assert exact(grid, sites, rho).mean() == pytest.approx(np.trace(corr).real)


def test_structure_factor_costs_one_pair_of_sums():
    """A product of two sums stays O(M): a thousand members make no more terms than three."""
    for M in (3, 1000):
        (products,) = StructureFactor(wf.Ensemble(5, count=M).Jm, [0.4]).inputs().values()
        op = products[0]
        assert isinstance(op, Op) and len(op.terms) < 20


def test_coherence(three_spins):
    chain, sites, rho, corr = three_spins
    n = np.diag(corr).real
    g1 = corr / np.sqrt(np.outer(n, n))
    np.testing.assert_allclose(exact(Coherence(chain.sm, 1), sites, rho), g1[1], atol=1e-12)
    pairs = [(0, 2), (2, 0), (1, 1)]
    value = exact(Coherence(chain.sm, pairs=pairs), sites, rho)
    np.testing.assert_allclose(value, [g1[0, 2], g1[2, 0], 1], atol=1e-12)
    assert abs(g1[0, 2].imag) > 0.01
    assert list(Coherence(chain.sm, 1).axes()) == ["member"]
    assert list(Coherence(chain.sm, pairs=pairs).axes()) == ["pair"]
    with pytest.raises(IndexError, match="below 3, the members"):
        Coherence(chain.sm, 3)
    with pytest.raises(ValueError, match="list of pairs"):
        Coherence(chain.sm, pairs=[(0, 1, 2)])


def test_correlation_length():
    M, p0 = 400, 0.7
    chain = wf.Ensemble(2, count=M)
    observable = CorrelationLength(chain.Jm, p0)
    d = np.arange(M)
    d = np.minimum(d, M - d)
    q = 2 * np.pi / M
    for length in (3.0, 10.0, 30.0):
        G = np.exp(-d / length)
        S = {
            name: np.sum(G * np.cos(k * q * np.arange(M)))
            for name, k in (("centre", 0), ("above", 1), ("below", -1))
        }
        # exactly 1/(2 sinh(1/2 xi)) on an infinite lattice
        value = observable.evaluate(S)
        assert value == pytest.approx(1 / (2 * np.sinh(0.5 / length)), rel=0.01)
    assert observable.evaluate(dict.fromkeys(S, 2.0)) == 0
    assert np.isnan(observable.evaluate({"centre": 1.0, "above": 2.0, "below": 2.0}))


def test_correlation_length_of_an_ordered_state():
    """All spins in phase at momentum p: no decay, so S vanishes one step away."""
    M, p = 4, 2 * np.pi / 4
    chain = wf.Spin(count=M)
    sites = {(chain, m): PAULI for m in range(M)}
    one = [np.array([1, np.exp(-1j * p * m)]) / np.sqrt(2) for m in range(M)]
    psi = kron(*one).ravel()
    right = exact(CorrelationLength(chain.sm, p), sites, psi)
    wrong = exact(CorrelationLength(chain.sm, -p), sites, psi)
    assert right == pytest.approx(np.sqrt(5 - 1) / np.sqrt(2))
    assert wrong == pytest.approx(0, abs=1e-6)
    values = {k: exact(StructureFactor(chain.sm, [k]), sites, psi)[0] for k in (p, -p)}
    assert values[p] == pytest.approx((M * M + M) / 4)
    assert values[-p] == pytest.approx(M / 4)


# ---------------------------------------------------------------- e_ops


def test_flatten_shares_base_operators():
    atoms = wf.Ensemble(20, name="atoms")
    names, base, plan = flatten(
        {
            "emission": atoms.Jp * atoms.Jm,
            "again": atoms.Jp * atoms.Jm + 0.0,
            "s": Subradiance(atoms),
            "xi2": Squeezing(atoms),
            "lowering": atoms.Jm,
        }
    )
    assert names == plan.names == ["emission", "again", "s", "xi2", "lowering"]
    assert list(base) == [f"op{k}" for k in range(6)]  # J+J-, Jz, Jx, Jy, JJ, Jm
    slots, K = plan.slots, plan.channels
    assert K == 7
    span, shape, is_complex = slots["op5"]
    assert (span, shape, is_complex) == (slice(5, 7), (), True)
    assert batched(plan).tolist() == [0, 1, 2, 3, 4]


def test_layout_of_arrays():
    chain = wf.Ensemble(5, count=4)
    names, _, plan = flatten(
        {
            "z": chain.Jz,
            "m": chain.Jm,
            "w": (chain.Jm * np.arange(4)).sum(),
            "e": chain.Jp * chain.Jm,
        }
    )
    slots, K = plan.slots, plan.channels
    assert [s.span for s in slots.values()] == [
        slice(0, 4),
        slice(4, 12),
        slice(12, 14),
        slice(14, 18),
    ]
    assert K == 18 and [s.is_complex for s in slots.values()] == [False, True, True, False]
    assert batched(plan).size == 0
    assert plan.observables[0].axes == (("member", (0.0, 1.0, 2.0, 3.0)),)
    assert names == ["z", "m", "w", "e"]


def test_flatten_takes_lists():
    class Named(Derived):
        _label = "mine"

        def inputs(self):
            return {"a": atoms.Jz}

        def evaluate(self, means):
            return means["a"] ** 2

    atoms = wf.Ensemble(5, name="atoms")
    names, _, plan = flatten([Squeezing(atoms), Named()])
    assert names == ["Squeezing(atoms)", "mine"]
    out, _, _ = assemble_exact(plan, {k: np.ones(3) for k in plan.base})
    assert out["mine"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("e_ops", "kind", "message"),
    [
        ({}, ValueError, "at least one observable"),
        ([], ValueError, "at least one observable"),
        (lambda a: a.Jz, TypeError, "Wrap it: e_ops="),
        (lambda a: {"a": 3}, TypeError, r"`e_ops\['a'\]` must be an operator"),
        (lambda a: [a.Jz, "Jz"], TypeError, r"`e_ops\[1\]` must be an operator"),
        (lambda a: {"a": a.sz}, TypeError, "belong in `wf.LocalJump`"),
        (lambda a: {"a": Squeezing}, TypeError, r"wf.Squeezing\(...\)"),
        (lambda a: {1: a.Jz}, TypeError, "printable, non-empty strings"),
        (lambda a: {"": a.Jz}, TypeError, "printable, non-empty strings"),
        (lambda a: {"time": a.Jz}, ValueError, "axes of a result"),
        (lambda a: {"z": a.Jz, "z_sem": a.Jx}, ValueError, "ending '_sem'"),
        (lambda a: [Squeezing(a), Squeezing(a)], ValueError, "two named"),
        ("Jz", TypeError, "dict from names"),
        (lambda a: {"z": a.Jz * wf.coef([1, 2], [0, 1])}, ValueError, "not depend on time"),
    ],
)
def test_flatten_refuses(e_ops, kind, message):
    atoms = wf.Ensemble(5, name="atoms")
    with pytest.raises(kind, match=message):
        flatten(e_ops(atoms) if callable(e_ops) else e_ops)


def test_flatten_knows_the_model():
    a, b = wf.Ensemble(5, name="a"), wf.Ensemble(5, name="b")
    flatten({"z": a.Jz}, [a])
    with pytest.raises(ValueError, match=r"subsystems of the model .'a'.*operator of 'b'"):
        flatten({"z": Ratio(a.Jz, b.Jz)}, [a])


def test_fingerprints_name_operators_across_sessions():
    def build(order):
        made = {n: wf.Ensemble(5, name=n) for n in order}
        chain = wf.Ensemble(2, count=5, name="chain")
        w = np.exp(1j * np.arange(5))
        return [
            made["a"].Jp * made["a"].Jm,
            made["b"].Jz * 2,
            made["b"].Jz,
            (w * chain.Jm).sum(),
            (w.conj() * chain.Jm).sum(),
            chain.Jm,
            wf.couple(chain.Jp, wf.Waveguide(0.3), chain.Jm),
            wf.couple(chain.Jp, wf.Waveguide(0.4), chain.Jm),
        ]

    one, two = ([fingerprint(op, names_of(op)) for op in build(order)] for order in ("ab", "ba"))
    assert one == two
    assert len(set(one)) == len(one)


# ---------------------------------------------------------------- values


def samples_of(x, columns):
    n, times, K = x.shape
    mean = x.mean(0)
    sums = np.stack([x[b::BATCHES][:, :, columns].sum(0) for b in range(BATCHES)], 1)
    count = np.array([len(x[b::BATCHES]) for b in range(BATCHES)])
    s = Samples.empty(times, K, columns)
    return s.absorb(
        np.full((1, times), n),
        mean[None],
        ((x - mean) ** 2).sum(0)[None],
        sums[None],
        np.broadcast_to(count, (1, times, BATCHES)),
    )


def test_assemble():
    rng = np.random.default_rng(5)
    chain = wf.Ensemble(4, count=3, name="chain")
    e_ops = {
        "z": chain.Jz,
        "m": chain.Jm,
        "total": chain.Jz.sum(),
        "share": Ratio(chain.Jz, chain.Jz.sum()),
        "g1": Coherence(chain.Jm, 0),
    }
    names, _, plan = flatten(e_ops)
    K = plan.channels
    n, times = 640, 5
    x = rng.normal(size=(n, times, K)) + 3
    columns = batched(plan)
    expect, sem, std = assemble(plan, samples_of(x, columns))
    assert list(expect) == list(sem) == list(std) == names
    np.testing.assert_allclose(expect["z"], x[..., :3].mean(0))
    np.testing.assert_allclose(expect["m"], x[..., 3:6].mean(0) + 1j * x[..., 6:9].mean(0))
    error = x.std(0, ddof=1) / np.sqrt(n)
    np.testing.assert_allclose(sem["m"], error[..., 3:6] + 1j * error[..., 6:9])
    np.testing.assert_allclose(std["total"], x[..., 9].std(0, ddof=1))
    assert expect["share"].shape == sem["share"].shape == (times, 3)
    np.testing.assert_allclose(expect["share"], x[..., :3].mean(0) / x[..., 9].mean(0)[:, None])
    rough = np.hypot(error[..., :3] / 3, error[..., 9:10] / 3)
    np.testing.assert_allclose(sem["share"], rough, rtol=0.5)
    assert np.isnan(std["share"]).all()
    assert expect["g1"].dtype == complex and expect["g1"].shape == (times, 3)

    # the plain form of the plan gives the same bits, with no operators at hand
    again = Plan.from_dict(json.loads(json.dumps(plan.to_dict())))
    assert again.to_dict() == plan.to_dict()
    for mine, theirs in zip(
        assemble(again, samples_of(x, columns)), (expect, sem, std), strict=True
    ):
        for name in names:
            np.testing.assert_array_equal(mine[name], theirs[name])
    with pytest.raises(ValueError, match="read from a file"):
        again.observables[3].rule.inputs()


def test_assemble_exact():
    atoms = wf.Ensemble(4, name="atoms")
    _, base, plan = flatten({"z": atoms.Jz, "m": atoms.Jm, "s": Subradiance(atoms)})
    values = {k: np.array([1 + 1e-17j, 2]) for k in base}
    expect, sem, std = assemble_exact(plan, values)
    assert expect["z"].dtype == float and expect["m"].dtype == complex
    np.testing.assert_allclose(expect["s"], [1 / 3, 2 / 4])
    assert all((v == 0).all() for d in (sem, std) for v in d.values())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d["observables"][0].update(rule="os.system"),
        lambda d: d["observables"][0].update(parameters={"N": -3}),
        lambda d: d["observables"][0].update(parameters={"N": 4, "criterion": "singlet", "x": 1}),
        lambda d: d["observables"][0]["inputs"].update(x="op77"),
        lambda d: d["observables"][1].update(inputs={}),
        lambda d: d["observables"][1].update(name="time"),
        lambda d: d["observables"][1].update(name="xi"),
        lambda d: d["base"]["op0"].update(shape=[-1]),
        lambda d: d["base"]["op0"].update(shape=[2, 2]),
        lambda d: d["base"]["op0"].update(complex="yes"),
        lambda d: d.pop("base"),
    ],
)
def test_plain_plans_are_checked(spoil):
    atoms = wf.Ensemble(4, name="atoms")
    data = flatten({"xi": Squeezing(atoms), "z": atoms.Jz})[2].to_dict()
    Plan.from_dict(data)
    spoil(data)
    with pytest.raises((ValueError, TypeError, KeyError)):
        Plan.from_dict(data)


@pytest.mark.parametrize("kind", ["singlet", "dicke", "planar", "wineland"])
def test_eigenvalues_are_not_pulled_apart_by_sampling(kind):
    """The mean over many runs is within a quarter of one run's error of the right value."""
    N, ntraj, repeats = 40, 256, 200
    atoms = wf.Ensemble(N, name="atoms")
    rule = wf.WinelandSqueezing(atoms) if kind == "wineland" else Squeezing(atoms, kind)
    _, _, plan = flatten({"xi2": rule})
    mean, width = np.array([3.0, 2.0, 14.0]), np.array([1.0, 2.2, 3.1])

    def moments(J):
        first = dict(zip("xyz", np.moveaxis(J, -1, 0), strict=True))
        both = {a + b: first[a] * first[b] for a in "xyz" for b in "xyz" if a <= b}
        return first | both | {"JJ": (J * J).sum(axis=-1)}

    rng = np.random.default_rng(5)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    covariance = rotation @ np.diag(width**2) @ rotation.T
    want = covariance + np.outer(mean, mean)
    exact_means = dict(zip("xyz", mean, strict=True)) | {"JJ": np.trace(want)}
    exact_means |= {a + b: want["xyz".index(a), "xyz".index(b)] for a in "xyz" for b in "xyz"}
    right = float(rule.evaluate({k: np.asarray(v) for k, v in exact_means.items()}))
    slots, found, plain, errors = plan.slots, [], [], []
    inputs = {n: slots[k] for n, k in plan.observables[0].inputs.items()}
    for _ in range(repeats):
        values = moments(mean + (rng.normal(size=(ntraj, 3)) * width) @ rotation.T)
        channels = np.zeros((ntraj, 1, plan.channels))
        for name, slot in inputs.items():
            channels[:, 0, slot.span] = values[name][:, None]
        samples = Samples.of_runs(channels, np.arange(plan.channels))
        expect, sem, _ = assemble(plan, samples)
        found.append(expect["xi2"][0])
        errors.append(sem["xi2"][0])
        plain.append(samples.jackknife(rule.evaluate, inputs).value[0])
    sem = np.mean(errors)
    assert abs(np.mean(found) - right) < 0.25 * sem
    assert np.std(found) == pytest.approx(sem, rel=0.2)
    # negative control: without the correction the smallest eigenvalue is too small
    assert np.mean(plain) < np.mean(found) - 0.02 * sem


# ---------------------------------------------------------------- emitters with levels


def twisting(s, x, y, z, start):
    """One-axis twisting about x of spins that point along z, with a little loss of all."""
    H = x * x * (0.1 + 0j)
    return wf.Model(H, [wf.Jump(x - 1j * y, 0.01)], initial={s: start})


def test_spins_of_length_one_half_by_levels_squeeze_like_an_ensemble():
    N, t = 6, np.linspace(0, 2, 5)
    two, same = wf.Ensemble(N, name="s"), wf.Levels.spin(1 / 2, N, name="s")
    found = []
    for s, J, start in (
        (two, (two.Jx, two.Jy, two.Jz), wf.up),
        (same, (same.Sx, same.Sy, same.Sz), wf.level("+1/2")),
    ):
        ops = {"t": wf.Squeezing(s), "d": wf.Squeezing(s, "dicke"), "w": wf.WinelandSqueezing(s)}
        found.append(wf.solve(twisting(s, *J, start), t, e_ops=ops, method="exact").expect)
    for name in ("t", "d", "w"):
        assert np.allclose(found[0][name], found[1][name], rtol=0, atol=1e-6)
    assert found[0]["w"].min() < 0.7


def test_coherent_states_of_larger_spins_have_exactly_one():
    for F in (3 / 2, 1):
        s = wf.Levels.spin(F, 3, name="s")
        top = s.labels[-1]
        ops = {"t": wf.Squeezing(s), "w": wf.WinelandSqueezing(s)}
        model = twisting(s, s.Sx, s.Sy, s.Sz, wf.level(top))
        found = wf.solve(model, [0, 0.8], e_ops=ops, method="exact").expect
        assert found["t"][0] == pytest.approx(1, abs=1e-9)
        assert found["w"][0] == pytest.approx(1, abs=1e-9) and found["w"][1] < 0.9
    run = wf.solve(model, [0, 0.8], e_ops=ops, ntraj=2000, seed=2, progress=False)
    for name in ops:
        assert abs(run.expect[name][0] - 1) < 4 * run.sem[name][0] + 0.01


def test_levels_that_are_no_spins_are_refused():
    atoms, one = wf.Levels(5, ["g", "e"], name="atoms"), wf.Levels.spin(1, 5, name="one")
    with pytest.raises(TypeError, match=r"Levels\.spin\(F, N\).*wf\.function"):
        wf.Squeezing(atoms)
    for make in (lambda: wf.Squeezing(one, "dicke"), lambda: wf.Subradiance(one)):
        with pytest.raises(TypeError, match="made of spins 1/2"):
            make()
