"""Symbols of observables: their averages over the moments of a state are its expectation values."""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels.module import KernelText
from wignerflow.kernels.observe import Readout
from wignerflow.phasespace import symbols as symbols_module

from ..kernels.lanes import LaneRun, one_step
from .generator import Slots, cloud
from .random_models import FAMILIES, array_linear, linear, random_world, structures
from .twins import ArrayTwin, Twin, World


def observed(world, twins, degree):
    """Averages of the printed readout, and Tr(O rho), as complex numbers (arrays: (M,))."""
    model = wf.Model(initial=world.initial)
    ops = {str(k): t.op for k, t in enumerate(twins)}
    system, symbols = wf.TWA().lower(model, ops, np.array([0.0, 1.0]))
    text = KernelText(system, [Readout(symbols[k], True) for k in ops])
    slots = Slots(world, text)
    points, weights, _ = cloud(world, text, slots, degree)
    run = LaneRun(text, one_step(0.1), points.shape[1])
    run.v[:] = points.ravel()
    values = run.observe() @ weights
    rho = world.rho()
    got, want, at = [], [], 0
    for t in twins:
        size = len(t.mats) if isinstance(t, ArrayTwin) else 1
        got.append(values[at : at + size] + 1j * values[at + size : at + 2 * size])
        mats = t.mats if isinstance(t, ArrayTwin) else [t.mat]
        want.append(np.array([np.trace(m @ rho) for m in mats]))
        at += 2 * size
    return np.concatenate(got), np.concatenate(want)


def check(world, twins, degree=2):
    got, want = observed(world, twins, degree)
    assert np.allclose(got, want, rtol=0, atol=1e-10 * (1 + np.abs(want).max()))


def products(world, count=4):
    """Random linear operators and products of two, without making them Hermitian."""
    out = [linear(world, constant=True)]
    return out + [linear(world) * linear(world) for _ in range(count)]


@pytest.mark.parametrize("family", list(FAMILIES)[:5])
def test_operators_up_to_second_order(family):
    for number in range(8):
        world = random_world(family, 1000 + number)
        check(world, products(world))


def test_every_product_of_two_letters():
    for maker in (lambda w: w.ensemble(3), lambda w: w.collective(1.5), lambda w: w.spin()):
        world = World(np.random.default_rng(21))
        sub = maker(world)
        letters = [world.op(sub, x) for x in world.letters(sub)]
        check(world, [*letters, *(a * b for a in letters for b in letters)])


def test_modes_up_to_fourth_order():
    world = World(np.random.default_rng(22))
    a = world.op(world.mode(cutoff=9), "a")
    n = a.dag() * a
    check(
        world, [a, n, a * a.dag(), n * n, a.dag() * a.dag() * a * a, a * n * a, a * a * a.dag()], 4
    )


def test_products_across_three_subsystems():
    world = World(np.random.default_rng(23))
    subs = [world.ensemble(2), world.spin(), world.mode(cutoff=5)]
    a, b, c = (linear(world, subs=[s]) for s in subs)
    check(world, [a * b * c, c * a * b, b * b * c, a * c * c], 3)


@pytest.mark.parametrize("structure", structures(World(np.random.default_rng(0)), 3))
@pytest.mark.parametrize("kind", ["ensemble", "spin", "collective"])
def test_couplings_of_every_structure(structure, kind):
    for number in range(2):
        world = World(np.random.default_rng([24, number]))
        make = {
            "ensemble": lambda w: w.ensemble([1, 2, 1], count=3),
            "spin": lambda w: w.spin(count=3),
            "collective": lambda w: w.collective([0.5, 1, 1.5], count=3),
        }
        chain = make[kind](world)
        K, dense = structures(world, 3)[structure]
        twins: list[Twin | ArrayTwin] = [
            world.couple(array_linear(world, chain), K, array_linear(world, chain), dense)
            for _ in range(2)
        ]
        twins.append(array_linear(world, chain))
        check(world, twins)


def test_several_couplings_beside_each_other_and_other_observables():
    world = World(np.random.default_rng(25))
    chain = world.ensemble([1, 2, 1], count=3)
    twins: list[Twin | ArrayTwin] = []
    for K, dense in structures(world, 3).values():
        twins.append(world.couple(array_linear(world, chain), K, array_linear(world, chain), dense))
        twins.append(array_linear(world, chain))
    check(world, twins)


def test_sums_and_member_products_of_arrays():
    for number in range(5):
        world = World(np.random.default_rng([26, number]))
        first = world.ensemble([1, 2], count=2)
        second = world.spin(count=2)
        single = world.collective(1.0)
        A, B, C = (array_linear(world, s) for s in (first, first, second))
        twins = [
            A,
            A * B,
            A * C,
            A.sum() * B.sum(),
            A.sum() * C.sum(),
            A[1] * B[0],
            A[1] * B.sum(),
            B.sum() * A[0],
            linear(world, subs=[single]) * A.sum(),
            A.dag() * A,
        ]
        check(world, twins)


def test_dropping_the_commutator_is_caught(monkeypatch):
    world = World(np.random.default_rng(27))
    spin = world.collective(1.5)
    twins = [world.op(spin, "Jx") * world.op(spin, "Jy")]
    check(world, twins)
    right = symbols_module.word_symbol
    monkeypatch.setattr(symbols_module, "word_symbol", lambda *word: right(*word)[:1])
    with pytest.raises(AssertionError):
        check(world, twins)
