"""Structure factor, coherence and correlated dissipation of arrays against sums written out."""

import warnings

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels import numpy_lanes
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText
from wignerflow.kernels.observe import Readout
from wignerflow.model.products import FourierProducts, PairProducts
from wignerflow.model.reading import read_with
from wignerflow.model.serialize import ops_to_dicts
from wignerflow.phasespace import lower
from wignerflow.phasespace.channels import MatrixChannel

M, N = 6, 12
TIMES = np.linspace(0, 0.2, 4)


@pytest.fixture(scope="module")
def runs():
    """Array observables, and correlations <A_m^+ A_n> from the same trajectories' last states."""
    rng = np.random.default_rng(5)
    chain = wf.Ensemble(N, count=M, name="chain")
    H, jumps = wf.waveguide(chain, 0.7, 1.0)
    initial = [wf.bloch(*x) for x in rng.random((M, 2)) * 2]
    model = wf.Model(H, [*jumps, wf.LocalJump(chain.sp, 3.0)], initial={chain: initial})
    momenta = np.array([-2.0, -0.3, 0.0, 0.9])
    tilted = chain.Jx + 0.5j * chain.Jz
    pairs = [(0, 3), (3, 0), (1, 1), (5, 2)]
    e_ops = {
        "S": wf.StructureFactor(chain.Jm, momenta),
        "share": wf.StructureFactor(chain.Jm, momenta, "diagonal"),
        "tilted": wf.StructureFactor(tilted, momenta),
        "z": wf.StructureFactor(chain.Jz, momenta),
        "row": wf.Coherence(chain.Jm, 2),
        "pairs": wf.Coherence(chain.Jm, pairs=pairs),
    }
    result = wf.solve(
        model, TIMES, e_ops=e_ops, ntraj=256, seed=3, dt=0.02, precision="double", progress=False,
        keep="final",
    )  # fmt: skip
    J = result.final.reshape(-1, M, 3)
    corr = {
        "minus": correlations(J, np.array([1, -1j, 0]), lambda j: j[..., 2]),
        # (Jx + i Jz/2)^+ (Jx + i Jz/2) on one site is Jx^2 + Jz^2/4 + (i/2)[Jx, Jz] = ... + Jy/2
        "tilt": correlations(J, np.array([1, 0, 0.5j]), lambda j: j[..., 1] / 2),
        "jz": correlations(J, np.array([0, 0, 1]), lambda j: 0 * j[..., 2]),
    }
    return result, corr, momenta, pairs


def correlations(J, direction, onsite):
    """Means of the symbols of A_m^+ A_n, A = direction . J, by their definition; (M, M)."""
    a = J @ direction
    out = np.einsum("km,kn->mn", a.conj(), a) / len(J)
    return out + np.diag(onsite(J).mean(axis=0))


def brute(corr, p):
    """sum_mn e^{ip(m-n)} <A_m^+ A_n>."""
    m = np.arange(M)
    return np.sum(np.exp(1j * p * (m[:, None] - m[None, :])) * corr)


@pytest.mark.parametrize(("name", "kind"), [("S", "minus"), ("tilted", "tilt"), ("z", "jz")])
def test_structure_factor_is_the_double_sum(runs, name, kind):
    result, corr, momenta, _ = runs
    for k, p in enumerate(momenta):
        expected = brute(corr[kind], p)
        assert abs(expected.imag) < 1e-10 * abs(expected)
        np.testing.assert_allclose(result.expect[name][-1, k], expected.real, rtol=1e-10)
    turned = brute(corr["minus"], -momenta[0]).real
    assert abs(turned - result.expect["S"][-1, 0]) > 1  # the sign of p can be told


def test_plain_structure_factor_has_plain_errors(runs):
    """Linear in one mean: errors and spreads as of an operator, and no batch sums kept."""
    result = runs[0]
    assert np.all(result.std["S"] > 0)
    np.testing.assert_allclose(result.sem["S"], result.std["S"] / 16, rtol=1e-6)
    assert np.all(np.isnan(result.std["share"]))


def test_normalised_structure_factor(runs):
    result, corr, _, _ = runs
    trace = np.trace(corr["minus"]).real
    np.testing.assert_allclose(result.expect["share"][-1], result.expect["S"][-1] / trace)


def test_coherence_is_the_normalised_correlation(runs):
    result, corr, _, pairs = runs
    c = corr["minus"]
    n = np.diag(c).real
    for m in range(M):
        g1 = c[2, m] / np.sqrt(n[2] * n[m])
        np.testing.assert_allclose(result.expect["row"][-1, m], g1, atol=1e-12)
    for k, (m, n_) in enumerate(pairs):
        g1 = c[m, n_] / np.sqrt(n[m] * n[n_])
        np.testing.assert_allclose(result.expect["pairs"][-1, k], g1, atol=1e-12)
    assert abs(result.expect["row"][-1, 5].imag) > 1e-4  # its sign can be told


