"""Steps of many levels are loops over tables: they do what is printed term by term for few."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.compiler import build
from wignerflow.kernels import matrix_local, matrix_loops, splitting
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText
from wignerflow.phasespace.matrices import covariance, covariance_at, generator, variables

from ..kernels.lanes import LaneRun
from .generator import lowered
from .test_levels import check_means, one_kind
from .test_one_emitter import LARGEST, deviation, emitter

LANES = 64


def limit(monkeypatch: pytest.MonkeyPatch, levels: int) -> None:
    """Print up to so many levels term by term."""
    for module in (matrix_local, splitting):
        monkeypatch.setattr(module, "PRINTED", levels)


def ends(system: Any, edit: Callable[[str], str] = lambda text: text) -> tuple[np.ndarray, float]:
    """States after three steps from drawn ones, and the share of clamped steps."""
    run = LaneRun(KernelText(system, []), Grid.make(np.array([0, 0.3]), 0.1), LANES, edit=edit)
    states = run.run(5)[-1]
    clip = run.text.layout.scratch["clip"]
    return states, float(run.s.reshape(-1, LANES)[clip].mean())


def pair() -> Any:
    """Two clusters of two spins: noise by a table that all trajectories share."""
    chain = wf.Spin(name="chain", count=4)
    H = wf.couple(chain.sx, wf.NearestNeighbour(), chain.sx) + 0.4 * chain.sz.sum()
    model = wf.Model(H, [wf.Jump(chain.sm, 0.7)], initial={chain: wf.bloch(0.4, 1.0)})
    return wf.ClusterTWA(size=2).lower(model, {}, [0, 1])[0]


def kinds(number: int, d: int, N: int) -> Any:
    """Random H, collective and local jumps."""
    return lowered(one_kind(number, d, N)).system


CASES: dict[str, Callable[[], Any]] = {
    "dense, one emitter": lambda: kinds(0, 3, 1),
    "few entries": lambda: kinds(1, 4, 2),
    "dense": lambda: kinds(2, 4, 2),
    "shared noise": pair,
}


@pytest.mark.parametrize("case", CASES)
def test_loops_do_what_is_printed(case, monkeypatch):
    limit(monkeypatch, 8)
    printed, share = ends(CASES[case]())
    limit(monkeypatch, 1)
    looped, same = ends(CASES[case]())
    scale = np.abs(printed).max()
    assert np.abs(looped - printed).max() < 1e-10 * scale
    assert same == share
    # the control: a factor that is not updated, a turn by the wrong sign, noise in another place
    spoilt = ends(CASES[case](), _spoil)[0]
    assert np.abs(spoilt - printed).max() > 1e-4 * scale


def _spoil(text: str) -> str:
    for right, wrong in (("cd * cv", "cd"), ("cs = cs + p[b0 + ci]", "cs = cs + p[b0 + ci + 1]")):
        text = text.replace(right, wrong)
    return text


def test_five_levels_are_not_printed(monkeypatch):
    assert matrix_loops.PRINTED == 4
    system = kinds(0, 5, 1)
    lines = KernelText(system, []).plain().count("\n")
    limit(monkeypatch, 8)
    assert KernelText(kinds(0, 5, 1), []).plain().count("\n") > 1.5 * lines


@pytest.mark.slow  # what is printed obeys them, see ``test_levels``
def test_loops_obey_the_exact_equations(monkeypatch):
    limit(monkeypatch, 1)
    check_means(one_kind(0, 3, 1))


@pytest.mark.slow
def test_five_levels_have_exact_means():
    model, ops = emitter(5, 0, 0.3)
    t = np.linspace(0, 1, 5)
    options: Any = {"progress": False, "truncation": False}
    found = wf.solve(model, t, e_ops=ops, ntraj=8_000, seed=3, dt=0.02, **options)
    exact = wf.solve(model, t, e_ops=ops, method="exact", **options)
    assert deviation(found, exact) < LARGEST
    start = {sub: states[0] for sub, states in model.initial.items()}
    other = wf.Model(1.1 * model.H, model.jumps, initial=start)  # the control
    exact = wf.solve(other, t, e_ops=ops, method="exact", **options)
    assert deviation(found, exact) > LARGEST


def test_the_covariance_at_a_point_is_that_of_the_table():
    rng = np.random.default_rng(3)
    for d in (2, 3, 4):
        A = rng.normal(size=(2, d, d, 2)) @ np.array([1, 1j])
        flow = np.eye(d * d) + 0.1 * generator(A[0])
        v = np.stack([variables(B + B.conj().T) for B in A])
        table = np.einsum("ijm,em->eij", covariance(flow), v)
        assert np.allclose(covariance_at(flow, v), table, atol=1e-13)


def test_the_time_to_compile_counts_the_run_that_finds_means(monkeypatch):
    spent = []
    load = build.load

    def timed(text: str) -> Any:
        start = time.perf_counter()
        time.sleep(0.02)  # on any machine the last is not most of it
        out = load(text)
        spent.append(time.perf_counter() - start)
        return out

    monkeypatch.setattr(build, "load", timed)
    chain = wf.Spin(name="chain", count=2)
    H = wf.couple(chain.sx, wf.NearestNeighbour(), chain.sx)
    model = wf.Model(H, [wf.Jump(chain.sm, 0.7)], initial={chain: wf.down})
    options: Any = {"ntraj": 64, "dt": 0.1, "seed": 1, "truncation": False, "progress": False}
    run = wf.solve(model, [0, 0.2], e_ops=[chain.sz.sum()], method=wf.ClusterTWA(size=1), **options)
    assert len(spent) > 2
    assert run.stats["compile_time"] >= sum(spent) > 2 * spent[-1]


def test_a_shared_factor_meets_a_covariance_and_keeps_variances():
    rng = np.random.default_rng(4)
    root = rng.normal(size=(2, 15, 9))
    C = root @ root.swapaxes(-1, -2)  # of rank nine
    F = matrix_local.capped_factor(C)
    assert np.allclose(F @ F.swapaxes(-1, -2), C, atol=1e-3)
    assert np.allclose(F, np.tril(F))
    spoilt = C - 0.5 * np.eye(15)
    F = matrix_local.capped_factor(spoilt)
    kept = np.diagonal(F @ F.swapaxes(-1, -2), axis1=1, axis2=2)
    assert np.allclose(kept, np.diagonal(spoilt, axis1=1, axis2=2), rtol=1e-4)
    assert not np.allclose(F @ F.swapaxes(-1, -2), spoilt, atol=1e-2)
