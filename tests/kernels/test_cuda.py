"""CUDA kernels: what is made for a card, run on the CPU by ``ptx``; machines without a GPU."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.compiler import build, targets
from wignerflow.kernels import card, cuda, threads
from wignerflow.kernels.card import Function
from wignerflow.kernels.grid import Grid
from wignerflow.kernels.threads import Shape
from wignerflow.run import loop, pool

from .card import emulated_card
from .models import chain, couplings, laser, printed, singles

NONE = np.empty(0, np.int64)
NO_GPU = "no NVIDIA GPU was found"


def test_no_gpu_is_refused_or_passed_over(monkeypatch):
    monkeypatch.setattr(card, "unavailable", lambda: NO_GPU)
    model, e_ops = laser()
    times = [0.0, 0.1]
    options = {"e_ops": e_ops, "ntraj": 64, "seed": 1, "dt": 0.05, "progress": False}
    with pytest.raises(
        ValueError, match=r"`device` must be 'cpu' or 'auto' on this machine.*No NV"
    ):
        wf.solve(model, times, device="cuda", **options)
    result = wf.solve(model, times, device="auto", **options)
    assert result.stats["device"] == "cpu"
    assert result.stats["notes"] == [f"device='auto' took the CPU: {NO_GPU}."]
    with pool.using_device("auto"):
        assert wf.solve(model, times, **options).stats["notes"] == result.stats["notes"]
    quiet = wf.solve(model, times, **options)
    assert "notes" not in quiet.stats
    assert np.array_equal(quiet.expect["emission"], result.expect["emission"])


def test_why_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(card.importlib.util, "find_spec", lambda name: None)
    assert "pip install 'wignerflow[gpu]'" in card.unavailable()


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"cuInit": card.DriverError("cuInit: CUDA_ERROR_NO_DEVICE")}, "NO_DEVICE"),
        ({"cuDriverGetVersion": 11040}, "the NVIDIA driver supports CUDA 11.4, and 11.8 is needed"),
        ({"cuDeviceGetCount": 0}, "no NVIDIA GPU is visible"),
        ({"capability": (6, 1)}, "generation before Volta"),
        ({}, None),
    ],
)
def test_what_a_driver_cannot_do_is_said_in_one_sentence(monkeypatch, answers, said):
    def call(name, *arguments):
        answer = {"cuInit": 0, "cuDriverGetVersion": 12040, "cuDeviceGetCount": 1, **answers}[name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    found = card.About("a card", answers.get("capability", (8, 0)), 1, 1, 1.0)
    monkeypatch.setattr(card.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(card, "_call", call)
    monkeypatch.setattr(card, "about", lambda number: found)
    reason = card.unavailable()
    assert reason is None if said is None else said in reason and "\n" not in reason


@pytest.mark.parametrize("make", [laser, singles, chain, couplings, lambda: chain(20)])
def test_source_has_registers_for_scratch(make):
    """Trajectories do not care where scratch lies; a GPU's speed hangs on it."""
    text = printed(*make(), [0.0, 1.0])
    kernel = cuda.CudaKernel(
        text, Grid.make(np.array([0.0, 1.0]), 0.1), single=True, batched=NONE, ready=False
    )
    places = re.findall(r"\bs\[([^\]]+)\]", kernel.source)
    assert places and all(place == "ALIVE" or place.isdigit() for place in places)
    assert not re.search(r"\bo\[\d+\]|keep \*|\.size //", kernel.source)


@pytest.mark.parametrize(
    ("make", "threads", "lanes"),
    [
        (laser, 1, 16384),
        (chain, 1, 16384),
        (lambda: chain(20), 4, 2048),
        (lambda: chain(500), 64, 512),
        (lambda: couplings(20), 4, 2048),
        (lambda: couplings(150), 1, 2048),
    ],
)
def test_shape_depends_on_the_layout_alone(make, threads, lanes):
    text = printed(*make(), [0.0, 1.0])
    shape = Shape.of(text)
    assert (shape.threads, shape.lanes) == (threads, lanes)
    assert shape.threads * shape.rows >= 32
    assert shape.lanes % (shape.rows * 32) == 0 or shape.rows < 32


