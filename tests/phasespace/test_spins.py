"""Single spins: the Bloch form beside the form that keeps lengths."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import wignerflow as wf
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText

from ..few import few
from ..kernels.lanes import LaneRun
from .generator import changes, monomials
from .random_models import linear, random_world
from .test_generator import assert_equal
from .twins import World

TIMES = np.array([0.0, 3.0])


def text_of(model, method):
    system, _ = method.lower(model, {}, TIMES)
    return KernelText(system, [])


def bloch(world, scheme="splitting"):
    return text_of(world.model(), wf.TWA(spin_form="bloch", scheme=scheme))


def decaying_world(number: int, array: bool) -> World:
    """Driven, interacting spins with every kind of jump of one spin, and a jump shared by two."""
    world = World(np.random.default_rng([95, array, number]))
    if array:
        chain = world.spin(count=2)
        single = world.spin()
        A = world.array(chain, "sm") + 0.4j * world.array(chain, "sz")
        world.add_member_jumps(A, world.rng.uniform(0.2, 1, size=2))
        one = world.op(chain, "sp", 1)
        world.add_jump(one, 0.4)
        world.add_H((world.number() * world.array(chain, "sx").sum()).hermitian())
        world.add_H(0.7 * world.op(chain, "sz", 0) * world.op(single, "sz"))
    else:
        single = world.spin()
        world.add_H(linear(world).hermitian())
    constant = bool(world.rng.integers(2))
    world.add_jump(linear(world, constant=constant, subs=[single]), world.rng.uniform(0.2, 1))
    world.add_jump(linear(world), 0.3)
    return world


@pytest.mark.parametrize("numbers", few([range(2), range(2, 8)]), ids=["few", "more"])
@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize("scheme", ["splitting", "small-noise"])
def test_means_change_exactly(array, scheme, numbers):
    for number in numbers:
        world = decaying_world(number, array)
        text = bloch(world, scheme)
        assert text.system.local
        means = [(v,) for v in world.variables()]
        assert_equal(*changes(world, means, degree=2, text=text))


def test_means_change_exactly_beside_everything_else():
    for number in range(6):
        world = random_world("Tavis-Cummings", number)
        text = bloch(world)
        assert len(text.system.local) == 2
        assert_equal(*changes(world, [(v,) for v in world.variables()], degree=2, text=text))


def test_second_moments_of_different_spins_change_exactly_under_local_jumps():
    for number in range(5):
        world = World(np.random.default_rng([96, number]))
        a, b = world.spin(), world.spin()
        for sub in (a, b):
            world.add_jump(linear(world, subs=[sub]), 0.7)
        pairs = [m for m in monomials(world.variables(), 2) if len(m) == 2]
        assert_equal(*changes(world, pairs, degree=2, text=bloch(world)))


def test_wrong_rates_are_caught():
    world = decaying_world(0, True)
    text = bloch(world)
    for step in text.system.local:
        step.parts = [(rate, 1.1 * lam, c) for rate, lam, c in step.parts]
    with pytest.raises(AssertionError):
        assert_equal(*changes(world, [(v,) for v in world.variables()], degree=2, text=text))


# ---------------------------------------------------------------------------- decay and drive


def driven(omega, decay):
    spin = wf.Spin(name="spin")
    H = omega * spin.sx if omega else None
    return wf.Model(H, [wf.Jump(spin.sm, decay)], initial={spin: wf.up})


def exact_z(omega, decay, t):
    """The optical Bloch equations, from up."""
    A = np.array([[-decay / 2, 0, 0], [0, -decay / 2, -2 * omega], [0, 2 * omega, -decay]])
    affine = np.zeros((4, 4))
    affine[:3, :3], affine[2, 3] = A, -decay
    return (scipy.linalg.expm(affine * t) @ [0, 0, 1, 1])[2]


def mean_z(model, method, lanes, h=0.05):
    """Mean and standard error of sigma^z at the end."""
    run = LaneRun(text_of(model, method), Grid.make(TIMES, h), lanes)
    z = 2 * run.run(12)[-1][2]
    return z.mean(), z.std() / np.sqrt(lanes)


@pytest.mark.parametrize("h", [0.1, 1.0, 3.0])
def test_decay_without_drive_is_exact_at_any_step(h):
    text = text_of(driven(0, 1.0), wf.TWA(spin_form="bloch"))
    text.system.noise = False
    run = LaneRun(text, Grid.make(TIMES, h), 1)
    run.v[:] = [0, 0, 0.5]
    assert abs(2 * run.run(0, start=False)[-1][2, 0] - exact_z(0, 1.0, 3.0)) < 1e-13


@pytest.mark.parametrize(("omega", "decay"), few([(1.0, 1.0), (0.0, 1.0), (1.0, 2.0)]))
def test_the_bloch_form_follows_the_optical_bloch_equations(omega, decay):
    """Within sampling error and the error of a step, where the other form is far off."""
    want = exact_z(omega, decay, 3.0)
    mean, sem = mean_z(driven(omega, decay), wf.TWA(spin_form="bloch"), 40_000)
    assert abs(mean - want) < 3.5 * sem + 1e-3
    mean, sem = mean_z(driven(omega, decay), wf.SpinTWA(), 40_000)
    assert abs(mean - want) > 6 * sem


# ---------------------------------------------------------------------------- the method


def test_spin_twa_is_twa_of_models_of_spins_and_modes():
    spins, mode = wf.Spin(name="spins", count=3), wf.Mode(name="mode")
    H = (mode.a * spins.sp.sum() + mode.adag * spins.sm.sum()) + spins.sz.sum()
    jumps = [wf.Jump(spins.sm, 0.3), wf.Jump(mode.a, 1.0)]
    model = wf.Model(H, jumps, initial={spins: wf.down, mode: wf.vacuum})
    grid = Grid.make(TIMES, 0.1)
    one, two = (text_of(model, method) for method in (wf.SpinTWA(), wf.TWA()))
    assert one.plain() == two.plain()
    for a, b in zip(one.tables(grid, np.float64), two.tables(grid, np.float64), strict=True):
        assert np.array_equal(a, b)
    assert text_of(model, wf.TWA(spin_form="bloch")).plain() != one.plain()
    assert repr(wf.SpinTWA(spin_sampling="gaussian")) == "SpinTWA(spin_sampling='gaussian')"
    assert repr(wf.TWA(spin_form="bloch")) == "TWA(spin_form='bloch')"


def test_bad_options_and_models():
    atoms = wf.Ensemble(5, name="atoms")
    model = wf.Model(None, [wf.LocalJump(atoms.sm, 1)], initial={atoms: wf.up})
    with pytest.raises(ValueError, match=r"array of wf\.Spin"):
        wf.solve(model, [0, 1], e_ops=[atoms.Jz], method="spin-twa", progress=False)
    with pytest.raises(ValueError, match="`spin_form` must be"):
        wf.TWA(spin_form="ball")
    with pytest.raises(ValueError, match="`spin_form` must be"):
        wf.TWA(form="rotor", spin_form="bloch")


def test_couplings_without_a_kernel_are_refused_before_anything_runs():
    chain, mode = wf.Spin(name="chain", count=4), wf.Mode(name="mode")
    K = wf.couple(chain.sz, wf.NearestNeighbour(), chain.sz)
    initial = {chain: wf.up, mode: wf.vacuum}
    for method in ("twa", "spin-twa", "mean-field"):
        for model, why in (
            (wf.Model(None, [wf.Jump(K, 1)], initial=initial), r"jumps\[0\] contains"),
            (wf.Model(K * mode.n, initial=initial), "multiplies a coupling"),
        ):
            with pytest.raises(ValueError, match=why):
                wf.solve(model, [0, 1], e_ops=[mode.n], method=method, progress=False)


def test_a_jump_that_is_a_product_on_two_members():
    """Two excitations lost at once: means change as the symbol of second order says."""
    world = World(np.random.default_rng(97))
    chain = world.spin(count=3)
    pair = world.op(chain, "sm", 0) * world.op(chain, "sz", 2)
    world.add_jump(pair, 0.7)
    text = text_of(world.model(), wf.TWA())
    assert len(text.system.channels) == 1
    run = LaneRun(text, Grid.make(TIMES, 0.1), 50).run(3)
    lengths = np.linalg.norm(run.reshape(len(TIMES), 3, 3, 50), axis=2)
    assert np.allclose(lengths[0], lengths[-1], rtol=1e-12)
    moved = np.abs(run[-1] - run[0]).reshape(3, 3, 50).max(axis=(1, 2))
    assert moved[0] > 0.1 and moved[2] > 0.1 and moved[1] == 0
