"""The rotor form: its symbols against exact amplitudes, its printed step against Eq. (6), the exact
Lindbladian and the Bloch form, and the superradiant laser against exact populations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import ks_2samp

import wignerflow as wf
from wignerflow.kernels import numpy_lanes
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText
from wignerflow.phasespace.ensemble import bloch_generator

from ..few import few
from .rotor_symbols import local_symbols

POINTS = 8

JUMPS = {
    "decay": lambda a: a.sm,
    "pump": lambda a: a.sp,
    "dephasing": lambda a: a.sz,
    "tilted": lambda a: (0.3 + 0.2j) * a.sm + 0.5 * a.sz + 0.4j * a.sx,
    "with a constant": lambda a: a.sm + 0.4j * a.sz + (0.7 - 0.3j),
}


def points(N, seed=5, low=0.3):
    """J at lengths from ``low`` to 0.9 of N/2, and n perpendicular to it; shapes (3, POINTS)."""
    rng = np.random.default_rng(seed)
    d = rng.normal(size=(3, POINTS))
    d /= np.linalg.norm(d, axis=0)
    n = np.cross(d, rng.normal(size=(3, POINTS)), axis=0)
    return d * N / 2 * np.linspace(low, 0.9, POINTS), n / np.linalg.norm(n, axis=0)


def printed_generator(N, jump, corrected, J, n, edit=lambda source: source):
    """Itô drift of J and n (6, P) and diffusion (6, 6, P) of the printed local step, rate one."""
    atoms = wf.Ensemble(N, name="a")
    model = wf.Model(jumps=[wf.LocalJump(JUMPS[jump](atoms), 1.0)], initial={atoms: wf.up})
    method = wf.TWA(form="rotor", corrected=corrected)
    text = KernelText(method.lower(model, {}, np.array([0.0, 1.0]))[0], [])
    # +- sqrt(6) along the six axes: the moments of normal noise to third order
    nodes = np.sqrt(6) * np.concatenate([np.eye(6), -np.eye(6)])
    lanes = len(nodes) * J.shape[1]
    source = text.plain()
    assert edit(source) != source or edit("x") == "x"

    def changes(h):
        asked: dict[int, int] = {}

        def normal_pair(k0, k1, t, pair):
            first = asked.setdefault(int(pair), 2 * len(asked))
            return tuple(np.repeat(nodes[:, first + i], J.shape[1]) for i in range(2))

        scope = numpy_lanes.load(edit(source), lanes)
        scope["normal_pair"] = normal_pair
        p, o, _, rows = text.tables(Grid.make(np.array([0.0, 2 * h]), 2 * h), np.float64)
        start = np.concatenate([J, n])
        v = np.tile(start[:, None], (1, len(nodes), 1)).ravel()
        s = np.zeros(len(text.layout.scratch) * lanes)
        scope["local"](v, s, np.zeros(lanes), p, o, rows[0], np.zeros(3, np.uint32), 0)
        d = v.reshape(6, len(nodes), -1) - start[:, None]
        return np.array([*(d.mean(1) / h), *((d[:, None] * d).mean(2) / h).reshape(36, -1)])

    table = [changes(1e-5 / 2**k) for k in range(3)]
    for k in (1, 2):
        table = [b + (b - a) / (2**k - 1) for a, b in itertools.pairwise(table)]
    return table[0][:6], table[0][6:].reshape(6, 6, -1)


def exact_generator(N, jump, J):
    """Drift (3, P) and diffusion (3, 3, P) with the exact first and second moments."""
    lam, c = bloch_generator(JUMPS[jump](wf.Ensemble(N, name="a")).matrix())
    cJ = c[:, None, None] * J
    D = N / 4 * (lam + lam.T)[:, :, None] - (cJ + cJ.transpose(1, 0, 2)) / 2
    return -lam @ J + N / 2 * c[:, None], D, lam


# ---------------------------------------------------------------------------- symbols


def exact_amplitudes(N, J, M):
    """Squared amplitudes of the jump sigma^+ from |J, M> to J - 1, J, J + 1."""
    lower = (N / 2 + J + 1) / (2 * J * (2 * J + 1)) * (J - M) * (J - M - 1)
    same = (N / 2 + 1) / (2 * J * (J + 1)) * (J - M) * (J + M + 1)
    upper = (N / 2 - J) / (2 * (J + 1) * (2 * J + 1)) * (J + M + 1) * (J + M + 2)
    return np.array([lower, same, upper])


def symbol_error(N, corrected, q=1):
    """Largest relative difference of |l|^2 from the exact amplitude, at the mid-point of a jump."""
    J = np.round(0.35 * N)
    M = np.round(np.array([-0.4, 0.1, 0.4]) * J)
    worst = 0.0
    for row, (j, exact) in enumerate(zip((-1, 0, 1), exact_amplitudes(N, J, M), strict=True)):
        L, z = J + 0.5 + j / 2, M + 0.5
        s = np.sqrt(L**2 - z**2)
        vector = np.array([s, 0 * s, z])
        n = np.array([-z, 0 * s, s]) / L
        l = local_symbols(vector, n, N, np.array([1, 1j * q, 0]), corrected)[row]
        worst = max(worst, float(np.max(np.abs(np.abs(l) ** 2 / exact - 1))))
    return worst


def test_symbols_agree_with_exact_amplitudes():
    for N in (40, 80, 160, 320):
        assert symbol_error(N, True) < 20 / N**2
        assert 0.5 / N < symbol_error(N, False) < 4 / N
        assert symbol_error(N, True, q=-1) > 0.3  # negative control: the other ladder


# ---------------------------------------------------------------------------- Eq. (6)


def bracket_equations(N, u, corrected):
    """Stratonovich drift and noise columns of Eq. (6), brackets by differences of the symbols."""

    def symbols(v):
        return local_symbols(v[:3], v[3:], N, u, corrected)

    def columns(v):
        gradient = []
        for c in range(6):
            h = 1e-4 * (np.abs(v).max() if c < 3 else 1)
            d = np.zeros((6, 1))
            d[c] = h
            far = (symbols(v + 2 * d) - symbols(v - 2 * d)) / (4 * h)
            gradient.append((4 * (symbols(v + d) - symbols(v - d)) / (2 * h) - far) / 3)
        gJ, gn = np.array(gradient[:3]), np.array(gradient[3:])  # (3, channel, P)
        J, n = v[:3, None], v[3:, None]
        dJ = np.cross(gJ, J, axis=0) + np.cross(gn, n, axis=0)
        return np.concatenate([dJ, np.cross(gJ, np.broadcast_to(n, gJ.shape), axis=0)])

    def drift(v):
        return np.real(columns(v) * 1j * np.conj(symbols(v))).sum(axis=1)

    def noise(v):
        b = columns(v)
        return np.concatenate([b.real, -b.imag], axis=1)

    return drift, noise


def ito(drift, noise, v):
    """Itô drift and diffusion of Stratonovich equations, the correction by differences."""
    b = noise(v)
    out = drift(v)
    for k in range(b.shape[1]):
        h = 1e-3
        change = noise(v + h * b[:, k]) - noise(v - h * b[:, k])
        out = out + change[:, k] / (4 * h)
    return out, np.einsum("ikp,jkp->ijp", b, b)


@pytest.mark.parametrize("corrected", [True, False])
@pytest.mark.parametrize("jump", ["pump", "tilted"])
def test_printed_step_is_equation_6(jump, corrected):
    N = 30
    J, n = points(N)
    u = 2 * JUMPS[jump](wf.Ensemble(N, name="a")).c[1:]
    drift, diffusion = ito(*bracket_equations(N, u, corrected), np.concatenate([J, n]))
    found, spread = printed_generator(N, jump, corrected, J, n)
    assert np.abs(found[:3] - drift[:3]).max() < 1e-4 * np.abs(drift[:3]).max()
    assert np.abs(found[3:] - drift[3:]).max() < 1e-4 * np.abs(drift[3:]).max()
    assert np.abs(spread - diffusion).max() < 1e-5 * np.abs(diffusion).max()
    assert np.abs(spread[3:, 3:] - diffusion[3:, 3:]).max() < 1e-4 * np.abs(diffusion[3:, 3:]).max()
    other, _ = ito(*bracket_equations(N, u.conj() if jump == "pump" else -1j * u.conj(), corrected),
                   np.concatenate([J, n]))  # fmt: skip
    assert np.abs(found - other).max() > 0.1 * np.abs(drift).max()  # negative control


# ---------------------------------------------------------------------------- exact Lindbladian


@pytest.mark.parametrize("jump", JUMPS)
def test_moments_change_as_in_the_lindblad_equation_to_the_order_stated(jump):
    corrected, leading = [], []
    for N in (20, 80, 320):
        J, n = points(N)
        drift, D, lam = exact_generator(N, jump, J)
        size = np.abs(lam).max()
        # leading symbols: the diffusion of N + 2 emitters, the drift up to O(1)
        found, spread = printed_generator(N, jump, False, J, n)
        shift = (lam + lam.T)[:, :, None] / 2
        assert np.abs(spread[:3, :3] - D - shift).max() < 1e-5 * np.abs(D).max()
        leading.append(np.abs(found[:3] - drift).max())
        # corrected: the drift up to O(1/L), the diffusion up to O(1)
        found, spread = printed_generator(N, jump, True, J, n)
        corrected.append(np.abs(found[:3] - drift).max() * N)
        assert np.abs(spread[:3, :3] - D).max() < 2.5 * size
    assert max(corrected) < 6 * size
    assert 0.2 * size < min(leading) < max(leading) < 3 * size


@pytest.mark.parametrize("change", [("ap", "am"), ("F(-1) * apa", "apa"), ("F(0.5)", "F(0.4)")])
def test_spoiled_steps_do_not_change_as_in_the_lindblad_equation(change):
    J, n = points(80)
    drift, _, lam = exact_generator(80, "pump", J)
    found, _ = printed_generator(80, "pump", True, J, n, lambda source: source.replace(*change))
    assert np.abs(found[:3] - drift).max() * 80 > 6 * np.abs(lam).max()


# ---------------------------------------------------------------------------- whole runs


def laser(N, pump=0.25):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, pump * N)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.up})
    return model, {"emission": atoms.Jp * atoms.Jm / N**2, "inversion": atoms.Jz / N}


def final(N, method, ntraj=20_000, seed=3, **options):
    model, e_ops = laser(N, **options)
    t = np.array([0.0, 3 / N])
    return wf.solve(
        model, t, e_ops=e_ops, method=method, ntraj=ntraj, seed=seed, dt=0.03 / N, keep="final"
    )


@pytest.mark.filterwarnings("ignore:Up to:UserWarning")
@pytest.mark.slow
def test_distribution_is_that_of_the_bloch_form_up_to_1_over_N():
    """Kolmogorov distance of J_z and J_x^2 + J_y^2 just after the burst."""
    distance = {}
    for N in (10, 160):
        bloch = final(N, wf.TWA(), seed=4).final
        for corrected in (True, False):
            rotor = final(N, wf.TWA(form="rotor", corrected=corrected)).final
            both = [(v[:, 2], v[:, 0] ** 2 + v[:, 1] ** 2) for v in (rotor, bloch)]
            distance[N, corrected] = max(
                ks_2samp(a, b).statistic for a, b in zip(*both, strict=True)
            )
    noise = 1.95 * np.sqrt(2 / 20_000)  # exceeded in one of a thousand pairs of equal distributions
    for corrected in (True, False):
        assert distance[160, corrected] < 0.6 / 160 + noise
        assert distance[10, corrected] > distance[160, corrected]
    # negative control: the pump at 1.3 times its rate
    other = final(160, wf.TWA(), seed=4, pump=0.325)
    assert ks_2samp(other.final[:, 2], bloch[:, 2]).statistic > 0.6 / 160 + noise


@pytest.mark.filterwarnings("ignore:Up to:UserWarning")
@pytest.mark.parametrize("corrected", few([True, False]))
def test_vectors_stay_perpendicular(corrected):
    result = final(10, wf.TWA(form="rotor", corrected=corrected), ntraj=2000)
    J, n = result.final[:, :3], result.final[:, 3:]
    assert result.variables[3:] == ("atoms.nx", "atoms.ny", "atoms.nz")
    assert np.abs((n**2).sum(axis=1) - 1).max() < 1e-5
    assert np.abs((J * n).sum(axis=1)).max() < 1e-4
    assert result.stats["failed"] == 0


@pytest.mark.filterwarnings("ignore:Up to:UserWarning")
def test_superradiant_laser_within_its_bound():
    model, e_ops = laser(10)
    t = np.linspace(0, 2, 41)
    exact = wf.solve(model, t, e_ops=e_ops, method="exact")
    worst = {}
    for corrected in (True, False):
        method = wf.TWA(form="rotor", corrected=corrected)
        r = wf.solve(model, t, e_ops=e_ops, method=method, ntraj=20_000, seed=3, dt=0.0025)
        worst[corrected] = [np.abs(r.expect[k] - exact.expect[k]).max() for k in e_ops]
        assert worst[corrected][0] < 0.012
        assert worst[corrected][1] < 0.04
    assert worst[True][1] < worst[False][1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Up to:UserWarning")
def test_arrays_and_time_dependent_rates_are_those_of_single_ensembles():
    """Two members without coupling, one pumped by a rate that stands as a coefficient."""
    N, t = 30, np.linspace(0, 0.1, 3)
    pair = wf.Ensemble(N, name="pair", count=2)
    one = wf.Ensemble(N, name="one")
    rate = wf.coef(np.array([6.0, 6.0]), np.array([0.0, 0.1]))
    options = {"method": wf.TWA(form="rotor"), "ntraj": 4000, "dt": 1e-3}
    chain = wf.Model(
        jumps=[wf.Jump(pair.Jm, 1.0), wf.LocalJump(pair.sp, rate)], initial={pair: wf.down}
    )
    alone = wf.Model(
        jumps=[wf.Jump(one.Jm, 1.0), wf.LocalJump(one.sp, 6.0)], initial={one: wf.down}
    )
    a = wf.solve(chain, t, e_ops={"z": pair.Jz}, seed=1, **options)
    b = wf.solve(alone, t, e_ops={"z": one.Jz}, seed=2, **options)
    for m in range(2):
        z = (a.expect["z"][1:, m] - b.expect["z"][1:]) / np.hypot(a.sem["z"][1:, m], b.sem["z"][1:])
        assert np.abs(z).max() < 4


def test_step_is_chosen_for_local_jumps_alone():
    atoms = wf.Ensemble(20, name="atoms")
    model = wf.Model(jumps=[wf.LocalJump(atoms.sz, 1.0)], initial={atoms: wf.bloch(1.2, 0.3)})
    t = np.linspace(0, 1, 5)
    r = wf.solve(model, t, e_ops={"x": atoms.Jx}, method=wf.TWA(form="rotor"), ntraj=4000, seed=1)
    exact = 10 * np.sin(1.2) * np.cos(0.3) * np.exp(-2 * t)
    assert r.dt < 0.3
    assert np.abs(r.expect["x"] - exact).max() < 4 * r.sem["x"].max() + 0.05


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"form": "rotr"}, ValueError, "rotor"),
        ({"corrected": False}, ValueError, "corrected"),
        ({"form": "rotor", "corrected": "yes"}, TypeError, "corrected"),
        ({"form": "rotor", "scheme": "small-noise"}, ValueError, "scheme"),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        wf.TWA(**options)


def test_repr():
    assert repr(wf.TWA(form="rotor", corrected=False)) == "TWA(form='rotor', corrected=False)"
    assert repr(wf.TWA()) == "TWA()"
