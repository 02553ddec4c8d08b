"""Emitters with levels: the printed step against the exact Lindbladian, and initial states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels import capped, matrix_local, splitting
from wignerflow.kernels.module import KernelText
from wignerflow.phasespace.matrices import brackets, units, variables
from wignerflow.phasespace.system import DISCRETE, FIXED, GAUSSIAN, MatrixStep

from ..few import few
from ..kernels.lanes import LaneRun, one_step
from .generator import changes, lowered, monomials
from .twins import World, level_variables

TOLERANCE = 1e-8
#: Extrapolations to a step of zero by number of levels; of more variables rounding grows in each.
LEVELS = {4: 4}


def assert_equal(classical: np.ndarray, exact: np.ndarray) -> None:
    assert np.abs(classical - exact).max() <= TOLERANCE * (1 + np.abs(exact).max())


def random_matrix(world: World, d: int, entries: int = 0) -> np.ndarray:
    A = world.rng.normal(size=(d, d)) + 1j * world.rng.normal(size=(d, d))
    if entries:  # all others are zero
        keep = world.rng.choice(d * d, entries, replace=False)
        A = np.where(np.isin(np.arange(d * d), keep).reshape(d, d), A, 0)
    return A / np.sqrt(d)


def one_kind(number: int, d: int, N: int) -> World:
    """Linear and quadratic H, collective jumps, local jumps, all of random matrices."""
    world = World(np.random.default_rng([90, d, N, number]))
    sub = world.levels(N, d)
    sparse = number % 2  # every second model has matrices of few entries

    def A() -> Any:
        return world.level_matrix(sub, random_matrix(world, d, 2 * sparse))

    world.add_H(A().hermitian())
    world.add_H(0.5 * (A() * A()).hermitian())
    for _ in range(2):
        world.add_jump(A(), world.rng.uniform(0, 1.5))
        world.add_level_jump(sub, random_matrix(world, d, 2 * sparse), world.rng.uniform(0, 1.5))
    return world


def with_mode(number: int) -> World:
    world = World(np.random.default_rng([91, number]))
    sub, mode, other = world.levels(1, 3), world.mode(cutoff=7), world.ensemble(1)
    a, minus = world.op(mode, "a"), world.op(other, "Jm")
    A, B = (world.level_matrix(sub, random_matrix(world, 3)) for _ in range(2))
    world.add_H((A * a.dag()).hermitian())
    world.add_H((B * minus.dag()).hermitian())
    world.add_jump(A + 0.3 * minus + 0.2 * a, 0.7)
    world.add_jump(a, 0.5)
    world.add_level_jump(sub, random_matrix(world, 3, 1), 0.8)
    return world


def array(number: int) -> World:
    world = World(np.random.default_rng([92, number]))
    chain = world.levels([1, 2] if number % 2 else [2, 2], 3, count=2)

    def A() -> Any:
        return world.level_array(chain, random_matrix(world, 3, 3))

    dense = world.rng.normal(size=(2, 2)) + 1j * world.rng.normal(size=(2, 2))
    world.add_H(0.5 * world.couple(A(), dense, A(), dense).hermitian())
    world.add_H((np.array([0.4, -1j]) * A()).sum().hermitian())
    world.add_H((0.2 * A().sum() * A().sum()).hermitian())
    world.add_jump((np.array([1, 0.5j]) * A()).sum(), 0.6)
    world.add_member_jumps(A(), np.array([0.3, 0.9]))
    world.add_matrix_jumps(A(), np.array([[1, 0.4 + 0.5j], [0.4 - 0.5j, 0.7]]))
    world.add_level_jump(chain, random_matrix(world, 3, 2), np.array([0.5, 0.8]))
    world.add_level_jump(chain, random_matrix(world, 3, 1), 0.6, member=1)
    return world


def local_world(number: int, d: int, N: int, jumps: int = 2) -> World:
    """Local channels and a linear H alone: second moments are closed."""
    world = World(np.random.default_rng([93, d, N, number]))
    sub = world.levels(N, d)
    world.add_H(world.level_matrix(sub, random_matrix(world, d)).hermitian())
    for _ in range(jumps):
        world.add_level_jump(
            sub, random_matrix(world, d, 2 * (number % 2)), world.rng.uniform(0, 1)
        )
    return world


def check_means(world: World, **options: Any) -> None:
    assert_equal(*changes(world, [(v,) for v in world.variables()], degree=2, **options))


def check_second_moments(world: World, seed: int = 0, **options: Any) -> None:
    pairs = [m for m in monomials(world.variables(), 2) if len(m) == 2]
    chosen = np.random.default_rng(seed).choice(len(pairs), min(40, len(pairs)), replace=False)
    assert_equal(*changes(world, [pairs[k] for k in chosen], degree=2, **options))


SIZES = [(2, 2), (3, 1), (3, 2), (3, 3), (4, 2)]


@pytest.mark.parametrize(("d", "N"), few(SIZES, [(2, 2), (3, 2)]))
def test_means_change_exactly(d, N):
    # full matrices, or those of few entries; both of two levels
    for number in {(3, 1): [0], (3, 2): [1]}.get((d, N), [0, 1]):
        check_means(one_kind(number, d, N), levels=LEVELS.get(d, 5))


@pytest.mark.slow
def test_means_change_exactly_the_other_way_round():
    check_means(one_kind(1, 3, 1))
    check_means(one_kind(0, 3, 2))


def test_means_change_exactly_with_a_mode_and_an_ensemble():
    check_means(with_mode(0))


@pytest.mark.slow
def test_means_change_exactly_in_arrays():
    for number in range(4):
        check_means(array(number))


@pytest.mark.parametrize(("d", "N"), few(SIZES, [(2, 2), (3, 1)]))
def test_second_moments_change_exactly_under_local_channels(d, N):
    for number in range(2):
        check_second_moments(local_world(number, d, N), levels=LEVELS.get(d, 5))


# ---------------------------------------------------------------------------- negative controls


def reversed_H(system: Any) -> None:
    system.hamiltonian = system.hamiltonian * -1


def halved_rates(system: Any) -> None:
    for channel in system.channels:
        channel.rate = channel.rate / 2


def transposed_channels(system: Any) -> None:
    for step in system.local:
        assert isinstance(step, MatrixStep)
        step.parts = [(rate, where, G.T) for rate, where, G in step.parts]


def slower_channels(system: Any) -> None:
    for step in system.local:
        step.parts = [(rate, where, 0.9 * G) for rate, where, G in step.parts]


@pytest.mark.parametrize("mutant", [reversed_H, halved_rates, transposed_channels, slower_channels])
def test_a_spoilt_system_is_caught(mutant):
    world = one_kind(0, 2, 1 + (mutant is halved_rates))
    with pytest.raises(AssertionError):
        check_means(world, text=lowered(world, mutant))


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.01])
def test_wrong_noise_of_collective_jumps_is_caught_in_the_means(noise):
    with pytest.raises(AssertionError):
        check_means(one_kind(0, 2, 2), noise=noise)


# of two levels; of more see ``test_matrix_low``
def test_wrong_noise_of_local_channels_is_caught_in_the_second_moments(monkeypatch):
    world = local_world(0, 2, 2)
    check_second_moments(world)
    right = matrix_local.covariance
    monkeypatch.setattr(matrix_local, "covariance", lambda flow: 1.01 * right(flow))
    with pytest.raises(AssertionError):
        check_second_moments(world)


def test_noise_without_its_correlations_is_caught_in_the_second_moments(monkeypatch):
    world = local_world(0, 2, 2)
    right = capped.capped_noise

    def diagonal(tag: str, order: Any, entries: Any, normals: Any, clip: str) -> Any:
        return right(tag, order, {k: v for k, v in entries.items() if k[0] == k[1]}, normals, clip)

    monkeypatch.setattr(matrix_local, "capped_noise", diagonal)
    with pytest.raises(AssertionError):
        check_second_moments(world)


@pytest.mark.parametrize("d", [2, 3, 4])
def test_brackets_are_commutators(d):
    """-i [x_i, x_j] = sum_k c_ijk x_k, of the matrices themselves."""
    _, x = units(d)
    table = brackets(d)
    for i in range(d * d):
        for j in range(d * d):
            commutator = -1j * (x[i] @ x[j] - x[j] @ x[i])
            assert np.allclose(np.tensordot(table[i, j], x, 1), commutator, atol=1e-14)
    assert np.abs(table).max() > 0.5


def test_a_turn_without_its_second_order_is_caught(monkeypatch):
    def euler(tag: str, g: Any, x: Any, y: Any, stage: int) -> list[str]:
        table, lines = brackets(round(len(x) ** 0.5)), []
        half = 0.5 if stage == 1 else 1.0
        for i in range(len(x)):
            parts = [
                f"F({half * table[i, j, k]!r}) * ({g[j]}) * {x[k]}"
                for j, k in zip(*np.nonzero(table[i]), strict=True)
                if g[j]
            ]
            lines.append(f"{y[i]} = " + " + ".join([x[i], *parts]))
        return lines

    monkeypatch.setattr(splitting, "turn", euler)
    with pytest.raises(AssertionError):
        check_means(one_kind(0, 3, 2))


# ---------------------------------------------------------------------------- initial states


def draws(state: Any, N: int, d: int, sampling: str, lanes: int = 50_000) -> tuple[Any, Any]:
    sub = wf.Levels(N, d, name="a")
    model = wf.Model(sub.pop("0"), initial={sub: state})
    system, _ = wf.TWA(sampling=sampling).lower(model, {}, np.array([0.0, 1.0]))
    run = LaneRun(KernelText(system, []), one_step(1.0), lanes)
    run.initial(7)
    return run.state, system.initial[0]


def moments(rho: np.ndarray, N: int) -> tuple[np.ndarray, np.ndarray]:
    """Means and covariances of the variables in a product state."""
    x = level_variables(len(rho))
    mean = np.array([np.trace(rho @ a).real for a in x])
    joint = np.array([[np.trace(rho @ (a @ b + b @ a)).real / 2 for b in x] for a in x])
    return N * mean, N * (joint - np.outer(mean, mean))


def random_rho(d: int, pure: bool, seed: int) -> np.ndarray:
    rng = np.random.default_rng([94, seed])
    g = rng.normal(size=(d, 1 if pure else d)) + 1j * rng.normal(size=(d, 1 if pure else d))
    return g @ g.conj().T / np.trace(g @ g.conj().T).real


@pytest.mark.parametrize(
    ("d", "N", "pure", "sampling", "kind"),
    [
        (3, 6, True, "gaussian", GAUSSIAN),
        (3, 6, False, "auto", GAUSSIAN),
        (4, 3, False, "fixed", GAUSSIAN),
        (3, 1, True, "auto", DISCRETE),
        (3, 1, False, "auto", DISCRETE),
        (4, 1, True, "auto", DISCRETE),
    ],
)
def test_initial_means_and_covariances_are_exact(d, N, pure, sampling, kind):
    rho = random_rho(d, pure, d + N)
    R, spec = draws(wf.density(rho), N, d, sampling)
    assert spec.kind.tolist() == [kind]
    mean, cov = moments(rho, N)
    error = np.sqrt(R.var(axis=1) / R.shape[1]) + 1e-12
    assert np.abs((R.mean(axis=1) - mean) / error).max() < 5
    # the error of a covariance is at most a few N over the root of the number of draws
    assert np.abs(np.cov(R) - cov).max() < 8 * N / np.sqrt(R.shape[1])
    assert np.abs(1.3 * np.cov(R) - cov).max() > 8 * N / np.sqrt(R.shape[1])


def test_fixed_length_has_exact_means_and_the_spectrum_of_the_symmetric_states():
    d, N = 3, 6
    rho = random_rho(d, True, 1)
    R, spec = draws(wf.density(rho), N, d, "fixed")
    assert spec.kind.tolist() == [FIXED]
    mean, cov = moments(rho, N)
    error = np.sqrt(R.var(axis=1) / R.shape[1]) + 1e-12
    assert np.abs((R.mean(axis=1) - mean) / error).max() < 5
    assert np.abs(np.cov(R) - cov).max() < 0.05 * N + 4 * N / np.sqrt(R.shape[1])
    weights = np.array([1 if k in (0, 3, 8) else 2 for k in range(9)])
    length = (weights[:, None] * R**2).sum(axis=0)  # Tr R^2
    assert np.allclose(length, N**2 + N * (d - 1), rtol=1e-12)


def test_discrete_draws_of_a_pure_state_have_the_exact_length():
    rho = random_rho(4, True, 2)
    R, _ = draws(wf.density(rho), 1, 4, "auto", 1000)
    off = np.ones(16)
    off[[0, 3, 8, 15]] = 0.5
    assert np.allclose((2 * off[:, None] * R**2).sum(axis=0), 1 + 3, rtol=1e-12)


def test_mean_field_starts_at_the_mean():
    rho = random_rho(3, False, 3)
    sub = wf.Levels(7, 3, name="a")
    model = wf.Model(sub.pop("0"), initial={sub: wf.density(rho)})
    system, _ = wf.MeanField().lower(model, {}, np.array([0.0, 1.0]))
    assert np.allclose(system.initial[0].mean[0], 7 * variables(rho))
    assert not np.any(system.initial[0].transform)
