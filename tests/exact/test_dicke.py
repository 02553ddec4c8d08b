import numpy as np
import pytest
from scipy.special import comb

from wignerflow.exact import dicke


@pytest.mark.parametrize("N", [1, 2, 5, 40])
def test_degeneracies_fill_the_space(N):
    J = N / 2 - np.arange(N // 2 + 1)
    copies = np.exp(dicke.log_degeneracy(N, J))
    np.testing.assert_allclose(np.sum(copies * (2 * J + 1)), 2.0**N)
    want = [
        comb(N, k, exact=True) - (comb(N, k - 1, exact=True) if k else 0) for k in range(J.size)
    ]
    np.testing.assert_allclose(copies, want)


@pytest.mark.parametrize("N", [1, 2, 3, 8, 31])
@pytest.mark.parametrize("q", ["p", "m", "z"])
def test_local_jumps_conserve_probability(N, q):
    """sum_n sigma_n^+ sigma_n is collective: N/2 -+ J_z, or N."""
    J, M = dicke.quantum_numbers(N / 2, N // 2 + 1)
    total = sum(dicke.local_table(N, q, dj) ** 2 for dj in (-1, 0, 1))
    want = {"p": N / 2 - M, "m": N / 2 + M, "z": N + 0 * M}[q]
    inside = np.abs(M) <= J
    np.testing.assert_allclose(
        total[inside], np.broadcast_to(want, J.shape[:1] + M.shape[1:])[inside]
    )
    assert not total[~inside].any()


@pytest.mark.parametrize("q", ["p", "m", "z"])
@pytest.mark.parametrize("dj", [-1, 0, 1])
def test_local_jumps_are_vector_operators(q, dj):
    """[J_+, T^q] and [J_z, T^q] mix the components like a vector: signs between q are right."""
    N, J = 7, 2.5

    def tensor(name):
        out = np.zeros((round(2 * (J + dj)) + 1, round(2 * J) + 1))
        for c in range(out.shape[1]):
            M = c - J
            r = round(M + dicke.COMPONENTS[name] + J + dj)
            if 0 <= r < out.shape[0]:
                out[r, c] = dicke.local_amplitude(N, name, dj, np.array(J), np.array(M))
        return out

    def plus(length):
        m = np.arange(-length, length)
        return np.diag(np.sqrt((length - m) * (length + m + 1)), -1)

    T = {name: tensor(name) for name in "pmz"}
    commutator = plus(J + dj) @ T[q] - T[q] @ plus(J)
    want = {"p": 0 * T["p"], "z": -2 * T["p"], "m": T["z"]}[q]  # as [sigma_+, sigma^q], J_+ = sum
    np.testing.assert_allclose(commutator, want, atol=1e-12)


def test_logarithms_of_factorials_and_powers():
    for count in (10, dicke.FEW + 1):  # by either library
        n = np.arange(count)
        want = np.concatenate([[0.0], np.cumsum(np.log(n[1:]))])
        np.testing.assert_allclose(dicke.log_factorial(n), want, rtol=1e-12, atol=1e-15)
    n = np.arange(3.0)
    np.testing.assert_allclose(np.exp(dicke.log_power(0.5, n)), [1.0, 0.5, 0.25])
    assert np.exp(dicke.log_power(0.0, n)).tolist() == [1.0, 0.0, 0.0]


def test_product_states():
    for r in ([0, 0, 1], [0.6, 0, 0.8], [0.1, -0.3, 0.4], [0, 0, -0.5], [0, 0, 0]):
        parts = dicke.product_blocks(9, np.array(r, float))
        total, mean = 0.0, 0.0
        for j, rho in parts.items():
            M = np.arange(rho.shape[0]) - (4.5 - j)
            total += np.trace(rho).real
            mean += np.sum(M * np.diag(rho).real)
            np.testing.assert_allclose(rho, rho.conj().T, atol=1e-15)
            assert np.linalg.eigvalsh(rho).min() > -1e-14
        assert abs(total - 1) < 1e-12
        assert abs(mean - 4.5 * r[2]) < 1e-12


def test_large_ensembles_do_not_overflow():
    p = dicke.product_populations(3000, 0.3)
    assert np.isfinite(p).all()
    assert abs(p.sum() - 1) < 1e-9
    psi = dicke.coherent_state(5000.0, 1.0, 0.3)
    assert abs(np.linalg.norm(psi) - 1) < 1e-9


def test_rotation_turns_the_coherent_state():
    want = dicke.coherent_state(3.5, 1.1, 0.7)
    got = dicke.rotation(3.5, 1.1, 0.7)[:, -1]
    np.testing.assert_allclose(np.outer(got, got.conj()), np.outer(want, want.conj()), atol=1e-13)