# ---------------------------------------------------------------------------- on a stand-in

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
TIMES, SHORT, DT, SEED = np.array([0.0, 0.05, 0.15]), np.array([0.0, 0.1]), 0.05, 2**40 + 3
OPTIONS = {"seed": 5, "dt": DT, "progress": False}


@pytest.fixture
def small(monkeypatch):
    """Chunks of 64 trajectories, and few threads, on a stand-in for a card."""
    monkeypatch.setattr(threads, "CHUNKS", ((48, 64),))
    monkeypatch.setattr(threads, "BLOCK", 4)
    with emulated_card() as turns:
        yield turns


def kernel_of(single=False):
    text = printed(*laser(), TIMES)
    grid = Grid.make(TIMES, DT)
    return cuda.CudaKernel(text, grid, single=single, batched=np.arange(text.channels))


def fields(out):
    return (out.count, out.mean, out.m2, out.batch_count, out.batch_sum, out.clips)


@needs_cc
def test_bits_do_not_depend_on_launches_and_tasks(small, monkeypatch):
    kernel = kernel_of(single=True)
    ntraj = 2 * 64 - 29
    together = kernel.simulate(0, 2, ntraj, SEED)
    monkeypatch.setattr(cuda, "LAUNCH_STEPS", 1)  # one step per launch
    monkeypatch.setattr(cuda, "VALUE_BYTES", 1)  # one output at a time
    pieces = [kernel.simulate(c, 1, ntraj, SEED) for c in range(2)]
    for a, *parts in zip(fields(together), *map(fields, pieces), strict=True):
        assert np.array_equal(a, np.concatenate(parts))


def changed(kernel, right, wrong):
    """Let a kernel run another text."""
    assert right in kernel.source
    text = kernel.source.replace(right, wrong, 1)
    kernel._run = Function(build.object_code(text, targets.nvidia((9, 0)), "run"), "run")


@needs_cc
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("U(t0 + l), kc", "U(t0 + l + 1), kc"),
        ("kl = locals_[(number + i if", "kl = locals_[(number if"),
    ],
)
@pytest.mark.slow
def test_a_wrong_counter_is_noticed(small, right, wrong):
    kernel = kernel_of()
    true = kernel.simulate(0, 1, 2, SEED, keep=True)
    changed(kernel, right, wrong)
    false = kernel.simulate(0, 1, 2, SEED, keep=True)
    assert np.array_equal(true.mean[:, 0], false.mean[:, 0])
    assert np.all(np.abs(true.final - false.final)[:, :, :2].max(axis=1) > 1e-3)


@needs_cc
@pytest.mark.slow
def test_failed_trajectories_are_left_out(small):
    kernel = kernel_of()
    every = kernel.simulate(0, 1, 4, SEED, keep=True)
    line = "s[ALIVE] = F(1)"
    # every other one begins with a variable that is not a number
    changed(kernel, line, f"{line}\n        vs[0] = vs[0] if l % 2 == 1 else F(np.nan)")
    out = kernel.simulate(0, 1, 4, SEED)
    assert out.count.tolist() == [[2] * TIMES.size]
    assert out.batch_count[0, -1, :4].tolist() == [0, 1, 0, 1]
    z = every.final[0, 2, 1:4:2]
    assert np.allclose(out.mean[0, -1, 1], z.mean(), rtol=1e-12)
    assert np.allclose(out.m2[0, -1, 1], z.var() * 2, rtol=1e-9)


