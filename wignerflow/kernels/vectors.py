"""The widest vectors that a CPU has.

On most CPUs with vectors of 512 bits LLVM prefers those of 256, a choice for programs that use them
now and then. A kernel does nothing else.
"""

from __future__ import annotations

from typing import Any

import numba
from numba.core import types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic


def vector_bits() -> int:
    """Width asked for; 0 where LLVM's own choice stands."""
    chosen = getattr(numba.config, "CPU_FEATURES", None)
    features = get_host_cpu_features() if chosen is None else str(chosen)
    return 512 if "+avx512f" in features.split(",") else 0


@intrinsic  # type: ignore[untyped-decorator]
def wide_vectors(typingctx: Any) -> Any:
    """Let the function in which this stands use vectors of ``vector_bits``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if bits := vector_bits():
            # llvmlite knows attributes without values only; the ``add`` of a set does not mind
            set.add(builder.function.attributes, f'"prefer-vector-width"="{bits}"')
        return context.get_dummy_value()

    return types.void(), codegen
