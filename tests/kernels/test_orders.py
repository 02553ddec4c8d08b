"""Orders of the schemes, and what they keep exactly: rotations, lengths, local steps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.linalg
from scipy.integrate import solve_ivp

import wignerflow as wf
from wignerflow.kernels.cpu import CpuKernel
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText

from ..phasespace.generator import Noise
from .lanes import LaneRun, one_step
from .models import printed

NONE = np.empty(0, np.int64)


def kernel_text(model, method=None):
    system, _ = (method or wf.TWA()).lower(model, {}, np.array([0.0, 1.0]))
    return KernelText(system, [])


def order(steps, errors):
    """Slope of log error against log step."""
    return np.polyfit(np.log(steps), np.log(errors), 1)[0]


# ---------------------------------------------------------------------------- rotations


@pytest.mark.parametrize("angle", [1e-3, 0.1, 0.5, 1.0, 2.0])
def test_a_constant_field_turns_by_its_angle(angle):
    """By tan(angle/2) to ninth order: to 2e-12 at 0.125, 3e-7 at 1/2, 1e-4 at 1 (relative)."""
    B = np.array([0.48, -0.64, 0.6])
    spin = wf.CollectiveSpin(50, name="s")
    H = B[0] * spin.Jx + B[1] * spin.Jy + B[2] * spin.Jz
    run = LaneRun(kernel_text(wf.Model(H, initial={spin: wf.up})), one_step(angle), 5)
    run.initial(1)
    start = run.state.copy()
    run.step(0, angle, 0, [0, 0, 0], [0, 0, 0])
    generator = np.array([[0, -B[2], B[1]], [B[2], 0, -B[0]], [-B[1], B[0], 0]])
    exact = scipy.linalg.expm(generator * angle) @ start
    assert np.abs(run.state - exact).max() < 50 * (0.06 * (angle / 2) ** 9 + 1e-14)
    assert np.allclose(np.linalg.norm(run.state, axis=0), np.linalg.norm(start, axis=0), rtol=1e-14)


@pytest.mark.slow
def test_a_rotation_in_single_precision_keeps_its_length():
    atoms = wf.Ensemble(1000, name="atoms")
    model = wf.Model(
        0.3 * atoms.Jx + 1e-3 * atoms.Jz * atoms.Jz,
        [wf.Jump(atoms.Jm, 1e-3), wf.Jump(atoms.Jz, 1e-3)],
        initial={atoms: wf.up},
    )
    text = printed(model, {"z": atoms.Jz}, [0, 1])
    length = []
    for steps in (1, 2000):
        grid = Grid.make(np.array([0.0, 0.02 * steps]), 0.02)
        kernel = CpuKernel(text, grid, single=True, batched=NONE)
        final = kernel.simulate(0, 1, kernel.lanes, 3, keep=True).final[0].astype(float)
        length.append(np.linalg.norm(final, axis=0))
    want = np.sqrt(500 * 501)
    # rounding of 2000 steps adds up like a random walk at most ten times over
    assert np.abs(length[0] / want - 1).max() < 1e-6
    assert np.abs(length[1] / want - 1).max() < 10 * 1.2e-7 * np.sqrt(2000)


@pytest.mark.parametrize("seed", range(4))
def test_collective_steps_conserve_every_length(seed):
    rng = np.random.default_rng(seed)
    chain = wf.Ensemble([10, 20, 30], name="chain", count=3)
    spins = wf.Spin(name="spins", count=3)
    big, mode = wf.CollectiveSpin(7, name="big"), wf.Mode(name="mode")
    K = rng.normal(size=(3, 3))
    H = wf.couple(chain.Jx, K, chain.Jy) + wf.couple(spins.sz, K, chain.Jx) + big.Jx * big.Jz
    H = 0.05 * H + mode.a * big.Jp + big.Jx * chain.Jx.sum()
    jumps = [
        wf.Jump((rng.normal(size=3) * chain.Jm).sum() + 0.3j * big.Jp + mode.a, 0.1),
        wf.Jump(spins.sm, rng.uniform(size=3)),
    ]
    initial = {chain: wf.up, spins: wf.down, big: wf.bloch(1, 1), mode: wf.vacuum}
    text = kernel_text(wf.Model(H + H.dag(), jumps, initial=initial))
    run = LaneRun(text, Grid.make(np.array([0.0, 2.0]), 0.1), 50)
    states = run.run(seed)
    slots = [text.layout.slot[b] + 3 * m for b, M in ((0, 3), (1, 3), (2, 1)) for m in range(M)]
    for at in slots:
        length = np.linalg.norm(states[:, at : at + 3], axis=1)
        assert np.allclose(length[0], length[1], rtol=1e-12)
        assert np.abs(states[1, at] - states[0, at]).max() > 1e-2


# ---------------------------------------------------------------------------- deterministic order


def nonlinear():
    """A driven, decaying, twisted ensemble and a mode, with a drive that depends on time."""
    atoms, mode = wf.Ensemble(2, name="atoms"), wf.Mode(name="mode")
    drive = wf.coef(lambda t: float(1 + np.sin(3 * t)))
    H = (
        drive * atoms.Jx
        + 0.6 * atoms.Jz * atoms.Jz
        + 0.4 * (mode.a * atoms.Jp + mode.adag * atoms.Jm)
    )
    H = H + 0.3 * mode.n + 0.1 * mode.n * mode.n
    jumps = [
        wf.Jump(atoms.Jm, 0.5),
        wf.Jump(mode.a, 0.7),
        wf.LocalJump(atoms.sm + 0.3 * atoms.sz, wf.coef(lambda t: float(0.4 + 0.2 * np.cos(t)))),
    ]
    return wf.Model(H, jumps, initial={atoms: wf.bloch(1.0, 0.3), mode: wf.coherent(0.5 - 0.2j)})


def right_hand_side(t, y):
    """The classical equations of ``nonlinear``, by hand."""
    x, yy, z = J = y[:3]
    a = y[3] + 1j * y[4]
    # h = f Jx + 0.6 Jz^2 + 0.4 (a J+ + a^* J-) + 0.3 |a|^2 + 0.1 (|a|^4 - |a|^2)
    gradient = np.array([1 + np.sin(3 * t) + 0.8 * a.real, -0.8 * a.imag, 1.2 * z])
    # collective decay, l = Jx - i Jy: Re[dl/dJ i r l^*] = r (-Jy, Jx, 0)
    gradient += 0.5 * np.array([-yy, x, 0])
    out = np.cross(gradient, J)
    rate = 0.4 + 0.2 * np.cos(t)
    sx, sy, sz = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    L = (sx - 1j * sy) / 2 + 0.3 * sz
    LL = L.conj().T @ L

    def change(rho):
        return rate * (L @ rho @ L.conj().T - (LL @ rho + rho @ LL) / 2)

    rho = (np.eye(2) + x * sx + yy * sy + z * sz) / 2  # N = 2: J = r
    out += [np.trace(s @ change(rho)).real for s in (sx, sy, sz)]
    n = abs(a) ** 2
    da = -1j * (0.4 * (x - 1j * yy) + 0.3 * a + 0.1 * (2 * n - 1) * a) - 0.35 * a
    return [*out, da.real, da.imag]


def test_the_deterministic_part_is_of_order_two():
    text = kernel_text(nonlinear(), wf.TWA(scheme="splitting"))
    start = np.array([0.6, 0.2, 0.7, 0.5, -0.2])
    exact = solve_ivp(right_hand_side, (0, 2), start, rtol=1e-11, atol=1e-12).y[:, -1]
    steps = np.array([0.1, 0.05, 0.025, 0.0125])
    errors = []
    for h in steps:
        text.system.noise = False
        run = LaneRun(text, Grid.make(np.array([0.0, 2.0]), h), 1)
        run.v[:] = start
        end = run.run(0, start=False)[-1][:, 0]
        errors.append(np.abs(end - exact).max())
    assert 1.9 < order(steps, errors) < 2.3
    assert errors[-1] < 2e-3


# ---------------------------------------------------------------------------- moments, exactly

MONOS = [m for k in range(3) for m in itertools.combinations_with_replacement(range(3), k)]


def transfer(text, h):
    """The matrix that one output interval of one step applies to all moments up to second order."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3, len(MONOS)))
    rule = Noise(len(MONOS))
    for _ in range(2):
        nodes = 1 if rule.nodes is None else len(rule.nodes)
        run = LaneRun(text, one_step(h), nodes * len(MONOS), normal_pair=rule, unclipped=True)
        run.v[:] = np.tile(points, (1, nodes)).ravel()
        run.local(run.rows[0], [1, 0, 0])
        run.step(0, h, run.rows[1], [2, 0, 0], [3, 0, 0])
        if rule.nodes is None:
            rule.make()
    end = run.state.reshape(3, nodes, -1)
    before = np.array([np.prod(points[list(m)], axis=0) for m in MONOS])
    after = np.array([np.prod(end[list(m)], axis=0).mean(axis=0).real for m in MONOS])
    return after @ np.linalg.inv(before)