def test_exact_and_sampled_products_agree():
    """On-site terms are exact: two members of one emitter in a mixed state, at t = 0."""
    chain = wf.Spin(count=2, name="chain")
    model = wf.Model(initial={chain: [wf.bloch_vector(0.5, 0.2, 0.3), wf.bloch(1.0, 0.4)]})
    e_ops = {"S": wf.StructureFactor(chain.sm, [0.0, 1.3])}
    exact = wf.solve(model, [0, 1e-3], e_ops=e_ops, method="exact").expect["S"][0]
    twa = wf.solve(model, [0, 1e-3], e_ops=e_ops, ntraj=40_000, seed=2, progress=False)
    assert np.all(np.abs(twa.expect["S"][0] - exact) < 4 * twa.sem["S"][0])


def kernel_source(M, momenta, reference=0):
    chain = wf.Ensemble(N, count=M, name="chain")
    H, jumps = wf.waveguide(chain, 0.7, 1.0)
    model = wf.Model(H, jumps, initial={chain: wf.up})
    ops = {
        **wf.StructureFactor(chain.Jm, momenta).inputs(),
        **wf.Coherence(chain.Jm, reference).inputs(),
    }
    system, symbols = wf.TWA().lower(model, ops, np.array([0.0, 1.0]))
    return KernelText(system, [Readout(symbols[k], k == "c") for k in ops]).plain()


def test_text_grows_neither_with_members_nor_with_momenta():
    uneven = np.linspace(0.1, 1.7, 77) ** 2
    assert kernel_source(8, [0.1, 0.2, 0.4]) == kernel_source(300, uneven, 5)
    assert kernel_source(100, np.linspace(0, 1, 50)) == kernel_source(999, np.linspace(-3, 3, 400))


@pytest.mark.parametrize("size", [1, 2, 5, 8, 13])
@pytest.mark.parametrize("grid", [(-3.1, 0.37, 17), (0.2, -0.05, 6), (1.0, 0.0, 3)])
def test_fast_transform_is_the_sum(monkeypatch, size, grid):
    """Any number of members, any regular grid, run in NumPy lanes; products with on-site terms."""
    monkeypatch.setattr(lower, "DIRECT_TRANSFORM", 0)
    start, step, count = grid
    chain = wf.Ensemble(N, count=size, name="chain")
    model = wf.Model(initial={chain: wf.bloch(1.0, 0.3)})
    products = FourierProducts(chain.Jm, start, step, count)
    system, symbols = wf.TWA().lower(model, {"S": products}, np.array([0.0, 1.0]))
    assert symbols["S"].grid == (start, step)
    text = KernelText(system, [Readout(symbols["S"], False)])
    lanes = 4
    seen = np.full((count, lanes), np.nan)

    def reduce(w, at, s, alive, c, i, k, *rest):
        if k < count:
            seen[k] = w[at : at + lanes]

    scope = numpy_lanes.load(text.plain(), lanes)
    scope |= {"reduce": reduce, "tally": lambda *arguments: None}
    J = np.random.default_rng(2).normal(size=(size, 3, lanes))
    s = np.ones(len(text.layout.scratch) * lanes)
    w = np.zeros(text.layout.wide_slots * lanes)
    p, o, _, _ = text.tables(Grid.make(np.array([0.0, 1.0]), 1.0), np.float64)
    scope["observe"](J.ravel(), s, w, p, o, 0, 0, *[None] * 6)
    a = J[:, 0] - 1j * J[:, 1]
    momenta = start + step * np.arange(count)
    F = np.exp(-1j * np.outer(momenta, np.arange(size))) @ a
    np.testing.assert_allclose(seen, np.abs(F) ** 2 + J[:, 2].sum(axis=0), atol=1e-11)


def test_plain_form_keeps_the_grid():
    chain = wf.Ensemble(N, count=3, name="chain")
    model = wf.Model(initial={chain: wf.up})
    products = wf.StructureFactor(chain.Jm, np.linspace(-1, 2, 7)).inputs()["S"]
    (plain,) = ops_to_dicts(model, [products], np.array([0.0]))
    _, (back,) = read_with(model.to_dict(), [plain])
    assert isinstance(back, FourierProducts)
    np.testing.assert_array_equal(back.left.toarray(), products.left.toarray())


