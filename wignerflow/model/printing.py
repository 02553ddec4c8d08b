"""Operators and models as readable text and as LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .arrays import ArrayOp
    from .local import LocalOp
    from .op import Op


def text(op: Op) -> str:
    """A readable operator."""
    return f"<operator of {len(op.terms)} terms>"


def array_text(op: ArrayOp) -> str:
    """A readable array operator."""
    return f"<array operator of {op.size} members>"


def local_text(op: LocalOp) -> str:
    """A readable one-emitter operator."""
    return f"<one-emitter operator of {op.sub.name}>"
