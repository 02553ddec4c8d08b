"""Operators as plain data, in the words of a model's own plain form (see ``serialize``).

``op_to_dict`` writes an operator, array operator or ``PairProducts`` of a model's subsystems;
``read`` gives the model back together with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy

from .. import _check
from .arrays import ArrayOp
from .limits import MAX_MEMBERS, MAX_WORK
from .model import Model
from .op import Op
from .products import FourierProducts, PairProducts
from .reading import Reader, read_model
from .reading_values import entry_complex, name_of, reals, sequence, table
from .serialize import _complex_plain, _Writer

ROOT = "e_ops"


def ops_to_dicts(model: Model, ops: Iterable[Op | ArrayOp], times: Any) -> list[dict[str, Any]]:
    """The plain forms of operators on the subsystems of ``model``.

    Args:
        model: whose subsystems they act on.
        ops: operators without time coefficients.
        times: as for ``model_to_dict``.

    Raises:
        ValueError: an operator is too large for the format.
    """
    writer = _Writer(model, times)
    return [_write(writer, f"{ROOT}[{k}]", op) for k, op in enumerate(ops)]


def _write(writer: _Writer, where: str, op: Op | ArrayOp) -> dict[str, Any]:
    if isinstance(op, Op):
        return {"type": "single", "op": writer.op(where, op)}
    if isinstance(op, FourierProducts):
        grid = {"start": op.start, "step": op.step, "momenta": op.size}
        return {"type": "fourier", **_array(writer, where, op.op), **grid}
    if isinstance(op, PairProducts):
        out = {"type": "pairs", **_array(writer, where, op.op), "left": _matrix(op.left)}
        return out if op.right is None else {**out, "right": _matrix(op.right)}
    return {"type": "array", **_array(writer, where, op)}


def _array(writer: _Writer, where: str, op: ArrayOp) -> dict[str, Any]:
    return {"members": op.size, "op": writer.array(where, op)}


def _matrix(matrix: scipy.sparse.csr_matrix) -> dict[str, Any]:
    entries = matrix.tocoo()
    shape = {"rows": int(matrix.shape[0]), "row": entries.row.tolist(), "col": entries.col.tolist()}
    return {**shape, **_complex_plain(entries.data)}


def read(data: Any, ops: Iterable[Any]) -> tuple[Model, list[Op | ArrayOp]]:
    """A model from its plain form, and operators on its subsystems from theirs.

    Raises:
        ValueError, TypeError: the plain forms are not what this module and ``serialize`` write.
    """
    model, reader = read_model(data)
    return model, [_read(reader, f"{ROOT}[{k}]", entry) for k, entry in enumerate(ops)]


def _read(reader: Reader, where: str, data: Any) -> Op | ArrayOp:
    kinds = {
        "single": [],
        "array": ["members"],
        "pairs": ["members", "left"],
        "fourier": ["members", "start", "step", "momenta"],
    }
    if not isinstance(data, dict):
        _check.fail(where, "be a table with type and op", data, kind=TypeError)
    kind = name_of(f"{where}.type", data.get("type"), kinds, "a type of operator")
    entry = table(where, data, ["type", "op", *kinds[kind]], ["right"] if kind == "pairs" else [])
    if kind == "single":
        return reader.op(f"{where}.op", entry["op"])
    op = reader.array_terms(where, entry)
    if kind == "array":
        return op
    if kind == "fourier":
        start, step = (_check.real(f"{where}.{k}", entry[k]) for k in ("start", "step"))
        size = _check.integer(f"{where}.momenta", entry["momenta"], 1)
        if size > MAX_MEMBERS:
            _check.fail(f"{where}.momenta", f"be at most {MAX_MEMBERS}", size)
        return FourierProducts(op, start, step, size)
    sides = [_rows(f"{where}.{k}", entry[k], op.size) for k in ("left", "right") if k in entry]
    return PairProducts(op, *sides)


def _rows(where: str, data: Any, members: int) -> scipy.sparse.csr_matrix:
    entry = table(where, data, ["rows", "row", "col", "real"], ["imag"])
    size = _check.integer(f"{where}.rows", entry["rows"], 1)
    if size > MAX_MEMBERS:
        _check.fail(f"{where}.rows", f"be at most {MAX_MEMBERS}", size)
    values = {k: reals(f"{where}.{k}", entry[k]) for k in ("real", "imag") if k in entry}
    places = []
    for key, limit in (("row", size), ("col", members)):
        numbers = sequence(f"{where}.{key}", entry[key], MAX_WORK)
        if len(numbers) != len(values["real"]):
            must = f"have as many entries as `real`, {len(values['real'])}"
            _check.fail(f"{where}.{key}", must, f"a list of {len(numbers)}")
        if any(type(n) is not int or not 0 <= n < limit for n in numbers):
            _check.fail(f"{where}.{key}", f"hold indices from 0 to {limit - 1}", numbers)
        places.append(np.array(numbers, np.int64))
    weights = np.asarray(entry_complex(values), complex)
    return scipy.sparse.csr_matrix((weights, tuple(places)), shape=(size, members))
