"""The free-space Green's tensor: against its definition, an angular integral and known limits."""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf

K = 2 * np.pi / 0.8
POLAR, CIRCULAR = np.array([0.3, -0.2, 1.1]), np.array([1.0, 1j, 0.4])


def unit(v):
    return np.asarray(v) / np.linalg.norm(v)


def printed(r, p, q):
    """Eqs. (52)-(55) as printed, in units of Gamma0, for unit dipoles of atoms i (p) and j (q)."""
    x, n = K * np.linalg.norm(r), unit(r)
    tensor = (x**2 + 1j * x - 1) * np.eye(3) + (3 - 3j * x - x**2) * np.outer(n, n)
    tensor = 3 * np.exp(1j * x) / (4 * x**3) * tensor
    return -p.conj() @ tensor.real @ q, 2 * p.conj() @ tensor.imag @ q


def differentiated(r, p, q):
    """The same by finite differences: G = (1 + grad grad / k^2) e^{ikr} / (4 pi r)."""

    def scalar(v):
        return np.exp(1j * K * np.linalg.norm(v)) / np.linalg.norm(v)

    h, e = 1e-3, np.eye(3)
    second = np.array(
        [
            [
                sum(s * t * scalar(r + h * (s * e[a] + t * e[b])) for s in (1, -1) for t in (1, -1))
                for b in range(3)
            ]
            for a in range(3)
        ]
    ) / (4 * h**2)
    tensor = 3 / (4 * K) * (scalar(r) * np.eye(3) + second / K**2)
    return -p.conj() @ tensor.real @ q, 2 * p.conj() @ tensor.imag @ q


def radiated(r, p, q):
    """Gamma_ij as a sum over photons: 3/(8 pi) times the integral of (p^*.e)(e^*.q) e^{ik n.r}."""
    cosines, weights = np.polynomial.legendre.leggauss(40)
    angles = 2 * np.pi * np.arange(80) / 80
    c, phi = (g.ravel() for g in np.meshgrid(cosines, angles, indexing="ij"))
    s = np.sqrt(1 - c**2)
    n = np.array([s * np.cos(phi), s * np.sin(phi), c])
    transverse = (p.conj() @ q) - (p.conj() @ n) * (n.T @ q)
    weight = np.repeat(weights, 80) * 2 * np.pi / 80
    return 3 / (8 * np.pi) * np.sum(weight * transverse * np.exp(1j * K * (n.T @ r)))


@pytest.mark.parametrize("p", [POLAR, CIRCULAR], ids=["linear", "circular"])
def test_equals_print_definition_and_photon_sum(p):
    rng = np.random.default_rng(1)
    places, p = rng.uniform(0, 1, (5, 3)), unit(p)
    J, Gamma = wf.emitters.free_space(places, 3.7 * p, 0.8)
    assert J.dtype == Gamma.dtype == float
    for i in range(5):
        for j in range(5):
            r = places[i] - places[j]
            if i != j:
                np.testing.assert_allclose((J[i, j], Gamma[i, j]), printed(r, p, p), rtol=1e-11)
                exact = differentiated(r, p, p)
                np.testing.assert_allclose((J[i, j], Gamma[i, j]), exact, rtol=1e-3, atol=1e-3)
            np.testing.assert_allclose(Gamma[i, j], radiated(r, p, p), atol=1e-12)
    assert np.all(np.diagonal(J) == 0) and np.all(np.diagonal(Gamma) == 1)


def test_different_dipoles_and_rates_give_hermitian_matrices():
    rng = np.random.default_rng(2)
    places = rng.uniform(0, 1, (4, 3))
    dipoles = rng.normal(size=(4, 3)) + 1j * rng.normal(size=(4, 3))
    rates = np.array([1.0, 2.0, 0.0, 0.5])
    J, Gamma = wf.emitters.free_space(places, dipoles, 0.8, rates)
    np.testing.assert_array_equal(J, J.conj().T)
    np.testing.assert_array_equal(Gamma, Gamma.conj().T)
    np.testing.assert_allclose(np.diagonal(Gamma), rates)
    for i, j in ((0, 1), (3, 1), (0, 2)):
        pair = printed(places[i] - places[j], unit(dipoles[i]), unit(dipoles[j]))
        np.testing.assert_allclose(
            (J[i, j], Gamma[i, j]), np.sqrt(rates[i] * rates[j]) * np.array(pair), rtol=1e-11
        )
    assert np.abs(J.imag).max() > 0.1
    exchanged = printed(places[0] - places[1], unit(dipoles[1]), unit(dipoles[0]))
    assert abs(J[0, 1] - np.sqrt(2) * exchanged[0]) > 0.1  # p^* belongs to the first index


