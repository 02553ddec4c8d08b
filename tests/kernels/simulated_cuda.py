"""CUDA kernels in numba-cuda's simulator, next to NumPy lanes; ``test_cuda`` runs this file.

The simulator runs every thread of a block as a Python thread, so cases are as small as they can be.
"""

from __future__ import annotations

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels import cuda, cuda_text
from wignerflow.kernels.cuda import load_module
from wignerflow.kernels.cuda_text import Shape
from wignerflow.kernels.module import Grid, KernelText
from wignerflow.kernels.observe import Readout
from wignerflow.observables import flatten
from wignerflow.run import driver, stopping

from .lanes import LaneRun
from .models import chain, couplings, laser, singles

TIMES, DT = np.array([0.0, 0.05, 0.15]), 0.05
SHORT = np.array([0.0, 0.1])  # for arrays, whose many observables take long
SEED = 2**40 + 3


def schwinger_chain():
    spins = wf.CollectiveSpin(2, name="spins", count=3)
    H = wf.couple(spins.Jx, wf.NearestNeighbour(), spins.Jx) + 0.3 * spins.Jz.sum()
    jumps = [wf.Jump(spins.Jm, 0.2)]
    return wf.Model(H, jumps, initial={spins: wf.down}), {"z": spins.Jz, "xx": spins.Jx * spins.Jx}


def driven_spin():
    atoms = wf.Ensemble(40, name="atoms")
    model = wf.Model(
        0.7 * atoms.Jx,
        [wf.Jump(atoms.Jm, 0.02), wf.Jump(atoms.Jp, 0.02), wf.LocalJump(atoms.sm, 0.3)],
        initial={atoms: wf.bloch(0.4, 0.1)},
    )
    return model, {"z": atoms.Jz, "zz": atoms.Jz * atoms.Jz}


def rotors():
    sites = wf.Ensemble(20, name="sites", count=3)
    jumps = [wf.Jump(sites.Jm.sum(), 0.05), wf.LocalJump(sites.sp, 0.4)]
    return wf.Model(None, jumps, initial={sites: wf.up}), {"z": sites.Jz}


def without_sites(make):
    """A model with its observables of the whole alone."""
    model, e_ops = make()
    return model, {k: v for k, v in e_ops.items() if not hasattr(v, "sum")}


def lowered(case, method) -> KernelText:
    model, e_ops = case()
    _, base, plan = flatten(e_ops, model.subsystems)
    system, symbols = method.lower(model, base, TIMES)
    return KernelText(system, [Readout(symbols[k], plan.base[k].is_complex) for k in base])


#: One trajectory per thread; a team within a "warp"; a team of two "warps".
THREADS, TEAM, WARPS = Shape(1, 2, 32, 2, 32), Shape(2, 2, 32, 2, 32), Shape(4, 1, 32, 2, 32)
CASES = [
    ("laser", laser, wf.TWA(), THREADS),
    ("singles", singles, wf.TWA(), THREADS),
    ("three-point", laser, wf.TWA(noise="three-point"), THREADS),
    ("Heun", laser, wf.TWA(scheme="heun"), THREADS),
    ("rotor", laser, wf.TWA(form="rotor"), THREADS),
    ("generalized P", driven_spin, wf.GeneralizedP(), THREADS),
    ("Schwinger", schwinger_chain, wf.Schwinger("Q"), THREADS),
    ("chain", lambda: without_sites(chain), wf.TWA(), THREADS),
    ("couplings", lambda: without_sites(couplings), wf.TWA(), THREADS),
    ("Schwinger", schwinger_chain, wf.Schwinger("Q"), TEAM),
    ("rotors", rotors, wf.TWA(form="rotor"), TEAM),
    ("chain, Heun", lambda: without_sites(chain), wf.TWA(scheme="heun"), TEAM),
    ("chain", chain, wf.TWA(), WARPS),
    ("couplings", lambda: without_sites(couplings), wf.TWA(), WARPS),
]

