"""The splitting for small noise: generator, orders, what is exact, what it refuses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.linalg
from scipy.integrate import solve_ivp

import wignerflow as wf
from wignerflow.kernels import small_noise
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText
from wignerflow.phasespace.system import SMALL_NOISE

from ..phasespace.generator import changes, lowered, monomials
from ..phasespace.random_models import FAMILIES, linear, random_world
from ..phasespace.test_generator import assert_equal, check_means, collective_world, models
from ..phasespace.twins import World
from .lanes import LaneRun, one_step
from .test_orders import linear_model, order, transfer

OWN = wf.TWA(scheme=SMALL_NOISE)


def text_of(model, method=OWN):
    return KernelText(method.lower(model, {}, np.array([0.0, 1.0]))[0], [])


# ---------------------------------------------------------------------------- generator


@models(1, 3)
@pytest.mark.parametrize("family", FAMILIES)
def test_means_change_exactly(family, numbers):
    for number in numbers:
        world = random_world(family, number)
        check_means(world, text=lowered(world, scheme=SMALL_NOISE))


def half_the_noise(source: str) -> str:
    out = source.replace("sqh = p[", "sqh = F(0.5) * p[")
    assert out != source
    return out


@models(1, 3)
@pytest.mark.parametrize("family", ["one collective spin", "waveguide"])
def test_wrong_noise_is_caught_in_the_means(family, numbers):
    for number in numbers:
        world = random_world(family, number)
        with pytest.raises(AssertionError):
            check_means(world, text=lowered(world, scheme=SMALL_NOISE), edit=half_the_noise)


def test_second_moments_of_modes_change_exactly():
    for number in range(5):
        world = World(np.random.default_rng([90, number]))
        for _ in range(2):
            world.mode(cutoff=8)
        world.add_H(linear(world).hermitian())
        world.add_H((linear(world) * linear(world)).hermitian())
        for _ in range(2):
            world.add_jump(linear(world, constant=True), world.rng.uniform(0, 1))
        pairs = [m for m in monomials(world.variables(), 2) if len(m) == 2]
        text = lowered(world, scheme=SMALL_NOISE)
        assert_equal(*changes(world, pairs, degree=2, text=text))


def test_second_moments_are_those_of_the_other_scheme():
    for number, spins in itertools.product(range(3), (1, 2)):
        world = collective_world(number, 12, spins)
        pairs = [m for m in monomials(world.variables(), 2) if len(m) == 2]
        own, other = (
            changes(world, pairs, degree=3, text=lowered(world, scheme=s))[0]
            for s in (SMALL_NOISE, "splitting")
        )
        assert_equal(own, other)


# ---------------------------------------------------------------------------- orders


def driven():
    """Two ensembles in an array, a single one, a spin without local jumps and a mode."""
    pair, atoms = wf.Ensemble(2, count=2, name="pair"), wf.Ensemble(2, name="atoms")
    big, mode = wf.CollectiveSpin(1, name="big"), wf.Mode(name="mode")
    H = 0.7 * atoms.Jx + 0.6 * atoms.Jz * atoms.Jz + 0.3 * mode.n + 0.1 * mode.n * mode.n
    H = H + 0.4 * (mode.a * atoms.Jp + mode.adag * atoms.Jm) + 0.3 * big.Jz * big.Jz
    H = H + 0.5 * (big.Jx * pair.Jx.sum()) + 0.2 * wf.couple(pair.Jx, wf.AllToAll(), pair.Jx)
    H = H + 0.2 * (mode.a + mode.adag) * big.Jx
    jumps = [
        wf.Jump(atoms.Jm + 0.5 * pair.Jm.sum() + 0.3 * big.Jm, 0.5),
        wf.Jump(pair.Jm, np.array([0.2, 0.4])),
        wf.Jump(mode.a, 0.7),
        wf.LocalJump(atoms.sm + 0.3 * atoms.sz, 0.4),
        wf.LocalJump(pair.sp, 0.3),
    ]
    initial = {atoms: wf.bloch(1.0, 0.3), pair: wf.up, big: wf.bloch(1, 1), mode: wf.coherent(0.5)}
    return wf.Model(H, jumps, initial=initial)


def without_noise(model, h, start, method=OWN, T=2.0):
    system, _ = method.lower(model, {}, np.array([0.0, 1.0]))
    system.noise = False
    run = LaneRun(KernelText(system, []), Grid.make(np.array([0.0, T]), h), 1)
    run.v[:] = start
    return run.run(0, start=False)[-1][:, 0]


@pytest.mark.slow
def test_the_drift_is_of_order_four():
    start = np.array([0.6, 0.2, 0.7, 0.3, -0.5, 0.8, 0.5, -0.2, 0.1, 0.9, 0.4, -0.3, 0.4, 0.9])
    model = driven()
    # the other scheme, extrapolated from second order
    other = [
        without_noise(model, h, start, wf.TWA(scheme="splitting")) for h in (0.004, 0.002, 0.001)
    ]
    one = [(4 * b - a) / 3 for a, b in itertools.pairwise(other)]
    exact = (8 * one[1] - one[0]) / 7
    steps = np.array([0.2, 0.1, 0.05])
    errors = [np.abs(without_noise(model, h, start) - exact).max() for h in steps]
    assert 3.7 < order(steps, errors) < 4.6
    assert errors[-1] < 2e-5
    second = [np.abs(without_noise(model, h, start, wf.TWA()) - exact).max() for h in steps]
    assert order(steps, second) < 2.5  # seen to be less, where it is


@pytest.mark.slow
def test_a_missing_stage_is_seen(monkeypatch):
    monkeypatch.setattr(small_noise, "SECOND", (-1 / 12, 3 / 12, 1 / 12))
    model, steps = driven(), np.array([0.2, 0.1, 0.05])
    start = np.full(14, 0.4)
    ends = [without_noise(model, h, start) for h in (*steps, 0.025)]
    assert order(steps, [np.abs(a - b).max() for a, b in itertools.pairwise(ends)]) < 3


def test_moments_under_fields_and_local_channels_are_of_order_two():
    """Not small noise at all: N = 3. Moments up to the second close, there is no sampling."""
    text = text_of(linear_model(True))
    other = KernelText(wf.TWA().lower(linear_model(True), {}, np.array([0.0, 1.0]))[0], [])
    steps = np.array([0.4, 0.2, 0.1])
    exact = np.linalg.matrix_power(transfer(other, 2 / 512), 512)
    exact = (4 * np.linalg.matrix_power(transfer(other, 2 / 1024), 1024) - exact) / 3
    errors = [
        np.abs(np.linalg.matrix_power(transfer(text, h), round(2 / h)) - exact).max() for h in steps
    ]
    assert 1.8 < order(steps, errors)


# ---------------------------------------------------------------------------- exactly


@pytest.mark.parametrize("angle", [0.1, 1.0, 3.0])
def test_a_constant_field_turns_by_its_angle(angle):
    B = np.array([0.48, -0.64, 0.6])
    spin = wf.CollectiveSpin(50, name="s")
    H = B[0] * spin.Jx + B[1] * spin.Jy + B[2] * spin.Jz
    run = LaneRun(text_of(wf.Model(H, initial={spin: wf.up})), one_step(angle), 5)
    run.initial(1)
    start = run.state.copy()
    run.step(0, angle, 0, [0, 0, 0], [0, 0, 0])
    generator = np.array([[0, -B[2], B[1]], [B[2], 0, -B[0]], [-B[1], B[0], 0]])
    exact = scipy.linalg.expm(generator * angle) @ start
    assert np.abs(run.state - exact).max() < 50 * (0.06 * (angle / 4) ** 9 + 1e-14)


def test_lengths_are_kept():
    spins = wf.Spin(name="spins", count=3)
    big, mode = wf.CollectiveSpin(7, name="big"), wf.Mode(name="mode")
    H = 0.05 * wf.couple(spins.sx, wf.AllToAll(), spins.sy) + mode.a * big.Jp + big.Jx * big.Jz
    jumps = [wf.Jump(0.3j * big.Jp + mode.a + spins.sm.sum(), 0.1), wf.Jump(spins.sm, 0.3)]
    initial = {spins: wf.down, big: wf.bloch(1, 1), mode: wf.vacuum}
    text = text_of(wf.Model(H + H.dag(), jumps, initial=initial))
    run = LaneRun(text, Grid.make(np.array([0.0, 2.0]), 0.1), 50)
    states = run.run(3)
    for at in [text.layout.slot[0] + 3 * m for m in range(3)] + [text.layout.slot[1]]:
        length = np.linalg.norm(states[:, at : at + 3], axis=1)
        assert np.allclose(length[0], length[1], rtol=1e-12)
        assert np.abs(states[1, at] - states[0, at]).max() > 1e-2


def test_local_steps_compose_exactly():
    text = text_of(linear_model(False))
    two, one = transfer(text, 0.4), transfer(text, 0.8)
    assert np.allclose(two @ two, one, rtol=0, atol=1e-11)
    other = KernelText(wf.TWA().lower(linear_model(False), {}, np.array([0.0, 1.0]))[0], [])
    assert np.allclose(one, transfer(other, 0.8), rtol=0, atol=1e-11)


@pytest.mark.parametrize("squeezed", [False, True])
def test_a_driven_mode_is_exact_in_law(squeezed):
    """Mean and covariance of a step of any length, from the printed text."""
    mode = wf.Mode(name="mode")
    H = 0.7 * mode.n + (0.3 - 0.2j) * mode.a + (0.3 + 0.2j) * mode.adag
    if squeezed:
        H = H + 0.1 * (mode.a * mode.a + mode.adag * mode.adag)
    model = wf.Model(H, [wf.Jump(mode.a, 0.8), wf.Jump(mode.adag, 0.1)], initial={mode: wf.vacuum})

    for h in (0.1, 1.5):
        own = interval(model, OWN, h)
        other = interval(model, wf.TWA(), h)
        for a, b in zip(own, other, strict=True):
            assert np.allclose(a, b, rtol=0, atol=1e-12)


def interval(model, method, h):
    """T, f and covariance of an output interval of one step."""
    text = text_of(model, method)
    asked: dict[tuple, int] = {}
    column = np.full(1, -1)

    def normals(k0, k1, trajectory, pair):
        key = (int(k0), int(k1), int(np.ravel(pair)[0]))
        first = asked.setdefault(key, 2 * len(asked))
        return tuple(np.zeros(np.size(trajectory)) + (column == first + i) for i in range(2))

    for _ in range(2):
        n = 2 * len(asked)
        column = np.concatenate([np.full(3, -1), np.arange(n)])
        run = LaneRun(text, one_step(h), 3 + n, normal_pair=normals)
        run.state[:, 1:3] = np.eye(2)
        run.local(run.rows[0], [1, 0, 0])
        run.step(0, h, run.rows[1], [2, 0, 0], [3, 0, 0])
    f = run.state[:, 0]
    R = run.state[:, 3:] - f[:, None]
    return run.state[:, 1:3] - f[:, None], f, R @ R.T


# ---------------------------------------------------------------------------- weak order


def emission(h, draws, scheme, lanes=4000, N=100):
    atoms = wf.Ensemble(N, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 0.25 * N)]
    text = text_of(wf.Model(jumps=jumps, initial={atoms: wf.up}), wf.TWA(scheme=scheme))
    run = LaneRun(text, Grid.make(np.array([0.0, 6]) / N, h / N), lanes)
    x, y, z = run.run(5, draws=draws)[-1]
    return (x * x + y * y + z) / N**2


@pytest.mark.parametrize("draws", [(1, 1, 1), (4, 1, 2)])
def test_every_kick_has_noise_of_its_own(draws):
    """Two kicks of a step count by themselves: no normal serves both."""
    atoms = wf.Ensemble(100, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 25.0)]
    text = text_of(wf.Model(jumps=jumps, initial={atoms: wf.up}), wf.TWA(scheme=SMALL_NOISE))
    run = LaneRun(text, Grid.make(np.array([0.0, 0.03, 0.06]), 0.01), 2)
    local, seen = run.scope["local"], []

    def watched(*arguments):
        local(*arguments)
        first = text.layout.scratch["local0_0"]
        seen.extend(run.s[2 * first : 2 * (first + 3)].tolist())

    run.scope["local"] = watched
    run.run(5, draws=draws)
    assert len(seen) == 6 * (2 + 2 * 6) == len(set(seen))


def test_the_laser_takes_longer_steps():
    """At the burst, N Gamma h = 1 and 1/2 on one noise: the change is a tenth as large."""
    change = {}
    for scheme in (SMALL_NOISE, "splitting"):
        draws = ((8, 2, 4), (4, 1, 2)) if scheme == SMALL_NOISE else ((2, 2, 4), (1, 1, 2))
        a, b = (emission(h, d, scheme) for h, d in zip((1.0, 0.5), draws, strict=True))
        change[scheme] = (b - a).mean(), (b - a).std() / np.sqrt(a.size)
    (own, sem), (other, error) = change[SMALL_NOISE], change["splitting"]
    assert abs(other) > 8 * error  # seen
    assert abs(own) < 0.1 * abs(other) + 3 * sem


# ---------------------------------------------------------------------------- what it refuses


def test_what_it_does_not_know_is_refused_by_name():
    mode, t = wf.Mode(name="mode"), [0, 1]
    loss = wf.Model(jumps=[wf.Jump(mode.a * mode.a, 1.0)], initial={mode: wf.vacuum})
    driven = wf.coef(lambda t: t) * (mode.a + mode.adag)
    for model in (loss, wf.Model(driven, initial={mode: wf.vacuum})):
        with pytest.raises(NotImplementedError, match="small-noise"):
            wf.solve(model, t, e_ops={"n": mode.n}, method=OWN, ntraj=64, progress=False)


def test_the_classical_equations_by_hand():
    """A driven, decaying ensemble against an integrator of its equations of motion."""
    atoms = wf.Ensemble(2, name="atoms")
    jumps = [wf.Jump(atoms.Jm, 0.5), wf.LocalJump(atoms.sm, 0.4)]
    model = wf.Model(0.8 * atoms.Jx, jumps, initial={atoms: wf.up})

    def slope(t, v):
        x, y, z = v
        return [0.5 * x * z - 0.2 * x, 0.5 * y * z - 0.8 * z - 0.2 * y,
                -0.5 * (x * x + y * y) + 0.8 * y - 0.4 * z - 0.4]  # fmt: skip

    start = np.array([0.3, -0.2, 0.8])
    exact = solve_ivp(slope, (0, 2), start, rtol=1e-11, atol=1e-12).y[:, -1]
    assert np.abs(without_noise(model, 0.05, start) - exact).max() < 1e-6
    assert np.abs(without_noise(model, 0.05, start, wf.TWA()) - exact).max() > 1e-5
