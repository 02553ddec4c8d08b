"""CUDA kernels: the simulator's cases in a process of their own, and machines without a GPU."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import wignerflow as wf
from wignerflow.kernels import cuda
from wignerflow.kernels.cuda_text import Shape
from wignerflow.kernels.module import Grid
from wignerflow.run import gpus

from .models import chain, couplings, laser, printed, singles

NONE = np.empty(0, np.int64)
NO_GPU = "no NVIDIA GPU was found"


@pytest.mark.parametrize(
    "which", ["not slow", pytest.param("slow", marks=pytest.mark.slow)], ids=["quick", "slow"]
)
def test_simulator(which):
    """The cases of ``simulated_cuda.py``: the simulator is chosen before Numba is imported."""
    cases = Path(__file__).with_name("simulated_cuda.py")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", which]
    command.append(str(cases))
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    environment.pop("PYTEST_XDIST_WORKER", None)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "passed" in done.stdout and "skipped" not in done.stdout


def test_no_gpu_is_refused_or_passed_over(monkeypatch):
    monkeypatch.setattr("wignerflow.kernels.cuda.unavailable", lambda: NO_GPU)
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
    with gpus.using_device("auto"):
        assert wf.solve(model, times, **options).stats["notes"] == result.stats["notes"]
    quiet = wf.solve(model, times, **options)
    assert "notes" not in quiet.stats
    assert np.array_equal(quiet.expect["emission"], result.expect["emission"])


def test_why_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(cuda.importlib.util, "find_spec", lambda name: None)
    assert "pip install 'wignerflow[gpu]'" in cuda.unavailable()


@pytest.mark.parametrize("make", [laser, singles, chain, couplings, lambda: chain(20)])
def test_source_has_registers_for_scratch(make):
    """The simulator does not care where scratch lies; a GPU's speed hangs on it."""
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