#: The simulator takes seconds for each: of every shape one or two are quick.
QUICK = {("laser", THREADS), ("singles", THREADS), ("Schwinger", TEAM), ("chain", WARPS)}


def grid_of(text):
    return Grid.make(SHORT if text.layout.arrays else TIMES, DT)


def kernel_of(text, shape=THREADS, single=False):
    batched = np.arange(min(2, text.channels))
    return cuda.CudaKernel(text, grid_of(text), single=single, batched=batched, shape=shape)


@pytest.mark.parametrize(
    ("make", "method", "shape"),
    [
        pytest.param(*case[1:], marks=[pytest.mark.slow] * ((case[0], case[3]) not in QUICK))
        for case in CASES
    ],
    ids=[f"{case[0]}-{case[3].threads}" for case in CASES],
)
def test_trajectories_and_sums_equal_numpy_lanes(make, method, shape):
    text = lowered(make, method)
    kernel = kernel_of(text, shape)
    ntraj = 32 + 3  # three trajectories of the second chunk
    out = kernel.simulate(1, 1, ntraj, SEED, keep=True)
    run = LaneRun(lowered(make, method), grid_of(text), 3)
    states = run.run(SEED, t0=32)
    size = np.abs(states[-1]).max(axis=1, keepdims=True)
    assert np.all(np.abs(states[-1] - states[0]).max(axis=1) > 1e-5)
    assert np.all(np.abs(out.final[0, :, :3] - states[-1]) <= 1e-10 * size)
    last = run.observe()
    K, scale = text.channels, np.abs(last).max(axis=1)
    assert np.all(np.abs(out.mean[0, -1, :K] - last.mean(axis=1)) <= 1e-10 * scale)
    spread = ((last - last.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    assert np.all(np.abs(out.m2[0, -1, :K] - spread) <= 1e-9 * scale**2)
    batches = np.zeros((32, kernel.batched.size))
    batches[:3] = last[kernel.batched].T
    assert np.all(np.abs(out.batch_sum[0, -1] - batches) <= 1e-10 * scale[kernel.batched])
    assert np.all(out.count == 3)
    assert out.batch_count[0, 0].tolist() == [1] * 3 + [0] * 29
    clips = run.s.reshape(-1, 3)[run.text.layout.scratch["clip"]].sum()
    assert out.clips[0] == clips


def fields(out):
    return (out.count, out.mean, out.m2, out.batch_count, out.batch_sum, out.clips)


def same(one, two):
    return all(np.array_equal(a, b) for a, b in zip(fields(one), fields(two), strict=True))


def test_bits_do_not_depend_on_launches_and_tasks(monkeypatch):
    kernel = kernel_of(lowered(laser, wf.TWA()), single=True)
    ntraj = 2 * 32 - 29
    together = kernel.simulate(0, 2, ntraj, SEED)
    monkeypatch.setattr(cuda, "LAUNCH_STEPS", 1)  # one step per launch
    monkeypatch.setattr(cuda, "VALUE_BYTES", 1)  # one output at a time
    pieces = [kernel.simulate(c, 1, ntraj, SEED) for c in range(2)]
    for a, *parts in zip(fields(together), *map(fields, pieces), strict=True):
        assert np.array_equal(a, np.concatenate(parts))


def test_team_continues_where_a_launch_ended(monkeypatch):
    kernel = kernel_of(lowered(rotors, wf.TWA(form="rotor")), TEAM)
    whole = kernel.simulate(0, 1, 2, SEED)
    monkeypatch.setattr(cuda, "LAUNCH_STEPS", 1)
    assert same(whole, kernel.simulate(0, 1, 2, SEED))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("U(t0 + l), kc", "U(t0 + l + 1), kc"),
        pytest.param("kc = U(0)", "kc = U(1)", marks=pytest.mark.slow),
        pytest.param("2 * (number + i) if", "2 * number if", marks=pytest.mark.slow),
    ],
)
def test_a_wrong_counter_is_noticed(right, wrong):
    kernel = kernel_of(lowered(laser, wf.TWA()))
    true = kernel.simulate(0, 1, 2, SEED, keep=True)
    assert right in kernel.source
    kernel._run = load_module(kernel.source.replace(right, wrong)).run
    false = kernel.simulate(0, 1, 2, SEED, keep=True)
    assert np.array_equal(true.mean[:, 0], false.mean[:, 0])
    assert np.all(np.abs(true.final - false.final)[:, :, :2].max(axis=1) > 1e-3)