def test_products_check_their_arguments():
    chain = wf.Ensemble(N, count=3, name="chain")
    with pytest.raises(ValueError, match=r"shape \(P, 3\).*\(2, 4\)"):
        PairProducts(chain.Jm, np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(1, 3\)"):
        PairProducts(chain.Jm, np.ones((2, 3)), np.ones((1, 3)))
    products = PairProducts(chain.Jm, np.ones((2, 3)))
    with pytest.raises(TypeError, match="take one of them"):
        products + products
    with pytest.raises(TypeError, match="array operator"):
        PairProducts(chain.Jm.sum(), np.ones((2, 3)))


# ---------------------------------------------------------------- correlated dissipation


def correlated(matrix, **options):
    size = len(matrix)
    chain = wf.Ensemble(N, count=size, name="chain")
    states = [wf.bloch(0.3 + 0.2 * m, 0.4 * m) for m in range(size)]
    H = (np.linspace(-1, 1, size) * chain.Jz).sum()
    jumps = [wf.Jump(chain.Jm, matrix), wf.LocalJump(chain.sp, 2.0)]
    model = wf.Model(H, jumps, initial={chain: states})
    e_ops = {"z": chain.Jz, "n": chain.Jp * chain.Jm, "g": wf.Coherence(chain.Jm, 1)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return wf.solve(
            model,
            TIMES,
            e_ops=e_ops,
            seed=4,
            dt=0.01,
            precision="double",
            progress=False,
            **options,
        )


def random_matrix(size, rank):
    rng = np.random.default_rng(8)
    a = rng.normal(size=(size, rank)) + 1j * rng.normal(size=(size, rank))
    return a @ a.conj().T / (4 * rank)


@pytest.mark.slow
def test_family_of_channels_equals_channels_written_out(monkeypatch):
    """The same means, whether a correlated channel runs in a loop or is written out.

    Trajectory by trajectory they are compared in tests/kernels/test_dense.py.
    """
    G = random_matrix(5, 3)
    methods = ("twa", "mean-field")  # in one test: they share their kernels
    written = {method: correlated(G, ntraj=128, method=method) for method in methods}
    monkeypatch.setattr(lower, "MATRIX_CHANNELS", 0)
    for method, one in written.items():
        looped = correlated(G, ntraj=128, method=method)
        other = correlated(G.T, ntraj=128, method=method)
        for name in one.expect:
            noise = 5 * (np.abs(looped.sem[name]) + np.abs(one.sem[name]))
            difference = np.abs(looped.expect[name] - one.expect[name])
            assert np.all(difference <= 1e-9 * np.abs(one.expect[name]) + 1e-10 + noise), name
        # negative control: Gamma_ij and Gamma_ji are not the same physics
        assert np.abs(other.expect["g"] - one.expect["g"]).max() > 0.01


def test_rank_above_the_limit_runs_in_a_loop():
    """Eighteen channels in one family, with the noise their matrix asks for."""
    size = lower.MATRIX_CHANNELS + 2
    G = np.eye(size) + 0.3 * (np.eye(size, k=1) + np.eye(size, k=-1))
    assert np.all(np.isfinite(correlated(G, ntraj=64).expect["z"]))
    chain = wf.Ensemble(N, count=size, name="chain")
    model = wf.Model(jumps=[wf.Jump(chain.Jm, G)], initial={chain: wf.up})
    (channel,) = lower.build(model)[0].member_channels
    assert isinstance(channel, MatrixChannel)
    np.testing.assert_allclose(channel.factor @ channel.factor.conj().T, G.T, atol=1e-12)


def test_correlated_family_against_exact(monkeypatch):
    """Within sampling error and the truncation error at N = 12, bounded by 0.4 % of N^2."""
    monkeypatch.setattr(lower, "MATRIX_CHANNELS", 0)
    G = random_matrix(2, 2) + 0.5j * np.array([[0, 1], [-1, 0]]) + 0.6 * np.eye(2)
    exact = correlated(G, method="exact")
    result, flipped = (correlated(g, ntraj=10_000) for g in (G, G.T))
    bound = 4 * result.sem["n"] + 0.004 * N**2
    assert np.all(np.abs(result.expect["n"] - exact.expect["n"]) < bound)
    right, wrong = (np.abs(r.expect["g"] - exact.expect["g"])[:, 0] for r in (result, flipped))
    limit = 4 * np.abs(result.sem["g"][:, 0]) + 0.02
    assert np.all(right < limit)
    assert np.any(wrong > limit)  # negative control: Gamma_ji


def test_mean_field_reads_couplings_of_products_in_product_states():
    array = wf.Ensemble(2, name="e", count=3)
    square = array.Jz * array.Jz
    pairs = wf.couple(square, wf.NearestNeighbour(), square)
    states = [wf.bloch(theta) for theta in (0.3, 1.2, 2.0)]
    model = wf.Model(initial={array: states})
    found, exact = (
        wf.solve(model, [0, 1], e_ops={"x": pairs}, method=method, truncation=False).expect["x"][0]
        for method in ("mean-field", "exact")
    )
    classical = sum(2 * np.cos(a) ** 2 * np.cos(b) ** 2 for a, b in ((0.3, 1.2), (1.2, 2.0)))
    assert abs(found - exact) < 1e-9 < abs(classical - exact)