@pytest.mark.parametrize("angle", [0.0, np.pi / 2, 0.7])
def test_limits(angle):
    """Gamma0 at r = 0, dipole-dipole near field, spherical wave far away; theta from the dipole."""
    c2 = np.cos(angle) ** 2

    def at(kr):
        places = kr / K * np.array([np.zeros(3), [np.sin(angle), 0, np.cos(angle)]])
        J, Gamma = wf.emitters.free_space(places, [0, 0, 1], 0.8, 1.7)
        return J[0, 1] / 1.7, Gamma[0, 1] / 1.7

    for kr in (1e-8, 1e-3):  # Gamma = 1 - (kr)^2 (2 - cos^2)/10 + ...; no digits lost
        J, Gamma = at(kr)
        np.testing.assert_allclose(1 - Gamma, kr**2 * (2 - c2) / 10, rtol=1e-6, atol=3e-16)
        np.testing.assert_allclose(J * kr**3, 0.75 * (1 - 3 * c2), atol=kr**2 + 1e-15)
    kr = 2e4
    wave = 1.5 * (1 - c2) * np.exp(1j * kr) / kr
    J, Gamma = at(kr)
    np.testing.assert_allclose((-2 * J, Gamma), (wave.real, wave.imag), atol=5 / kr**2)
    x = 1.3
    J, Gamma = at(x)
    if angle == 0.0:  # along the dipole: no radiation term
        np.testing.assert_allclose(Gamma, 3 * (np.sin(x) / x**3 - np.cos(x) / x**2))
        np.testing.assert_allclose(J, -1.5 * (np.cos(x) / x**3 + np.sin(x) / x**2))
    if angle == np.pi / 2:
        Gamma_t = 1.5 * (np.sin(x) / x + np.cos(x) / x**2 - np.sin(x) / x**3)
        np.testing.assert_allclose(Gamma, Gamma_t)
        J_t = -0.75 * (np.cos(x) / x - np.sin(x) / x**2 - np.cos(x) / x**3)
        np.testing.assert_allclose(J, J_t)


def test_rates_are_positive_and_jump_takes_them():
    rng = np.random.default_rng(3)
    for size, spread in ((2, 1e-9), (40, 0.1), (200, 2.0)):
        places = rng.normal(scale=spread, size=(size, 3))
        Gamma = wf.emitters.free_space(places, CIRCULAR, 0.8)[1]
        values = np.linalg.eigvalsh(Gamma)
        assert values[0] > -1e-13 * values[-1]
        atoms = wf.Spin(name="atoms", count=size)
        wf.Jump(atoms.sm, rate=Gamma)
    np.testing.assert_allclose(values.mean(), 1)
    signs = np.ones((2, 2)) - 2 * np.eye(2)
    with pytest.raises(ValueError, match="positive"):  # a matrix that is none is refused
        wf.Jump(wf.Spin(name="two", count=2).sm, rate=signs)


def test_bad_input():
    two = [[0, 0, 0], [0, 0, 1.0]]
    z = [0, 0, 1]
    for wrong, match in (
        (([0, 0, 1], z, 1.0), r"`positions` must have shape \(M, 3\)"),
        ((np.zeros((0, 3)), z, 1.0), "`positions`"),
        (([[0, 0, 0], [0, 0, 0]], z, 1.0), "`positions` must differ.*emitters 0 and 1"),
        ((two, [0, 0, 0], 1.0), "`dipole` must not be zero"),
        ((two, [[0, 0, 1]], 1.0), r"`dipole` must have shape \(3,\) or \(2, 3\)"),
        ((two, z, 0.0), "`wavelength` must be positive"),
        ((two, z, 1.0, -1.0), "`Gamma0` must be non-negative"),
        ((two, z, 1.0, [1.0]), r"`Gamma0` must be one number or have shape \(2,\)"),
    ):
        with pytest.raises(ValueError, match=match):
            wf.emitters.free_space(*wrong)
    J, Gamma = wf.emitters.free_space([[0, 0, 0]], z, 1.0, 3.0)
    assert J.tolist() == [[0.0]] and Gamma.tolist() == [[3.0]]


def sphere(count=24):
    """Directions and weights that integrate smooth functions over all directions."""
    z, w = np.polynomial.legendre.leggauss(count)
    phi = 2 * np.pi * np.arange(2 * count) / (2 * count)
    s = np.sqrt(1 - z**2)[:, None]
    n = np.stack([s * np.cos(phi), s * np.sin(phi), z[:, None] * np.ones(2 * count)], axis=-1)
    return n.reshape(-1, 3), np.repeat(w * np.pi / count, 2 * count)


@pytest.mark.parametrize("case", ["one", "each"])
def test_light_into_all_directions_is_the_decay(case):
    """The integral over directions of the far field's products is Gamma, phases included."""
    rng = np.random.default_rng(3)
    places = rng.normal(size=(4, 3)) * 0.4
    shape = (3,) if case == "one" else (4, 3)
    dipole = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    rates = [1.0, 0.5, 2.0, 1.3]
    _, Gamma = wf.emitters.free_space(places, dipole, 0.9, rates)
    total = np.zeros((4, 4), complex)
    wrong = total.copy()  # waves that arrive where they should leave
    for n, w in zip(*sphere(), strict=True):
        f = wf.emitters.far_field(places, dipole, 0.9, 2 * n, rates)
        total += w * f.conj().T @ f
        wrong += w * f.T @ f.conj()
        assert f.shape == (2, 4)
    np.testing.assert_allclose(total, Gamma, atol=1e-12)
    if case == "each":
        assert np.abs(wrong - Gamma).max() > 1e-2


def test_a_chain_with_running_phases_shines_along_them():
    """Emitters that a plane wave has made coherent send light where the wave goes."""
    k = 2 * np.pi
    places = 0.4 * np.outer(np.arange(6), [1, 0, 0])
    moments = np.exp(1j * k * places[:, 0])
    power = [
        (np.abs(wf.emitters.far_field(places, [0, 0, 1], 1.0, n) @ moments) ** 2).sum()
        for n in ([1, 0, 0], [-1, 0, 0], [0, 0, 1])
    ]
    assert power[0] == pytest.approx(36 * 3 / (8 * np.pi))
    assert power[1] < 0.1 * power[0] and power[2] < 1e-12
    for n in ([0, 0, 0], [1, 0]):
        with pytest.raises(ValueError, match="`direction` must be a direction"):
            wf.emitters.far_field(places, [0, 0, 1], 1.0, n)