def test_failed_trajectories_are_left_out():
    kernel = kernel_of(lowered(laser, wf.TWA()))
    every = kernel.simulate(0, 1, 4, SEED, keep=True)
    line = "s[ALIVE] = F(1)"
    assert line in kernel.source
    # every other one begins with a variable that is not a number
    bad = kernel.source.replace(line, f"{line}\n        vs[0] += F(0 if l % 2 else np.nan)", 1)
    kernel._run = load_module(bad).run
    out = kernel.simulate(0, 1, 4, SEED)
    assert out.count.tolist() == [[2] * TIMES.size]
    assert out.batch_count[0, -1, :4].tolist() == [0, 1, 0, 1]
    z = every.final[0, 2, 1:4:2]
    assert np.allclose(out.mean[0, -1, 1], z.mean(), rtol=1e-12)
    assert np.allclose(out.m2[0, -1, 1], z.var() * 2, rtol=1e-9)


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(cuda_text, "CHUNKS", ((48, 32),))
    monkeypatch.setattr(cuda_text, "BLOCK", 4)
    monkeypatch.setattr(cuda_text, "SUM_THREADS", 32)


OPTIONS = {"seed": 5, "dt": DT, "progress": False}


def test_solve_with_a_checkpoint(small_chunks, tmp_path):
    model, e_ops = laser()
    file = tmp_path / "run.nc"
    options = {**OPTIONS, "e_ops": e_ops, "device": "cuda"}
    wf.solve(model, SHORT, ntraj=32, checkpoint=file, **options)
    whole = wf.solve(model, SHORT, ntraj=64, checkpoint=file, **options)
    assert whole.stats["resumed"] == 32
    assert whole.stats["device"] == "simulator x 1"
    assert whole.stats["target"] == "cuda simulator"
    alone = wf.solve(model, SHORT, ntraj=64, **{**options, "device": "auto"})
    for name in e_ops:
        assert np.array_equal(alone.expect[name], whole.expect[name])
        assert np.array_equal(alone.sem[name], whole.sem[name])
    with pytest.raises(ValueError, match="another trajectories per chunk, 32 there"):
        wf.solve(model, SHORT, ntraj=64, checkpoint=file, **{**options, "device": "cpu"})


@pytest.mark.slow
def test_target_stops_after_whole_chunks(small_chunks, monkeypatch):
    monkeypatch.setattr(driver, "MIN_CHUNKS_FOR_TARGET", 1)
    monkeypatch.setattr(stopping, "MIN_CHUNKS_FOR_TARGET", 1)
    model, e_ops = laser()
    options = {**OPTIONS, "e_ops": e_ops, "device": "cuda", "target_sem": 1e3}
    result = wf.solve(model, SHORT, ntraj=10**6, **options)
    assert result.stats["stopped_because"] == "target_sem"
    assert result.ntraj % 32 == 0


def test_solve_refuses_what_the_gpu_cannot_do(small_chunks, monkeypatch):
    model, e_ops = laser()
    options = {**OPTIONS, "e_ops": e_ops, "ntraj": 32}
    with pytest.raises(ValueError, match=r"`device` must .*without phase-space trajectories"):
        wf.solve(model, TIMES, method="exact", device="cuda", e_ops=e_ops)
    monkeypatch.setattr(cuda, "free_memory", lambda number: 1e3)
    with pytest.raises(ValueError, match=r"needs .* GB of memory on the GPU, which has 1e-06 GB"):
        wf.solve(model, TIMES, device="cuda", **options)
    result = wf.solve(model, TIMES, device="auto", **options)
    assert result.stats["device"] == "cpu"
    assert "device='auto' took the CPU: One chunk of 32" in result.stats["notes"][-1]
