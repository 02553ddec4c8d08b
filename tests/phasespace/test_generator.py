"""The printed step against the exact Lindbladian, on random models of every kind.

Means change exactly wherever the Hamiltonian is at most quadratic and the jumps are linear: the
truncated generator then needs second moments only. Second moments change exactly for modes and
under local channels; under collective channels the relative error falls as 1/N^2.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels import splitting
from wignerflow.kernels.layout import Layout
from wignerflow.phasespace.system import PhaseSpaceSystem

from .generator import changes, lowered, monomials
from .random_models import FAMILIES, arrays, linear, random_world, structures
from .twins import Twin, World

TOLERANCE = 1e-8  # relative; rounding in the difference quotient leaves 1e-9

COUNTS = {
    "one ensemble": 8,
    "one collective spin": 5,
    "one spin": 5,
    "one mode": 5,
    "mixture": 5,
    "Tavis-Cummings": 3,
    "arrays": 3,
    "waveguide": 3,
}
MANY = 80  # times as many in the slow test


def models(quick: int, all_of_them: int) -> pytest.MarkDecorator:
    """So many models in every run of the tests, the others in the slow ones."""
    slow = [pytest.param(range(quick, all_of_them), marks=pytest.mark.slow, id="more")]
    return pytest.mark.parametrize("numbers", [pytest.param(range(quick), id="few"), *slow])


def assert_equal(classical: np.ndarray, exact: np.ndarray, tolerance: float = TOLERANCE) -> None:
    assert np.abs(classical - exact).max() <= tolerance * (1 + np.abs(exact).max())


def check_means(world: World, **options: Any) -> None:
    assert_equal(*changes(world, [(v,) for v in world.variables()], degree=2, **options))


@pytest.mark.parametrize("family", FAMILIES)
def test_means_change_exactly(family):
    for number in range(COUNTS[family]):
        check_means(random_world(family, number))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_means_change_exactly_in_many_more_models(family):
    for number in range(COUNTS[family], MANY * COUNTS[family]):
        check_means(random_world(family, number))


@models(1, 4)
@pytest.mark.parametrize("structure", structures(World(np.random.default_rng(0)), 3))
def test_means_change_exactly_under_every_coupling(structure, numbers):
    for number in numbers:
        world = World(np.random.default_rng([77, number]))
        arrays(world, structure)
        check_means(world)


# ---------------------------------------------------------------------------- second moments


def check_second_moments(world: World, degree: int = 3, **options: Any) -> None:
    pairs = [m for m in monomials(world.variables(), 2) if len(m) == 2]
    assert_equal(*changes(world, pairs, degree=degree, **options))


@pytest.mark.parametrize("modes", [1, 2])
def test_second_moments_of_modes_change_exactly(modes):
    for number in range(8):
        world = World(np.random.default_rng([78, modes, number]))
        for _ in range(modes):
            world.mode(cutoff=8)
        world.add_H(linear(world).hermitian())
        world.add_H((linear(world) * linear(world)).hermitian())
        for _ in range(2):
            world.add_jump(linear(world, constant=True), world.rng.uniform(0, 1))
        check_second_moments(world, degree=2)


def test_second_moments_of_an_array_of_modes_change_exactly():
    for number in range(4):
        world = World(np.random.default_rng([79, number]))
        chain = world.mode(count=2, cutoff=7)
        a = world.array(chain, "a")
        dense = np.array([[0.4, 1 - 0.3j], [0.8j, -1]])
        world.add_H(world.couple(a.dag(), dense, a, dense).hermitian())
        world.add_H((np.array([0.3, 1j]) * a).sum().hermitian())
        world.add_H((0.2 * a.sum() * a.sum()).hermitian())
        world.add_member_jumps(a, np.array([0.3, 0.9]))
        world.add_jump((np.array([1, -0.5j]) * a.dag()).sum(), 0.2)
        check_second_moments(world, degree=2)


def test_kerr_and_two_photon_terms_change_first_and_second_moments_exactly():
    # the corrections to the classical bracket begin with third derivatives
    for number in range(8):
        world = World(np.random.default_rng([80, number]))
        a = world.op(world.mode(cutoff=11), "a")
        n = a.dag() * a
        world.add_H(world.rng.normal() * n * n)
        world.add_H((world.number() * a * a).hermitian())
        world.add_H((world.number() * a * a.dag() * a).hermitian())
        world.add_jump(a, 0.7)
        moments = [m for m in monomials(world.variables(), 2) if m]
        assert_equal(*changes(world, moments, degree=4))


@pytest.mark.parametrize("jump", ["two-photon loss", "dephasing", "squeezed dephasing"])
def test_means_change_exactly_under_quadratic_jumps_of_a_mode(jump):
    for number in range(5):
        world = World(np.random.default_rng([81, number]))
        a = world.op(world.mode(cutoff=9), "a")
        x = a + a.dag()
        L = {"two-photon loss": a * a, "dephasing": a.dag() * a, "squeezed dephasing": x * x}[jump]
        world.add_jump(L, 0.6)
        world.add_H((world.number() * a).hermitian())
        assert_equal(*changes(world, [(v,) for v in world.variables()], degree=3))


def collective_world(number: int, N: int, spins: int) -> World:
    """A model with a limit at large N: fields of order one, jumps of rate 1/N."""
    world = World(np.random.default_rng([82, spins, number]))
    for _ in range(spins):
        world.collective(N / 2)
    world.add_H(linear(world).hermitian())
    world.add_H((0.5 / N) * (linear(world) * linear(world)).hermitian())
    for _ in range(2):
        world.add_jump(linear(world), 1 / N)
    return world


def second_moment_error(world: World, **options: Any) -> float:
    pairs = [m for m in monomials(world.variables(), 2) if len(m) == 2]
    classical, exact = changes(world, pairs, degree=3, **options)
    return float(np.abs(classical - exact).max() / np.abs(exact).max())


SIZES = {1: (16, 64), 2: (5, 15)}


def gain(spins: int, models: int = 6, **options: Any) -> tuple[float, float]:
    """The power of 1/N with which the relative error falls, and N^2 times the last of it."""
    errors = np.array(
        [
            [second_moment_error(collective_world(k, N, spins), **options) for N in SIZES[spins]]
            for k in range(models)
        ]
    )
    power = np.log(errors[:, 0] / errors[:, 1]).mean() / np.log(SIZES[spins][1] / SIZES[spins][0])
    return float(power), float(errors[:, 1].max() * SIZES[spins][1] ** 2)


@pytest.mark.parametrize("spins", SIZES)
def test_second_moments_change_up_to_one_over_N_squared(spins):
    power, error = gain(spins)
    assert power > 1.8
    assert error < 20


# ---------------------------------------------------------------------------- negative controls


def flipped_phase(source: str) -> str:
    out = re.sub(r"(phi\d+ = )(F\(0\.5\).*)", r"\1-(\2)", source)
    assert out != source
    return out


def wrong_sign_of_H(system: PhaseSpaceSystem) -> None:
    system.hamiltonian = system.hamiltonian * -1


def gain_for_loss(system: PhaseSpaceSystem) -> None:
    for channel in system.channels:
        channel.symbol = channel.symbol.real() - channel.symbol.imag() * 1j


def halved_rate(system: PhaseSpaceSystem) -> None:
    for channel in system.channels:
        channel.rate = channel.rate / 2


def local_drift_reversed(system: PhaseSpaceSystem) -> None:
    for step in system.local:
        step.parts = [(rate, lam, -c) for rate, lam, c in step.parts]


def local_decay_halved(system: PhaseSpaceSystem) -> None:
    for step in system.local:
        step.parts = [(rate, lam / 2, c) for rate, lam, c in step.parts]


MUTANTS = [wrong_sign_of_H, gain_for_loss, halved_rate, local_drift_reversed, local_decay_halved]


@models(1, 3)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_spoilt_system_is_caught(mutant, numbers):
    for number in numbers:
        world = random_world("waveguide", number)  # right: ``test_means_change_exactly``
        with pytest.raises(AssertionError):
            check_means(world, text=lowered(world, mutant))


@models(1, 5)
def test_a_flipped_phase_is_caught(numbers):
    for number in numbers:
        with pytest.raises(AssertionError):
            check_means(random_world("waveguide", number), edit=flipped_phase)


@pytest.mark.parametrize("family", ["one collective spin", "waveguide"])
@pytest.mark.parametrize("noise", [0.0, 0.5, np.sqrt(0.5), 1.01])
@models(1, 5)
def test_wrong_noise_is_caught_in_the_means(family, noise, numbers):
    # through the Stratonovich correction, which is linear in the noise's strength
    for number in numbers:
        with pytest.raises(AssertionError):
            check_means(random_world(family, number), noise=noise)


def euler(
    layout: Layout, kind: str, tag: str, g: list[str], x: list[str], y: list[str], stage: int
) -> list[str]:
    """A spin moved by g x J without the second-order part of the rotation."""
    half = "F(0.5)" if stage == 1 else "F(1)"
    G = [f"({a})" if a else "F(0)" for a in g]
    pairs = [((a + 1) % 3, (a + 2) % 3) for a in range(3)]
    return [
        f"{y[a]} = {x[a]} + {half} * ({G[i]} * {x[j]} - {G[j]} * {x[i]})"
        for a, (i, j) in enumerate(pairs)
    ]


@models(1, 5)
@pytest.mark.parametrize("family", ["one ensemble", "waveguide"])
def test_a_missing_stratonovich_term_is_caught(family, numbers, monkeypatch):
    monkeypatch.setattr(splitting, "move", euler)
    for number in numbers:
        with pytest.raises(AssertionError):
            check_means(random_world(family, number))


@pytest.mark.parametrize("noise", [0.5, np.sqrt(0.5), 0.9])
def test_wrong_noise_is_caught_in_the_second_moments(noise):
    power, error = gain(1, 2, noise=noise)
    assert power < 1.5 and error > 20


def test_the_order_of_the_indices_of_a_dissipation_matrix_is_seen():
    world = World(np.random.default_rng(83))
    chain = world.ensemble([1, 2], count=2)
    minus = world.array(chain, "Jm")
    G = np.array([[1, 0.4 + 0.5j], [0.4 - 0.5j, 0.7]])
    world.add_matrix_jumps(minus, G)
    check_means(world)
    world.jumps = [wf.Jump(minus.op, G.T)]
    with pytest.raises(AssertionError):
        check_means(world)


# ---------------------------------------------------------------------------- a trap


def test_a_jump_that_is_a_number_changes_nothing():
    world = World(np.random.default_rng(84))
    Jm = world.op(world.collective(1.5), "Jm")
    zero = 0 * Jm
    world.add_H(Jm.hermitian())
    world.add_jump(Twin(zero.op + 2j, zero.mat + 2j * world.identity()), 1.3)
    check_means(world)
