"""The same text for machines that are not here: code is made and assembled, not run."""

from __future__ import annotations

import re
import shutil
import subprocess

import llvmlite.binding as llvm
import numpy as np
import pytest

from wignerflow.compiler import build, lower, targets
from wignerflow.kernels.cpu import CpuKernel
from wignerflow.kernels.cuda import CudaKernel
from wignerflow.kernels.grid import Grid

from ..few import few
from .models import chain, laser, printed

TIMES = np.array([0.0, 0.1])
#: Of the ELF format: where the machine's number stands, and numbers of machines.
MACHINE, AARCH64, AMDGPU = 18, 183, 224


def machine(code: bytes) -> int:
    """The machine that an object file is for."""
    assert code[:4] == b"\x7fELF"
    return int.from_bytes(code[MACHINE : MACHINE + 2], "little")


CASES = [(laser, False), (chain, False), (laser, True), (chain, True)]


@pytest.mark.parametrize(("make", "single"), few(CASES))
def test_arm_processors(make, single):
    text = printed(*make(), TIMES).module(single, 128)
    assert machine(build.object_code(text, targets.ARM)) == AARCH64
    listing = targets.assembly(lower.lower(text, "run", targets.ARM), targets.ARM)
    form = "4s" if single else "2d"
    assert len(re.findall(rf"\bfmla\s+v\d+\.{form}", listing)) > 20  # vectors of 128 bits
    assert all("." in name for name in re.findall(r"\bbl\s+(\S+)", listing))  # no library's


@pytest.mark.parametrize("make", few([laser, lambda: chain(40)]), ids=["a thread", "a team"])
def test_amd_cards(make):
    text = printed(*make(), TIMES)
    none = np.empty(0, np.int64)
    grid = Grid.make(TIMES, 0.05)
    kernel = CudaKernel(text, grid, single=True, batched=none, ready=False)
    for source, entry in ((kernel.source, "run"), (kernel.sums_source, "sums")):
        assert machine(build.object_code(source, targets.AMD, entry)) == AMDGPU
        listing = targets.assembly(lower.lower(source, entry, targets.AMD), targets.AMD)
        assert f".amdhsa_kernel {entry}" in listing
        if entry == "run":
            assert len(re.findall(r"\bv_(?:dual_)?fma", listing)) > 20
            team = kernel.shape.spread
            assert ("ds_bpermute_b32" in listing) == team
        else:
            assert "s_barrier" in listing


def test_nvidia_cards_and_their_generations():
    assert [targets.nvidia(c).cpu for c in ((7, 0), (8, 7), (9, 0), (12, 0))] == [
        "sm_70", "sm_86", "sm_90", "sm_90",
    ]  # fmt: skip
    text = printed(*laser(), TIMES)
    kernel = CudaKernel(
        text, Grid.make(TIMES, 0.05), single=True, batched=np.empty(0, np.int64), ready=False
    )
    run, sums = kernel.kernels(targets.nvidia((8, 0)))
    for function in (run, sums):
        assert b".target sm_80" in function.code and b".version 7.8" in function.code
        assert f".entry {function.name}(".encode() in function.code
    assert b".f64" not in run.code and b".local" not in run.code


@pytest.mark.skipif(shutil.which("llvm-objdump") is None, reason="no disassembler")
def test_an_arm_object_is_code_to_somebody_else(tmp_path):
    (tmp_path / "k.o").write_bytes(
        build.object_code(printed(*laser(), TIMES).module(True, 128), targets.ARM)
    )
    command = ["llvm-objdump", "-d", str(tmp_path / "k.o")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "<run>:" in done.stdout and "<unknown>" not in done.stdout
    assert re.search(r"\bfmla\.4s|\bfmla\s+v\d+\.4s", done.stdout)


def test_what_llvm_refuses_is_said_in_one_sentence():
    with pytest.raises(targets.BadKernel, match="please report the model") as caught:
        targets.object_code("define void @run() { ret i32 }", targets.ARM)
    assert "\n" not in str(caught.value)


@pytest.fixture
def asked(monkeypatch):
    """Set WIGNERFLOW_CPU; the target that follows."""

    def ask(value):
        monkeypatch.setenv("WIGNERFLOW_CPU", value)
        targets.host.cache_clear()
        return targets.host()

    yield ask
    monkeypatch.undo()
    targets.host.cache_clear()


def test_one_target_for_all_processors(asked):
    """What an unlike worker of a cluster is told to set."""
    name, _, value = targets.GENERIC.partition("=")
    generic = asked(value)
    assert (name, generic.features) == ("WIGNERFLOW_CPU", "")
    assert llvm.get_host_cpu_name() not in generic.name
    text = printed(*laser(), TIMES)
    kernel = CpuKernel(text, Grid.make(TIMES, 0.05), single=False, batched=np.empty(0, np.int64))
    there = kernel.simulate(0, 2, 200, 1)
    assert np.isfinite(there.mean).all() and there.mean.std() > 0
    with pytest.raises(ValueError, match="`WIGNERFLOW_CPU` must be 'generic', or not set"):
        asked("native")
    assert asked("") != generic
