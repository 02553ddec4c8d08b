"""Noise from a factor of R: the exact Lindbladian in the generator, second moments that hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg

import wignerflow as wf
from wignerflow.kernels import local as local_module
from wignerflow.kernels import matrix_low
from wignerflow.kernels.matrix_local import MatrixLocal
from wignerflow.kernels.matrix_low import MatrixLow
from wignerflow.kernels.module import KernelText
from wignerflow.phasespace import levels

from .test_levels import LEVELS, array, check_means, check_second_moments, local_world, one_kind


@pytest.fixture
def always(monkeypatch):
    """Of two levels as well, so that worlds are small enough for brute force."""
    monkeypatch.setattr(levels, "LOW_LEVELS", 2)


#: Levels, emitters, and 0 for dense matrices, 1 for those of few entries.
MORE = [(3, 1, 0), (3, 1, 1), (3, 2, 0), (3, 3, 0), (4, 2, 0), (4, 2, 1)]
WORLDS = [(2, 2, 0), (3, 2, 1), *(pytest.param(*w, marks=pytest.mark.slow) for w in MORE)]


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(("d", "N", "number"), WORLDS)
def test_means_and_second_moments_change_exactly(d, N, number):
    check_second_moments(local_world(number, d, N), levels=LEVELS.get(d, 5))
    check_means(one_kind(number, d, N), levels=LEVELS.get(d, 5))


@pytest.mark.slow
@pytest.mark.usefixtures("always")
def test_means_change_exactly_in_arrays():
    for number in range(2):
        check_means(array(number))


def spoilt(place: str) -> Any:
    """A table of which numbers of one kind are one percent too large."""
    right = MatrixLow.rows

    def wrong(self: MatrixLow, *given: Any) -> np.ndarray:
        out = right(self, *given)
        first = self.moving + 2 * sum(map(len, self.entries_of))
        part = slice(self.moving, first) if place == "rows" else slice(first, None)
        out[..., part] *= 1.01
        return out

    return wrong


def single_entries() -> Any:
    """Channels |f><i|, which share the noise of coherences."""
    world = local_world(0, 3, 2, jumps=0)
    (site,) = world.sites
    for f, i, rate in ((0, 1, 0.7), (0, 2, 0.4), (2, 1, 0.6), (1, 1, 0.3)):
        world.add_level_jump(site.sub, np.eye(3)[[f]].T * np.eye(3)[i] * (0.8 - 0.5j), rate)
    return world


@pytest.mark.usefixtures("always")
def test_wrong_noise_is_caught_in_the_second_moments(monkeypatch):
    world = single_entries()
    check_second_moments(world)
    for place in ("rows", "apart"):
        with monkeypatch.context() as patch, pytest.raises(AssertionError):
            patch.setattr(MatrixLow, "rows", spoilt(place))
            check_second_moments(world)


@pytest.mark.usefixtures("always")
def test_a_factor_that_is_not_updated_is_caught(monkeypatch):
    world = local_world(0, 3, 1, jumps=1)
    right = matrix_low.LowLoops._factor

    def changed(x: Any) -> Any:
        if isinstance(x, list):
            return [changed(line) for line in x]
        return x.replace("- (cu * cw + cv * cf)", "- F(0)")

    def wrong(self: Any, out: Any) -> None:
        right(self, out)
        out[:] = changed(out)

    monkeypatch.setattr(matrix_low.LowLoops, "_factor", wrong)
    with pytest.raises(AssertionError):
        check_second_moments(world)


def test_steps_in_time_are_tabulated_together(monkeypatch):
    """Rates that depend on time have a flow per step and member; these are made many at a time."""
    atoms = wf.Levels(9, 3, name="atoms", count=2)
    rate, fixed = wf.coef(lambda t: 1 + t * t), np.array([0.2, 0.5])
    jumps = [wf.LocalJump(atoms.one("0", "1"), rate), wf.LocalJump(atoms.one("2", "0"), fixed)]
    model = wf.Model(jumps=jumps, initial={atoms: wf.level("1")})
    local = KernelText(wf.TWA().lower(model, {}, np.ones(1))[0], []).local
    starts, lengths = np.linspace(0, 1, 7), np.linspace(0.01, 0.2, 7)
    made, right, own = [], local_module.exponential, local.matrices[0]

    def counted(A: Any) -> Any:
        made.append(len(A))
        return right(A)

    monkeypatch.setattr(local_module, "exponential", counted)
    monkeypatch.setattr(local_module, "NUMBERS", 6 * own.numbers)  # three steps of two members
    table = local._table(0, starts, lengths, 2, True)
    assert made == [6, 6, 2]
    first, second = (G for *_, G in own.step.parts)
    for t, h, rows in zip(starts, lengths, table, strict=True):
        now = 1 + t * t + t * h + h * h / 3  # the mean over the step
        for m in range(2):
            G = now * first + fixed[m] * second
            flow = scipy.linalg.expm(0.5 * h * G)
            np.testing.assert_allclose(
                rows[m, : own.moving], own._moving(flow[None])[0], rtol=1e-11, atol=1e-14
            )
            roots = np.abs(rows[m, own.moving : own.moving + 4]) ** 2
            np.testing.assert_allclose(sorted(roots)[2:], sorted([now * h, fixed[m] * h]))


def turned_spins(F: float, N: int) -> tuple[wf.Model, dict[str, Any]]:
    """Spins F that a field turns and that decay one by one: second moments are closed."""
    atoms = wf.Levels.spin(F, N)
    lower = np.diag(np.sqrt([F * (F + 1) - m * (m + 1) for m in np.arange(-F, F)]), 1)
    jumps = [wf.LocalJump(atoms.one_matrix(lower), 0.6 / F**2)]
    ops = {"y": atoms.Sy, "yy": atoms.Sy * atoms.Sy, "zz": atoms.Sz * atoms.Sz, "z": atoms.Sz}
    lowest = wf.level(atoms.labels[0])
    return wf.Model(atoms.Sx, jumps, initial={atoms: lowest}), ops


@pytest.mark.slow
def test_second_moments_of_large_spins_hold(monkeypatch):
    """N independent spins 3/2: known from one of them. Capped noise misses them, the control."""
    N, t = 5, np.linspace(0, 6, 7)
    model, ops = turned_spins(1.5, N)
    one, single = turned_spins(1.5, 1)
    options: Any = {"progress": False, "truncation": False}
    alone = wf.solve(one, t, e_ops=single, method="exact", **options).expect
    exact = {k: N * alone[k + k] + N * (N - 1) * alone[k] ** 2 for k in "yz"}

    def off() -> float:
        run = wf.solve(model, t, e_ops=ops, ntraj=4_000, seed=3, dt=0.05, **options)
        return max(float(np.abs(run.expect[k + k] - exact[k]).max()) / N**2 for k in "yz")

    assert off() < 0.06
    monkeypatch.setattr(levels, "LOW_LEVELS", 9)
    assert off() > 0.15


def test_it_is_taken_for_more_than_two_levels():
    def taken(d: int, method: Any = None) -> bool:
        atoms = wf.Levels(5, d, name="atoms")
        jumps = [wf.LocalJump(atoms.one("0", "1"), 1.0)]
        model = wf.Model(jumps=jumps, initial={atoms: wf.level("1")})
        system, _ = (method or wf.TWA()).lower(model, {}, np.array([0.0, 1.0]))
        (local,) = KernelText(system, []).local.matrices.values()
        assert isinstance(local, MatrixLocal)
        return isinstance(local, MatrixLow)

    assert [taken(d) for d in (2, 3, 8)] == [False, True, True]
    assert not taken(5, wf.MeanField())


def test_bits_do_not_depend_on_threads():
    model, ops = turned_spins(1, 20)
    options: Any = {"progress": False, "truncation": False, "ntraj": 600, "seed": 3, "dt": 0.1}
    runs = [wf.solve(model, [0, 1], e_ops=ops, threads=n, **options).expect for n in (1, 2)]
    assert all(np.array_equal(runs[0][k], runs[1][k]) for k in ops)
