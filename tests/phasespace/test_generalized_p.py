"""The generalised P-function: L[rho(r)] = a_i d_i rho + D_ij d_i d_j rho / 2, and its noise.

References are matrices in the full space of 2^N; they share no code with the library.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.model.coefficients import Coef
from wignerflow.phasespace.linear import linear_blocks
from wignerflow.phasespace.p_equations import ball_minimum, diffusion, sphere_minimum
from wignerflow.phasespace.polynomials import Aux, Member, Number, Var
from wignerflow.phasespace.system import SQUARE_ROOT

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], complex)
ONE = np.eye(2, dtype=complex)


# ---------------------------------------------------------------------------- brute force


def product(factors):
    return reduce(np.kron, factors)


def spread(N, operator):
    """The operator on each of N emitters, as matrices."""
    return [product([operator if n == m else ONE for n in range(N)]) for m in range(N)]


def qubit(r):
    return (ONE + np.tensordot(r, SIGMA, 1)) / 2


def state(N, r):
    return product([qubit(r)] * N)


def first(N, r, i):
    return sum(product([SIGMA[i] / 2 if n == m else qubit(r) for n in range(N)]) for m in range(N))


def second(N, r, i, j):
    def factor(n, m, p):
        return SIGMA[i] / 2 if n == m else SIGMA[j] / 2 if n == p else qubit(r)

    pairs = [(m, p) for m in range(N) for p in range(N) if m != p]
    zero = np.zeros((2**N, 2**N), complex)
    return sum((product([factor(n, m, p) for n in range(N)]) for m, p in pairs), zero)


def dissipator(L, rho):
    return L @ rho @ L.conj().T - (L.conj().T @ L @ rho + rho @ L.conj().T @ L) / 2


class Choice:
    """A random model: numbers from which both the library's and the matrices' model are made."""

    def __init__(self, seed, N, axial=False):
        rng = np.random.default_rng(seed)
        self.N, self.r = N, rng.normal(size=3)
        self.r *= rng.uniform(0.2, 0.95) / np.linalg.norm(self.r)
        self.B = rng.normal(size=3)
        if axial:  # the paper's model: J+, J-, Jz and sigma+, sigma-, sigma_z
            vectors = np.array([[1, 1j, 0], [1, -1j, 0], [0, 0, 1]], complex)
            self.collective = list(zip(vectors, rng.uniform(0, 1, 3), np.zeros(3), strict=True))
            self.local = [
                (v * (0.5 if k < 2 else 1), rng.uniform(0, 1), 0) for k, v in enumerate(vectors)
            ]
            return

        def channel():
            u = rng.normal(size=3) + 1j * rng.normal(size=3)
            return u, rng.uniform(0, 1), complex(*rng.normal(size=2)) * rng.integers(0, 2)

        self.collective = [channel() for _ in range(rng.integers(0, 4))]
        self.local = [channel() for _ in range(rng.integers(0, 3))]

    def model(self):
        atoms = wf.Ensemble(self.N, name="atoms")
        J, s = (atoms.Jx, atoms.Jy, atoms.Jz), (atoms.sx, atoms.sy, atoms.sz)
        H = sum((b * j for b, j in zip(self.B, J, strict=True)), 0 * atoms.Jx)
        jumps = [
            wf.Jump(sum((c * j for c, j in zip(u, J, strict=True)), 0 * J[0]) + k, rate)
            for u, rate, k in self.collective
        ]
        jumps += [
            wf.LocalJump(sum((c * x for c, x in zip(u, s, strict=True)), 0 * s[0]) + k, rate)
            for u, rate, k in self.local
        ]
        return wf.Model(H, jumps, initial={atoms: wf.bloch_vector(*self.r)}), atoms

    def lindblad(self, rho):
        N = self.N
        J = [sum(spread(N, s)) / 2 for s in SIGMA]
        H = sum(b * j for b, j in zip(self.B, J, strict=True))
        out = -1j * (H @ rho - rho @ H)
        one = np.eye(2**N)
        for u, rate, k in self.collective:
            out = out + rate * dissipator(
                sum(c * j for c, j in zip(u, J, strict=True)) + k * one, rho
            )
        for u, rate, k in self.local:
            for L in spread(N, np.tensordot(u, SIGMA, 1) + k * ONE):
                out = out + rate * dissipator(L, rho)
        return out


# ---------------------------------------------------------------------------- the library


def value(poly, r, aux=(), system=None, m=0):
    total = 0.0
    for (times, leaves), c in poly.terms.items():
        assert not times
        term = c
        for leaf in leaves:
            if isinstance(leaf, (Var, Member)):
                term = term * r[leaf.comp]
            elif isinstance(leaf, Aux):
                term = term * aux[leaf.index]
            else:
                assert isinstance(leaf, Number)
                term = term * system.numbers[leaf.index][m]
        total += term
    assert abs(np.imag(total)) < 1e-12
    return float(np.real(total))


def equations(model, r, block=0, m=0, method=None):
    """Drift, and the sum of squares of the noise columns, at r."""
    method = method or wf.GeneralizedP()
    system, _ = method.lower(model, {}, np.array([0.0, 1.0]))
    e = system.explicit[block]
    aux = []
    for root in e.roots:
        p = value(root.of, r, aux, system, m)
        if root.kind == SQUARE_ROOT:
            aux.append(np.sqrt(max(p, 0.0)))
        else:
            aux.append(1 / np.sqrt(p) if p > 0 else 0.0)
    drift = np.array([value(p, r, aux, system, m) for p in e.drift])
    columns = np.array([[value(p, r, aux, system, m) for p in column] for column in e.noise])
    return drift, columns.T @ columns if len(columns) else np.zeros((3, 3))


def matrices(model):
    S, w = linear_blocks(model)[0].matrices(None)
    return S[0], w[0]


def residue(choice, drift, D):
    """Largest element of L[rho(r)] - a_i d_i rho - D_ij d_i d_j rho / 2."""
    N, r = choice.N, choice.r
    out = choice.lindblad(state(N, r))
    for i in range(3):
        out = out - drift[i] * first(N, r, i)
        for j in range(3):
            out = out - D[i, j] / 2 * second(N, r, i, j)
    return float(np.abs(out).max())


@pytest.mark.parametrize("N", [1, 2, 3])
@pytest.mark.parametrize("seed", range(25))
def test_identity(N, seed):
    """Any H = B.J, any linear collective jumps, any one-emitter jumps: exact for every r."""
    choice = Choice(1000 * N + seed, N, axial=seed < 8)
    model, _ = choice.model()
    drift, _ = equations(model, choice.r)
    D = diffusion(*matrices(model), choice.r)
    assert residue(choice, drift, D) < 1e-12


# What the paper prints in (A3), (A4), in its own rates.
# Plain rates are K_k = 2 kappa_k/N, g_± = 2 gamma_±, g_z = gamma_z/2.


def printed_drift(choice, corrected=()):
    N, (x, y, z), (Bx, By, Bz) = choice.N, choice.r, choice.B
    kp, km, kz = (rate * N / 2 for _, rate, _ in choice.collective)
    gp, gm = (rate / 2 for _, rate, _ in choice.local[:2])
    gz = 2 * choice.local[2][1]
    f = -kp - kz + (N - 1) * z * (km - kp)
    local = -(gm + gp + gz) if "local" in corrected else gm - gp - gz
    loss = -1 if "local" in corrected else 1
    return np.array(
        [
            By * z - Bz * y + (x * f - km * x) / N + x * local,
            -Bx * z + Bz * x + (y * f - km * y) / N + y * local,
            Bx * y
            - By * x
            + (
                -2 * km
                + 2 * kp
                + km * (-(N - 1) * (x * x + y * y) - 2 * z)
                + kp * ((N - 1) * (x * x + y * y) - 2 * z)
            )
            / N
            + (
                2 * gm * (z - 1) - 2 * gp * (z + 1)
                if loss == 1
                else -2 * gm * (z + 1) + 2 * gp * (1 - z)
            ),
        ]
    )


def printed_diffusion(choice):
    (x, y, z), N = choice.r, choice.N
    kp, km, kz = (rate * N / 2 for _, rate, _ in choice.collective)
    q = x * x + y * y
    xx = 2 * (km * z * (-x * x + z + 1) + kp * z * (x * x + z - 1) + kz * y * y)
    yy = 2 * (kz * x * x + km * z * (-y * y + z + 1) + kp * z * (y * y + z - 1))
    mixed = km * (q - (z + 1) ** 2) - kp * (q - (z - 1) ** 2)
    zz = 2 * q * (km + kp + km * z - kp * z)
    xy = -2 * x * y * (kz + z * (km - kp))
    return np.array([[xx, xy, x * mixed], [xy, yy, y * mixed], [x * mixed, y * mixed, zz]]) / N


@pytest.mark.parametrize("seed", range(5))
def test_paper_with_its_slips_corrected(seed):
    choice = Choice(seed, 3, axial=True)
    model, _ = choice.model()
    drift, _ = equations(model, choice.r)
    assert np.allclose(drift, printed_drift(choice, ("local",)), atol=1e-13)
    assert np.allclose(diffusion(*matrices(model), choice.r), printed_diffusion(choice), atol=1e-13)


@pytest.mark.parametrize("seed", range(5))
def test_identity_sees_the_slips_of_print(seed):
    """Negative controls: the printed local terms, halved diffusion, reversed fields all fail."""
    choice = Choice(seed, 3, axial=True)
    model, _ = choice.model()
    drift, _ = equations(model, choice.r)
    D = diffusion(*matrices(model), choice.r)
    assert residue(choice, printed_drift(choice), D) > 1e-3
    assert residue(choice, drift, D / 2) > 1e-3
    assert residue(choice, -drift, D) > 1e-3
    S, w = matrices(model)
    assert residue(choice, drift, diffusion(S, -w, choice.r)) > 1e-3


# ---------------------------------------------------------------------------- noise


def axial_model(N, Kp, Km, Kz, initial=wf.up, local=()):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jp, Kp), wf.Jump(atoms.Jm, Km), wf.Jump(atoms.Jz, Kz)]
    jumps += [wf.LocalJump(getattr(atoms, name), rate) for name, rate in local]
    return wf.Model(0.3 * atoms.Jx, jumps, initial={atoms: initial})


def sphere_points(n, seed=5):
    v = np.random.default_rng(seed).normal(size=(n, 3))
    return v / np.linalg.norm(v, axis=1, keepdims=True)


POLES = np.array([[0, 0, 1], [0, 0, -1], [1e-9, 0, 1.0]])


@pytest.mark.parametrize(
    "rates", [(1, 0, 1), (1, 0, 0.6), (0.9, 0.1, 0.25), (0.2, 1.0, 3.0), (1, 1, 0)]
)
def test_noise_squares_to_the_diffusion_on_the_sphere(rates):
    model = axial_model(5, *rates)
    S, w = matrices(model)
    for r in [*sphere_points(20), *POLES]:
        assert np.allclose(equations(model, r)[1], diffusion(S, w, r), atol=1e-9)


def tilted_model(size, seed=2, N=4):
    """Collective jumps about no particular axis; ``size`` of the added random rotations."""
    rng = np.random.default_rng(seed)
    atoms = wf.Ensemble(N, name="atoms")
    J = (atoms.Jx, atoms.Jy, atoms.Jz)

    def vector(imaginary):
        u = rng.normal(size=3) + 1j * imaginary * rng.normal(size=3)
        return sum((c * j for c, j in zip(u, J, strict=True)), 0 * J[0])

    jumps = [wf.Jump(vector(1), 0.5)] + [wf.Jump(vector(0), size) for _ in range(3)]
    return wf.Model(atoms.Jx, jumps, initial={atoms: wf.up})


def test_noise_of_general_channels():
    model = tilted_model(8.0)
    assert wf.GeneralizedP.applies(model)
    for r in sphere_points(20):
        assert np.allclose(equations(model, r)[1], diffusion(*matrices(model), r), atol=1e-10)


def test_noise_in_the_ball():
    atoms = wf.Ensemble(4, name="atoms")
    jumps = [
        wf.Jump(atoms.Jp, 0.7),
        wf.Jump(atoms.Jm, 0.7),
        wf.Jump(atoms.Jx + 0.5 * atoms.Jz, 0.3),
    ]
    jumps.append(wf.LocalJump(atoms.sm, 0.4))
    model = wf.Model(atoms.Jx, jumps, initial={atoms: wf.bloch_vector(0.2, 0, 0.3)})
    assert wf.GeneralizedP.applies(model).region == "ball"
    for r in np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3)):
        assert np.allclose(equations(model, r)[1], diffusion(*matrices(model), r), atol=1e-12)


def test_arrays_have_their_own_numbers():
    N = np.array([2, 3, 5])
    chain = wf.Ensemble(N, name="chain", count=3)
    rates = np.array([0.1, 0.2, 0.3])
    jumps = [wf.Jump(chain.Jp, rates), wf.Jump(chain.Jz, 2 * rates), wf.Jump(chain[1].Jm, 0.05)]
    model = wf.Model((np.arange(1, 4) * chain.Jx).sum(), jumps, initial={chain: wf.up})
    for m in range(3):
        one = wf.Ensemble(int(N[m]), name="one")
        jumps = [wf.Jump(one.Jp, rates[m]), wf.Jump(one.Jz, 2 * rates[m])]
        jumps.append(wf.Jump(one.Jm, 0.05 * (m == 1)))
        alone = wf.Model((m + 1) * one.Jx, jumps, initial={one: wf.up})
        for r in sphere_points(5):
            for got, wanted in zip(equations(model, r, m=m), equations(alone, r), strict=True):
                assert np.allclose(got, wanted, atol=1e-12)


# ---------------------------------------------------------------------------- positivity


@pytest.mark.parametrize(("Kp", "Km"), [(1.0, 0.0), (0.0, 1.0), (1.0, 0.3), (0.2, 0.9)])
def test_condition_on_the_sphere_is_sharp(Kp, Km):
    edge = (np.sqrt(Kp) - np.sqrt(Km)) ** 2 / 2
    assert wf.GeneralizedP.applies(axial_model(7, Kp, Km, edge))
    inside = wf.GeneralizedP.applies(axial_model(7, Kp, Km, 1.001 * edge))
    outside = wf.GeneralizedP.applies(axial_model(7, Kp, Km, 0.999 * edge))
    assert inside and not outside
    assert outside.eigenvalue < 0 and inside.eigenvalue >= -1e-15
    worst = (np.sqrt(Kp) - np.sqrt(Km)) / (np.sqrt(Kp) + np.sqrt(Km))
    assert outside.point[2] == pytest.approx(worst, abs=0.01)
    assert "negative" in outside.reason and "sphere" in outside.reason
    # the paper's (26) is sufficient only: here it fails and the model is fine
    assert not Kp + Km <= 2 * 1.001 * edge or Kp * Km == 0


@pytest.mark.parametrize("seed", range(6))
def test_smallest_eigenvalue_is_found(seed):
    """Against eigenvalues on a fine grid, for axial and general S and w."""
    rng = np.random.default_rng(seed)
    if seed < 3:
        Kp, Km, Kz = rng.uniform(0, 1, 3)
        S, w = np.diag([Kp + Km, Kp + Km, Kz]), np.array([0, 0, Km - Kp])
    else:
        u = rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3))
        C = np.einsum("ka,kb->ab", u, u.conj())
        S, w = C.real, np.array([C.imag[1, 2], C.imag[2, 0], C.imag[0, 1]])
    point, smallest = sphere_minimum(S, w)
    assert np.linalg.norm(point) == pytest.approx(1)
    values = np.linalg.eigvalsh(diffusion(S, w, sphere_points(40_000)))
    # the middle eigenvalue is the smaller tangential one unless it is negative: take both
    tangential = np.sort(np.where(np.abs(values) < 1e-12, np.inf, values), axis=1)[:, 0]
    assert smallest <= tangential.min() + 1e-9
    assert smallest == pytest.approx(tangential.min(), abs=0.02 * np.trace(S))
    at = np.linalg.eigvalsh(diffusion(S, w, point))
    assert np.min(np.abs(at - smallest)) < 1e-7
    inside, lowest = ball_minimum(S, w)
    ball = sphere_points(20_000) * rng.uniform(0, 1, (20_000, 1)) ** (1 / 3)
    assert np.linalg.norm(inside) <= 1 + 1e-12
    grid = np.linalg.eigvalsh(diffusion(S, w, ball))[:, 0].min()
    assert lowest < 0 and lowest <= grid + 1e-3 * np.trace(S)


def test_in_the_ball_only_balanced_rates_are_positive():
    local = (("sm", 0.5),)
    assert wf.GeneralizedP.applies(axial_model(6, 0.4, 0.4, 0, local=local))
    for Kp, Kz in ((0.401, 0.0), (0.41, 5.0)):
        verdict = wf.GeneralizedP.applies(axial_model(6, Kp, 0.4, Kz, local=local))
        assert not verdict and verdict.region == "ball"
        assert 0 < np.linalg.norm(verdict.point) < 1
    # without local jumps a mixed start is inside the ball too
    assert not wf.GeneralizedP.applies(axial_model(6, 0.5, 0.4, 5, wf.bloch_vector(0, 0.1, 0.5)))
    assert wf.GeneralizedP.applies(axial_model(6, 0.5, 0.4, 5, wf.bloch(0.3, 0.1)))


def test_time_dependent_rates_are_tested_at_every_time():
    atoms = wf.Ensemble(6, name="atoms")
    pulse = wf.coef(lambda t: 0.2 + t)
    model = wf.Model(
        atoms.Jx, [wf.Jump(atoms.Jm, pulse), wf.Jump(atoms.Jz, 0.5)], initial={atoms: wf.up}
    )
    assert isinstance(pulse, Coef)
    assert not wf.GeneralizedP.applies(model)
    assert wf.GeneralizedP.applies(model, [0, 0.5])
    assert not wf.GeneralizedP.applies(model, [0, 1.5])
    with pytest.raises(ValueError, match="negative"):
        wf.solve(model, [0, 1.5], e_ops=[atoms.Jz], method="generalized-p")


def test_refusals_name_what_can():
    atoms, mode = wf.Ensemble(6, name="atoms"), wf.Mode(name="cavity")
    pair = wf.Ensemble(4, name="pair", count=2)
    models = {
        "mode": wf.Model(None, [], initial={atoms: wf.up, mode: wf.vacuum}),
        "not linear": wf.Model(atoms.Jz * atoms.Jz, [], initial={atoms: wf.up}),
        "shared by several members": wf.Model(
            None, [wf.Jump(pair.Jm.sum(), 1)], initial={pair: wf.up}
        ),
        "matrix": wf.Model(None, [wf.Jump(pair.Jm, [[1, 0.5], [0.5, 1]])], initial={pair: wf.up}),
        "negative": axial_model(6, 0.0, 1.0, 0.0),
    }
    for word, model in models.items():
        assert not wf.GeneralizedP.applies(model)
        sub = model.subsystems[0]
        op = (sub if sub.count is None else sub[0]).Jz
        with pytest.raises(ValueError, match=word) as error:
            wf.solve(model, [0, 1], e_ops={"z": op}, method="generalized-p")
        assert "twa" in str(error.value)