def linear_model(H):
    atoms = wf.Ensemble(3, name="atoms")
    jumps = [wf.LocalJump(atoms.sm, 0.8), wf.LocalJump(atoms.sx + 0.4j * atoms.sy, 0.3)]
    return wf.Model(atoms.Jx + 0.7 * atoms.Jz if H else None, jumps, initial={atoms: wf.up})


def test_local_steps_compose_exactly():
    text = kernel_text(linear_model(False))
    two, one = transfer(text, 0.4), transfer(text, 0.8)
    assert np.allclose(two @ two, one, rtol=0, atol=1e-11)


def test_moments_under_fields_and_local_channels_are_of_order_two():
    """A linear field and local noise: the moments up to second order close; no sampling."""
    text = kernel_text(linear_model(True))
    generators = []
    for k in range(5):
        h = 0.01 / 2**k
        generators.append((transfer(text, h) - np.eye(len(MONOS))) / h)
    for k in range(1, 5):
        generators = [b + (b - a) / (2**k - 1) for a, b in itertools.pairwise(generators)]
    exact = scipy.linalg.expm(generators[0] * 2)
    steps = np.array([0.4, 0.2, 0.1])
    errors = [
        np.abs(np.linalg.matrix_power(transfer(text, h), round(2 / h)) - exact).max() for h in steps
    ]
    assert 1.8 < order(steps, errors) < 2.2


