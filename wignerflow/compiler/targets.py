"""Machines that kernels are compiled for, and LLVM's part of the work."""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from .. import _check
from .lower import PLAIN

_LOCK = threading.RLock()  # around LLVM's own state
_NUMBERS = itertools.count()  # names of libraries, which are used once


class NoTarget(RuntimeError):
    """LLVM was built without a code generator."""


class BadKernel(RuntimeError):
    """LLVM refuses what the lowering made."""


@dataclass(frozen=True)
class Target:
    """A machine: triple, processor, its features, and the bits of the vectors that are used."""

    triple: str
    cpu: str
    features: str
    bits: int

    @property
    def name(self) -> str:
        """What results depend on."""
        return f"{self.triple} {self.cpu} {self.bits}-bit"

    def width(self, single: bool, lanes: int) -> int:
        """Lanes per vector of a kernel with so many lanes."""
        if self.gpu:
            return 1
        out = self.bits // (32 if single else 64)
        while lanes % out:
            out //= 2
        return out

    @property
    def gpu(self) -> str:
        """The kind of GPU that it is; "" for a CPU."""
        kind = self.triple.partition("-")[0]
        return kind if kind in ("nvptx64", "amdgcn") else ""

    @property
    def pointer(self) -> int:
        """Bits of an address."""
        return 32 if self.triple.startswith("wasm32") else 64

    def machine(self) -> Any:
        """LLVM's description of it.

        Raises:
            NoTarget: this LLVM makes no code for it.
        """
        _start(self.triple == llvm.get_default_triple())
        try:
            target = llvm.Target.from_triple(self.triple)
        except RuntimeError:
            raise NoTarget(
                f"The LLVM of llvmlite {llvmlite.__version__} makes no code for {self.triple}: "
                "install the llvmlite of PyPI or conda-forge, which does."
            ) from None
        # a module of WebAssembly stands alone, and its data stay where they are
        reloc = "static" if self.pointer == 32 else "pic"
        return target.create_target_machine(
            cpu=self.cpu, features=self.features, opt=2, reloc=reloc, codemodel="small"
        )


@functools.cache
def _options() -> None:
    """Set once in a process: LLVM's reduction of the strength of loops is left out.

    It takes half the time of compiling (0.65 of 1.09 s for a laser) and gains nothing: an address
    here is a base and a lane, which processors add by themselves.
    """
    llvm.set_option("", "-disable-lsr")


@functools.cache
def _start(native: bool) -> None:
    _options()
    if native:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
    else:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()


#: What to set where all CPUs of one architecture shall give the same bits.
GENERIC = "WIGNERFLOW_CPU=generic"
#: Features of processors that have vectors of so many bits, the widest first.
VECTORS = (("avx512f", 512), ("avx", 256))


@functools.cache
def host() -> Target:
    """This machine.

    On most CPUs with vectors of 512 bits LLVM prefers those of 256, a choice for programs that use
    them now and then. A kernel does nothing else.

    Raises:
        ValueError: the environment variable WIGNERFLOW_CPU is neither empty nor "generic".
    """
    have = llvm.get_host_cpu_features()
    name, _, generic = GENERIC.partition("=")
    asked = os.environ.get(name, "")
    if asked == generic:
        return _generic(have)
    if asked:
        _check.fail(name, f"be {generic!r}, or not set", asked)
    bits = next((bits for name, bits in VECTORS if have.get(name)), 128)
    features = have.flatten()
    if bits == 512:
        features += ",-prefer-256-bit"
    return Target(llvm.get_default_triple(), llvm.get_host_cpu_name(), features, bits)


def _generic(have: Any) -> Target:
    """What all processors of this architecture are, those of Intel and AMD from AVX2 on."""
    triple = llvm.get_default_triple()
    if not triple.startswith("x86_64"):
        return Target(triple, "generic", "", 128)
    if not (have.get("avx2") and have.get("fma")):
        must = "not be set on this processor, which is older than AVX2"
        _check.fail(GENERIC.partition("=")[0], must, os.environ[GENERIC.partition("=")[0]])
    return Target(triple, "x86-64-v3", "", 256)