@needs_cc
def test_solve_with_a_checkpoint(small, tmp_path):
    model, e_ops = laser()
    file = tmp_path / "run.nc"
    options = {**OPTIONS, "e_ops": e_ops, "device": "cuda"}
    wf.solve(model, SHORT, ntraj=64, checkpoint=file, **options)
    whole = wf.solve(model, SHORT, ntraj=128, checkpoint=file, **options)
    assert whole.stats["resumed"] == 64
    assert whole.stats["device"] == "sm_90 emulated x 1"
    assert whole.stats["target"] == "cuda sm_90 emulated"
    alone = wf.solve(model, SHORT, ntraj=128, **{**options, "device": "auto"})
    for name in e_ops:
        assert np.array_equal(alone.expect[name], whole.expect[name])
        assert np.array_equal(alone.sem[name], whole.sem[name])
    here = wf.solve(model, SHORT, ntraj=128, **{**options, "device": "cpu"})
    for name in e_ops:  # the same trajectories
        assert np.allclose(alone.expect[name], here.expect[name], rtol=1e-4)
    with pytest.raises(ValueError, match="another trajectories per chunk, 64 there"):
        wf.solve(model, SHORT, ntraj=128, checkpoint=file, **{**options, "device": "cpu"})


@needs_cc
@pytest.mark.slow
def test_target_stops_after_whole_chunks(small, monkeypatch):
    monkeypatch.setattr(loop, "MIN_CHUNKS_FOR_TARGET", 1)
    model, e_ops = laser()
    options = {**OPTIONS, "e_ops": e_ops, "device": "cuda", "target_sem": 1e3}
    result = wf.solve(model, SHORT, ntraj=10**6, **options)
    assert result.stats["stopped_because"] == "target_sem"
    assert result.ntraj % 64 == 0


def test_solve_refuses_what_the_gpu_cannot_do(small, monkeypatch):
    model, e_ops = laser()
    options = {**OPTIONS, "e_ops": e_ops, "ntraj": 32}
    with pytest.raises(ValueError, match=r"`device` must .*without phase-space trajectories"):
        wf.solve(model, TIMES, method="exact", device="cuda", e_ops=e_ops)
    monkeypatch.setattr(cuda, "free_memory", lambda number: 1e3)
    with pytest.raises(ValueError, match=r"needs .* GB of memory on the GPU, which has 1e-06 GB"):
        wf.solve(model, TIMES, device="cuda", **options)
    result = wf.solve(model, TIMES, device="auto", **options)
    assert result.stats["device"] == "cpu"
    assert "device='auto' took the CPU: One chunk of 64" in result.stats["notes"][-1]


DRIVEN = """
import numpy as np
import wignerflow as wf
from wignerflow.kernels import card

assert card.unavailable() is None, card.unavailable()
atoms = wf.Ensemble(100, name="atoms")
model = wf.Model(
    jumps=[wf.Jump(atoms.Jm, 0.01), wf.LocalJump(atoms.sp, 0.25)], initial={atoms: wf.up}
)
options = {"e_ops": {"z": atoms.Jz}, "ntraj": 20_000, "seed": 3, "dt": 0.1, "progress": False}
there = wf.solve(model, [0, 0.1, 0.3], device="cuda", **options)
here = wf.solve(model, [0, 0.1, 0.3], device="cpu", **options)
assert np.allclose(there.expect["z"], here.expect["z"], rtol=1e-5)
assert np.allclose(there.sem["z"], here.sem["z"], rtol=1e-4)
assert wf.solve(model, [0, 0.1], device="auto", **{**options, "seed": 4}).stats["device"] != "cpu"
print(there.stats["device"], "|", there.stats["target"])
"""


@needs_cc
@pytest.mark.slow
def test_host_code_through_the_makers_bindings(tmp_path):
    """All but the card: ``driver.c`` stands in for the driver's library, of two cards."""
    pytest.importorskip("cuda.bindings")
    here = Path(__file__).parent
    library = tmp_path / "libcuda.so.1"
    command = ["cc", "-O1", "-w", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1"]
    subprocess.run([*command, here / "driver.c", "-o", library, "-ldl"], check=True)
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(tmp_path),
        "WIGNERFLOW_STANDIN": str(tmp_path),
        "WIGNERFLOW_PTX": f"{sys.executable} {here / 'ptx.py'}",
        "PYTHONPATH": str(here.parent.parent),
    }
    done = subprocess.run(
        [sys.executable, "-c", DRIVEN], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "sm_90 Stand-in x 2 | cuda sm_90 Stand-in"
    kept = [p.suffix for p in tmp_path.glob("*.ptx")]
    assert len(kept) == 4  # two kernels on two cards, translated once each
    assert "driver:" not in done.stderr
