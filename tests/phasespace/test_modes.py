"""Generator tests of modes in every mixture: dispersive, parametric, correlated, nonlinear loss."""

from __future__ import annotations

import numpy as np
import pytest

from .generator import changes, lowered, monomials
from .random_models import linear
from .test_generator import assert_equal
from .twins import World


def means(world):
    return [(v,) for v in world.variables()]


@pytest.mark.parametrize("kind", ["ensemble", "spin", "collective"])
def test_dispersive_and_parametric_couplings(kind):
    """n J_z, (a^2 + h.c.) J_x, Kerr, two-photon loss, and a jump shared by mode and spin."""
    for number in range(3):
        world = World(np.random.default_rng([91, number]))
        mode = world.mode(cutoff=9)
        if kind == "spin":
            sub = world.spin()
        else:
            sub = world.ensemble(2) if kind == "ensemble" else world.collective(1.0)
        a = world.op(mode, "a")
        n, prefix = a.dag() * a, "s" if kind == "spin" else "J"
        world.add_H(world.rng.normal() * n * world.op(sub, prefix + "z"))
        world.add_H((world.number() * a * a).hermitian() * world.op(sub, prefix + "x"))
        world.add_H(0.3 * n * n + (world.number() * a * a).hermitian())
        world.add_jump(a, 0.7)
        world.add_jump(a * a, 0.2)
        world.add_jump(a + world.number() * world.op(sub, prefix + "m"), 0.4)
        assert_equal(*changes(world, means(world), degree=3))


def test_correlated_loss_of_an_array_of_modes():
    """Second moments, with hopping, frequencies and gain that the step makes exactly."""
    for number in range(3):
        world = World(np.random.default_rng([92, number]))
        chain = world.mode(count=2, cutoff=7)
        a = world.array(chain, "a")
        G = np.array([[1, 0.4 + 0.5j], [0.4 - 0.5j, 0.7]])
        dense = np.array([[0.4, 1 - 0.3j], [1 + 0.3j, -1]])
        world.add_H(0.5 * world.couple(a.dag(), dense, a, dense).hermitian())
        world.add_matrix_jumps(a, G)
        world.add_member_jumps(a.dag(), np.array([0.2, 0.1]))
        pairs = [m for m in monomials(world.variables(), 2) if m]
        assert_equal(*changes(world, pairs, degree=2))


def test_an_array_of_modes_with_an_array_of_spins_and_a_mode():
    for number in range(3):
        world = World(np.random.default_rng([93, number]))
        modes, spins = world.mode(count=2, cutoff=4), world.spin(count=2)
        a, minus = world.array(modes, "a"), world.array(spins, "sm")
        weights = world.rng.normal(size=2)
        world.add_H((weights * a.dag() * minus).sum().hermitian())
        world.add_H((a.dag() * a * world.array(spins, "sz")).sum())
        world.add_H((world.number() * a.sum() * minus.sum()).hermitian())
        world.add_member_jumps(a, np.array([0.4, 0.9]))
        world.add_member_jumps(a + 0.5 * minus, 0.3)
        G = np.array([[1, 0.4 + 0.5j], [0.4 - 0.5j, 0.7]])
        world.add_matrix_jumps(minus, G)
        assert_equal(*changes(world, means(world), degree=3))


def test_a_wrong_rate_of_a_mode_is_caught():
    world = World(np.random.default_rng(94))
    world.mode(cutoff=8)
    world.add_H(linear(world).hermitian())
    world.add_jump(linear(world), 0.7)
    pairs = [m for m in monomials(world.variables(), 2) if m]
    text = lowered(world)
    assert_equal(*changes(world, pairs, degree=2, text=text))
    (step,) = text.system.modes
    for spoil in (lambda A, D: (1.1 * A, D), lambda A, D: (A, 1.1 * D)):
        text = lowered(world)
        (step,) = text.system.modes
        step.parts = {times: spoil(A, D) for times, (A, D) in step.parts.items()}
        with pytest.raises(AssertionError):
            assert_equal(*changes(world, pairs, degree=2, text=text))