#: Browsers and all else that runs WebAssembly with vectors of 128 bits.
WASM = Target(
    "wasm32-unknown-unknown",
    "generic",
    "+simd128,+sign-ext,+nontrapping-fptoint,+bulk-memory",
    128,
)


#: ARM processors of 64 bits.
ARM = Target("aarch64-unknown-linux-gnu", "generic", "+neon", 128)
#: AMD cards with waves of 32 threads.
AMD = Target("amdgcn-amd-amdhsa", "gfx1100", "", 32)
#: Generations of NVIDIA's cards that LLVM is told; newer ones run the code of the last.
NVIDIA = (70, 75, 80, 86, 89, 90)


def nvidia(capability: tuple[int, int]) -> Target:
    """An NVIDIA card; drivers from CUDA 11.8 on take the assembly."""
    number = 10 * capability[0] + capability[1]
    kind = max((x for x in NVIDIA if x <= number), default=NVIDIA[0])
    return Target("nvptx64-nvidia-cuda", f"sm_{kind}", "+ptx78", 32)


def optimised(ir: str, machine: Any) -> Any:
    """LLVM's module of a text, optimised: vectors of lanes are in it already."""
    try:
        module = llvm.parse_assembly(ir)
        module.verify()
    except RuntimeError as error:
        why = " ".join(str(error).split())[:200]
        raise BadKernel(
            f"The compiler (LLVM of llvmlite {llvmlite.__version__}) does not take a kernel that "
            f"wignerflow made; please report the model and this: {why}"
        ) from None
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    plain, gpu = ir.startswith(PLAIN), machine.triple.startswith(("nvptx64", "amdgcn"))
    # a kernel's loops over lanes run as fast at level 1, which takes two thirds of the time
    options = llvm.create_pipeline_tuning_options(speed_level=2 if plain or gpu else 1)
    options.loop_vectorization = options.loop_interleaving = plain
    options.slp_vectorization = False
    options.loop_unrolling = plain or gpu
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


def object_code(ir: str, target: Target) -> bytes:
    """The object file of a module; for NVIDIA's driver, which assembles itself, its assembly."""
    if target.gpu == "nvptx64":
        return assembly(ir, target).encode()
    with _LOCK:
        machine = target.machine()
        return bytes(machine.emit_object(optimised(ir, machine)))


def assembly(ir: str, target: Target) -> str:
    """The assembly of a module."""
    with _LOCK:
        machine = target.machine()
        return str(machine.emit_assembly(optimised(ir, machine)))


@functools.cache
def _linker() -> Any:
    return llvm.create_lljit_compiler(host().machine(), use_jit_link=True)


class Loaded:
    """A function of an object file in memory, ``void f(int64_t *words)``; calls drop the GIL.

    The object refers to nothing outside itself: what calls out does not link.
    """

    def __init__(self, code: bytes, entry: str):
        with _LOCK:
            builder = llvm.JITLibraryBuilder().add_object_img(code).export_symbol(entry)
            self._library = builder.link(_linker(), f"kernel{next(_NUMBERS)}")
        self._function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._library[entry])

    def __call__(self, arguments: Sequence[Any]) -> None:
        """Call it with NumPy scalars and arrays in C order, which must not overlap."""
        words = pack(arguments)
        self._function(words.ctypes.data)


def pack(
    arguments: Sequence[Any], address: Callable[[Any], int] = lambda a: int(a.ctypes.data)
) -> NDArray[np.int64]:
    """The words of a call: a number's bits, an array's address and dimensions."""
    words: list[int] = []
    for a in arguments:
        if isinstance(a, np.ndarray):
            if not a.flags.c_contiguous:
                raise ValueError("Arrays of a kernel lie in C order.")
            words += [address(a), *a.shape]
        elif hasattr(a, "address"):  # in the memory of a card
            words += [a.address, *a.shape]
        elif isinstance(a, (np.float32, np.float64, np.uint64)):
            words.append(int(a.view(np.int32 if a.itemsize == 4 else np.int64)))
        else:
            words.append(int(a))
    return np.array(words, np.int64)
