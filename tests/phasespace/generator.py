"""The short-time generator of a printed step, with exact averages over noise and initial state.

For monomials f, (E[f(v_h)] - f(v_0))/h is evaluated with sign-symmetric nodes of degree three in
the noise, which leave whole powers of h only; Richardson extrapolation removes them. Its average is
taken over points whose signed weights reproduce the symmetrised moments of the initial state.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from wignerflow.kernels.module import KernelText
from wignerflow.phasespace.system import PhaseSpaceSystem
from wignerflow.phasespace.twa import TWA

from ..kernels.lanes import LaneRun, one_step
from .twins import World

Monomial = tuple[tuple[int, int], ...]


def monomials(variables: list[tuple[int, int]], degree: int) -> list[Monomial]:
    """All products of up to ``degree`` variables."""
    return [
        m for k in range(degree + 1) for m in itertools.combinations_with_replacement(variables, k)
    ]


def lowered(
    world: World,
    mutate: Callable[[PhaseSpaceSystem], None] | None = None,
    scheme: str = "splitting",
) -> KernelText:
    """The printed kernel of a random model; ``mutate`` spoils the system before it is printed."""
    system, _ = TWA(scheme=scheme).lower(world.model(), {}, np.array([0.0, 1.0]))
    if mutate is not None:
        mutate(system)
    return KernelText(system, [])


class Slots:
    """Where the variables of a world's sites live in the state."""

    def __init__(self, world: World, text: KernelText):
        subs = list(world.initial)
        self.slot = {}
        for k, site in enumerate(world.sites):
            block = subs.index(site.sub)
            n = len(site.variables)
            for c in range(n):
                self.slot[k, c] = text.layout.slot[block] + n * site.m + c

    def __call__(self, state: np.ndarray, mono: Monomial) -> np.ndarray:
        """Values of a monomial on a state (slots, ...)."""
        out = np.ones(state.shape[1:], state.dtype)
        for pair in mono:
            out = out * state[self.slot[pair]]
        return out


class Noise:
    """Hands out one column of nodes per random number that a step asks for."""

    def __init__(self, points: int):
        self.points, self.columns = points, {}
        self.nodes: np.ndarray | None = None

    def __call__(self, k0: Any, k1: Any, trajectory: Any, pair: Any) -> Any:
        key = (int(k0), int(k1), int(np.ravel(pair)[0]))
        first = self.columns.setdefault(key, 2 * len(self.columns))
        if self.nodes is None:
            zero = np.zeros(np.size(trajectory))
            return zero, zero
        return tuple(np.repeat(self.nodes[:, first + i], self.points) for i in range(2))

    def make(self) -> int:
        """Nodes for all numbers asked for so far: +-sqrt(n) along each axis; how many."""
        n = 2 * len(self.columns)
        if n == 0:
            self.nodes = np.zeros((1, 0))
        else:
            self.nodes = np.sqrt(n) * np.concatenate([np.eye(n), -np.eye(n)])
        return len(self.nodes)


def as_printed(source: str) -> str:
    """The printed kernel unchanged."""
    return source


def one_step_run(
    text: KernelText,
    start: np.ndarray,
    h: float,
    edit: Callable[[str], str],
    noise: float,
    rule: Noise,
) -> np.ndarray:
    """States (slots, lanes) after one output interval of one step."""
    lanes = start.shape[1]
    run = LaneRun(text, one_step(h), lanes, normal_pair=rule, unclipped=True, edit=edit)
    run.noise *= noise
    run.v[:] = start.ravel()
    run.local(run.rows[0], [1, 0, 0])
    run.step(0, h, run.rows[1], [2, 0, 0], [3, 0, 0])
    return run.state


@lru_cache(maxsize=4)
def asked(text: KernelText, edit: Callable[[str], str]) -> Noise:
    """The random numbers that a step asks for."""
    rule = Noise(1)
    slots = text.layout.state_slots
    one_step_run(text, np.full((slots, 1), 0.1), 1e-6, edit, 1.0, rule)
    rule.make()
    return rule


