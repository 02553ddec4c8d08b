"""A stand-in for a GPU: the library's own host code, and compiled code that ``ptx`` runs."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
from numba import cuda as numba_cuda

from wignerflow.kernels import cuda
from wignerflow.run import gpus

from .ptx import Emulated


class Memory(np.ndarray):
    """Memory of the card."""

    def copy_to_host(self) -> np.ndarray:
        return np.array(self)


def _fresh(shape, dtype) -> Memory:
    """Memory as it is found: nothing that a result may rest on."""
    out = np.empty(shape, dtype).view(Memory)
    out.fill(np.nan if np.issubdtype(dtype, np.floating) else -(2**40))
    return out


def compiles_for_gpu() -> bool:
    """Whether the compiler of the CUDA libraries can be loaded."""
    try:
        from numba.cuda.cudadrv.nvvm import NVVM

        NVVM()
    except Exception:
        return False
    return True


@contextlib.contextmanager
def emulated_card(
    capability: tuple[int, int] = (9, 0), change: Callable[[str], str] = lambda ptx: ptx
) -> Iterator[None]:
    """Let ``device="cuda"`` compile for a real card, and run that code on the CPU.

    ``change`` is applied to the assembly of the kernel ``run``.
    """
    device = SimpleNamespace(id=0, compute_capability=capability)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def emulate(kernel) -> None:
            code = kernel.ptx(capability)
            kernel._run = Emulated(change(code["run"]), folder)
            kernel._sums = Emulated(code["sums"], folder)
            kernel._tables, kernel.compile_seconds = {}, 0.0

        stack.enter_context(patch("numba.cuda.dispatcher.get_current_device", lambda: device))
        for owner, name, value in (
            (numba_cuda, "device_array", _fresh),
            (numba_cuda, "to_device", lambda x: np.array(x).view(Memory)),
            (numba_cuda, "current_context", lambda: SimpleNamespace(device=device)),
            (cuda.CudaKernel, "_compile", emulate),
            (cuda, "cuda_target", lambda: "cuda emulated"),
            (cuda, "free_memory", lambda number: 4e9),
            (gpus, "free_memory", lambda number: 4e9),
            (gpus, "unavailable", lambda: None),
            (gpus, "devices", lambda: [0]),
            (gpus, "resident", lambda: 64),
            (gpus.Gpus, "_bind", lambda pool: None),
        ):
            stack.enter_context(patch.object(owner, name, value))
        yield
