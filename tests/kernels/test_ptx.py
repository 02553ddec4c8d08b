"""Compiled GPU code, run on the CPU by ``ptx``: every kind of kernel next to NumPy lanes.

No GPU and none of its libraries are needed, but a C compiler is.
"""

from __future__ import annotations

import re
import shutil
from unittest.mock import patch

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.bench.gpu import KINDS, one, spills
from wignerflow.compiler.targets import nvidia
from wignerflow.kernels import cuda
from wignerflow.kernels.cuda import CudaKernel
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.module import KernelText
from wignerflow.kernels.observe import Readout
from wignerflow.observables import flatten

from .card import emulated_card
from .lanes import LaneRun
from .ptx import Emulated

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")

SEED, STEPS, NTRAJ = 2**40 + 3, 5, 35
#: Normals are made in single precision, whose rounding depends on the compiler. It shows most in
#: normals near zero, made from a uniform number near one, of which 2^-24 is the last digit.
ROUNDING, WORST = 2e-6, 2e-4
NAMES = [kind[0] for kind in KINDS]


def lowered(make, method, dt) -> KernelText:
    model, e_ops = make()
    _, base, plan = flatten(e_ops, model.subsystems)
    system, symbols = method.lower(model, base, np.array([0.0, STEPS * dt]))
    return KernelText(system, [Readout(symbols[k], plan.base[k].is_complex) for k in base])


def grid_of(dt):
    return Grid.make(np.array([0.0, 2 * dt, STEPS * dt]), dt)


@pytest.mark.skipif(shutil.which("ptxas") is None, reason="NVIDIA's assembler is not installed")
@pytest.mark.parametrize("capability", [(7, 0), (9, 0), (12, 0)])
@pytest.mark.slow
def test_the_makers_assembler_takes_the_code_and_spills_nothing(capability):
    """Of cards older than the assembler knows nothing can be said; a new one runs older code."""
    for which in ("one ensemble", "waveguide chain, M = 20"):
        kernel = kernel_of(*KINDS[NAMES.index(which)][1:], single=True, ready=False)
        target = nvidia(capability)
        run, sums = kernel.kernels(target)
        assert b".local" not in run.code and b".f64" not in run.code
        known = max(target.cpu, "sm_75")  # the oldest that ptxas 13 knows
        assert [spills(str(shutil.which("ptxas")), x.code, known) for x in (run, sums)] == [0, 0]
    with pytest.raises(RuntimeError, match="ptxas refuses"):
        spills(str(shutil.which("ptxas")), run.code.replace(b"fma", b"fmb"), known)


def kernel_of(make, method, dt, single=False, ready=True):
    text = lowered(make, method, dt)
    batched = np.arange(min(2, text.channels))
    return CudaKernel(text, grid_of(dt), single=single, batched=batched, ready=ready)


def fields(out):
    return (out.count, out.mean, out.m2, out.batch_count, out.batch_sum, out.clips, out.final)


@pytest.mark.slow  # of one ensemble see ``test_solve_on_the_card``
@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize(
    ("make", "method", "dt"), [pytest.param(*kind[1:], id=kind[0]) for kind in KINDS]
)
def test_compiled_code_equals_numpy_lanes(make, method, dt, precision):
    with emulated_card() as turns:
        kernel = kernel_of(make, method, dt, precision == "single")
        out = kernel.simulate(0, 1, NTRAJ, SEED, keep=True)
        for turns["order"] in (1, 2):  # of threads
            again = kernel.simulate(0, 1, NTRAJ, SEED, keep=True)
            for a, b in zip(fields(out), fields(again), strict=True):
                assert np.array_equal(a, b)
        with patch.object(cuda, "LAUNCH_STEPS", 1):  # one step per launch
            pieces = kernel.simulate(0, 1, NTRAJ, SEED, keep=True)
        for a, b in zip(fields(out), fields(pieces), strict=True):
            assert np.array_equal(a, b)
    run = LaneRun(lowered(make, method, dt), grid_of(dt), NTRAJ)
    states = run.run(SEED)
    size = np.abs(states[-1]).max(axis=1, keepdims=True)
    bound = ROUNDING if precision == "double" else 100 * ROUNDING
    assert np.abs(states[-1] - states[0]).max() > 1e-3
    apart = np.abs(out.final[0, :, :NTRAJ] - states[-1]) / size
    assert np.quantile(apart, 0.999) <= bound
    assert apart.max() <= max(bound, WORST)
    last = run.observe()
    scale = np.abs(last).max(axis=1)
    mean = out.mean[0, -1, : last.shape[0]]
    assert np.all(np.abs(mean - last.mean(axis=1)) <= bound * scale)
    assert np.all(out.count == NTRAJ)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("which", "pattern"),
    [
        ("waveguide chain, M = 500", r"bar\.sync\s+0;"),
        ("nearest neighbours, M = 40", "bar.warp.sync"),
    ],
)
def test_a_missing_barrier_is_noticed(which, pattern):
    make, method, dt = KINDS[NAMES.index(which)][1:]

    def without(ptx: str) -> str:
        assert re.search(pattern, ptx)
        return re.sub(rf"{pattern}[^\n]*", "", ptx)

    with emulated_card(change=without) as turns:
        kernel = kernel_of(make, method, dt)
        means = []
        for turns["order"] in (0, 1, 2):
            means.append(kernel.simulate(0, 1, NTRAJ, SEED).mean)
    assert not np.array_equal(means[0], means[1]) or not np.array_equal(means[0], means[2])


def test_solve_on_the_card():
    model, e_ops = one()
    options = {"e_ops": e_ops, "ntraj": 300, "seed": 5, "dt": 1e-4, "progress": False}
    times = [0.0, 1e-3, 3e-3]
    here = wf.solve(model, times, **options)
    with emulated_card():
        there = wf.solve(model, times, device="auto", **options)
    assert there.stats["device"] == "sm_90 emulated x 1"
    for name in e_ops:
        error = np.hypot(here.sem[name], there.sem[name])[1:]
        # the same trajectories, in single precision
        assert np.all(np.abs(here.expect[name] - there.expect[name])[1:] <= 0.01 * error)


def test_jumps_by_number_are_followed(tmp_path):
    code = """
.visible .entry choose(.param .u64 choose_param_0) {
  .reg .b32 %r<2>;
  .reg .b64 %rd<2>;
  ld.param.b64 %rd1, [choose_param_0];
  ld.global.b32 %r1, [%rd1];
$L_brx_0: .branchtargets
    $L_one,
    $L_other;
  brx.idx %r1, $L_brx_0;
$L_one:
  st.global.b32 [%rd1+4], 7;
  ret;
$L_other:
  st.global.b32 [%rd1+4], 9;
  ret;
}
"""
    for number, right in ((0, 7), (1, 9)):
        memory = np.array([number, 0], np.uint32)
        Emulated(code, tmp_path)((1, 1, 1), (1, 1, 1), np.array([memory.ctypes.data], np.int64), 0)
        assert memory[1] == right
