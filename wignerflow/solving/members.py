"""Array operators member by member, for methods that know single operators only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..model.operators import ArrayOp, Op


def members(base: Mapping[str, Op | ArrayOp]) -> dict[str, Op]:
    """Array operators written out member by member."""
    out: dict[str, Op] = {}
    for key, op in base.items():
        if isinstance(op, ArrayOp):
            out.update({f"{key}[{m}]": op[m] for m in range(op.size)})
        else:
            out[key] = op
    return out


def gather(base: Mapping[str, Op | ArrayOp], values: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Inverse of :func:`members` for values: members on the last axis."""
    out = {}
    for key, op in base.items():
        if isinstance(op, ArrayOp):
            out[key] = np.stack([values[f"{key}[{m}]"] for m in range(op.size)], axis=-1)
        else:
            out[key] = values[key]
    return out
