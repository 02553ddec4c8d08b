"""Plain loops: compiled they do what Python does, and every loop of the exact engines is one."""

from __future__ import annotations

import ast
import copy
import pathlib

import numpy as np
import pytest
import scipy.sparse as sp

import wignerflow as wf
from wignerflow.compiler.loops import Loop
from wignerflow.exact import populations, propagate, reach

FACTOR, LIMIT = 6364136223846793005, 3


def mixed(x):
    x = (x ^ (x >> np.uint64(30))) * np.uint64(FACTOR)
    return x ^ (x >> np.uint64(27))


@Loop
def hashes(seed, numbers, floats, signed):
    for n in range(numbers.size):
        numbers[n] = mixed(numbers[n]) + seed
        floats[n] = np.float64(numbers[n] >> np.uint64(12))
        signed[n] = np.int64(numbers[n] % np.uint64(1000))


@Loop
def leaving(rows, found, steps):
    """For every row the first negative entry, from odd places only; at most LIMIT in all."""
    total = 0
    for j in range(rows.shape[0]):
        found[j] = -1
        for k in range(rows.shape[1]):
            if k % 2 == 0:
                continue
            if rows[j, k] < 0.0:
                found[j] = k
                total += 1
                break
        if total == LIMIT:
            break
    while True:
        steps[0] += 1
        if steps[0] * steps[0] < 50:
            continue
        break


def compare(loop, *arguments):
    """What a loop writes, compiled and as Python has it."""
    one, two = copy.deepcopy(arguments), copy.deepcopy(arguments)
    loop(*one)
    with np.errstate(over="ignore"):
        loop.function(*two)
    changed = False
    for a, b, before in zip(one, two, arguments, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-300)
        changed = changed or not np.array_equal(a, before)
    assert changed  # and it wrote something
    return one


def test_unsigned_numbers_wrap_around():
    numbers = np.random.default_rng(0).integers(0, 2**64, 50, dtype=np.uint64)
    assert (numbers >> np.uint64(63)).any()
    compare(hashes, np.uint64(2**64 - 5), numbers, np.zeros(50), np.zeros(50, np.int64))


def test_loops_are_left_and_gone_on_with():
    rows = np.random.default_rng(1).normal(size=(9, 6)) + 0.8
    _, found, _ = compare(leaving, rows, np.full(9, -2, np.int64), np.zeros(1, np.int64))
    assert (found >= 0).sum() == LIMIT
    assert found[-1] == -2  # not reached


def test_other_numbers_are_refused():
    with pytest.raises(TypeError, match="float16"):
        leaving(np.zeros((2, 2), np.float16), np.zeros(2, np.int64), np.zeros(1, np.int64))


def test_series():
    rng = np.random.default_rng(2)
    B, W = sp.random(40, 40, 0.2, "csr", rng=rng), sp.random(3, 40, 0.3, "csr", rng=rng)
    y, powers = rng.normal(size=40), np.zeros((2, 40))
    arrays = (B.indptr, B.indices, B.data, W.indptr, W.indices, W.data)
    r = 0.7 * abs(B).sum(axis=0).max()
    out = compare(
        propagate._series,
        *arrays,
        y,
        powers,
        0.7,
        r,
        1e-8,
        np.zeros((60, 3)),
        np.zeros(1, np.int64),
    )
    np.testing.assert_allclose(out[6], sp.linalg.expm_multiply(0.7 * B, y), rtol=1e-8)
    assert 5 < out[-1][0] < 60


def test_populations():
    atoms = wf.Ensemble(5, name="atoms")
    model = wf.Model(
        jumps=[wf.Jump(atoms.Jm, 1.0), wf.LocalJump(atoms.sp, 0.7), wf.LocalJump(atoms.sz, 0.2)],
        initial={atoms: wf.down},
    )
    r = populations.rates(model)
    top, p = r.escape.max(), r.start
    both, windows = np.array([p, np.zeros_like(p)]), populations._windows(p)
    tables = np.random.default_rng(3).normal(size=(2, *p.shape))
    compare(
        populations._run, both, windows, np.zeros_like(windows), r.dj, r.q, r.rate / top,
        1 - r.escape / top, 1e-12, tables, np.zeros((90, 2)), 4, np.full(86, 0.1),
        np.zeros_like(p), np.zeros(1, np.int64), np.zeros(1),
    )  # fmt: skip


def test_every_loop_over_reached_components(monkeypatch):
    """A model whose walk grows its tables, compiled and as Python has it."""
    atoms, cavity = wf.Ensemble(2, name="atoms"), wf.Mode(name="cavity", cutoff=5)
    H = 0.4 * (cavity.a * atoms.Jp + cavity.adag * atoms.Jm) + 0.3 * atoms.Jy
    model = wf.Model(
        H,
        [wf.Jump(cavity.a, 1.0), wf.LocalJump(atoms.sm, 0.2)],
        initial={atoms: wf.up, cavity: wf.vacuum},
    )
    ops, t = {"n": cavity.n, "z": atoms.Jz, "y": atoms.Jy}, np.linspace(0, 1, 4)

    def solution():
        return wf.solve(model, t, e_ops=ops, method="exact", progress=False)

    one = solution()
    called = set()
    for name, loop in vars(reach).items():
        if isinstance(loop, Loop):
            monkeypatch.setattr(
                reach, name, lambda *a, loop=loop, name=name: (called.add(name), loop.function(*a))
            )
    with np.errstate(over="ignore"):
        two = solution()
    assert called == {"_enter", "_grow", "_count", "_fill", "_mark"}
    for name in ops:
        np.testing.assert_allclose(one.expect[name], two.expect[name], atol=1e-12)


def test_nothing_else_compiles():
    """No module of the package brings a compiler of its own, which would keep pickles."""
    for file in pathlib.Path(wf.__file__).parent.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "numba" in text else ():
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            assert not any(name.split(".")[0] == "numba" for name in names), file