def end_states(
    text: KernelText, points: np.ndarray, h: float, edit: Callable[[str], str], noise: float
) -> np.ndarray:
    """States after one output interval of one step, (slots, nodes, points)."""
    rule = asked(text, edit)
    count = rule.points = points.shape[1]
    nodes = len(rule.nodes)
    out = one_step_run(text, np.tile(points, (1, nodes)), h, edit, noise, rule)
    return out.reshape(points.shape[0], nodes, count)


def mobility(text: KernelText, points: np.ndarray) -> np.ndarray:
    """How far a node of a step of length 1e-6 moves each point, relative to its size."""
    moved = end_states(text, points, 1e-6, as_printed, 1.0) - points[:, None, :]
    return np.abs(moved).max((0, 1)) / (np.abs(points).max(0) + 1e-3)


def small_step(moved: np.ndarray) -> float:
    """A step in which no node moves any point by more than about a tenth of its size, by how far

    one of 1e-6 moves each.
    """
    share = float(moved.max())
    return 1e-6 * min(0.1 / share, (0.1 / share) ** 2) if share > 0 else 1.0


def generator(
    text: KernelText,
    functions: list[Callable[[np.ndarray], np.ndarray]],
    points: np.ndarray,
    *,
    edit: Callable[[str], str] = as_printed,
    noise: float = 1.0,
    levels: int = 5,
    moved: np.ndarray | None = None,
) -> np.ndarray:
    """(E[f(v_h)] - f(v_0))/h as h -> 0 on every point, (functions, points).

    ``moved``: their :func:`mobility`, if it is known.
    """
    h = small_step(mobility(text, points) if moved is None else moved)
    table = []
    for level in range(levels):
        step = h / 2**level
        end = end_states(text, points, step, edit, noise)
        table.append(np.array([(f(end).mean(0) - f(points)) / step for f in functions]))
    for k in range(1, levels):
        table = [b + (b - a) / (2**k - 1) for a, b in itertools.pairwise(table)]
    assert np.abs(table[0].imag).max() < 1e-7 * (1 + np.abs(table[0].real).max())
    return table[0].real


def cloud(
    world: World, text: KernelText, slots: Slots, degree: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (slots, P), signed weights (P,) with the world's moments up to ``degree``, and how far

    a short step moves each point.
    """
    variables = world.variables()
    monos = monomials(variables, degree)
    rng = np.random.default_rng(seed)
    scale = np.ones(text.layout.state_slots)
    for pair in variables:
        scale[slots.slot[pair]] = np.sqrt(world.moment((pair, pair)))
    count = len(monos) + len(monos) // 4 + 4
    points = scale[:, None] * rng.normal(size=(len(scale), 2 * count))
    # off the Bloch ball a covariance can have a pivot next to zero, and huge (imaginary) noise
    moved = mobility(text, points)
    near = np.argsort(moved)[:count]
    points, moved = points[:, near], moved[near]
    A = np.array([slots(points, m) for m in monos])
    b = np.array([world.moment(m) for m in monos])
    norm = np.array([np.prod([scale[slots.slot[p]] for p in m]) for m in monos])
    weights = np.linalg.lstsq(A / norm[:, None], b / norm, rcond=None)[0]
    assert np.abs((A @ weights - b) / norm).max() < 1e-10
    return points, weights, moved


def changes(
    world: World,
    observables: list[Monomial],
    *,
    degree: int,
    text: KernelText | None = None,
    **options: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """d<O>/dt of symmetrised products of variables: by the printed step, and by the Lindbladian.

    ``degree`` is that of the generator applied to the observables.
    """
    text = text or lowered(world)
    slots = Slots(world, text)
    points, weights, moved = cloud(world, text, slots, degree)
    functions = [lambda v, m=m: slots(v, m) for m in observables]
    classical = generator(text, functions, points, moved=moved, **options) @ weights
    slope = world.slope()
    exact = np.array([world.change(world.product(m), slope) for m in observables])
    return classical, exact