# ---------------------------------------------------------------------------- weak order


def emission(h, draws, chunks, N=100):
    """Emission/N^2 of the laser at its burst, per chunk; coarse noise is the sum of finer."""
    atoms = wf.Ensemble(N, name="atoms")
    model = wf.Model(
        jumps=[wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 0.25 * N)], initial={atoms: wf.up}
    )
    times = np.array([0.0, 6, 20]) / N
    text = printed(model, {"e": atoms.Jp * atoms.Jm, "z": atoms.Jz}, times)
    kernel = CpuKernel(text, Grid.make(times, h / N), single=False, batched=NONE)
    out = kernel.simulate(0, chunks, chunks * kernel.lanes, 5, draws=draws)
    return out.mean[:, 1:, 0] / N**2


def test_weak_order_of_the_superradiant_laser():
    """Runs of different steps on the same noise: their differences are the bias, nearly noiseless.

    Measured at the burst, N Gamma h = 1, 1/2, 1/4 against 1/8: 0.0053, 0.0014, 0.0002 of N^2. Of 40
    chunks the smallest change is five standard errors, and below four of them with one seed in six.
    """
    chunks, finest = 120, 0.125
    means = {n: emission(finest * n, (n, n, 2 * n), chunks) for n in (1, 2, 4, 8)}
    steps = [means[b] - means[a] for a, b in ((1, 2), (2, 4), (4, 8))]
    change = np.array([abs(d.mean(axis=0)[0]) for d in steps])
    sem = np.array([d.std(axis=0)[0] for d in steps]) / np.sqrt(chunks)
    assert np.all(change > 4 * sem)
    assert 1.3 < np.log2(change[2] / change[1]) < 2.6
    assert np.all(change < [0.0005, 0.002, 0.006])


# ---------------------------------------------------------------------------- three-point noise

THREE = np.array([-np.sqrt(3), 0, np.sqrt(3)]), np.array([1, 4, 1]) / 6
HERMITE = np.polynomial.hermite_e.hermegauss(7)


def moments_after_a_step(text, h, nodes, weights):
    """Averages over the five noises of a step of the laser, all values of each taken."""
    lanes = nodes.size**5
    noise = [x.ravel() for x in np.meshgrid(*[nodes] * 5, indexing="ij")]
    chance = np.ones(lanes)
    for w in np.meshgrid(*[weights / weights.sum()] * 5, indexing="ij"):
        chance *= w.ravel()

    asked = {}

    def pair(k0, k1, trajectory, channel):
        first = 0 if k0 == 1 else asked.setdefault(int(channel), 2 + 2 * len(asked))
        return noise[first], noise[min(first + 1, 4)]

    run = LaneRun(text, one_step(h), lanes, normal_pair=pair)
    run.state[:] = np.array([20.0, -16.0, 25.0])[:, None]
    run.step(0, h, 0, [1, 1, 0], [2, 2, 0])
    x, y, z = run.state
    return np.array([f @ chance for f in (x, z, x * x * z, x**4, x**4 * z, y**4)])


def test_three_point_noise_keeps_the_weak_order():
    """In one step averages differ from those of Gaussian noise by O(h^3) only."""
    atoms = wf.Ensemble(100, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 25.0)]
    text = kernel_text(wf.Model(jumps=jumps, initial={atoms: wf.up}), wf.TWA(scheme="splitting"))
    steps = np.array([0.001, 0.0005, 0.00025])

    def apart(nodes, weights):
        pairs = [
            [moments_after_a_step(text, h, *noise) for noise in ((nodes, weights), HERMITE)]
            for h in steps
        ]
        return np.array([np.abs(a - b) / np.abs(b) for a, b in pairs])

    difference = apart(*THREE)
    assert np.all(difference[-1] < 1e-4)
    seen = difference[-1] > 1e-12  # linear functions do not see the difference
    assert seen.sum() >= 3
    orders = np.array([order(steps, d) for d in difference[:, seen].T])
    assert orders.min() > 2.8
    # two values have the right variance, but not the fourth moment: O(h^2)
    two = apart(np.array([-1.0, 1.0]), np.array([0.5, 0.5]))[:, seen]
    assert min(order(steps, d) for d in two.T) < 2.3
